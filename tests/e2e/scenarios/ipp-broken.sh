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

# mute HOST: nothing reaches its printer any more.
mute()
{
	in_ns "$1" nft -f - <<-'EOF'
		table inet mute {
			chain input {
				type filter hook input priority 0
				tcp dport 631 drop
			}
		}
	EOF
}

unmute()
{
	in_ns "$1" nft delete table inet mute
}

kill_cloud()
{
	local PID

	pid_of shunt-cloud
	kill -KILL "$PID"
	within 20 gone "$PID"
}

restart_cloud()
{
	kill_cloud
	run_cloud 1
}

# canceled_at_server NUMBER
canceled_at_server()
{
	in_ns printer2 ipptool -q -d "id=$1" ipp://127.0.0.1:631/printers/q "$TOP/tests/e2e/hosts/canceled.test"
}

# at_server ID: the print server's number of the job.
at_server()
{
	job "$1" | jq -r '.timeline[].text | capture("the printer has it as job (?<id>[0-9]+)").id'
}

scenario_run()
{
	local broken server held number

	document a.pdf 2M
	wan_rate 4mbit
	offer broken a.pdf print printer-1
	offer server a.pdf print printer-2
	await_job "$broken" '.delivered > 100000' "the printer to have some of it"
	cut_port printer 631
	await_job "$server" '.delivered > 100000' "the print server to have some of it"
	cut_port printer2 631
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

	touch "$WORLD/printer2/hold"
	offer server a.pdf print printer-2
	await_job "$server" '.reason | test("media-empty")' "the print server to have all of it"
	number=$(at_server "$server")
	mute printer2
	terminal job cancel "$server" >>"$WORLD/log/terminal"
	kill_cloud
	check "the print server has not heard of the cancellation" not canceled_at_server "$number"
	unmute printer2
	run_cloud 1
	check "it hears of it from the next cloud" within 20 canceled_at_server "$number"
	rm "$WORLD/printer2/hold"
	check "and there is nothing left to tell" within 10 no_tunnels
	check "the job is canceled" job_is "$server" '.state == "canceled"'
	check "and was not printed" pages printer2 a.pdf a.pdf a.pdf
}
