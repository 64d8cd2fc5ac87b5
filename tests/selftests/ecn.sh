#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Congestion that a tunnel meets on its way is told to who is inside, by the tables of RFC 6040. The outer DSCP is the
# way's own: what is inside does not get it, and sets it only where that is wished.
#
#   gw 192.168.1.10 ── wan, where nftables marks capsules as they arrive ── cloud 100.64.0.1
#      fd00:1::10      198.51.100.0/24, 2001:db8::/64                             fd00:64::1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping nft jq
begin 4 11
setup_ns gw cloud
join_wan "$gw" "$cloud"
ip -n "$gw" addr add 192.168.1.10/32 dev lo
ip -n "$gw" addr add fd00:1::10/128 dev lo nodad
ip -n "$gw" addr add 2001:db8::1/64 dev wan nodad
ip -n "$cloud" addr add 2001:db8::2/64 dev wan nodad
near_link "$gw"
far_link "$cloud"

# A DSCP beside the four ECN fields: of the inner packets when sent, of the capsules on their way
inner_dscp=0xb8
outer_family=ip # as nftables calls it
names="outer0 outer1 outer2 outer3 outer_dscp inner0 inner1 inner2 inner3 inner_dscp"

# marks [OUTER]: capsules of pings arrive with this ECN field and another DSCP, or else as they were sent. Counted is what
# arrives and what comes out of it.
marks()
{
	local outer=${1:-} name
	{
		printf 'table inet marks\ndelete table inet marks\ntable inet marks {\n'
		for name in $names; do
			printf 'counter %s { packets 0 bytes 0 }\n' "$name"
		done
		# dummies are shorter
		printf 'chain arrive {\ntype filter hook prerouting priority -300;\niifname != wan return\nmeta l4proto != udp return\nudp length < 100 return\n'
		for name in 0 1 2 3; do
			printf '%s ecn %s counter name outer%s\n' "$outer_family" "$name" "$name"
		done
		printf '%s dscp ef counter name outer_dscp\n' "$outer_family"
		[ -z "$outer" ] || printf '%s dscp set cs1\n%s ecn set %s\n' "$outer_family" "$outer_family" "$outer"
		printf '}\nchain come_out {\ntype filter hook input priority 0;\niifname != shunt0 return\n'
		for name in 0 1 2 3; do
			printf 'icmp type echo-request ip ecn %s counter name inner%s\n' "$name" "$name"
			printf 'icmpv6 type echo-request ip6 ecn %s counter name inner%s\n' "$name" "$name"
		done
		printf 'icmp type echo-request ip dscp ef counter name inner_dscp\n'
		printf 'icmpv6 type echo-request ip6 dscp ef counter name inner_dscp\n}\n}\n'
	} | in_ns "$cloud" nft -f -
}

# counts are OUTER0..3 OUTER_DSCP INNER0..3 INNER_DSCP: since the last marks
counts_are()
{
	local seen name
	seen=$(in_ns "$cloud" nft -j list counters table inet marks |
		jq -r --arg names "$names" '[.nftables[].counter // empty | {(.name): .packets}] | add as $n |
			$names / " " | map($n[.] | tostring) | join(" ")')
	echo "counted: $seen, expected: $*; of $names"
	[ "$seen" = "$*" ]
}

# sent ADDRESS SECONDS: one ping of each ECN field; it is enough that they arrive
sent()
{
	local ecn
	for ecn in 0 1 2 3; do
		in_ns "$gw" ping -q -c 1 -W "$2" -s 100 -Q $((inner_dscp + ecn)) "$1"
	done
	return 0
}

# out: without marks
copied()
{
	marks && sent "$1" "$WAIT" && counts_are 1 1 1 1 0 1 1 1 1 4
}

# in: capsules arrive marked OUTER, and four pings with every ECN field come out as so many of each
told()
{
	local outer=$1 patience=$2
	marks "$outer" && sent 100.64.0.1 "$patience" && counts_are 1 1 1 1 0 "${@:3}"
}

# dscp INNER SETTING: a gateway's device with that setting; the capsules of four pings with INNER as their DSCP leave as EF
dscp()
{
	local inside=0
	inner_dscp=$1
	[ "$1" = 0 ] || inside=4
	ip -n "$gw" link del shunt0
	shunt -n "$cloud" tunnel flush dev shunt0
	shunt -n "$gw" link add shunt0 up dscp "$2" && ip -n "$gw" route add 100.64.0.0/10 dev shunt0 &&
		pair "$gw" "$cloud" 3 aes-gcm-256 192.168.1.10 100.64.0.1 &&
		marks && sent 100.64.0.1 "$WAIT" && counts_are 1 1 1 1 4 1 1 1 1 "$inside"
}

lost()
{
	tunnel_is "$cloud" "${1:-$((0x2001))}" 'sum(rx.drops.values()) == 1 and rx.drops.malformed == 1'
}

check "tunnel, IPv4" pair "$gw" "$cloud" 1 aes-gcm-256 192.168.1.10 100.64.0.1
sweep "tunnel, IPv6" pair "$gw" "$cloud" 2 aes-gcm-256 fd00:1::10 fd00:64::1
check "copied to the capsule, the DSCP not, IPv4" copied 100.64.0.1
sweep "copied to the capsule, the DSCP not, IPv6" copied fd00:64::1
sweep "a way that cleared it: as it was sent" told 0 "$WAIT" 1 1 1 1 4
sweep "ECT(0) outside: as it was sent" told 2 "$WAIT" 1 1 1 1 4
sweep "ECT(1) outside: becomes of ECT(0)" told 1 "$WAIT" 1 2 0 1 4
# who cannot be told of congestion is told by the loss of his packet
check "congestion outside: told to all that can be told" told 3 1 0 0 0 3 3
check "the other is lost, and counted" lost
outer_family=ip6
shunt -n "$gw" tunnel flush dev shunt0
shunt -n "$cloud" tunnel flush dev shunt0
FAR_ENDPOINT="[2001:db8::2]:4500" sweep "tunnel over IPv6" pair "$gw" "$cloud" 4 aes-gcm-256 192.168.1.10 100.64.0.1
sweep "over IPv6: copied to the capsule, the DSCP not" copied 100.64.0.1
sweep "over IPv6: congestion outside: told to all that can be told" told 3 1 0 0 0 3 3
sweep "over IPv6: the other is lost, and counted" lost $((0x2004))
outer_family=ip
sweep "a DSCP for all capsules" dscp 0 46
sweep "that of what is inside" dscp 0xb8 inherit
ktap_finished
