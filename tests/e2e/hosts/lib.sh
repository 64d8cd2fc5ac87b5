# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What mfp.sh and nas.sh share: one server per network namespace, started as a process group of its own whose leader's
# pid is in DIR/pid. `ip netns exec` gives the group a mount namespace too, so that what a server needs below /run is
# private to its host.

# await SECONDS WHAT COMMAND...: polls a condition; time is elastic on an emulated processor.
await()
{
	local limit=$1 what=$2 begin=$SECONDS

	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - begin)) -lt "$limit" ] || {
			echo "Error: waited $limit s in vain for $what" >&2
			return 1
		}
		sleep 0.1
	done
}

# host_start NETNS DIR WHAT PROBE...: runs "$0 run DIR" in NETNS and returns when PROBE succeeds there.
host_start()
{
	local netns=$1 dir=$2 what=$3

	shift 3
	mkdir -p "$dir"
	setsid ip netns exec "$netns" "$0" run "$dir" >>"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	if ! await 90 "$what" ip netns exec "$netns" "$@"; then
		tail -n 20 "$dir/log" >&2
		host_stop "$dir"
		return 1
	fi
}

# host_stop DIR: ends the whole group and waits until it is gone. Nothing to stop is no error.
host_stop()
{
	local dir=$1 pid

	[ -s "$dir/pid" ] || return 0
	pid=$(cat "$dir/pid")
	kill -TERM -- "-$pid" 2>/dev/null
	await 5 "$dir to stop" group_gone "$pid" 2>/dev/null || kill -KILL -- "-$pid" 2>/dev/null
	rm -f "$dir/pid"
}

# group_gone PID: no process of the group is left but zombies.
group_gone()
{
	! pgrep --pgroup "$1" --runstates D,R,S,T
}

# host_dns_sd: ippeveprinter insists on DNS-SD, hence a D-Bus and an Avahi of this host's own.
host_dns_sd()
{
	mkdir -p /run/dbus /run/avahi-daemon
	mount -t tmpfs none /run/dbus
	mount -t tmpfs none /run/avahi-daemon
	chmod 755 /run/dbus /run/avahi-daemon
	dbus-daemon --system --nofork --nopidfile &
	await 60 "D-Bus" test -S /run/dbus/system_bus_socket || return 1
	avahi-daemon --no-drop-root --no-rlimits --no-chroot &
	await 60 "Avahi" test -S /run/avahi-daemon/socket
}

# host_main COMMAND NETNS DIR: dispatches; the script has defined host_run DIR and host_begin NETNS DIR.
host_main()
{
	case ${1:-}:$# in
	start:3) host_begin "$2" "$3" ;;
	stop:3) host_stop "$3" ;;
	run:2) host_run "$2" ;;
	*)
		echo "Usage: ${0##*/} { start | stop } NETNS DIR" >&2
		return 2
		;;
	esac
}
