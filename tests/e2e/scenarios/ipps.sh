# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034
#
# Devices without agent that speak TLS, and those that ask who comes. A certificate of the deployment's CA counts, or the key that
# the registry has for the device (pin), since what people own makes its certificate itself; any other ends the job at once.
# A password goes over TLS only, and never into a log.
#
#   alice ── cloud ══tunnel══ gw ── printer (ippeveprinter, its own certificate), printer2 (cupsd, one of the CA's),
#                                   nas (https, its own certificate)

PASSWORD="correct horse battery staple"

scenario_world()
{
	PRINTERS="1 2"
	NASES=1
	conf shuntd policy.tunnels-high 8
	give_credentials "locked lp $PASSWORD" "locked-clear lp $PASSWORD" "locked-wrong lp incorrect horse"
}

address_of()
{
	case $1 in
	printer) printer_address 1 ;;
	printer2) printer_address 2 ;;
	nas) nas_address 1 ;;
	esac
}

# device CODE HOST SERVICE [OPTION...]
device()
{
	admin device set "$1" --gateway gw1 --address "$(address_of "$2")" --service "$3" "${@:4}" >>"$WORLD/log/registry" ||
		die "device $1"
}

# pin_of HOST PORT: as Documentation/man/shunt.8 says.
pin_of()
{
	in_ns "$1" openssl s_client -connect "$(address_of "$1"):$2" </dev/null 2>>"$WORLD/log/openssl" | openssl x509 -pubkey -noout |
		openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64 | sed 's,^,sha256//,'
}

# As a device makes it: CUPS would make one of an RSA key, which takes an emulated processor long.
own_certificate()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=device -keyout "$WORLD/own.key" \
		-out "$WORLD/own.crt" 2>>"$WORLD/log/openssl"
}

# As an administrator makes it for a server of several devices: of the CA, and no party's.
server_certificate()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=printer2 -keyout "$WORLD/server.key" 2>>"$WORLD/log/openssl" |
		openssl x509 -req -CA "$WORLD/pki/ca.crt" -CAkey "$WORLD/pki/ca.key" -set_serial 4711 -days 2 -out "$WORLD/server.crt" \
			2>>"$WORLD/log/openssl"
}

# certificate HOST FILES: FILES.crt and .key are its printer's.
certificate()
{
	cp "$2.crt" "$WORLD/$1/ssl/printer.crt"
	cp "$2.key" "$WORLD/$1/ssl/printer.key"
}

https_nas()
{
	ip netns exec nas "$TOP/tests/e2e/hosts/https-files" "$WORLD/nas/files" "$WORLD/own" >>"$WORLD/log/https-nas" 2>&1 &
	echo $! >"$WORLD/pid/https-nas"
	disown $!
	await 20 "the https server of nas" listening nas 0.0.0.0:443
}

# fails ID CODE PATTERN
fails()
{
	final "$1" ".state == \"failed\" and (.reason | test(\"$3\")) and any(.timeline[]; .reason == \"$2\")"
}

# probes CODE FILTER: what the device is like, as the cloud finds it.
probes()
{
	admin -j device probe "$1" --dry-run 2>>"$WORLD/log/terminal" | tee -a "$WORLD/log/probes" | jq -e "$2"
}

scenario_run()
{
	local own mispinned pinned queue locked clear none wrong file other kept pin

	certify device printer-2
	own_certificate
	server_certificate
	certificate printer "$WORLD/own"
	certificate printer2 "$WORLD/server"
	echo "lp:$PASSWORD" | chpasswd || die "no password for lp"
	https_nas
	document a.pdf 300K
	pin=$(pin_of printer 631)
	device own printer ipp:631:tls:/ipp/print
	device pinned printer ipp:631:tls:/ipp/print --pin "$pin"
	device mispinned printer ipp:631:tls:/ipp/print --pin "$(pin_of printer2 631)"
	device queue printer2 ipp:631:tls:/printers/q
	device locked printer2 ipp:631:tls:/printers/locked
	device locked-clear printer2 ipp:631:/printers/locked
	device locked-none printer2 ipp:631:tls:/printers/locked
	device locked-wrong printer2 ipp:631:tls:/printers/locked
	device nas-own nas webdav:443:tls:/
	device nas-pinned nas webdav:443:tls:/ --pin "$(pin_of nas 443)"

	offer own a.pdf print own
	offer mispinned a.pdf print mispinned
	offer pinned a.pdf print pinned
	offer queue a.pdf print queue
	offer file a.pdf store nas-own
	offer other a.pdf store nas-pinned
	finish_jobs "$own" "$mispinned" "$pinned" "$queue" "$file" "$other"
	check "a certificate of the printer's own making is not trusted" fails "$own" bad-certificate "not to be trusted: .*certificate"
	check "nor another key than the registry has" fails "$mispinned" bad-certificate "public key does not match"
	check_whole "the job at the printer whose key is known" "$pinned"
	check "printed once, the same" pages printer a.pdf
	check_whole "the job at the print server with a certificate of the CA's" "$queue"
	check "printed there once" pages printer2 a.pdf
	check "nor is the file server's own certificate trusted" fails "$file" bad-certificate "certificate"
	check_whole "the job at the file server whose key is known" "$other"

	offer none a.pdf print locked-none
	offer wrong a.pdf print locked-wrong
	offer clear a.pdf print locked-clear
	offer locked a.pdf print locked
	finish_jobs "$none" "$wrong" "$clear" "$locked"
	check "without a password the job fails, and says why" fails "$none" login-refused "the cloud has none for the device"
	check "with a wrong one, too" fails "$wrong" login-refused "does not accept the name and password"
	check "in clear it does not go" final "$clear" '.state == "failed" and (.reason | test("426: it wants TLS|over https only"))'
	check_whole "the job with the right one" "$locked"
	check "printed once, as lp's" pages printer2 a.pdf a.pdf
	check "a probe says who asks" probes locked '.probe.services[0] | .found and .tls'
	check "and knows the key" probes pinned '.probe.services[0].found'
	check "and does not ask another's without TLS" probes mispinned '.probe.services[0].reason == "other-key"'
	check "the password is in no log" not grep -rqaF "horse" "$WORLD/log" "$WORLD/printer2/error.log"
}
