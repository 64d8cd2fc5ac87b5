# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Claims 2-3: "When the number of tunnels is small, the cloud server 21 may make the tunnel and the connection coexist, divide
# the data into two, and transmit each"; "until the tunnel is disconnected". The tunnel goes when another job needs its slot.
#
#   A  print 3 MB ──tunnel──────────────▶┆		mfp	(limit: 1)
#                   direct connection ───┆────────────▶ mfp
#   B  store 64 KB			 ┆──tunnel────▶ nas

scenario_world()
{
	TUNNEL_LIMIT=1
	conf shuntd policy.when always
	conf shuntd policy.split true
}

# both_carried ID: the running job's content has gone by tunnel and connection, and both are in use.
both_carried()
{
	job_is "$1" '[.paths[] | select(.state == "active" and .bytes > 0) | .kind] | unique == ["direct", "tunnel"]'
}

scenario_run()
{
	local a b

	content a.pdf 3M
	content b.bin 64K
	wan_rate 2mbit
	offer a a.pdf print mfp-1
	await 60 "tunnel and connection to carry content together" both_carried "$a"
	check "it does not count as moved while it has both" job_is "$a" '.moved | not'
	offer b b.bin store nas-1
	await_job "$a" '.moved' "the tunnel to be cut"
	wan_rate 100mbit
	finish_jobs "$a" "$b"
	check_whole "the divided job" "$a"
	check_whole "the other job" "$b"
	check "the device was asked because it can, and the tunnel stayed" decided "$a" split always
	check "the tunnel was cut for its slot" decided "$a" move tunnel-limit
	check "content went both ways" went_by "$a" direct tunnel
	check "the device was asked once" jq -es '[.[] | select(.record == "7J")] | length == 1' "$WORLD/state/shuntd/record.log"
	check "the other job used a tunnel alone" went_by "$b" tunnel
	check "printed once, the same" printed mfp a.pdf
	check "stored, the same" stored nas b.bin
}
