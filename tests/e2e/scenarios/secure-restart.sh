# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Secure storage (#781-#782) over kill -9 in the middle of the content: of the agent, which goes on with the file key and what it
# had sealed; and of the cloud, which sends the same encrypted octets again.
#
#   job 1  store 1 MB ──tunnel──▶ mfp: the agent is killed
#   job 2  store 1 MB ──tunnel──▶ nas: the cloud is killed

scenario_world()
{
	rm -rf "$WORLD"/mfp/files "$WORLD"/secure.key
	mkdir -p "$WORLD"/mfp/files
	chown nobody "$WORLD"/mfp/files
	RECIPIENT=$(shunt key new "$WORLD/secure.key")
	conf shunt-device encrypt-to "{\"$RECIPIENT\"}"
	conf shunt-device accept '{"store"}'
	conf shunt-device store-dir "\"$WORLD/mfp/files\""
}

opens()
{
	shunt decrypt -i "$WORLD/secure.key" "$WORLD/$1/files/$2.age" | cmp - "$WORLD/content/$2"
}

no_secrets_left()
{
	[ -z "$(find "$WORLD/state" "$WORLD/mfp/files" -name '*.key*' -o -name '*.scratch' -o -name '.shunt-*')" ]
}

scenario_run()
{
	local a b

	admin device set nas-1 --gateway gw1 --address "$(nas_address 1)" --service webdav:80:/ \
		--recipient "$RECIPIENT" >>"$WORLD/log/registry"
	content a.bin 1M
	content b.bin 1M
	wan_rate 2mbit
	offer a a.bin store mfp-1
	await_job "$a" '.delivered > 200000' "the agent to hold some"
	kill_program shunt-device
	check "the agent's disk has a file key while it needs one" test -n "$(find "$WORLD/state/shunt-device" -name '*.key')"
	check "the file is there under a name of its own, encrypted" grep -q '^age-encryption.org/v1' "$WORLD"/mfp/files/.shunt-*.age.part
	wan_rate 100mbit
	run_device 1
	finish_jobs "$a"
	check "the agent's job completed" final "$a" '.state == "completed"'
	check "not all of it was sent again" final "$a" '.resent < 900000'
	check "what the agent stored opens" opens mfp a.bin
	wan_rate 2mbit
	offer b b.bin store nas-1
	await_job "$b" '.delivered > 200000' "the file server to get some"
	kill_program shunt-cloud
	check "the cloud's disk has a file key while it needs one" test -n "$(find "$WORLD/state/shunt-cloud" -name '*.key')"
	wan_rate 100mbit
	run_cloud 1
	finish_jobs "$b"
	check "the cloud's job completed" final "$b" '.state == "completed"'
	check "what the file server stored opens" opens nas b.bin
	check "no key and no half of a file is left" within 10 no_secrets_left
}
