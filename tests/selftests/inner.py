#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""inner NAME: send one inner packet, built by hand, as a cloud that does not keep to its scope would.

The scope it plays against: tcp/631 and icmp of 100.64.0.5 from 100.64.0.1 (fd00:64::5 from fd00:64::1).
inner list prints the names, each with what the gateway has to count it as.
"""
import socket
import struct
import sys

FAR, NEAR, OTHER = "100.64.0.1", "100.64.0.5", "100.64.0.6"
FAR6, NEAR6, OTHER6 = "fd00:64::1", "fd00:64::5", "fd00:64::6"
TCP, UDP, ICMP, ICMP6, IPIP, GRE, SCTP = 6, 17, 1, 58, 4, 47, 132
FRAGMENT6, HOP6, ROUTING6, DEST6 = 44, 0, 43, 60


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(proto, payload, src=FAR, dst=NEAR, frag=0, options=b""):
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 7, frag, 64,
        proto, 0, socket.inet_aton(src), socket.inet_aton(dst)) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ip6(proto, payload, src=FAR6, dst=NEAR6):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + \
        socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + payload


def tcp(dport, sport=40000):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, 2, 1024, 0, 0)


def udp(dport):
    return struct.pack("!HHHH", 40000, dport, 8, 0)


def echo():
    body = struct.pack("!BBHHH", 8, 0, 0, 1, 1)
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def quote(packet, kind=3, code=1):
    body = struct.pack("!BBHI", kind, code, 0, 0) + packet[:28]
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def ext(next_header, length=8):
    return struct.pack("!BB", next_header, length // 8 - 1) + b"\x01\x04\0\0\0\0"


# name: (how it is counted, packet)
PACKETS = {
    "wrong-host": ("scope", ip4(TCP, tcp(631), dst=OTHER)),
    "wrong-source": ("scope", ip4(TCP, tcp(631), src="100.64.0.2")),
    "wrong-port": ("scope", ip4(TCP, tcp(632))),
    "source-port-only": ("scope", ip4(TCP, tcp(80, sport=631))),
    "wrong-protocol": ("scope", ip4(UDP, udp(631))),
    "gre": ("scope", ip4(GRE, b"\0" * 8)),
    "sctp": ("scope", ip4(SCTP, tcp(631))),
    "ip-in-ip": ("scope", ip4(IPIP, ip4(TCP, tcp(631)))),
    "first-fragment": ("scope", ip4(TCP, tcp(631), frag=0x2000)),
    "later-fragment": ("scope", ip4(TCP, b"\0" * 24, frag=0x0003)),
    "options-nop": ("scope", ip4(TCP, tcp(631), options=b"\x01\x01\x01\x00")),
    "source-route": ("scope", ip4(TCP, tcp(631), options=b"\x83\x07\x04\xc0\xa8\x01\x0b\x00")),
    "icmp-error-of-another": ("scope", ip4(ICMP, quote(ip4(TCP, tcp(40000, 631), src=OTHER, dst=FAR)))),
    "icmp-error-of-wrong-port": ("scope", ip4(ICMP, quote(ip4(TCP, tcp(40000, 80), src=NEAR, dst=FAR)))),
    "icmp-redirect": ("scope", ip4(ICMP, quote(ip4(TCP, tcp(40000, 631), src=NEAR, dst=FAR), 5))),
    "icmp-timestamp": ("scope", ip4(ICMP, struct.pack("!BBHHHIII", 13, 0, 0, 1, 1, 0, 0, 0))),
    "echo-reply": ("scope", ip4(ICMP, struct.pack("!BBHHH", 0, 0, 0xFFFD, 1, 1))),
    "short-tcp": ("malformed", ip4(TCP, tcp(631)[:3])),
    "short-icmp": ("malformed", ip4(ICMP, b"\x08\0\0")),
    "ipv6-wrong-host": ("scope", ip6(TCP, tcp(631), dst=OTHER6)),
    "ipv6-wrong-port": ("scope", ip6(TCP, tcp(632))),
    "ipv6-wrong-protocol": ("scope", ip6(UDP, udp(631))),
    "ipv6-hop-by-hop": ("scope", ip6(HOP6, ext(TCP) + tcp(631))),
    "ipv6-destination-options": ("scope", ip6(DEST6, ext(TCP) + tcp(631))),
    "ipv6-routing": ("scope", ip6(ROUTING6, struct.pack("!BBBBI", TCP, 0, 4, 0, 0) + tcp(631))),
    "ipv6-fragment": ("scope", ip6(FRAGMENT6, struct.pack("!BBHI", TCP, 0, 1, 9) + tcp(631))),
    "ipv6-short-tcp": ("malformed", ip6(TCP, tcp(631)[:3])),
}


def send(packet):
    if packet[0] >> 4 == 4:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        sock.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
    else:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        sock.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))


def main(name):
    if name == "list":
        for each, (reason, _) in PACKETS.items():
            print(each, reason)
    else:
        send(PACKETS[name][1])


if __name__ == "__main__":
    main(*sys.argv[1:])
