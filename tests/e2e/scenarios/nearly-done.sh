# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# A move costs more than the rest of a job that is nearly done: one with less than `min-remaining` left is not moved (#809 asks
# for the slot, and it comes with the job's end), one with more is.
#
#   A  print 1 MB ──tunnel────────────────▶ mfp	less than 900 KB are left: stays
#   B  store      (limit: 1) waits──tunnel──▶ nas
#   C  print 3 MB ──tunnel──▶┆──direct─────▶ mfp	more are left: is moved
#   D  store                 ┆──tunnel─────▶ nas

scenario_world()
{
	TUNNEL_LIMIT=1
	conf shuntd policy.min-remaining '"900K"'
	conf shunt-device linger 0
}

scenario_run()
{
	local a b c d

	content a.pdf 1M
	content b.bin 64K
	content c.pdf 3M
	content d.bin 64K
	wan_rate 1mbit
	offer a a.pdf print mfp-1
	# the gateway, which looks once a second, must know by then
	await_job "$a" '.delivered > 400000' "less than 900 KB to be left of the first job"
	offer b b.bin store nas-1
	await_job "$b" '.state == "waiting"' "the other job to wait"
	wan_rate 100mbit
	finish_jobs "$a" "$b"
	check_whole "the job that was nearly done" "$a"
	check_whole "the job that waited for it" "$b"
	check "nobody was asked to connect" not record '.record == "decision" and (.action | IN("move", "direct"))'
	check "because so little was left" decided "$a" keep nearly-done
	check "it was given to the end through its tunnel" went_by "$a" tunnel
	check "the other got its slot (#804)" decided "$b" open below-limit
	wan_rate 2mbit
	offer c c.pdf print mfp-1
	await_job "$c" '.delivered > 0' "the larger job to be under way"
	offer d d.bin store nas-1
	await_job "$c" '.moved' "the larger job to move"
	wan_rate 100mbit
	finish_jobs "$c" "$d"
	check_whole "the larger job" "$c"
	check_whole "the job that it made room for" "$d"
	check "it was moved for the limit" decided "$c" move tunnel-limit
	check "printed once, the same" printed mfp c.pdf
}
