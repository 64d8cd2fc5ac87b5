#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's own xfrm (ESP in UDP, RFC 3948) judges the wire format: it is the cloud's end, then the gateway's end,
# for every cipher, in both directions, with every inner size up to the MTU; with SHUNT_SWEEP=short (an emulated processor)
# with the small ones, those around the MTU, and one in 61 between them.
#
#   gw 198.51.100.1 ─────────── wan ─────────── 198.51.100.2 cloud
#   192.168.1.10, fd00:1::10                     100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2034,SC2154 # setup_ns sets the names of namespaces, lib_xfrm.sh reads what is set here

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"
# shellcheck disable=SC1091
. "$here/lib_xfrm.sh"

need ping
begin 42

# sizes LAST: inner sizes, from xfrm's end to the module's and back
sizes()
{
	py "" udp_sweep.py "$m_ns" "$x_ns" "$m_addr" 7 1 "$1" "${SHUNT_SWEEP:-full}"
}

# One cipher and family, with keys of its own
arrangement()
{
	local cipher=$1 family=$2 near far m_addr x_addr what="$who, $1, $2"
	addresses "$family"
	check "$what: set up" set_up
	check "$what: ping from shunt" pings "$m_ns" "$x_addr"
	check "$what: ping from xfrm" pings "$x_ns" "$m_addr"
	check "$what: TCP" tcp_copy "$m_ns" "$x_ns" "$m_addr" 631
	if [ "$family" = IPv4 ]; then
		check "$what: sizes" sizes $((mtu - 28))
	else
		check "$what: sizes" sizes $((mtu - 48))
	fi
	check "$what: nothing dropped" tunnel_is "$m_ns" $((0x1001)) 'sum(rx.drops.values()) + sum(tx.drops.values()) == 0'
	shunt -n "$m_ns" tunnel del dev shunt0 spi-in $((0x1001))
}

for who in "xfrm as cloud" "xfrm as gateway"; do
	sides "$who"
	arrangement aes-gcm-256 IPv4
	arrangement aes-gcm-128 IPv4
	arrangement chacha20-poly1305 IPv4
	[ "$who" = "xfrm as gateway" ] || arrangement aes-gcm-256 IPv6
	ask stop "$holder"
done
ktap_finished
