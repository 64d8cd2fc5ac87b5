#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels between shunt0 of two namespaces, which come and go, and packets that do not wait for them.

churn pairs GW CLOUD COUNT                tunnels 0 to COUNT - 1
churn flood NS SRC DST COUNT              UDP packets without end, from SRC + n to DST + n for n below COUNT
churn tunnels GW CLOUD COUNT WINDOW SEED  COUNT tunnels made and deleted, no more than WINDOW of them at a time, in every way
                                          that there is; each carried packets both ways, and each beginning and end was told once
churn dump NS                             dumps without end; none has a tunnel twice
churn links NS                            links made, set up and deleted without end, whether or not the module is there

Tunnel n is between 100.64.0.0 + n at the gateway and 100.65.0.0 + n at the cloud, and has the SPIs 0x10000 + n and 0x20000 + n.
"""
import itertools
import os
import random
import select
import socket
import struct
import sys
import time

import netns
from family import (LOAD, TUNNEL, TUNNEL_DEL, TUNNEL_NEW, TUNNEL_SET, Family, counter, endpoint, number, rule)
from nl import Links, Refused, parse

NEAR, FAR = 0x64400000, 0x64410000
SPI_NEAR, SPI_FAR = 0x10000, 0x20000
CLOUD = endpoint("198.51.100.2")
NEW_NTF, DEL_NTF = 7, 8
EVENTS_BUFFER = 256 << 20
BURST = 32  # packets a sender sends before others get the processor
GROUP = 8  # tunnels with the same cookie
SINK = 9


def ip(value):
    return struct.pack("!I", value)


def raw_socket(namespace):
    sock = netns.make_socket(namespace, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sock.setblocking(False)
    return sock


def packet(src, dst, size=200):
    return struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 28 + size, 0, 0, 64, socket.IPPROTO_UDP, 0, ip(src), ip(dst), SINK, SINK,
                       8 + size, 0) + bytes(size)


def send(sock, src, dst, nth):
    try:
        sock.sendto(packet(src + nth, dst + nth), (socket.inet_ntoa(ip(dst + nth)), 0))
    except OSError:
        pass  # no way, no room: what is sent into the void may be lost


class Pairs:
    """Both ends of the tunnels."""

    def __init__(self, gw, cloud):
        self.gw, self.cloud = Family(gw), Family(cloud)
        self.gw_dev, self.cloud_dev = Links(gw).index("shunt0"), Links(cloud).index("shunt0")
        self.from_gw, self.from_cloud = raw_socket(gw), raw_socket(cloud)
        self.live = {}  # number: generation of the gateway's end
        self.made = 0

    def cookie(self, nth):
        return f"group-{nth // GROUP}".encode() + b"\0"

    def make(self, nth, cipher=2):
        """A tunnel; its first packet teaches the cloud where the gateway is, its second comes back."""
        octets = 20 if cipher == 0 else 36
        up, down = os.urandom(octets), os.urandom(octets)
        both = {"cipher": cipher, "near": ip(NEAR + nth), "far": ip(FAR + nth), "cookie": self.cookie(nth), "idle_timeout": 3600}
        self.cloud.tunnel(TUNNEL_NEW, ifindex=self.cloud_dev, side=1, spi_in=SPI_FAR + nth, spi_out=SPI_NEAR + nth, key_in=up,
                          key_out=down, **both)
        answer = self.gw.tunnel(TUNNEL_NEW, ifindex=self.gw_dev, side=0, spi_in=SPI_NEAR + nth, spi_out=SPI_FAR + nth,
                                key_in=down, key_out=up, endpoint=CLOUD, keepalive=1000, **both)
        self.live[nth] = number(answer, TUNNEL, "generation")
        self.made += 1
        send(self.from_gw, NEAR, FAR, nth)
        send(self.from_cloud, FAR, NEAR, nth)

    def change(self, nth, dice):
        """Something about a tunnel while packets use it."""
        what = dice.choice([{"scope": rule(17, SINK) + rule(1)}, {"scope": b""}, {"cookie": self.cookie(nth)}, {"priority": 3},
                            {"keepalive": 5000, "dead_timeout": 600}, {"endpoint": CLOUD}])
        self.gw.tunnel(TUNNEL_SET, ifindex=self.gw_dev, spi_in=SPI_NEAR + nth, **what)

    def forget(self, gone):
        """The cloud's ends, too."""
        for nth in gone:
            self.cloud.tunnel(TUNNEL_DEL, ifindex=self.cloud_dev, spi_in=SPI_FAR + nth)
            del self.live[nth]

    def delete(self, nth, dice):
        """A tunnel, or those with its cookie, or at times all."""
        way, gone = dice.random(), [nth]
        if way < 0.7:
            self.gw.tunnel(TUNNEL_DEL, ifindex=self.gw_dev, spi_in=SPI_NEAR + nth)
        elif way < 0.9:
            self.gw.tunnel(TUNNEL_DEL, ifindex=self.gw_dev, spi_in=SPI_NEAR + nth, generation=self.live[nth])
        else:
            cookie = self.cookie(nth)
            gone = [n for n in self.live if self.cookie(n) == cookie]
            words = {"cookie": cookie}
            if way > 0.998:
                gone, words = list(self.live), {"endpoint": CLOUD}
            answer = self.gw.tunnel(TUNNEL_DEL, ifindex=self.gw_dev, **words)
            if number(answer, TUNNEL, "count") != len(gone):
                raise ValueError(f"{number(answer, TUNNEL, 'count')} deleted with {words}, not {len(gone)}")
        self.forget(gone)


class Events:
    """What is told of the tunnels of a namespace."""

    def __init__(self, namespace):
        self.family = Family(namespace)
        self.family.sock.setsockopt(socket.SOL_SOCKET, 33, EVENTS_BUFFER)  # SO_RCVBUFFORCE
        self.family.listen("tunnels")
        self.born, self.carried, self.dead, self.wrong = {}, 0, set(), []

    def take(self):
        """All that has come so far."""
        while select.select([self.family.sock], [], [], 0)[0]:
            data = self.family.sock.recv(65536)
            command, attrs = data[16], parse(data[20:])
            generation = number(attrs, TUNNEL, "generation")
            if command == NEW_NTF:
                if generation in self.born:
                    self.wrong.append(f"{generation} born twice")
                self.born[generation] = number(attrs, TUNNEL, "spi-in")
            elif command == DEL_NTF:
                if generation in self.dead or self.born.get(generation) != number(attrs, TUNNEL, "spi-in"):
                    self.wrong.append(f"{generation} dead, but never born or dead before")
                self.dead.add(generation)
                if number(attrs, TUNNEL, "reason") != 1:
                    self.wrong.append(f"{generation} dead of {number(attrs, TUNNEL, 'reason')}")
                self.carried += any(counter(attrs, TUNNEL, way, "packets") for way in ("rx", "tx"))


def judge(what, share, count, events, load):
    """Whether all is told of that many tunnels, that share of which carried something, and none is left."""
    print(f"{what}: {len(events.born)} born, {len(events.dead)} dead, {events.carried} of them carried packets, "
          f"{number(load, LOAD, 'tunnels')} left, {counter(load, LOAD, 'rx', 'packets')} packets received, "
          f"{counter(load, LOAD, 'rx', 'noroute')} for no tunnel", *events.wrong[:5], sep="\n  ")
    return len(events.born) == len(events.dead) == count and not events.wrong and not number(load, LOAD, "tunnels") and \
        events.carried >= share * count and counter(load, LOAD, "rx", "packets") > count / 2


def tunnels(gw, cloud, count, window, seed):
    dice, pairs = random.Random(int(seed)), Pairs(gw, cloud)
    count, window = int(count), int(window)
    told = Events(gw), Events(cloud)
    while pairs.made < count:
        nth = pairs.made % (2 * window)
        # a number that comes around again has to be free
        if nth in pairs.live:
            pairs.delete(nth, dice)
        pairs.make(nth, dice.choice((0, 1, 2, 2)))
        if len(pairs.live) > window:
            pairs.delete(dice.choice(list(pairs.live)), dice)
        if pairs.live and dice.random() < 0.2:
            pairs.change(dice.choice(list(pairs.live)), dice)
        if not pairs.made % 100:
            told[0].take()
            told[1].take()
    while pairs.live:
        pairs.delete(dice.choice(list(pairs.live)), dice)
    for events in told:
        events.take()
    loads = pairs.gw.load(pairs.gw_dev), pairs.cloud.load(pairs.cloud_dev)
    # a packet may be in the cipher when its tunnel goes, or on its way to the cloud
    right = [judge("gateway", 0.8, count, told[0], loads[0]), judge("cloud", 0.3, count, told[1], loads[1])]
    return all(right)


def make_pairs(gw, cloud, count):
    pairs = Pairs(gw, cloud)
    for nth in range(int(count)):
        pairs.make(nth, nth % 3)
    return True


def flood(namespace, src, dst, count):
    sock, count = raw_socket(namespace), int(count)
    src, dst = (struct.unpack("!I", socket.inet_aton(text))[0] for text in (src, dst))
    for sent in itertools.count(1):
        send(sock, src, dst, sent % count)
        if not sent % BURST:
            time.sleep(0.001)


def dump(namespace):
    family, dev = Family(namespace), Links(namespace).index("shunt0")
    while True:
        seen = [number(attrs, TUNNEL, "generation") for attrs in family.tunnels(dev)]
        if len(set(seen)) != len(seen):
            sys.exit("a dump had a tunnel twice")
        time.sleep(0.001)


def links(namespace):
    """The module may be on its way out, or be loaded for this."""
    rtnl, nth = Links(namespace), 0
    while True:
        nth += 1
        try:
            rtnl.new("come0", struct.pack("=HHHH", 6, 1, socket.htons(5000 + nth % 1000), 0))
            rtnl.set_up("come0")
            rtnl.delete("come0")
        except Refused as said:
            if said.code not in ("EOPNOTSUPP", "ENODEV", "EEXIST"):
                raise


def main(verb, *words):
    work = {"pairs": make_pairs, "tunnels": tunnels, "flood": flood, "dump": dump, "links": links}[verb]
    sys.exit(0 if work(*words) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
