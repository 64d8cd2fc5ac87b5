# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Faults at every stage of a job. A case is FAULT/STAGE: the stage brings a job to a certain point and holds it there, the
# fault breaks something and mends it again, and then every accepted job must end: completed, with identical content and
# printed or stored exactly once, or not completed with a reason, and not printed. No tunnel may be left, every program must be
# alive, what was sent twice must be reported.
#
#   A  store, the other job ──────tunnel──▶ nas-1
#   B  print, the victim ──tunnel──▶┆──direct connection──▶ mfp-1	(limit: 1)
#
# Order and instants come from SEED, which every run prints. Scaled: contents are 3 MB at most, pauses after failures 0.5 to 2 s
# instead of 30 s to 10 min, a device may take 3 s to connect instead of 10. Outages that the programs are not to notice last
# 3 s; those that they must (a silent peer is asked after 15 s and given up 10 s later) last a minute.

STAGES="uploading waiting opening tunnel requested direct-opening draining direct executing unacknowledged"

# ---- stages: each leaves the victim's id in VICTIM, unless the cloud has not accepted it yet ----

# track ID FILE KIND HOST: a job that has been accepted.
track()
{
	JOBS+=("$1 $2 $3 $4")
}

victim()
{
	offer VICTIM victim.pdf print mfp-1
	track "$VICTIM" victim.pdf print mfp
}

other()
{
	local id

	offer id other.bin store nas-1
	track "$id" other.bin store nas
}

# nft_table TABLE HOST CHAIN:RULE...: rules that come before all others.
nft_table()
{
	local table=$1 host=$2 rule

	shift 2
	{
		echo "table inet $table {"
		for rule; do
			printf 'chain %s {\ntype filter hook %s priority -310; policy accept;\n%s\n}\n' \
				"${rule%%:*}" "${rule%%:*}" "${rule#*:}"
		done
		echo "}"
	} | in_ns "$host" nft -f - || die "nft on $host"
}

# hold_gateway CHAIN:RULE...: rules of the gateway that hold a job where it is; gone with unhold.
hold_gateway()
{
	nft_table hold gw "$@"
}

# Whatever stages do to hold a job; also for what a case that gave up has left.
unhold()
{
	in_ns gw nft delete table inet hold 2>/dev/null
	release_paper mfp
	# netem that is replaced without a rate keeps the one it had
	tc -n terminal qdisc del dev eth0 root
	distance terminal eth0
	uplink_rate none
	wan_rate 100mbit
}

receiving()
{
	terminal -j job list | jq -e 'any(.jobs[]; .state == "receiving")' &&
		[ -n "$(find "$WORLD/disk-shunt-cloud/state/spool" -type f -size +15k)" ]
}

stage_uploading()
{
	tc -n terminal qdisc replace dev eth0 root netem delay "$HALF_RTT" limit 20000 rate 2mbit
	submit victim.pdf print mfp-1 >"$WORLD/submitted" 2>>"$WORLD/log/terminal" &
	UPLOAD=$!
	await 20 "the upload to be under way" receiving
}

stage_waiting()
{
	local first

	offer first first.bin store nas-1
	track "$first" first.bin store nas
	await_job "$first" '.delivered > 0' "the first job to have the only tunnel"
	offer VICTIM other.bin store nas-1
	track "$VICTIM" other.bin store nas
	await_job "$VICTIM" '.state == "waiting"' "the victim to wait"
}

# Capsules do not pass, so the tunnel stays without its first packet.
stage_opening()
{
	hold_gateway "output:udp dport 4500 drop"
	victim
	await_job "$VICTIM" 'any(.timeline[]; .event == "decision" and .action == "open")' "the tunnel to be granted"
}

stage_tunnel()
{
	victim
	await_job "$VICTIM" '.delivered > 0' "content in the tunnel"
}

# The device accepts the request and cannot connect yet.
stage_requested()
{
	stage_tunnel
	hold_gateway "prerouting:iifname \"br-lan\" ip daddr 203.0.113.10 tcp dport 8443 drop"
	other
	await_job "$VICTIM" 'any(.timeline[]; .event == "decision" and .action == "move")' "the decision to move"
}

stage_direct-opening()
{
	stage_tunnel
	tc -n gw qdisc replace dev wan root netem delay 100ms limit 20000
	other
	await 20 "the device's connection" connected mfp 1
}

stage_draining()
{
	stage_tunnel
	wan_rate 1mbit
	other
	await_job "$VICTIM" 'any(.timeline[]; .event == "path-draining")' "the tunnel to drain"
}

stage_direct()
{
	stage_tunnel
	other
	await_job "$VICTIM" 'any(.paths[]; .kind == "direct" and .bytes > 0)' "content on the direct path"
}

stage_executing()
{
	stage_tunnel
	hold_paper mfp
	other
	await_job "$VICTIM" 'any(.paths[]; .kind == "direct" and .bytes > 0)' "content on the direct path"
	wan_rate 100mbit
	await_job "$VICTIM" '.state == "executing"' "the job to be executed"
}

device_says()
{
	grep -q "job: $VICTIM: $1" "$WORLD/log/shunt-device"
}

# The device has completed, but its word does not get through.
stage_unacknowledged()
{
	stage_executing
	hold_gateway "prerouting:iifname \"br-lan\" tcp dport 8443 drop; iifname \"br-lan\" tcp sport 8632 drop"
	release_paper mfp
	await 20 "the device to complete" device_says completed
}

# ---- judging ----

bad()
{
	FAILED=1
	say "  not as it must be: $*"
}

# judge_job ID FILE KIND HOST ALLOWED: ALLOWED is a regular expression of "STATE:REASON" beside completed.
judge_job()
{
	local id=$1 file=$2 kind=$3 host=$4 allowed=$5 state reason copies

	job "$id" >"$WORLD/job-$id.json"
	state=$(jq -r '.state' "$WORLD/job-$id.json")
	reason=$(jq -r '"\(.reason // ""): \(.text // .timeline[-1].text)"' "$WORLD/job-$id.json")
	copies=$(find "$WORLD/$host/printed" -type f -name "$id.*" 2>/dev/null | wc -l)
	say "  $kind job $id: $state [$reason] $(jq -c '{delivered, resent, size}' "$WORLD/job-$id.json")"
	if [ "$state" = completed ]; then
		if [ "$kind" = print ]; then
			[ "$copies" = 1 ] || bad "$id was printed $copies times"
			cmp "$WORLD/content/$file" "$WORLD/$host/printed/$id.1.$file" || bad "$id: what was printed differs"
		else
			cmp "$WORLD/content/$file" "$WORLD/$host/files/$file" || bad "$id: what was stored differs"
		fi
		final "$id" '.delivered == .size' >/dev/null || bad "$id: completed, but not all of it delivered"
	elif [[ ! "$state:$reason" =~ ^($allowed) ]]; then
		bad "$id is $state: $reason"
	elif [ "$state" != interrupted ] && [ "$copies" != 0 ]; then
		bad "$id is $state, but was printed $copies times"
	fi
	final "$id" '.resent >= 0' >/dev/null || bad "$id: nothing is said of bytes sent twice"
}

# The upload ends one way or the other; a job that the cloud has not accepted is nobody's promise.
judge_upload()
{
	local id

	wait "$UPLOAD"
	id=$(cat "$WORLD/submitted")
	if [ -n "$id" ]; then
		track "$id" victim.pdf print mfp
	else
		say "  the terminal was told that the upload failed: $(tail -n 1 "$WORLD/log/terminal")"
		[ -s "$WORLD/log/terminal" ] || bad "the upload failed without a word"
	fi
}

# judge ALLOWED LIMIT: every job is to end within LIMIT seconds.
judge()
{
	local allowed=$1 limit=$2 entry id

	[ -z "$UPLOAD" ] || judge_upload
	for entry in "${JOBS[@]}"; do
		id=${entry%% *}
		within "${LIMIT:-$limit}" ended "$id" || bad "$id has not ended: $(job "$id" | jq -c '[.state, .timeline[-3:]]')"
	done
	for entry in "${JOBS[@]}"; do
		# shellcheck disable=SC2086 # its four words
		judge_job $entry "$allowed"
	done
	within 30 no_tunnels || bad "tunnels are left: gateway $(tunnels_in gw), cloud $(tunnels_in cloud)"
	alive || bad "a program has died"
}

# ---- running ----

chaos_world()
{
	# shellcheck disable=SC2034 # world.sh reads them
	PRINTER=paper TUNNEL_LIMIT=1
	small_scale
	conf shunt-cloud attempts 40
	content first.bin 3M
	content other.bin 64K
	content victim.pdf 3M
	chaos_disks
	world_fresh
}

# play FAULT STAGE: one case in the present world.
play()
{
	local fault=$1 stage=$2

	declare -F "stage_$stage" "fault_$fault" >/dev/null || die "there is no such case"
	VICTIM='' UPLOAD='' FAILED=0
	JOBS=()
	world_heal
	unhold
	wan_rate 2mbit
	# who was cut off again and again, as by several cases in a row, waits 30 s and a quarter before dialling again
	await 45 "the gateway to be connected to the manager" gateway_connected 1
	# or the next job would use it, and never see the stage's tunnel
	await 30 "the connection of the case before to end" not connected mfp 1
	"stage_$stage"
	say "  $stage: ${VICTIM:-uploading}; now $fault"
	sleep "0.0$((RANDOM % 10))"	# the instant within the stage is drawn
	"fault_$fault" "$stage"
	unhold
	"mend_$fault" "$stage"
	judge "$(allowed "$fault" "$stage")" "$(limit "$fault" "$stage")"
	return "$FAILED"
}

# chaos_case FAULT STAGE: in a subshell, so that giving up ends this case only.
chaos_case()
{
	local begin=$SECONDS name=$1/$2 status=0

	(play "$1" "$2") >"$WORLD.out" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		echo "ok $PREFIX$name" >>"$CHECKS"
		echo "# $PREFIX$name: $((SECONDS - begin)) s; $(grep -o '"resent":[0-9]*' "$WORLD.out" | tr '\n' ' ')"
	else
		echo "not ok $PREFIX$name" >>"$CHECKS"
		grep -q "^FAIL:" "$WORLD.out" || (die "see above") >>"$WORLD.out" 2>&1
		explain "$PREFIX$name" "$WORLD.out"
		echo "# $PREFIX$name: failed after $((SECONDS - begin)) s"
	fi
	return $status
}

# Cases of the short selection stand in the table with "short".
chaos_table()
{
	local fault stage

	for fault in $ALL_FAULTS; do
		for stage in $STAGES; do
			if case_exists "$fault" "$stage"; then
				echo "$fault/$stage"
			fi
		done
	done
}

# chaos [short | all | FAULT/STAGE | FAULT | STAGE...]: runs them in an order drawn from SEED.
chaos()
{
	local name fresh=1
	local -a names=()

	SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
	RANDOM=$SEED
	case ${1:-short} in
	short) names=("${SHORT[@]}") ;;
	all) mapfile -t names < <(chaos_table) ;;
	*)
		for name; do
			case $name in
			*/*) names+=("$name") ;;
			*) mapfile -t -O "${#names[@]}" names < <(chaos_table | grep -E "^$name/|/$name\$") ;;
			esac
		done
		;;
	esac
	mapfile -t names < <(for name in "${names[@]}"; do echo "$RANDOM $name"; done | sort -n | cut -d ' ' -f 2)
	echo "# chaos: SEED=$SEED, ${#names[@]} cases"
	PREFIX="chaos: "
	for name in "${names[@]}"; do
		[ $fresh = 0 ] || chaos_world >"$WORLD.out" 2>&1 || {
			sed 's/^/# /' "$WORLD.out"
			echo "not ok ${PREFIX}a world for $name and what was to follow" >>"$CHECKS"
			return 1
		}
		fresh=0
		chaos_case "${name%/*}" "${name#*/}" || fresh=1
	done
}
