#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's own xfrm (ESP in UDP, RFC 3948) judges the wire format: it is the cloud's end, then the gateway's end, for every
# cipher, outside and inside of both families, in both directions, with every inner size up to the MTU. With SHUNT_SWEEP=short (an
# emulated processor) some of these, and of sizes the small ones, those around the MTU, and one in 61 between them.
#
#   gw 198.51.100.1, 2001:db8::1 ─────────── wan ─────────── 198.51.100.2, 2001:db8::2 cloud
#   192.168.1.10, fd00:1::10                                  100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2034,SC2154 # setup_ns sets the names of namespaces, lib_xfrm.sh reads what is set here

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"
# shellcheck disable=SC1091
. "$here/lib_xfrm.sh"

need ping
begin 42 102

# sizes LAST: of what UDP carries, from nothing on, from xfrm's end to the module's and back
sizes()
{
	py "" udp_sweep.py "$m_ns" "$x_ns" "$m_addr" 7 0 "$1" "${SHUNT_SWEEP:-full}"
}

# One cipher and inner family, with keys of its own
arrangement()
{
	local cipher=$1 family=$2 near far m_addr x_addr what="$who over $outer, $1, $2"
	addresses "$family"
	check "$what: set up" set_up
	check "$what: ping from shunt" pings "$m_ns" "$x_addr" -i 0.02
	check "$what: ping from xfrm" pings "$x_ns" "$m_addr" -i 0.02
	check "$what: TCP" tcp_copy "$m_ns" "$x_ns" "$m_addr" 631
	if [ "$family" = IPv4 ]; then
		check "$what: sizes" sizes $((mtu - 28))
	else
		check "$what: sizes" sizes $((mtu - 48))
	fi
	check "$what: nothing dropped" tunnel_is "$m_ns" $((0x1001)) 'sum(rx.drops.values()) + sum(tx.drops.values()) == 0'
	shunt -n "$m_ns" tunnel del dev shunt0 spi-in $((0x1001))
}

# What is left out of short sweeps
short_of()
{
	[ "$outer" = IPv4 ] || return
	[ "$2" = IPv4 ] || [ "$who, $1" = "xfrm as cloud, aes-gcm-256" ]
}

for outer in IPv4 IPv6; do
	sweeps || [ "$outer" = IPv4 ] || continue
	for who in "xfrm as cloud" "xfrm as gateway"; do
		sides "$who" "$outer"
		for cipher in aes-gcm-256 aes-gcm-128 chacha20-poly1305; do
			for family in IPv4 IPv6; do
				sweeps || short_of "$cipher" "$family" || continue
				arrangement "$cipher" "$family"
			done
		done
		ask stop "$holder"
	done
done
ktap_finished
