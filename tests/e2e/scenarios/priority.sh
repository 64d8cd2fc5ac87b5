# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "Among the extracted jobs, the job with the lowest priority is selected"; claims 4-5: where a device has several jobs, each
# with a tunnel, the connection is established "for the job with priority given to a job with low priority".
#
#   A  priority 5 ──tunnel──▶ mfp
#   B  priority 3 ──tunnel──▶ mfp2
#   C  priority 1 ──tunnel──▶ mfp2	moved first (limit: 3)
#   D  priority 6, arrives ─────▶ nas

scenario_world()
{
	MFPS="1 2"
	TUNNEL_LIMIT=3
}

scenario_run()
{
	local a b c d id

	for id in a b c; do
		content $id.pdf 3M
	done
	content d.bin 64K
	wan_rate 3mbit
	offer a a.pdf print mfp-1 --priority 5
	offer b b.pdf print mfp-2 --priority 3
	offer c c.pdf print mfp-2 --priority 1
	for id in "$a" "$b" "$c"; do
		await_job "$id" '.delivered > 0' "job $id to be under way"
	done
	offer d d.bin store nas-1 --priority 6
	await_job "$c" '.moved or .delivered == .size' "the job of lowest priority to move"
	wan_rate 100mbit
	finish_jobs "$a" "$b" "$c" "$d"
	for id in a b c; do
		check_whole "job $id" "${!id}"
		check "job $id: printed once, the same" printed "$([ $id = a ] && echo mfp || echo mfp2)" $id.pdf
	done
	check_whole "job d" "$d"
	check "the lowest priority was moved first" test "$(first_moved)" = "$c"
	check "the reason says so" record ".action == \"move\" and .job == \"$c\" and (.text | test(\"lowest priority 1 of\"))"
	check "the highest was left in its tunnel" went_by "$a" tunnel
}
