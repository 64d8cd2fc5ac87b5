#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Netlink messages that nobody would write, for the family and for links: whatever they are, the kernel answers with an error
# that makes sense or does what they say; and whoever has no rights gets nothing done, and nothing told. SEED repeats a run.
#
#   ns: shunt0, fuzz0, fuzz1, with tunnels to nowhere
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

SEED=${SEED:-$(at_length "$RANDOM" 1)}
RUNS=${RUNS:-$(at_length 10 1)}
COUNT=${COUNT:-$(at_length 10000 4000)} # messages of a run
begin $((RUNS + 4))
ktap_print_msg "SEED=$SEED"
mark_log

# fuzz WORD...: in a namespace of its own
fuzz()
{
	local rc
	setup_ns ns
	py "$ns" nlfuzz.py "$@"
	rc=$?
	cleanup_ns "$ns"
	return "$rc"
}

for ((run = 0; run < RUNS; run++)); do
	check "$COUNT messages, seed $((SEED + run))" fuzz root "$((SEED + run))" "$COUNT"
done
check "a user without rights changes nothing" fuzz nobody "$SEED" "$((COUNT / 4))" plain
check "neither with rights elsewhere" fuzz nobody "$SEED" "$((COUNT / 4))" userns
check "all references are given back" within rmmod shunt
check "the kernel did not complain" clean_log
ktap_finished
