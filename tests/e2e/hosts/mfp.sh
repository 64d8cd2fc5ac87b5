#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A printer in a network namespace: CUPS's ippeveprinter on port 631, which keeps what it printed in DIR/printed.
#
# Usage: mfp.sh start NETNS DIR	returns when the printer answers IPP; log in DIR/log
#        mfp.sh stop NETNS DIR
set -u

# shellcheck source=tests/e2e/hosts/lib.sh
. "$(dirname "$0")/lib.sh"

PRINTER_URI=ipp://127.0.0.1:631/ipp/print

host_begin()
{
	mkdir -p "$2/printed"
	host_start "$1" "$2" "the printer to answer" ipptool -q "$PRINTER_URI" get-printer-attributes.test
}

# Its print engine is pdfinfo: a document that is not a whole PDF is a failed job, and no simulated seconds of printing are
# slept away.
host_run()
{
	local engine

	host_dns_sd || return 1
	engine=$(command -v pdfinfo) || return 1
	exec ippeveprinter -n localhost -p 631 -r off -k -d "$1/printed" -f application/pdf -c "$engine" "Shunt test printer"
}

host_main "$@"
