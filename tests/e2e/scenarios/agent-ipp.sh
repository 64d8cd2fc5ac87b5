# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# An agent that hands its jobs to a printer (`printer`, shunt-ipp) rather than to a command: what was asked for arrives, what the
# printer cannot do is refused in its words, and who cancels cancels there.
#
#   alice ── cloud ── mfp, mfp2 (agents) ──IPP on the LAN── printer (ippeveprinter), printer2 (cupsd)

scenario_world()
{
	MFPS="1 2" PRINTERS="1 2"
	conf shuntd policy.tunnels-high 8
	conf shunt-device printer "\"ipp://$(printer_address 1):631/ipp/print\""
	conf shunt-device2 printer "\"ipp://$(printer_address 2):631/printers/q\""
}

# fails FILE DEVICE PATTERN [OPTION...]: the job does, for that reason.
fails()
{
	local id pattern=$3

	id=$(submit "$1" print "$2" "${@:4}") || return
	finish_jobs "$id"
	final "$id" ".state == \"failed\" and (.reason | test(\"$pattern\"))"
}

# The print server has no job that is not over.
idle()
{
	[ -z "$(in_ns printer2 lpstat -h 127.0.0.1:631 -o q)" ]
}

# hold FILE DEVICE: a job of it that the printer has begun, in $HELD.
hold()
{
	touch "$WORLD/printer2/hold"
	: >"$WORLD/printer2/tickets"
	offer HELD "$1" print "$2"
	soon 20 "the printer to have the job" test -s "$WORLD/printer2/tickets"
	idle && die "the print server does not tell of its job"
	return 0
}

# said_by_itself PATTERN HOST COMMAND...: it fails, and its last line says this.
said_by_itself()
{
	local said

	! said=$(in_ns "${@:2}" 2>&1) && [[ $said =~ $1 ]]
}

scenario_run()
{
	local plain HELD

	document a.pdf 300K
	printf 'plain text\n' >"$WORLD/content/a.txt"
	offer plain a.pdf print mfp-1 --copies 2 --media a4 --sides two-sided-long-edge --color monochrome
	finish_jobs "$plain"
	check_whole "the job" "$plain"
	check "printed once, the same" pages printer a.pdf
	check "what was asked for arrived" ticket printer "|application/pdf|2|iso_a4_210x297mm|two-sided-long-edge|monochrome"
	check "a document that the printer does not take is refused" \
		fails a.txt mfp-1 "^printer: format: it does not take text/plain; it takes .*application/pdf"
	check "and more copies than it makes" fails a.pdf mfp-1 "^printer: copies: it makes at most 999, not 5000" --copies 5000

	hold a.pdf mfp-2
	terminal job cancel "$HELD" >>"$WORLD/log/terminal"
	finish_jobs "$HELD"
	check "a job that is canceled is" final "$HELD" '.state == "canceled"'
	check "also at the printer" idle
	rm "$WORLD/printer2/hold"
	hold a.pdf mfp-2
	touch "$WORLD/printer2/broken"
	rm "$WORLD/printer2/hold"
	finish_jobs "$HELD"
	rm "$WORLD/printer2/broken"
	check "one that the printer gives up says so" final "$HELD" '.state == "failed" and (.reason | test("^printer: job [0-9]+ was aborted"))'
	check "neither was printed" pages printer2
	check "a printer that is not there" said_by_itself "^printer: cannot connect to ipp://$(printer_address 1):1/ipp: nobody answers" \
		mfp shunt-ipp "ipp://$(printer_address 1):1/ipp" "$WORLD/content/a.pdf" a
}
