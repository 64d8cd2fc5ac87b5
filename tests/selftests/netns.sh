#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that is moved to another namespace keeps its sockets where it was made: what is inside sees nothing of the
# outside. Two devices of a namespace have nothing in common but that.
#
#   inner, shunt0 and 192.168.1.10 ─ ─ ─ gw 198.51.100.1 ── wan ── 198.51.100.2 cloud
#                                         shunt1 (port 4501)         shunt0 100.64.0.1, shunt1 100.64.0.2 (port 4501)
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need ping
begin 13 4
setup_ns inner gw cloud
join_wan "$gw" "$cloud"
far_link "$cloud"
mark_log

# One more device at each end
second()
{
	shunt -n "$gw" link add shunt1 port 4501 up address 192.168.2.10 &&
		ip -n "$gw" route add 100.64.0.2 dev shunt1 src 192.168.2.10 &&
		shunt -n "$cloud" link add shunt1 port 4501 up address 100.64.0.2 &&
		ip -n "$cloud" route add 192.168.2.10 dev shunt1 src 100.64.0.2
}

# tunnel NS DEV SIDE IN OUT KEY-IN KEY-OUT NEAR FAR [WORDS]
tunnel()
{
	shunt -n "$1" tunnel add dev "$2" side "$3" spi-in "$4" spi-out "$5" key-in "file:$TMP/$6" key-out "file:$TMP/$7" \
		near "$8" far "$9" "${@:10}"
}

# The same SPIs and keys of other tunnels are none of a device's business.
tunnels()
{
	new_key down aes-gcm-256
	new_key up aes-gcm-256
	tunnel "$cloud" shunt0 far 0x2001 0x1001 up down 192.168.1.10 100.64.0.1 &&
		tunnel "$inner" shunt0 near 0x1001 0x2001 down up 192.168.1.10 100.64.0.1 endpoint 198.51.100.2:4500
}

more_tunnels()
{
	new_key down aes-gcm-256
	new_key up aes-gcm-256
	tunnel "$cloud" shunt1 far 0x2001 0x1001 up down 192.168.2.10 100.64.0.2 &&
		tunnel "$gw" shunt1 near 0x1001 0x2001 down up 192.168.2.10 100.64.0.2 endpoint 198.51.100.2:4501
}

# A namespace that the device is taken to: addresses and routes do not come along, tunnels do
arrive()
{
	batch "$1" <<-IP
		addr add 192.168.1.10/32 dev shunt0
		link set shunt0 up
		route add 100.64.0.1 dev shunt0 src 192.168.1.10
	IP
}

move_in()
{
	ip -n "$gw" link add shunt0 type shunt && ip -n "$gw" link set shunt0 netns "$inner" && arrive "$inner"
}

move_out()
{
	ip -n "$inner" link set shunt0 netns "$gw" && arrive "$gw"
}

# dumped NS COUNT: that many tunnels in a namespace
dumped()
{
	is "len(it) == $2" shunt -n "$1" -j tunnel show
}

no_way_out()
{
	is 'all(i.ifname in ("lo", "shunt0") for i in it)' ip -n "$inner" -j link show
}

# Without its namespace the device has no sockets, and no way to get them back.
orphaned()
{
	ip netns del "$gw" && within sent_nothing && ip -n "$inner" link set shunt0 down &&
		! ip -n "$inner" link set shunt0 up && dumped "$inner" 1
}

# A namespace that went after it is gone, too: they go one after the other
gone()
{
	setup_ns after
	ip -n "$cloud" link add probe type veth peer name probe netns "$after" && ip netns del "$after" &&
		within refute ip -n "$cloud" link show probe
}

# From here on capsules go over IPv6, whose routes point into their namespace
over_ipv6()
{
	ip -n "$gw" addr add 2001:db8::1/64 dev wan nodad && ip -n "$cloud" addr add 2001:db8::2/64 dev wan nodad &&
		shunt -n "$inner" tunnel set dev shunt0 spi-in 0x1001 endpoint "[2001:db8::2]:4500" && pings "$inner" 100.64.0.1
}

sent_nothing()
{
	in_ns "$inner" ping -q -c 1 -W 1 100.64.0.1
	is '"LOWER_UP" not in it[0].flags' ip -n "$inner" -j link show shunt0
}

check "device made outside, moved inside" move_in
check "inside there is nothing else" no_way_out
check "tunnel" tunnels
check "ping from inside" pings "$inner" 100.64.0.1
check "ping to inside" pings "$cloud" 192.168.1.10
check "the tunnel is seen inside" dumped "$inner" 1
check "and not outside" dumped "$gw" 0
sweep "a second device outside, with its own port" second
sweep "the same SPIs there" more_tunnels
sweep "ping through that" pings "$gw" 100.64.0.2
sweep "and still from inside" pings "$inner" 100.64.0.1
check "moved out, with the tunnel" move_out
check "ping from outside" pings "$gw" 100.64.0.1
ip -n "$gw" link set shunt0 netns "$inner"
arrive "$inner"
check "moved in again, over IPv6" over_ipv6
check "its first namespace goes: it is quiet, and stays" orphaned
check "no route keeps that namespace" gone
ip -n "$inner" link del shunt0
check "the kernel did not complain" clean_log
ktap_finished
