#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel says when there are many tunnels, or few again, and when its load is high, or low again, without being asked.
#
#   ns: shunt0 with tunnels to nowhere, and packets into one of them; shunt monitor listens
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

begin 26
setup_ns ns
ip -n "$ns" link add shunt0 type shunt
ip -n "$ns" link set shunt0 up
ip -n "$ns" link add dummy0 type dummy
ip -n "$ns" link set dummy0 up
batch "$ns" <<IP
	addr add 198.51.100.1/24 dev dummy0
	addr add 100.64.0.6/32 dev lo
	route add 100.64.1.0/24 dev shunt0
	neigh add 198.51.100.2 lladdr 02:00:00:00:00:01 dev dummy0
IP

add()
{
	new_key "a$1" aes-gcm-256
	new_key "b$1" aes-gcm-256
	shunt -n "$ns" tunnel add dev shunt0 spi-in "$((0x1000 + $1))" spi-out "$((0x2000 + $1))" key-in "file:$TMP/a$1" \
		key-out "file:$TMP/b$1" endpoint 198.51.100.2:4500 near "100.64.0.$1" far "100.64.1.$1" cookie "job-$1"
}

del()
{
	shunt -n "$ns" tunnel del dev shunt0 spi-in "$((0x1000 + $1))"
}

set_marks()
{
	shunt -n "$ns" threshold set dev shunt0 "$@"
}

# crossed COUNT WORD: so many events of that kind so far
crossed()
{
	events "$TMP/load" "sum(e.event == 'threshold' and e.crossed == '$2' for e in it) == $1"
}

# tunnel_event COUNT KIND
tunnel_event()
{
	events "$TMP/tunnels" "sum(e.event == '$2' for e in it) == $1"
}

last_del()
{
	events "$TMP/tunnels" "[$1 for e in it if e.event == 'del'][-1]"
}

# busy EXPR: true of the load
busy()
{
	is "$1" shunt -n "$ns" -j load show dev shunt0
}

# The average of some seconds has gone far beyond the mark, and has been looked at several times meanwhile
beyond()
{
	within crossed 1 load-high && within busy 'cpu_permille > 5' && crossed 1 load-high && crossed 0 load-low
}

# said WORD EXPR: the last event of that kind agrees with the marks it was made for
said()
{
	events "$TMP/load" "[$2 for e in it if e.event == 'threshold' and e.crossed == '$1'][-1]"
}

# The kernel looks at the load each second; what it had to say after two of these looks has been said
looked()
{
	read -rt 2.5 -u "$NEVER"
	return 0
}

# Whatever the load comes to between them
between()
{
	set_marks load-high 1000000 load-low 1 && looked && crossed 1 load-high && crossed 1 load-low
}

shunt -n "$ns" -j monitor load >"$TMP/load" &
shunt -n "$ns" -j monitor tunnels >"$TMP/tunnels" &
within started "$TMP/load"
within started "$TMP/tunnels"

check "set marks" set_marks tunnels-high 3 tunnels-low 1
check "they are shown" is 'thresholds.tunnels_high == 3 and thresholds.tunnels_low == 1' \
	shunt -n "$ns" -j load show dev shunt0
check "first tunnel" add 1
check "second tunnel" add 2
check "two are not many" crossed 0 tunnels-high
check "third tunnel" add 3
check "three are: one event" within crossed 1 tunnels-high
check "fourth tunnel" add 4
check "del to two" eval 'del 4 && del 3'
check "fifth tunnel, three again" add 5
check "between the marks nothing is said" eval 'crossed 1 tunnels-high && crossed 0 tunnels-low'
check "del to one" eval 'del 5 && del 2'
check "one is few: one event" within crossed 1 tunnels-low
check "up again: second event" eval 'add 6 && add 7 && within crossed 2 tunnels-high'
check "a mark already reached is said at once" eval 'set_marks tunnels-high 0 && set_marks tunnels-high 2 &&
	within crossed 3 tunnels-high'
check "an event for each new tunnel" within tunnel_event 7 new
check "an event for each that ended" within tunnel_event 4 del
check "with its cookie, reason and counters" last_del \
	'e.cookie == "job-2" and e.reason == "user" and "cpu_ns" in e.rx and "noroute" in e.tx.drops'
check "marks of the load" set_marks load-high 4 load-low 2
check "idle: nothing is said" eval 'looked && crossed 0 load-high && crossed 0 load-low'
ask start "$ns" "$TMP/flood" "$here/churn.py" flood "" 100.64.0.6 100.64.1.6 2
flood=$ANSWER
check "packets: the load is high, one event" beyond
check "it says how high" said load-high 'e.cpu_permille >= 4 and e.load_above'
ask stop "$flood"
check "no packets: the load is low, one event" within crossed 1 load-low
check "it says how low, and went through all between" said load-low 'e.cpu_permille <= 2 and not e.load_above'
check "between other marks nothing is said" between
check "off" eval 'set_marks tunnels-high 0 && add 8 && looked && crossed 3 tunnels-high'
ktap_finished
