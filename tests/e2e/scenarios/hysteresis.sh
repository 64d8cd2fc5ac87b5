# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Second embodiment with two marks: once the limit is passed jobs are moved until `tunnels-low` are left, and not a single one
# more before the limit is passed again.
#
#   A  priority 5 ──tunnel────────────────────────▶ mfp
#   B  priority 3 ──tunnel──▶┆──direct────────────▶ mfp2	moved, too, down to the low mark: 2
#   C  priority 1 ──tunnel──▶┆──direct────────────▶ mfp4	moved first
#   D                        ┆(limit: 3)──tunnel──▶ nas
#   E                              3 again┆─tunnel▶ nas	passes nothing, and moves nobody

scenario_world()
{
	MFPS="1 2 4"	# 3 is behind another gateway where there are two
	TUNNEL_LIMIT=3
	conf shuntd policy.tunnels-low 2
	# a move that fails for being slow would have another job moved instead
	conf shuntd policy.connect-timeout 20s
	conf shuntd drain-timeout 20s
}

moves()
{
	jq -cs '[.[] | select(.record == "decision" and .action == "move") | .job]' "$WORLD/state/shuntd/record.log"
}

has_tunnel()
{
	await_job "$1" 'any(.paths[]; .kind == "tunnel" and .state == "active")' "job $1 to have its tunnel"
}

scenario_run()
{
	local a b c d e id

	content a.pdf 4M
	content b.pdf 1M
	content c.pdf 1M
	content d.bin 4M
	content e.bin 64K
	wan_rate 4mbit
	offer a a.pdf print mfp-1 --priority 5
	offer b b.pdf print mfp-2 --priority 3
	offer c c.pdf print mfp-4 --priority 1
	for id in "$a" "$b" "$c"; do
		has_tunnel "$id"
	done
	check "at the limit nobody is moved" [ "$(moves)" = "[]" ]
	offer d d.bin store nas-1
	has_tunnel "$d"
	for id in "$b" "$c"; do
		await_job "$id" '.moved' "job $id to move"
	done
	await 30 "the low mark to be reached" tunnels_are gw 2
	offer e e.bin store nas-1
	has_tunnel "$e"
	wan_rate 100mbit
	finish_jobs "$a" "$b" "$c" "$d" "$e"
	for id in a b c d e; do
		check_whole "job $id" "${!id}"
	done
	check "moves went on to the low mark, and stopped there" [ "$(moves)" = "[\"$c\",\"$b\"]" ]
	check "the reason has the figures" record ".action == \"move\" and .job == \"$b\" and (.text | test(\"^tunnels 3\\\\+1 > limit 3\"))"
	check "between the marks a tunnel is opened at once, though two are there" record \
		".action == \"open\" and .job == \"$e\" and .reason == \"below-limit\" and (.text | test(\"^tunnels 2\\\\+1\"))"
	check "the highest priority stayed in its tunnel" went_by "$a" tunnel
}
