#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The segments of a large packet leave as one packet of UDP segments, where the way allows it, and arrive the same. Each is as TCP
# would have made it.
#
#   gw 198.51.100.1, 2001:db8::1 ─────── wan ─────── 198.51.100.2, 2001:db8::2 cloud
#   192.168.1.10                                       100.64.0.1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need nft ethtool
begin 17
setup_ns gw cloud
join_wan "$gw" "$cloud"
batch "$gw" <<IP
	addr add 2001:db8::1/64 dev wan nodad
	addr add 192.168.1.10/32 dev lo
IP
ip -n "$cloud" addr add 2001:db8::2/64 dev wan nodad
near_link "$gw"
far_link "$cloud"
# TCP makes packets of what a millisecond has room for, which on a slow machine is two segments
in_ns "$gw" sysctl -qw net.ipv4.tcp_min_tso_segs=32
in_ns "$gw" nft "table inet count { counter sent { }; chain out { type filter hook output priority 0; udp dport 4500 counter name sent; }; }"
in_ns "$cloud" nft "table inet count { counter marked { }; counter other { };
	chain in { type filter hook prerouting priority -300;
		udp dport 4500 ip dscp ef counter name marked; udp dport 4500 ip dscp != ef counter name other; }; }"

# counted NS NAME: packets a counter has seen
counted()
{
	in_ns "$1" nft list counter inet count "$2" | awk '$1 == "packets" { print $2 }'
}

inner()
{
	tunnel_value "$gw" "$1" tx.packets
}

# carried NUMBER EXPR: of a stream through a tunnel, what is true of the inner packets and of the packets that carry them
carried()
{
	local spi=$((0x1000 + $1)) expr=$2 inner outer
	inner=$(inner "$spi")
	outer=$(counted "$gw" sent)
	tcp_copy "$cloud" "$gw" 100.64.0.1 "$((7000 + $1))" 1000000 || return
	inner=$(($(inner "$spi") - inner))
	outer=$(($(counted "$gw" sent) - outer))
	echo "$inner inner packets in $outer"
	((expr))
}

complete()
{
	tunnel_is "$cloud" $((0x2000 + $1)) "rx.packets == $(inner $((0x1000 + $1))) and not any(rx.drops.values())"
}

# marked WHAT: the capsules that a rule of the sender has to mark all are
marked()
{
	in_ns "$gw" nft "add rule inet count out udp dport 4500 ip dscp set ef" || return
	in_ns "$cloud" nft reset counters
	carried "$1" 'outer < inner / 2' || return
	in_ns "$gw" nft flush chain inet count out
	in_ns "$gw" nft "add rule inet count out udp dport 4500 counter name sent"
	echo "$(counted "$cloud" marked) marked, $(counted "$cloud" other) not"
	[ "$(counted "$cloud" marked)" -gt 500 ] && [ "$(counted "$cloud" other)" -eq 0 ]
}

# segments NUMBER TO FAMILY: of a stream through that tunnel; some of it meets congestion
segments()
{
	in_ns "$cloud" nft "add rule inet count in iifname shunt0 tcp dport $((7100 + $1)) tcp sequence & 0x1ffff < 1400 $3 ecn set ce" &&
		py "" segment.py "$cloud" "$gw" "$2" "$((7100 + $1))" 1000000 "$WAIT"
}

check "IPv4: tunnel" pair "$gw" "$cloud" 1 chacha20-poly1305 192.168.1.10 100.64.0.1
ip -n "$gw" route change 100.64.0.0/10 dev shunt0 src 192.168.1.10
check "IPv4: many segments leave as one packet" carried 1 'outer < inner / 2'
check "IPv4: all of them arrive" complete 1

in_ns "$gw" ethtool -K wan tx-udp-segmentation off >/dev/null
check "a card without segmentation: the same, as long as possible" carried 1 'outer < inner / 2'
check "a card without segmentation: all of them arrive" complete 1
check "a card without segmentation: each has the header that the first was given" marked 1
in_ns "$cloud" ethtool -K wan gro on rx-gro-list on >/dev/null
check "the other end's card puts them together as a list" carried 1 'outer < inner / 2'
check "the other end's card puts them together as a list: all of them arrive" complete 1
in_ns "$cloud" ethtool -K wan rx-gro-list off rx-udp-gro-forwarding on >/dev/null
check "the other end's card puts them together" carried 1 'outer < inner / 2'
check "the other end's card puts them together: all of them arrive" complete 1
in_ns "$cloud" ethtool -K wan gro off rx-udp-gro-forwarding off >/dev/null
in_ns "$gw" ethtool -K wan tx-udp-segmentation on >/dev/null

in_ns "$gw" ethtool -K wan tx off >/dev/null
check "a card without checksums: capsules leave one by one" carried 1 'outer == inner'
in_ns "$gw" ethtool -K wan tx on >/dev/null
# and no SYN that had to be sent again takes it back
in_ns "$gw" sysctl -qw net.ipv4.tcp_ecn=1 net.ipv4.tcp_ecn_fallback=0
in_ns "$cloud" ethtool -K shunt0 gro off >/dev/null
check "IPv4: segments are as TCP makes them" segments 1 100.64.0.1 ip
unpair "$gw" "$cloud" 1

over6()
{
	FAR_ENDPOINT="[2001:db8::2]:4500" pair "$gw" "$cloud" 2 aes-gcm-256 192.168.1.10 100.64.0.1
}

check "IPv6: tunnel" over6
check "IPv6: many segments leave as one packet" carried 2 'outer < inner / 2'
in_ns "$gw" ethtool -K wan tx-udp-segmentation off >/dev/null
check "IPv6: a card without segmentation" carried 2 'outer < inner / 2'
check "IPv6: all of them arrive" complete 2
unpair "$gw" "$cloud" 2
ip -n "$gw" addr add fd00:1::10/128 dev lo nodad
ip -n "$gw" route change fd00:64::/32 dev shunt0 src fd00:1::10
inside6()
{
	pair "$gw" "$cloud" 3 chacha20-poly1305 fd00:1::10 fd00:64::1 && segments 3 fd00:64::1 ip6
}
check "IPv6 inside: segments are as TCP makes them" inside6
ktap_finished
