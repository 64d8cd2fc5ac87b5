# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion of shunt(8) for bash: objects, commands, words, and the names that this host knows.

_shunt_devs()
{
	ip -o link show type shunt 2>/dev/null | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p'
}

# ids of the tunnels of the device named on the command line
_shunt_ids()
{
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" = dev ] || continue
		shunt tunnel show dev "${COMP_WORDS[i + 1]}" 2>/dev/null | sed -n 's/^\([0-9a-f]\{8\}\):.*/\1/p'
	done
}

# values after the word $1; empty when it takes none or a free one
_shunt_values()
{
	case $1 in
	dev) _shunt_devs ;;
	id) _shunt_ids ;;
	side) echo near far ;;
	cipher) echo aes-gcm-128 aes-gcm-256 chacha20-poly1305 ;;
	allow) echo any icmp tcp/ udp/ ;;
	key-in | key-out) echo file: - ;;
	--kind) echo print store fetch ;;
	--state) echo receiving queued waiting running suspended executing completed failed interrupted canceled ;;
	--record) echo 7J 7K decision ;;
	--sides) echo one-sided two-sided-long-edge two-sided-short-edge ;;
	--color) echo auto color monochrome ;;
	--media) echo a3 a4 a5 letter legal ;;
	--service) echo agent: webdav: smb: ipp: ;;
	--role) echo terminal admin cloud manager gateway device ;;
	-n | -netns | --netns) ls /run/netns 2>/dev/null ;;
	*) return 1 ;;
	esac
}

# words of a command: $1 object, $2 command
_shunt_words()
{
	local setting="endpoint allow priority cookie keepalive idle dead"
	case $1:$2 in
	:) echo tunnel load threshold monitor link device gateway job log pki key decrypt help ;;
	tunnel:) echo show add set del flush help ;;
	tunnel:add) echo dev side spi-in spi-out cipher key-in key-out near far host alias seq-limit "$setting" ;;
	tunnel:set) echo dev id spi-in "$setting" ;;
	tunnel:del) echo dev id spi-in ;;
	tunnel:show) echo dev id spi-in cookie ;;
	tunnel:flush) echo dev cookie endpoint ;;
	load:) echo show help ;;
	threshold:) echo set show help ;;
	threshold:set) echo dev tunnels-high tunnels-low load-high load-low ;;
	load:show | threshold:show | link:del | link:show) echo dev ;;
	monitor:) echo all tunnels load help ;;
	link:) echo show add del help ;;
	link:add) echo dev port mtu fwmark dscp up address ;;
	device:) echo show add set del probe files help ;;
	device:add | device:set) echo --gateway --address --service --connectable --priority --spec --recipient --pin ;;
	device:probe) echo --gateway --address --service --timeout --dry-run --prune ;;
	gateway:) echo show help ;;
	job:) echo list submit show events cancel content help ;;
	job:submit)
		echo --device --kind --name --media-type --priority --copies --media --sides --color --path --no-clobber --idempotency-key --wait -o
		;;
	job:content) echo -o ;;
	job:list) echo --state ;;
	log:) echo show help ;;
	log:show) echo --record --job ;;
	pki:) echo init issue show help ;;
	key:) echo new show help ;;
	decrypt:*) echo -i -o --range help ;;
	pki:issue) echo --role --name --days --out --key ;;
	esac
}

_shunt()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} object='' command='' i skip=
	local values options="-j -p -s -d -br -n -batch -force --config --cloud --manager --ca --cert --key"
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ -z "$skip" ] || { skip='' && continue; }
		case ${COMP_WORDS[i]} in
		-n | -netns | --netns | -b | -batch | --batch | -c | --config | --cloud | --manager | --ca | --cert | --key) skip=1 ;;
		-*) ;;
		*)
			if [ -z "$object" ]; then
				object=${COMP_WORDS[i]}
			elif [ -z "$command" ]; then
				command=${COMP_WORDS[i]}
			fi
			;;
		esac
	done
	case $object:$command:$prev in
	*:-b | *:-batch | *:--batch | *:-c | *:--config | *:--ca | *:--cert | *:--key | job:*:-o | job:*:--output | job:submit:submit | log:show:show | pki:*:--out | pki:*:show | pki:*:init | pki:issue:issue | key:*:new | key:*:show | decrypt:*:-i | decrypt:*:-o)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	if values=$(_shunt_values "$prev"); then
		mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
	elif [[ $cur == -* && -z $object ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(_shunt_words "$object" "$command")" -- "$cur")
	fi
}

complete -F _shunt shunt
