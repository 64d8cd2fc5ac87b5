# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Nothing is printed twice at a printer without agent, and nothing is lost: a connection that breaks in the middle of a
# document, an answer that is lost, a cloud that is killed. The printer is asked what it has before anything is sent again.
#
#   alice ── cloud ══tunnel══ gw ─╳─ printer (ippeveprinter), printer2 (cupsd)

scenario_world()
{
	PRINTERS="1 2"
	conf shuntd policy.tunnels-high 8
}

# cut HOST: ends the connections on which documents come.
cut()
{
	in_ns "$1" ss -HtnK state established "sport 631" >/dev/null
}

restart_cloud()
{
	local PID

	pid_of shunt-cloud
	kill -KILL "$PID"
	within 20 gone "$PID"
	run_cloud 1
}

scenario_run()
{
	local broken server held

	document a.pdf 2M
	wan_rate 4mbit
	offer broken a.pdf print printer-1
	offer server a.pdf print printer-2
	await_job "$broken" '.delivered > 100000' "the printer to have some of it"
	cut printer
	await_job "$server" '.delivered > 100000' "the print server to have some of it"
	cut printer2
	wan_rate 100mbit
	finish_jobs "$broken" "$server"
	check "the job whose connection broke completed" final "$broken" '.state == "completed" and .delivered == .size'
	check "and the print server's" final "$server" '.state == "completed" and .delivered == .size'
	check "printed once, the same" pages printer a.pdf
	check "and at the print server" pages printer2 a.pdf

	wan_rate 4mbit
	offer server a.pdf print printer-2
	await_job "$server" '.delivered > 100000' "the print server to have some of it"
	restart_cloud
	wan_rate 100mbit
	finish_jobs "$server"
	check "the job whose cloud was killed in the middle of it completed" final "$server" '.state == "completed"'
	check "and was printed once" pages printer2 a.pdf a.pdf

	touch "$WORLD"/printer{,2}/hold
	offer held a.pdf print printer-1
	offer server a.pdf print printer-2
	await_job "$held" '.state == "executing"' "the printer to have all of it"
	await_job "$server" '.state == "executing"' "the print server to have all of it"
	restart_cloud
	await_job "$held" '.reason | test("media-empty")' "the job to say that the paper is out"
	rm "$WORLD"/printer{,2}/hold
	finish_jobs "$held" "$server"
	check_whole "the job whose cloud was killed while it was printed" "$held"
	check_whole "and the print server's" "$server"
	check "and was printed once" pages printer a.pdf a.pdf
	check "at the print server, too" pages printer2 a.pdf a.pdf a.pdf
}
