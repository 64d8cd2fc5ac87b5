# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Many more jobs than tunnels: 1,000 at once to 50 devices behind one gateway that allows 20 tunnels. The devices can connect,
# so the limit moves them out of the way (#806-#818); all jobs finish, those of high priority first.
#
#   terminal ══ 1,000 store jobs of 4 KB, priorities 0 to 7 ══▶ cloud ──20 tunnels, then direct connections──▶ mfp .. mfp50

OVERLOAD_DEVICES=50
OVERLOAD_JOBS=1000

scenario_world()
{
	local n

	MFPS=$(seq -s ' ' $OVERLOAD_DEVICES)
	NASES=''
	TUNNEL_LIMIT=20
	for n in $MFPS; do
		mkdir -p "$WORLD/stores/mfp-$n/store"
		chown nobody "$WORLD/stores/mfp-$n/store"
		conf "$(nth shunt-device "$n")" accept '{"store"}'
		conf "$(nth shunt-device "$n")" store-dir "\"$WORLD/stores/mfp-$n/store\""
		conf "$(nth shunt-device "$n")" log-level warning
	done
}

# overload: the terminals; what they saw is left in overload.json.
overload()
{
	in_ns terminal "$BIN/bench/jobs" --ca "$WORLD/pki/ca.crt" --cert "$WORLD/pki/terminal-alice.crt" \
		--key "$WORLD/pki/terminal-alice.key" --cloud 203.0.113.10:8443 --stores "$WORLD/stores" --prefix mfp- \
		--devices $OVERLOAD_DEVICES --jobs $OVERLOAD_JOBS --window $OVERLOAD_JOBS --conns 8 --priorities \
		--procs "cloud=$(cat "$WORLD/pid/shunt-cloud")" --procs "gateway=$(cat "$WORLD/pid/shuntd")" \
		>"$WORLD/overload.json"
}

saw()
{
	jq -e "$1" "$WORLD/overload.json"
}

# most_tunnels: the highest number of tunnels the gateway had, as its records tell.
most_tunnels()
{
	jq -es '[.[] | select(.record == "7K") | [.opened, 1], [.closed, -1]] | sort
		| reduce .[] as $e ({n: 0, max: 0}; .n += $e[1] | .max = ([.max, .n] | max)) | .max' "$WORLD/state/shuntd/record.log"
}

scenario_run()
{
	wan_rate 100mbit
	check "every job finished, every file is where it belongs as it was sent" overload
	cp "$WORLD/overload.json" /results/overload.json
	check "nothing was refused: max-jobs is larger" saw '.refused_503 == 0'
	check "slots went to the highest priorities that waited" saw '.slots > 0 and .slot_inversions == 0'
	# A few are on their way when the slot is given; see performance.md.
	check "few that were on their way came late" saw '.slot_late * 20 <= .slots'
	check "the high priorities waited less than the low ones" \
		saw '.queued_ms_by_priority | (.[5:] | add) < (.[:3] | add)'
	say "at most $(most_tunnels) tunnels at once"
	cat "$WORLD/overload.json"
}
