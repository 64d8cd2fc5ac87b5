# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "Alternatively, it may be performed when the usage rate of the CPU 16a becomes equal to or more than a predetermined value":
# the gateway's processors are kept busy by something else, and the running job is moved although tunnels are few.
#
#   job  print 2 MB ──tunnel──▶┆──direct connection────▶ mfp
#                       busy loop┆


scenario_world()
{
	TUNNEL_LIMIT=0
	conf shuntd policy.cpu-high 970
	conf shuntd policy.cpu-low 900
}

# calm: whether the processors have had time to spare for so long that the gateway, which looks once a second, knows it.
calm()
{
	local user nice sys idle busy spare

	read -r _ user nice sys idle _ </proc/stat
	busy=$((user + nice + sys)) spare=$idle
	nap 2.2
	read -r _ user nice sys idle _ </proc/stat
	busy=$((user + nice + sys - busy)) spare=$((idle - spare))
	[ $spare -gt $((busy / 4)) ]
}

burn()
{
	while :; do
		:
	done
}

scenario_run()
{
	local id cpu
	local -a burning=()

	content a.pdf 2M
	wan_rate 1mbit
	await 60 "the world to be at rest" calm
	offer id a.pdf print mfp-1
	await_job "$id" '.delivered > 0' "the job to be under way"
	# also when the scenario gives up: what burns on would be measured by all that follow
	trap 'kill "${burning[@]}" 2>/dev/null' EXIT
	for cpu in $(seq "$(nproc)"); do
		burn &
		burning+=($!)
	done
	LIMIT=120 await_job "$id" '.moved or any(.paths[]; .kind == "direct")' "the job to move"
	kill "${burning[@]}"
	trap - EXIT
	wan_rate 100mbit
	finish_jobs "$id"
	check_whole "the job" "$id"
	check "it was moved because of the processor's use" decided "$id" move cpu-limit
	check "the reason has the figures" record '.action == "move" and (.text | test("^cpu [0-9]+ >= 9[07]0 permille"))'
	check "printed once, the same" printed mfp a.pdf
}
