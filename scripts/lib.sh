# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Helpers that the scripts here share. Source it after `set -eu`; it defines
#   TOP    the repository           BUILD  its build directory
#   CACHE  heavy products (kernels, root file system), shared by all clones of one user

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/shunt
export TOP BUILD CACHE

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "${0##*/}: $*"
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# hash_of FILE... [-- STRING...]: a short key for what these inputs make
hash_of()
{
	{
		while [ $# -gt 0 ] && [ "$1" != -- ]; do
			cat "$1"
			shift
		done
		printf '%s\n' "$@"
	} | sha256sum | cut -c1-12
}

# link_into_build TARGET NAME: build/NAME -> TARGET
link_into_build()
{
	mkdir -p "$(dirname "$BUILD/$2")"
	ln -sfn "$1" "$BUILD/$2"
}

# logged LOG WHAT [COUNTER] CMD...: run CMD with its output in LOG. Every few seconds say how far
# it is: the number of log lines that match the extended regexp COUNTER ('' counts nothing).
# A failure shows the end of the log.
logged()
{
	local log=$1 what=$2 counter=$3 start=$SECONDS pid rc=0
	shift 3
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		# tail ends as soon as the command does, so a quick step costs no waiting
		timeout 10 tail --pid="$pid" -f /dev/null || true
		kill -0 "$pid" 2>/dev/null && progress "$log" "$what" "$counter" "$start"
	done
	wait "$pid" || rc=$?
	if [ "$rc" -ne 0 ]; then
		tail -n 25 "$log" >&2
		die "$what: failed (status $rc); all of its output is in $log"
	fi
	say "  $what: done in $((SECONDS - start)) s"
}

progress()
{
	local far=''
	[ -n "$3" ] && far=", $(grep -cE "$3" "$1" || true) so far"
	say "  $2: $((SECONDS - $4)) s$far"
}

# the Debian architecture; all kernels here are x86-64 for now
debian_only()
{
	# shellcheck source=/dev/null
	[ "$(. /etc/os-release && printf '%s' "${ID:-} ${VERSION_ID:-}")" = "debian 12" ]
}

# apt_fetch DIR PACKAGE...: download packages and unpack them into DIR, installing nothing
apt_fetch()
{
	local dir=$1 deb
	shift
	mkdir -p "$dir/.debs"
	(cd "$dir/.debs" && apt-get -q -o APT::Sandbox::User=root download "$@")
	for deb in "$dir"/.debs/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$dir/.debs"
}
