# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Second embodiment with the switching necessity determination unit 281 in the cloud server: #804-#805 (below the number, the
# tunnel is used), #806-#809 (another job's tunnel would pass it), #813 (the request goes through the tunnel), #814-#816.
#
#   job 1  print 2 MB ──tunnel──▶┆──direct connection──▶ mfp
#   job 2  store 256 KB          ┆(limit: 1)──tunnel───▶ nas

scenario_world()
{
	conf shuntd policy.decide cloud
	conf shunt-cloud policy.decide cloud
	conf shunt-cloud policy.tunnels-high 1
	conf shunt-cloud policy.min-remaining '"64K"'
}

# told ID ACTION REASON: whether the cloud decided so, as the job's timeline tells.
told()
{
	final "$1" "any(.timeline[]; .event == \"decision\" and .action == \"$2\" and .reason == \"$3\")"
}

scenario_run()
{
	print_begins
	store_arrives
	check "below the number its tunnel was opened (#805)" told "$PRINT" open below-limit
	check "the cloud moved it for the sake of the limit (#809)" told "$PRINT" move tunnel-limit
	check "the other job waited for the slot" told "$STORE" wait tunnel-limit
	check "the gateway decided nothing" not record '.record == "decision" and (.action | IN("move", "wait", "direct", "refuse"))'
	check "the gateway has the connection's log (#840-#841)" within 15 record ".record == \"7J\" and .job == \"$PRINT\""
}
