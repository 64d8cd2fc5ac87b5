#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Capsules over IPv6: what over IPv4 other tests look at in detail, the size that is left, addresses that change, the
# change to IPv4 and back; and the kernel's own xfrm as the judge of the format.
#
#   gw 2001:db8::1, 198.51.100.1 ─────── wan ─────── 2001:db8::2, 198.51.100.2 cloud
#   192.168.1.10, fd00:1::10                          100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping nft socat
begin 12 12
setup_ns gw cloud
join_wan "$gw" "$cloud"
batch "$gw" <<IP
	addr add 2001:db8::1/64 dev wan nodad
	addr add 192.168.1.10/32 dev lo
	addr add fd00:1::10/128 dev lo nodad
IP
ip -n "$cloud" addr add 2001:db8::2/64 dev wan nodad
near_link "$gw"
far_link "$cloud"
FAR_ENDPOINT="[2001:db8::2]:4500"

at()
{
	tunnel_is "$cloud" "$1" "endpoint == '$2'"
}

# big ADDRESS SIZE: one ping of an inner packet of so many octets that must not be fragmented
big()
{
	local headers=28
	[[ $1 != *:* ]] || headers=48
	in_ns "$gw" ping -q -c 1 -W 1 -M "do" -s $(($2 - headers)) "$1"
}

# learns ADDRESS MTU: the gateway's own stack, by sending more
learns()
{
	big "$1" 1438
	is "it[0].get('metrics') and it[0].metrics[0].mtu == $2" ip -n "$gw" -j route get "$1"
}

segments()
{
	in_ns "$cloud" nft "table inet segments { chain in { type filter hook input priority 0;
		meta nfproto ipv4 tcp flags & syn == syn tcp option maxseg size != $1 drop; }; }"
}

# The gateway's only IPv6 address is another one from now on
renumber()
{
	batch "$gw" <<-IP
		addr add 2001:db8::3/64 dev wan nodad
		addr del 2001:db8::1/64 dev wan
	IP
	in_ns "$gw" ping -q -c 2 -W "$WAIT" 100.64.0.1 && at $((0x2001)) "[2001:db8::3]:4500"
}

# to ENDPOINT SEEN: the gateway reaches the cloud there from now on, and is seen as SEEN
to()
{
	shunt -n "$gw" tunnel set dev shunt0 spi-in 0x1001 endpoint "$1" &&
		in_ns "$gw" ping -q -c 2 -W "$WAIT" 100.64.0.1 && at $((0x2001)) "$2" &&
		in_ns "$cloud" ping -q -c 2 -W "$WAIT" 192.168.1.10
}

narrow()
{
	ip -n "$gw" link set wan mtu "$1" && ip -n "$cloud" link set wan mtu "$1"
}

refused()
{
	! shunt -n "$gw" tunnel set dev shunt0 spi-in 0x1001 endpoint "$1" 2>"$TMP/refusal" && grep "$2" "$TMP/refusal"
}

# xfrm at the cloud, with its own rules for all the module's shunt0 had
judge()
{
	new_key down3 aes-gcm-256
	new_key up3 aes-gcm-256
	ip -n "$cloud" link del shunt0
	shunt -n "$gw" tunnel flush dev shunt0
	ask start "$cloud" "$TMP/holder" "$here/encap_hold.py" 4500 6
	within started "$TMP/holder" || return
	batch "$cloud" <<-IP || return
		addr add 100.64.0.1/32 dev lo
		route add 192.168.1.10 dev wan src 100.64.0.1
		neigh add 192.168.1.10 lladdr 02:00:00:00:00:01 dev wan
		xfrm policy add dir out src 100.64.0.1/32 dst 192.168.1.10/32 \
			tmpl src 2001:db8::2 dst 2001:db8::3 proto esp reqid 1 mode tunnel
		xfrm policy add dir in src 192.168.1.10/32 dst 100.64.0.1/32 \
			tmpl src 2001:db8::3 dst 2001:db8::2 proto esp reqid 1 mode tunnel
		xfrm state add src 2001:db8::3 dst 2001:db8::2 proto esp spi 0x2003 reqid 1 mode tunnel flag af-unspec \
			aead rfc4106(gcm(aes)) 0x$(key_hex up3) 128 encap espinudp 4500 4500 ::
		xfrm state add src 2001:db8::2 dst 2001:db8::3 proto esp spi 0x1003 reqid 1 mode tunnel flag af-unspec \
			aead rfc4106(gcm(aes)) 0x$(key_hex down3) 128 encap espinudp 4500 4500 ::
	IP
	shunt -n "$gw" tunnel add dev shunt0 spi-in 0x1003 spi-out 0x2003 key-in "file:$TMP/down3" key-out "file:$TMP/up3" \
		endpoint "$FAR_ENDPOINT" near 192.168.1.10 far 100.64.0.1
}

clean()
{
	tunnel_is "$gw" $((0x1003)) 'rx.packets > 0 and sum(rx.drops.values()) + sum(tx.drops.values()) == 0'
}

check "tunnel without an endpoint at the cloud, inner IPv4" pair "$gw" "$cloud" 1 aes-gcm-256 192.168.1.10 100.64.0.1
sweep "and inner IPv6" pair "$gw" "$cloud" 2 chacha20-poly1305 fd00:1::10 fd00:64::1
check "the cloud has learned it" at $((0x2001)) "[2001:db8::1]:4500"
check "ping, IPv4" pings "$cloud" 192.168.1.10
sweep "ping, IPv6" pings "$cloud" fd00:1::10
sweep "TCP, IPv4" tcp_copy "$gw" "$cloud" 192.168.1.10 631
sweep "TCP, IPv6" tcp_copy "$gw" "$cloud" fd00:1::10 631
# 1500 - 40 - 8 - 16 - 16 is a multiple of 4; two octets of it are the trailer's
check "what fits Ethernet passes, IPv4" big 100.64.0.1 1418
sweep "what fits Ethernet passes, IPv6" big fd00:64::1 1418
check "who sends more learns it, IPv4" within learns 100.64.0.1 1418
sweep "who sends more learns it, IPv6" within learns fd00:64::1 1418
ip -n "$gw" route flush cache
segments 1378
check "TCP is told in time" tcp_copy "$cloud" "$gw" 100.64.0.1 632 30000
check "the gateway's address changes: it is followed" renumber
sweep "and the cloud's pings arrive there" pings "$cloud" 192.168.1.10
check "from IPv6 to IPv4" to 198.51.100.2:4500 198.51.100.1:4500
check "and back" to "$FAR_ENDPOINT" "[2001:db8::3]:4500"
sweep "a link-local endpoint is refused" refused "[fe80::1]:4500" link-local
sweep "a multicast one too" refused "[ff02::1]:4500" "address of a host"
narrow 1280
sweep "no IPv6 packet need be smaller than 1280" big fd00:64::1 1280
sweep "so its capsule is fragmented, and counted" tunnel_is "$gw" $((0x1002)) 'tx.fragmented > 0'
narrow 1500
check "xfrm in the cloud's place" judge
check "ping, with xfrm" pings "$gw" 100.64.0.1
sweep "sizes, with xfrm" py "" udp_sweep.py "$gw" "$cloud" 192.168.1.10 7 1 1390 short
check "nothing dropped" clean
ktap_finished
