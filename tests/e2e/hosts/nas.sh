#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A file server in a network namespace: lighttpd with WebDAV on port 80, path /, files in DIR/files. With NAS_PASSWORD set it
# is for the user "shunt" only, who says so by Digest, on port 8080, and files may be put there in pieces.
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
	local port=80 auth='' partial='' probe=(-f)

	if [ -n "${NAS_PASSWORD:-}" ]; then
		port=8080
		printf 'shunt:files:%s\n' "$(printf 'shunt:files:%s' "$NAS_PASSWORD" | md5sum | cut -d' ' -f1)" >"$2/users"
		partial='webdav.opts = ("deprecated-unsafe-partial-put" => "enable")'
		auth='server.modules += ("mod_auth", "mod_authn_file")
		auth.backend = "htdigest"
		auth.backend.htdigest.userfile = "'$2'/users"
		auth.require = ("/" => ("method" => "digest", "realm" => "files", "require" => "valid-user"))'
		probe+=(--digest --user "shunt:$NAS_PASSWORD")
	fi
	cat >"$2/lighttpd.conf" <<-EOF_CONF
		server.modules = ()
		$auth
		server.modules += ("mod_webdav")
		server.port = $port
		server.document-root = "$2/files"
		server.upload-dirs = ("$2/upload")
		server.errorlog = "$2/error.log"
		webdav.activate = "enable"
		$partial
		webdav.is-readonly = "disable"
	EOF_CONF
	host_start "$1" "$2" "the file server to answer" \
		curl -s "${probe[@]}" --max-time 5 -X PROPFIND -H "Depth: 0" "http://127.0.0.1:$port/"
}

host_run()
{
	exec lighttpd -D -f "$1/lighttpd.conf"
}

host_main "$@"
