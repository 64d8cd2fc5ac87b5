# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Data 7A as it is not: each attribute of the registry wrong in turn. No job gets stuck: it goes the other way that the registry
# names, stays in its tunnel, or fails and says which attribute it went by.
#
#   alice ── cloud ══tunnels══ gw ── mfp, mfp2 (agents), nas (HTTP), nas2 (HTTPS), printer (IPP), and nobody at .99

scenario_world()
{
	MFPS="1 2"
	NASES="1 2"
	PRINTERS=1
	TUNNEL_LIMIT=32
	conf shunt-cloud attempts 2
	conf shuntd policy.when always
	conf shunt-device connect false
}

https_nas()
{
	ip netns exec nas2 "$TOP/tests/e2e/hosts/https-files" "$WORLD/nas2/files" "$WORLD/pki/device-nas-2" >>"$WORLD/log/https-nas2" 2>&1 &
	echo $! >"$WORLD/pid/https-nas2"
	disown $!
	await 20 "the https server of nas-2" listening nas2 0.0.0.0:443
}

# row DEVICE KIND FILE GATEWAY ADDRESS SERVICE...: registers that, and submits a job to it.
row()
{
	local device=$1 kind=$2 file=$3 gateway=$4 address=$5 service options=()

	shift 5
	for service; do
		options+=(--service "$service")
	done
	admin device set "$device" --gateway "$gateway" --address "$address" "${options[@]}" >>"$WORLD/log/registry"
	submit "$file" "$kind" "$device" >"$WORLD/row-$device"
}

# rows: those that come on standard input, at the same time; each waits for others more than it works.
rows()
{
	local words pid pids=()

	while read -ra words; do
		row "${words[@]}" &
		pids+=($!)
		JOBS[${words[0]}]=
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || die "a job was refused"
	done
	for words in "${!JOBS[@]}"; do
		JOBS[$words]=$(<"$WORLD/row-$words")
	done
}

# fails TEXT DEVICE CODE WORDS: with that code, those words, and what the registry says.
fails()
{
	final "${JOBS[$2]}" '"\(.device): \(.timeline[-1].reason): \(.reason)"'
	check "$1" final "${JOBS[$2]}" ".state == \"failed\" and (.timeline[-1].reason | test(\"^($3)$\")) and (.reason | test(\"$4\"))"
}

scenario_run()
{
	local nas printer mfp stays unasked
	local -A JOBS

	nas=$(nas_address 1)
	printer=$(printer_address 1)
	mfp=$(mfp_address 1)
	certify device nas-2
	https_nas
	content a.bin 64K
	content b.bin 64K
	document a.pdf 64K
	document b.pdf 64K
	admin device set mfp-2 --gateway gw1 --address "$(mfp_address 2)" --service agent:8632:tls >>"$WORLD/log/registry"
	check "a recipient that nobody uses is warned of" eval "admin device set unused --gateway gw1 --address $mfp --service agent:8632:tls \
		--recipient age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj 2>&1 | grep -q '^Warning: recipient: .*encrypt-to'"

	rows <<-EOF
		port store a.bin gw1 $nas webdav:81
		path store a.bin gw1 $nas webdav:80:/none
		tls store a.bin gw1 $nas webdav:80:tls
		clear store a.bin gw1 $(nas_address 2) webdav:443
		kind print a.pdf gw1 $nas ipp:80
		kind2 store a.bin gw1 $printer webdav:631
		queue print a.pdf gw1 $printer ipp:631:/nowhere
		nobody store a.bin gw1 192.168.1.99 webdav:80
		outside store a.bin gw1 10.9.9.9 webdav:80
		gateway store a.bin gw9 $nas webdav:80
		agent print a.pdf gw1 $nas agent:8632:tls
		other print a.pdf gw1 $mfp agent:8632:tls
		absent store b.bin gw1 $nas agent:8632:tls webdav:80
		absent2 print b.pdf gw1 $printer agent:8632:tls ipp:631:/ipp/print
	EOF
	offer stays a.pdf print mfp-1
	offer unasked a.pdf print mfp-2
	finish_jobs "${JOBS[@]}" "$stays" "$unasked"

	fails "another port" port connect-failed "Connection refused .*webdav without TLS at $nas:81 behind gw1"
	fails "another path" path "http-409|not-found" "PUT .*at $nas:80, path /none"
	fails "TLS where there is none" tls no-tls "webdav with TLS at $nas:80"
	fails "none where there is TLS" clear no-answer "webdav without TLS at $(nas_address 2):443"
	fails "a file server that is said to be a printer" kind "http-40[35]" "ipp without TLS at $nas:80"
	fails "a printer that is said to be a file server" kind2 "http-40.|no-answer" "webdav without TLS at $printer:631"
	fails "a printer at another path" queue no-printer "not-found.*ipp without TLS at $printer:631, path /nowhere"
	fails "an address where nobody is" nobody connect-failed "No route to host .*192.168.1.99:80"
	fails "an address that is not on the LAN" outside host-not-allowed "10.9.9.9 is not on this gateway's LAN .*behind gw1"
	fails "a gateway that nobody knows" gateway gateway-unreachable "gw9"
	fails "an agent that is not there" agent agent-unreachable "Connection refused .*agent with TLS at $nas:8632"
	fails "another device's agent" other agent-unreachable "mfp-1.*agent with TLS at $mfp:8632"
	check_whole "without its agent the file server's job" "${JOBS[absent]}"
	check "its timeline says how" final "${JOBS[absent]}" 'any(.timeline[]; .event == "fallback" and .reason == "agent-absent")'
	check "stored, the same" stored nas b.bin
	check_whole "without its agent the printer's job" "${JOBS[absent2]}"
	check "printed once, the same" pages printer b.pdf
	check_whole "the job of an agent that does not connect" "$stays"
	check "it stays in its tunnel" went_by "$stays" tunnel
	check "with the reason" final "$stays" 'any(.timeline[]; .event == "move-failed" and (.text | test("dials nobody")))'
	check_whole "the job of one that could connect" "$unasked"
	check "it stays there, too" went_by "$unasked" tunnel
	check "and nobody was asked" not said shunt-device2 connected
}
