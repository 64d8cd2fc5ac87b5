# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "the gateway 16 may determine [...] according to the number of tunnels between the gateway 16 and any external device"
# (count = all, the default): a job of one cloud is moved for the sake of another cloud's.
#
#   cloud1: A  print 1 MB ──tunnel──▶┆──direct connection──▶ mfp	(limit: 1)
#   cloud2: B  store 64 KB           ┆──tunnel─────────────▶ nas

scenario_world()
{
	CLOUDS="1 2"
	TUNNEL_LIMIT=1
}

scenario_run()
{
	two_clouds
	check "the first cloud's job was moved for the second's" decided "$A" move tunnel-limit
	check "in the middle of its content" went_by "$A" direct tunnel
	check "the second cloud's job waited for it" decided "$B" wait tunnel-limit
}
