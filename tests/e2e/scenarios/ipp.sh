# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# #757-#777: a device that cannot connect gets its job through its tunnel, in its own protocol. For a printer without agent
# that is IPP (RFC 8011): what it cannot take is refused with what it can, what it is asked for arrives, its reasons are the
# job's, and when the paper is out the job waits.
#
#   alice ── cloud ══tunnel══ gw ── printer (ippeveprinter), printer2 (cupsd)

scenario_world()
{
	PRINTERS="1 2"
	conf shuntd policy.tunnels-high 8
	conf shunt-cloud printer-patience 1s
}

# refused FILE DEVICE CODE PATTERN [OPTION...]: the job fails with these.
refused()
{
	local id code=$3 pattern=$4

	id=$(submit "$1" print "$2" "${@:5}") || return
	finish_jobs "$id"
	final "$id" ".state == \"failed\" and (.reason | test(\"$pattern\")) and any(.timeline[]; .reason == \"$code\")"
}

# number_of ID: the printer's of the job.
number_of()
{
	job "$1" | jq -r '.timeline[].text | capture("the printer has it as job (?<id>[0-9]+)").id'
}

paper_waits()
{
	await_job "$1" '.state == "executing" and (.reason | test("media-empty"))' "the job to say that the paper is out"
}

scenario_run()
{
	local plain queue paper cancel type other stopped broken

	document a.pdf 300K
	printf 'plain text\n' >"$WORLD/content/a.txt"
	offer plain a.pdf print printer-1 --copies 2 --media a4 --sides two-sided-long-edge --color monochrome
	offer queue a.pdf print printer-2 --copies 3
	finish_jobs "$plain" "$queue"
	for type in jpg:'\xff\xd8\xff\xe0' pwg:RaS2; do
		content "a.${type%:*}" 2000
		printf '%b' "${type#*:}" | dd of="$WORLD/content/a.${type%:*}" conv=notrunc status=none
		offer other "a.${type%:*}" print printer-1
		finish_jobs "$other"
		check_whole "the job with ${type%:*}" "$other"
	done
	check_whole "the job at the printer" "$plain"
	check_whole "the job at the print server" "$queue"
	check "printed once, the same" pages printer a.pdf a.jpg a.pwg
	check "and at the print server" pages printer2 a.pdf
	check "what was asked for arrived" ticket printer "|application/pdf|2|iso_a4_210x297mm|two-sided-long-edge|monochrome"
	check "and at the print server" ticket printer2 "|alice|3|"
	check "it went through a tunnel alone" went_by "$plain" tunnel
	check "the printer's own reasons are in the timeline" final "$plain" 'any(.timeline[]; .text | test("job-completed-successfully"))'

	check "a document that it does not take is refused with what it takes" \
		refused a.txt printer-1 unsupported-format "does not take text/plain; it takes .*application/pdf, image/jpeg, image/pwg-raster"
	check "and one that is not what it is said to be" refused a.txt printer-1 wrong-format "said to be application/pdf" --media-type application/pdf
	check "media that it has not" refused a.pdf printer-1 unsupported-media "does not take a0; it takes .*iso_a4_210x297mm" --media a0
	check "more copies than it makes" refused a.pdf printer-1 unsupported-copies "at most 999, not 5000" --copies 5000
	check "what the print server lets nobody choose" refused a.pdf printer-2 unsupported-color "color: " --color monochrome

	touch "$WORLD"/printer{,2}/hold
	offer paper a.pdf print printer-1
	offer cancel a.pdf print printer-2
	paper_waits "$paper"
	paper_waits "$cancel"
	check "those who wait give their slots back" within 10 no_tunnels
	check "and still say why" job_is "$cancel" '.state == "executing" and (.reason | test("media-empty"))'
	terminal job cancel "$cancel" >>"$WORLD/log/terminal"
	finish_jobs "$cancel"
	check "the canceled job is" final "$cancel" '.state == "canceled"'
	check "also at the print server" within 10 in_ns printer2 ipptool -q -d "id=$(number_of "$cancel")" ipp://127.0.0.1:631/printers/q "$TOP/tests/e2e/hosts/canceled.test"
	rm "$WORLD"/printer{,2}/hold
	finish_jobs "$paper"
	check_whole "the job that waited for paper" "$paper"
	check "it says that it does not any more" final "$paper" '.reason == ""'
	check "printed once, too" pages printer a.pdf a.jpg a.pwg a.pdf

	touch "$WORLD/printer2/hold"
	offer stopped a.pdf print printer-2
	paper_waits "$stopped"
	in_ns printer2 ipptool -q -d "id=$(number_of "$stopped")" ipp://127.0.0.1:631/printers/q "$TOP/tests/e2e/hosts/cancel.test" ||
		die "the print server does not cancel the job"
	finish_jobs "$stopped"
	check "a job that was canceled at the printer is, and says so" final "$stopped" \
		'.state == "canceled" and any(.timeline[]; .reason == "canceled-at-printer")'
	rm "$WORLD/printer2/hold"
	touch "$WORLD/printer2/broken"
	offer broken a.pdf print printer-2
	finish_jobs "$broken"
	check "one that the printer gave up failed, with its reasons" final "$broken" \
		'.state == "failed" and (.reason | test("at the printer: aborted: [a-z]")) and any(.timeline[]; .reason == "printer-aborted")'
	rm "$WORLD/printer2/broken"
	check "and once at the print server" pages printer2 a.pdf
}
