# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "The cloud server 21 and the management server 24 are realized by separate devices, but may be realized by one device."
#
#   203.0.113.10: shunt-cloud on port 8443 and shunt-manager on port 9443

scenario_world()
{
	MANAGER_HOST=cloud
	TUNNEL_LIMIT=1
}

scenario_run()
{
	local print store

	content a.pdf 1M
	content b.bin 64K
	wan_rate 1mbit
	offer print a.pdf print mfp-1
	await_job "$print" '.delivered > 0' "the print job to be under way"
	offer store b.bin store nas-1
	wan_rate 100mbit
	finish_jobs "$print" "$store"
	check_whole "the print job" "$print"
	check_whole "the store job" "$store"
	check "printed once, the same" printed mfp a.pdf
	check "stored, the same" stored nas b.bin
	check "nothing listens on the manager's own host" not listening manager 203.0.113.20:8443
}
