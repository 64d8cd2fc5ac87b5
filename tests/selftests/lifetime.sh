#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tunnel ends by itself: when its sequence numbers are used up, when nobody uses it, when the other end is dead; and
# says so, with the reason and its last counters.
#
#   gw 198.51.100.1 ── wan ── 198.51.100.2 cloud
#   192.168.1.10              100.64.0.1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping
begin 9 10
setup_ns gw cloud
join_wan "$gw" "$cloud"
ip -n "$gw" addr add 192.168.1.10/32 dev lo
near_link "$gw"
far_link "$cloud"

open()
{
	pair "$gw" "$cloud" "$1" chacha20-poly1305 192.168.1.10 100.64.0.1 "${@:2}"
}

# gone SIDE SPI REASON [EXPR]: that end of the tunnel has announced its end, once
gone()
{
	events "$TMP/$1" "[e.reason == '$3' and (${4:-True}) for e in it if e.event == 'del' and e.spi_in == $2] == [True]"
}

# lives NS SPI MS: it is still there when it is as old as that
lives()
{
	within tunnel_is "$1" "$2" "age_ms > $3"
}

# by_hand: what is told of a tunnel's end is what it had carried
by_hand()
{
	local last
	pings "$gw" 100.64.0.1 -i 0.02 -s 300 || return
	last=$(tunnel_value "$gw" $((0x1007)) '[[d.packets, d.bytes, d.cpu_ns] for d in (rx, tx)]')
	echo "$last"
	shunt -n "$gw" tunnel del dev shunt0 spi-in 0x1007 &&
		within gone near $((0x1007)) user "[[d.packets, d.bytes, d.cpu_ns] for d in (e.rx, e.tx)] == $last and e.rx.packets == 3"
}

# What is left at the other end when one has ended
clear_up()
{
	shunt -n "$1" tunnel flush dev shunt0
}

# 40 sequence numbers, some of which the opening has used: the rest carries pings, and nothing is sent afterwards.
use_up()
{
	local sent
	in_ns "$gw" ping -q -c 50 -i 0.01 -W 1 100.64.0.1
	within gone near $((0x1001)) exhausted 'e.seq_out == 40 and e.tx.packets < 40' || return
	sent=$(tunnel_value "$cloud" $((0x2001)) rx.packets)
	echo "$sent of the pings arrived"
	[ "$sent" -gt 25 ] && [ "$sent" -lt 40 ]
}

warned_first()
{
	events "$TMP/near" "[e.event for e in it if e.event in ('exhaust', 'del')] == ['exhaust', 'del']"
}

down_and_up()
{
	local age
	ip -n "$gw" link set shunt0 down
	age=$(tunnel_value "$gw" $((0x1004)) age_ms)
	lives "$gw" $((0x1004)) $((age + 2500)) || return
	batch "$gw" <<-IP
		link set shunt0 up
		route add 100.64.0.0/10 dev shunt0
	IP
	pings "$gw" 100.64.0.1
}

relying()
{
	open 5 keepalive 1s && shunt -n "$cloud" tunnel set dev shunt0 spi-in 0x2005 dead 3s
}

nobody()
{
	new_key a aes-gcm-256
	new_key b aes-gcm-256
	shunt -n "$gw" tunnel add dev shunt0 spi-in 0x1006 spi-out 0x2006 key-in "file:$TMP/a" key-out "file:$TMP/b" \
		endpoint 198.51.100.2:4500 near 192.168.1.10 far 100.64.0.1 dead 1s
}

shunt -n "$gw" -j monitor tunnels >"$TMP/near" &
shunt -n "$cloud" -j monitor tunnels >"$TMP/far" &
within started "$TMP/near"
within started "$TMP/far"

check "tunnel of 40 sequence numbers" open 1 seq-limit 40
check "they are shown" tunnel_is "$gw" $((0x1001)) 'seq_limit == 40'
check "used up: it ends" use_up
check "and has warned before" warned_first
clear_up "$cloud"

check "one that is deleted" open 7
check "its end is told with what it carried" by_hand
clear_up "$cloud"

sweep "tunnel that may be idle for 2 s, with keepalives" open 2 idle 2s keepalive 1s
sweep "pings pass" pings "$gw" 100.64.0.1
sweep "keepalives do not: it ends as idle" within gone near $((0x1002)) idle 'e.seq_out > e.tx.packets'
clear_up "$cloud"

check "tunnel that ends when nothing comes for 2 s" open 3 dead 2s
check "idle as it is, it lives by answers" lives "$gw" $((0x1003)) 4000
ip -n "$cloud" link set shunt0 down
check "the other end is silent: it ends as dead" within gone near $((0x1003)) dead 'e.rx.last_ms >= 2000'
ip -n "$cloud" link set shunt0 up
ip -n "$cloud" route replace 192.168.1.0/24 dev shunt0 src 100.64.0.1
clear_up "$cloud"

sweep "another one, whose device goes down for longer" open 4 dead 2s
sweep "that does not count" down_and_up
clear_up "$gw"
clear_up "$cloud"

sweep "the far side relies on keepalives" relying
sweep "it lives by them" lives "$cloud" $((0x2005)) 5000
clear_up "$gw"
sweep "they cease: it ends as dead" within gone far $((0x2005)) dead

sweep "tunnel to nobody" nobody
sweep "never answered: it ends as dead" within gone near $((0x1006)) dead 'e.rx.packets == 0'
ktap_finished
