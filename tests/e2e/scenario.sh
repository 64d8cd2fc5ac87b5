# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What scenarios are made of. A scenario is a file scenarios/NAME.sh: it quotes the passage of the patent that it judges,
# draws its hosts, and defines
#
#   scenario_world	(optional) sets CLOUDS, GATEWAYS, MFPS, ... and calls conf(); see world.sh
#   scenario_needs	(optional) says why it cannot run on this kernel, where it cannot
#   scenario_run	submits jobs, waits for conditions, and calls check for what must hold
#
# run_scenario gives it a fresh world (see world_fresh) and a subshell, so that nothing it sets or breaks reaches the next
# one. Every scenario also fails when a tunnel is left or a daemon has died.
#
# Each check appends "ok|not ok TEXT" to $CHECKS; a run passes when none is "not ok".

SCENARIOS=$TOP/tests/e2e/scenarios

say()
{
	printf '%s\n' "$*"
}

# check TEXT COMMAND...: records whether COMMAND holds.
check()
{
	local text=$1

	shift
	if "$@" >/dev/null 2>&1; then
		echo "ok $PREFIX$text" >>"$CHECKS"
	else
		echo "not ok $PREFIX$text" >>"$CHECKS"
		say "did not hold: $text: $*"
	fi
}

# ---- content and jobs ----

# content NAME SIZE: a file to submit, of random bytes.
content()
{
	mkdir -p "$WORLD/content"
	head -c "$2" /dev/urandom >"$WORLD/content/$1"
}

# document NAME SIZE: the same, which a printer takes for a PDF by its beginning.
document()
{
	content "$1" "$2"
	printf '%%PDF-1.7\n' | dd of="$WORLD/content/$1" conv=notrunc status=none
}

# submit FILE KIND DEVICE [OPTION...]: prints the job's id once the cloud has taken all of it.
submit()
{
	local file=$1 kind=$2 device=$3

	shift 3
	taken "$(terminal -j job submit "$WORLD/content/$file" --kind "$kind" --device "$device" "$@" 2>>"$WORLD/log/terminal")"
}

# taken REPLY: the id of the job that was submitted; without starting a program for it.
taken()
{
	[[ $1 =~ \"id\":\ ?\"([0-9a-f]{32})\" ]] && echo "${BASH_REMATCH[1]}"
}

# offer VARIABLE FILE KIND DEVICE [OPTION...]: submits, and leaves the id in VARIABLE.
offer()
{
	local -n id_of=$1

	shift
	# shellcheck disable=SC2034 # a reference
	id_of=$(submit "$@") || die "the job was refused: $*"
}

job()
{
	terminal -j job show "$1"
}

# job_is ID FILTER: whether the job's JSON satisfies a jq filter.
job_is()
{
	job "$1" | jq -e "$2"
}

# is_over SHOWN: a job that was shown so has reached a final state; without starting a program to read it.
is_over()
{
	[[ $1 =~ \"state\":\ ?\"(completed|failed|canceled|interrupted)\" ]]
}

# ended ID
ended()
{
	is_over "$(job "$1")"
}

# await_job ID FILTER WHAT: until the job's JSON satisfies the filter; gives up at once when it has ended otherwise.
await_job()
{
	local begin=$SECONDS shown

	until shown=$(job "$1") && jq -e "$2" <<<"$shown" >/dev/null; do
		if is_over "$shown"; then
			jq . <<<"$shown" >&2
			die "$3: job $1 has ended before that"
		fi
		[ $((SECONDS - begin)) -lt "${LIMIT:-60}" ] || {
			jq . <<<"$shown" >&2
			die "waited ${LIMIT:-60} s in vain: $3"
		}
		nap 0.05
	done
}

# last_words ID: whether it has ended; what it says then is in $WORLD/job-ID.json.
last_words()
{
	job "$1" >"$WORLD/job-$1.json" && is_over "$(<"$WORLD/job-$1.json")"
}

# finish_jobs ID...: waits until all have ended, and leaves their last words in $WORLD/job-ID.json.
finish_jobs()
{
	local id

	for id; do
		# it follows the job's events to their end; should it lose the cloud, there is still await
		(export SHUNT_CONFIG="$WORLD/etc/$TERMINAL.conf"
			exec timeout "${LIMIT:-60}" ip netns exec terminal shunt job events "$id") >/dev/null 2>&1
		await "${LIMIT:-60}" "job $id to end" last_words "$id"
	done
}

# fetch VARIABLE DEVICE PATH: a fetch job; its id.
fetch()
{
	local -n id_of=$1

	# shellcheck disable=SC2034 # it is the caller's
	id_of=$(taken "$(terminal -j job submit --kind fetch --path "$3" --device "$2" 2>>"$WORLD/log/terminal")") ||
		die "the fetch job was refused: $2 $3"
}

# cut_port HOST PORT: ends the connections of a server of the LAN, if there are any.
cut_port()
{
	in_ns "$1" ss -HtnK state established "sport $2" >/dev/null
}

# give_credentials LINE...: all names and passwords that the cloud has for devices. A new file, as the cloud may own the old one.
give_credentials()
{
	rm -f "$WORLD/credentials"
	(
		umask 077
		printf '%s\n' "$@" >"$WORLD/credentials"
	)
	conf shunt-cloud device-credentials "\"$WORLD/credentials\""
}

# final ID FILTER: of a finished job.
final()
{
	jq -e "$2" "$WORLD/job-$1.json"
}

# check_whole WHAT ID: completed, all of it, nothing twice.
check_whole()
{
	local completed once

	{
		read -r completed
		read -r once
	} < <(jq '.state == "completed", (.resent == 0 and .delivered == .size)' "$WORLD/job-$2.json")
	check "$1 completed" [ "$completed" = true ]
	check "$1: no byte of content sent twice" [ "$once" = true ]
}

# went_by ID KIND...: the kinds of path that carried content, sorted.
went_by()
{
	local id=$1 kinds

	shift
	printf -v kinds '"%s",' "$@"
	final "$id" "[.paths[] | select(.bytes > 0) | .kind] | unique == ([${kinds%,}] | sort)"
}

# second_cloud COMMAND...: with the second cloud as the one that `terminal` talks to.
second_cloud()
{
	local before=$TERMINAL status

	TERMINAL=terminal2
	"$@"
	status=$?
	TERMINAL=$before
	return $status
}

# A: a print job of the first cloud for mfp-1; while it runs, B: a store job of the second one for nas-1.
two_clouds()
{
	content a.pdf 2M
	content b.bin 64K
	wan_rate 2mbit
	offer A a.pdf print mfp-1
	await_job "$A" '.delivered > 0' "the first cloud's job to be under way"
	second_cloud offer B b.bin store nas-1
	second_cloud finish_jobs "$B"
	wan_rate 100mbit
	finish_jobs "$A"
	check_whole "the first cloud's job" "$A"
	check_whole "the second cloud's job" "$B"
	check "printed once, the same" printed mfp a.pdf
	check "stored, the same" stored nas b.bin
}

# ---- the main job (FIG. 16-17, #801-#818): a print job, then a store job arrives that needs the only slot ----

# print_begins [RATE]: PRINT, 2 MB of a.pdf for mfp-1 on a slow line; until the printer holds the beginning.
print_begins()
{
	content a.pdf 2M
	wan_rate "${1:-2mbit}"
	offer PRINT a.pdf print mfp-1
	await_job "$PRINT" '.delivered > 0' "the printer to hold the beginning"
}

# store_arrives: STORE, b.bin for nas-1; until PRINT has moved for it. Then the line is fast, to the end of both, and what must
# hold in whichever way the print job moves is checked.
store_arrives()
{
	content b.bin 256K
	offer STORE b.bin store nas-1
	await_job "$PRINT" '.moved' "the print job to move"
	wan_rate 100mbit
	finish_jobs "$PRINT" "$STORE"
	check_whole "the print job" "$PRINT"
	check_whole "the store job" "$STORE"
	check "the print job moved in the middle of its content (#816)" went_by "$PRINT" direct tunnel
	check "the store job used a tunnel alone (#757)" went_by "$STORE" tunnel
	check "printed once, the same" printed mfp a.pdf
	check "stored, the same" stored nas b.bin
}

# ---- what hosts did ----

# printed HOST FILE: that printer printed exactly this, once, and nothing else of this name.
printed()
{
	[ "$(find "$WORLD/$1/printed" -type f -name "*.$2" | wc -l)" = 1 ] &&
		cmp "$WORLD/content/$2" "$(find "$WORLD/$1/printed" -type f -name "*.$2")"
}

# printed_never HOST FILE
printed_never()
{
	[ "$(find "$WORLD/$1/printed" -type f -name "*.$2" | wc -l)" = 0 ]
}

# pages HOST FILE...: a printer without agent printed exactly these, each once, in this order.
pages()
{
	local host=$1 n=0 file

	shift
	[ "$(find "$WORLD/$host/pages" -type f | wc -l)" = $# ] || return
	for file; do
		cmp "$WORLD/content/$file" "$WORLD/$host/pages/$n" || return
		n=$((n + 1))
	done
}

# ticket HOST WORD: the printer got it with one of its jobs.
ticket()
{
	grep -qF -- "$2" "$WORLD/$1/tickets"
}

stored()
{
	cmp "$WORLD/content/$2" "$WORLD/$1/files/$2"
}

# fetched_same ID FILE: what the cloud has of a fetch job is this.
fetched_same()
{
	terminal job content "$1" -o "$WORLD/$1.out" 2>>"$WORLD/log/terminal" && cmp "$WORLD/$1.out" "$2"
}

# hold_paper HOST, release_paper HOST: the printer takes its time in between.
hold_paper()
{
	touch "$WORLD/$1/hold"
}

release_paper()
{
	rm -f "$WORLD/$1/hold"
}

# ---- tunnels and records ----

tunnels_in()
{
	in_ns "$1" shunt -j tunnel show | jq -e 'length'
}

tunnels_are()
{
	if [ "$2" = 0 ]; then
		[ "$(in_ns "$1" shunt -j tunnel show)" = "[]" ]
	else
		[ "$(tunnels_in "$1")" = "$2" ]
	fi
}

no_tunnels()
{
	local n host

	for n in $GATEWAYS; do
		tunnels_are "$(gateway_at "$n")" 0 || return
	done
	for n in $CLOUDS; do
		host=$(nth cloud "$n")
		! in_ns "$host" test -e /sys/class/net/shunt0 || tunnels_are "$host" 0 || return
	done
}

# record FILTER [INSTANCE]: whether a gateway's log has such a record.
record()
{
	jq -es "any(.[]; $1)" "$WORLD/state/${2:-shuntd}/record.log"
}

# decided ID ACTION REASON [INSTANCE]: whether the gateway decided so about that job.
decided()
{
	record ".record == \"decision\" and .job == \"$1\" and .action == \"$2\" and .reason == \"$3\"" "${4:-shuntd}"
}

# first_moved [INSTANCE]: the job of the first move.
first_moved()
{
	jq -res '[.[] | select(.record == "decision" and .action == "move")][0].job' "$WORLD/state/${1:-shuntd}/record.log"
}

# connected HOST CLOUD: whether the host itself has a connection to the cloud.
connected()
{
	in_ns "$1" ss -Htn state established "dst $(cloud_host "$2"):8443" | grep -q .
}

not()
{
	! "$@"
}

alive()
{
	local file PID

	for file in "$WORLD"/pid/*; do
		pid_of "${file##*/}" && kill -0 "$PID" || return
	done
}

# ---- running ----

# Contents are small and nobody wants to wait, so what is made for megabytes and minutes is made smaller.
small_scale()
{
	local n

	for n in 1 2; do
		conf "$(nth shuntd $n)" policy.min-remaining 0
		conf "$(nth shuntd $n)" policy.connect-timeout 3s
		conf "$(nth shuntd $n)" drain-timeout 5s
		conf "$(nth shuntd $n)" retry-min 500ms
		conf "$(nth shuntd $n)" retry-max 2s
		conf "$(nth shunt-cloud $n)" segment 32K
		conf "$(nth shunt-cloud $n)" direct-linger 500ms
	done
}

# explain NAME FILE: what went wrong, from what was said; the programs' logs stay in the results.
explain()
{
	local log=/results/${1//[^a-z0-9-]/_}.log

	cp "$2" "$log"
	sed "/^--- /,\$d; s|^|# $1: |" "$2"
	echo "# $1: logs of all programs: ${log##*/} in the results"
}

# run_scenario NAME: its checks go to $CHECKS; what it said comes out where it failed.
run_scenario()
{
	local name=$1 begin=$SECONDS before

	before=$(grep -c '^not ok' "$CHECKS")
	(
		PREFIX="$name: "
		# shellcheck disable=SC2034 # world.sh reads it
		PRINTER=paper
		small_scale
		scenario_world()
		{
			:
		}
		scenario_needs()
		{
			:
		}
		# shellcheck source=/dev/null
		. "$SCENARIOS/$name.sh"
		why=$(scenario_needs)
		if [ -n "$why" ]; then
			echo "ok $name # SKIP $why" >>"$CHECKS"
			exit 0
		fi
		scenario_world
		world_fresh
		scenario_run
		check "no tunnel is left" within 30 no_tunnels
		check "every program is alive" alive
		if [ "$(grep -c '^not ok' "$CHECKS")" -gt "$before" ]; then
			(die "see above")
		fi
		true
	) >"$WORLD.out" 2>&1 ||
		echo "not ok $name: ran to its end" >>"$CHECKS"
	stop_all KILL
	if [ "$(grep -c '^not ok' "$CHECKS")" -gt "$before" ]; then
		explain "$name" "$WORLD.out"
	fi
	echo "# $name: $((SECONDS - begin)) s"
}

# The checks as TAP, for the counts of `make check`.
tap()
{
	awk '{ sub(/^(not )?ok /, "&" NR " - "); print } END { print "1.." NR }' "$CHECKS"
}
