#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's own tool for netlink specifications drives the whole family from our specification.
#
#   ns: shunt0, up
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need python3
cli=${YNL_CLI:-/usr/src/linux/tools/net/ynl/cli.py}
spec=${YNL_SPEC:-/shunt/Documentation/netlink/specs/shunt.yaml}
schema=${YNL_SCHEMA:-/usr/src/linux/Documentation/netlink/genetlink.yaml}
[ -f "$cli" ] || skip "no $cli (YNL_CLI)"
[ -f "$spec" ] || skip "no $spec (YNL_SPEC)"
python3 -c 'import yaml, jsonschema' 2>/dev/null || skip "python3 lacks yaml or jsonschema"
begin 14
setup_ns ns
ip -n "$ns" link add dummy0 type dummy
ip -n "$ns" link set dummy0 up
ip -n "$ns" addr add 198.51.100.1/24 dev dummy0
ip -n "$ns" link add shunt0 type shunt
ip -n "$ns" link set shunt0 up
ask value ifindex ip -n "$ns" -j link show shunt0
ifindex=$ANSWER
new_key k1 aes-gcm-256
new_key k2 aes-gcm-256

# The session answers with one line for each
mkfifo "$TMP"/{to,from}
exec {TO}<>"$TMP/to" {FROM}<>"$TMP/from"
in_ns "$ns" python3 "$here/ynl_session.py" "$(dirname "$cli")" "$spec" "$schema" tunnels <&"$TO" >&"$FROM" 2>"$TMP/session" &

# ynl do|dump|events OPERATION ATTRIBUTES: the answer is in $TMP/answer
ynl()
{
	local line
	printf '%s %s %s\n' "$1" "$2" "${3//$'\n'/ }" >&"$TO"
	read -r -t "$((4 * WAIT))" -u "$FROM" line || {
		cat "$TMP/session"
		return 1
	}
	printf '%s\n' "$line" | tee "$TMP/answer"
}

# true_of EXPR: a Python expression is true of the answer
true_of()
{
	is "$1" cat "$TMP/answer"
}

# one OPERATION ATTRIBUTES [EXPR]
one()
{
	ynl "do" "$1" "$2" && true_of "(it is None or 'error' not in it) and (${3:-True})"
}

all()
{
	ynl dump "$1" "${3:-"{}"}" && true_of "$2"
}

# refused OPERATION ATTRIBUTES NAME: with an error that names the attribute
refused()
{
	ynl "do" "$1" "$2" && true_of "'$3' in it.error"
}

# 198.51.100.2:4500 as a struct sockaddr_in (whose family is in the machine's order)
sockaddr=02001194c63364020000000000000000
new="{\"ifindex\": $ifindex, \"side\": \"near\", \"spi-in\": 4097, \"spi-out\": 8193, \"cipher\": \"aes-gcm-256\",
	\"key-in\": \"$(key_hex k1)\", \"key-out\": \"$(key_hex k2)\", \"endpoint\": \"$sockaddr\",
	\"near\": \"64400002\", \"far\": \"64400101\", \"host\": \"c0a8010a\", \"alias\": \"64410001\",
	\"scope\": {\"rule\": [{\"proto\": 6, \"port\": 631}, {\"proto\": 1}]}, \"priority\": 3, \"cookie\": \"job-1\",
	\"keepalive\": 20000, \"idle-timeout\": 300}"
name="\"ifindex\": $ifindex, \"spi-in\": 4097"

check "specification fits its schema; dump of nothing" all tunnel-get 'it == []'
check "tunnel-new" one tunnel-new "$new" 'it["spi-in"] == 4097 and "generation" in it'
check "tunnel-get" one tunnel-get "{$name}" 'side == "near" and cipher == "aes-gcm-256" and cookie == "job-1" and
	priority == 3 and it["idle-timeout"] == 300 and scope.rule[0].port == 631 and rx.packets == 0 and
	"scope" in tx.drops and "key-in" not in it'
check "tunnel-get, all of a device" all tunnel-get 'len(it) == 1' "{\"ifindex\": $ifindex}"
check "tunnel-get, all" all tunnel-get 'len(it) == 1'
check "tunnel-set" one tunnel-set "{$name, \"priority\": 7, \"scope\": {\"rule\": [{\"proto\": 17, \"port\": 161}]}}"
check "tunnel-set took effect" one tunnel-get "{$name}" 'priority == 7 and scope.rule[0].proto == 17'
check "threshold-set" one threshold-set "{\"ifindex\": $ifindex, \"tunnels-high\": 5, \"load-high\": 900}"
check "load-get" one load-get "{\"ifindex\": $ifindex}" 'tunnels == 1 and it["tunnels-high"] == 5 and
	it["tunnels-low"] == 0 and it["load-high"] == 900 and "cpu-ns" in rx'
check "load-get, all" all load-get 'len(it) == 1'
check "an error names the attribute" refused tunnel-new "$new" spi-in
check "tunnel-del answers with the final counters" one tunnel-del "{$name}" 'reason == "user" and "packets" in rx'
check "threshold-set refuses nonsense" refused threshold-set "{\"ifindex\": $ifindex, \"load-high\": 5, \"load-low\": 9}" load
check "the tunnel's life was told" eval "ynl events - {} &&
	true_of '[(e.name, e.msg.cookie) for e in it] == [(\"tunnel-new-ntf\", \"job-1\"), (\"tunnel-del-ntf\", \"job-1\")]'"
ktap_finished
