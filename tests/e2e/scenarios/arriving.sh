# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Second embodiment, #806-#818, FIG. 16-17: another job arrives whose device cannot connect, and its tunnel would pass the
# limit; the running job is moved in the middle of its content, and the other one gets the slot.
#
#   job 1  print 2 MB ──tunnel──▶┆──direct connection──▶ mfp
#   job 2  store 256 KB          ┆(limit: 1)──tunnel───▶ nas

scenario_world()
{
	TUNNEL_LIMIT=1
}

scenario_run()
{
	local print store

	content a.pdf 2M
	content b.bin 256K
	wan_rate 2mbit
	offer print a.pdf print mfp-1
	await_job "$print" '.delivered > 0' "the printer to hold the beginning"
	offer store b.bin store nas-1
	await_job "$print" '.moved' "the print job to move"
	wan_rate 100mbit
	finish_jobs "$print" "$store"
	check_whole "the print job" "$print"
	check_whole "the store job" "$store"
	check "the print job was moved for the sake of the limit (#809)" decided "$print" move tunnel-limit
	check "in the middle of its content (#816)" went_by "$print" direct tunnel
	check "the store job waited for the slot, and was told so" decided "$store" wait tunnel-limit
	check "and used a tunnel alone (#757)" went_by "$store" tunnel
	check "there were never two tunnels" record '.record == "decision" and .action == "open" and (.text | test("^tunnels 0\\+1"))'
	check "printed once, the same" printed mfp a.pdf
	check "stored, the same" stored nas b.bin
}
