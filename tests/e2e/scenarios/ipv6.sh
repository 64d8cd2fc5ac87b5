# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# The cloud is reached over IPv6 only: the gateway's connection to it, the tunnels' outer packets, and the connection that
# the device dials, which the gateway routes and does not translate. Inside the tunnels, and on the LAN, it is IPv4 as ever.
#
#   A  print 3 MB ──tunnel──▶┆──direct connection──▶ mfp	(limit: 1)
#   B  store 64 KB           ┆──tunnel─────────────▶ nas

scenario_world()
{
	IPV6=yes
	TUNNEL_LIMIT=1
}

# The endpoints of the gateway's tunnels, one a line
endpoints()
{
	in_ns gw shunt -j tunnel show dev shunt0 | jq -r '.[].endpoint'
}

# The gateway's own connection, that of the device, and nothing else, is the cloud's
over_ipv6()
{
	in_ns cloud ss -Htn state established "sport = :8443" | awk '{ print $4 }' | grep -q "^\\[2001:db8:$1::"
}

scenario_run()
{
	local a b

	content a.pdf 3M
	content b.bin 64K
	offer a a.pdf print mfp-1
	await_job "$a" '.delivered > 500000' "the job to be on its way"
	check "the tunnel's packets go to the cloud's IPv6 address" test "$(endpoints)" = "[2001:db8::10]:4500"
	check "the gateway's connection is one of IPv6" over_ipv6 1
	offer b b.bin store nas-1
	await_job "$a" '.moved' "the job to move"
	check "so is the device's, which nobody translates" over_ipv6 11
	finish_jobs "$a" "$b"
	check_whole "the moved job" "$a"
	check_whole "the other job" "$b"
	check "it was moved in the middle of its content" went_by "$a" direct tunnel
	check "the other went through a tunnel" went_by "$b" tunnel
	check "printed once, the same" printed mfp a.pdf
}
