# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Variant: "transmitting a file stored in the image forming apparatus 10 to an external device". A file and a scan come from
# the device, each once, and are the same here as there. The device is asked to connect as for any other job.
#
#   job 1  fetch 32 MB ◀──tunnel──┆──direct connection── mfp
#   job 2  scan:flatbed ◀────────────direct connection── mfp

scenario_world()
{
	conf shuntd policy.when always
	conf shunt-device accept '{"print", "fetch"}'
	conf shunt-device fetch-dir "\"$WORLD/mfp/share\""
	conf shunt-device scan-command "\"/bin/sh -c 'echo scanned >>$WORLD/mfp/share/scans; head -c 300000 /dev/urandom | tee $WORLD/mfp/share/page >%f'\""
	mkdir -p "$WORLD/mfp/share"
	head -c 32M /dev/urandom >"$WORLD/mfp/share/a.bin"
	chmod 777 "$WORLD/mfp/share"
}

fetch_job()
{
	taken "$(terminal -j job submit --kind fetch --path "$1" --device mfp-1 2>>"$WORLD/log/terminal")"
}

scenario_run()
{
	local file scan

	file=$(fetch_job a.bin) || die "the fetch job was refused"
	LIMIT=120 finish_jobs "$file"
	check_whole "the file" "$file"
	check "it is the file" fetched_same "$file" "$WORLD/mfp/share/a.bin"
	check "the gateway had the device connect for it" decided "$file" move always
	check "a tunnel was established first, then the connection" final "$file" '[.paths[].kind] == ["tunnel", "direct"]'
	check "the connection carried content" final "$file" 'any(.paths[]; .kind == "direct" and .bytes > 0)'
	scan=$(fetch_job scan:flatbed) || die "the scan was refused"
	finish_jobs "$scan"
	check_whole "the scan" "$scan"
	check "it is what was scanned" fetched_same "$scan" "$WORLD/mfp/share/page"
	check "it was scanned once" test "$(wc -l <"$WORLD/mfp/share/scans")" -eq 1
}
