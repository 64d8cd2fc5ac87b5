#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Known answers: packets whose every octet is known, out and in.
#
#   gw 198.51.100.1 ── wan ── 198.51.100.2 cloud
#   192.0.2.5                 198.51.100.5
#
# The inner packet, and the whole capsule of ChaCha20-Poly1305, are those of RFC 7634, Appendix A. RFC 4106 has none; keys, salts and
# IVs of AES-GCM are those of "Test Cases for the Use of GCM and GMAC in IPsec ESP" (draft-mcgrew-gcm-test-01), which encrypts packets
# whose trailer says ICMP instead of IPv4: one of them is here as it stands, and must be understood and not delivered. Other
# answers were made with OpenSSL 3.0 from the same packet; the IV of what is sent is its sequence number, here 1.
#
# shellcheck disable=SC2154 # setup_ns sets the names of namespaces

. "$(dirname "$(readlink -e "$0")")/lib_shunt.sh"

need python3
begin 11
mark_log

INNER=45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10000736270809
INNER+=0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f
INNER+=3031323334353637

setup_ns gw cloud
join_wan "$gw" "$cloud"
batch "$gw" <<-IP
	link add shunt0 type shunt
	link set shunt0 up
	addr add 192.0.2.5/32 dev lo
	route add 198.51.100.5 dev shunt0 src 192.0.2.5
IP
batch "$cloud" <<-IP
	link add shunt0 type shunt
	link set shunt0 up
	addr add 198.51.100.5/32 dev lo
	route add 192.0.2.5 dev shunt0 src 198.51.100.5
IP

# key FILE HEX: a key file of those octets
key()
{
	# shellcheck disable=SC2059,SC2001 # escapes of octets; two characters at a time
	(umask 077 && printf "$(sed 's/../\\x&/g' <<<"$2")" >"$TMP/$1")
}

# given CIPHER SPI KEY: both ends of a tunnel that carries towards the gateway only what is sent here
given()
{
	key known "$3"
	new_key back "$1"
	shunt -n "$cloud" tunnel add dev shunt0 side far spi-in 0x2000 spi-out "$2" cipher "$1" key-in "file:$TMP/back" \
		key-out "file:$TMP/known" endpoint 198.51.100.1:4500 near 192.0.2.5 far 198.51.100.5
}

taking()
{
	shunt -n "$cloud" tunnel del dev shunt0 spi-in 0x2000
	shunt -n "$gw" tunnel add dev shunt0 side near spi-in "$2" spi-out 0x2000 cipher "$1" key-in "file:$TMP/known" \
		key-out "file:$TMP/back" endpoint 198.51.100.2:4500 near 192.0.2.5 far 198.51.100.5
}

same()
{
	echo "is       $1"
	echo "expected $2"
	[ "$1" = "$2" ]
}

sends()
{
	local is
	is=$(py "" kat.py out "$cloud" wan "$INNER") && same "$is" "$1"
}

takes()
{
	local is
	is=$(py "" kat.py in "$cloud" 198.51.100.1 "$1" "$gw" shunt0) && same "$is" "$INNER"
}

# Authenticated, or it would be counted as auth
malformed()
{
	py "" kat.py put "$cloud" 198.51.100.1 "$1" || return
	within tunnel_is "$gw" "$spi" 'rx.drops.malformed == 1 and sum(rx.drops.values()) == 1'
}

cipher=chacha20-poly1305 spi=0x01020304
check "$cipher: tunnel" given $cipher $spi 808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3
check "$cipher: sends" sends 01020304000000010000000000000001df63ec517e5cea43bcd5a97de1d90d61a0e0d5fd1f81e038e56faa1a8904\
125829c2a5acd10f6949c402b6fdddfe00acecdaa655d15c58bf904546a0d3028563dc9eec5c5ec03e91a71c521276e51ceab09d5bdcdd610e01ec1725da2c\
7b0cbae177c257fcc9b55f
taking $cipher $spi
check "$cipher: takes the packet of RFC 7634" takes 0102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6\
a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b8\
2829f641e076aaa8266b7fb0f7b11b369907e1ad43
shunt -n "$gw" tunnel flush dev shunt0

cipher=aes-gcm-256 spi=0x4a2cbfe3
check "$cipher: tunnel" given $cipher $spi abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344
check "$cipher: sends" sends 4a2cbfe30000000100000000000000015cc8749ba47562c0726612309ae4c1bdf8af0155ed672134e4f6147f4c581f41\
87843b858112b9d0665e3f4fd4dffae28d3694276fc756e28953ba4a9588da8ca684638f5335f83afac749a08d3307e60429571bc94b7ebfc55aa855582b4a\
7561ff050aafaa463d
taking $cipher $spi
check "$cipher: takes" takes 4a2cbfe3000000010102030405060708ff425cffbd11d9dfba3c0cb9070f850a39f107241995474e1122d07d309e3b73\
048f155eadc1173f710c4ede8e04ff8cfa933998fa09ccccf616c698d4075635903f5706210e430e09b430701b38a2567f26bf3202b971e417aa69eca6136b3ac3a918cb61949601
check "$cipher: understands the packet of the draft, which is none for a tunnel" malformed 4a2cbfe3000000020102030405060708ff42\
5c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8eb335f4eecfdbf831824b4c4915\
956c96
shunt -n "$gw" tunnel flush dev shunt0

cipher=aes-gcm-128 spi=0x42f67e3f
check "$cipher: tunnel" given $cipher $spi 3de09874b388e6491988d0c3607eae1f57690e43
check "$cipher: sends" sends 42f67e3f00000001000000000000000128dd2dd4cdc9d0db43cbf604f8f32eb11ac08608e4fee1c3a3e585e0baeed682\
e2fbf052b4b41960a9c51561f63ea34426207503eebcf0943e9fbe9d12f061047639d4a20f7c8b08224a2c987ff0f627be5b95f58a606fe0b3b218fab1691d\
252fc5f00981d10744
taking $cipher $spi
check "$cipher: takes" takes 42f67e3f101010104e280000a2fca1a3fba2caccba0df9f0322c9d09008974ad3fc65595cf1a579635197beca86cf663\
00cdecc860ce18e33a9a9f40db2b1aae763687105136f37365245405b4131228d5946784ba64361cdc3a265ba1a61de83175c29d9a770684ec37622f41cc4c\
3ae9e7823c3a63f52b
check "the kernel did not complain" clean_log
ktap_finished
