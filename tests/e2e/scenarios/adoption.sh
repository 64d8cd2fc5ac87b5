# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Nothing lost: the kernel keeps tunnels while shuntd is dead, and the next shuntd adopts them by their cookie, the job's id;
# what nobody answers for is removed, with a record. An adopted tunnel counts like any other, and its job is moved like any
# other when the next one arrives (#806-#818), although the token for that is on no disk: the cloud gives a new one.
#
#   job 1  print 2 MB ──tunnel────────────────▶┆──direct connection──▶ mfp
#                        shuntd: kill -9, start ┆
#   job 2  store 256 KB                         ┆(limit: 1)──tunnel───▶ nas

scenario_world()
{
	TUNNEL_LIMIT=1
}

tunnel_id()
{
	in_ns gw shunt -j tunnel show | jq -er '.[0].id'
}

scenario_run()
{
	local before

	print_begins 1mbit
	before=$(tunnel_id)
	kill -KILL "$(cat "$WORLD/pid/shuntd")"
	check "the kernel keeps the tunnel" test "$(tunnel_id)" = "$before"
	# One that no ledger knows, as if its record had not reached the disk.
	head -c 36 /dev/urandom >"$WORLD/key-in"
	head -c 36 /dev/urandom >"$WORLD/key-out"
	chmod 600 "$WORLD"/key-*
	check "an orphan is made" in_ns gw shunt tunnel add dev shunt0 side near spi-in 0x1001 spi-out 0x2001 cipher aes-gcm-256 \
		key-in "file:$WORLD/key-in" key-out "file:$WORLD/key-out" endpoint 203.0.113.10:4500 near 10.9.0.2 far 10.9.0.1
	run_gateway 1
	check "the new shuntd says that it adopted the job's tunnel" within 10 grep -q "adopted: job $PRINT" "$WORLD/log/shuntd"
	check "the orphan is gone, with a record" within 10 record '.record == "7K" and .reason == "orphaned"'
	check "the cloud tells it of the job again" within 20 grep -q "$before: the cloud knows it: job $PRINT" "$WORLD/log/shuntd"
	check "no secret is on the gateway's disk" not grep -rq token "$WORLD/state/shuntd"
	store_arrives
	check "the adopted job was moved for the sake of the limit (#809)" decided "$PRINT" move tunnel-limit
	check "and its tunnel's record (7K) says so" record \
		".record == \"7K\" and .job == \"$PRINT\" and .tunnel == \"$before\" and .reason == \"moved\""
}
