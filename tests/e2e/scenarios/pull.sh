# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# FIG. 18-19, pull: the device is told of the job through the tunnel (#607, #634-#635, #641), requests the data over the
# connection once there is one (#645), and the cloud sends what was requested (#611-#612). Until then it pulls by the tunnel.
#
#   A  print 2 MB ──tunnel: told, pulls──▶┆──direct connection: pulls the rest──▶ mfp
#   B  store 64 KB                        ┆(limit: 1)──tunnel───────────────────▶ nas
#   C  print 64 KB, later ──tunnel: told, pulls────────────────────────────────▶ mfp

scenario_world()
{
	TUNNEL_LIMIT=1
	conf shunt-cloud policy.delivery pull
	conf shunt-device linger 0
}

# asked ID PATH: the device asked for content when that path came up.
asked()
{
	final "$1" "any(.timeline[]; .event == \"path-active\" and .path == \"$2\" and (.text | test(\"asks\")))"
}

scenario_run()
{
	local later

	print_begins
	store_arrives
	await 20 "the connection to be closed" not connected mfp 1
	content c.pdf 64K
	offer later c.pdf print mfp-1
	finish_jobs "$later"
	check_whole "the job in its tunnel" "$later"
	check "the device was told through the tunnel, and asked (#641)" asked "$PRINT" tunnel
	check "it asked for the rest over the connection (#645), and got it there (#611-#612)" asked "$PRINT" direct
	check "the later job was pulled through its tunnel" went_by "$later" tunnel
	check "the later was printed once, the same" printed mfp c.pdf
}
