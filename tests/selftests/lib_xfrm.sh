# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# lib_xfrm: the kernel's own xfrm (ESP in UDP, RFC 3948) as the other end, after lib_shunt.sh. A test sets $cipher, $near and $far
# before set_up; the module's end is in $m_ns, xfrm's in $x_ns.
#
#   gw 198.51.100.1, 2001:db8::1 ─────────── wan ─────────── 198.51.100.2, 2001:db8::2 cloud
#   192.168.1.10, fd00:1::10                                  100.64.0.1, fd00:64::1
#
# shellcheck disable=SC2034,SC2154 # tests read what it sets, and set what it reads

world()
{
	setup_ns gw cloud
	join_wan "$gw" "$cloud"
	batch "$gw" <<-IP
		addr add 2001:db8::1/64 dev wan nodad
		addr add 192.168.1.10/32 dev lo
		addr add fd00:1::10/128 dev lo nodad
	IP
	batch "$cloud" <<-IP
		addr add 2001:db8::2/64 dev wan nodad
		addr add 100.64.0.1/32 dev lo
		addr add fd00:64::1/128 dev lo nodad
	IP
}

# sides WHO [OUTER]: in namespaces that know nothing of the other arrangement; capsules go over IPv4, or IPv6
sides()
{
	local gw_own=198.51.100.1 cloud_own=198.51.100.2
	world
	no_addr=0.0.0.0
	if [ "${2:-IPv4}" = IPv6 ]; then
		gw_own=2001:db8::1 cloud_own=2001:db8::2 no_addr=::
	fi
	if [ "$1" = "xfrm as cloud" ]; then
		m_ns=$gw x_ns=$cloud m_side=near m_own=$gw_own x_own=$cloud_own
		m_addr4=192.168.1.10 x_addr4=100.64.0.1 m_addr6=fd00:1::10 x_addr6=fd00:64::1
	else
		m_ns=$cloud x_ns=$gw m_side=far m_own=$cloud_own x_own=$gw_own
		m_addr4=100.64.0.1 x_addr4=192.168.1.10 m_addr6=fd00:64::1 x_addr6=fd00:1::10
	fi
	batch "$m_ns" <<-IP
		link add shunt0 type shunt
		link set shunt0 up
		route add $x_addr4 dev shunt0 src $m_addr4
		route add $x_addr6 dev shunt0 src $m_addr6
	IP
	batch "$x_ns" <<-IP
		xfrm policy add dir out src $x_addr4/32 dst $m_addr4/32 tmpl src $x_own dst $m_own proto esp reqid 1 mode tunnel
		xfrm policy add dir in src $m_addr4/32 dst $x_addr4/32 tmpl src $m_own dst $x_own proto esp reqid 1 mode tunnel
		xfrm policy add dir out src $x_addr6/128 dst $m_addr6/128 tmpl src $x_own dst $m_own proto esp reqid 1 mode tunnel
		xfrm policy add dir in src $m_addr6/128 dst $x_addr6/128 tmpl src $m_own dst $x_own proto esp reqid 1 mode tunnel
		route add $m_addr4 dev wan src $x_addr4
		route add $m_addr6 dev wan src $x_addr6
		neigh add $m_addr4 lladdr 02:00:00:00:00:01 dev wan
		neigh add $m_addr6 lladdr 02:00:00:00:00:01 dev wan
	IP
	if [ "$no_addr" = :: ]; then
		ask start "$x_ns" "$TMP/holder" "$here/encap_hold.py" 4500 6
	else
		ask start "$x_ns" "$TMP/holder" "$here/encap_hold.py" 4500
	fi
	holder=$ANSWER
	within started "$TMP/holder"
	ask value mtu ip -n "$m_ns" -j link show shunt0
	mtu=$ANSWER
	# its header is longer by that
	[ "$no_addr" = 0.0.0.0 ] || mtu=$((mtu - 20))
}

# xfrm_algo CIPHER: as ip xfrm wants it
xfrm_algo()
{
	case $1 in
	aes-gcm-*) echo 'rfc4106(gcm(aes))' ;;
	chacha20-poly1305) echo 'rfc7539esp(chacha20,poly1305)' ;;
	esac
}

# xfrm_end SPI-IN SPI-OUT CIPHER KEY-IN KEY-OUT: the kernel's end, which knows no other states
xfrm_end()
{
	local in=$1 out=$2 algo keys_in keys_out words
	algo=$(xfrm_algo "$3")
	keys_in=0x$(key_hex "$4") keys_out=0x$(key_hex "$5")
	words="reqid 1 mode tunnel replay-window 64 flag af-unspec"
	batch "$x_ns" <<-IP
		xfrm state flush
		xfrm state add src $m_own dst $x_own proto esp spi $in $words aead $algo $keys_in 128 encap espinudp 4500 4500 $no_addr
		xfrm state add src $x_own dst $m_own proto esp spi $out $words aead $algo $keys_out 128 encap espinudp 4500 4500 $no_addr
	IP
}

# addresses FAMILY: what the tunnel is to carry
addresses()
{
	if [ "$1" = IPv4 ]; then
		near=192.168.1.10 far=100.64.0.1 m_addr=$m_addr4 x_addr=$x_addr4
	else
		near=fd00:1::10 far=fd00:64::1 m_addr=$m_addr6 x_addr=$x_addr6
	fi
}

endpoint_of()
{
	case $1 in
	*:*) echo "[$1]:4500" ;;
	*) echo "$1:4500" ;;
	esac
}

# set_up: both ends, with keys of their own
set_up()
{
	new_key to_m "$cipher"
	new_key to_x "$cipher"
	xfrm_end $((0x2001)) $((0x1001)) "$cipher" to_x to_m &&
		shunt -n "$m_ns" tunnel add dev shunt0 side "$m_side" spi-in $((0x1001)) spi-out $((0x2001)) cipher "$cipher" \
			key-in "file:$TMP/to_m" key-out "file:$TMP/to_x" endpoint "$(endpoint_of "$x_own")" near "$near" far "$far"
}

