# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# How many round trips a job takes, at distances of 0, 20 and 100 ms between any two hosts of the internet:
#
#   tunnel   content begins to arrive through a new tunnel, the gateway's connection being warm
#   fast     the same with the setting that make install brings: the device's kernel takes TLS's first octets with the SYN (RFC 7413)
#   direct   the same over a direct connection that is there already
#   move     from the decision to move to the first octet on the direct connection, the longest gap in what
#            arrives at the device meanwhile, and octets sent twice
#
# The terminal's own way is apart (submitted_*): it submits, is answered, and uploads; 1.5 round trips.

RTTS=${RTTS:-0 20 100}	# ms

scenario_world()
{
	MFPS=1
	NASES=1
	TUNNEL_LIMIT=1
	mkdir -p "$WORLD/stores/mfp-1/store"
	chown nobody "$WORLD/stores/mfp-1/store"
	conf shunt-device accept '{"print", "store"}'
	conf shunt-device store-dir "\"$WORLD/stores/mfp-1/store\""
	conf shunt-cloud segment 256K
	conf shunt-cloud direct-linger 60s
}

# distances MS: of a whole round trip.
distances()
{
	local host

	for host in cloud manager terminal; do
		tc -n "$host" qdisc replace dev eth0 root netem delay "$(($1 / 2))ms" limit 20000
	done
	tc -n gw qdisc replace dev wan root netem delay "$(($1 / 2))ms" limit 20000
}

FIRST=0
# terminals JOBS: one after the other; prints what they saw.
terminals()
{
	in_ns terminal "$BIN/bench/jobs" --ca "$WORLD/pki/ca.crt" --cert "$WORLD/pki/terminal-alice.crt" \
		--key "$WORLD/pki/terminal-alice.key" --cloud 203.0.113.10:8443 --stores "$WORLD/stores" --prefix mfp- \
		--devices 1 --jobs "$1" --window 1 --conns 1 --first $FIRST
}

# stages: of the newest job, each entry of its timeline with the time since it was queued.
stages()
{
	job "$(terminal -j job list | jq -r '.jobs[-1].id')" | jq -c '
		def t: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
		([.timeline[] | select(.event == "queued")][0].time | t) as $queued |
		[.timeline[] | {(.event): ((.time | t) - $queued)}] | add'
}

# watch_growth FILE LOG: when what is at the device grows, to the millisecond, until FILE is gone.
watch_growth()
{
	python3 - "$1" "$2" <<-'END'
		import glob, os, sys, time
		pattern, log = sys.argv[1:]
		last, out, seen = -1, open(log, "w", buffering=1), False
		end = time.monotonic() + 60
		while time.monotonic() < end:
		    files = glob.glob(pattern)
		    if not files and seen:
		        break
		    for f in files:
		        try:
		            n = os.stat(f).st_blocks
		        except FileNotFoundError:
		            continue
		        seen = True
		        if n != last:
		            last = n
		            print(int(time.time() * 1000), n, file=out)
		    time.sleep(0.001)
	END
}

# The print job is moved because a job for the file server needs the only tunnel.
measure_move()
{
	local rtt=$1 watcher print store log=$WORLD/growth

	# Slow enough for the job to last, and with little of a queue: what waits in it would count as round trips.
	tc -n inet qdisc replace dev to-gw root tbf rate 20mbit burst 64k latency 10ms
	watch_growth "$WORLD/state/shunt-device/*.content" "$log" &
	watcher=$!
	offer print a.pdf print mfp-1
	await_job "$print" '.delivered > 500000' "content to be under way"
	offer store b.bin store nas-1
	finish_jobs "$print" "$store"
	wait $watcher
	check_whole "rtt $rtt: the print job" "$print"
	check "rtt $rtt: it was moved" final "$print" '.moved'
	MOVE=$(jq -c --rawfile log "$log" --argjson half "$((rtt / 2))" '
		def t: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);
		([.timeline[] | select(.event == "decision" and .action == "move")][0].time | t) as $decided |
		([.timeline[] | select(.event == "path-active" and .path == "direct")][0].time | t) as $active |
		([.timeline[] | select(.event == "path-closed" and .path == "tunnel")][0].time | t) as $closed |
		[$log | split("\n")[] | select(. != "") | split(" ")[0] | tonumber] as $grown |
		def gaps(f): [range(1; $grown | length) | select($grown[.] | f) | $grown[.] - $grown[. - 1]];
		{decided_to_first_ms: ($active - $decided + $half), resent: .resent,
		 gap_ms: (gaps(. > $decided and . < $closed + 200) | max), gap_before_ms: (gaps(. <= $decided) | max),
		 segment_ms: (262144 * 8 / 20000 | round)}' "$WORLD/job-$print.json")
	wan_rate 200mbit
}

# direct connections linger for a minute: a restart of the agent ends them
forget_direct()
{
	kill "$(cat "$WORLD/pid/shunt-device")"
	await 20 "the agent to end" not kill -0 "$(cat "$WORLD/pid/shunt-device")"
	run_device 1
	await 20 "the connection to end" not connected mfp 1
}

measure()
{
	local rtt=$1 tunnel fast direct stages

	distances "$rtt"
	wan_rate 200mbit
	forget_direct
	tunnel=$(terminals 10) || check "rtt $rtt: jobs through the tunnel" false
	FIRST=$((FIRST + 10))
	stages=$(stages)
	forget_direct
	in_ns mfp sysctl -qp "$TOP/userspace/device/shunt-device.sysctl"
	fast=$(terminals 10) || check "rtt $rtt: jobs through the tunnel, opened fast" false
	FIRST=$((FIRST + 10))
	in_ns mfp sysctl -qw net.ipv4.tcp_fastopen=1
	measure_move "$rtt"
	# The device is connected now.
	direct=$(terminals 10) || check "rtt $rtt: jobs over the connection" false
	FIRST=$((FIRST + 10))
	jq -nc --argjson rtt "$rtt" --argjson t "$tunnel" --argjson f "$fast" --argjson d "$direct" --argjson m "$MOVE" --argjson s "$stages" '
		def r(x): if $rtt > 0 then (x / $rtt * 10 | round) / 10 else null end;
		{rtt_ms: $rtt,
		 tunnel_ms: $t.queued_to_first_byte_ms.p50, tunnel_rtts: r($t.queued_to_first_byte_ms.p50),
		 tunnel_stages_ms: $s,
		 fast_ms: $f.queued_to_first_byte_ms.p50, fast_rtts: r($f.queued_to_first_byte_ms.p50),
		 direct_ms: $d.queued_to_first_byte_ms.p50, direct_rtts: r($d.queued_to_first_byte_ms.p50),
		 submitted_tunnel_ms: $t.first_byte_ms.p50, submitted_direct_ms: $d.first_byte_ms.p50,
		 move: $m, move_rtts: r($m.decided_to_first_ms)}' | tee -a /results/latency.json
}

scenario_run()
{
	local rtt

	content a.pdf 4M
	content b.bin 64K
	: >/results/latency.json
	for rtt in $RTTS; do
		measure "$rtt"
	done
	check "no octet of content was sent twice" jq -es 'all(.[]; .move.resent == 0)' /results/latency.json
}
