# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# File servers that ask who comes. The cloud reads names and passwords before it gives its rights up, and again on SIGHUP; a
# wire tap on the LAN sees none.
#
#   job 1  store ──tunnel──HTTP, Digest──▶ nas-1 (lighttpd): the cloud knows no password
#   job 2  store ──tunnel──HTTP, Digest──▶ nas-1: after SIGHUP it does; and makes the directories of its path
#   job 3  store ──tunnel──HTTPS, Basic──▶ nas-2

PASSWORD="correct horse battery staple"

scenario_world()
{
	NASES="1 2"
	TUNNEL_LIMIT=4
	give_credentials "nas-2 shunt $PASSWORD"
}

https_nas()
{
	ip netns exec nas2 "$TOP/tests/e2e/hosts/https-files" "$WORLD/nas2/files" "$WORLD/pki/device-nas-2" "shunt:$PASSWORD" \
		>>"$WORLD/log/https-nas2" 2>&1 &
	echo $! >"$WORLD/pid/https-nas2"
	disown $!
	await 20 "the https server of nas-2" listening nas2 0.0.0.0:443
}

# reloaded COUNT: so often has the cloud read its credentials again.
reloaded()
{
	[ "$(grep -c "credentials reloaded" "$WORLD/log/shunt-cloud")" = "$1" ]
}

scenario_run()
{
	local unknown digest basic

	rm -rf "$WORLD/nas-login"
	NAS_PASSWORD=$PASSWORD "$TOP/tests/e2e/hosts/nas.sh" start nas "$WORLD/nas-login" >"$WORLD/log/nas-login" 2>&1 ||
		die "the file server with passwords did not start"
	certify device nas-2
	https_nas
	ip netns exec nas tcpdump -U -i eth0 -w "$WORLD/tap-nas" tcp 2>>"$WORLD/log/tcpdump" &
	echo $! >"$WORLD/pid/tap-nas"
	disown $!
	await 20 "the wire tap" test -s "$WORLD/tap-nas"
	admin device set nas-1 --gateway gw1 --address "$(nas_address 1)" --service webdav:8080:/ >>"$WORLD/log/registry"
	admin device set nas-2 --gateway gw1 --address "$(nas_address 2)" --service webdav:443:tls:/ >>"$WORLD/log/registry"
	content a.bin 256K

	offer unknown a.bin store nas-1
	finish_jobs "$unknown"
	check "without a password the job fails, and says why" final "$unknown" \
		'.state == "failed" and (.timeline | tostring | test("401: it wants a name and password, and the cloud has none"))'
	give_credentials "nas-1 shunt $PASSWORD" "nas-2 shunt $PASSWORD"
	# The cloud is an ordinary user by now, who may read what is its own.
	chmod 711 "$WORLD/pki"
	chown nobody "$WORLD/credentials" "$WORLD"/pki/cloud-*.key
	pid_of shunt-cloud
	kill -HUP "$PID"
	await 20 "the cloud to read its credentials again" reloaded 1
	chmod 700 "$WORLD/pki"
	chown root "$WORLD/credentials" "$WORLD"/pki/cloud-*.key
	offer digest a.bin store nas-1 --path in/2026/a.bin
	offer basic a.bin store nas-2
	finish_jobs "$digest" "$basic"
	check_whole "the job with Digest" "$digest"
	check_whole "the job with Basic" "$basic"
	check "what nas-1 stores is the same, in its directory" cmp "$WORLD/nas-login/files/in/2026/a.bin" "$WORLD/content/a.bin"
	check "and what nas-2 stores" stored nas2 a.bin
	check "the tap saw the name" grep -qa 'username="shunt"' "$WORLD/tap-nas"
	check "and never the password" not grep -qa "$PASSWORD" "$WORLD/tap-nas"
	check "nor is it in any log" not grep -rqaF "$PASSWORD" "$WORLD/log"
	"$TOP/tests/e2e/hosts/nas.sh" stop nas "$WORLD/nas-login"
}
