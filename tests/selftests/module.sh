#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The module loads, makes and removes a device, unloads, and the kernel has nothing to say about it.

. "$(dirname "$(readlink -e "$0")")/../kselftest/ktap_helpers.sh"

unload()
{
	rmmod shunt 2>/dev/null
}

quiet()
{
	! dmesg | tail -n "+$((marker + 1))" | grep -qE 'BUG:|WARNING:|Oops|unregister_netdevice'
}

ktap_print_header
ktap_set_plan 5
if ! unload && grep -q '^shunt ' /proc/modules; then
	ktap_print_msg "SKIP: the module is in use"
	exit "$KSFT_SKIP"
fi
trap unload EXIT
marker=$(dmesg | wc -l)

ktap_test_result "module loads" modprobe shunt
ktap_test_result "device appears" ip link add shunt0 type shunt
ktap_test_result "device goes" ip link del shunt0
ktap_test_result "module unloads" rmmod shunt
ktap_test_result "kernel log stays clean" quiet
ktap_finished
