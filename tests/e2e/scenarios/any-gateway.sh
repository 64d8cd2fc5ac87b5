# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "according to the number of tunnels in which one end is the cloud server 21 and the other end is an arbitrary gateway": the
# cloud decides with count = all, and a job behind one gateway is moved for the sake of a job behind another.
#
#   A  print 2 MB ──tunnel──▶ gw ──▶ mfp	┆──direct connection──▶ (limit: 1 in all)
#   B  print 2 MB ──tunnel──▶ gw2 ─▶ mfp3	gets the slot; its device may connect, too

scenario_world()
{
	GATEWAYS="1 2"
	MFPS="1 3@2"
	conf shuntd policy.decide cloud
	conf shuntd2 policy.decide cloud
	conf shunt-cloud policy.decide cloud
	conf shunt-cloud policy.count all
	conf shunt-cloud policy.tunnels-high 1
}

scenario_run()
{
	local a b

	content a.pdf 2M
	content b.pdf 64K
	wan_rate 2mbit
	offer a a.pdf print mfp-1 --priority 2
	await_job "$a" '.delivered > 0' "the first job to be under way"
	offer b b.pdf print mfp-3 --priority 5
	await_job "$a" '.moved' "the first job to move"
	wan_rate 100mbit
	finish_jobs "$a" "$b"
	check_whole "the job behind the first gateway" "$a"
	check_whole "the job behind the second gateway" "$b"
	check "the first was moved for the sake of a tunnel of another gateway" final "$a" '
		any(.timeline[]; .event == "decision" and .action == "move" and .reason == "tunnel-limit")'
	check "the second was told to wait" final "$b" 'any(.timeline[]; .event == "decision" and .action == "wait")'
	check "the first was printed once, the same" printed mfp a.pdf
	check "the second was printed once, the same" printed mfp3 b.pdf
}
