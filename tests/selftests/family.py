#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The netlink family "shunt" spoken octet by octet, for what no program of ours would say.

family refusals DEV             requests that are wrong in one thing each: the answer has the right code, a text, and names
                                the attribute
family churn DEV STABLE ROUNDS  dumps, between whose parts other tunnels come and go: each of the STABLE ones is in it once
"""
import os
import socket
import struct
import sys

from nl import ACK, ADD_MEMBERSHIP, DUMP, GENERIC, NESTED, SOL_NETLINK, Netlink, Refused, attr, parse

CTRL = 16
TUNNEL_NEW, TUNNEL_SET, TUNNEL_DEL, TUNNEL_GET, LOAD_GET, THRESHOLD_SET = range(1, 7)
TUNNEL = ("ifindex side spi-in spi-out cipher key-in key-out endpoint near far host alias scope priority cookie keepalive"
          " idle-timeout generation age last-rx last-tx seq-out rx tx reason count pad dead-timeout seq-limit").split()
LOAD = "ifindex tunnels busy pps tunnels-high tunnels-low load-high load-low above crossed rx tx pad".split()
STATS = "packets bytes cpu-ns drops pad fragmented".split()
DROPS = "auth replay scope malformed toobig noroute nomem stale".split()
U8, U64 = ("side", "cipher", "priority"), ("generation",)


def encode(names, name, value):
    kind = names.index(name) + 1 if isinstance(name, str) else name
    if isinstance(value, int):
        value = value.to_bytes(1 if name in U8 else 8 if name in U64 else 4, sys.byteorder)
    return attr(kind | (NESTED if name == "scope" else 0), value)


class Family(Netlink):
    """A socket and the number that the kernel gave the family."""

    def __init__(self, namespace=""):
        super().__init__(GENERIC, namespace)
        self.names = []
        self.id = CTRL
        said = parse(self.ask(3, attr(2, b"shunt\0"), []))
        self.id = struct.unpack("=H", said[1])[0]
        groups = [parse(group) for group in parse(said[7]).values()]
        self.groups = {group[1].rstrip(b"\0").decode(): struct.unpack("=I", group[2])[0] for group in groups}

    def listen(self, group):
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])

    def request(self, command, payload, flags, names):
        """The next request, not sent yet."""
        self.names = names
        return self.message(self.id, struct.pack("=BBH", command, 1, 0) + payload, flags)

    def send(self, command, payload, flags, names):
        self.sock.send(self.request(command, payload, flags, names))

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
        bodies, last = super().receive()
        return [body[4:] for body in bodies], last

    def ask(self, command, payload, names, flags=ACK):
        self.send(command, payload, flags, names)
        answer = self.answer()
        return answer[0] if answer else b""

    def tunnel(self, command, **attrs):
        """A command about a tunnel; the answer's attributes by number. Names with _ for -."""
        words = {name.replace("_", "-"): value for name, value in attrs.items()}
        return parse(self.ask(command, request(TUNNEL, words, {}), TUNNEL))

    def tunnels(self, ifindex):
        """The attributes of all tunnels of a device."""
        self.send(TUNNEL_GET, request(TUNNEL, {"ifindex": ifindex}, {}), DUMP, TUNNEL)
        return [parse(payload) for payload in self.answer()]

    def load(self, ifindex):
        """The attributes of a device's load."""
        return parse(self.ask(LOAD_GET, request(LOAD, {"ifindex": ifindex}, {}), LOAD))


def number(attrs, names, name):
    """An integer among attributes; 0 where it is absent."""
    return int.from_bytes(attrs.get(names.index(name) + 1, b""), sys.byteorder)


def counter(attrs, names, direction, name):
    """packets, bytes or a reason of drops of rx or tx, among the attributes of a tunnel or a load; drops that are 0 are absent."""
    stats = parse(attrs[names.index(direction) + 1])
    if name in STATS:
        return number(stats, STATS, name)
    return number(parse(stats.get(STATS.index("drops") + 1, b"")), DROPS, name)


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def endpoint(text, port=4500):
    if ":" in text:
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + address(text) + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + address(text) + bytes(8)


def rule(proto=None, port=None):
    return attr(NESTED | 1, (b"" if proto is None else attr(1, bytes([proto]))) +
                         (b"" if port is None else attr(2, struct.pack("=H", port))))


def proper(ifindex, nth=1):
    return {"ifindex": ifindex, "spi-in": 0x1000 + nth, "spi-out": 0x2000 + nth, "key-in": os.urandom(36),
            "key-out": os.urandom(36), "endpoint": endpoint("198.51.100.2"),
            "near": address("192.168.1.10"), "far": struct.pack("!I", 0x64400000 + nth)}


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
    # whatever of it was made before it was refused is taken back
    right.append(refusal("tunnel-get of what was refused", lambda: family.tunnel(
        TUNNEL_GET, ifindex=ifindex, spi_in=proper(ifindex)["spi-in"]), "ENOENT", "spi-in"))
    family.ask(TUNNEL_NEW, request(TUNNEL, proper(ifindex), {}), TUNNEL)
    for spi in 0x1777, proper(ifindex)["spi-in"]:
        family.tunnel(TUNNEL_DEL, ifindex=ifindex, spi_in=spi)
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

    for nth in range(1, stable + 1):
        family.ask(TUNNEL_NEW, request(TUNNEL, proper(ifindex, nth), {}), TUNNEL)
        if not nth % 10:
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


if __name__ == "__main__":
    main(*sys.argv[1:])
