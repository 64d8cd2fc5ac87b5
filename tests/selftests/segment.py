#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""segment SERVER-NS CLIENT-NS ADDRESS PORT OCTETS SECONDS: a TCP stream into a tunnel, of which each segment that comes out of the
server's shunt0 is what TCP itself would have sent: sums, lengths, numbers in a row, and flags where they belong.

The server's shunt0 must not put segments together (ethtool -K shunt0 gro off), and ECN be in use.
"""
import os
import socket
import struct
import sys
import threading

import netns

ETH_P_ALL = 3
FIN, PSH, CWR = 0x01, 0x08, 0x80
STREAMS = 5  # at most, until there is one in which congestion was answered


def ones(data):
    """The Internet checksum's sum, RFC 1071; 0xffff of what is sound."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


class Segment:
    """One captured packet."""

    def __init__(self, packet):
        if packet[0] >> 4 == 4:
            self.length, self.id = struct.unpack_from("!HH", packet, 2)
            head, self.proto, addresses = 20, packet[9], packet[12:20]
            self.sound = ones(packet[:head]) == 0xffff
        else:
            self.length = struct.unpack_from("!H", packet, 4)[0] + 40
            head, self.proto, addresses = 40, packet[6], packet[8:40]
            self.id, self.sound = None, True
        self.whole = self.length == len(packet)
        tcp = packet[head:]
        if self.proto != socket.IPPROTO_TCP:
            return
        self.sound = self.sound and ones(tcp + addresses + struct.pack("!HH", self.proto, len(tcp))) == 0xffff
        self.port, self.seq, self.flags = struct.unpack_from("!2xHI5xB", tcp)
        self.payload = tcp[(tcp[12] >> 4) * 4:]


def demand(holds, what):
    if not holds:
        sys.exit(what)


def longest_run(segments, flag):
    best = run = 0
    for segment in segments:
        run = run + 1 if segment.flags & flag else 0
        best = max(best, run)
    return best


def judge(segments, sent):
    demand(all(s.whole for s in segments), "a length that is not the packet's")
    demand(all(s.sound for s in segments), "%d of %d sums are wrong" % (sum(not s.sound for s in segments), len(segments)))
    full = max(len(s.payload) for s in segments)
    at = next(s.seq for s in segments if sent.startswith(s.payload))
    for number, segment in enumerate(segments):
        offset = (segment.seq - at) % (1 << 32)
        demand(segment.payload == sent[offset:offset + len(segment.payload)], f"segment {number} is not what its number says")
    # several processors may have overtaken each other, and what was lost have come again
    first = {}
    for segment in segments:
        first.setdefault((segment.seq - at) % (1 << 32), segment)
    data = [first[offset] for offset in sorted(first) if len(first[offset].payload) == full]
    demand(len(data) > 100, f"{len(data)} segments of {full} octets are too few to judge")
    ids = [((b.id - a.id) % 65536) for a, b in zip(data, data[1:]) if a.id is not None]
    demand(sum(0 < step < 100 for step in ids) >= len(ids) * 0.9, "identifications that do not count")
    # of a packet's segments one has each: the first or the last
    demand(longest_run(data, PSH) < 4, "several segments in a row push")
    demand(not any(s.flags & FIN for s in data[:-1]), "the stream ends before its end")
    demand(any(s.flags & CWR for s in data), "nothing was said of congestion")
    demand(longest_run(data, CWR) == 1, "congestion is answered more than once")
    print(f"{len(data)} of {full} octets, {sum(bool(s.flags & CWR) for s in data)} with CWR, {sum(bool(s.flags & PSH) for s in data)} with PSH")


def drain(sock, got):
    while True:
        data = sock.recv(1 << 20)
        if not data:
            return
        got += data


def stream(server, client, address, port, size, seconds):
    """What was sent over one connection, and the segments that came of it."""
    tap = netns.make_socket(server, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    tap.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    tap.bind(("shunt0", ETH_P_ALL))
    tap.setblocking(False)
    listener = netns.make_socket(server, netns.family(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", port))
    listener.listen()
    sender = netns.make_socket(client, netns.family(address), socket.SOCK_STREAM)
    sender.settimeout(seconds)
    sender.connect((address, port))
    receiver = listener.accept()[0]
    receiver.settimeout(seconds)
    sent, got = os.urandom(size), bytearray()
    reader = threading.Thread(target=drain, args=(receiver, got))
    reader.start()
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # so that the end is part of a large packet
    sender.sendall(sent)
    sender.shutdown(socket.SHUT_WR)
    reader.join()
    demand(got == sent, f"{len(got)} of {size} octets arrived, or others")
    segments = []
    try:
        while True:
            packet, where = tap.recvfrom(65536)
            segment = Segment(packet)
            if where[2] != socket.PACKET_OUTGOING and segment.proto == socket.IPPROTO_TCP and segment.port == port and segment.payload:
                segments.append(segment)
    except BlockingIOError:
        pass
    for each in (tap, listener, sender, receiver):
        each.close()
    return segments, sent


def main():
    server, client, address, port, size, seconds = *sys.argv[1:4], *(int(word) for word in sys.argv[4:])
    # TCP does not answer congestion on each connection: it may not have been agreed on (a marked SYN), or all may be on its way
    for _ in range(STREAMS):
        segments, sent = stream(server, client, address, port, size, seconds)
        if any(s.flags & CWR for s in segments):
            break
    judge(segments, sent)


main()
