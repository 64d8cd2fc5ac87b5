# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Data 7A: the attributes of a device, found by asking it through a tunnel of its gateway and written to the registry by an
# administrator. What is wrong there becomes right, and jobs then go where they did not.
#
#   root ── cloud ══tunnel to the ports that are asked at══ gw ── mfp (agent), nas (lighttpd), printer (ippeveprinter), printer2 (cupsd)

scenario_world()
{
	NASES=1
	PRINTERS="1 2"
}

# probe NAME DEVICE [OPTION...]: what the command prints is in $WORLD/probe-NAME.json.
probe()
{
	local name=$1

	shift
	admin -j device probe "$@" >"$WORLD/probe-$name.json" 2>"$WORLD/probe-$name.err"
}

by_alice()
{
	terminal device probe mfp-1 2>"$WORLD/probe-alice.err"
}

# probed NAME FILTER
probed()
{
	jq -e "$2" "$WORLD/probe-$1.json"
}

# entry DEVICE FILTER: of the registry.
entry()
{
	admin -j device show "$1" | jq -e "$2"
}

scenario_run()
{
	local stored printed id

	admin device set mfp-1 --gateway gw1 --address "$(mfp_address 1)" --service ipp:6310 >>"$WORLD/log/registry"
	admin device set nas-1 --gateway gw1 --address "$(nas_address 1)" --service webdav:81:tls:/x --priority 6 --spec "in the cellar" \
		>>"$WORLD/log/registry"
	admin device del printer-1

	check "a terminal may not ask" not by_alice
	check "and is told so" grep -q role-not-allowed "$WORLD/probe-alice.err"

	check "a dry run finds the agent" probe dry mfp-1 --dry-run
	check "and says what would change" probed dry '.written == false and (.changes | index("+ service agent:8632:tls") and index("connectable no -> yes"))'
	check "but changes nothing" entry mfp-1 '.connectable == false and (.services | length) == 1'
	check "the agent is found" probe mfp mfp-1 --prune
	check "with what it is" probed mfp '.probe.services[0] | .kind == "agent" and .found and .connectable and .jobs == ["print"] and .tls'
	check "what is not there goes with --prune" entry mfp-1 '.connectable and [.services[] | "\(.kind):\(.port)"] == ["agent:8632"]'

	check "the file server is found" probe kept nas-1
	check "without the TLS that the registry says, so that stays" entry nas-1 '.services[0].tls and .services[0].port == 81'
	check "and it is said" probed kept '.written == false and any(.warnings[]; test("found without TLS"))'
	check "it goes with leave" probe nas nas-1 --allow-clear
	check "in the registry it is where it is, the rest as it was" entry nas-1 \
		'.services == [{kind: "webdav", port: 80, tls: false, path: "/"}] and .priority == 6 and .spec == "in the cellar"'
	check "a printer that was not registered is" probe printer printer-1 --gateway gw1 --address "$(printer_address 1)"
	check "with path, formats and media" entry printer-1 \
		'.services[0].path == "/ipp/print" and (.spec | test("^probe: .*application/pdf.*iso_a4_210x297mm"))'
	check "a print server does not tell where its queues are" \
		not probe queue new-1 --gateway gw1 --address "$(printer_address 2)"
	check "so there is nothing to be registered" not admin device show new-1
	check "so one is named" probe queue printer-2 --service ipp:631:/printers/q
	check "and found" probed queue '.probe.services[0] | .found and .path == "/printers/q"'

	content a.bin 64K
	document a.pdf 64K
	offer stored a.bin store nas-1
	offer printed a.pdf print printer-1
	finish_jobs "$stored" "$printed"
	check_whole "the job for the file server" "$stored"
	check_whole "the job for the printer" "$printed"
	check "stored, the same" stored nas a.bin
	check "printed, the same" pages printer a.pdf
	id=$(jq -r .probe.id "$WORLD/probe-printer.json")
	check "the gateway has the probe in its records" record ".record == \"7K\" and .job == \"$id\" and .device == \"printer-1\""
	check "and it cost little" record ".record == \"7K\" and .job == \"$id\" and .rx.bytes + .tx.bytes < 200000"
}
