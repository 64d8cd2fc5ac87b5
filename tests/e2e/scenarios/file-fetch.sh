# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Files and lists of directories from file servers without agent (#757-#777, and the variant in which a stored file is sent
# outward), over connections and a cloud that break in the middle: what has come is not fetched again, and a file that changes
# meanwhile is fetched anew.
#
#   alice ── cloud ══tunnel══ gw ─╳─ nas (lighttpd), nas2 (Apache: http, Digest, https with Basic)

PASSWORD="correct horse battery staple"

scenario_world()
{
	NASES="1 2"
	TUNNEL_LIMIT=8
	give_credentials "nas-2 shunt $PASSWORD" "nas-3 shunt $PASSWORD"
}

apache()
{
	NAS_PASSWORD=$PASSWORD NAS_CREDENTIALS=$WORLD/pki/device-nas-3 "$TOP/tests/e2e/hosts/apache.sh" "$1" nas2 "$WORLD/apache" \
		>>"$WORLD/log/apache" 2>&1
}

scenario_run()
{
	local a b c changed list root missing directory

	certify device nas-3
	rm -rf "$WORLD/apache"
	apache start || die "Apache did not start"
	admin device set nas-2 --gateway gw1 --address "$(nas_address 2)" --service webdav:8080:/ >>"$WORLD/log/registry"
	admin device set nas-3 --gateway gw1 --address "$(nas_address 2)" --service webdav:443:tls:/ >>"$WORLD/log/registry"
	content a.bin 2M
	content b.bin 2M
	mkdir -p "$WORLD/nas/files/in/sub" "$WORLD/apache/files/in"
	cp "$WORLD/content/a.bin" "$WORLD/nas/files/in/a b.bin"
	cp "$WORLD/content/a.bin" "$WORLD/nas/files/changed.bin"
	cp "$WORLD/content/a.bin" "$WORLD/apache/files/in/a.bin"
	# Apache's tags are weak as long as the file may change within the same second (RFC 9110 8.8.1).
	touch -d "1 hour ago" "$WORLD/apache/files/in/a.bin" "$WORLD/nas/files/changed.bin"

	uplink_rate 8mbit
	fetch a nas-1 "in/a b.bin"
	fetch b nas-2 in/a.bin
	fetch changed nas-1 changed.bin
	await_job "$a" '.delivered > 100000' "some of it to be here"
	cut_port nas 80
	await_job "$b" '.delivered > 100000' "some of it to be here"
	cut_port nas2 8080
	await_job "$changed" '.delivered > 100000' "some of it to be here"
	cp "$WORLD/content/b.bin" "$WORLD/nas/files/changed.bin"
	uplink_rate none
	finish_jobs "$a" "$b" "$changed"
	check_whole "what lighttpd serves" "$a"
	check_whole "what Apache serves" "$b"
	check "its connection broke, and the rest was asked for" final "$a" 'any(.timeline[]; .event == "get-resumed")'
	check "and Apache's" final "$b" 'any(.timeline[]; .event == "get-resumed")'
	check "it is the file" fetched_same "$a" "$WORLD/content/a.bin"
	check "and Apache's file" fetched_same "$b" "$WORLD/content/a.bin"
	check "a file that is changed while it comes is fetched anew, and the job says so" \
		final "$changed" 'any(.timeline[]; .event == "content-dropped" and .reason == "content-changed")'
	check "and is the one that is there in the end" fetched_same "$changed" "$WORLD/content/b.bin"

	uplink_rate 8mbit
	fetch c nas-2 in/a.bin
	await_job "$c" '.delivered > 600000' "some of it to be on the cloud's disk"
	kill_program shunt-cloud
	uplink_rate none
	run_cloud 1
	fetch list nas-1 in/
	fetch root nas-3 /
	fetch missing nas-3 in/b.bin
	fetch directory nas-1 in
	finish_jobs "$c" "$list" "$root" "$missing" "$directory"
	check "the job whose cloud was killed completed" final "$c" '.state == "completed"'
	check "and not all of it came again" final "$c" '.resent < 900000'
	check "it is the file, too" fetched_same "$c" "$WORLD/content/a.bin"
	terminal job content "$list" -o "$WORLD/list" 2>>"$WORLD/log/terminal"
	check "a path with / at its end lists the directory" \
		jq -es 'map({name, type, size}) | sort_by(.name) == [{name: "a b.bin", type: "file", size: 2097152}, {name: "sub", type: "directory", size: null}]' \
		"$WORLD/list"
	check "and so does shunt device files" \
		jq -e 'map({name, type, size}) | sort_by(.name) == [{name: "a b.bin", type: "file", size: 2097152}, {name: "sub", type: "directory", size: null}]' \
		<(terminal -j device files nas-1 /in 2>>"$WORLD/log/terminal")
	check "for people" grep -q '^     2097152  20.*  a b.bin$' <(terminal device files nas-1 in)
	check "and says why it cannot" grep -q 'status 404' <(terminal device files nas-1 nowhere 2>&1)
	terminal job content "$root" -o "$WORLD/list" 2>>"$WORLD/log/terminal"
	check "and Apache's, over https" jq -es 'length == 1 and .[0].name == "in" and .[0].type == "directory"' "$WORLD/list"
	check "a file that is not there" final "$missing" '.state == "failed" and (.timeline | tostring | test("not-found"))'
	check "a directory without the /" final "$directory" '.state == "failed" and (.timeline | tostring | test("is-directory"))'
	apache stop
}
