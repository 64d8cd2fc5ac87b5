#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Capsules (ESP in UDP over IPv4) on a link, taken and put back.

capsule take DEV FILE [COUNT]       store the next COUNT capsules that leave or arrive by DEV, one hex line
                                    each; prints "ready" when it listens
capsule put DEV FILE [CHANGE...]    send them again out of DEV, as they are or changed:
    flip=N          invert octet N of the ESP packet, counted from its end when negative
    cut=N           leave off the last N octets
    sport=P         another UDP source port
    spi=S           another SPI
    saddr=A         another IPv4 source address
    smac=M dmac=M   other addresses of the link
    line=N          only the Nth of the file, from 0
    times=N         N times
    step=N          each from a source port that many above the one before
"""
import socket
import struct
import sys

ETH = 14
IPV4 = 0x0800
UDP = 17
PORT = 4500
OUTGOING_AND_INCOMING = 3  # ETH_P_ALL
TEXT = ("saddr", "smac", "dmac")


def payload_at(frame):
    """Offset of the ESP packet in a frame, None when it holds none."""
    if len(frame) < ETH + 28 or struct.unpack_from("!H", frame, 12)[0] != IPV4:
        return None
    head = ETH + (frame[ETH] & 15) * 4
    if frame[ETH + 9] != UDP or len(frame) < head + 12:
        return None
    if PORT not in struct.unpack_from("!HH", frame, head):
        return None
    if struct.unpack_from("!I", frame, head + 8)[0] == 0:  # RFC 3948 2.2: IKE, not ESP
        return None
    return head + 8


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def take(dev, file, count):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(OUTGOING_AND_INCOMING))
    sock.bind((dev, OUTGOING_AND_INCOMING))
    print("ready", flush=True)
    with open(file, "w", encoding="ascii") as out:
        while count:
            frame = sock.recv(65536)
            at = payload_at(frame)
            if at and len(frame) - at > 40:  # longer than a dummy packet
                out.write(frame.hex() + "\n")
                count -= 1


def change(frame, changes):
    at = payload_at(frame)
    udp = at - 8
    if "cut" in changes:
        frame = frame[: -changes["cut"]]
    data = bytearray(frame)
    if "flip" in changes:
        n = changes["flip"]
        data[at + n if n >= 0 else n] ^= 0xFF
    if "spi" in changes:
        struct.pack_into("!I", data, at, changes["spi"])
    if "saddr" in changes:
        data[ETH + 12:ETH + 16] = socket.inet_aton(changes["saddr"])
    if "dmac" in changes:
        data[0:6] = bytes.fromhex(changes["dmac"].replace(":", ""))
    if "smac" in changes:
        data[6:12] = bytes.fromhex(changes["smac"].replace(":", ""))
    if "sport" in changes:
        struct.pack_into("!H", data, udp, changes["sport"])
    if changes:
        struct.pack_into("!H", data, ETH + 2, len(data) - ETH)
        struct.pack_into("!H", data, ETH + 10, 0)
        struct.pack_into("!H", data, ETH + 10, checksum(bytes(data[ETH:udp])))
        # no UDP checksum: what is changed must be found out by the ESP layer
        struct.pack_into("!HH", data, udp + 4, len(data) - udp, 0)
    return bytes(data)


def put(dev, file, changes):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((dev, 0))
    with open(file, encoding="ascii") as lines:
        frames = [bytes.fromhex(line) for line in lines]
    if "line" in changes:
        frames = [frames[changes.pop("line")]]
    times = changes.pop("times", 1)
    step = changes.pop("step", 0)
    for _ in range(times):
        for frame in frames:
            sock.send(change(frame, changes))
            if step:
                changes["sport"] += step


if sys.argv[1] == "take":
    take(sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else 1)
else:
    pairs = (word.split("=") for word in sys.argv[4:])
    put(sys.argv[2], sys.argv[3], {k: v if k in TEXT else int(v, 0) for k, v in pairs})
