#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A file server in a network namespace: Apache with mod_dav, files in DIR/files; http on port 8080 for
# the user "shunt" with NAS_PASSWORD, who says so by Digest; https on 443 for the same user by Basic, with NAS_CREDENTIALS.crt
# and .key.
#
# Usage: apache.sh start NETNS DIR	returns when the server answers WebDAV; log in DIR/log
#        apache.sh stop NETNS DIR
set -u

# shellcheck source=tests/e2e/hosts/lib.sh
. "$(dirname "$0")/lib.sh"

host_begin()
{
	local modules=/usr/lib/apache2/modules name

	mkdir -p "$2/files" "$2/locks"
	chown nobody "$2/files" "$2/locks"
	printf 'shunt:files:%s\n' "$(printf 'shunt:files:%s' "$NAS_PASSWORD" | md5sum | cut -d' ' -f1)" >"$2/digests"
	printf 'shunt:{SHA}%s\n' "$(printf '%s' "$NAS_PASSWORD" | openssl dgst -sha1 -binary | base64)" >"$2/passwords"
	{
		for name in mpm_event authn_core authn_file authz_core authz_user auth_basic auth_digest dav dav_fs ssl; do
			echo "LoadModule ${name}_module $modules/mod_$name.so"
		done
		cat <<-EOF_CONF
			ServerName nas
			PidFile $2/apache.pid
			ErrorLog $2/error.log
			DocumentRoot $2/files
			User nobody
			Group nogroup
			Mutex file:$2 default
			DavLockDB $2/locks/dav
			StartServers 1
			Listen 8080
			Listen 443
			<Directory $2/files>
				Dav On
				Require all granted
			</Directory>
			<VirtualHost *:8080>
				<Location />
					AuthType Digest
					AuthName files
					AuthUserFile $2/digests
					Require valid-user
				</Location>
			</VirtualHost>
			<VirtualHost *:443>
				SSLEngine on
				SSLCertificateFile $NAS_CREDENTIALS.crt
				SSLCertificateKeyFile $NAS_CREDENTIALS.key
				<Location />
					AuthType Basic
					AuthName files
					AuthUserFile $2/passwords
					Require valid-user
				</Location>
			</VirtualHost>
		EOF_CONF
	} >"$2/apache.conf"
	chmod 711 "$2"
	chmod 644 "$2/digests" "$2/passwords"
	host_start "$1" "$2" "the file server to answer" \
		curl -sf --digest --user "shunt:$NAS_PASSWORD" --max-time 5 -X PROPFIND -H "Depth: 0" "http://127.0.0.1:8080/"
}

host_run()
{
	exec apache2 -DFOREGROUND -f "$1/apache.conf"
}

host_main "$@"
