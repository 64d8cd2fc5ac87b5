# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "the routing function may be realized by a router, and the HTTP tunnel function and the XMPP client function may be provided in
# the image forming apparatus 10": shuntd and shunt-device run on the MFP; the router is an ordinary one without Shunt.
#
#   cloud ──tunnel, then direct connection──▶ gw (NAT only) ──▶ mfp 192.168.1.10: shuntd, shunt-device

scenario_world()
{
	GATEWAY_HOST=mfp
	conf shuntd listen '"192.168.1.10:8633"'
	conf shuntd lan '{"192.168.1.10/32"}'
	conf shuntd own-service '"192.168.1.10:8632"'
	conf shuntd policy.when always
}

scenario_run()
{
	local print store

	content a.pdf 1M
	content b.bin 64K
	offer print a.pdf print mfp-1
	finish_jobs "$print"
	check_whole "the print job" "$print"
	check "it had a tunnel to the device, and then its connection" final "$print" '[.paths[].kind] == ["tunnel", "direct"]'
	check "the router has no part in it" not in_ns gw test -e /sys/class/net/shunt0
	check "printed once, the same" printed mfp a.pdf
	check "both logs are kept on the device (7J, 7K)" within 20 record '.record == "7J"'
	offer store b.bin store nas-1
	finish_jobs "$store"
	check "other hosts of the LAN are not this gateway's to reach" final "$store" '.state == "failed" and (.timeline | tostring | test("host-not-allowed"))'
	check "nothing was stored" not test -e "$WORLD/nas/files/b.bin"
}
