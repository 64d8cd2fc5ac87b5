#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ciphers that finish later, on a queue of their own (cryptd; or pcrypt, on several processors, where cryptd has nothing to do
# because the cipher has such a queue for itself): what they carry arrives as it was sent, what their queue does not take is
# dropped and counted, and tunnels, devices, namespaces and the module go while packets are in there.
#
#   gw 198.51.100.1 ── wan ── 198.51.100.2 cloud
#   100.64.0.0/16 ═══════ tunnels ═══════ 100.65.0.0/16
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

TUNNELS=${TUNNELS:-$(at_length 1000 100)}
ROUNDS=${ROUNDS:-$(at_length 5 1)}
ENDS="tunnel down device netns module"
SEED=${SEED:-$RANDOM}

world()
{
	setup_ns gw cloud
	join_wan "$gw" "$cloud"
	end_of "$gw" 100.64.0.0/16 100.65.0.0/16 && end_of "$cloud" 100.65.0.0/16 100.64.0.0/16
}

# copied NUMBER OCTETS
copied()
{
	ip -n "$gw" addr add "100.64.0.$1/32" dev lo
	ip -n "$cloud" addr add "100.65.0.$1/32" dev lo
	ip -n "$gw" route add "100.65.0.$1" dev shunt0 src "100.64.0.$1"
	ip -n "$cloud" route add "100.64.0.$1" dev shunt0 src "100.65.0.$1"
	tcp_copy "$cloud" "$gw" "100.65.0.$1" 631 "$2"
}

# The three ciphers in turn: pairs 0 and 1 are AES-GCM
carries()
{
	py "" churn.py pairs "$gw" "$cloud" 6 && copied 3 "$(at_length 3000000 1000000)" && copied 4 1000000 &&
		py "" async.py used "$DRIVER"
}

clean_up()
{
	cleanup_all_ns
	unset gw cloud
}

# end_with WHAT: ROUNDS times
end_with()
{
	local i rc=0
	for ((i = 0; i < ROUNDS && rc == 0; i++)); do
		modprobe shunt && world && py "" async.py end "$gw" "$cloud" "$TEMPLATE" "$1"
		rc=$?
		clean_up
	done
	return "$rc"
}

flood()
{
	ask start "$1" "$TMP/flood" "$here/churn.py" flood "$1" "$2" "$3" 64
	SENDERS+=("$ANSWER")
}

churn()
{
	local rc pid
	SENDERS=()
	world || return
	flood "$gw" 100.64.0.0 100.65.0.0
	flood "$cloud" 100.65.0.0 100.64.0.0
	py "" churn.py tunnels "$gw" "$cloud" "$TUNNELS" 32 "$SEED"
	rc=$?
	for pid in "${SENDERS[@]}"; do
		ask stop "$pid"
	done
	clean_up
	return "$rc"
}

# A tunnel has to have asked for the cipher before another one can take its place.
prefer()
{
	world && pair "$gw" "$cloud" 1 aes-gcm-256 100.64.0.1 100.65.0.1
	clean_up
	modprobe -q crypto_user
	for TEMPLATE in cryptd pcrypt; do
		modprobe -q "$TEMPLATE"
		if py "" async.py prefer "$TEMPLATE" >"$TMP/driver"; then
			DRIVER=$(cat "$TMP/driver")
			return
		fi
		WHY=${WHY:-}$(cat "$TMP/driver")'; '
	done
	return 1
}

restored()
{
	py "" async.py restore "$DRIVER" && DRIVER=
}

begin 12
mark_log
if ! prefer; then
	ktap_print_msg "SKIP: ${WHY%; }"
	exit "$KSFT_SKIP"
fi
ktap_print_msg "$DRIVER, SEED=$SEED"
trap 'cleanup_all_ns; [ -z "${DRIVER:-}" ] || restored; end' EXIT
check "both ends" world
check "content is intact" carries
clean_up
check "both ends again" world
check "a queue that is full is no trouble" py "" async.py flood "$gw" "$cloud" "$TEMPLATE"
clean_up
for what in $ENDS; do
	check "packets in the cipher while this goes: $what" end_with "$what"
done
modprobe shunt
check "$TUNNELS tunnels made and deleted" churn
check "the cipher of before is back" restored
check "the kernel did not complain" clean_log
ktap_finished
