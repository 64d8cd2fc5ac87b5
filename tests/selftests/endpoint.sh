#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The cloud learns where the gateway is, and follows it when its NAT gives it another port, but only on packets
# that are authentic and newer than any before.
#
#   gw 10.0.0.1 ── inside ── 10.0.0.2 nat 198.51.100.1 ── wan ── 198.51.100.2 cloud
#   192.168.1.10             UDP 4500 leaves as 5001, then as 5002,       100.64.0.1
#                            5003, and from 198.51.100.3
#
# The NAT is stateless (nftables rewrites address and port), so that the test decides when it changes.
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need python3 ping nft
begin 17 5
setup_ns gw nat cloud
join_wan "$nat" "$cloud"
join_wan "$gw" "$nat" 10.0.0 wan inside
ip -n "$gw" route add default via 10.0.0.2
ip -n "$nat" addr add 198.51.100.3/24 dev wan
in_ns "$nat" sysctl -qw net.ipv4.ip_forward=1
ip -n "$gw" addr add 192.168.1.10/32 dev lo
near_link "$gw"
far_link "$cloud"
near=$((0x1001)) far=$((0x2001))

# nat_port PORT [HOLD]: from now on the gateway's capsules leave as $nat_address:PORT, and only what is sent there arrives
nat_address=198.51.100.1
nat_port()
{
	in_ns "$nat" nft -f - <<-RULES
		table ip rebind
		delete table ip rebind
		table ip rebind {
			chain out {
				type filter hook postrouting priority 0;
				oifname wan udp sport 4500 ip saddr set $nat_address udp sport set $1 udp checksum set 0
			}
			chain in {
				type filter hook prerouting priority 0;
				iifname wan udp dport 4500-5999 ip daddr != $nat_address drop
				iifname wan udp dport 4500-5999 udp dport != $1 drop
				iifname wan udp dport $1 udp dport set 4500 ip daddr set 10.0.0.1 udp checksum set 0
			}
			chain hold {
				type filter hook forward priority 0;
				${2:-}
			}
		}
	RULES
}

endpoint_is()
{
	tunnel_is "$cloud" "$far" "endpoint == '$1'"
}

event_seen()
{
	events "$TMP/events" "sum(e.event == 'endpoint' for e in it) == $1"
}

# event_of ENDPOINT: the last one is of that
event_of()
{
	events "$TMP/events" "it[-1].event == 'endpoint' and it[-1].endpoint == '$1'"
}

# put_old SPORT [CHANGE...]: a capsule taken from the wire, sent to the cloud from another port
put_old()
{
	local port=$1
	shift
	py "$nat" capsule.py put wan "$TMP/capsules" line=0 "sport=$port" "$@"
}

# take DEV [SECONDS [COUNT]]: so many capsules of the gateway, as they leave the NAT or come to it
take()
{
	local count=${3:-1} pid
	ask start "$nat" "$TMP/taker" "$here/capsule.py" take "$1" "$TMP/capsules" "$count"
	pid=$ANSWER
	within started "$TMP/taker" || return
	in_ns "$gw" ping -q -c "$count" -i 0.2 -W "${2:-$WAIT}" 100.64.0.1
	ask reap "$pid"
}

drops_more()
{
	tunnel_is "$cloud" "$far" "rx.drops.$1 > $2"
}

# stays PORT REASON CHANGE...: sent from another port it is dropped as that, and the endpoint stays
stays()
{
	local port=$1 reason=$2 before
	shift 2
	before=$(tunnel_value "$cloud" "$far" "rx.drops.$reason")
	put_old 6666 "$@" && within drops_more "$reason" "$before" && endpoint_is "198.51.100.1:$port"
}

# A capsule that the NAT held back is authentic and new to the cloud, but older than the last: it is delivered, and
# moves nothing.
late()
{
	local before
	nat_port 5002 'udp dport 4500 drop'
	take inside 1
	nat_port 5002
	pings "$gw" 100.64.0.1 || return
	before=$(tunnel_value "$cloud" "$far" rx.packets)
	# taken on the inside: its frame is addressed anew
	py "$nat" capsule.py put wan "$TMP/capsules" line=0 sport=6666 \
		"saddr=198.51.100.1" "smac=$(mac "$nat")" "dmac=$(mac "$cloud")" || return
	within tunnel_is "$cloud" "$far" "rx.packets == $((before + 1))" &&
		endpoint_is 198.51.100.1:5002
}

# An end that moves all the time, as fast as it sends: where it is in the end is said, but not every step.
flap()
{
	local events
	nat_port 5002 'udp dport 4500 drop'
	take inside 1 8
	nat_port 5002
	events=$(wc -l <"$TMP/events")
	py "$nat" capsule.py put wan "$TMP/capsules" sport=7001 step=1 \
		"saddr=198.51.100.1" "smac=$(mac "$nat")" "dmac=$(mac "$cloud")" || return
	within events "$TMP/events" "it[-1].endpoint == '198.51.100.1:7008'" || return
	events=$(($(wc -l <"$TMP/events") - events))
	echo "$events events"
	[ "$events" -le 4 ]
}

mac()
{
	ask value address ip -n "$1" -j link show wan && printf '%s' "$ANSWER"
}

keepalive()
{
	shunt -n "$gw" tunnel set dev shunt0 spi-in "$near" keepalive "$1"
}

# The cloud sends and nothing of it arrives, so nothing comes back that would tell it where to. The keepalive itself is
# longer than the test waits: it is silence after traffic that makes the gateway ask.
silence_ends()
{
	keepalive 32s && pings "$cloud" 192.168.1.10 || return
	nat_port 5003
	within in_ns "$cloud" ping -q -c 1 -W 1 192.168.1.10
}

# Nobody sends anything but dummies, which both ends count as no packets.
dummies_teach()
{
	local carried seq
	carried=$(tunnel_value "$cloud" "$far" '(rx.packets, tx.packets)')
	seq=$(tunnel_value "$gw" "$near" seq_out)
	keepalive 1s || return
	nat_address=198.51.100.3
	nat_port 5003
	within endpoint_is 198.51.100.3:5003 && within tunnel_is "$gw" "$near" "seq_out > $seq + 1" &&
		tunnel_is "$cloud" "$far" "(rx.packets, tx.packets) == $carried"
}

nat_port 5001
shunt -n "$cloud" -j monitor tunnels >"$TMP/events" &
within started "$TMP/events"
check "tunnel without an endpoint at the cloud" pair "$gw" "$cloud" 1 aes-gcm-256 192.168.1.10 100.64.0.1
check "the cloud has learned it" endpoint_is 198.51.100.1:5001
check "and says so" within event_seen 1
check "ping from the cloud" pings "$cloud" 192.168.1.10
nat_port 5002
check "another port of the NAT: ping from the gateway" pings "$gw" 100.64.0.1
check "the cloud has followed" endpoint_is 198.51.100.1:5002
check "and says so" within event_seen 2
check "ping from the cloud arrives at the new port" pings "$cloud" 192.168.1.10
check "take a capsule" take wan
check "replayed from elsewhere: nothing moves" stays 5002 replay
check "forged, and newer, from elsewhere: nothing moves" stays 5002 auth flip=4
check "late from elsewhere: delivered, nothing moves" late
check "no event for any of these" event_seen 2
check "ping from the cloud still arrives" pings "$cloud" 192.168.1.10
sweep "an end that moves all the time: it is followed, and not every step is said" flap
sweep "where it goes back to, the cloud follows" pings "$gw" 100.64.0.1
check "a third port, and only the cloud sends: it arrives again" silence_ends
check "the cloud has followed" endpoint_is 198.51.100.1:5003
check "and says so" within event_of 198.51.100.1:5003
sweep "another address, and nobody sends: dummies teach the cloud" dummies_teach
sweep "and it says so" within event_of 198.51.100.3:5003
sweep "ping from the cloud arrives there" pings "$cloud" 192.168.1.10
ktap_finished
