#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the command shunt says about the kernel: shown as text and as JSON, and every refusal in words that name
# the attribute. (What it refuses by itself is in tests/unit/test_cli_usage.c.)
#
#   ns: shunt0, up, with one tunnel to nowhere
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need setpriv
begin 57
setup_ns ns
ip -n "$ns" link add dummy0 type dummy
ip -n "$ns" link set dummy0 up
ip -n "$ns" addr add 198.51.100.1/24 dev dummy0
new_key k1 aes-gcm-256
new_key k2 aes-gcm-256
# its octets are no white space, which would be taken off before they are counted
(umask 077 && printf '%020d' 0 >"$TMP/short")
key_hex k1 >"$TMP/hex"
chmod 600 "$TMP/hex"

s()
{
	shunt -n "$ns" "$@"
}

# says STATUS TEXT WORDS...: exit status, and standard error is one line that begins so
says()
{
	local status=$1 text=$2 rc=0 lines
	shift 2
	s "$@" >"$TMP/out" 2>"$TMP/err" || rc=$?
	mapfile lines <"$TMP/err"
	echo "status $rc: ${lines[*]}"
	[ "$rc" = "$status" ] && [ ${#lines[@]} = 1 ] && [[ "${lines[0]}" == "Error: $text"*$'\n' ]]
}

# shows EXPR WORDS...: true of the JSON that shunt prints
shows()
{
	local expr=$1
	shift
	is "$expr" shunt -n "$ns" -j "$@"
}

keys=(key-in "file:$TMP/k1" key-out "file:$TMP/k2")
to=(endpoint 198.51.100.2:4500)
base=(tunnel add dev shunt0 spi-out 0x2002 "${keys[@]}" "${to[@]}")

# refused TEXT WORDS...: tunnel add with these words besides the base
refused()
{
	local text=$1
	shift
	says 2 "$text" "${base[@]}" "$@"
}

three()
{
	local n=1 to commands=''
	for to in 198.51.100.2:4500 198.51.100.2:4501 "[2001:db8::2]:4500"; do
		commands+="tunnel add dev shunt0 spi-out 0x2001 ${keys[*]} endpoint $to near 100.64.0.$n far 100.64.1.$n cookie a"$'\n'
		n=$((n + 1))
	done
	many "$ns" "$commands"
}

# batched STATUS ERRORS LINES [OPTIONS...]: what becomes of a batch, and all that it says on standard error
batched()
{
	local status=$1 errors=$2 commands=$3 rc=0
	shift 3
	printf '%s\n' "$commands" >"$TMP/batch"
	s -batch "$TMP/batch" "$@" >"$TMP/out" 2>"$TMP/err" || rc=$?
	echo "status $rc: $(<"$TMP/err")"
	[ "$rc" = "$status" ] && [ "$(<"$TMP/err")" = "$errors" ]
}

# left ENDPOINT...: of the tunnels
left()
{
	local endpoint expr="sorted(t.endpoint for t in it) == ["
	for endpoint; do
		expr+="'$endpoint', "
	done
	shows "$expr]" tunnel show
}

# 6.1 does not name the attribute at the end of a dump
no_dump()
{
	says 2 "" tunnel show dev dummy0 && grep "no such shunt device" "$TMP/err"
}

check "link add" s link add shunt0 mtu 1400 up address 100.64.0.2
check "link show" shows 'kind == "shunt" and mtu == 1400 and up is True' link show dev shunt0
check "link add, name taken" says 2 "shunt0: " link add shunt0
check "link add, port taken" says 2 "shunt1: " link add shunt1 up
check "no half-made link is left" refute ip -n "$ns" link show shunt1
check "link add, other port" s link add shunt1 port 4501 up
check "link del" s link del shunt1
check "link del, none" says 2 "shunt1: No such device" link del shunt1
check "link del, not ours" says 2 "dummy0: not a shunt device" link del dummy0
check "load of a device that is not ours" says 2 "ifindex: " load show dev dummy0

check "tunnel add" s tunnel add dev shunt0 spi-in 0x1001 spi-out 0x2001 "${keys[@]}" "${to[@]}" \
	near 100.64.0.2 far 100.64.1.1 host 192.168.1.10 alias 100.65.0.1 allow tcp/631,udp/161,icmp \
	priority 5 cookie 0123456789abcdef0123456789abcdef keepalive 20s idle 5m
check "tunnel show, JSON" shows 'id == "00001001" and dev == "shunt0" and side == "near" and
	spi_in == 4097 and spi_out == 8193 and cipher == "aes-gcm-256" and endpoint == "198.51.100.2:4500" and
	near == "100.64.0.2" and far == "100.64.1.1" and host == "192.168.1.10" and alias == "100.65.0.1" and
	priority == 5 and cookie == "0123456789abcdef0123456789abcdef" and keepalive_ms == 20000 and idle_s == 300 and
	scope == [{"proto": "tcp", "port": 631}, {"proto": "udp", "port": 161}, {"proto": "icmp"}]' tunnel show
check "tunnel show, text" eval "s tunnel show dev shunt0 id 00001001 | tr -d '\n' |
	grep -E '^00001001: dev shunt0 side near cipher aes-gcm-256 cookie 0123456789abcdef0123456789abcdef +spi-in 0x00001001 spi-out 0x00002001 endpoint 198.51.100.2:4500 +near 100.64.0.2 far 100.64.1.1 host 192.168.1.10 alias 100.65.0.1 +allow tcp/631,udp/161,icmp priority 5 keepalive 20s idle 5m +rx packets 0 bytes 0 cpu'"
line="00001001 shunt0 198.51.100.2:4500 100.64.0.2 100.64.1.1 - 0 0 0 0123456789abcdef0123456789abcdef"
check "tunnel show, brief" eval "s -br tunnel show | grep -x '$line'"
check "tunnel show, brief, JSON" shows 'id == "00001001" and rx_bytes == tx_bytes == drops == 0 and far == "100.64.1.1" and
	"last_rx_ms" not in it[0] and "scope" not in it[0]' -brief tunnel show
check "keys are never shown" eval "! s -s -d tunnel show | grep -qF \"$(cut -c 1-16 "$TMP/hex")\" &&
	! s -j -d tunnel show | grep -q key"
check "hex keys are keys" eval "s tunnel add dev shunt0 spi-in 0x1005 spi-out 0x2005 key-in file:$TMP/k2 \
	key-out file:$TMP/hex ${to[*]} near 100.64.0.9 far 100.64.1.9 && s tunnel del dev shunt0 id 00001005"
check "without spi-in the kernel picks one" eval "s ${base[*]} near 100.64.0.3 far 100.64.1.3 >$TMP/id &&
	grep -qE '^[0-9a-f]{8}$' $TMP/id && s tunnel show dev shunt0 id \$(cat $TMP/id) &&
	s tunnel del dev shunt0 id \$(cat $TMP/id)"
check "tunnel set" eval "s tunnel set dev shunt0 spi-in 0x1001 priority 1 cookie other allow tcp/80 keepalive 0 idle 0 &&
	shows 'priority == 1 and cookie == \"other\" and keepalive_ms == 0 and idle_s == 0 and
	scope == [{\"proto\": \"tcp\", \"port\": 80}]' tunnel show"
check "tunnel set, endpoint" eval "s tunnel set dev shunt0 spi-in 0x1001 endpoint 198.51.100.3:4501 &&
	shows 'endpoint == \"198.51.100.3:4501\"' tunnel show"

check "same spi-in" refused "spi-in: " spi-in 0x1001 near 100.64.0.3 far 100.64.1.3
check "same alias" refused "alias: " near 100.64.0.3 far 100.64.1.3 host 192.168.1.11 alias 100.65.0.1
check "near and far of two families" refused "far: " near 100.64.0.3 far fd00::1
check "near is no host's address" refused "near: " near 224.0.0.1 far 100.64.1.3
check "no endpoint at the near side" says 2 "endpoint: " tunnel add dev shunt0 spi-out 0x2002 "${keys[@]}" \
	near 100.64.0.3 far 100.64.1.3
check "host at the far side" refused "host: " side far near 100.64.0.3 far 100.64.1.3 host 192.168.1.10 alias 100.65.0.3
check "keepalive too short" refused "keepalive: " near 100.64.0.3 far 100.64.1.3 keepalive 1ms
check "not a shunt device" says 2 "ifindex: " tunnel add dev dummy0 spi-out 0x2002 "${keys[@]}" "${to[@]}" \
	near 100.64.0.3 far 100.64.1.3
check "key of another length" says 1 "key-in: $TMP/short: has 20 octets" tunnel add dev shunt0 spi-out 0x2002 \
	key-in "file:$TMP/short" key-out "file:$TMP/k2" "${to[@]}" near 100.64.0.3 far 100.64.1.3
check "same key twice" says 1 "key-in and key-out are the same" tunnel add dev shunt0 spi-out 0x2002 \
	key-in "file:$TMP/k1" key-out "file:$TMP/k1" "${to[@]}" near 100.64.0.3 far 100.64.1.3
chmod 644 "$TMP/k2"
check "key that others can read" says 1 "key-out: $TMP/k2: " "${base[@]}" near 100.64.0.3 far 100.64.1.3
chmod 600 "$TMP/k2"
check "tunnel show, none" says 2 "spi-in: " tunnel show dev shunt0 id 00009999
check "tunnel set, none" says 2 "spi-in: " tunnel set dev shunt0 id 00009999 priority 1
check "tunnel del, none" says 2 "spi-in: " tunnel del dev shunt0 id 00009999
check "threshold, low above high" says 2 "tunnels-low: " threshold set dev shunt0 tunnels-high 2 tunnels-low 2
check "no device of that name" says 1 "dev: no device \"none0\" here" tunnel del dev none0 id 00001001
check "namespace of that name" says 1 "-netns none: No such file or directory" -n none tunnel show

unprivileged()
{
	local rc=0
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$(command -v shunt)" "$@" 2>"$TMP/err" || rc=$?
	echo "status $rc: $(<"$TMP/err")"
	[ "$rc" = 2 ] && [[ "$(<"$TMP/err")" == "Error: "*"not permitted"* ]]
}

check "without privilege: show" unprivileged tunnel show
check "without privilege: monitor" unprivileged monitor
check "flush by cookie" eval "s tunnel flush dev shunt0 cookie other && shows 'it == []' tunnel show"
check "flush what is not there" s tunnel flush dev shunt0 cookie other
check "tunnels to three endpoints" three
check "a batch ends where the kernel refuses" batched 2 "Error: spi-in: no such tunnel
Command failed $TMP/batch:4" "# what is there, and what is not
tunnel show dev shunt0 \\
	cookie 'a'
tunnel del dev shunt0 spi-in 0x9999
tunnel flush dev shunt0"
check "a batch: what came before was done" grep -q "endpoint 198.51.100.2:4501" "$TMP/out"
check "a batch: what came after was not" shows "len(it) == 3" tunnel show
check "a batch goes on with -force" batched 2 "Error: spi-in: no such tunnel
Command failed $TMP/batch:1" "tunnel del dev shunt0 spi-in 0x9999
tunnel show dev shunt0" -force -json
check "a batch with -force: the rest was done" is "len(it) == 3" cat "$TMP/out"
check "a batch: one namespace" batched 1 "Error: a batch has one namespace and no other batch in it
Command failed $TMP/batch:1" "tunnel show -n $ns"
check "flush by endpoint" eval 's tunnel flush dev shunt0 endpoint 198.51.100.2:4501 && left 198.51.100.2:4500 "[2001:db8::2]:4500"'
check "flush by address, any port" eval 's tunnel flush dev shunt0 endpoint 198.51.100.2:0 && left "[2001:db8::2]:4500"'
check "flush by endpoint and cookie" eval 's tunnel flush dev shunt0 cookie b endpoint "[2001:db8::2]:4500" && left "[2001:db8::2]:4500" &&
	s tunnel flush dev shunt0 cookie a endpoint "[2001:db8::2]:4500" && left'
check "flush by endpoint, of no device" says 1 "dev is missing" tunnel flush endpoint 198.51.100.2:0
check "flush by what is no endpoint" says 1 "endpoint: " tunnel flush dev shunt0 endpoint 198.51.100.2
check "show, of a device that is not ours" no_dump
ip -n "$ns" link del shunt0
rmmod shunt
autoload off
check "without the module: tunnels" says 2 "the shunt module is not loaded (modprobe shunt)" tunnel show
check "without the module: devices" says 2 "the shunt module is not loaded (modprobe shunt)" link add shunt0
autoload on
check "both load it on demand" eval "s link add shunt0 && shows 'it == []' tunnel show"
ktap_finished
