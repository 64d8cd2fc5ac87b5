# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# First embodiment, #704-#712, claim 3: "if possible, by switching the tunnel to the connection". A device that can connect is
# asked to, whatever the number of tunnels; its tunnel is cut, the rest and the completion (7H) go by the connection.
#
#   job  print 2 MB ──tunnel──▶┆──direct connection────▶ mfp

scenario_world()
{
	conf shuntd policy.when always
}

tunnel_cut_first()
{
	final "$1" '[.timeline[] | select((.event == "path-closed" and .path == "tunnel") or .event == "completed") | .event][0] == "path-closed"'
}

scenario_run()
{
	local id

	content a.pdf 2M
	offer id a.pdf print mfp-1
	finish_jobs "$id"
	check_whole "the job" "$id"
	check "the gateway had the device connect because it can (#706-#707)" decided "$id" move always
	check "a tunnel was established first (#703), then the connection (#708)" final "$id" '[.paths[].kind] == ["tunnel", "direct"]'
	check "the connection carried content (#710)" final "$id" 'any(.paths[]; .kind == "direct" and .bytes > 0)'
	check "the tunnel was cut before the job was over (#709)" tunnel_cut_first "$id"
	check "the printer printed it, once" printed mfp a.pdf
	check "the connection was closed after the completion (#711-#712)" within 15 not connected mfp 1
}
