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
	print_begins
	store_arrives
	check "the print job was moved for the sake of the limit (#809)" decided "$PRINT" move tunnel-limit
	check "the store job waited for the slot, and was told so" decided "$STORE" wait tunnel-limit
	check "there were never two tunnels" record '.record == "decision" and .action == "open" and (.text | test("^tunnels 0\\+1"))'
}
