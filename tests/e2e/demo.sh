# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The main job (seed: second embodiment, #801-#862 with FIG. 16-17): a print job is moved off its tunnel in the middle
# of its content because a store job arrives whose device cannot connect. Sourced by tests/e2e/run after world.sh and
# scenario.sh.
#
#   job 1  store  32 MB ──tunnel──────────────────────────▶ nas
#   job 2  print  24 MB ──tunnel──▶┆──direct connection────▶ mfp
#   job 3  store   4 MB            ┆(limit: 2)──tunnel─────▶ nas
#
# The gateway's line is slow until job 2 has moved, so that the jobs overlap however fast the processor is, and fast
# from then on.

STORE_1=${STORE_1:-32M}
PRINT_2=${PRINT_2:-24M}
STORE_3=${STORE_3:-4M}
JOB_LIMIT=${JOB_LIMIT:-180}	# seconds in which the whole must be over, also on an emulated processor

demo_content()
{
	mkdir -p "$WORLD/content"
	head -c "$STORE_1" /dev/urandom >"$WORLD/content/archive-1.bin"
	head -c "$STORE_3" /dev/urandom >"$WORLD/content/archive-2.bin"
	"$TOP/tests/e2e/mkpdf" --pages 16 --size "$PRINT_2" --seed 1 "$WORLD/content/report.pdf" || die "mkpdf"
	pdfinfo "$WORLD/content/report.pdf" >"$WORLD/content/report.info" || die "report.pdf is not a PDF"
}

demo_run()
{
	say "-> job 1: store archive-1.bin ($STORE_1) on nas-1, which cannot connect"
	JOB1=$(submit archive-1.bin store nas-1) || die "job 1 was refused"
	await 60 "job 1 to use its tunnel" job_is "$JOB1" '.delivered > 0'
	say "-> job 2: print report.pdf ($PRINT_2, $(awk '/^Pages/ {print $2}' "$WORLD/content/report.info") pages) on mfp-1, which can connect"
	JOB2=$(submit report.pdf print mfp-1) || die "job 2 was refused"
	await 60 "the printer to hold the beginning of job 2" job_is "$JOB2" '.delivered * 32 > .size'
	say "-> job 3: store archive-2.bin ($STORE_3) on nas-1: a third tunnel, and the limit is ${TUNNEL_LIMIT:-2}"
	JOB3=$(submit archive-2.bin store nas-1) || die "job 3 was refused"
	await 60 "job 2 to move" job_is "$JOB2" '.moved or (.state | IN("receiving", "queued", "running") | not)'
	say "-> job 2 is on its direct connection; the line becomes fast, to finish"
	wan_rate 200mbit
	for id in "$JOB1" "$JOB2" "$JOB3"; do
		await "$JOB_LIMIT" "job $id to end" ended "$id"
		job "$id" >"$WORLD/job-$id.json"
	done
}

refused_inbound()
{
	local gateway

	in_ns cloud curl -s --connect-timeout 2 http://198.51.100.2:8633/ &
	gateway=$!
	! in_ns inet curl -s --connect-timeout 2 http://192.168.1.15/ && ! wait "$gateway"
}

printed_identical()
{
	cmp "$WORLD/content/report.pdf" "$(find "$WORLD/mfp/printed" -type f -name '*.pdf' | head -n 1)"
}

printed_once()
{
	[ "$(find "$WORLD/mfp/printed" -type f -name '*.pdf' | wc -l)" = 1 ]
}

# The agent posts its log right after the job's end.
await_7j()
{
	(await 20 "the agent's connection log" record ".record == \"7J\" and .job == \"$JOB2\"")
}

demo_checks()
{
	local id

	for id in "$JOB1" "$JOB2" "$JOB3"; do
		check "job $id completed" jq -e '.state == "completed"' "$WORLD/job-$id.json"
		check "job $id: no byte of content sent twice" jq -e '.resent == 0 and .delivered == .size' "$WORLD/job-$id.json"
	done
	check "job 2 moved in the middle of its content" jq -e '[.paths[] | select(.bytes > 0) | .kind] | sort == ["direct", "tunnel"]' \
		"$WORLD/job-$JOB2.json"
	check "jobs 1 and 3 stayed in tunnels" jq -es 'all(.[]; [.paths[].kind] | unique == ["tunnel"])' \
		"$WORLD/job-$JOB1.json" "$WORLD/job-$JOB3.json"
	check "the printer printed exactly one document" printed_once
	check "what it printed is the file that was submitted" printed_identical
	check "the file server holds archive-1.bin unchanged" cmp "$WORLD/content/archive-1.bin" "$WORLD/nas/files/archive-1.bin"
	check "the file server holds archive-2.bin unchanged" cmp "$WORLD/content/archive-2.bin" "$WORLD/nas/files/archive-2.bin"
	await 30 "the last tunnel to close" no_tunnels
	check "no tunnel is left" no_tunnels
	for id in "$JOB1" "$JOB2" "$JOB3"; do
		check "the gateway logged the tunnel of job $id (7K)" record ".record == \"7K\" and .job == \"$id\""
	done
	check "the gateway logged the direct connection (7J)" await_7j
	check "nothing reaches the LAN from outside but through a tunnel" refused_inbound
}

demo_timeline()
{
	say
	say "Timeline (seconds since the first job; the reason follows each decision)"
	jq -rs '
		def t: (.[0:19] + "Z" | fromdate) + (.[19:23] | tonumber? // 0);
		(map(.timeline[0].time | t) | min) as $begin
		| [to_entries[] | .key as $n | .value.timeline[] | {at: ((.time | t) - $begin), n: ($n + 1), event, text, reason}]
		| sort_by(.at)[]
		| "  \(.at * 1000 | round / 1000 | tostring | (" " * (7 - length)) + .)  job \(.n)  \(.event | . + " " * (15 - length))\(.text)" +
			(if (.reason // "") != "" then "  [\(.reason)]" else "" end)' \
		"$WORLD/job-$JOB1.json" "$WORLD/job-$JOB2.json" "$WORLD/job-$JOB3.json"
	say
	say "Decisions of the gateway"
	jq -r 'select(.record == "decision") | "  \(.time[11:23])  \(.action)  \(.reason): \(.text)"' "$WORLD/state/shuntd/record.log"
}

demo_tunnels()
{
	say
	say "Tunnels, as the gateway's kernel counted them (7K)"
	printf '  %-10s %-8s %10s %10s %10s %10s %8s %8s\n' tunnel device 'in pkts' 'in bytes' 'out pkts' 'out bytes' 'cpu ms' drops
	jq -r 'select(.record == "7K") | [.tunnel, .device, .rx.packets, .rx.bytes, .tx.packets, .tx.bytes,
		((.rx.cpu_ns + .tx.cpu_ns) / 1e6 | round), ([.rx.drops[], .tx.drops[]] | add)] | @tsv' \
		"$WORLD/state/shuntd/record.log" |
		while IFS=$'\t' read -r id device rp rb tp tb cpu drops; do
			printf '  %-10s %-8s %10s %10s %10s %10s %8s %8s\n' "$id" "$device" "$rp" "$rb" "$tp" "$tb" "$cpu" "$drops"
		done
	say
	say "Direct connections (7J)"
	jq -r 'select(.record == "7J") | "  \(.device) -> \(.cloud) \(.address): \(.bytes_in) bytes in, \(.result)"' "$WORLD/state/shuntd/record.log"
}

demo_json()
{
	local left cpu move

	left=$(($(tunnels_in gw) + $(tunnels_in cloud)))
	cpu=$(jq -s '[.[] | select(.record == "7K") | .rx.cpu_ns + .tx.cpu_ns] | add / 1e6 * 100 | round / 100' "$WORLD/state/shuntd/record.log")
	move=$(demo_move_ms)
	jq -cs --argjson left "$left" --argjson cpu "$cpu" --argjson move "$move" --argjson failed "$(grep -c '^not ok' "$CHECKS")" '{
		jobs: length, done: (map(select(.state == "completed")) | length), moved: (map(select(.moved)) | length),
		content_bytes: (map(.size) | add), resent_bytes: (map(.resent) | add),
		lost_bytes: (map(.size - .delivered) | add), tunnels_left: $left, tunnel_cpu_ms: $cpu, move_ms: $move,
		tunnel_bytes: ([.[].paths[] | select(.kind == "tunnel").bytes] | add),
		direct_bytes: ([.[].paths[] | select(.kind == "direct").bytes] | add), checks_failed: $failed}' \
		"$WORLD/job-$JOB1.json" "$WORLD/job-$JOB2.json" "$WORLD/job-$JOB3.json"
}

# From the gateway's decision to move job 2 until its tunnel was gone, in the cloud's own clock.
demo_move_ms()
{
	jq '
		def t: (.[0:19] + "Z" | fromdate) + (.[19:23] | tonumber? // 0);
		([.timeline[] | select(.event == "decision" and .action == "move") | .time | t] | first) as $decided
		| ([.paths[] | select(.kind == "tunnel") | .closed | t] | last) as $closed
		| if $decided and $closed then ($closed - $decided) * 1000 | round else null end' "$WORLD/job-$JOB2.json"
}

demo_summary()
{
	demo_timeline
	demo_tunnels
	say
	say "Checks"
	sed 's/^/  /' "$CHECKS"
	say
	demo_json
}

demo_world()
{
	local servers

	say "== the world: terminal, manager, cloud -- 40 ms -- gateway (NAT, drops inbound) -- mfp, nas"
	world_module
	mkdir -p "$WORLD/log"
	world_network
	say "== servers: ippeveprinter on mfp, lighttpd WebDAV on nas; shunt-manager, shunt-cloud, shuntd, shunt-device"
	world_servers &
	servers=$!
	world_configure
	world_daemons
	world_devices
	wait "$servers" || die "the servers of the LAN did not start"
}

scenario_demo()
{
	local content

	mkdir -p "$WORLD"
	demo_content &		# beside the world: neither needs the other
	content=$!
	demo_world
	wait "$content" || die "there is nothing to submit"
	demo_run
	demo_checks
	demo_summary
	world_stop
	! grep -q '^not ok' "$CHECKS"
}
