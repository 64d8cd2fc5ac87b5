#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What no stack would send, in capsules that are authentic: a cloud that has the keys and means harm.

forged list                     prints the names, each with what the gateway has to count it as, "none" for what it delivers
forged NAME SPI KEY             send it to the gateway, as the next capsule for the tunnel with that inbound SPI and the key
                                in a file

The scope it plays against: tcp/631 and icmp of 100.64.0.7 from 100.64.0.3 (fd00:64::7 from fd00:64::3).
"""
import struct
import sys
import time

from inner import ICMP, ICMP6, TCP, UDP, checksum, echo, ext, ip4, ip6, quote, tcp, udp
from sealed import IPIP, IPV6, Line, Sealer, trailer

GATEWAY = "198.51.100.1"
FAR, NEAR, FAR6, NEAR6 = "100.64.0.3", "100.64.0.7", "fd00:64::3", "fd00:64::7"
ESP, AH, NO_NEXT, MOBILITY, HIP = 50, 51, 59, 135, 139


def four(proto=TCP, payload=None, **words):
    return ip4(proto, tcp(631) if payload is None else payload, **{"src": FAR, "dst": NEAR, **words})


def six(proto=TCP, payload=None, **words):
    return ip6(proto, tcp(631) if payload is None else payload, **{"src": FAR6, "dst": NEAR6, **words})


def back(payload=None, proto=TCP, **words):
    """A packet of the device, which an error may quote."""
    return ip4(proto, tcp(40000, 631) if payload is None else payload, **{"src": NEAR, "dst": FAR, **words})


def back6(payload=None, proto=TCP):
    return ip6(proto, tcp(40000, 631) if payload is None else payload, src=NEAR6, dst=FAR6)


def put(packet, at, octets):
    """Other octets in place, and an IPv4 header whose own checksum is right for all that."""
    packet = packet[:at] + octets + packet[at + len(octets):]
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        head = packet[:10] + bytes(2) + packet[12:20]
        packet = packet[:10] + struct.pack("!H", checksum(head)) + packet[12:]
    return packet


def error6(packet, kind=1, code=0):
    return struct.pack("!BBHI", kind, code, 0, 0) + packet


def icmp6(kind):
    return struct.pack("!BBHI", kind, 0, 0, 0) + bytes(16)


def plain(packet):
    """With the trailer that its version calls for."""
    return packet + trailer(packet, IPV6 if packet[:1] and packet[0] >> 4 == 6 else IPIP)


def total(octets):
    return put(four(), 2, struct.pack("!H", octets))


# name: (how it is counted, what the cipher finds inside)
SEALED = {
    "control": ("none", plain(four())),
    "trailing-garbage": ("none", plain(four() + four(dst="100.64.0.6") + bytes(100))),
    "nothing": ("malformed", trailer(b"", IPIP)),
    "one-octet": ("malformed", b"\x45" + trailer(b"\x45", IPIP)),
    "version-5": ("malformed", plain(put(four(), 0, b"\x55"))),
    "ipv4-as-ipv6": ("malformed", four() + trailer(four(), IPV6)),
    "not-tunnelled": ("malformed", tcp(631) + trailer(tcp(631), TCP)),
    "next-header-0": ("malformed", four() + trailer(four(), 0)),
    "padding-of-zeros": ("malformed", four() + bytes(2) + b"\x02" + bytes([IPIP])),
    "padding-longer-than-all": ("malformed", four() + b"\x01\x02\xff" + bytes([IPIP])),
    "header-cut": ("malformed", plain(four()[:19])),
    "header-of-16": ("malformed", plain(put(four(), 0, b"\x44"))),
    "header-of-60-in-40": ("malformed", plain(put(four(), 0, b"\x4f"))),
    "total-length-0": ("malformed", plain(total(0))),
    "total-length-19": ("malformed", plain(total(19))),
    "total-length-20-with-tcp": ("malformed", plain(total(20))),
    "total-length-41-of-40": ("malformed", plain(total(41))),
    "total-length-65535": ("malformed", plain(total(65535))),
    "tcp-header-of-16": ("malformed", plain(put(four(), 32, b"\x40"))),
    "tcp-header-of-60-in-20": ("malformed", plain(put(four(), 32, b"\xf0"))),
    "udp-length-7": ("malformed", plain(four(UDP, struct.pack("!HHHH", 40000, 631, 7, 0)))),
    "udp-length-beyond": ("malformed", plain(four(UDP, struct.pack("!HHHH", 40000, 631, 9, 0)))),
    "udp-port-0": ("scope", plain(four(UDP, udp(0)))),
    "igmp": ("scope", plain(four(2, b"\x11" + bytes(7)))),
    "esp-in-it": ("scope", plain(four(ESP, bytes(32)))),
    "ah-in-it": ("scope", plain(four(AH, bytes(24)))),
    "an-ipv6-packet-in-it": ("scope", plain(four(IPV6, six()))),
    "icmpv6-in-ipv4": ("scope", plain(four(ICMP6, icmp6(128)))),
    "to-broadcast": ("scope", plain(four(dst="255.255.255.255"))),
    "to-multicast": ("scope", plain(four(UDP, udp(631), dst="224.0.0.251"))),
    "to-the-host-itself": ("scope", plain(four(dst="192.168.1.10"))),
    "from-the-device": ("scope", plain(four(src=NEAR, dst=NEAR))),
    "icmp-source-quench": ("scope", plain(four(ICMP, quote(back(), 4, 0)))),
    "icmp-router-advertisement": ("scope", plain(four(ICMP, b"\x09" + bytes(15)))),
    "icmp-address-mask": ("scope", plain(four(ICMP, b"\x11" + bytes(11)))),
    "icmp-unknown": ("scope", plain(four(ICMP, b"\xfe" + bytes(11)))),
    "error-quotes-nothing": ("malformed", plain(four(ICMP, quote(b"")))),
    "error-quotes-ipv6": ("malformed", plain(four(ICMP, quote(back6())))),
    "error-quotes-7-octets-of-tcp": ("malformed", plain(four(ICMP, quote(back()[:27])))),
    "error-quotes-a-later-fragment": ("scope", plain(four(ICMP, quote(back(frag=3))))),
    "error-quotes-a-source-route": ("scope", plain(four(ICMP, struct.pack("!BBHI", 3, 1, 0, 0) +
                                                        back(options=b"\x83\x07\x04\xc0\xa8\x01\x0b\x00")))),
    "error-quotes-an-error": ("scope", plain(four(ICMP, quote(back(quote(four()), ICMP))))),
    "error-quotes-ip-in-ip": ("scope", plain(four(ICMP, quote(back(four(), IPIP))))),
    "error-quotes-another-protocol": ("scope", plain(four(ICMP, quote(back(struct.pack("!HHHH", 631, 40000, 8, 0), UDP))))),
    "error-quotes-another-server": ("scope", plain(four(ICMP, quote(back(dst="100.64.0.9"))))),
    "error-quotes-what-we-sent": ("scope", plain(four(ICMP, quote(four())))),
    "ipv6-as-ipv4": ("malformed", six() + trailer(six(), IPIP)),
    "ipv6-header-cut": ("malformed", plain(six()[:39])),
    "ipv6-payload-length-0": ("malformed", plain(put(six(), 4, b"\0\0"))),
    "ipv6-payload-length-beyond": ("malformed", plain(put(six(), 4, b"\0\x15"))),
    "ipv6-payload-length-65535": ("malformed", plain(put(six(), 4, b"\xff\xff"))),
    "ipv6-tcp-header-of-60-in-20": ("malformed", plain(put(six(), 52, b"\xf0"))),
    "ipv6-wrong-source": ("scope", plain(six(src="fd00:64::4"))),
    "ipv6-to-multicast": ("scope", plain(six(UDP, udp(631), dst="ff02::fb"))),
    "ipv6-to-the-host-itself": ("scope", plain(six(dst="fd00:1::10"))),
    "ipv6-in-ipv6": ("scope", plain(six(IPV6, six()))),
    "ipv6-ipv4-in-it": ("scope", plain(six(IPIP, four()))),
    "ipv6-icmp-of-ipv4": ("scope", plain(six(ICMP, echo()))),
    "ipv6-nothing-follows": ("scope", plain(six(NO_NEXT, b""))),
    "ipv6-esp-in-it": ("scope", plain(six(ESP, bytes(32)))),
    "ipv6-ah": ("scope", plain(six(AH, struct.pack("!BBHII", TCP, 4, 0, 1, 1) + bytes(12) + tcp(631)))),
    "ipv6-mobility": ("scope", plain(six(MOBILITY, ext(TCP) + tcp(631)))),
    "ipv6-hip": ("scope", plain(six(HIP, ext(TCP) + tcp(631)))),
    "ipv6-two-extensions": ("scope", plain(six(0, ext(60) + ext(TCP) + tcp(631)))),
    "ipv6-router-advertisement": ("scope", plain(six(ICMP6, icmp6(134)))),
    "ipv6-neighbour-solicitation": ("scope", plain(six(ICMP6, icmp6(135)))),
    "ipv6-redirect": ("scope", plain(six(ICMP6, icmp6(137)))),
    "ipv6-multicast-listener": ("scope", plain(six(ICMP6, icmp6(131)))),
    "ipv6-short-icmp": ("malformed", plain(six(ICMP6, b"\x80\0\0"))),
    "ipv6-error-quotes-another-port": ("scope", plain(six(ICMP6, error6(back6(tcp(40000, 80)))))),
    "ipv6-error-quotes-what-we-sent": ("scope", plain(six(ICMP6, error6(six(), 2)))),
    "ipv6-error-quotes-an-extension": ("scope", plain(six(ICMP6, error6(back6(ext(TCP) + tcp(40000, 631), 0))))),
    "ipv6-error-quotes-ipv4": ("malformed", plain(six(ICMP6, error6(back())))),
    "ipv6-error-quotes-39-octets": ("malformed", plain(six(ICMP6, error6(back6()[:39])))),
}


def main(name, spi=0, key=""):
    if name == "list":
        for each, (reason, _) in SEALED.items():
            print(each, reason)
        return
    # numbers that grow from one call to the next
    seq = time.monotonic_ns() // 10 ** 5 % 2 ** 31 + 1
    Line("", GATEWAY).send(Sealer(int(spi), key).seal(seq, SEALED[name][1]))


main(*sys.argv[1:])
