# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib_shunt: what the tests of this collection share. Sourced first; brings in the kernel's own helpers
# (namespaces, waiting, TAP). Each test draws its topology, calls begin, then check for every result.

here=$(dirname "$(readlink -e "$0")")
# shellcheck disable=SC1091
. "$here/../net/lib.sh"
# shellcheck disable=SC1091
. "$here/../kselftest/ktap_helpers.sh"

# seconds; emulated machines are slow, so tests wait for conditions, never for time
case ${SHUNT_SWEEP:-full} in
long) WAIT=${WAIT:-120} ;;
*) WAIT=${WAIT:-30} ;;
esac
TMP=$(mktemp -d)

skip()
{
	ktap_skip_all "$*"
	exit "$KSFT_SKIP"
}

# need COMMAND...: the programs a test cannot do without
need()
{
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# sweeps: whether to go through all there is of something, or, on an emulated processor, only what may depend on the kernel
sweeps()
{
	[ "${SHUNT_SWEEP:-full}" != short ]
}

# at_length LONG ELSE: LONG where there is time for what takes chance to find (make check-debug)
at_length()
{
	if [ "${SHUNT_SWEEP:-full}" = long ]; then echo "$1"; else echo "$2"; fi
}

# begin COUNT [MORE]: load the module, announce COUNT results, and MORE where there are sweeps
begin()
{
	[ "$EUID" -eq 0 ] || skip "must run as root"
	need ip python3 shunt
	# in an emulated machine a program on a shared file system takes three times as long to start
	mkdir "$TMP/bin"
	cp "$(command -v shunt)" "$TMP/bin"
	PATH=$TMP/bin:$PATH
	hash -r
	resident_start
	[ -d /sys/module/shunt ] || modprobe shunt 2>"$TMP/modprobe" ||
		skip "module shunt does not load: $(cat "$TMP/modprobe")"
	ktap_print_header
	if sweeps; then
		ktap_set_plan $(($1 + ${2:-0}))
	else
		ktap_set_plan "$1"
	fi
}

# end: remove what begin and the test made. Runs on every exit.
end()
{
	local job
	for job in $(jobs -p); do
		kill "$job" 2>/dev/null
	done
	wait 2>/dev/null
	autoload on
	cleanup_all_ns
	rm -rf "$TMP"
}
trap end EXIT

# check NAME COMMAND...: one result; what the command says is shown only when it fails
check()
{
	local name=$1
	shift
	if "$@" >"$TMP/check" 2>&1; then
		ktap_test_pass "$name"
	else
		ktap_test_fail "$name"
		sed 's/^/#   /' "$TMP/check"
	fi
}

# sweep NAME COMMAND...: a result that is only wanted of sweeps
sweep()
{
	! sweeps || check "$@"
}

# refute COMMAND...: for check, what must fail
refute()
{
	! "$@"
}

# within COMMAND...: it becomes true before WAIT seconds are over
within()
{
	local until=$((SECONDS + WAIT))
	until "$@" >/dev/null; do
		[ "$SECONDS" -lt "$until" ] || return
		# slowwait of net/lib.sh starts two programs to look at the clock and one to sleep
		read -rt 0.05 -u "$NEVER"
	done
	return 0 # not what read said
}

# The helper that answers questions for less than the start of a program, see resident.py
resident_start()
{
	mkfifo "$TMP"/{never,asked,told}
	exec {NEVER}<>"$TMP/never" {ASK}<>"$TMP/asked" {TOLD}<>"$TMP/told"
	python3 -u "$here/resident.py" <&"$ASK" >&"$TOLD" &
}

# ask VERB WORD...: put a question to the resident; the answer is in ANSWER
ask()
{
	local rc IFS=$'\x1f'
	printf '%s\n' "${*//$'\n'/ }" >&"$ASK"
	IFS=' ' read -r -t "$((6 * WAIT))" -u "$TOLD" rc ANSWER || return
	printf -v ANSWER %b "$ANSWER"
	return "$rc"
}

# is EXPR COMMAND...: a Python expression is true of the JSON that COMMAND prints
is()
{
	ask is "$@" && return
	printf '%s\n' "$ANSWER"
	return 1
}

# py NS SCRIPT WORD...: a script of this folder in a namespace ("" for this one)
py()
{
	local ns=$1 script=$2 rc=0
	shift 2
	ask py "$ns" "$here/$script" "$@" || rc=$?
	[ -z "$ANSWER" ] || printf '%s\n' "$ANSWER"
	return "$rc"
}

# events FILE EXPR: a Python expression is true of the events, one JSON object a line, that a monitor has written
events()
{
	ask events "$2" "$1" && return
	printf '%s\n' "$ANSWER"
	return 1
}

# started FILE: the monitor that writes it says that it listens
started()
{
	[ -s "$1" ] && [[ $(<"$1") == *ready* ]]
}

# batch NS: many ip commands from standard input, in one start
batch()
{
	ip -n "$1" -batch -
}

# autoload on|off: whether the kernel may load modules on demand, as it would this one
autoload()
{
	local file=/proc/sys/kernel/modprobe
	if [ "$1" = off ]; then
		MODPROBE=$(cat "$file")
		echo /bin/false >"$file"
	elif [ -n "${MODPROBE:-}" ]; then
		echo "$MODPROBE" >"$file"
		MODPROBE=
	fi
}

in_ns()
{
	ip netns exec "$@"
}

# The wide area network: two namespaces, $1 and $2, joined by wan interfaces with addresses ending in 1 and 2.
join_wan()
{
	local a=$1 b=$2 net=${3:-198.51.100} if_a=${4:-wan} if_b=${5:-wan}
	batch "$a" <<-IP
		link add $if_a type veth peer name $if_b netns $b
		addr add $net.1/24 dev $if_a
		link set $if_a up
	IP
	batch "$b" <<-IP
		addr add $net.2/24 dev $if_b
		link set $if_b up
	IP
}

# The LAN of gateway $1 with the one device $2: 192.168.1.0/24 and fd00:1::/64, .1 and .10
join_lan()
{
	batch "$1" <<-IP
		link add lan type veth peer name lan netns $2
		addr add 192.168.1.1/24 dev lan
		addr add fd00:1::1/64 dev lan nodad
		link set lan up
	IP
	batch "$2" <<-IP
		addr add 192.168.1.10/24 dev lan
		addr add fd00:1::10/64 dev lan nodad
		link set lan up
		route add default via 192.168.1.1
		route add ::/0 via fd00:1::1
	IP
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# The shunt device of a gateway: what goes to a far or alias address leaves by it
near_link()
{
	batch "$1" <<-IP
		link add shunt0 type shunt
		link set shunt0 up
		route add 100.64.0.0/10 dev shunt0
		route add fd00:64::/32 dev shunt0
	IP
}

# The shunt device of a cloud: it owns the far addresses, and the near ones are behind it
far_link()
{
	batch "$1" <<-IP
		link add shunt0 type shunt
		addr add 100.64.0.1/32 dev shunt0
		addr add fd00:64::1/128 dev shunt0 nodad
		link set shunt0 up
		route add 100.64.0.0/10 dev shunt0 src 100.64.0.1
		route add 192.168.1.0/24 dev shunt0 src 100.64.0.1
		route add fd00:64::/32 dev shunt0 src fd00:64::1
		route add fd00:1::/64 dev shunt0 src fd00:64::1
	IP
}

# end_of NS LOCAL REMOTE: its shunt0 leads to the prefix REMOTE, and all addresses of LOCAL are its own
end_of()
{
	batch "$1" <<-IP
		link add shunt0 type shunt
		link set shunt0 up
		route add local $2 dev lo
		route add $3 dev shunt0
	IP
}

# key_octets CIPHER: cipher key and salt
key_octets()
{
	case $1 in
	aes-gcm-128) echo 20 ;;
	*) echo 36 ;;
	esac
}

# new_key NAME CIPHER: a fresh key in $TMP/NAME
new_key()
{
	(umask 077 && head -c "$(key_octets "$2")" /dev/urandom >"$TMP/$1")
}

key_hex()
{
	ask hex "$TMP/$1" && printf '%s' "$ANSWER"
}

# pair_lines NUMBER CIPHER NEAR FAR [NEAR-SIDE WORDS...]: what makes tunnel NUMBER, with fresh keys, in NEAR_LINE and
# FAR_LINE, each a command for shunt; the SPIs are 0x1000 + NUMBER at the near and 0x2000 + NUMBER at the far side. Words
# after the far address are for the near side only.
pair_lines()
{
	local number=$1 cipher=$2 near=$3 far=$4
	local in=$((0x1000 + number)) out=$((0x2000 + number))
	shift 4
	new_key "down$number" "$cipher"
	new_key "up$number" "$cipher"
	FAR_LINE="tunnel add dev shunt0 side far spi-in $out spi-out $in cipher $cipher \
		key-in file:$TMP/up$number key-out file:$TMP/down$number near $near far $far"
	NEAR_LINE="tunnel add dev shunt0 side near spi-in $in spi-out $out cipher $cipher \
		key-in file:$TMP/down$number key-out file:$TMP/up$number near $near far $far \
		endpoint ${FAR_ENDPOINT:-198.51.100.2:4500} $*"
}

# many NS LINES: many shunt commands in one start
many()
{
	shunt -n "$1" -batch - <<<"$2"
}

# pair NEAR-NS FAR-NS NUMBER CIPHER NEAR FAR [NEAR-SIDE WORDS...]: tunnel NUMBER between the two, see pair_lines
pair()
{
	local near_ns=$1 far_ns=$2
	shift 2
	pair_lines "$@"
	many "$far_ns" "$FAR_LINE" && many "$near_ns" "$NEAR_LINE" || return
	# the near side's first packets teach the far side where it is
	within learned "$far_ns" "$((0x2000 + $1))"
}

# unpair NEAR-NS FAR-NS NUMBER
unpair()
{
	shunt -n "$1" tunnel del dev shunt0 spi-in "$((0x1000 + $3))"
	shunt -n "$2" tunnel del dev shunt0 spi-in "$((0x2000 + $3))"
}

# tunnel_is NS SPI EXPR: true of the tunnel, whose fields are names: tunnel_is "$ns" 0x1001 'rx.drops.replay == 1'
tunnel_is()
{
	is "$3" shunt -n "$1" -j tunnel show dev shunt0 spi-in "$2"
}

# tunnel_value NS SPI EXPR
tunnel_value()
{
	ask value "$3" shunt -n "$1" -j tunnel show dev shunt0 spi-in "$2"
	printf '%s\n' "$ANSWER"
}

learned()
{
	tunnel_is "$1" "$2" '"endpoint" in it[0]'
}

# pings NS ADDRESS [OPTIONS...]
pings()
{
	local ns=$1 to=$2
	shift 2
	in_ns "$ns" ping -c 3 -i 0.2 -W "$WAIT" "$@" "$to"
}

listening()
{
	in_ns "$1" ss -Hlnt "sport = :$2" | grep -q .
}

# tcp_copy SERVER-NS CLIENT-NS ADDRESS PORT [OCTETS]: as many octets each way, at once, arrive as they were sent
tcp_copy()
{
	py "" tcp_copy.py "$1" "$2" "$3" "$4" "${5:-100000}" "$((2 * WAIT))"
}

# no_leaks: nothing of the module is left that nothing points to, where the kernel can tell. It does not look at what is
# younger than five seconds, nor at what changed since the scan before.
no_leaks()
{
	local leaks=/sys/kernel/debug/kmemleak
	[ -w "$leaks" ] || return 0
	sleep 6
	echo scan >"$leaks" && echo scan >"$leaks" && ! grep -A 20 shunt "$leaks"
}

# The kernel log from here on; clean_log says whether it complained since
mark_log()
{
	LOG_MARK=$(dmesg | wc -l)
}

clean_log()
{
	no_leaks && ! dmesg | tail -n "+$((LOG_MARK + 1))" | grep -E 'BUG:|WARNING:|Oops|unregister_netdevice|general protection|refcount_t|memory leak'
}
