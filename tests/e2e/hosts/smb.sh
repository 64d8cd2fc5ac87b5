#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A file server in a network namespace: Samba on port 445, for the user "shunt" with the password $SMB_PASSWORD. What others than
# that user send is refused, but unknown users are taken for guests, as on many a NAS. It encrypts with whoever can.
#
#   files    DIR/files; that user's
#   public   DIR/public; for guests, too
#   small    DIR/small, a disk of 1 MB
#
# Usage: smb.sh start NETNS DIR	returns when the server answers; log in DIR/log
#        smb.sh stop NETNS DIR
set -u

# shellcheck source=tests/e2e/hosts/lib.sh
. "$(dirname "$0")/lib.sh"

share()
{
	local name=$1

	shift
	printf '[%s]\npath = %s\nread only = no\n' "$name" "$DIR/$name"
	printf '%s\n' "$@"
}

configuration()
{
	cat <<-EOF_CONF
		[global]
		server role = standalone server
		map to guest = bad user
		guest account = nobody
		smb encrypt = desired
		bind interfaces only = no
		disable netbios = yes
		smb ports = 445
		disable spoolss = yes
		load printers = no
		pid directory = $DIR/run
		lock directory = $DIR/run
		state directory = $DIR/run
		cache directory = $DIR/run
		private dir = $DIR/run
		ncalrpc dir = $DIR/run/ncalrpc
		passdb backend = smbpasswd:$DIR/run/smbpasswd
		log file = $DIR/smbd.log
		log level = ${SMB_DEBUG:-1}
		max log size = 0
	EOF_CONF
	share files "valid users = shunt"
	share public "guest ok = yes" "force user = shunt"
	share small "valid users = shunt"
}

host_begin()
{
	DIR=$2
	mkdir -p "$DIR"/{files,public,small,run/ncalrpc}
	configuration >"$DIR/smb.conf"
	id shunt >/dev/null 2>&1 || useradd --no-create-home --shell /usr/sbin/nologin shunt
	mountpoint -q "$DIR/small" || mount -t tmpfs -o size=1M none "$DIR/small"
	chown shunt "$DIR"/{files,public,small}
	printf '%s\n%s\n' "$SMB_PASSWORD" "$SMB_PASSWORD" | smbpasswd -c "$DIR/smb.conf" -s -a shunt >>"$DIR/log" 2>&1 || return
	host_start "$1" "$DIR" "Samba to listen" bash -c 'echo >/dev/tcp/127.0.0.1/445'
}

host_run()
{
	exec smbd --foreground --no-process-group --configfile="$1/smb.conf"
}

host_main "$@"
