#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random and mutated netlink messages for the family and for links of type shunt, the same for the same seed.

nlfuzz root SEED COUNT          COUNT messages with all rights, to devices and tunnels that come and go thereby
nlfuzz nobody SEED COUNT KIND   COUNT messages of a user without rights, none of which may change, or tell, anything; KIND is
                                plain: just without; or userns: the same with all rights in a user namespace of its own

A message is made as the specification has it, its values proper, at a limit, or random; half of them are then damaged:
attributes left out, doubled, cut, nested where they are not; octets changed; lengths and flags wrong. Every answer has an errno
that a caller can make sense of, and in the end the devices work as before: what is listed can be shown and deleted.
"""
import ctypes
import os
import random
import struct
import sys

from family import (LOAD, LOAD_GET, TUNNEL, TUNNEL_DEL, TUNNEL_GET, TUNNEL_NEW, Family, address, encode, endpoint, number,
                    proper, request, rule)
from nl import (ACK, CREATE, DELLINK, DONE, DUMP, ERROR, EXCL, GETLINK, IFNAME, LINKINFO, MTU, NESTED, NEWLINK, SETLINK, Links,
                attr, error_name, parse)

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
COMMANDS = list(range(1, 7)) * 8 + [0, 7, 8, 11, 12, 255]
DEVICES = ("shunt0", "fuzz0", "fuzz1")
SPIS = [0x1000 + n for n in range(12)]
SENSE = {"EINVAL", "ERANGE", "ENODEV", "ENOENT", "EEXIST", "EOPNOTSUPP", "EPERM", "ENOSPC", "EADDRINUSE", "EAFNOSUPPORT",
         "EBUSY", "EMSGSIZE", "EADDRNOTAVAIL", "EACCES", "ENETDOWN",
         "ESRCH", "EBADF"}  # the namespace that a link shall be in is not there
ANY_LINK = (4, 13, 16, 27, 30, 31, 33, 51)  # attributes of any link: MTU, queue, state, group, ...
DENIED = {"EPERM", "EINVAL", "EOPNOTSUPP", "ENOENT", "ENODEV", "ERANGE", "EACCES"}


class Fuzz:
    """Makes messages, out of a seed."""

    def __init__(self, seed, family, links):
        self.dice = random.Random(seed)
        self.family, self.links = family, links
        self.devices = {}

    def octets(self, most):
        return self.dice.randbytes(self.dice.randrange(most + 1))

    def u32(self, *usual):
        return struct.pack("=I", self.dice.choice([*usual, 0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1, self.dice.getrandbits(32)]))

    def an_address(self):
        return self.dice.choice([address("192.168.1.10"), address("100.64.0.1"), address("fd00:1::10"), address("::1"),
                                 address("255.255.255.255"), address("::ffff:1.2.3.4"), self.dice.randbytes(4),
                                 self.dice.randbytes(16), self.octets(17)])

    def an_endpoint(self):
        return self.dice.choice([endpoint("198.51.100.2"), endpoint("2001:db8::2"), endpoint("198.51.100.3", 0),
                                 endpoint("fe80::1"), endpoint("198.51.100.2", self.dice.randrange(65536)), self.octets(29)])

    def a_scope(self):
        rules = [rule(self.dice.choice((1, 6, 17, 58, 47)), self.dice.choice((None, 0, 1, 631, 65535)))
                 for _ in range(self.dice.choice((0, 1, 1, 2, 16, 17)))]
        return b"".join(rules) + (self.octets(9) if self.dice.random() < 0.1 else b"")

    def tunnel_value(self, name):
        """Something for an attribute of a tunnel."""
        dice = self.dice
        values = {
            "ifindex": lambda: struct.pack("=I", dice.choice([*self.devices.values(), *self.devices.values(), 0, 1, 2 ** 31])),
            "side": lambda: bytes([dice.choice((0, 0, 1, 1, 2, 255))]),
            "spi-in": lambda: self.u32(*SPIS), "spi-out": lambda: self.u32(*SPIS),
            "cipher": lambda: bytes([dice.choice((0, 1, 2, 2, 3, 255))]),
            "key-in": lambda: dice.randbytes(dice.choice((20, 36, 36, 36, 0, 35, 37))),
            "key-out": lambda: dice.randbytes(dice.choice((20, 36, 36, 36, 0, 35, 37))),
            "endpoint": self.an_endpoint, "near": self.an_address, "far": self.an_address, "host": self.an_address,
            "alias": self.an_address, "scope": self.a_scope,
            "priority": lambda: bytes([dice.choice((0, 7, 8, 255))]),
            "cookie": lambda: dice.choice([b"job-1\0", b"job-2\0", b"\0", b"", b"c" * 63 + b"\0", b"c" * 64, self.octets(80)]),
            "keepalive": lambda: self.u32(999, 1000, 3600000, 3600001),
            "idle-timeout": lambda: self.u32(60, 31536000, 31536001),
            "dead-timeout": lambda: self.u32(60, 31536000, 31536001),
            "generation": lambda: struct.pack("=Q", dice.choice((1, 2, 50, 2 ** 64 - 1))),
            "seq-limit": lambda: self.u32(8, 1000),
        }
        return values.get(name, lambda: self.octets(40))()

    def tunnel_attrs(self, command):
        """The attributes of a command, mostly those that it takes."""
        if command == TUNNEL_NEW and self.dice.random() < 0.7:
            attrs = proper(self.dice.choice(list(self.devices.values()) or [1]), self.dice.randrange(len(SPIS)))
            attrs["key-in"], attrs["key-out"] = self.dice.randbytes(36), self.dice.randbytes(36)
        else:
            attrs = {name: self.tunnel_value(name) for name in ("ifindex", "spi-in")}
        for name in self.dice.sample(TUNNEL, self.dice.choice((0, 0, 1, 2, 5))):
            attrs[name] = self.tunnel_value(name)
        return [encode(TUNNEL, name, value) for name, value in attrs.items()]

    def load_attrs(self):
        names = self.dice.sample(LOAD, self.dice.choice((0, 1, 2, 4)))
        return [encode(LOAD, "ifindex", self.tunnel_value("ifindex"))] + [
            encode(LOAD, name, self.u32(0, 1, 5, 1048576, 1048577)) for name in names]

    def link_attrs(self):
        """Of a link of type shunt."""
        data = [attr(self.dice.choice((0, 1, 2, 3, 4)), self.octets(6)) for _ in range(self.dice.choice((0, 1, 2)))]
        data += [attr(1, struct.pack("!H", self.dice.choice((4500, 4501, 0, 65535)))), attr(2, self.u32()), attr(3, b"\x40")]
        self.dice.shuffle(data)
        kind = self.dice.choice([b"shunt\0"] * 9 + [self.octets(8)])
        info = attr(1, kind) + attr(NESTED | 2, b"".join(data[:self.dice.randrange(4)]))
        attrs = [attr(IFNAME, self.dice.choice(DEVICES).encode() + b"\0"), attr(NESTED | LINKINFO, info)]
        if self.dice.random() < 0.3:
            attrs.append(attr(MTU, self.u32(1280, 1438, 68, 65535)))
        if self.dice.random() < 0.3:
            attrs.append(attr(self.dice.choice(ANY_LINK), self.octets(8)))
        return attrs

    def damage(self, attrs):
        """Attributes that are not what they were."""
        dice = self.dice
        for _ in range(dice.choice((1, 1, 2, 3))):
            if not attrs:
                attrs = [attr(dice.randrange(64), self.octets(20))]
            which, way = dice.randrange(len(attrs)), dice.randrange(6)
            if way == 0:
                del attrs[which]
            elif way == 1:
                attrs.append(attrs[which])
            elif way == 2:
                length, kind = struct.unpack_from("=HH", attrs[which])
                attrs[which] = struct.pack("=HH", dice.choice((0, 3, 4, max(length - 1, 0), min(length + 1, 65535), 65535)), kind) + attrs[which][4:]
            elif way == 3:
                length, kind = struct.unpack_from("=HH", attrs[which])
                attrs[which] = struct.pack("=HH", length, kind ^ dice.choice((0x8000, 0x4000, 1 << dice.randrange(14)))) + \
                    attrs[which][4:]
            elif way == 4:
                attrs.insert(which, attr(dice.randrange(80), self.octets(60)))
            else:
                octets = bytearray(attrs[which])
                octets[dice.randrange(len(octets))] = dice.randrange(256)
                attrs[which] = bytes(octets)
        return attrs

    def envelope(self, message):
        """The header of a message wrong, too."""
        if self.dice.random() < 0.05:
            octets = bytearray(message)
            octets[self.dice.randrange(16, min(len(octets), 24))] = self.dice.randrange(256)
            message = bytes(octets)
        if self.dice.random() < 0.03:
            message = message[:self.dice.randrange(1, len(message))]
        return message

    def to_family(self):
        command = self.dice.choice(COMMANDS)
        attrs = self.load_attrs() if command in (LOAD_GET, 6) else self.tunnel_attrs(command)
        if self.dice.random() < 0.5:
            attrs = self.damage(attrs)
        flags = self.dice.choice((ACK, ACK, ACK, DUMP, ACK | 0x100, ACK | 0x800 | CREATE))
        return self.family.request(command, b"".join(attrs), flags, TUNNEL)

    def to_links(self):
        kind = self.dice.choice((NEWLINK, NEWLINK, NEWLINK, SETLINK, DELLINK, GETLINK))
        attrs = self.link_attrs()
        if self.dice.random() < 0.5:
            attrs = self.damage(attrs)
        # by name only: nothing else in this namespace is to be touched
        head = struct.pack("=BxHiII", 0, 0, 0, self.dice.choice((0, 1)), self.dice.choice((0, 1)))
        flags = ACK | self.dice.choice((0, CREATE, CREATE | EXCL, CREATE | 0x100))
        return self.links.message(kind, head + b"".join(attrs), flags)

    def look(self):
        """What devices there are by now."""
        self.devices = {name: index for name in DEVICES if (index := self.links.index(name))}


def outcome(netlink, message):
    """Sends it: the error's name, "" for success, None when no answer comes, as to what is no request."""
    netlink.sock.send(message)
    netlink.sock.settimeout(0)
    try:
        while True:
            data = netlink.sock.recv(65536)
            while len(data) >= 16:
                length, kind, _, _ = struct.unpack_from("=IHHI", data)
                if kind in (ERROR, DONE):
                    code = struct.unpack_from("=i", data, 16)[0]
                    return error_name(code) if code else ""
                data = data[(length + 3) & ~3:] if length >= 16 else b""
    except BlockingIOError:
        return None
    finally:
        netlink.drain()
        netlink.sock.settimeout(30)


def tidy(fuzz, most=0):
    """No more than that many tunnels, and devices that are up; answers whether all that is listed can be shown and deleted."""
    for name in DEVICES:
        if name not in fuzz.devices:
            continue
        dev = fuzz.devices[name]
        spis = [number(attrs, TUNNEL, "spi-in") for attrs in fuzz.family.tunnels(dev)]
        if number(fuzz.family.load(dev), LOAD, "tunnels") != len(spis) or len(set(spis)) != len(spis):
            raise ValueError(f"{name}: {number(fuzz.family.load(dev), LOAD, 'tunnels')} tunnels, listed are {spis}")
        for spi in spis[most:]:
            fuzz.family.tunnel(TUNNEL_GET, ifindex=dev, spi_in=spi)
            fuzz.family.tunnel(TUNNEL_DEL, ifindex=dev, spi_in=spi)


def root(seed, count):
    fuzz = Fuzz(int(seed), Family(), Links())
    seen, wrong = {}, []
    for nth in range(int(count)):
        if not nth % 20:
            if not fuzz.links.index("shunt0"):
                fuzz.links.new("shunt0")
            fuzz.look()
        netlink = fuzz.links if fuzz.dice.random() < 0.15 else fuzz.family
        message = fuzz.envelope(fuzz.to_links() if netlink is fuzz.links else fuzz.to_family())
        answer = outcome(netlink, message)
        seen[answer] = seen.get(answer, 0) + 1
        if answer and answer not in SENSE:
            wrong.append(f"message {nth}: {answer} to {message.hex()}")
        if nth % 500 == 499:
            fuzz.look()
            tidy(fuzz, most=4)
    fuzz.look()
    tidy(fuzz)
    for name in fuzz.devices:
        fuzz.links.delete(name)
    print(f"seed {seed}:", ", ".join(f"{name or 'done' if name is not None else 'no answer'} {times}"
                                     for name, times in sorted(seen.items(), key=lambda item: -item[1])))
    print(*wrong[:5], sep="\n")
    # messages that are never understood would test nothing
    return not wrong and seen.get("", 0) > int(count) / 20 and len(seen) > 6


def drop_rights(kind):
    """From here on without them, in this namespace at least."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    if kind == "userns" and ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "a user namespace of its own")


def picture(family, links):
    """All that can be told of the devices and their tunnels, but what time changes."""
    links.sock.send(links.message(GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0), DUMP))
    all_links = [(body[:16], {kind: value for kind, value in parse(body[16:]).items() if kind in (3, 4, 16, 18, 20)})
                 for body in links.answer()]
    dev = links.index("shunt0")
    still = [TUNNEL.index(name) + 1 for name in ("age", "last-rx", "last-tx", "seq-out", "rx", "tx")]
    tunnels = [{kind: value for kind, value in attrs.items() if kind not in still} for attrs in family.tunnels(dev)]
    load = {kind: value for kind, value in family.load(dev).items() if LOAD[kind - 1] not in ("busy", "pps", "rx", "tx")}
    return all_links, tunnels, load


def nobody(seed, count, kind):
    family, links = Family(), Links()
    links.new("shunt0")
    links.set_up("shunt0")
    dev = links.index("shunt0")
    for nth in range(3):
        family.ask(TUNNEL_NEW, request(TUNNEL, proper(dev, nth), {"cookie": b"job-1\0"}), TUNNEL)
    before = picture(family, links)
    told, tell = os.pipe()
    if not os.fork():
        status = 1
        try:
            os.dup2(tell, 1)
            drop_rights(kind)
            status = powerless(seed, count, dev)
        except BaseException as error:  # pylint: disable=broad-except
            print(repr(error))
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(tell)
    with open(told, encoding="utf-8") as said:
        print(said.read())
    status = os.waitstatus_to_exitcode(os.wait()[1])
    same = picture(family, links) == before
    if not same:
        print("something changed")
    links.delete("shunt0")
    return same and not status


def powerless(seed, count, dev):
    """What a user without rights gets for an answer; 0 if nothing but refusals, and no dump."""
    fuzz = Fuzz(int(seed), Family(), Links())
    fuzz.devices = {"shunt0": dev}
    seen, wrong = {}, []
    for nth in range(int(count)):
        netlink = fuzz.links if fuzz.dice.random() < 0.3 else fuzz.family
        message = fuzz.to_links() if netlink is fuzz.links else fuzz.to_family()
        kind, flags = struct.unpack_from("=HH", message, 4)
        answer = outcome(netlink, message)
        seen[answer] = seen.get(answer, 0) + 1
        if netlink is fuzz.links and kind == GETLINK:
            continue
        if answer not in DENIED:
            wrong.append(f"message {nth}, flags {flags:x}: {answer if answer else 'done'} to {message.hex()}")
    try:
        fuzz.family.listen("tunnels")
        wrong.append("may listen")
    except PermissionError:
        pass
    print(f"seed {seed}:", seen, *wrong[:5], sep="\n")
    return 0 if not wrong and seen.get("EPERM", 0) > int(count) / 3 else 1


def main(verb, *words):
    work = {"root": root, "nobody": nobody}[verb]
    sys.exit(0 if work(*words) else 1)


main(*sys.argv[1:])
