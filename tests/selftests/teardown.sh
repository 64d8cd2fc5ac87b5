#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Namespaces, devices and the module go away with live tunnels under traffic, and nothing is left behind.
#
#   gw 198.51.100.1 ── wan ── 198.51.100.2 cloud, tunnels, UDP both ways through all of them
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need python3
ROUNDS=${ROUNDS:-2}
TUNNELS=${TUNNELS:-4}
begin $((2 * ROUNDS + 8))
mark_log

# busy NS ADDRESS...: send to all of them until killed, but leave the CPUs to others now and then
busy()
{
	ip netns exec "$1" python3 -c '
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for address in sys.argv[1:]:
        try:
            sock.sendto(bytes(1200), (address, 9))
        except OSError:
            pass
    time.sleep(0.01)
' "${@:2}" &
}

# Build it all, with traffic both ways
world()
{
	local i near=() far=() on_gw='' on_cloud=''
	setup_ns gw cloud
	join_wan "$gw" "$cloud"
	near_link "$gw"
	batch "$cloud" <<-IP
		link add shunt0 type shunt
		link set shunt0 up
		route add 100.64.0.0/10 dev shunt0
	IP
	for ((i = 1; i <= TUNNELS; i++)); do
		near+=("100.64.0.$i")
		far+=("100.64.1.$i")
		# the source must be the tunnel's: one route each
		on_gw+="addr add 100.64.0.$i/32 dev lo"$'\n'"route add 100.64.1.$i dev shunt0 src 100.64.0.$i"$'\n'
		on_cloud+="addr add 100.64.1.$i/32 dev lo"$'\n'"route add 100.64.0.$i dev shunt0 src 100.64.1.$i"$'\n'
	done
	batch "$gw" <<<"$on_gw" && batch "$cloud" <<<"$on_cloud" || return
	on_gw='' on_cloud=''
	for ((i = 1; i <= TUNNELS; i++)); do
		pair_lines "$i" aes-gcm-256 "100.64.0.$i" "100.64.1.$i" idle 1h keepalive 1s
		on_gw+=$NEAR_LINE$'\n' on_cloud+=$FAR_LINE$'\n'
	done
	many "$cloud" "$on_cloud" && many "$gw" "$on_gw" || return
	SENDERS=()
	busy "$gw" "${far[@]}"
	SENDERS+=($!)
	busy "$cloud" "${near[@]}"
	SENDERS+=($!)
	within carried "$gw" && within carried "$cloud"
}

carried()
{
	is "len(it) == $TUNNELS and all(t.rx.packets > 20 and t.tx.packets > 20 for t in it)" \
		shunt -n "$1" -j tunnel show dev shunt0
}

still()
{
	[ ${#SENDERS[@]} -gt 0 ] || return 0 # wait without a number waits for the resident too
	kill "${SENDERS[@]}" 2>/dev/null
	wait "${SENDERS[@]}" 2>/dev/null
	SENDERS=()
}

# A namespace ends with its last process: first the gateway's, while the cloud goes on sending to it.
netns_goes()
{
	ip netns del "$gw" && kill "${SENDERS[0]}" || return
	wait "${SENDERS[0]}"
	carries_on && ip netns del "$cloud" && still && ! ip netns list | grep -qwE "$gw|$cloud"
}

carries_on()
{
	local before
	before=$(sent)
	within sent_more "$before"
}

# What was given to the cloud's device, sent or, now that the link is gone with its other end, dropped
sent()
{
	ask value 'tx.packets + sum(tx.drops.values())' shunt -n "$cloud" -j load show dev shunt0 && printf '%s' "$ANSWER"
}

sent_more()
{
	[ "$(sent)" -gt "$1" ]
}

# Destruction of a namespace is deferred; a module whose devices are gone can be removed.
module_goes()
{
	within rmmod shunt && ! grep -q '^shunt ' /proc/modules
}

device_goes()
{
	ip -n "$gw" link del shunt0 && ip -n "$cloud" link del shunt0 && still
}

clean_up()
{
	still
	cleanup_all_ns
	unset gw cloud
}

tell_deleted()
{
	events "$TMP/events" "sum(e.event == 'del' and e.reason == 'netdev' for e in it) == $TUNNELS"
}

nothing_left()
{
	local rc
	# slabs and per-protocol objects of the module would have its name
	! grep -i shunt /proc/slabinfo /proc/net/protocols || return
	autoload off
	refute shunt tunnel show && refute ip link add left0 type shunt
	rc=$?
	autoload on
	return "$rc"
}

for ((round = 1; round <= ROUNDS; round++)); do
	check "round $round: $TUNNELS tunnels under traffic" world
	check "round $round: both namespaces deleted" netns_goes
	clean_up
done
check "module unloads" module_goes

modprobe shunt
check "again under traffic" world
shunt -n "$gw" -j monitor tunnels >"$TMP/events" &
monitor=$!
within started "$TMP/events"
check "both devices deleted" device_goes
check "each tunnel's end was told, with the reason" within tell_deleted
kill "$monitor"
clean_up

check "once more under traffic" world
check "module unloaded with devices and tunnels in place" module_goes
clean_up
check "nothing left" nothing_left
check "kernel log stays clean" clean_log
ktap_finished
