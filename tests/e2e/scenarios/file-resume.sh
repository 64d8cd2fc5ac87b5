# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Store jobs for file servers without agent (#757-#777) whose connection breaks in the middle, or whose cloud is killed: gone on
# with where the server puts pieces together, restarted where it does not; the same, encrypted; and
# not in place of a file that is there, where the job says so, and never of a directory.
#
#   alice ── cloud ══tunnel══ gw ─╳─ nas (lighttpd on 80; on 8080 with partial PUT), nas2 (Apache)

PASSWORD="correct horse battery staple"

scenario_world()
{
	NASES="1 2"
	TUNNEL_LIMIT=8
	give_credentials "nas-2 shunt $PASSWORD" "nas-3 shunt $PASSWORD"
}

apache()
{
	NAS_PASSWORD=$PASSWORD NAS_CREDENTIALS=$WORLD/pki/device-nas-2 "$TOP/tests/e2e/hosts/apache.sh" "$1" nas2 "$WORLD/apache" \
		>>"$WORLD/log/apache" 2>&1
}

opens()
{
	shunt decrypt -i "$WORLD/secure.key" "$1" | cmp - "$WORLD/content/a.bin"
}

nothing_left()
{
	[ -z "$(find "$WORLD/nas/files" "$WORLD/nas-login/files" "$WORLD/apache/files" -name '.shunt-*')" ]
}

resumed()
{
	final "$1" '.state == "completed" and any(.timeline[]; .event == "put-resumed") and all(.timeline[]; .event != "put-restarted")'
}

scenario_run()
{
	local plain pieces apache killed there again tree tree2

	certify device nas-2
	rm -rf "$WORLD/apache" "$WORLD/nas-login" "$WORLD/secure.key"
	apache start || die "Apache did not start"
	NAS_PASSWORD=$PASSWORD "$TOP/tests/e2e/hosts/nas.sh" start nas "$WORLD/nas-login" >"$WORLD/log/nas-login" 2>&1 ||
		die "the file server with passwords did not start"
	admin device set nas-3 --gateway gw1 --address "$(nas_address 1)" --service webdav:8080:/ >>"$WORLD/log/registry"
	admin device set nas-2 --gateway gw1 --address "$(nas_address 2)" --service webdav:8080:/ \
		--recipient "$(shunt key new "$WORLD/secure.key")" >>"$WORLD/log/registry"
	content a.bin 3M

	wan_rate 8mbit
	offer plain a.bin store nas-1
	await_job "$plain" '.delivered > 1200000' "the file server to have some of it"
	cut_port nas 80
	wan_rate 100mbit
	finish_jobs "$plain"
	wan_rate 8mbit
	offer pieces a.bin store nas-3 --path in/a.bin
	offer apache a.bin store nas-2
	await_job "$pieces" '.delivered > 1200000' "the file server to have some of it"
	cut_port nas 8080
	await_job "$apache" '.delivered > 1200000' "the file server to have some of it"
	cut_port nas2 8080
	wan_rate 100mbit
	finish_jobs "$pieces" "$apache"
	check "a server that takes no pieces gets all of it again" final "$plain" \
		'.state == "completed" and .resent > 1000000 and all(.timeline[]; .event != "put-resumed")'
	check "and has the file" stored nas a.bin
	check "one that does is sent the rest" resumed "$pieces"
	check "and not much twice" final "$pieces" '.resent < .size / 2'
	check "and has the file" cmp "$WORLD/nas-login/files/in/a.bin" "$WORLD/content/a.bin"
	check "and Apache, encrypted" resumed "$apache"
	check "and not much twice" final "$apache" '.resent < .size / 4'
	check "and what it has opens" opens "$WORLD/apache/files/a.bin.age"

	wan_rate 8mbit
	offer killed a.bin store nas-2 --path b.bin
	await_job "$killed" '.delivered > 1200000' "the file server to have some of it"
	# What came in the last seconds the cloud's store may not have; it does after a try.
	cut_port nas2 8080
	await_job "$killed" 'any(.timeline[]; .event == "put-resumed")' "it to be gone on with"
	kill_program shunt-cloud
	wan_rate 100mbit
	run_cloud 1
	offer there a.bin store nas-3 --path in/a.bin --no-clobber
	offer plain a.bin store nas-3 --path in/b.bin --no-clobber
	finish_jobs "$killed" "$there" "$plain"
	check "the job whose cloud was killed goes on" resumed "$killed"
	check "both times" final "$killed" '[.timeline[] | select(.event == "put-resumed")] | length == 2'
	check "and what is stored opens" opens "$WORLD/apache/files/b.bin.age"
	check "a file that is there is not replaced where the job says so" \
		final "$there" '.state == "failed" and .no_clobber and (.timeline | tostring | test("\"exists\""))'
	check "one that is not is stored" final "$plain" '.state == "completed"'
	check "and is the same" cmp "$WORLD/nas-login/files/in/b.bin" "$WORLD/content/a.bin"

	content c.bin 5K
	for there in "$WORLD/nas-login/files" "$WORLD/apache/files"; do
		mkdir -p "$there/photos/2025" "$there/photos.age/2025"
		cp "$WORLD/content/c.bin" "$there/photos/2025/"
		cp "$WORLD/content/c.bin" "$there/photos.age/2025/"
		chown -R --reference="$there" "$there/photos" "$there/photos.age"
	done
	offer again c.bin store nas-3 --path in/a.bin
	offer plain c.bin store nas-2 --path a.bin
	offer tree c.bin store nas-3 --path photos
	offer tree2 c.bin store nas-2 --path photos
	finish_jobs "$again" "$plain" "$tree" "$tree2"
	check "else a file is replaced" cmp "$WORLD/nas-login/files/in/a.bin" "$WORLD/content/c.bin"
	check "and Apache's" cmp <(shunt decrypt -i "$WORLD/secure.key" "$WORLD/apache/files/a.bin.age") "$WORLD/content/c.bin"
	check "a directory is not" final "$tree" '.state == "failed" and (.timeline | tostring | test("is-directory"))'
	check "nor Apache's" final "$tree2" '.state == "failed" and (.timeline | tostring | test("is-directory"))'
	check "and all below it is there" cmp "$WORLD/nas-login/files/photos/2025/c.bin" "$WORLD/content/c.bin"
	check "and at Apache" cmp "$WORLD/apache/files/photos.age/2025/c.bin" "$WORLD/content/c.bin"
	check "no temporary file is left" nothing_left
	apache stop
	"$TOP/tests/e2e/hosts/nas.sh" stop nas "$WORLD/nas-login"
}
