# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Second embodiment, #804-#805: "if the current number of tunnels is less than the predetermined number, it is determined that
# switching is unnecessary", and the job is given through its tunnel to the end.
#
#   job 1  print 1 MB ──tunnel──▶ mfp		(limit: 3)
#   job 2  store 1 MB ──tunnel──▶ nas

scenario_world()
{
	TUNNEL_LIMIT=3
}

scenario_run()
{
	local print store

	content a.pdf 1M
	content b.bin 1M
	offer print a.pdf print mfp-1
	offer store b.bin store nas-1
	finish_jobs "$print" "$store"
	check_whole "the print job" "$print"
	check_whole "the store job" "$store"
	check "both used tunnels alone" went_by "$print" tunnel
	check "no device was asked to connect" not record '.record == "decision" and (.action | IN("move", "direct"))'
	check "the gateway says why it opened them" decided "$print" open below-limit
	check "printed once, the same" printed mfp a.pdf
	check "stored, the same" stored nas b.bin
}
