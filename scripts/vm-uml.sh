# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # variables of scripts/vm
#
# The machine of scripts/vm as a User-mode Linux, a process of this machine (scripts/vm-qemu.sh says
# what a backend defines). It has one processor at native speed. Its kernel mounts directories of the
# host itself (hostfs), found by links in $control/shares; a command's output comes through a serial
# line. That keeps tests apart from this machine, but is no wall against malice: the process has the
# rights of whoever starts it.

machine_modules()
{
	: # everything is built in
}

machine_prepare()
{
	local share free
	[[ $control != *[[:space:],]* ]] || die "$control: its path must have no spaces and commas"
	mkdir "$control/shares"
	for share in rootfs="$BUILD/rootfs" modules="$kernel/modules" shunt="$TOP" \
		results="$results" control="$control" linux="$BUILD/linux"; do
		[ ! -d "${share#*=}" ] || ln -s "$(realpath "${share#*=}")" "$control/shares/${share%%=*}"
	done
	uml=("$kernel/linux" mem="${mem}M" initrd="$initrd" uml_dir="$control" umid=machine
		con=null "con0=null,fd:2" ssl=null console=tty0 loglevel=5 panic=-1 oops=panic dummy.numdummies=0
		rcupdate.rcu_cpu_stall_timeout=120 shunt-vm "shunt-shares=$control/shares")
	# shellcheck disable=SC2206 # a list of parameters
	uml+=($append)
	# its memory is a file in /dev/shm, which containers like to keep small
	free=$(df --output=avail -m /dev/shm 2>/dev/null | tail -n 1)
	[ "${free:-0}" -gt "$mem" ] || export TMPDIR=$control
}

# The kernel's processes and the programs in it are one process group, and all of them end with it.
# Returns the kernel's status.
end_machine()
{
	kill -KILL -- "-$1" 2>/dev/null || true
	wait "$1" 2>/dev/null
}

# In a session of its own, as a kernel that panics ends its whole process group; it must not outlive
# this script either. It makes its output non-blocking, which must not reach the caller's: hence a
# pipe behind it.
machine_run()
{
	local pid reader rc=0
	: >"$control/console"
	ulimit -c 0
	if [ -n "$shell" ]; then
		"${uml[@]}" ssl0=fd:0,fd:1 2>"$control/console"
		return
	fi
	mkfifo "$control/output"
	if [ -n "$output" ]; then cat >"$output"; else cat; fi <"$control/output" &
	reader=$!
	setsid setpriv --pdeathsig KILL "${uml[@]}" ssl0=null,fd:3 3>"$control/output" \
		</dev/null >"$control/console" 2>&1 &
	pid=$!
	# shellcheck disable=SC2064 # this machine's number
	trap "end_machine $pid || :; rm -rf '$control'" EXIT
	# in the background, so that a signal ends this script at once and the machine with it
	timeout "$limit" tail --pid="$pid" -s 0.1 -f /dev/null &
	wait $! || rc=$?
	if [ "$rc" -eq 124 ]; then
		end_machine "$pid" || true
	else
		rc=0
		end_machine "$pid" || rc=$?
		[ "$rc" -ne 124 ] || rc=1
	fi
	wait "$reader"
	return "$rc"
}
