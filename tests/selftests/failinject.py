#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every allocation of a request fails once, one after the other, by /proc/thread-self/fail-nth.

failinject tunnels          all commands of the family
failinject links            links of type shunt: made, set up, changed, set down, deleted. Not moved: the module has no part in that,
                            and the kernel warns of its own failures
failinject module FILE      the module is loaded
failinject crowd            a link is made where there are many, and once an allocation has failed, all that follow fail, too
failinject dry              tunnels and links again, likewise

A request whose nth allocation fails is refused with an errno that says so, and has changed nothing; or it is done as if
nothing had happened, where only somebody's notification is lost. A request whose acknowledgement is lost may be either.
The walk is over when a request is done without a failure.
"""
import ctypes
import os
import socket
import struct
import sys

from family import (LOAD, LOAD_GET, THRESHOLD_SET, TUNNEL, TUNNEL_DEL, TUNNEL_GET, TUNNEL_NEW, TUNNEL_SET, Family, address,
                    endpoint, number, proper, request, rule)
from nl import ACK, DUMP, INFO_DATA, LINKINFO, Links, Refused, attr, error_name, parse

SENSE = ("ENOMEM", "ENOBUFS")
MOST = 3000  # no request allocates that often
WALKED = range(0x1001, 0x1004)  # inbound SPIs of tunnels that the walks make and delete
SYS_DELETE_MODULE, SYS_FINIT_MODULE = 176, 313


class Fault:
    """The nth allocation of what this thread has the kernel do fails."""

    def __init__(self):
        self.file = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
        self.count = 0

    def during(self, nth, work):
        """The name of the error that work ended with, "" for none; and whether an allocation failed."""
        said = ""
        order = str(nth).encode()
        os.pwrite(self.file, order, 0)
        try:
            work()
        except Refused as error:
            said = error.code
        except OSError as error:
            said = error_name(-error.errno)
        left = int(os.pread(self.file, 16, 0).split(b"\0")[0] or 0)
        os.pwrite(self.file, b"0", 0)
        self.count += not left
        return said, not left


class Drought:
    """Of what this thread has the kernel do, all allocations fail once so many octets are used up."""

    DIR = "/sys/kernel/debug/failslab"
    STEP = 96  # octets, so that the walk stops at nearly each of them
    ENOUGH = 1000000  # failures

    def __init__(self):
        self.arm = os.open("/proc/thread-self/make-it-fail", os.O_RDWR)
        self.count = 0

    def set(self, name, value):
        with open(f"{self.DIR}/{name}", "w", encoding="ascii") as file:
            file.write(str(value))

    def during(self, nth, work):
        """The name of the error that work ended with, "" for none; and whether an allocation failed."""
        said = ""
        self.set("space", self.STEP * nth)
        self.set("times", self.ENOUGH)
        self.set("probability", 100)
        os.pwrite(self.arm, b"1", 0)
        try:
            work()
        except Refused as error:
            said = error.code
        except OSError as error:
            said = error_name(-error.errno)
        os.pwrite(self.arm, b"0", 0)
        self.set("probability", 0)
        with open(f"{self.DIR}/times", encoding="ascii") as file:
            failed = int(file.read()) != self.ENOUGH
        self.count += failed
        return said, failed


class Walk:
    """Goes through the allocations of requests and keeps what was wrong."""

    def __init__(self, fault):
        self.fault = fault
        self.wrong, self.lines = [], []

    def over(self, what, state, work, undo=lambda: None, lossy=lambda: False, also=""):
        """state is what work changes, undo makes it as it was. lossy tells, once, whether the answer got lost. The kernel
        around the module may call a failure something else, too."""
        before, done = state(), None
        errors = {}
        for nth in range(1, MOST):
            said, failed = self.fault.during(nth, work)
            lost, after = lossy(), state()
            errors[said or "done"] = errors.get(said or "done", 0) + 1
            if not failed:
                if said:
                    self.wrong.append(f"{what}: {said} without a failure")
                undo()
                break
            if said and said not in SENSE and said != also:
                self.wrong.append(f"{what}: failure {nth}: {said}")
            if said and not lost and after != before:
                self.wrong.append(f"{what}: failure {nth}: {said}, but changed:\n{before}\n{after}")
            if not said:
                done = done or after
                if after != done:
                    self.wrong.append(f"{what}: failure {nth}: done otherwise than before:\n{done}\n{after}")
            if after != before:
                undo()
        else:
            self.wrong.append(f"{what}: no end after {MOST} allocations")
        if state() != before:
            self.wrong.append(f"{what}: not undone:\n{before}\n{state()}")
        self.lines.append(f"{what}: {errors}")

    def right(self, least):
        """Whether all was right, and that many failures were there to be seen."""
        print(*self.lines, *self.wrong[:10], sep="\n")
        print(f"{self.fault.count} failures")
        return not self.wrong and self.fault.count >= least


def patient(netlink):
    """Blocks in the receiving call itself; a call before each to see whether there is something would allocate, too."""
    netlink.sock.settimeout(None)
    netlink.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 5, 0))
    return netlink


def answer_lost(netlink):
    """Receives the answer; the errno by which the kernel says that it had no memory for one, and nobody knows what has been
    done, else 0."""
    try:
        netlink.answer()
    except OSError as error:
        return error.errno
    return 0


class Tunnels:
    """A device with tunnels, and somebody who listens."""

    def __init__(self):
        self.links = Links()
        self.links.new("shunt0")
        self.links.set_up("shunt0")
        self.dev = self.links.index("shunt0")
        self.asker, self.looker = patient(Family()), Family()
        self.listener = Family()
        self.listener.listen("tunnels")
        self.listener.listen("load")
        self.was_lost = 0

    def ask(self, command, names=TUNNEL, flags=ACK, **attrs):
        """What a walk does: the request is made before, and answers come without failures."""
        words = {name.replace("_", "-"): value for name, value in attrs.items()}
        payload = request(names, {"ifindex": self.dev, **words}, {})

        def work():
            message = self.asker.request(command, payload, flags, names)
            self.asker.sock.send(message)
            self.was_lost = answer_lost(self.asker)
            if self.was_lost:
                raise OSError(self.was_lost, "answer lost")
        return work

    def lost(self):
        was, self.was_lost = self.was_lost, 0
        # half an answer may still be to come
        self.asker = patient(Family())
        self.listener.drain()
        return was

    def state(self):
        """What is there, without what time changes."""
        still = [TUNNEL.index(name) + 1 for name in ("age", "last-rx", "last-tx", "seq-out", "rx", "tx", "generation")]
        tunnels = [{kind: value for kind, value in attrs.items() if kind not in still} for attrs in
                   self.looker.tunnels(self.dev)]
        load = {kind: value for kind, value in self.looker.load(self.dev).items()
                if LOAD[kind - 1] not in ("busy", "pps", "rx", "tx")}
        if number(load, LOAD, "tunnels") != len(tunnels):
            raise ValueError(f"{number(load, LOAD, 'tunnels')} tunnels, {len(tunnels)} are listed")
        listed = {number(attrs, TUNNEL, "spi-in") for attrs in tunnels}
        for spi in WALKED:
            if self.is_found(spi) != (spi in listed):
                raise ValueError(f"{spi:#x} is {'' if spi in listed else 'not '}listed, but by its number otherwise")
        return sorted(tunnels, key=lambda attrs: attrs[3]), load

    def is_found(self, spi):
        """Whether there is a tunnel of that number, and not one whose making failed."""
        try:
            self.looker.tunnel(TUNNEL_GET, ifindex=self.dev, spi_in=spi)
        except Refused as said:
            if said.code != "ENOENT":
                raise
            return False
        return True

    def add(self, *nths, **change):
        for nth in nths:
            self.looker.ask(TUNNEL_NEW, request(TUNNEL, proper(self.dev, nth), {"cookie": b"many\0", **change}), TUNNEL)

    def remove(self, *nths):
        for nth in nths:
            self.looker.tunnel(TUNNEL_DEL, ifindex=self.dev, spi_in=0x1000 + nth)


def over_new(walk, world, what, cipher=2, octets=36):
    walk.over(f"tunnel-new, {what}", world.state, world.ask(
        TUNNEL_NEW, cipher=cipher, key_in=bytes(octets), key_out=b"o" * octets, spi_in=0x1001, spi_out=0x2001,
        near=address("192.168.1.10"), far=address("100.64.0.1"), endpoint=endpoint("198.51.100.2"), cookie=b"job\0",
        scope=rule(6, 631) + rule(1)), lambda: world.remove(1), world.lost)


def walk_full(walk, world):
    """The array of all tunnels has no room left in what it has allocated, which is XA_CHUNK_SIZE. Of an empty one it takes the
    first place where there is no memory for the next."""
    full = range(0x100, 0x100 + 64)
    world.add(*full)
    over_new(walk, world, "behind 64")
    world.remove(*full)


def walk_new(walk, world):
    for cipher, octets in (0, 20), (1, 36), (2, 36):
        over_new(walk, world, f"cipher {cipher}", cipher, octets)


def walk_set(walk, world):
    world.add(1)
    same = {"cookie": b"many\0", "scope": b"", "endpoint": endpoint("198.51.100.2"), "keepalive": 0}
    walk.over("tunnel-set", world.state, world.ask(
        TUNNEL_SET, spi_in=0x1001, cookie=b"other\0", scope=rule(17, 53), endpoint=endpoint("198.51.100.3"), keepalive=1000),
        lambda: world.looker.tunnel(TUNNEL_SET, ifindex=world.dev, spi_in=0x1001, **same), world.lost)
    walk.over("tunnel-get", world.state, world.ask(TUNNEL_GET, spi_in=0x1001), lossy=world.lost)
    world.remove(1)


def walk_del(walk, world):
    world.add(1, 2, 3)
    walk.over("tunnel-del", world.state, world.ask(TUNNEL_DEL, spi_in=0x1001), lambda: world.add(1), world.lost)
    walk.over("tunnel-del by cookie", world.state, world.ask(TUNNEL_DEL, cookie=b"many\0"), lambda: world.add(1, 2, 3),
              world.lost)
    walk.over("tunnel-del by endpoint", world.state, world.ask(TUNNEL_DEL, endpoint=endpoint("198.51.100.2", 0)),
              lambda: world.add(1, 2, 3), world.lost)
    world.remove(1, 2, 3)


def walk_load(walk, world):
    world.add(1, 2, 3)
    walk.over("load-get", world.state, world.ask(LOAD_GET, LOAD), lossy=world.lost)
    marks = {"ifindex": world.dev, "tunnels-high": 0, "tunnels-low": 0, "load-high": 0, "load-low": 0}
    walk.over("threshold-set", world.state, world.ask(THRESHOLD_SET, LOAD, tunnels_high=2, tunnels_low=1, load_high=900),
              lambda: world.looker.ask(THRESHOLD_SET, request(LOAD, marks, {}), LOAD), world.lost)
    walk.over("load-get of all", world.state, world.ask(LOAD_GET, LOAD, DUMP), lossy=world.lost)
    world.remove(1, 2, 3)


def walk_dump(walk, world):
    """A dump of several parts, with failures while it is received."""
    world.add(*range(1, 60))
    walk.over("tunnel-get of all", world.state, world.ask(TUNNEL_GET, TUNNEL, DUMP), lossy=world.lost)
    world.remove(*range(1, 60))


def tunnels(fault=None):
    walk, world = Walk(fault or Fault()), Tunnels()
    for part in walk_full, walk_new, walk_set, walk_del, walk_load, walk_dump:
        part(walk, world)
    world.links.delete("shunt0")
    return walk.right(150)


class Devices:
    """A link."""

    def __init__(self):
        self.looker, self.family, self.links = Links(), Family(), patient(Links())
        self.was_lost = False

    def ask(self, verb, *words):
        def work():
            try:
                getattr(self.links, verb)(*words)
            except OSError:
                self.was_lost = True
                raise
        return work

    def lost(self):
        was, self.was_lost = self.was_lost, False
        self.links = patient(Links())
        return was

    def state(self):
        """Of shunt0: nothing, or whether it is up, and what it is set to."""
        if not self.looker.index("shunt0"):
            return None
        info = self.looker.get("shunt0")
        return struct.unpack_from("=I", info, 8)[0] & 1, parse(parse(parse(info[16:])[LINKINFO])[INFO_DATA])

    def make(self, is_up=False):
        self.looker.new("shunt0")
        if is_up:
            self.looker.set_up("shunt0")
        for nth in range(3):
            self.family.ask(TUNNEL_NEW, request(TUNNEL, proper(self.looker.index("shunt0"), nth), {}), TUNNEL)

    def gone(self):
        if self.looker.index("shunt0"):
            self.looker.delete("shunt0")

    def again(self, is_up=False):
        self.gone()
        self.make(is_up)


def over_made(walk, world, what):
    # netdev_register_kobject() does not look whether it could give a name
    walk.over(what, world.state, world.ask("new", "shunt0", attr(2, struct.pack("=I", 7))), world.gone, world.lost, "EINVAL")


def crowd():
    """The array of all devices has no room left, see walk_full(); the first one of a module that was just loaded is in its
    first place."""
    walk, world = Walk(Drought()), Devices()
    for nth in range(64):
        world.looker.new(f"full{nth}")
    over_made(walk, world, "link made behind 64")
    for nth in range(64):
        world.looker.delete(f"full{nth}")
    return walk.right(50)


def links(fault=None):
    walk, world = Walk(fault or Fault()), Devices()
    over_made(walk, world, "link made")
    world.make()
    # what sock_create_kern() says
    walk.over("link set up", world.state, world.ask("set_up", "shunt0"), lambda: world.looker.set_up("shunt0", False),
              world.lost, "ENFILE")
    world.looker.set_up("shunt0")
    walk.over("link changed", world.state, world.ask("new", "shunt0", attr(2, struct.pack("=I", 9)) + attr(3, b"\1"), 0),
              lambda: world.again(True), world.lost)
    walk.over("link set down", world.state, world.ask("set_up", "shunt0", False), lambda: world.looker.set_up("shunt0"),
              world.lost)
    walk.over("link deleted", world.state, world.ask("delete", "shunt0"), lambda: world.make(True), world.lost)
    world.gone()
    return walk.right(250)


def dry():
    """What allocates a second time when the first time failed, sees no failure but this."""
    return all([tunnels(Drought()), links(Drought())])


def module(file):
    libc, ko = ctypes.CDLL(None, use_errno=True), os.open(file, os.O_RDONLY)

    def load():
        if libc.syscall(SYS_FINIT_MODULE, ko, b"", 0):
            raise OSError(ctypes.get_errno(), "load")

    def unload():
        if os.path.exists("/sys/module/shunt"):
            libc.syscall(SYS_DELETE_MODULE, b"shunt", 0)

    unload()
    walk = Walk(Fault())
    walk.over("module loaded", lambda: os.path.exists("/sys/module/shunt"), load, unload)
    return walk.right(10)


def main(verb, *words):
    sys.exit(0 if {"tunnels": tunnels, "links": links, "module": module, "dry": dry, "crowd": crowd}[verb](*words) else 1)


main(*sys.argv[1:])
