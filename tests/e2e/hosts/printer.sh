#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A printer without agent in a network namespace, on port 631: CUPS's ippeveprinter (path /ipp/print), or a print server,
# cupsd, with a queue (path /printers/q) and one that is for the user lp only, by a password and TLS (/printers/locked).
# Both print into DIR/pages; see hosts/page and hosts/queue. Both speak TLS on that port, too, with the certificate DIR/ssl/
# printer.crt or else one of their own making, whenever they are first asked to.
#
# Usage: ADDRESS=IP printer.sh start NETNS DIR	returns when the printer answers IPP; log in DIR/log
#        printer.sh stop NETNS DIR
#
# KIND is ippeveprinter or cupsd.
set -u

# shellcheck source=tests/e2e/hosts/lib.sh
. "$(dirname "$0")/lib.sh"

KIND=${KIND:-ippeveprinter}
ADDRESS=${ADDRESS:-127.0.0.1}	# where it listens
HERE=$(cd "$(dirname "$0")" && pwd)

host_begin()
{
	local path=/ipp/print

	[ "$KIND" = cupsd ] && path=/printers/q
	mkdir -p "$2/spool" "$2/pages" "$2/ssl"
	chmod 777 "$2" "$2/pages"
	host_start "$1" "$2" "the printer to answer" ipptool -q "ipp://$ADDRESS:631$path" "$HERE/answers.test"
}

run_ippeveprinter()
{
	host_dns_sd || return 1
	# and listens where its name leads, in both families
	ip address add fd00::20/128 dev lo
	printf '%s printer\nfd00::20 printer\n' "$ADDRESS" >"$1/hosts"
	mount --bind "$1/hosts" /etc/hosts
	exec ippeveprinter -2 -n printer -p 631 -r off -K "$1/ssl" -k -d "$1/spool" \
		-f application/pdf,image/jpeg,image/pwg-raster -c "$HERE/page" "Shunt test printer"
}

# A queue without a driver hands on what it gets, as one in front of an office printer does.
run_cupsd()
{
	mkdir -p "$1"/{etc,run,cache,tmp}
	install -m 700 "$HERE/queue" /usr/lib/cups/backend/queue
	cat >"$1/etc/cups-files.conf" <<-EOF_FILES
		ServerRoot $1/etc
		RequestRoot $1/spool
		CacheDir $1/cache
		StateDir $1/run
		TempDir $1/tmp
		AccessLog $1/access.log
		ErrorLog $1/error.log
		PageLog $1/page.log
		ServerKeychain $1/ssl
		SystemGroup root
		User lp
		Group lp
	EOF_FILES
	cat >"$1/etc/cupsd.conf" <<-EOF_CONF
		Listen *:631
		ServerName printer
		ServerAlias *
		Browsing Off
		LogLevel info
		MaxJobs 0
		PreserveJobHistory Yes
		PreserveJobFiles No
		<Location />
			Order allow,deny
			Allow all
		</Location>
		<Location /printers/locked>
			AuthType Basic
			Require user lp
			Order allow,deny
			Allow all
		</Location>
	EOF_CONF
	cat >"$1/etc/printers.conf" <<-EOF_QUEUE
		<DefaultPrinter q>
		DeviceURI queue:$1
		State Idle
		Accepting Yes
		Shared Yes
		ErrorPolicy abort-job
		</DefaultPrinter>
		<Printer locked>
		DeviceURI queue:$1
		State Idle
		Accepting Yes
		Shared Yes
		ErrorPolicy abort-job
		</Printer>
	EOF_QUEUE
	exec cupsd -f -c "$1/etc/cupsd.conf" -s "$1/etc/cups-files.conf"
}

host_run()
{
	"run_$KIND" "$1"
}

host_main "$@"
