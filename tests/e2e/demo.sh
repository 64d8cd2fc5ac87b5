# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The main job (seed: second embodiment, #801-#862 with FIG. 16-17): a print job is moved off its tunnel in the middle
# of its content because a store job arrives whose device cannot connect. Sourced by tests/e2e/run after world.sh and
# scenario.sh.
#
#   job 1  store  20 MB ──tunnel──────────────────────────▶ nas
#   job 2  print  20 MB ──tunnel──▶┆──direct connection────▶ mfp
#   job 3  store   2 MB            ┆(limit: 2)──tunnel─────▶ nas
#
# The gateway's line is slow until job 2 has moved, so that the jobs overlap however fast the processor is, and fast
# from then on.

STORE_1=${STORE_1:-20M}
PRINT_2=${PRINT_2:-20M}
STORE_3=${STORE_3:-2M}
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
	LIMIT=$JOB_LIMIT finish_jobs "$JOB1" "$JOB2" "$JOB3"
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

# What the jobs' last words and the gateway's log must say; in one go, since starting a program costs half a second here.
check_words()
{
	jq -rn --slurpfile one "$WORLD/job-$JOB1.json" --slurpfile two "$WORLD/job-$JOB2.json" --slurpfile three "$WORLD/job-$JOB3.json" \
		--slurpfile log "$WORLD/state/shuntd/record.log" '
		def verdict(holds; text): (if holds then "ok " else "not ok " end) + text;
		($one + $two + $three) as $jobs
		| ($jobs[] | verdict(.state == "completed"; "job \(.id) completed"),
			verdict(.resent == 0 and .delivered == .size; "job \(.id): no byte of content sent twice")),
		verdict([$two[0].paths[] | select(.bytes > 0) | .kind] | sort == ["direct", "tunnel"]; "job 2 moved in the middle of its content"),
		verdict([$one[0], $three[0] | .paths[].kind] | unique == ["tunnel"]; "jobs 1 and 3 stayed in tunnels"),
		($jobs[].id as $id | verdict(any($log[]; .record == "7K" and .job == $id); "the gateway logged the tunnel of job \($id) (7K)")),
		verdict(any($log[]; .record == "7J" and .job == $two[0].id); "the gateway logged the direct connection (7J)")' >"$WORLD/words" ||
		echo "not ok the records can be read" >>"$WORLD/words"
	cat "$WORLD/words" >>"$CHECKS"
}

demo_checks()
{
	local refused

	refused_inbound >/dev/null 2>&1 &
	refused=$!
	await 30 "the last tunnel to close" no_tunnels
	within 20 record ".record == \"7J\" and .job == \"$JOB2\""	# the agent posts it right after the job's end
	check_words
	check "the printer printed exactly one document" printed_once
	check "what it printed is the file that was submitted" printed_identical
	check "the file server holds archive-1.bin unchanged" cmp "$WORLD/content/archive-1.bin" "$WORLD/nas/files/archive-1.bin"
	check "the file server holds archive-2.bin unchanged" cmp "$WORLD/content/archive-2.bin" "$WORLD/nas/files/archive-2.bin"
	check "no tunnel is left" no_tunnels
	check "nothing reaches the LAN from outside but through a tunnel" wait "$refused"
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

# move_ms: from the gateway's decision to move job 2 until its tunnel was gone, in the cloud's own clock.
demo_json()
{
	local left

	left=$(($(tunnels_in gw) + $(tunnels_in cloud)))
	jq -cs --argjson left "$left" --argjson failed "$(grep -c '^not ok' "$CHECKS")" --slurpfile log "$WORLD/state/shuntd/record.log" '
		def t: (.[0:19] + "Z" | fromdate) + (.[19:23] | tonumber? // 0);
		def bytes(kind): [.[].paths[] | select(.kind == kind).bytes] | add;
		(.[1] | [.timeline[] | select(.event == "decision" and .action == "move") | .time | t][0]) as $decided
		| (.[1] | [.paths[] | select(.kind == "tunnel") | .closed | t] | last) as $closed
		| {jobs: length, done: (map(select(.state == "completed")) | length), moved: (map(select(.moved)) | length),
			content_bytes: (map(.size) | add), resent_bytes: (map(.resent) | add),
			lost_bytes: (map(.size - .delivered) | add), tunnels_left: $left,
			tunnel_cpu_ms: ([$log[] | select(.record == "7K") | .rx.cpu_ns + .tx.cpu_ns] | add / 1e6 * 100 | round / 100),
			move_ms: (if $decided and $closed then ($closed - $decided) * 1000 | round else null end),
			tunnel_bytes: bytes("tunnel"), direct_bytes: bytes("direct"), checks_failed: $failed}' \
		"$WORLD/job-$JOB1.json" "$WORLD/job-$JOB2.json" "$WORLD/job-$JOB3.json"
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

	# Job 1 must still be in its tunnel when job 3 comes, also where a busy processor takes long over job 2.
	# shellcheck disable=SC2034 # world.sh reads it
	WAN_RATE=4mbit
	mkdir -p "$WORLD"
	demo_content &		# beside the world: neither needs the other
	content=$!
	demo_world
	wait "$content" || die "there is nothing to submit"
	demo_run
	demo_checks
	demo_summary
	! grep -q '^not ok' "$CHECKS"
}
