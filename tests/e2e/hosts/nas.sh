#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A file server in a network namespace: lighttpd with WebDAV on port 80, path /, files in DIR/files.
#
# Usage: nas.sh start NETNS DIR	returns when the server answers WebDAV; log in DIR/log
#        nas.sh stop NETNS DIR
set -u

# shellcheck source=tests/e2e/hosts/lib.sh
. "$(dirname "$0")/lib.sh"

host_begin()
{
	# Uploads are collected beside the files, on the same file system, so that a finished PUT is a rename.
	mkdir -p "$2/files" "$2/upload"
	cat >"$2/lighttpd.conf" <<-EOF_CONF
		server.modules = ("mod_webdav")
		server.port = 80
		server.document-root = "$2/files"
		server.upload-dirs = ("$2/upload")
		server.errorlog = "$2/error.log"
		webdav.activate = "enable"
		webdav.is-readonly = "disable"
	EOF_CONF
	host_start "$1" "$2" "the file server to answer" curl -sf --max-time 5 -X PROPFIND -H "Depth: 0" http://127.0.0.1/
}

host_run()
{
	exec lighttpd -D -f "$1/lighttpd.conf"
}

host_main "$@"
