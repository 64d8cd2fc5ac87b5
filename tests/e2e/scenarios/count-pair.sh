# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "according to the number of tunnels between the cloud server 21 and the gateway 16" (count = pair): each cloud has the limit
# for itself, so that another cloud's job is no reason to move.
#
#   cloud1: A  print 1 MB ──tunnel──▶ mfp	(limit: 1 each)
#   cloud2: B  store 64 KB ──tunnel─▶ nas

scenario_world()
{
	CLOUDS="1 2"
	TUNNEL_LIMIT=1
	conf shuntd policy.count pair
}

scenario_run()
{
	two_clouds
	check "nothing was moved" not record '.record == "decision" and (.action | IN("move", "wait", "direct"))'
	check "both used tunnels alone" went_by "$A" tunnel
	check "side by side" decided "$B" open below-limit
}
