#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A bad line between the module and the kernel's own xfrm: packets are lost, come twice and in another order. What TCP carries
# arrives as it was sent, and the module drops what came twice, and nothing else.
#
#   gw 198.51.100.1 ── wan ── netem, both ways ── wan ── 198.51.100.2 cloud
#
# shellcheck disable=SC2034,SC2154 # setup_ns sets the names of namespaces, lib_xfrm.sh reads what is set here

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"
# shellcheck disable=SC1091
. "$here/lib_xfrm.sh"

need tc
begin 16 3
mark_log

# every fourth packet overtakes those that wait for 3 ms
bad_line()
{
	tc -n "$1" qdisc add dev wan root netem delay 3ms reorder 25% loss 1% duplicate 3%
}

carried()
{
	tcp_copy "$m_ns" "$x_ns" "$m_addr" 631 400000
}

# Beside them, what a host says of itself (its groups, say) may come through xfrm's wider policy; scope is there for that.
only_replays()
{
	tunnel_is "$m_ns" $((0x1001)) \
		'rx.drops.replay > 0 and sum(rx.drops.values()) == rx.drops.replay + rx.drops.scope and sum(tx.drops.values()) == 0'
}

arrangement()
{
	local cipher=$1 family=$2 what="$who, $1, $2"
	addresses "$family"
	check "$what: set up" set_up
	check "$what: TCP, as it was sent" carried
	check "$what: duplicates are dropped as replays, nothing else is" only_replays
	shunt -n "$m_ns" tunnel del dev shunt0 spi-in $((0x1001))
}

# over IPv4, or IPv6
ends()
{
	local end
	sides "$who" "${1:-IPv4}"
	for end in "$gw" "$cloud"; do
		bad_line "$end" || skip "no netem in this kernel"
	done
}

for who in "xfrm as cloud" "xfrm as gateway"; do
	ends
	arrangement aes-gcm-256 IPv4
	arrangement chacha20-poly1305 IPv4
	[ "$who" = "xfrm as gateway" ] || arrangement aes-gcm-256 IPv6
	ask stop "$holder"
done
if sweeps; then
	ends IPv6
	who+=" over IPv6"
	arrangement chacha20-poly1305 IPv4
	ask stop "$holder"
fi
check "the kernel did not complain" clean_log
ktap_finished
