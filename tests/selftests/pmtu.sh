#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The path is narrower than it looks from the gateway. Senders on both sides learn what fits, TCP before it sends
# anything, and no capsule is fragmented but those that nobody could send smaller.
#
#   dev 192.168.1.10 ── lan ── gw 10.0.0.1 ── 10.0.0.2 router 198.51.100.1 ── MTU 1400 ── 198.51.100.2 cloud
#       fd00:1::10                                                          100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping nft socat
begin 10 7
setup_ns dev gw router cloud
join_lan "$gw" "$dev"
join_wan "$gw" "$router" 10.0.0 wan inside
join_wan "$router" "$cloud"
ip -n "$gw" route add default via 10.0.0.2
ip -n "$cloud" route add 10.0.0.0/24 via 198.51.100.1
in_ns "$router" sysctl -qw net.ipv4.ip_forward=1
near_link "$gw"
far_link "$cloud"
gw4=$((0x1001)) gw6=$((0x1002))

# narrow MTU: of the link between router and cloud
narrow()
{
	ip -n "$router" link set wan mtu "$1"
	ip -n "$cloud" link set wan mtu "$1"
}

# big NS ADDRESS SIZE: one ping of an inner packet of so many octets that must not be fragmented
big()
{
	local headers=28
	[[ $2 != *:* ]] || headers=48
	in_ns "$1" ping -q -c 1 -W 1 -M "do" -s $(($3 - headers)) "$2"
}

# learns NS ADDRESS MTU: by sending too much
learns()
{
	big "$1" "$2" 1438
	is "it[0].get('metrics') and it[0].metrics[0].mtu == $3" ip -n "$1" -j route get "$2"
}

# segments SIZE4 SIZE6: from now on dev and cloud take part only in connections with segments of that size
segments()
{
	local ns
	for ns in "$dev" "$cloud"; do
		in_ns "$ns" nft -f - <<-RULES
			table inet segments {
				chain in {
					type filter hook input priority 0;
					meta nfproto ipv4 tcp flags & syn == syn tcp option maxseg size != $1 drop
					meta nfproto ipv6 tcp flags & syn == syn tcp option maxseg size != $2 drop
				}
			}
		RULES
	done
}

# An IPv4 packet that may be fragmented is, outside: inside it could not pass. So those who send it must not know what
# they have just learned.
may_be_fragmented()
{
	ip -n "$dev" route flush cache
	ip -n "$cloud" route flush cache
	in_ns "$dev" ping -q -c 2 -i 0.2 -W "$WAIT" -M dont -s 1380 100.64.0.1 &&
		tunnel_is "$gw" "$gw4" 'tx.fragmented == 2'
}

check "default MTU fits Ethernet" is 'it[0].mtu == 1438' ip -n "$gw" -j link show shunt0
check "tunnel, IPv4" pair "$gw" "$cloud" 1 aes-gcm-256 192.168.1.10 100.64.0.1
check "tunnel, IPv6" pair "$gw" "$cloud" 2 aes-gcm-256 fd00:1::10 fd00:64::1
sweep "what fills the MTU passes, IPv4" big "$dev" 100.64.0.1 1438
sweep "what fills the MTU passes, IPv6" big "$dev" fd00:64::1 1438
narrow 1400
# 1400 - 20 - 8 - 16 - 16 is a multiple of 4; two octets of it are the trailer's
check "the device learns what the path takes, IPv4" within learns "$dev" 100.64.0.1 1338
sweep "and the cloud" within learns "$cloud" 192.168.1.10 1338
check "the device learns it, IPv6" within learns "$dev" fd00:64::1 1338
sweep "and the cloud" within learns "$cloud" fd00:1::10 1338
sweep "that passes, IPv4" big "$dev" 100.64.0.1 1338
sweep "that passes, IPv6" big "$dev" fd00:64::1 1338
check "more was counted as too big" tunnel_is "$gw" "$gw4" 'tx.drops.toobig > 0 and tx.fragmented == 0'
segments 1298 1278
check "TCP is told so in time, both ends, IPv4" tcp_copy "$dev" "$cloud" 192.168.1.10 631 30000
sweep "TCP is told so in time, both ends, IPv6" tcp_copy "$dev" "$cloud" fd00:1::10 631 30000
check "what its sender allows is fragmented, and counted" may_be_fragmented
narrow 1200
check "no IPv6 packet need be smaller than 1280" within big "$dev" fd00:64::1 1280
check "so its capsule is fragmented, and counted" tunnel_is "$gw" "$gw6" 'tx.fragmented > 0'
ktap_finished
