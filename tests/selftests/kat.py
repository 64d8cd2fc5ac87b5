#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kat: packets of known content, in hexadecimal.

kat out NS DEV PACKET           send that IPv4 packet in NS; print the ESP packet that leaves by DEV because of it
kat in NS ADDRESS CAPSULE NS DEV    send that ESP packet in UDP to port 4500 of ADDRESS; print the packet that comes out of DEV in
                                the second NS
kat put NS ADDRESS CAPSULE      the same, and print nothing
"""
import os
import socket
import sys

import netns

ETH_P_IP = 0x0800
ETH_P_ALL = 3
UDP_HEAD = 28  # IPv4 without options, UDP
ETH_HEAD = 14
PORT = 4500
SECONDS = 30


def tap(ns, dev, protocol):
    kind = socket.SOCK_RAW if protocol == ETH_P_ALL else socket.SOCK_DGRAM
    sock = netns.make_socket(ns, socket.AF_PACKET, kind, socket.htons(protocol))
    sock.bind((dev, protocol))
    sock.settimeout(SECONDS)
    return sock


def out(ns, dev, packet):
    wire = tap(ns, dev, ETH_P_ALL)
    raw = netns.make_socket(ns, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
    while True:
        frame = wire.recv(65536)[ETH_HEAD:]
        if frame[:1] == b"\x45" and frame[9] == socket.IPPROTO_UDP:
            return frame[UDP_HEAD:]


def put(ns, address, capsule):
    sock = netns.make_socket(ns, socket.AF_INET, socket.SOCK_DGRAM)
    sock.sendto(capsule, (address, PORT))


def come_in(ns, address, capsule, where, dev):
    inside = tap(where, dev, ETH_P_IP)
    put(ns, address, capsule)
    return inside.recv(65536)


def main(verb, *words):
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    if verb == "out":
        got = out(words[0], words[1], bytes.fromhex(words[2]))
    elif verb == "in":
        got = come_in(words[0], words[1], bytes.fromhex(words[2]), words[3], words[4])
    else:
        got = put(words[0], words[1], bytes.fromhex(words[2]))
    netns.back(before)
    if got:
        print(got.hex())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
