# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# #736-#737, #747, #777: the gateway stores log data 7J (of a connection, from the device) and 7K (of a tunnel); `shunt log`
# reads them.
#
#   job 1  print 1 MB ──tunnel──▶┆──direct connection──▶ mfp	7K, 7J
#   job 2  store 64 KB ─────────────────────tunnel──────▶ nas	7K

scenario_world()
{
	conf shuntd policy.when always
}

log_show()
{
	in_ns gw shunt -j log show "$WORLD/state/shuntd/record.log" "$@"
}

# one_record ID TYPE FILTER
one_record()
{
	log_show --record "$2" --job "$1" | jq -es "flatten | length == 1 and all(.[]; $3)"
}

reasons()
{
	log_show --record decision --job "$1" | jq -es 'flatten | length > 1 and all(.[]; .reason != "" and .text != "")'
}

as_text()
{
	in_ns gw shunt log show "$WORLD/state/shuntd/record.log" | grep -q "$1"
}

scenario_run()
{
	local print store

	content a.pdf 1M
	content b.bin 64K
	offer print a.pdf print mfp-1
	offer store b.bin store nas-1
	finish_jobs "$print" "$store"
	check_whole "the print job" "$print"
	check_whole "the store job" "$store"
	check "7K of the store job: device, cloud, what it carried" within 10 one_record "$store" 7K \
		'.device == "nas-1" and .cloud == "cloud1" and .rx.bytes > 65536 and .tx.packets > 0'
	check "7K of the print job: its tunnel ended because it had moved" within 10 one_record "$print" 7K \
		'.device == "mfp-1" and .reason == "moved" and .rx.bytes < 1048576'
	check "7J of the print job: its connection, and how it ended" within 20 one_record "$print" 7J \
		'.device == "mfp-1" and .cloud == "cloud1" and .result == "completed" and .bytes_in > 0'
	check "no 7J where there was no connection" test "$(log_show --record 7J --job "$store" | jq -s 'flatten | length')" = 0
	check "decisions are there, each with its reason" reasons "$print"
	check "and as text" as_text "$print"
}
