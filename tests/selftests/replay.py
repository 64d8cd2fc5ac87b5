#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The replay window against a model.

replay GW CLOUD SPI KEY NEAR FAR SEED COUNT     COUNT authentic capsules from CLOUD for the tunnel of GW with that inbound SPI and
                                                the key in a file, their sequence numbers drawn from SEED; of each it is
                                                compared whether it is delivered, and counted as a replay where it is not

The model is a set of all numbers accepted, as RFC 4303 section 3.4.3 puts it, and knows nothing of words and rings.
"""
import os
import random
import socket
import struct
import sys
import time

import inner
import netns
from family import TUNNEL, TUNNEL_GET, Family, counter
from nl import Links
from sealed import IPIP, Line, Sealer

WINDOW = 2048
LAST = 2 ** 32 - 1
WORD = 64
BURST = 25
PATIENCE = 30  # s
ETH_P_IP = 0x0800


class Model:
    """What a window is to accept."""

    def __init__(self):
        self.seen, self.top = set(), 0

    def accepts(self, seq):
        if not seq or seq in self.seen or seq <= self.top - WINDOW:
            return False
        self.seen.add(seq)
        self.top = max(self.top, seq)
        return True


def draw(dice, model):
    """A number worth trying: new ones, old ones, and those next to every edge that there is."""
    top, near = model.top, dice.randrange(-2, 3)
    seq = dice.choice((
        lambda: top + 1, lambda: top + 1, lambda: top + 1 + dice.randrange(8),
        lambda: top - dice.randrange(WINDOW + 100),
        lambda: top - WINDOW + near,
        lambda: top - top % WORD + WORD * dice.randrange(-34, 35) + near,
        lambda: top + WINDOW + near,
        lambda: top + WINDOW + WORD + near,
        lambda: top + dice.randrange(3 * WINDOW),
        lambda: dice.choice(sorted(model.seen)[-40:] or [1]),
        lambda: near,
    ))()
    return min(max(seq, 0), LAST)


def numbers(dice, count, model):
    """The sequence numbers, and whether each is to be accepted. The last fifth is near the end of all numbers."""
    for nth in range(count):
        if nth == count * 4 // 5:
            seq = LAST - 3 * WINDOW
        elif nth == count - count // 20:
            seq = LAST
        else:
            seq = draw(dice, model)
        yield seq, model.accepts(seq)


class Gateway:
    """What comes out of the tunnel, and what is counted."""

    def __init__(self, namespace, spi):
        self.family, links = Family(namespace), Links(namespace)
        self.name = {"ifindex": links.index("shunt0"), "spi_in": spi}
        self.tap = netns.make_socket(namespace, socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.tap.bind(("shunt0", ETH_P_IP))
        self.tap.setblocking(False)
        self.before = self.counts()

    def counts(self):
        tunnel = self.family.tunnel(TUNNEL_GET, **self.name)
        return [counter(tunnel, TUNNEL, "rx", name) for name in ("packets", "replay", "auth", "malformed", "scope", "stale")]

    def since(self):
        return [now - then for now, then in zip(self.counts(), self.before)]

    def wait(self, count):
        """Until so many are delivered or dropped."""
        until = time.monotonic() + PATIENCE
        while sum(self.since()) < count:
            if time.monotonic() > until:
                sys.exit(f"{count} sent, {self.since()} arrived")
            time.sleep(0.001)

    def delivered(self):
        """The payloads of what came out."""
        out = []
        while True:
            try:
                out.append(struct.unpack("!I", self.tap.recv(2048)[-4:])[0])
            except BlockingIOError:
                return out


def main(gw, cloud, spi, key, near, far, seed, count):
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    gateway = Gateway(gw, int(spi))
    netns.back(here)
    model, sealer, line = Model(), Sealer(int(spi), key), Line(cloud, "198.51.100.1")
    expected, sent = [], 0
    for seq, accepted in numbers(random.Random(int(seed)), int(count), model):
        packet = inner.ip4(inner.UDP, struct.pack("!HHHHI", 9, 9, 12, 0, sent), src=far, dst=near)
        line.send(sealer.capsule(seq, packet, IPIP))
        if accepted:
            expected.append(sent)
        sent += 1
        if not sent % BURST or sent == int(count):
            gateway.wait(sent)
            out = gateway.delivered()
            if out != expected:
                sys.exit(f"seed {seed}, up to capsule {sent}, number {seq}: {out} delivered, not {expected}")
            expected = []
    counts = gateway.since()
    print(f"seed {seed}: {sent} sent, {counts[0]} delivered, {counts[1]} replays, up to {model.top:#x}")
    right = counts == [len(model.seen), sent - len(model.seen), 0, 0, 0, 0] and model.top == LAST
    sys.exit(0 if right and min(counts[:2]) > sent / 5 else 1)


main(*sys.argv[1:])
