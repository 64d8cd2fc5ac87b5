# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# #701: the terminal. All that a job may ask for reaches the device; a command that is repeated is the same job; an upload that
# breaks off goes on where it was; and any HTTP/2 client can do the same, as the examples in Documentation/api/cloud.yaml do.
#
#   alice ──╳── cloud ══tunnel══ gw ── mfp

scenario_world()
{
	conf shunt-cloud upload-timeout 20s
}

# again KEY FILE: the same command each time, until the job has ended.
again()
{
	terminal -j job submit "$WORLD/content/$2" --device mfp-1 --copies 3 --media a4 --sides two-sided-short-edge --color color \
		--priority 6 --idempotency-key "$1" --wait 2>>"$WORLD/log/terminal"
}

uploaded()
{
	[ "$(terminal -j job list | jq "[.jobs[] | select(.name == \"$1\")][0].uploaded // 0")" -gt "$2" ]
}

# sent: octets, by the terminal.
sent()
{
	in_ns terminal cat /sys/class/net/eth0/statistics/tx_bytes
}

scenario_run()
{
	local first second before pid PID

	document a.pdf 64K
	first=$(again one a.pdf | tail -n 1)
	second=$(again one a.pdf | tail -n 1)
	check "the job ended as --wait says" jq -e '.state == "completed" and .priority == 6 and .copies == 3' <<<"$first"
	check "the repeated command is the same job" [ "$(jq -r .id <<<"$first")" = "$(jq -r .id <<<"$second")" ]
	check "printed once, the same" printed mfp a.pdf
	check "all it was asked for reached the device" grep -qx "application/pdf|3|a4|two-sided-short-edge|color" "$WORLD/mfp/printed/tickets"
	check "another body with that key is refused" not again one b.pdf

	# The terminal's line is slow, and its command is killed, and so is the cloud.
	document b.pdf 4M
	tc -n terminal qdisc replace dev eth0 root netem delay "$HALF_RTT" rate 8mbit
	(again two b.pdf >/dev/null) &
	pid=$!
	await 30 "some of it to arrive" uploaded b.pdf 1000000
	pkill -KILL -P "$pid"
	wait $pid
	before=$(sent)
	(again two b.pdf >"$WORLD/again") &
	pid=$!
	await 30 "more of it to arrive" uploaded b.pdf 2000000
	pid_of shunt-cloud
	kill -KILL "$PID"
	NAP_LENGTH=0.01 within 20 gone "$PID"
	run_cloud 1
	wait $pid
	check "the command outlived its cloud" jq -e '.state == "completed"' <<<"$(tail -n 1 "$WORLD/again")"
	# what the cloud had not made durable goes again, but not the first command's part
	check "and sent what was missing, not all of it" [ $(($(sent) - before)) -lt 5000000 ]
	check "printed once, the same" printed mfp b.pdf
	tc -n terminal qdisc replace dev eth0 root netem delay "$HALF_RTT" limit 20000

	document report.pdf 20480
	cp "$WORLD/content/report.pdf" "$WORLD/pki"
	"$TOP/tests/e2e/hosts/examples" "$TOP/Documentation/api/cloud.yaml" >"$WORLD/examples"
	check "there are examples" [ "$(grep -c 'api ' "$WORLD/examples")" -gt 5 ]
	check "the documented examples work" in_ns terminal bash -ec "cd $WORLD/pki && set -o pipefail && . $WORLD/examples"
	check "and print" printed mfp report.pdf
	check "with all they ask for" grep -qx "application/pdf|2|iso_a4_210x297mm|two-sided-long-edge|monochrome" "$WORLD/mfp/printed/tickets"
}
