# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "it is performed when the speed of the communication line 4 in the gateway 16 becomes equal to or less than a predetermined
# speed": the line slows down, and a running job is moved although tunnels are few.
#
#   job  print 3 MB ──tunnel──▶┆──direct connection────▶ mfp
#               8 Mbit/s       ┆ 1 Mbit/s

scenario_world()
{
	TUNNEL_LIMIT=0
	conf shuntd policy.line-speed-low '"2mbit"'
	conf shuntd policy.line-speed-high '"3mbit"'
}

scenario_run()
{
	local id

	content a.pdf 8M
	wan_rate 8mbit
	offer id a.pdf print mfp-1
	await_job "$id" '.delivered > 2000000' "the line's speed to be known"
	check "at a high speed nothing is moved" not decided "$id" move line-speed
	wan_rate 1mbit
	await_job "$id" '.moved' "the job to move"
	wan_rate 100mbit
	finish_jobs "$id"
	check_whole "the job" "$id"
	check "it was moved because of the line's speed" decided "$id" move line-speed
	check "the reason has the figures" record '.action == "move" and (.text | test("line [0-9]+ kbit/s <= [23]000 kbit/s"))'
	check "in the middle of its content" went_by "$id" direct tunnel
	check "printed once, the same" printed mfp a.pdf
}
