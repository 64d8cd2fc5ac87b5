#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two ends of the module carry pings and TCP of both families, with all ciphers, with and without translation.
#
#   dev1 192.168.1.10 ── lan ── gw1 198.51.100.1 ── wan ── 198.51.100.2 cloud
#        fd00:1::10             shunt0 ═════════ tunnels ═════════ shunt0 100.64.0.1, fd00:64::1
#                                                                   ║
#   dev2 192.168.1.10 ── lan ── gw2 203.0.113.2 ── wan2 ── 203.0.113.1 (the same cloud)
#        fd00:1::10             shunt0 ═════════ tunnels ════════════╝
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need socat ping
begin 24
setup_ns dev1 gw1 cloud gw2 dev2
join_wan "$gw1" "$cloud"
join_wan "$cloud" "$gw2" 203.0.113 wan2 wan
join_lan "$gw1" "$dev1"
join_lan "$gw2" "$dev2"
near_link "$gw1"
near_link "$gw2"
far_link "$cloud"

plain()
{
	local number=$1 cipher=$2
	check "$cipher: tunnels, IPv4" pair "$gw1" "$cloud" "$number" "$cipher" 192.168.1.10 100.64.0.1
	check "$cipher: tunnels, IPv6" pair "$gw1" "$cloud" "$((number + 1))" "$cipher" fd00:1::10 fd00:64::1
	check "$cipher: ping, IPv4" pings "$cloud" 192.168.1.10
	check "$cipher: ping, IPv6" pings "$cloud" fd00:1::10
	check "$cipher: TCP, IPv4" tcp_copy "$dev1" "$cloud" 192.168.1.10 631
	check "$cipher: TCP, IPv6" tcp_copy "$dev1" "$cloud" fd00:1::10 631
	unpair "$gw1" "$cloud" "$number"
	unpair "$gw1" "$cloud" "$((number + 1))"
}

plain 1 aes-gcm-256
plain 3 aes-gcm-128
plain 5 chacha20-poly1305

# Two jobs to one device at once, and a device with the same address behind another gateway: on the wire
# they have addresses of their own, on the LAN the device sees one alias per job.
translated()
{
	pair "$gw1" "$cloud" 16 aes-gcm-256 100.64.0.5 100.64.0.1 host 192.168.1.10 alias 100.65.0.1 &&
		pair "$gw1" "$cloud" 17 aes-gcm-256 100.64.0.6 100.64.0.1 host 192.168.1.10 alias 100.65.0.2 &&
		FAR_ENDPOINT=203.0.113.1:4500 pair "$gw2" "$cloud" 18 aes-gcm-256 100.64.0.7 100.64.0.1 \
			host 192.168.1.10 alias 100.65.0.1
}

# The device says by which address it sees its client.
peer_is()
{
	local dev=$1 near=$2 alias=$3 pid seen
	# shellcheck disable=SC2016 # socat sets it
	timeout "$WAIT" ip netns exec "$dev" socat "TCP-LISTEN:8632,reuseaddr" 'SYSTEM:echo $SOCAT_PEERADDR' &
	pid=$!
	within listening "$dev" 8632 || return
	seen=$(in_ns "$cloud" socat -T "$WAIT" "TCP:$near:8632" STDOUT)
	wait "$pid"
	echo "seen $seen, expected $alias"
	[ "$seen" = "$alias" ]
}

check "translation: three tunnels" translated
check "translation: first job" peer_is "$dev1" 100.64.0.5 100.65.0.1
check "translation: second job to the same device" peer_is "$dev1" 100.64.0.6 100.65.0.2
check "translation: same host behind another gateway" peer_is "$dev2" 100.64.0.7 100.65.0.1
check "translation: content is intact" tcp_copy "$dev1" "$cloud" 100.64.0.6 631
check "counters: inner packets and octets agree on both ends" test \
	"$(tunnel_value "$gw1" $((0x1011)) '[rx.packets, rx.bytes]')" = \
	"$(tunnel_value "$cloud" $((0x2011)) '[tx.packets, tx.bytes]')"
ktap_finished
