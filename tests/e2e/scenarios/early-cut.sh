# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Variant: "although the tunnel is disconnected after the connection is established, the connection is established after a
# request [...] You may cut it before" (cut = after-request).
#
#   job  print 2 MB ──tunnel──▶┆ (request, cut)  ┆──direct connection──▶ mfp

scenario_world()
{
	conf shuntd policy.when always
	conf shuntd policy.cut after-request
}

scenario_run()
{
	local id

	content a.pdf 2M
	offer id a.pdf print mfp-1
	finish_jobs "$id"
	check_whole "the job" "$id"
	check "it was moved" decided "$id" move always
	check "the tunnel got no more content before the connection carried any" final "$id" '
		[.timeline[] | select((.event == "path-draining" and .path == "tunnel") or (.event == "path-active" and .path == "direct") or
			(.event == "path-closed" and .path == "tunnel")) | .event][0] | IN("path-draining", "path-closed")'
	check "the connection carried the rest" final "$id" 'any(.paths[]; .kind == "direct" and .bytes > 0)'
	check "the printer printed it, once" printed mfp a.pdf
}
