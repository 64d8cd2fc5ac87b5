#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory is not there when it is asked for: at each place of every netlink command, in the making and changing of links, in
# loading the module, and now and then in the way of packets. What fails says so, changes nothing and leaves nothing behind;
# packets are dropped and counted.
#
#   gw 198.51.100.1 ── wan ── 198.51.100.2 cloud
#   192.168.1.10 to .12 ══ a tunnel per cipher ══ 100.64.0.1 to .3
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

faults=/sys/kernel/debug
if [ ! -w /proc/self/fail-nth ] || [ ! -f "$faults/failslab/require-start" ]; then
	skip "this kernel does not inject failures of allocations, or not by who asks for them"
fi
begin 17
mark_log

# faulty FILE VALUE: for both kinds of allocations
faulty()
{
	echo "$2" >"$faults/failslab/$1" && echo "$2" >"$faults/fail_page_alloc/$1"
}

# Which allocations may fail, when asked for: those that may wait, too
faulty verbose 0
faulty ignore-gfp-wait N
echo 0 >"$faults/fail_page_alloc/min-order"

# shortage PERCENT: from now on, of what the module asks for
shortage()
{
	local size start
	read -r _ size _ _ _ start _ < <(grep '^shunt ' /proc/modules)
	range require "$start" "$(printf '%#x' $((start + size)))" &&
		faulty times -1 && faulty probability "$1"
}

plenty()
{
	faulty probability 0 && range require 0 0xffffffffffffffff
}

# range require|reject FROM TO: only, or none, of what code between these addresses asks for
range()
{
	faulty "$1-start" "$2" && faulty "$1-end" "$3"
}

# symbol require|reject FUNCTION: the same of a function of the kernel and what it calls
symbol()
{
	local start end
	read -r start end < <(awk -v name="$2" '$3 == name { start = $1; next } start { print start, $1; exit }' /proc/kallsyms)
	range "$1" "0x$start" "0x$end"
}

# What the module's own beginning asks for; but sysfs_slab_add() leaks the name of a slab that it cannot add.
load_module()
{
	local rc
	modinfo -F depends "${SHUNT_KO:-shunt}" | tr ',' '\n' | xargs -r modprobe -a
	symbol require do_one_initcall && symbol reject sysfs_slab_add &&
		py "" failinject.py module "${SHUNT_KO:-$(modinfo -n shunt)}"
	rc=$?
	range reject 0 0
	range require 0 0xffffffffffffffff
	return "$rc"
}

# alone SCRIPT WORD...: in a namespace of its own
alone()
{
	local rc
	setup_ns alone
	py "$alone" "$@"
	rc=$?
	cleanup_ns "$alone"
	return "$rc"
}

# dry VERB: the walk's own allocations only, as these failures are not of a single one
dry()
{
	local rc
	faulty task-filter Y
	alone failinject.py "$1"
	rc=$?
	faulty task-filter N && faulty space 0
	return "$rc"
}

world()
{
	local i on_gw='' on_cloud=''
	setup_ns gw cloud
	join_wan "$gw" "$cloud"
	batch "$gw" <<<"link add shunt0 type shunt"$'\n'"link set shunt0 up" || return
	batch "$cloud" <<<"link add shunt0 type shunt"$'\n'"link set shunt0 up" || return
	for ((i = 1; i <= 3; i++)); do
		on_gw+="addr add 192.168.1.1$i/32 dev lo"$'\n'"route add 100.64.0.$i dev shunt0 src 192.168.1.1$i"$'\n'
		on_cloud+="addr add 100.64.0.$i/32 dev lo"$'\n'"route add 192.168.1.1$i dev shunt0 src 100.64.0.$i"$'\n'
	done
	batch "$gw" <<<"$on_gw" && batch "$cloud" <<<"$on_cloud" &&
		pair "$gw" "$cloud" 1 aes-gcm-128 192.168.1.11 100.64.0.1 keepalive 1s &&
		pair "$gw" "$cloud" 2 aes-gcm-256 192.168.1.12 100.64.0.2 keepalive 1s &&
		pair "$gw" "$cloud" 3 chacha20-poly1305 192.168.1.13 100.64.0.3 keepalive 1s
}

# Some of the questions fail, too.
starved()
{
	within is 'rx.drops.nomem > 20 and tx.drops.nomem > 20' shunt -n "$gw" -j load show dev shunt0 &&
		within is 'rx.drops.nomem > 20 and tx.drops.nomem > 20' shunt -n "$cloud" -j load show dev shunt0
}

# copy NUMBER: much at once, both ways, through that tunnel
copy()
{
	tcp_copy "$cloud" "$gw" "100.64.0.$1" 631 300000
}

# Packets of every size come and go meanwhile; where less gets lost, TCP sends it again.
short_of_memory()
{
	local -a senders=()
	local rc
	ask start "$gw" "$TMP/flood" "$here/churn.py" flood "$gw" 192.168.1.11 100.64.0.1 3
	senders+=("$ANSWER")
	ask start "$cloud" "$TMP/flood" "$here/churn.py" flood "$cloud" 100.64.0.1 192.168.1.11 3
	senders+=("$ANSWER")
	shortage 20 && starved && shortage 1 && copy 1 && copy 2 && copy 3
	rc=$?
	plenty
	ask stop "${senders[0]}"
	ask stop "${senders[1]}"
	return "$rc"
}

check "the module is loaded, or is not" load_module
modprobe shunt
check "commands of the family" alone failinject.py tunnels
check "links" alone failinject.py links
check "both, with no memory from some point on" dry dry
rmmod shunt && modprobe shunt
check "a link, where there are many" dry crowd
check "tunnels" world
check "packets are dropped and counted" short_of_memory
for number in 1 2 3; do
	check "tunnel $number carries everything afterwards" copy "$number"
done
for number in 1 2 3; do
	check "tunnel $number counts nothing it should not" tunnel_is "$gw" "$((0x1000 + number))" \
		'rx.drops.auth == rx.drops.malformed == rx.drops.scope == tx.drops.scope == tx.drops.malformed == 0'
done
check "devices go" ip -n "$gw" link del shunt0
check "devices go, at the other end" ip -n "$cloud" link del shunt0
check "all references are given back" within rmmod shunt
check "the kernel did not complain" clean_log
ktap_finished
