# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The world of the end-to-end tests: network namespaces are the hosts of the design's picture. Runs as root inside
# the test VM only (tests/e2e/run refuses to start elsewhere).
#
#   terminal 203.0.113.30 ──┐
#   manager  203.0.113.20 ──┤ inet: bridge + router .1      every host on the internet sends
#   cloud    203.0.113.10 ──┘   │                           through 20 ms of netem, so any two
#                               │ WAN_RATE towards gw       of them are 40 ms apart
#              198.51.100.2 ── gw: NAT, drops all inbound, shunt0, shuntd
#                               │ br-lan 192.168.1.1
#         mfp 192.168.1.10 ─────┤ shunt-device + ippeveprinter
#         nas 192.168.1.15 ─────┘ lighttpd with WebDAV, no agent

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=$TOP/build/userspace
export PATH=$BIN:$PATH

WORLD=/run/shunt-world		# configuration, certificates and logs of this run
HALF_RTT=${HALF_RTT:-20ms}
WAN_RATE=${WAN_RATE:-8mbit}
INTERNET_HOSTS="cloud:203.0.113.10 manager:203.0.113.20 terminal:203.0.113.30"
LAN_HOSTS="mfp:192.168.1.10 nas:192.168.1.15"

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

# await SECONDS WHAT COMMAND...: polls a condition; the only place where these tests wait.
await()
{
	local limit=$1 what=$2 begin=$SECONDS

	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - begin)) -lt "$limit" ] || die "waited $limit s in vain for $what"
		sleep 0.1
	done
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

# wan_rate RATE: how fast the gateway's line is, towards it. Its queue holds 80 ms at most, or the first job's packets
# would hold up everybody else's for seconds.
wan_rate()
{
	tc -n inet qdisc replace dev to-gw root tbf rate "$1" burst 64k latency 80ms
}

world_internet()
{
	local entry

	ip netns add inet
	ip -n inet link set lo up
	ip -n inet link add br-inet type bridge
	ip -n inet address add 203.0.113.1/24 dev br-inet
	ip -n inet link set br-inet up
	in_ns inet sysctl -qw net.ipv4.ip_forward=1
	for entry in $INTERNET_HOSTS; do
		attach "${entry%%:*}" "${entry#*:}/24" inet br-inet
		ip -n "${entry%%:*}" route add default via 203.0.113.1
		distance "${entry%%:*}" eth0
	done
}

# The gateway is an ordinary home router: it masquerades, answers nothing from outside, forwards nothing inward but
# replies, and lets decapsulated packets of its tunnels through to the LAN.
world_gateway()
{
	ip netns add gw
	ip -n gw link set lo up
	ip link add wan netns gw type veth peer name to-gw netns inet
	ip -n inet address add 198.51.100.1/24 dev to-gw
	ip -n inet link set to-gw up
	wan_rate "$WAN_RATE"
	ip -n gw address add 198.51.100.2/24 dev wan
	ip -n gw link set wan up
	ip -n gw route add default via 198.51.100.1
	distance gw wan
	ip -n gw link add br-lan type bridge
	ip -n gw address add 192.168.1.1/24 dev br-lan
	ip -n gw link set br-lan up
	in_ns gw sysctl -qw net.ipv4.ip_forward=1
	in_ns gw nft -f - <<-'EOF'
		table inet router {
			chain input {
				type filter hook input priority filter; policy drop;
				iifname "lo" accept
				iifname "br-lan" accept
				ct state established,related accept
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

world_lan()
{
	local entry

	for entry in $LAN_HOSTS; do
		attach "${entry%%:*}" "${entry#*:}/24" gw br-lan
		ip -n "${entry%%:*}" route add default via 192.168.1.1
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
	cp "$BIN"/shunt "$BIN"/shunt{d,-manager,-cloud,-device} /run/bin
	PATH=/run/bin:$PATH
	[ ! -d /sys/module/shunt ] || return 0
	"$TOP/scripts/guest" load || die "loading $ko"
}

# certify DIR ROLE NAME: a certificate of the deployment's CA, as an administrator would make it.
certify()
{
	shunt pki issue "$WORLD/pki" --role "$1" --name "$2" >>"$WORLD/log/pki" || die "certificate for $1 $2"
}

world_identities()
{
	shunt pki init "$WORLD/pki" >"$WORLD/log/pki" || die "shunt pki init"
	certify cloud cloud1
	certify manager manager1
	certify gateway gw1
	certify device mfp-1
	certify terminal alice
	certify admin root
}

# identity ROLE NAME: the configuration lines with which a program says who it is.
identity()
{
	printf 'ca = "%s"\ncert = "%s"\nkey = "%s"\n' "$WORLD/pki/ca.crt" "$WORLD/pki/$1-$2.crt" "$WORLD/pki/$1-$2.key"
}

configure_manager()
{
	identity manager manager1
	echo 'user = "nobody"'
	cat <<-EOF
		listen = "203.0.113.20:8443"
		state = "$WORLD/state/manager"
	EOF
}

configure_cloud()
{
	identity cloud cloud1
	echo 'user = "nobody"'
	cat <<-EOF
		listen = "203.0.113.10:8443"
		public = "203.0.113.10:8443"
		public-tunnel = "203.0.113.10:4500"
		manager = "203.0.113.20:8443"
		pool = "100.64.0.0/16"
		state = "$WORLD/state/cloud"
	EOF
}

configure_gateway()
{
	identity gateway gw1
	echo 'user = "nobody"'
	cat <<-EOF
		manager = "203.0.113.20:8443"
		listen = "192.168.1.1:8633"
		lan = {"192.168.1.0/24"}
		alias-pool = "100.65.0.0/16"
		state = "$WORLD/state/gateway"
		record-log = "$WORLD/state/gateway/record.log"
		policy {
			decide = gateway
			when = threshold
			tunnels-high = ${TUNNEL_LIMIT:-2}
		}
	EOF
}

configure_device()
{
	identity device mfp-1
	echo 'user = "nobody"'
	cat <<-EOF
		listen = "192.168.1.10:8632"
		state = "$WORLD/state/device"
		accept = {"print"}
		print-command = "$TOP/tests/e2e/hosts/print %f %n"
	EOF
}

configure_terminal()
{
	identity terminal alice
	cat <<-EOF
		cloud = "203.0.113.10:8443"
		manager = "203.0.113.20:8443"
	EOF
}

configure_admin()
{
	identity admin root
	cat <<-EOF
		cloud = "203.0.113.10:8443"
		manager = "203.0.113.20:8443"
	EOF
}

# start HOST PROGRAM: runs a daemon of the project in its namespace and remembers its pid.
start()
{
	local host=$1 program=$2

	ip netns exec "$host" "$program" -c "$WORLD/etc/$program.conf" >"$WORLD/log/$program" 2>&1 &
	echo $! >"$WORLD/pid/$program"
}

# listening HOST ADDRESS:PORT: true once something accepts connections there.
listening()
{
	in_ns "$1" ss -Hltn "src $2" | grep -q .
}

world_configure()
{
	local role

	mkdir -p "$WORLD"/{etc,log,pid,state/{manager,cloud,gateway,device}}
	chown nobody "$WORLD"/state/*
	world_identities
	configure_manager >"$WORLD/etc/shunt-manager.conf"
	configure_cloud >"$WORLD/etc/shunt-cloud.conf"
	configure_gateway >"$WORLD/etc/shuntd.conf"
	configure_device >"$WORLD/etc/shunt-device.conf"
	for role in terminal admin; do
		"configure_$role" >"$WORLD/etc/$role.conf"
	done
}

world_daemons()
{
	start manager shunt-manager
	await 20 "the manager to listen" listening manager 203.0.113.20:8443
	start cloud shunt-cloud
	await 20 "the cloud to listen" listening cloud 203.0.113.10:8443
	start gw shuntd
	await 20 "the gateway to listen on the LAN" listening gw 192.168.1.1:8633
	start mfp shunt-device
	await 20 "the agent to listen" listening mfp 192.168.1.10:8632
}

# The LAN's own servers, which know nothing of Shunt.
world_servers()
{
	"$TOP/tests/e2e/hosts/mfp.sh" start mfp "$WORLD/mfp" >"$WORLD/log/ippeveprinter" 2>&1 || die "the printer did not start"
	"$TOP/tests/e2e/hosts/nas.sh" start nas "$WORLD/nas" >"$WORLD/log/lighttpd" 2>&1 || die "the file server did not start"
}

admin()
{
	SHUNT_CONFIG=$WORLD/etc/admin.conf in_ns terminal shunt "$@"
}

terminal()
{
	SHUNT_CONFIG=$WORLD/etc/terminal.conf in_ns terminal shunt "$@"
}

gateway_connected()
{
	admin -j gateway list | jq -e '.gateways[] | select(.name == "gw1" and .connected)'
}

world_devices()
{
	admin device add mfp-1 --gateway gw1 --address 192.168.1.10 --connectable \
		--service agent:8632:tls >"$WORLD/log/registry" || die "registering mfp-1"
	admin device add nas-1 --gateway gw1 --address 192.168.1.15 \
		--service webdav:80:/ >>"$WORLD/log/registry" || die "registering nas-1"
	await 30 "the gateway to reach the manager" gateway_connected
}

world_stop()
{
	local file

	for file in "$WORLD"/pid/*; do
		[ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null
	done
	wait
}
