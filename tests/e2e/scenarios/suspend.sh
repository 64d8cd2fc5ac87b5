# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Second embodiment with the interruption command 7L: #811 (the cloud instructs), #853-#855 (the device interrupts the job and
# holds the data of the processing so far), #816 and #859-#860 (resumed with the remaining part over the connection).
#
#   job 1  print 2 MB ──tunnel──▶┆ suspended ┆──direct connection──▶ mfp
#   job 2  store 64 KB           ┆(limit: 1)──────────tunnel───────▶ nas

scenario_world()
{
	TUNNEL_LIMIT=1
	conf shuntd policy.suspend true
}

scenario_run()
{
	print_begins
	store_arrives
	check "the device held the job (#853-#855), then resumed it (#859-#860)" final "$PRINT" '
		[.timeline[] | select(.event == "suspended" or .reason == "resumed") | .event] == ["suspended", "running"]'
	check "it was held through the tunnel (#811) and resumed over the connection (#816)" final "$PRINT" '
		[.timeline[] | select(.event == "suspended" or .reason == "resumed") | .path] == ["tunnel", "direct"]'
}
