#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's own tool for netlink specifications drives the whole family from our specification.
#
#   ns: shunt0, up
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need python3 jq
declare -A listeners
cli=${YNL_CLI:-/usr/src/linux/tools/net/ynl/cli.py}
spec=${YNL_SPEC:-/shunt/Documentation/netlink/specs/shunt.yaml}
schema=${YNL_SCHEMA:-/usr/src/linux/Documentation/netlink/genetlink.yaml}
[ -f "$cli" ] || skip "no $cli (YNL_CLI)"
[ -f "$spec" ] || skip "no $spec (YNL_SPEC)"
python3 -c 'import yaml, jsonschema' 2>/dev/null || skip "python3 lacks yaml or jsonschema"
begin 20
setup_ns ns
ip -n "$ns" link add dummy0 type dummy
ip -n "$ns" link set dummy0 up
ip -n "$ns" addr add 198.51.100.1/24 dev dummy0
ip -n "$ns" link add shunt0 type shunt
ip -n "$ns" link set shunt0 up
ifindex=$(ip -n "$ns" -j link show shunt0 | jq '.[0].ifindex')
new_key k1 aes-gcm-256
new_key k2 aes-gcm-256

# The tool itself, but run by the resident, which has imported what takes an emulated processor seconds each time. The
# first call validates the specification, the others need not.
schema_words=(--schema "$schema")
ynl()
{
	local rc=0
	ask py "$ns" "$cli" --spec "$spec" "${schema_words[@]}" --output-json "$@" || rc=$?
	printf '%s\n' "$ANSWER"
	return "$rc"
}

# one OPERATION ATTRIBUTES FILTER
one()
{
	ynl --do "$1" --json "$2" >"$TMP/answer" || return
	cat "$TMP/answer"
	[ -z "${3:-}" ] || jq -e "$3" "$TMP/answer"
}

all()
{
	ynl --dump "$1" ${3:+--json "$3"} >"$TMP/answer" || return
	cat "$TMP/answer"
	jq -e "$2" "$TMP/answer"
}

# listen GROUP COUNT: from now on; told says of what
listen()
{
	ask start "$ns" "$TMP/$1" "$here/ynl_events.py" "${cli%/*}" "$spec" "$1" "$2"
	listeners[$1]=$ANSWER
	within started "$TMP/$1"
}

# told GROUP FILTER: all of what a group was told
told()
{
	local rc=0
	ask reap "${listeners[$1]}" || rc=$?
	tail -n +2 "$TMP/$1"
	[ "$rc" -eq 0 ] || return
	tail -n +2 "$TMP/$1" | jq -es "$2"
}

refuses_second()
{
	! ynl --do tunnel-new --json "$new" >"$TMP/answer" && grep spi-in "$TMP/answer"
}

# 198.51.100.2:4500 as a struct sockaddr_in
sockaddr=$(python3 -c 'import socket, struct
print((struct.pack("=H", socket.AF_INET) + struct.pack("!H", 4500) + socket.inet_aton("198.51.100.2") + bytes(8)).hex())')
new="{\"ifindex\": $ifindex, \"side\": \"near\", \"spi-in\": 4097, \"spi-out\": 8193, \"cipher\": \"aes-gcm-256\",
	\"key-in\": \"$(key_hex k1)\", \"key-out\": \"$(key_hex k2)\", \"endpoint\": \"$sockaddr\",
	\"near\": \"64400002\", \"far\": \"64400101\", \"host\": \"c0a8010a\", \"alias\": \"64410001\",
	\"scope\": {\"rule\": [{\"proto\": 6, \"port\": 631}, {\"proto\": 1}]}, \"priority\": 3, \"cookie\": \"job-1\",
	\"keepalive\": 20000, \"idle-timeout\": 300}"
name="\"ifindex\": $ifindex, \"spi-in\": 4097"

check "the tool can be imported" ask import "${cli%/*}" lib yaml jsonschema
check "specification fits its schema; dump of nothing" all tunnel-get '. == []'
schema_words=(--no-schema)
check "the tool listens" eval 'listen tunnels 3 && listen load 1'
check "tunnel-new" one tunnel-new "$new" '."spi-in" == 4097 and has("generation")'
check "tunnel-get" one tunnel-get "{$name}" '.side == "near" and .cipher == "aes-gcm-256" and .cookie == "job-1" and
	.priority == 3 and ."idle-timeout" == 300 and .scope.rule[0].port == 631 and .rx.packets == 0 and
	(.tx | has("bytes")) and (.tx | has("drops") | not) and (has("key-in") | not)'
check "tunnel-get, all of a device" all tunnel-get 'length == 1' "{\"ifindex\": $ifindex}"
check "tunnel-get, all" all tunnel-get 'length == 1'
check "tunnel-set" one tunnel-set "{$name, \"priority\": 7, \"scope\": {\"rule\": [{\"proto\": 17, \"port\": 161}]}}"
check "tunnel-set took effect" one tunnel-get "{$name}" '.priority == 7 and .scope.rule[0].proto == 17'
check "threshold-set" one threshold-set "{\"ifindex\": $ifindex, \"tunnels-high\": 1, \"load-high\": 900}"
check "load-get" one load-get "{\"ifindex\": $ifindex}" '.tunnels == 1 and ."tunnels-high" == 1 and ."tunnels-low" == 0 and
	."load-high" == 900 and (.rx | has("cpu-ns"))'
check "load-get, all" all load-get 'length == 1'
check "an error names the attribute" refuses_second
check "another endpoint" one tunnel-set "{$name, \"endpoint\": \"${sockaddr/1194/1195}\"}"
check "tunnel-del answers with the final counters" one tunnel-del "{$name}" '.reason == "user" and (.rx | has("packets")) and .count == 1'
check "what happened to the tunnel was told" told tunnels '[.[].name] == ["tunnel-new-ntf", "tunnel-endpoint-ntf", "tunnel-del-ntf"] and
	([.[].msg."spi-in"] | unique == [4097]) and .[0].msg.cookie == "job-1" and .[2].msg.reason == "user" and (.[2].msg.tx | has("packets"))'
check "and to the load" told load '.[0].name == "load-ntf" and .[0].msg.crossed == "tunnels-high" and .[0].msg.above == ["tunnels"]'
check "tunnel-new, again" one tunnel-new "$new"
check "tunnel-del, all with a cookie" one tunnel-del "{\"ifindex\": $ifindex, \"cookie\": \"job-1\"}" '.count == 1'
check "threshold-set refuses nonsense" refute one threshold-set "{\"ifindex\": $ifindex, \"load-high\": 5, \"load-low\": 9}"
ktap_finished
