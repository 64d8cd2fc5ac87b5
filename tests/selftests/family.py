#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The netlink family "shunt" spoken octet by octet, for what no program of ours would say.

family refusals DEV             requests that are wrong in one thing each: the answer has the right code, a text, and names
                                the attribute
family churn DEV STABLE ROUNDS  dumps, between whose parts other tunnels come and go: each of the STABLE ones is in it once
"""
import errno
import os
import socket
import struct
import sys

GENERIC, EXT_ACK, CAP_ACK, SOL_NETLINK = 16, 11, 10, 270
REQUEST, ACK, DUMP, ACK_TLVS, NESTED = 1, 4, 0x300, 0x200, 0x8000
ERROR, DONE, CTRL = 2, 3, 16
TUNNEL_NEW, TUNNEL_SET, TUNNEL_DEL, TUNNEL_GET, LOAD_GET, THRESHOLD_SET = range(1, 7)
TUNNEL = ("ifindex side spi-in spi-out cipher key-in key-out endpoint near far host alias scope priority cookie keepalive"
          " idle-timeout generation age last-rx last-tx seq-out rx tx reason count pad dead-timeout seq-limit").split()
LOAD = "ifindex tunnels busy pps tunnels-high tunnels-low load-high load-low".split()
U8, U64 = ("side", "cipher", "priority"), ("generation",)
RECEIVE = 8192  # what is read at a time, and so how much of a dump comes at once


def pad(data):
    return data + bytes(-len(data) % 4)


def attr(kind, value):
    return pad(struct.pack("=HH", 4 + len(value), kind) + value)


def parse(data):
    """The attributes of a message, by number; of equal ones the last."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def encode(names, name, value):
    kind = names.index(name) + 1 if isinstance(name, str) else name
    if isinstance(value, int):
        value = value.to_bytes(1 if name in U8 else 8 if name in U64 else 4, sys.byteorder)
    return attr(kind | (NESTED if name == "scope" else 0), value)


class Refused(Exception):
    """The kernel said no."""

    def __init__(self, code, text, where):
        super().__init__(f"{code}: {text} ({where})")
        self.code, self.text, self.where = code, text, where


class Family:
    """A socket and the number that the kernel gave the family."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
        self.sock.bind((0, 0))
        self.sock.settimeout(30)
        for option in EXT_ACK, CAP_ACK:
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.seq = 0
        self.sent = b""
        self.names = []
        self.id = CTRL
        self.id = struct.unpack("=H", parse(self.ask(3, attr(2, b"shunt\0"), []))[1])[0]

    def send(self, command, payload, flags, names):
        self.seq += 1
        self.names = names
        body = struct.pack("=BBH", command, 1, 0) + payload
        self.sent = struct.pack("=IHHII", 16 + len(body), self.id, REQUEST | flags, self.seq, 0) + body
        self.sock.send(self.sent)

    def where(self, tlvs):
        """The name of the attribute that an answer is about, "-" for one that is missing, "" for none."""
        if 5 in tlvs:
            return "-" + self.names[struct.unpack("=I", tlvs[5])[0] - 1]
        if 2 not in tlvs:
            return ""
        offset, at = struct.unpack("=I", tlvs[2])[0], 20
        while at < len(self.sent):
            length, kind = struct.unpack_from("=HH", self.sent, at)
            if at <= offset < at + length:
                kind &= 0x3FFF
                return self.names[kind - 1] if kind <= len(self.names) else str(kind)
            at += (length + 3) & ~3
        return "?"

    def receive(self):
        """The payloads of one part of an answer, and whether it was the last."""
        data = self.sock.recv(RECEIVE)
        payloads = []
        while len(data) >= 16:
            length, kind, flags, seq = struct.unpack_from("=IHHI", data)
            body, data = data[16:length], data[(length + 3) & ~3:]
            if seq != self.seq:
                continue
            if kind in (ERROR, DONE):
                code = struct.unpack_from("=i", body)[0]
                if code < 0:
                    tlvs = parse(body[20 if kind == ERROR else 4:]) if flags & ACK_TLVS else {}
                    text = tlvs.get(1, b"").rstrip(b"\0").decode()
                    raise Refused(errno.errorcode[-code], text, self.where(tlvs))
                return payloads, True
            payloads.append(body[4:])
        return payloads, False

    def ask(self, command, payload, names, flags=ACK):
        self.send(command, payload, flags, names)
        answer, last = [], False
        while not last:
            part, last = self.receive()
            answer += part
        return answer[0] if answer else b""


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def endpoint(text, port=4500):
    if ":" in text:
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + address(text) + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + address(text) + bytes(8)


def rule(proto=None, port=None):
    return attr(NESTED | 1, (b"" if proto is None else attr(1, bytes([proto]))) +
                         (b"" if port is None else attr(2, struct.pack("=H", port))))


def proper(ifindex, number=1):
    return {"ifindex": ifindex, "spi-in": 0x1000 + number, "spi-out": 0x2000 + number, "key-in": os.urandom(36),
            "key-out": os.urandom(36), "endpoint": endpoint("198.51.100.2"),
            "near": address("192.168.1.10"), "far": struct.pack("!I", 0x64400000 + number)}


def request(names, attrs, change):
    """The attributes, changed; None takes one out."""
    attrs = {**attrs, **change}
    return b"".join(encode(names, name, value) for name, value in attrs.items() if value is not None)


SAME = os.urandom(36)
NEW = [  # what is changed in a proper tunnel-new, the code, and the attribute that is named
    ({"ifindex": None}, "EINVAL", "-ifindex"),
    ({"ifindex": 0}, "ERANGE", "ifindex"),
    ({"ifindex": 1}, "ENODEV", "ifindex"),
    ({"side": 2}, "ERANGE", "side"),
    ({"spi-in": 255}, "EINVAL", "spi-in"),
    ({"spi-in": 0x1777}, "EEXIST", "spi-in"),
    ({"spi-out": None}, "EINVAL", "-spi-out"),
    ({"spi-out": 255}, "ERANGE", "spi-out"),
    ({"spi-out": b"\1\2"}, "EINVAL", "spi-out"),
    ({"cipher": 3}, "ERANGE", "cipher"),
    ({"key-in": None}, "EINVAL", "-key-in"),
    ({"key-out": None}, "EINVAL", "-key-out"),
    ({"key-in": bytes(20)}, "EINVAL", "key-in"),
    ({"key-in": bytes(37)}, "ERANGE", "key-in"),
    ({"key-out": bytes(35)}, "EINVAL", "key-out"),
    ({"key-in": SAME, "key-out": SAME}, "EINVAL", "key-out"),
    ({"endpoint": None}, "EINVAL", "-endpoint"),
    ({"endpoint": bytes(17)}, "EINVAL", "endpoint"),
    ({"endpoint": bytes(16)}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("198.51.100.2", 0)}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("0.0.0.0")}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("224.0.0.1")}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("::")}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("ff02::1")}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("fe80::1")}, "EINVAL", "endpoint"),
    ({"endpoint": endpoint("::ffff:198.51.100.2")}, "EINVAL", "endpoint"),
    ({"near": None}, "EINVAL", "-near"),
    ({"far": None}, "EINVAL", "-far"),
    ({"near": bytes(5)}, "EINVAL", "near"),
    ({"near": bytes(17)}, "ERANGE", "near"),
    ({"near": address("127.0.0.1")}, "EINVAL", "near"),
    ({"far": address("fd00:64::1")}, "EINVAL", "far"),
    ({"far": address("192.168.1.10")}, "EINVAL", "far"),
    ({"far": struct.pack("!I", 0x64400777)}, "EEXIST", "far"),
    ({"host": address("192.168.1.11")}, "EINVAL", "-alias"),
    ({"alias": address("192.168.1.11")}, "EINVAL", "-host"),
    ({"host": address("192.168.1.11"), "alias": address("192.168.1.11")}, "EINVAL", "alias"),
    ({"side": 1, "host": address("192.168.1.11"), "alias": address("192.168.1.12")}, "EINVAL", "host"),
    ({"scope": rule(6, 80) * 17}, "EINVAL", "scope"),
    ({"scope": rule(None, 80)}, "EINVAL", "scope"),
    ({"scope": rule(47)}, "EINVAL", "scope"),
    ({"scope": rule(6)}, "EINVAL", "scope"),
    ({"scope": rule(17, 0)}, "ERANGE", "scope"),
    ({"scope": rule(1, 7)}, "EINVAL", "scope"),
    ({"priority": 8}, "ERANGE", "priority"),
    ({"cookie": b"c" * 64 + b"\0"}, "EINVAL", "cookie"),
    ({"cookie": b"open end"}, "EINVAL", "cookie"),
    ({"keepalive": 999}, "EINVAL", "keepalive"),
    ({"keepalive": 3600001}, "ERANGE", "keepalive"),
    ({"idle-timeout": 31536001}, "ERANGE", "idle-timeout"),
    ({"dead-timeout": 31536001}, "ERANGE", "dead-timeout"),
    ({"seq-limit": 0}, "ERANGE", "seq-limit"),
    ({99: b"\0\0\0\0"}, "EINVAL", "99"),
]
OTHERS = [  # command, attributes beside the device, code, attribute
    (TUNNEL_SET, {}, "EINVAL", "-spi-in"),
    (TUNNEL_SET, {"spi-in": 0x1999}, "ENOENT", "spi-in"),
    (TUNNEL_SET, {"spi-in": 0x1777, "generation": 1 << 60}, "ENOENT", "generation"),
    (TUNNEL_SET, {"spi-in": 0x1777, "side": 1}, "EINVAL", "side"),
    (TUNNEL_SET, {"spi-in": 0x1777, "key-in": SAME}, "EINVAL", "key-in"),
    (TUNNEL_SET, {"spi-in": 0x1777, "seq-limit": 9}, "EINVAL", "seq-limit"),
    (TUNNEL_SET, {"spi-in": 0x1777, "endpoint": endpoint("198.51.100.2", 0)}, "EINVAL", "endpoint"),
    (TUNNEL_GET, {"spi-in": 0x1999}, "ENOENT", "spi-in"),
    (TUNNEL_GET, {}, "EINVAL", "-spi-in"),
    (TUNNEL_DEL, {}, "EINVAL", "-spi-in"),
    (TUNNEL_DEL, {"spi-in": 0x1999}, "ENOENT", "spi-in"),
    (TUNNEL_DEL, {"spi-in": 0x1777, "cookie": b"another\0"}, "ENOENT", "cookie"),
    (TUNNEL_DEL, {"cookie": b"another\0"}, "ENOENT", "cookie"),
    (TUNNEL_DEL, {"endpoint": endpoint("198.51.100.9", 0)}, "ENOENT", "endpoint"),
    (TUNNEL_DEL, {"endpoint": endpoint("ff02::1", 0)}, "EINVAL", "endpoint"),
    (LOAD_GET, {"ifindex": 1}, "ENODEV", "ifindex"),
    (THRESHOLD_SET, {"ifindex": None}, "EINVAL", "-ifindex"),
    (THRESHOLD_SET, {"tunnels-high": 1048577}, "ERANGE", "tunnels-high"),
    (THRESHOLD_SET, {"load-high": 5, "load-low": 5}, "EINVAL", "load-low"),
]


def refusal(what, ask, code, *where):
    try:
        ask()
        print(f"{what}: not refused")
    except Refused as said:
        if said.code == code and said.where in where and said.text:
            return True
        print(f"{what}: {said}, expected {code} and a text ({where[0]})")
    return False


def refusals(family, ifindex):
    family.ask(TUNNEL_NEW, request(TUNNEL, proper(ifindex, 0x777), {}), TUNNEL)
    right = [refusal(f"tunnel-new {change}", lambda change=change: family.ask(
        TUNNEL_NEW, request(TUNNEL, proper(ifindex), change), TUNNEL), code, where) for change, code, where in NEW]
    for command, change, code, where in OTHERS:
        names = LOAD if command in (LOAD_GET, THRESHOLD_SET) else TUNNEL
        right.append(refusal(f"command {command} {change}", lambda: family.ask(
            command, request(names, {"ifindex": ifindex}, change), names), code, where))
    # 6.1 does not name the attribute at the end of a dump
    right.append(refusal("dump", lambda: family.ask(
        TUNNEL_GET, request(TUNNEL, {"ifindex": 1}, {}), TUNNEL, DUMP), "ENODEV", "ifindex", ""))
    family.ask(TUNNEL_DEL, request(TUNNEL, {"ifindex": ifindex, "spi-in": 0x1777}, {}), TUNNEL)
    print(f"{len(right)} refusals")
    return all(right)


def dump(reader, ifindex, meanwhile):
    """The inbound SPIs in a dump, between whose parts something happens."""
    reader.send(TUNNEL_GET, request(TUNNEL, {"ifindex": ifindex}, {}), DUMP, TUNNEL)
    spis, parts, last = [], 0, False
    while not last:
        part, last = reader.receive()
        spis += [struct.unpack("=I", parse(payload)[3])[0] for payload in part]
        parts += 1
        meanwhile()
    return spis, parts


def churn(family, ifindex, stable, rounds):
    """Others are made and deleted before, between and behind the stable ones, whose number they exceed in time."""
    reader, others, made, right = Family(), [], stable, True

    def come_and_go():
        nonlocal made
        for _ in range(5):
            made += 1
            family.ask(TUNNEL_NEW, request(TUNNEL, proper(ifindex, made), {}), TUNNEL)
            others.append(made)
        for _ in range(4):
            gone = 0x1000 + others.pop(made % len(others))
            family.ask(TUNNEL_DEL, request(TUNNEL, {"ifindex": ifindex, "spi-in": gone}, {}), TUNNEL)

    for number in range(1, stable + 1):
        family.ask(TUNNEL_NEW, request(TUNNEL, proper(ifindex, number), {}), TUNNEL)
        if not number % 10:
            come_and_go()
    for _ in range(rounds):
        spis, parts = dump(reader, ifindex, come_and_go)
        seen = [spi for spi in spis if spi <= 0x1000 + stable]
        print(f"{len(spis)} tunnels in {parts} parts, {made} made so far")
        if seen != list(range(0x1001, 0x1001 + stable)) or len(set(spis)) != len(spis) or parts < 3:
            print(f"wrong: {[hex(spi) for spi in spis]}")
            right = False
    return right


def main(verb, dev, *words):
    ifindex = socket.if_nametoindex(dev)
    work = {"refusals": refusals, "churn": churn}[verb]
    sys.exit(0 if work(Family(), ifindex, *map(int, words)) else 1)


main(*sys.argv[1:])
