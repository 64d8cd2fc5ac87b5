# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# "When the file server 15 receives the command of the secure storage job and the file 7C (#781), the file server 15 encrypts
# the file 7C and stores it (#782)." The mfp has the agent, which encrypts for its owner's key; the nas has none, so the cloud
# encrypts for the recipient in the registry. What was stored is read by shunt and by the age program alike.
#
#   job 1  store 2 MB ──tunnel──▶┆──direct connection──▶ mfp: agent encrypts
#   job 2  store 256 KB          ┆(limit: 1)──tunnel───▶ nas: the cloud has encrypted
#   job 3  store 2 MB ─────────────────────────────────▶ mfp: passes store-quota

scenario_world()
{
	TUNNEL_LIMIT=1
	rm -rf "$WORLD"/mfp/{files,keys} "$WORLD"/{mfp,nas}.key
	mkdir -p "$WORLD"/mfp/{files,keys}
	chmod 700 "$WORLD/mfp/keys"
	chown nobody "$WORLD"/mfp/{files,keys}
	# keys of either program will do
	age-keygen -o "$WORLD/nas.key" 2>/dev/null
	conf shunt-device encrypt-to "{\"$(shunt key new "$WORLD/mfp.key")\"}"
	conf shunt-device key-dir "\"$WORLD/mfp/keys\""
	conf shunt-device accept '{"store"}'
	conf shunt-device store-dir "\"$WORLD/mfp/files\""
	conf shunt-device store-quota 3M
}

# opens HOST FILE: what is stored there is, for the holder of the host's key, the file that was submitted; with both programs.
opens()
{
	shunt decrypt -i "$WORLD/$1.key" "$WORLD/$1/files/$2.age" | cmp - "$WORLD/content/$2" &&
		age -d -i "$WORLD/$1.key" "$WORLD/$1/files/$2.age" | cmp - "$WORLD/content/$2"
}

# none_of FILE...
none_of()
{
	local file

	for file; do
		[ ! -e "$file" ] || return
	done
}

# shunt reads what age has encrypted for a key of shunt's.
other_way()
{
	# shellcheck disable=SC2094 # read twice, written never
	age -r "$(shunt key show "$WORLD/mfp.key")" <"$WORLD/content/b.bin" |
		shunt decrypt -i "$WORLD/mfp.key" | cmp - "$WORLD/content/b.bin"
}

# The error, and nothing else.
wrong_key()
{
	[ "$(shunt decrypt -i "$WORLD/mfp.key" "$WORLD/nas/files/b.bin.age" 2>&1)" = \
		"Error: $WORLD/nas/files/b.bin.age: the file is not encrypted to this identity" ]
}

scenario_run()
{
	local a b c

	admin device set nas-1 --gateway gw1 --address "$(nas_address 1)" --service webdav:80:/ \
		--recipient "$(shunt key show "$WORLD/nas.key")" >>"$WORLD/log/registry"
	content a.bin 2M
	content b.bin 256K
	wan_rate 2mbit
	offer a a.bin store mfp-1
	await_job "$a" '.delivered > 0' "the agent to hold the beginning"
	offer b b.bin store nas-1
	await_job "$a" '.moved' "the job to move"
	wan_rate 100mbit
	finish_jobs "$a" "$b"
	check_whole "the job of the agent" "$a"
	check_whole "the job of the file server" "$b"
	check "it moved in the middle of its content" went_by "$a" direct tunnel
	check "what the agent stored opens" opens mfp a.bin
	check "what the file server stored opens" opens nas b.bin
	check "neither is there in clear" none_of "$WORLD/mfp/files/a.bin" "$WORLD/nas/files/b.bin"
	check "no key is left" none_of "$WORLD"/mfp/keys/* "$WORLD"/state/shunt-device/*.{key,scratch} \
		"$WORLD"/state/shunt-cloud/spool/*.key
	check "the job says how it was stored" final "$a" 'any(.timeline[]; .text | contains("a.bin.age"))'
	check "another key does not open it" wrong_key
	check "what age encrypts opens, too" other_way
	offer c a.bin store mfp-1 --name c.bin
	finish_jobs "$c"
	check "what passes the quota is refused, with the numbers" final "$c" \
		'.state == "failed" and any(.timeline[]; .text | test("beside 209[0-9]+ of stored files and 0 of unfinished jobs pass store-quota"))'
}
