#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tunnels, links, namespaces and the module come and go, again and again, while packets are on their way through them.
#
#   gw 198.51.100.1 ── wan, 2 ms, so that some are always under way ── 198.51.100.2 cloud
#   100.64.0.0/16 ═══════════════════════ tunnels ════════════════════════ 100.65.0.0/16
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need tc
TUNNELS=${TUNNELS:-$(at_length 10000 300)} # made and deleted
WINDOW=${WINDOW:-$(at_length 256 32)} # at a time
ROUNDS=${ROUNDS:-$(at_length 8 1)} # of what goes as a whole
SEED=${SEED:-$RANDOM}
begin 8
ktap_print_msg "SEED=$SEED"
mark_log

flood()
{
	ask start "$1" "$TMP/flood" "$here/churn.py" flood "$1" "$2" "$3" "$4"
	SENDERS+=("$ANSWER")
}

still()
{
	local pid
	for pid in "${SENDERS[@]}"; do
		ask stop "$pid"
	done
	SENDERS=()
}

# world NUMBER: both namespaces, and senders at both ends to as many tunnels
world()
{
	SENDERS=()
	setup_ns gw cloud
	join_wan "$gw" "$cloud"
	tc -n "$gw" qdisc add dev wan root netem delay 2ms limit 10000 &&
		tc -n "$cloud" qdisc add dev wan root netem delay 2ms limit 10000 &&
		end_of "$gw" 100.64.0.0/16 100.65.0.0/16 && end_of "$cloud" 100.65.0.0/16 100.64.0.0/16 || return
	flood "$gw" 100.64.0.0 100.65.0.0 "$1"
	flood "$cloud" 100.65.0.0 100.64.0.0 "$1"
}

clean_up()
{
	still
	cleanup_all_ns
	unset gw cloud
}

tunnels()
{
	local pid rc
	world "$((2 * WINDOW))" || return
	ask start "$cloud" "$TMP/dump" "$here/churn.py" dump "$cloud"
	pid=$ANSWER
	py "" churn.py tunnels "$gw" "$cloud" "$TUNNELS" "$WINDOW" "$SEED"
	rc=$?
	ask stop "$pid"
	[ ! -s "$TMP/dump" ] || cat "$TMP/dump"
	[ "$rc" -eq 0 ] && [ ! -s "$TMP/dump" ]
}

# busy NS: tunnels of it carry packets
busy()
{
	within is 'rx.packets > 50 and tx.packets > 50' shunt -n "$1" -j load show dev shunt0
}

# round WHAT...: a world under load, to which that happens
round()
{
	world 8 && py "" churn.py pairs "$gw" "$cloud" 8 && busy "$gw" && busy "$cloud" && "$@"
	local rc=$?
	clean_up
	return "$rc"
}

# rounds WHAT...
rounds()
{
	local i
	for ((i = 0; i < ROUNDS; i++)); do
		round "$@" || return
	done
}

# A namespace goes with its last process; packets from the other end are under way to it.
namespaces()
{
	local one=$gw other=$cloud first=0
	if ((RANDOM % 2)); then
		one=$cloud other=$gw first=1
	fi
	ip netns del "$one" && ask stop "${SENDERS[first]}"
	unset "SENDERS[first]"
	ip netns del "$other" && still
}

devices()
{
	ip -n "$gw" link del shunt0 && ip -n "$cloud" link set shunt0 down && ip -n "$cloud" link set shunt0 up &&
		ip -n "$cloud" link del shunt0
}

# A device with its tunnels moves to where the senders are not, and the namespace of its sockets goes
moving()
{
	local away
	setup_ns away
	ip -n "$gw" link set shunt0 netns "$away" && ip -n "$away" link set shunt0 up && ip netns del "$gw" &&
		ask stop "${SENDERS[0]}" && unset "SENDERS[0]" && within orphaned "$away" && ip netns del "$away"
}

orphaned()
{
	is '"LOWER_UP" not in it[0].flags' ip -n "$1" -j link show shunt0
}

# Somebody else asks for it all the time, which may bring it back at once.
module()
{
	local pid rc
	ask start "$gw" "$TMP/links" "$here/churn.py" links "$gw"
	pid=$ANSWER
	within rmmod shunt && within modprobe shunt
	rc=$?
	ask stop "$pid"
	[ ! -s "$TMP/links" ] || cat "$TMP/links"
	[ "$rc" -eq 0 ] && [ ! -s "$TMP/links" ]
}

check "$TUNNELS tunnels made and deleted" tunnels
clean_up
check "$ROUNDS times, namespaces deleted" rounds namespaces
check "$ROUNDS times, devices deleted" rounds devices
check "$ROUNDS times, a device moved, and its first namespace deleted" rounds moving
check "$ROUNDS times, the module removed" rounds module
check "all references are given back" within rmmod shunt
check "module loads again" modprobe shunt
check "the kernel did not complain" clean_log
ktap_finished
