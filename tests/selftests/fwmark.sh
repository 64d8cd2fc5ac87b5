#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Capsules carry the device's mark, and go where packets with that mark go; so do messages about them.
#
#   gw 10.0.0.1 ── 10.0.0.2 router 198.51.100.1 ── MTU 1400 ── 198.51.100.2 cloud
#   2001:db8:1::1 (only marked packets)  2001:db8:2::1                2001:db8:2::2
#   192.168.1.10, 192.168.1.11                                        100.64.0.1, 100.64.0.2
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping nft
begin 10
setup_ns gw router cloud
join_wan "$gw" "$router" 10.0.0 wan inside
join_wan "$router" "$cloud"
batch "$gw" <<-IP
	addr add 192.168.1.10/32 dev lo
	addr add 192.168.1.11/32 dev lo
	addr add 2001:db8:1::1/64 dev wan nodad
	route add default via 10.0.0.2 table 7
	route add ::/0 via 2001:db8:1::2 table 7
IP
batch "$router" <<-IP
	addr add 2001:db8:1::2/64 dev inside nodad
	addr add 2001:db8:2::1/64 dev wan nodad
IP
batch "$cloud" <<-IP
	addr add 2001:db8:2::2/64 dev wan nodad
	route add 10.0.0.0/24 via 198.51.100.1
	route add 2001:db8:1::/64 via 2001:db8:2::1
	addr add 100.64.0.2/32 dev lo
IP
in_ns "$router" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
far_link "$cloud"
shunt -n "$gw" link add shunt0 fwmark 7 up
batch "$gw" <<-IP
	route add 100.64.0.1 dev shunt0 src 192.168.1.10
	route add 100.64.0.2 dev shunt0 src 192.168.1.11
IP
ip -n "$cloud" route add 192.168.1.11 dev shunt0 src 100.64.0.2

# rules add|del MARK: whether packets with that mark have routes
rules()
{
	ip -4 -n "$gw" rule "$1" fwmark "$2" table 7 && ip -6 -n "$gw" rule "$1" fwmark "$2" table 7
}

over6()
{
	FAR_ENDPOINT="[2001:db8:2::2]:4500" pair "$gw" "$cloud" 2 chacha20-poly1305 192.168.1.11 100.64.0.2
}

# When those with another mark have them, the senders are told
other_mark()
{
	local address
	rules del 7 && rules add 8 || return
	for address in 100.64.0.1 100.64.0.2; do
		! in_ns "$gw" ping -q -c 1 -W 1 "$address" || return
	done
	tunnel_is "$gw" 0x1001 'tx.drops.noroute > 0' && tunnel_is "$gw" 0x1002 'tx.drops.noroute > 0'
}

this_mark()
{
	rules add 7 && pings "$gw" 100.64.0.1
}

narrow()
{
	ip -n "$router" link set wan mtu 1400 && ip -n "$cloud" link set wan mtu 1400
}

# learns ADDRESS SIZE MTU: by sending an inner packet of so many octets, which fits the first link
learns()
{
	in_ns "$gw" ping -q -c 1 -W 1 -M "do" -s $(($2 - 28)) "$1"
	is "it[0].get('metrics') and it[0].metrics[0].mtu == $3" ip -n "$gw" -j route get "$1"
}

rules add 7
check "tunnel over IPv4, by a route for marked packets" pair "$gw" "$cloud" 1 aes-gcm-256 192.168.1.10 100.64.0.1
check "it carries" pings "$gw" 100.64.0.1
check "tunnel over IPv6, likewise" over6
check "it carries, too" pings "$gw" 100.64.0.2
check "routes for another mark are none" other_mark
check "for this one again: IPv4" this_mark
check "for this one again: IPv6" pings "$gw" 100.64.0.2
check "the path becomes narrow" narrow
check "a router's message is about the marked route, IPv4" within learns 100.64.0.1 1438 1338
check "a router's message is about the marked route, IPv6" within learns 100.64.0.2 1418 1318
ktap_finished
