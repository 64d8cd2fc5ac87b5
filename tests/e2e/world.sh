# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The world of the end-to-end tests: network namespaces are the hosts of the design's picture. Runs as root inside
# the test VM only (tests/e2e/run refuses to start elsewhere).
#
#   terminal 203.0.113.30 ──┐
#   manager  203.0.113.20 ──┤ inet: bridge + router .1      every host on the internet sends
#   cloud    203.0.113.10 ──┤   │                           through 20 ms of netem, so any two
#  (cloud2   203.0.113.12)──┘   │ WAN_RATE towards gw       of them are 40 ms apart
#              198.51.100.2 ── gw: NAT, drops all inbound, shunt0, shuntd
#                               │ br-lan 192.168.1.1
#         mfp 192.168.1.10 ─────┤ shunt-device, with a printer
#       (mfp2 192.168.1.11)─────┤ ...
#         nas 192.168.1.15 ─────┤ lighttpd with WebDAV, no agent
#    (printer 192.168.1.20)─────┤ CUPS's ippeveprinter, no agent
#   (printer2 192.168.1.21)─────┘ cupsd, a print server, with a queue
#
#             (198.51.102.2 ── gw2: another home with the same 192.168.1.0/24, and devices of its own)
#
# What exists is listed in CLOUDS, GATEWAYS, MFPS, NASES and PRINTERS, by numbers; "3@2" is a device numbered 3 behind gateway 2. A
# host is named by its kind and number, 1 left out: gw, gw2, mfp, mfp3. A program's INSTANCE likewise: shuntd, shuntd2,
# shunt-device3; its configuration, log and pid are $WORLD/{etc,log,pid}/INSTANCE*. Names in Shunt are cloud1, gw1, mfp-1.
#
# world_network and world_identities may be called again after the lists have grown; world_fresh gives all programs a
# configuration and an empty state and starts them. conf INSTANCE KEY VALUE sets a key of a configuration before that.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=$TOP/build/userspace
export PATH=$BIN:$PATH

WORLD=/run/shunt-world		# configuration, certificates and logs of this run
HALF_RTT=${HALF_RTT:-20ms}
WAN_RATE=${WAN_RATE:-8mbit}
CLOUDS=${CLOUDS:-1}
GATEWAYS=${GATEWAYS:-1}
MFPS=${MFPS:-1}
NASES=${NASES:-1}
PRINTERS=${PRINTERS:-}
MANAGER_HOST=${MANAGER_HOST:-manager}	# or cloud: both on one machine
MANAGER=203.0.113.20:8443
GATEWAY_HOST=''			# or mfp: shuntd1 runs on the device, and gw is an ordinary router
IPV6=''				# or yes: clouds are reached over IPv6 only
PRINTER=${PRINTER:-cups}		# what an MFP prints with: cups (ippeveprinter) or paper (a folder)
TERMINAL=terminal			# or terminal2: whose configuration the command uses
declare -A CONF				# "INSTANCE KEY" -> value as written in the file

in_ns()
{
	ip netns exec "$@"
}

# die MESSAGE: gives up on the whole run, with the tail of every log to explain it.
die()
{
	local log

	printf 'FAIL: %s\n' "$*" >&2
	for log in "$WORLD"/log/*; do
		[ -s "$log" ] || continue
		printf -- '--- %s (tail)\n' "${log##*/}" >&2
		tail -n 25 "$log" >&2
	done
	exit 1
}

# await SECONDS WHAT COMMAND...: until the condition holds, or gives up.
await()
{
	local limit=$1 what=$2

	shift 2
	within "$limit" "$@" || die "waited $limit s in vain for $what"
}

# nap SECONDS: as sleep, without a program; to start one costs more than most naps last.
nap()
{
	[ -n "${NAP:-}" ] || exec {NAP}<> <(:)
	read -rt "$1" -u "$NAP"
	true
}

# within SECONDS COMMAND...: whether the condition comes to hold in that time.
within()
{
	local limit=$1 begin=$SECONDS

	shift
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - begin)) -lt "$limit" ] || return 1
		nap "${NAP_LENGTH:-0.05}"
	done
}

# soon SECONDS WHAT COMMAND...: as await, for what costs next to nothing to look at.
soon()
{
	NAP_LENGTH=0.01 await "$@"
}

# attach HOST ADDRESS/LEN ROUTER BRIDGE: a namespace with one interface, its other end a port of BRIDGE in ROUTER.
attach()
{
	local host=$1 address=$2 router=$3 bridge=$4

	ip netns add "$host"
	ip -n "$host" link set lo up
	ip link add eth0 netns "$host" type veth peer name "to-$host" netns "$router"
	ip -n "$host" address add "$address" dev eth0
	ip -n "$host" link set eth0 up
	ip -n "$router" link set "to-$host" master "$bridge" up
}

# distance HOST DEVICE [netem arguments]: half a round trip on what HOST sends.
distance()
{
	local host=$1 device=$2

	shift 2
	tc -n "$host" qdisc add dev "$device" root netem delay "$HALF_RTT" limit 20000 "$@"
}

# wan_rate RATE [GATEWAY]: how fast the gateway's line is, towards it. Its queue holds 80 ms at most, or the first job's
# packets would hold up everybody else's for seconds.
wan_rate()
{
	tc -n inet qdisc replace dev "to-${2:-gw}" root tbf rate "$1" burst 64k latency 80ms
}

# uplink_rate { RATE | none }: the same away from the gateway.
uplink_rate()
{
	# netem that is replaced without a rate keeps the one it had
	tc -n gw qdisc del dev wan root
	if [ "$1" = none ]; then
		distance gw wan
	else
		distance gw wan rate "$1"
	fi
}

# nth NAME N: the host or instance NAME of number N.
nth()
{
	local n=${2%@*}

	[ "$n" = 1 ] && n=''
	echo "$1$n"
}

# gateway_at N: the host that shuntd N runs on.
gateway_at()
{
	if [ "$1" = 1 ] && [ -n "$GATEWAY_HOST" ]; then
		echo "$GATEWAY_HOST"
	else
		nth gw "$1"
	fi
}

# home DEVICE-NUMBER: the number of the gateway that the device is behind.
home()
{
	case $1 in
	*@*) echo "${1#*@}" ;;
	*) echo 1 ;;
	esac
}

have_host()
{
	[ -e "/run/netns/$1" ]
}

# internet_host HOST ADDRESS: a host on the internet, half a round trip from everybody.
internet_host()
{
	have_host "$1" && return
	attach "$1" "$2/24" inet br-inet
	ip -n "$1" route add default via 203.0.113.1
	distance "$1" eth0
}

world_internet()
{
	have_host inet && return
	ip netns add inet
	ip -n inet link set lo up
	ip -n inet link add br-inet type bridge
	ip -n inet address add 203.0.113.1/24 dev br-inet
	ip -n inet link set br-inet up
	in_ns inet sysctl -qw net.ipv4.ip_forward=1
}

# A gateway is an ordinary home router: it masquerades, answers nothing from outside, forwards nothing inward but
# replies, and lets decapsulated packets of its tunnels through to the LAN.
gateway_host()
{
	local n=$1 host net

	host=$(nth gw "$n")
	net=198.51.$((n == 1 ? 100 : 100 + n))
	have_host "$host" && return
	ip netns add "$host"
	ip -n "$host" link set lo up
	ip link add wan netns "$host" type veth peer name "to-$host" netns inet
	ip -n inet address add "$net.1/24" dev "to-$host"
	ip -n inet link set "to-$host" up
	ip -n "$host" address add "$net.2/24" dev wan
	ip -n "$host" link set wan up
	ip -n "$host" route add default via "$net.1"
	distance "$host" wan
	wan_rate "$WAN_RATE" "$host"
	ip -n "$host" link add br-lan type bridge
	ip -n "$host" address add 192.168.1.1/24 dev br-lan
	ip -n "$host" link set br-lan up
	in_ns "$host" sysctl -qw net.ipv4.ip_forward=1
	in_ns "$host" nft -f - <<-'EOF'
		table inet router {
			chain input {
				type filter hook input priority filter; policy drop;
				iifname "lo" accept
				iifname "br-lan" accept
				ct state established,related accept
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, packet-too-big } accept
			}
			chain forward {
				type filter hook forward priority filter; policy drop;
				ct state established,related accept
				iifname "br-lan" oifname "wan" accept
				iifname "shunt0" oifname "br-lan" accept
			}
			chain postrouting {
				type nat hook postrouting priority srcnat; policy accept;
				oifname "wan" ip saddr 192.168.1.0/24 masquerade
			}
		}
	EOF
}

# lan_host HOST ADDRESS GATEWAY-NUMBER
lan_host()
{
	have_host "$1" && return
	attach "$1" "$2/24" "$(nth gw "$3")" br-lan
	ip -n "$1" route add default via 192.168.1.1
}

mfp_address()
{
	echo "192.168.1.$((9 + ${1%@*}))"
}

nas_address()
{
	echo "192.168.1.$((14 + ${1%@*}))"
}

printer_address()
{
	echo "192.168.1.$((19 + ${1%@*}))"
}

# Whatever of the lists is not there yet.
world_network()
{
	local n

	world_internet
	for n in $CLOUDS; do
		internet_host "$(nth cloud "$n")" "$(cloud_address "$n")"
	done
	internet_host manager 203.0.113.20
	internet_host terminal 203.0.113.30
	for n in $GATEWAYS; do
		gateway_host "$n"
	done
	for n in $MFPS; do
		lan_host "$(nth mfp "$n")" "$(mfp_address "$n")" "$(home "$n")"
	done
	for n in $NASES; do
		lan_host "$(nth nas "$n")" "$(nas_address "$n")" "$(home "$n")"
	done
	for n in $PRINTERS; do
		lan_host "$(nth printer "$n")" "$(printer_address "$n")" "$(home "$n")"
	done
	[ -z "$IPV6" ] || world_ipv6
}

cloud_address()
{
	[ "$1" = 1 ] && echo 203.0.113.10 || echo "203.0.113.1$1"
}

# cloud_host N: how its address is written before a port.
cloud_host()
{
	local address

	address=$(cloud_address "$1")
	[ -z "$IPV6" ] && echo "$address" || echo "[2001:db8::${address##*.}]"
}

# address6 HOST DEVICE ADDRESS/LEN [ROUTER]: one more address, and whom everything else goes to.
address6()
{
	ip -n "$1" address replace "$3" dev "$2" nodad
	[ -z "${4:-}" ] || ip -n "$1" route replace ::/0 via "$4"
}

# What has to do with clouds has IPv6 as well: routed, not translated, and no more let in from outside than before.
world_ipv6()
{
	local n host

	address6 inet br-inet 2001:db8::1/64
	address6 terminal eth0 2001:db8::30/64 2001:db8::1
	in_ns inet sysctl -qw net.ipv6.conf.all.forwarding=1
	for n in $CLOUDS; do
		host=$(cloud_host "$n")
		address6 "$(nth cloud "$n")" eth0 "${host//[][]/}/64" 2001:db8::1
	done
	for n in $GATEWAYS; do
		host=$(nth gw "$n")
		in_ns "$host" sysctl -qw net.ipv6.conf.all.forwarding=1
		address6 inet "to-$host" "2001:db8:$n::1/64"
		address6 "$host" wan "2001:db8:$n::2/64" "2001:db8:$n::1"
		address6 "$host" br-lan "2001:db8:1$n::1/64"
		ip -n inet route replace "2001:db8:1$n::/64" via "2001:db8:$n::2"
	done
	for n in $MFPS; do
		host=$(mfp_address "$n")
		address6 "$(nth mfp "$n")" eth0 "2001:db8:1$(home "$n")::${host##*.}/64" "2001:db8:1$(home "$n")::1"
	done
}

# The module and what it leans on; insmod, as on a router image.
world_module()
{
	local ko

	ko=$TOP/build/kmod/$(uname -r)/shunt.ko
	[ -f "$ko" ] || die "no $ko: run 'make kmod' first"
	# in an emulated machine a program on a shared file system takes three times as long to start
	mkdir -p /run/bin
	cp "$BIN"/shunt "$BIN"/shunt{d,-manager,-cloud,-device,-smb,-ipp} /run/bin
	PATH=/run/bin:$PATH
	[ ! -d /sys/module/shunt ] || return 0
	"$TOP/scripts/guest" load || die "loading $ko"
}

# certify ROLE NAME: a certificate of the deployment's CA, as an administrator would make it.
certify()
{
	[ -f "$WORLD/pki/$1-$2.crt" ] ||
		shunt pki issue "$WORLD/pki" --role "$1" --name "$2" >>"$WORLD/log/pki" || die "certificate for $1 $2"
}

world_identities()
{
	local n

	[ -f "$WORLD/pki/ca.crt" ] || shunt pki init "$WORLD/pki" >"$WORLD/log/pki" || die "shunt pki init"
	certify manager manager1
	certify terminal alice
	certify admin root
	for n in $CLOUDS; do
		certify cloud "cloud$n"
	done
	for n in $GATEWAYS; do
		certify gateway "gw$n"
	done
	for n in $MFPS; do
		certify device "mfp-${n%@*}"
	done
}

# conf INSTANCE KEY VALUE: sets a key, as it is written in the file, whatever the world would set; "policy.KEY" is one of
# the policy section.
conf()
{
	CONF["$1 $2"]=$3
}

# default INSTANCE KEY VALUE: as conf, for what has not been set.
default()
{
	[ -n "${CONF["$1 $2"]+set}" ] || CONF["$1 $2"]=$3
}

# identity INSTANCE ROLE NAME: the keys with which a program says who it is.
identity()
{
	default "$1" ca "\"$WORLD/pki/ca.crt\""
	default "$1" cert "\"$WORLD/pki/$2-$3.crt\""
	default "$1" key "\"$WORLD/pki/$2-$3.key\""
}

# settle INSTANCE ROLE NAME: what every daemon has; its state belongs to an ordinary user.
settle()
{
	identity "$@"
	default "$1" user '"nobody"'
	default "$1" state "\"$WORLD/state/$1\""
	mkdir -p "$WORLD/state/$1"
	chown nobody "$WORLD/state/$1"
}

# write_conf INSTANCE: its configuration file.
write_conf()
{
	local entry section=''

	for entry in "${!CONF[@]}"; do
		[ "${entry% *}" = "$1" ] || continue
		case ${entry#* } in
		policy.*) section+="	${entry#* policy.} = ${CONF[$entry]}"$'\n' ;;
		*) echo "${entry#* } = ${CONF[$entry]}" ;;
		esac
	done >"$WORLD/etc/$1.conf"
	[ -z "$section" ] || printf 'policy {\n%s}\n' "$section" >>"$WORLD/etc/$1.conf"
}

configure_manager()
{
	settle shunt-manager manager manager1
	default shunt-manager listen "\"$MANAGER\""
	write_conf shunt-manager
}

configure_cloud()
{
	local at program

	at=$(cloud_host "$1")
	program=$(nth shunt-cloud "$1")
	settle "$program" cloud "cloud$1"
	default "$program" listen "\"$at:8443\""
	default "$program" public "\"$at:8443\""
	default "$program" public-tunnel "\"$at:4500\""
	default "$program" manager "\"$MANAGER\""
	default "$program" pool '"100.64.0.0/16"'
	write_conf "$program"
}

configure_gateway()
{
	local program

	program=$(nth shuntd "$1")
	settle "$program" gateway "gw$1"
	default "$program" manager "\"$MANAGER\""
	default "$program" listen '"192.168.1.1:8633"'
	default "$program" lan '{"192.168.1.0/24"}'
	default "$program" alias-pool '"100.65.0.0/16"'
	default "$program" record-log "\"$WORLD/state/$program/record.log\""
	default "$program" policy.decide gateway
	default "$program" policy.when threshold
	default "$program" policy.tunnels-high "${TUNNEL_LIMIT:-2}"
	write_conf "$program"
}

configure_device()
{
	local program host

	program=$(nth shunt-device "$1")
	host=$(nth mfp "$1")
	settle "$program" device "mfp-${1%@*}"
	default "$program" listen "\"$(mfp_address "$1"):8632\""
	default "$program" accept '{"print"}'
	if [ -n "${CONF["$program printer"]+set}" ]; then
		: # it hands its jobs to that one
	elif [ "$PRINTER" = cups ]; then
		default "$program" print-command "\"$TOP/tests/e2e/hosts/print %f %n\""
	else
		mkdir -p "$WORLD/$host/printed"
		chown nobody "$WORLD/$host/printed"
		default "$program" print-command "\"$TOP/tests/e2e/hosts/paper $WORLD/$host %f %n %j\""
	fi
	write_conf "$program"
}

# configure_person ROLE NAME CLOUD: for the command.
configure_person()
{
	local who

	who=$(nth "$1" "$3")
	identity "$who" "$1" "$2"
	default "$who" cloud "\"$(cloud_host "$3"):8443\""
	default "$who" manager "\"$MANAGER\""
	write_conf "$who"
}

# start HOST INSTANCE: runs a daemon of the project in its namespace and remembers its pid.
start()
{
	local host=$1 instance=$2

	ip netns exec "$host" "${instance%%[0-9]*}" -c "$WORLD/etc/$instance.conf" >>"$WORLD/log/$instance" 2>&1 &
	echo $! >"$WORLD/pid/$instance"
	disown $!	# or the shell comments on its being killed
}

# pid_of INSTANCE: in PID, of a daemon that start has started.
pid_of()
{
	read -r PID <"$WORLD/pid/$1"
}

# listening HOST ADDRESS:PORT: true once something accepts connections there.
listening()
{
	in_ns "$1" ss -Hltn "src $2" | grep -q .
}

# listens INSTANCE ADDRESS:PORT: the same in the namespace of a daemon, without starting a program. Of IPv6 only the port is looked at.
listens()
{
	local PID a b c d port want at state file=tcp

	pid_of "$1" || return
	if [[ $2 == \[* ]]; then
		file=tcp6
		printf -v want '*:%04X' "${2##*:}"
	else
		IFS=.: read -r a b c d port <<<"$2"
		printf -v want '%02X%02X%02X%02X:%04X' "$d" "$c" "$b" "$a" "$port"
	fi
	while read -r _ at _ state _; do
		# shellcheck disable=SC2053 # a pattern
		[[ "$at $state" != $want" 0A" ]] || return 0
	done <"/proc/$PID/net/$file"
	return 1
}

# said INSTANCE TEXT: it is in the daemon's log.
said()
{
	[[ $(<"$WORLD/log/$1") == *"$2"* ]]
}

world_configure()
{
	local n

	mkdir -p "$WORLD"/{etc,log,pid,state}
	world_identities
	if [ "$MANAGER_HOST" != manager ]; then
		MANAGER=203.0.113.10:9443
	fi
	configure_manager
	for n in $CLOUDS; do
		configure_cloud "$n"
	done
	for n in $GATEWAYS; do
		configure_gateway "$n"
	done
	for n in $MFPS; do
		configure_device "$n"
	done
	for n in $CLOUDS; do
		configure_person terminal alice "$n"
	done
	configure_person admin root 1
}

# One daemon each, and until it listens.
start_manager()
{
	start "$MANAGER_HOST" shunt-manager
}

await_manager()
{
	soon 20 "the manager to listen" listens shunt-manager "$MANAGER"
}

start_cloud()
{
	start "$(nth cloud "$1")" "$(nth shunt-cloud "$1")"
}

await_cloud()
{
	soon 20 "cloud$1 to listen" listens "$(nth shunt-cloud "$1")" "$(cloud_host "$1"):8443"
}

start_gateway()
{
	start "$(gateway_at "$1")" "$(nth shuntd "$1")"
}

await_gateway()
{
	local program

	program=$(nth shuntd "$1")
	soon 20 "gw$1 to listen on its LAN" listens "$program" "${CONF["$program listen"]//\"/}"
}

start_device()
{
	start "$(nth mfp "$1")" "$(nth shunt-device "$1")"
}

await_device()
{
	soon 20 "the agent of mfp-$1 to listen" listens "$(nth shunt-device "$1")" "$(mfp_address "$1"):8632"
}

run_manager() { start_manager && await_manager; }
run_cloud() { start_cloud "$1" && await_cloud "$1"; }
run_gateway() { start_gateway "$1" && await_gateway "$1"; }
run_device() { start_device "$1" && await_device "$1"; }

# world_each COMMAND: start or await, for every daemon but the manager.
world_each()
{
	local n

	for n in $CLOUDS; do
		"$1_cloud" "$n"
	done
	for n in $GATEWAYS; do
		"$1_gateway" "$n"
	done
	for n in $MFPS; do
		"$1_device" "$n"
	done
}

# All at once, but for the manager: who finds it missing comes back after a pause.
world_daemons()
{
	run_manager
	world_each start
	world_each await
}

printer_kind()
{
	[ "$1" = 2 ] && echo cupsd || echo ippeveprinter
}

# The LAN's own servers, which know nothing of Shunt and stay for all scenarios.
world_servers()
{
	local n host

	for n in $MFPS; do
		host=$(nth mfp "$n")
		[ "$PRINTER" = paper ] || [ -f "$WORLD/$host/pid" ] ||
			"$TOP/tests/e2e/hosts/mfp.sh" start "$host" "$WORLD/$host" >"$WORLD/log/ippeveprinter" 2>&1 ||
			die "the printer did not start"
	done
	for n in $NASES; do
		host=$(nth nas "$n")
		[ -f "$WORLD/$host/pid" ] ||
			"$TOP/tests/e2e/hosts/nas.sh" start "$host" "$WORLD/$host" >"$WORLD/log/lighttpd" 2>&1 ||
			die "the file server did not start"
	done
	for n in $PRINTERS; do
		host=$(nth printer "$n")
		[ -f "$WORLD/$host/pid" ] ||
			KIND=$(printer_kind "$n") ADDRESS=$(printer_address "$n") "$TOP/tests/e2e/hosts/printer.sh" start "$host" "$WORLD/$host" >"$WORLD/log/$host" 2>&1 ||
			die "the printer did not start"
	done
}

admin()
{
	SHUNT_CONFIG=$WORLD/etc/admin.conf in_ns terminal shunt "$@"
}

terminal()
{
	SHUNT_CONFIG=$WORLD/etc/$TERMINAL.conf in_ns terminal shunt "$@"
}

gateway_connected()
{
	admin -j gateway list | jq -e --arg gw "gw$1" '.gateways[] | select(.name == $gw and .connected)'
}

# register CODE NUMBER ADDRESS [OPTION...]
register()
{
	local code=$1 n=$2 address=$3

	shift 3
	admin device add "$code" --gateway "gw$(home "$n")" --address "$address" "$@" >>"$WORLD/log/registry"
}

# All of them at the same time: each waits for the manager more than it works.
world_devices()
{
	local n pid path pids=()

	for n in $MFPS; do
		register "mfp-${n%@*}" "$n" "$(mfp_address "$n")" --connectable --service agent:8632:tls &
		pids+=($!)
	done
	for n in $NASES; do
		register "nas-${n%@*}" "$n" "$(nas_address "$n")" --service webdav:80:/ &
		pids+=($!)
	done
	for n in $PRINTERS; do
		path=/ipp/print
		[ "$(printer_kind "$n")" = cupsd ] && path=/printers/q
		register "printer-${n%@*}" "$n" "$(printer_address "$n")" --service "ipp:631:$path" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || die "a device was not registered"
	done
	for n in $GATEWAYS; do
		soon 30 "gw$n to reach the manager" said shunt-manager "gateway: gw$n: connected"
	done
}

# gone PID
gone()
{
	! kill -0 "$1"
}

# stop_all SIGNAL: ends all daemons of the project.
stop_all()
{
	local file PID

	for file in "$WORLD"/pid/*; do
		[ ! -f "$file" ] || { pid_of "${file##*/}" && kill "-$1" "$PID" 2>/dev/null; }
	done
	for file in "$WORLD"/pid/*; do
		[ ! -f "$file" ] || { pid_of "${file##*/}" && NAP_LENGTH=0.01 within 20 gone "$PID"; }
	done
	rm -f "$WORLD"/pid/*
}

# The tables named "fault" of the hosts in $WORLD/faults.
drop_faults()
{
	local host

	[ -f "$WORLD/faults" ] || return 0
	while read -r host; do
		in_ns "$host" nft delete table inet fault 2>/dev/null
	done <"$WORLD/faults"
	rm -f "$WORLD/faults"
}

# Undo what tests do to the network: tables named "fault", links that are down, another speed.
world_heal()
{
	local n

	drop_faults
	for n in $GATEWAYS; do
		wan_rate "$WAN_RATE" "$(nth gw "$n")"
		[ "$n" != 1 ] || uplink_rate none
		ip -n "$(nth gw "$n")" link set wan up
		ip -n "$(nth gw "$n")" route replace default via "198.51.$((n == 1 ? 100 : 100 + n)).1"
	done
	for n in $MFPS; do
		tc -n "$(nth gw "$(home "$n")")" qdisc del dev "to-$(nth mfp "$n")" root 2>/dev/null
		ip -n "$(nth gw "$(home "$n")")" link set "to-$(nth mfp "$n")" up
	done
}

# A world as if it had just been set up: the hosts and their own servers stay, all else is new.
world_fresh()
{
	local netns

	stop_all KILL
	rm -rf "${WORLD:?}"/{etc,log,state} "$WORLD"/mfp*/{printed,hold} "$WORLD"/nas*/files/*
	rm -f "$WORLD"/printer*/{hold,tickets,pages/*}
	mkdir -p "$WORLD/log"
	world_network
	world_heal
	for netns in /run/netns/{gw,cloud,mfp}*; do
		[ ! -e "$netns" ] || ip -n "${netns##*/}" link del shunt0 2>/dev/null
	done
	world_configure
	world_servers
	world_daemons
	world_devices
}
