#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Netlink beyond what our programs ask: whatever is wrong with a request is explained, and a dump has every tunnel that
# lives throughout it once, while others come and go.
#
#   ns: shunt0 with tunnels to nowhere
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

begin 4
setup_ns ns
ip -n "$ns" link add shunt0 type shunt
ip -n "$ns" link set shunt0 up
mark_log

none_left()
{
	is 'tunnels == 0' shunt -n "$ns" -j load show dev shunt0
}

check "refusals are explained" py "$ns" family.py refusals shunt0
check "nothing was made of what was refused" none_left
stable=100 rounds=5
sweeps || stable=40 rounds=2
check "dumps are complete while tunnels come and go" py "$ns" family.py churn shunt0 "$stable" "$rounds"
ip -n "$ns" link del shunt0
check "the kernel did not complain" clean_log
ktap_finished
