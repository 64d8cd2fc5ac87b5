# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# A file server that speaks SMB (Samba), without agent (#757-#777): files come whole into their places, over broken connections and
# a killed cloud, and what stands in the way is said. A wire tap on the LAN sees no content.
#
# The devices are one server:
#
#   job 1    store ──tunnel──SMB 3──▶ nas-1, a directory of the share "files"
#   job 2    store ────────────────▶ nas-2, with a wrong password
#   job 3    store ────────────────▶ nas-3, a share of 1 MB
#   job 4    store ────────────────▶ nas-4, a share that there is not
#   job 5    store ────────────────▶ nas-7, a share for guests, without a password
#            store ────────────────▶ nas-8, the same, with a name that the server does not know and would take for a guest's
#   job 6    store ────────────────▶ nas-1: another file in the place of the first
#   job 7    store ────────────────▶ nas-5, the share "files", encrypted
#   job 8    store ────────────────▶ nas-6, the same: the connection is reset in the middle, then the cloud is killed
#            where the server cannot hear of it, and holds the half of the file open, in its whole length
#   job 9    fetch ◀────────────── nas-6: what job 8 has stored; the connection is reset in the middle
#   job 10   list  ◀────────────── nas-6
#            fetch ◀────────────── nas-6: what the server holds open of job 8, which is left alone

PASSWORD="correct horse battery staple"

scenario_world()
{
	TUNNEL_LIMIT=8
	give_credentials "nas-1 shunt $PASSWORD" "nas-2 shunt wrong" "nas-3 WORKGROUP\\shunt $PASSWORD" "nas-4 shunt $PASSWORD" \
		"nas-5 shunt $PASSWORD" "nas-6 shunt $PASSWORD" "nas-8 joe $PASSWORD"
}

# smb_service CODE PATH [OPTION...]: a device that is the server, by this share.
smb_service()
{
	local code=$1 path=$2

	shift 2
	admin device set "$code" --gateway gw1 --address "$(nas_address 1)" --service "smb:445:$path" "$@" >>"$WORLD/log/registry"
}

# in_share NAME FILE: what is there of that name is this.
in_share()
{
	cmp "$WORLD/nas-smb/files/$1" "$WORLD/content/$2"
}

# failed_with ID REASON TEXT
failed_with()
{
	final "$1" ".state == \"failed\" and any(.timeline[]; .event == \"failed\" and .reason == \"$2\") and (.timeline | tostring | test(\"$3\"))"
}

no_halves()
{
	[ -z "$(find "$WORLD/nas-smb" -name '.shunt-*' -size +0)" ]
}

no_helpers()
{
	! pgrep -x shunt-smb
}

# Nothing more of the connection that there is reaches the server, so that it takes it for idle.
unheard()
{
	local port

	port=$(in_ns cloud ss -Htn state established src 100.64.0.0/16 | awk '{ sub(/.*:/, "", $3); print $3 }')
	fault_table nas "input:tcp dport 445 tcp sport ${port:?no connection} drop"
}

scenario_run()
{
	local busy new guest stranger again kept sealed wrong full missing broken recipient got list absent

	rm -rf "$WORLD/nas-smb" "$WORLD/secure.key"
	SMB_PASSWORD=$PASSWORD "$TOP/tests/e2e/hosts/smb.sh" start nas "$WORLD/nas-smb" >"$WORLD/log/nas-smb" 2>&1 ||
		die "Samba did not start"
	ip netns exec nas tcpdump -U -i eth0 -w "$WORLD/tap-smb" tcp 2>>"$WORLD/log/tcpdump" &
	echo $! >"$WORLD/pid/tap-smb"
	disown $!
	await 20 "the wire tap" test -s "$WORLD/tap-smb"
	recipient=$(shunt key new "$WORLD/secure.key")
	smb_service nas-1 /files/in
	smb_service nas-2 /files
	smb_service nas-3 /small
	smb_service nas-4 /nothing
	smb_service nas-5 /files --recipient "$recipient"
	smb_service nas-6 /files
	smb_service nas-7 /public
	smb_service nas-8 /public
	mkdir "$WORLD/nas-smb/files/in"
	chown shunt "$WORLD/nas-smb/files/in"
	content a.bin 256K
	content b.bin 1M
	content big.bin 3M
	(for i in {1..2000}; do echo "a secret that is not to be seen $i"; done) >"$WORLD/content/words"

	offer new a.bin store nas-1 --path 2026/ä/a.bin
	offer wrong a.bin store nas-2
	offer full big.bin store nas-3
	offer missing a.bin store nas-4
	offer guest a.bin store nas-7
	offer stranger words store nas-8
	finish_jobs "$new" "$wrong" "$full" "$missing" "$guest" "$stranger"
	check_whole "the first job" "$new"
	check "it is in the directories of its path" in_share in/2026/ä/a.bin a.bin
	check "a wrong password fails the job, and it says so" failed_with "$wrong" login-refused "does not accept the name and password"
	check "a full share is not sent the file" failed_with "$full" no-room "room for [0-9]+ bytes, the file has 3145728"
	check "so that none of it was on the wire" final "$full" '.delivered == 0'
	check "a share that is not there" failed_with "$missing" not-found "no such share"
	check_whole "the guest's job" "$guest"
	check "and it is there" cmp "$WORLD/nas-smb/public/a.bin" "$WORLD/content/a.bin"
	check "who has a password is never a guest" failed_with "$stranger" login-refused "does not accept the name and password"
	offer again words store nas-1 --path 2026/ä/a.bin
	finish_jobs "$again"
	offer kept a.bin store nas-1 --path 2026/ä/a.bin --no-clobber
	finish_jobs "$kept"
	check_whole "the second job" "$again"
	check "with --no-clobber nothing takes its place" failed_with "$kept" exists "there is a file of that name"
	check "it has taken the first one's place" in_share in/2026/ä/a.bin words
	offer sealed b.bin store nas-5
	finish_jobs "$sealed"
	check_whole "the encrypted job" "$sealed"
	check "what is stored opens" sh -c "shunt decrypt -i '$WORLD/secure.key' '$WORLD/nas-smb/files/b.bin.age' | cmp - '$WORLD/content/b.bin'"

	admin -j device probe nas-7 --dry-run >"$WORLD/probe-guest" 2>>"$WORLD/log/terminal"
	admin -j device probe nas-2 --dry-run >"$WORLD/probe-wrong" 2>>"$WORLD/log/terminal"
	check "the share is found by asking" jq -e 'any(.probe.services[]; .kind == "smb" and .found)' "$WORLD/probe-guest"
	check "or not, and why" jq -e 'any(.probe.services[]; .kind == "smb" and .reason == "login-refused")' "$WORLD/probe-wrong"

	wan_rate 8mbit
	offer broken big.bin store nas-6
	await_job "$broken" '.delivered > 300000' "the file server to get some"
	reset cloud src 100.64.0.0/16
	await_job "$broken" '.delivered > 1200000' "it to go on"
	unheard
	kill_program shunt-cloud
	check "nobody is left who speaks with the file server" within 5 no_helpers
	# as a server leaves it that makes room for all of it first
	truncate -s 3M "$WORLD"/nas-smb/files/.shunt-*.part
	wan_rate 100mbit
	run_cloud 1
	finish_jobs "$broken"
	check "the broken job completed" final "$broken" '.state == "completed"'
	check "it was gone on with, each time, where it was" final "$broken" '[.timeline[] | select(.event == "put-resumed")] | length == 2'
	check "only what was on the wire was sent again" final "$broken" '.resent < 1200000'
	check "and is the same" in_share big.bin big.bin
	check "the server had not noticed, and copied what it had" test -e "$(find "$WORLD/nas-smb/files" -name '.shunt-*.part')"
	check "no half of a file is left" no_halves
	fetch busy nas-6 "$(basename "$WORLD"/nas-smb/files/.shunt-*.part)"
	await_job "$busy" 'any(.timeline[]; .event == "retry" and (.text | test("somebody has it open for writing")))' \
		"what is open for writing not to be fetched"
	terminal job cancel "$busy" >>"$WORLD/log/terminal" 2>&1

	uplink_rate 8mbit
	fetch got nas-6 big.bin
	await_job "$got" '.delivered > 300000' "some of it to be here"
	reset cloud src 100.64.0.0/16
	uplink_rate none
	fetch list nas-6 in/2026/
	fetch absent nas-6 in/none.bin
	finish_jobs "$got" "$list" "$absent"
	check_whole "what is fetched" "$got"
	check "its connection broke, and the rest was asked for" final "$got" 'any(.timeline[]; .event == "get-resumed")'
	check "and it is the file" fetched_same "$got" "$WORLD/content/big.bin"
	terminal job content "$list" -o "$WORLD/list" 2>>"$WORLD/log/terminal"
	check "a directory is listed" jq -es 'map({name, type}) == [{name: "ä", type: "directory"}]' "$WORLD/list"
	check "a file that is not there" failed_with "$absent" not-found "no such file"
	check "no helper is left" within 5 no_helpers
	check "the tap saw the name of the server's program" grep -qa 'S.H.U.N.T' "$WORLD/tap-smb"
	check "and no content" not grep -qaF "not to be seen" "$WORLD/tap-smb"
	check "no password is in any log" not grep -rqaF "$PASSWORD" "$WORLD/log"
	"$TOP/tests/e2e/hosts/smb.sh" stop nas "$WORLD/nas-smb"
}
