# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "If the connection supports SSL, it encrypts and transmits based on SSL. [...] the device attribute data 7A of the internal
# device of the transmission destination may be acquired from the management server 24, and the determination may be made based
# on this": inside the tunnel too, where the registry says so, and plain where not. A wire tap on the LAN sees it.
#
#   job 1  store 64 KB of a phrase ──tunnel──HTTP───▶ nas-1
#   job 2  store 64 KB of a phrase ──tunnel──HTTPS──▶ nas-2
#   job 3  store 64 KB of a phrase ──tunnel──HTTPS──▶ nas-3, whose certificate is a stranger's: nothing is sent

PHRASE="a page that nobody else may read"

scenario_world()
{
	NASES="1 2 3"
	TUNNEL_LIMIT=4
	conf shunt-cloud attempts 2
}

https_nas()
{
	ip netns exec "$1" "$TOP/tests/e2e/hosts/https-files" "$WORLD/$1/files" "$2" >>"$WORLD/log/https-$1" 2>&1 &
	echo $! >"$WORLD/pid/https-$1"
	disown $!
	await 20 "the https server of $1" listening "$1" 0.0.0.0:443
}

# tap HOST: what goes to it, in $WORLD/tap-HOST.
tap_wire()
{
	in_ns "$1" tcpdump -U -i eth0 -w "$WORLD/tap-$1" tcp 2>>"$WORLD/log/tcpdump" &
	echo $! >"$WORLD/pid/tap-$1"
	disown $!
	await 20 "the wire tap" test -s "$WORLD/tap-$1"
}

scenario_run()
{
	local plain secret stranger host

	mkdir -p "$WORLD/content"
	yes "$PHRASE" | head -c 64K >"$WORLD/content/page.txt"
	certify device nas-2
	shunt pki init "$WORLD/pki-stranger" >>"$WORLD/log/pki"
	shunt pki issue "$WORLD/pki-stranger" --role device --name nas-3 >>"$WORLD/log/pki"
	https_nas nas2 "$WORLD/pki/device-nas-2"
	https_nas nas3 "$WORLD/pki-stranger/device-nas-3"
	for host in 2 3; do
		admin device set "nas-$host" --gateway gw1 --address "$(nas_address $host)" --service webdav:443:tls:/ \
			>>"$WORLD/log/registry" || die "registering nas-$host"
	done
	for host in nas nas2 nas3; do
		tap_wire $host
	done
	offer plain page.txt store nas-1
	offer secret page.txt store nas-2
	offer stranger page.txt store nas-3
	finish_jobs "$plain" "$secret" "$stranger"
	check_whole "the plain job" "$plain"
	check_whole "the encrypted job" "$secret"
	check "both are stored, the same" eval 'stored nas page.txt && stored nas2 page.txt'
	check "the tap reads what goes to the plain one" grep -qa "$PHRASE" "$WORLD/tap-nas"
	check "it saw the encrypted job's packets" test "$(wc -c <"$WORLD/tap-nas2")" -gt 65536
	check "and can read none of them" not grep -qa "$PHRASE" "$WORLD/tap-nas2"
	check "a stranger's certificate is refused, with the reason" final "$stranger" \
		'.state == "failed" and (.timeline | tostring | test("certificate"))'
	check "nothing was sent there" not grep -qa "$PHRASE" "$WORLD/tap-nas3"
	check "and nothing stored" not test -e "$WORLD/nas3/files/page.txt"
}
