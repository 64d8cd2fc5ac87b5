#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tunnel reaches one device, and of that only what is listed. The cloud's end is the kernel's xfrm, which sends
# whatever it is given, so that the gateway alone decides; what even that would not send is sealed by hand (forged.py).
#
#   dev 192.168.1.10 ── lan ── gw 198.51.100.1 ── wan ── 198.51.100.2 cloud
#                              shunt0                    xfrm, any inner packet
#   host 192.168.1.10          near 100.64.0.5, fd00:64::5, allow tcp/631,icmp
#   alias 100.65.0.1           far  100.64.0.1, fd00:64::1
#   the same, alias 100.65.0.3 near 100.64.0.7, far 100.64.0.3 and the same of fd00:64::/32, by hand
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping socat
mapfile -t packets < <(python3 "$here/inner.py" list)
mapfile -t forged < <(python3 "$here/forged.py" list | grep -v ' none$')
# what is decided without the kernel's help is decided alike in each
sweeps || forged=("${forged[@]::8}")
begin $((${#packets[@]} + ${#forged[@]} + 14))
setup_ns dev gw cloud
join_wan "$gw" "$cloud"
join_lan "$gw" "$dev"
near_link "$gw"
batch "$cloud" <<IP
	addr add 100.64.0.1/32 dev lo
	addr add 100.64.0.2/32 dev lo
	addr add fd00:64::1/128 dev lo nodad
	route add 100.64.0.0/10 via 198.51.100.1 src 100.64.0.1
	neigh add fe80::1 lladdr 02:00:00:00:00:01 dev wan
	route add fd00:64::/32 via fe80::1 dev wan src fd00:64::1
IP
ip -n "$dev" addr add 192.168.1.11/24 dev lan
# the judge of what comes out of the tunnels at the gateway
ask tap "$gw" shunt0

# tunnel SPI-IN SPI-OUT NEAR FAR [WORDS]: of the gateway
tunnel()
{
	local in=$1 out=$2 near=$3 far=$4
	new_key "in$in" aes-gcm-256
	new_key "out$in" aes-gcm-256
	shift 4
	shunt -n "$gw" tunnel add dev shunt0 spi-in "$in" spi-out "$out" key-in "file:$TMP/in$in" \
		key-out "file:$TMP/out$in" endpoint 198.51.100.2:4500 near "$near" far "$far" allow tcp/631,icmp "$@"
}

# one_end SPI-IN SPI-OUT NEAR FAR [WORDS]: tunnel of the gateway, states of the cloud
one_end()
{
	local in=$1 out=$2
	tunnel "$@" &&
		batch "$cloud" <<-IP
			xfrm state add src 198.51.100.1 dst 198.51.100.2 proto esp spi $out reqid $in \
				mode tunnel flag af-unspec aead rfc4106(gcm(aes)) 0x$(key_hex "out$in") 128 \
				encap espinudp 4500 4500 0.0.0.0
			xfrm state add src 198.51.100.2 dst 198.51.100.1 proto esp spi $in reqid $in \
				mode tunnel flag af-unspec aead rfc4106(gcm(aes)) 0x$(key_hex "in$in") 128 \
				encap espinudp 4500 4500 0.0.0.0
		IP
}

# policies ANY REQID: everything between the cloud and the near addresses
policies()
{
	local any=$1 net=$2 reqid=$3
	batch "$cloud" <<-IP
		xfrm policy add dir out src $any dst $net \
			tmpl src 198.51.100.2 dst 198.51.100.1 proto esp reqid $reqid mode tunnel
		xfrm policy add dir in src $net dst $any \
			tmpl src 198.51.100.1 dst 198.51.100.2 proto esp reqid $reqid mode tunnel
	IP
}

set_up()
{
	one_end $((0x1001)) $((0x2001)) 100.64.0.5 100.64.0.1 host 192.168.1.10 alias 100.65.0.1 &&
		one_end $((0x1002)) $((0x2002)) fd00:64::5 fd00:64::1 host fd00:1::10 alias fd00:64:1::1 &&
		policies 0.0.0.0/0 100.64.0.0/24 $((0x1001)) &&
		policies ::/0 fd00:64::/32 $((0x1002)) || return
	ask start "$cloud" "$TMP/holder" "$here/encap_hold.py" 4500
	within started "$TMP/holder"
}

by_hand()
{
	tunnel $((0x1003)) $((0x2003)) 100.64.0.7 100.64.0.3 host 192.168.1.10 alias 100.65.0.3 &&
		tunnel $((0x1004)) $((0x2004)) fd00:64::7 fd00:64::3 host fd00:1::10 alias fd00:64:1::3
}

# tunnel_of NAME: which of the tunnels a packet goes through, in order of their SPIs
tunnel_of()
{
	case $1 in
	forged-ipv6-*) TUNNEL=3 ;;
	forged-*) TUNNEL=2 ;;
	ipv6-*) TUNNEL=1 ;;
	*) TUNNEL=0 ;;
	esac
}

# put NAME: send that packet through its tunnel
put()
{
	local spi
	tunnel_of "$1"
	spi=$((0x1001 + TUNNEL))
	case $1 in
	forged-*) py "$cloud" forged.py "${1#forged-}" "$spi" "$TMP/in$spi" ;;
	*) py "$cloud" inner.py "$1" ;;
	esac
}

tunnels_are()
{
	is "$1" shunt -n "$gw" -j tunnel show dev shunt0
}

# How many packets each tunnel has dropped for each reason so far
declare -A DROPPED

# came_out LEAST MOST: so many packets since the last time
came_out()
{
	local rc=0
	ask tapped || rc=$?
	echo "came out: $ANSWER"
	[ "$rc" -eq 0 ] && [ "$ANSWER" -ge "$1" ] && [ "$ANSWER" -le "$2" ]
}

# dropped NAME REASON: the packet is counted as that, exactly once and as nothing else, and does not come out
dropped()
{
	local name=$1 reason=$2 key expr
	tunnel_of "$name"
	DROPPED[$TUNNEL.$reason]=$((${DROPPED[$TUNNEL.$reason]:-0} + 1))
	SENT=$((${SENT:-0} + 1))
	expr="sum(sum(t.rx.drops.values()) for t in it) == $SENT"
	for key in "${!DROPPED[@]}"; do
		expr+=" and it[${key%.*}].rx.drops.${key#*.} == ${DROPPED[$key]}"
	done
	ask tapped
	put "$name" || return
	within tunnels_are "$expr" || {
		tunnels_are "$expr"
		return 1
	}
	came_out 0 0
}

# delivered NAME OCTETS: what is allowed comes out of the same machinery, and no more of it than the inner packet
delivered()
{
	local before
	before=$(tunnel_value "$gw" $((0x1003)) rx.bytes)
	ask tapped
	put "$1" || return
	within tunnel_is "$gw" $((0x1003)) "rx.bytes == $before + $2 and sum(rx.drops.values()) == 0" && came_out 1 1
}

# After pings of both families: what is allowed comes out, and the judge sees it
judge_sees()
{
	came_out 6 1000
}

# On the way back: what the LAN sends from elsewhere than the listed port is not the tunnel's
back_dropped()
{
	local source=$1 port=$2 proto=$3 count
	count=$(tunnel_value "$gw" $((0x1001)) tx.drops.scope)
	echo hello | in_ns "$dev" socat -T 1 - "$proto:100.65.0.1:9,bind=$source:$port" 2>/dev/null
	within more_drops "$count"
}

more_drops()
{
	[ "$(tunnel_value "$gw" $((0x1001)) tx.drops.scope)" -gt "$1" ]
}

check "tunnels to a cloud of the kernel's own" set_up
check "ping is allowed, IPv4" pings "$cloud" 100.64.0.5
check "ping is allowed, IPv6" pings "$cloud" fd00:64::5
check "what is allowed comes out, and is seen to" judge_sees
check "the listed port is allowed" tcp_copy "$dev" "$cloud" 100.64.0.5 631 20000
check "the allowed is not counted as dropped" tunnels_are 'sum(sum(t.rx.drops.values()) for t in it) == 0'
for packet in "${packets[@]}"; do
	# shellcheck disable=SC2086 # name and reason
	check "dropped: ${packet/ /, counted as }" dropped $packet
done
check "two tunnels more, for what is sealed by hand" by_hand
check "sealed by hand, and allowed: delivered" delivered forged-control 40
check "octets behind a packet do not come out with it" delivered forged-trailing-garbage 40
for packet in "${forged[@]}"; do
	# shellcheck disable=SC2086 # name and reason
	check "dropped: by hand, ${packet/ /, counted as }" dropped forged-$packet
done
check "back: another port of the device" back_dropped 192.168.1.10 7000 UDP
check "back: another protocol" back_dropped 192.168.1.10 631 UDP
check "back: another host of the LAN" back_dropped 192.168.1.11 631 UDP
check "an empty list allows any port" shunt -n "$gw" tunnel set dev shunt0 spi-in $((0x1001)) allow any
check "and it is reached" tcp_copy "$dev" "$cloud" 100.64.0.5 632 20000
ktap_finished
