#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's own xfrm (ESP in UDP, RFC 3948) judges the wire format: it is the cloud's end, then the gateway's end,
# for every cipher, in both directions, with every inner size up to the MTU.
#
#   gw 198.51.100.1 ─────────── wan ─────────── 198.51.100.2 cloud
#   192.168.1.10, fd00:1::10                     100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need socat ping python3
begin 42

# Namespaces that know nothing of the arrangement before
world()
{
	setup_ns gw cloud
	join_wan "$gw" "$cloud"
	ip -n "$gw" addr add 192.168.1.10/32 dev lo
	ip -n "$gw" addr add fd00:1::10/128 dev lo nodad
	ip -n "$cloud" addr add 100.64.0.1/32 dev lo
	ip -n "$cloud" addr add fd00:64::1/128 dev lo nodad
}

# xfrm_algo CIPHER: as ip xfrm wants it
xfrm_algo()
{
	case $1 in
	aes-gcm-*) echo 'rfc4106(gcm(aes))' ;;
	chacha20-poly1305) echo 'rfc7539esp(chacha20,poly1305)' ;;
	esac
}

# xfrm_state NS SRC DST SPI CIPHER KEY-NAME
xfrm_state()
{
	ip -n "$1" xfrm state add src "$2" dst "$3" proto esp spi "$4" reqid 1 mode tunnel replay-window 64 flag af-unspec \
		aead "$(xfrm_algo "$5")" "0x$(key_hex "$6")" 128 encap espinudp 4500 4500 0.0.0.0
}

# xfrm_policy NS DIR INNER-SRC INNER-DST OUTER-SRC OUTER-DST
xfrm_policy()
{
	ip -n "$1" xfrm policy add dir "$2" src "$3" dst "$4" \
		tmpl src "$5" dst "$6" proto esp reqid 1 mode tunnel
}

# xfrm_end NS OWN PEER SPI-IN SPI-OUT CIPHER KEY-IN KEY-OUT: this namespace's end is the kernel's
xfrm_end()
{
	local ns=$1 own=$2 peer=$3 in=$4 out=$5 cipher=$6 key_in=$7 key_out=$8 inner own4 peer4 own6 peer6
	if [ "$ns" = "$gw" ]; then
		own4=192.168.1.10 own6=fd00:1::10 peer4=100.64.0.1 peer6=fd00:64::1
	else
		own4=100.64.0.1 own6=fd00:64::1 peer4=192.168.1.10 peer6=fd00:1::10
	fi
	xfrm_state "$ns" "$peer" "$own" "$in" "$cipher" "$key_in" || return
	xfrm_state "$ns" "$own" "$peer" "$out" "$cipher" "$key_out" || return
	for inner in "$own4/32 $peer4/32" "$own6/128 $peer6/128"; do
		# shellcheck disable=SC2086 # two words
		set -- $inner
		xfrm_policy "$ns" out "$1" "$2" "$own" "$peer" || return
		xfrm_policy "$ns" in "$2" "$1" "$peer" "$own" || return
	done
	ip -n "$ns" route add "$peer4" via "$peer" src "$own4"
	ip -n "$ns" -6 route add "$peer6" dev wan src "$own6"
	ip -n "$ns" neigh add "$peer6" lladdr 02:00:00:00:00:01 dev wan
	ip netns exec "$ns" python3 "$here/encap_hold.py" 4500 &
	within udp_bound "$ns"
}

udp_bound()
{
	in_ns "$1" ss -Hlnu 'sport = :4500' | grep -q .
}

# shunt_end NS SIDE SPI-IN SPI-OUT CIPHER KEY-IN KEY-OUT PEER NEAR FAR: this namespace's end is the module's
shunt_end()
{
	local ns=$1 side=$2 in=$3 out=$4 cipher=$5 key_in=$6 key_out=$7 peer=$8 near=$9 far=${10}
	shunt -n "$ns" tunnel add dev shunt0 side "$side" spi-in "$in" spi-out "$out" cipher "$cipher" \
		key-in "file:$TMP/$key_in" key-out "file:$TMP/$key_out" endpoint "$peer:4500" near "$near" far "$far"
}

shunt_link()
{
	ip -n "$1" link add shunt0 type shunt && ip -n "$1" link set shunt0 up
}

# sizes SERVER-NS SERVER-ADDRESS CLIENT-NS FIRST LAST
sizes()
{
	local server=$1 address=$2 client=$3 first=$4 last=$5 pid rc=0
	ip netns exec "$server" python3 "$here/udp_sweep.py" serve "$address" 7 &
	pid=$!
	within udp_echo_bound "$server" || rc=1
	[ "$rc" -ne 0 ] || in_ns "$client" python3 "$here/udp_sweep.py" sweep "$address" 7 "$first" "$last" || rc=1
	kill "$pid"
	wait "$pid" 2>/dev/null
	return "$rc"
}

udp_echo_bound()
{
	in_ns "$1" ss -Hlnu 'sport = :7' | grep -q .
}

# One family, cipher and arrangement: the module's end in $m_ns, xfrm's in $x_ns
arrangement()
{
	local who=$1 cipher=$2 family=$3 m_ns x_ns m_side m_own x_own m_in x_in near far m_addr x_addr mtu
	world
	if [ "$family" = IPv4 ]; then
		near=192.168.1.10 far=100.64.0.1
	else
		near=fd00:1::10 far=fd00:64::1
	fi
	if [ "$who" = "xfrm as cloud" ]; then
		m_ns=$gw x_ns=$cloud m_side=near m_own=198.51.100.1 x_own=198.51.100.2 m_addr=$near x_addr=$far
	else
		m_ns=$cloud x_ns=$gw m_side=far m_own=198.51.100.2 x_own=198.51.100.1 m_addr=$far x_addr=$near
	fi
	m_in=0x1001 x_in=0x2001
	new_key to_m "$cipher"
	new_key to_x "$cipher"
	shunt_link "$m_ns"
	ip -n "$m_ns" route add "$x_addr" dev shunt0 src "$m_addr"
	mtu=$(ip -n "$m_ns" -j link show shunt0 | jq '.[0].mtu')
	check "$who, $cipher, $family: set up" set_up
	check "$who, $cipher, $family: ping from shunt" pings "$m_ns" "$x_addr"
	check "$who, $cipher, $family: ping from xfrm" pings "$x_ns" "$m_addr"
	check "$who, $cipher, $family: TCP" tcp_copy "$m_ns" "$x_ns" "$m_addr" 631
	if [ "$family" = IPv4 ]; then
		check "$who, $cipher, $family: every size" sizes "$m_ns" "$m_addr" "$x_ns" 1 $((mtu - 28))
	else
		check "$who, $cipher, $family: every size" sizes "$m_ns" "$m_addr" "$x_ns" 1 $((mtu - 48))
	fi
	check "$who, $cipher, $family: nothing dropped" tunnel_is "$m_ns" "$m_in" '[.rx.drops[], .tx.drops[]] | add == 0'
}

set_up()
{
	xfrm_end "$x_ns" "$x_own" "$m_own" "$x_in" "$m_in" "$cipher" to_x to_m &&
		shunt_end "$m_ns" "$m_side" "$m_in" "$x_in" "$cipher" to_m to_x "$x_own" "$near" "$far"
}

for who in "xfrm as cloud" "xfrm as gateway"; do
	arrangement "$who" aes-gcm-256 IPv4
	arrangement "$who" aes-gcm-128 IPv4
	arrangement "$who" chacha20-poly1305 IPv4
done
arrangement "xfrm as cloud" aes-gcm-256 IPv6
ktap_finished
