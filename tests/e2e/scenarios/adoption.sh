# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Nothing lost: the kernel keeps tunnels while shuntd is dead, and the next shuntd adopts them by their cookie, the job's id;
# what nobody answers for is removed, with a record.
#
#   job  store 1 MB ──tunnel───────────────▶ nas
#                        shuntd: kill -9, start

tunnel_id()
{
	in_ns gw shunt -j tunnel show | jq -er '.[0].id'
}

scenario_run()
{
	local id before

	content a.bin 1M
	wan_rate 1mbit
	offer id a.bin store nas-1
	await_job "$id" '.delivered > 0' "the job to be under way"
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
	check "the new shuntd says that it adopted the job's tunnel" within 10 grep -q "adopted: job $id" "$WORLD/log/shuntd"
	check "the orphan is gone, with a record" within 10 record '.record == "7K" and .reason == "orphaned"'
	wan_rate 100mbit
	finish_jobs "$id"
	check "the job completed" final "$id" '.state == "completed" and .delivered == .size'
	check "stored, the same" stored nas a.bin
	check "the tunnel's record is there once it has ended" within 10 record ".record == \"7K\" and .job == \"$id\""
}
