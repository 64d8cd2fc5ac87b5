# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# #746-#747, #711-#712: completion (7H) closes the connection unless other jobs use it; and, beyond the seed, a connection that
# is there serves the device's next job without any tunnel.
#
#   job 1  print 256 KB ──tunnel─▶┆─┐
#   job 2  print   1 MB             ├─direct connection──▶ mfp

scenario_world()
{
	conf shuntd policy.when always
}

scenario_run()
{
	local first second

	content a.pdf 256K
	content b.pdf 1M
	hold_paper mfp
	wan_rate 1mbit
	offer first a.pdf print mfp-1
	await_job "$first" 'any(.paths[]; .kind == "direct" and .state == "active")' "the first job to have its connection"
	offer second b.pdf print mfp-1
	await_job "$second" 'any(.paths[]; .kind == "direct" and .state == "active")' "the second job to use it"
	release_paper mfp
	finish_jobs "$first"
	check "the second is still under way when the first has completed" not ended "$second"
	check "so the connection stays" connected mfp 1
	wan_rate 100mbit
	finish_jobs "$second"
	check_whole "the first job" "$first"
	check_whole "the second job" "$second"
	check "the second needed no tunnel" final "$second" '[.paths[].kind] == ["direct"]'
	check "and the gateway was not even asked" not record ".record == \"decision\" and .job == \"$second\""
	check "then the connection was closed" within 15 not connected mfp 1
	check "both printed once, the same" eval 'printed mfp a.pdf && printed mfp b.pdf'
}
