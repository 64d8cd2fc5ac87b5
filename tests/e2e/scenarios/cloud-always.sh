# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# First embodiment and claim 3 as they stand: the cloud server requests the connection "via the tunnel between the gateway and
# the second device" (#708) whenever the device has the function (#706-#707), then the tunnel is cut (#709).
#
#   job  print 2 MB ──tunnel──▶┆──direct connection────▶ mfp

scenario_world()
{
	conf shuntd policy.decide cloud
	conf shunt-cloud policy.decide cloud
	conf shunt-cloud policy.when always
}

scenario_run()
{
	local id

	content a.pdf 2M
	offer id a.pdf print mfp-1
	finish_jobs "$id"
	check_whole "the job" "$id"
	check "the cloud had the device connect because it can (#706-#707)" final "$id" '
		any(.timeline[]; .event == "decision" and .action == "move" and .reason == "always")'
	check "a tunnel was established first (#703), then the connection (#708)" final "$id" '[.paths[].kind] == ["tunnel", "direct"]'
	check "the connection carried content (#710)" final "$id" 'any(.paths[]; .kind == "direct" and .bytes > 0)'
	check "the printer printed it, once" printed mfp a.pdf
}
