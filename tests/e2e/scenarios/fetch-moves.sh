# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Variant: "transmitting a file stored in the image forming apparatus 10 to an external device", moved as any other job: what
# the cloud fetched through the tunnel before another job needed the slot stays, and the rest comes by the connection.
#
#   job 1  fetch 2 MB ◀──tunnel──┆──direct connection── mfp
#   job 2  store 64 KB           ┆(limit: 1)──tunnel──▶ nas

scenario_world()
{
	TUNNEL_LIMIT=1
	conf shunt-device accept '{"print", "fetch"}'
	conf shunt-device fetch-dir "\"$WORLD/mfp/share\""
	mkdir -p "$WORLD/mfp/share"
	head -c 2M /dev/urandom >"$WORLD/mfp/share/a.bin"
	chmod 777 "$WORLD/mfp/share"
}

scenario_run()
{
	local file store

	content b.bin 64K
	uplink_rate 2mbit
	file=$(taken "$(terminal -j job submit --kind fetch --path a.bin --device mfp-1)") || die "the fetch job was refused"
	await_job "$file" '.delivered > 0' "the beginning to be fetched"
	offer store b.bin store nas-1
	await_job "$file" '.moved' "the fetch job to move"
	uplink_rate none
	finish_jobs "$file" "$store"
	check_whole "the fetch job" "$file"
	check_whole "the store job" "$store"
	check "it was moved for the sake of the limit" decided "$file" move tunnel-limit
	check "content came by both, in this order" final "$file" '[.paths[] | select(.bytes > 0) | .kind] == ["tunnel", "direct"]'
	check "together each byte once" final "$file" '([.paths[].bytes] | add) == .size'
	check "it is the file" fetched_same "$file" "$WORLD/mfp/share/a.bin"
	check "the tunnel's record says that it moved, and which way it carried" within 10 record \
		".record == \"7K\" and .job == \"$file\" and .reason == \"moved\" and .tx.bytes > .rx.bytes"
	check "stored, the same" stored nas b.bin
}
