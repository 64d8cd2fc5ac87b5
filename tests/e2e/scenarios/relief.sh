# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "In order to reduce the load on the gateway": among jobs of equal priority the one whose tunnel costs the gateway's kernel
# most, as measured there, is moved. mfp2's cable is slow, so that its tunnel costs little, though it has most left.
#
#   A  ──tunnel, fast──▶ mfp	moved
#   B  ──tunnel, slow──▶ mfp2
#   C  arrives (limit: 2) ──────▶ nas


scenario_world()
{
	MFPS="1 2"
	TUNNEL_LIMIT=2
}

scenario_run()
{
	local a b c

	content a.pdf 4M
	content b.pdf 4M
	content c.bin 64K
	tc -n gw qdisc add dev to-mfp2 root tbf rate 200kbit burst 16k latency 400ms
	offer b b.pdf print mfp-2
	offer a a.pdf print mfp-1
	await_job "$a" '.delivered > 1500000' "the fast one to have been measured"
	wan_rate 2mbit	# time for the decision; mfp2 stays the cheaper one by far
	offer c c.bin store nas-1
	await_job "$a" '.moved' "the costly job to move"
	tc -n gw qdisc del dev to-mfp2 root
	wan_rate 100mbit
	finish_jobs "$a" "$b" "$c"
	check_whole "the costly job" "$a"
	check_whole "the cheap job" "$b"
	check_whole "the arriving job" "$c"
	check "the costly one was moved" test "$(first_moved)" = "$a"
	check "for the relief, which the reason states" record ".action == \"move\" and .job == \"$a\" and (.text | test(\"greatest relief [0-9]+ us/s\"))"
	check "the cheap one stayed" went_by "$b" tunnel
	check "both printed once, the same" eval 'printed mfp a.pdf && printed mfp2 b.pdf'
}
