#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ICMP errors find who they are for through a tunnel that translates, in both directions: what they quote is translated
# as well, and whoever wrote them speaks in the name of the tunnel's own address. The network is routed behind the gateway.
#
#   dev 192.168.2.10 ── lan ── router 192.168.2.1, 192.168.1.2 ── lan ── 192.168.1.1 gw ── wan ── cloud
#       fd00:2::10                    fd00:2::1, fd00:1::2                  fd00:1::1
#   host 192.168.2.10, fd00:2::10        near 100.64.0.5, fd00:64::5
#   alias 100.65.0.1, fd00:65::1         far 100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping traceroute
begin 10 9
setup_ns dev router gw cloud
join_wan "$gw" "$cloud"
near_link "$gw"
far_link "$cloud"
batch "$gw" <<IP
	link add lan type veth peer name uplink netns $router
	addr add 192.168.1.1/24 dev lan
	addr add fd00:1::1/64 dev lan nodad
	link set lan up
	route add 192.168.2.0/24 via 192.168.1.2
	route add fd00:2::/64 via fd00:1::2
	route add fd00:65::/64 dev shunt0
IP
batch "$router" <<IP
	link add lan type veth peer name lan netns $dev
	addr add 192.168.1.2/24 dev uplink
	addr add fd00:1::2/64 dev uplink nodad
	addr add 192.168.2.1/24 dev lan
	addr add fd00:2::1/64 dev lan nodad
	link set uplink up
	link set lan up
	route add default via 192.168.1.1
	route add ::/0 via fd00:1::1
IP
batch "$dev" <<IP
	addr add 192.168.2.10/24 dev lan
	addr add fd00:2::10/64 dev lan nodad
	link set lan up
	route add default via 192.168.2.1
	route add ::/0 via fd00:2::1
IP
for ns in "$gw" "$router"; do
	# every hop answers, as often as it is asked
	in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
done

# hops NS ADDRESS HOP... [-- OPTIONS]: traceroute sees exactly these
hops()
{
	local ns=$1 to=$2 seen
	local -a expected=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		expected+=("$1")
		shift
	done
	seen=$(in_ns "$ns" traceroute -n -q 1 -w "$WAIT" -m 8 "${@:2}" "$to") || return
	printf '%s\n' "$seen"
	[ "$(awk 'NR > 1 { print $2 }' <<<"$seen" | tr '\n' ' ')" = "${expected[*]} " ]
}

# learns ADDRESS MTU: the cloud, by sending more to it
learns()
{
	in_ns "$cloud" ping -q -c 1 -W 1 -M "do" -s 1380 "$1"
	is "it[0].get('metrics') and it[0].metrics[0].mtu == $2" ip -n "$cloud" -j route get "$1"
}

# hears NS ADDRESS ERROR
hears()
{
	py "" udp_error.py "$1" "$2" 9 "$3" "$WAIT"
}

narrow()
{
	ip -n "$router" link set lan mtu 1300 && ip -n "$dev" link set lan mtu 1300
}

clean()
{
	is 'all(sum(t.rx.drops.values()) + sum(t.tx.drops.values()) == 0 for t in it)' shunt -n "$1" -j tunnel show dev shunt0
}

near4=100.64.0.5 near6=fd00:64::5 alias4=100.65.0.1 alias6=fd00:65::1

check "tunnel, IPv4" pair "$gw" "$cloud" 1 aes-gcm-256 $near4 100.64.0.1 host 192.168.2.10 alias $alias4
check "tunnel, IPv6" pair "$gw" "$cloud" 2 aes-gcm-256 $near6 fd00:64::1 host fd00:2::10 alias $alias6
check "traceroute to the device, IPv4" hops "$cloud" $near4 $near4 $near4 $near4 -- -I
sweep "traceroute to the device, IPv6" hops "$cloud" $near6 $near6 $near6 $near6 -- -I
sweep "with UDP, IPv4" hops "$cloud" $near4 $near4 $near4 $near4
sweep "with UDP, IPv6" hops "$cloud" $near6 $near6 $near6 $near6
sweep "with TCP, IPv4" hops "$cloud" $near4 $near4 $near4 $near4 -- -T -p 80
sweep "traceroute from the device, IPv4" hops "$dev" $alias4 192.168.2.1 192.168.1.1 $alias4 -- -I
sweep "traceroute from the device, IPv6" hops "$dev" $alias6 fd00:2::1 fd00:1::1 $alias6 -- -I
check "a closed port of the device, IPv4" hears "$cloud" $near4 ECONNREFUSED
check "a closed port of the device, IPv6" hears "$cloud" $near6 ECONNREFUSED
check "a closed port of the cloud, IPv4" hears "$dev" $alias4 ECONNREFUSED
check "a closed port of the cloud, IPv6" hears "$dev" $alias6 ECONNREFUSED
narrow
check "a narrow link behind the gateway: the cloud learns, IPv4" within learns $near4 1300
sweep "a narrow link behind the gateway: the cloud learns, IPv6" within learns $near6 1300
check "nothing of that was dropped at the gateway" clean "$gw"
check "nor at the cloud" clean "$cloud"
ip -n "$dev" link set lan down
sweep "the device is off, IPv4" hears "$cloud" $near4 EHOSTUNREACH
sweep "the device is off, IPv6" hears "$cloud" $near6 EHOSTUNREACH
ktap_finished
