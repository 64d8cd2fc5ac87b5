#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Capsules taken from the wire and sent again, as they were or changed, are counted and never delivered; and of capsules with
# any sequence numbers those are that a model of the window says.
#
#   gw 198.51.100.1 ── wan ── 198.51.100.2 cloud, whose link is also where capsules are taken and put back
#   192.168.1.10              100.64.0.1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need python3 ping nft
SEED=${SEED:-$RANDOM}
begin 19
setup_ns gw cloud
join_wan "$gw" "$cloud"
ip -n "$gw" addr add 192.168.1.10/32 dev lo
near_link "$gw"
far_link "$cloud"
spi=$((0x1001))

counted()
{
	tunnel_is "$gw" "$spi" "rx.packets == $1 and rx.drops.$2 == $3"
}

# again FILE REASON COUNT [CHANGE...]: put taken capsules back; COUNT more drops, no more packets
again()
{
	local file=$1 reason=$2 count=$3 packets drops
	shift 3
	packets=$(tunnel_value "$gw" "$spi" rx.packets)
	drops=$(tunnel_value "$gw" "$spi" "rx.drops.$reason")
	py "$cloud" capsule.py put wan "$TMP/$file" "$@" || return
	within counted "$packets" "$reason" $((drops + count)) && return
	shunt -n "$gw" -s tunnel show
	return 1
}

# take FILE COUNT: capsules of pings from the cloud to the gateway, without those of the answers
take()
{
	local file=$1 count=$2 pid
	ask start "$cloud" "$TMP/taker" "$here/capsule.py" take wan "$TMP/taken" "$count"
	pid=$ANSWER
	within started "$TMP/taker" || return
	in_ns "$cloud" ping -q -c "$count" -i 0.2 -W 1 192.168.1.10
	ask reap "$pid" || return
	# the SPI follows the headers of Ethernet, IPv4 and UDP: 42 octets
	grep -i "^.\{84\}$(printf %08x "$spi")" "$TMP/taken" >"$TMP/$file"
}

# hold FILE: one capsule that the gateway never got
hold()
{
	in_ns "$gw" nft 'add table ip hold; add chain ip hold in { type filter hook prerouting priority raw; };
		add rule ip hold in iifname wan udp dport 4500 drop' || return
	take "$1" 1
	in_ns "$gw" nft 'delete table ip hold'
	[ -s "$TMP/$1" ]
}

too_short()
{
	local before
	before=$(device_drops malformed)
	py "$cloud" capsule.py put wan "$TMP/held" cut=100 || return
	within device_dropped malformed "$before"
}

delivered()
{
	local packets
	packets=$(tunnel_value "$gw" "$spi" rx.packets)
	py "$cloud" capsule.py put wan "$TMP/held" || return
	within tunnel_is "$gw" "$spi" "rx.packets == $((packets + 1))"
}

no_tunnel()
{
	local before
	before=$(device_drops noroute)
	py "$cloud" capsule.py put wan "$TMP/held" spi=0x1999 || return
	within device_dropped noroute "$before"
}

device_drops()
{
	ask value "rx.drops.$1" shunt -n "$gw" -j load show dev shunt0 && printf '%s' "$ANSWER"
}

device_dropped()
{
	[ "$(device_drops "$1")" -gt "$2" ]
}

# Move the replay window (2048) past what is held
flood()
{
	in_ns "$cloud" ping -q -f -c 2200 -s 16 -W "$WAIT" 192.168.1.10
	tunnel_is "$gw" "$spi" 'rx.packets > 2100'
}

modelled()
{
	new_key down2 aes-gcm-256
	new_key up2 aes-gcm-256
	shunt -n "$gw" tunnel add dev shunt0 spi-in 0x1002 spi-out 0x2002 key-in "file:$TMP/down2" key-out "file:$TMP/up2" \
		endpoint 198.51.100.2:4500 near 192.168.1.10 far 100.64.0.9 &&
		py "" replay.py "$gw" "$cloud" $((0x1002)) "$TMP/down2" 192.168.1.10 100.64.0.9 "$SEED" "$1"
}

check "tunnel" pair "$gw" "$cloud" 1 aes-gcm-256 192.168.1.10 100.64.0.1
check "take capsules from the wire" take seen 6
count=$(wc -l <"$TMP/seen")
check "sent again: replay" again seen replay "$count"
check "sent ten times more: replay" again seen replay 10 line=0 times=10
check "hold a capsule back" hold held
check "its ciphertext changed: auth" again held auth 1 flip=16
check "its ICV changed: auth" again held auth 1 flip=-1
check "its sequence number put forward: auth" again held auth 1 flip=4
check "its IV changed: auth" again held auth 1 flip=8
check "its end cut off: auth" again held auth 1 cut=4
check "too short for any capsule: malformed" too_short
check "of an unknown tunnel: noroute" no_tunnel
check "itself: delivered, as nothing of that moved the window" delivered
check "and not twice: replay" again held replay 1
check "hold another capsule back" hold late
check "pass the window" flood
check "older than the window: replay" again late replay 1
check "the tunnel still works" pings "$cloud" 192.168.1.10
count=1000
! sweeps || count=$(at_length 20000 8000)
check "$count sequence numbers, SEED=$SEED: what a model of the window accepts, and nothing else" modelled "$count"
ktap_finished
