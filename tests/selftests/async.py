#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ciphers that finish later: a template of the kernel's around the one in use becomes the preferred one.

async prefer TEMPLATE           TEMPLATE(DRIVER) is what new tunnels with AES-GCM get; prints it, or why it cannot be
async used DRIVER               whether a tunnel has it
async restore DRIVER            it is no more
async flood GW CLOUD TEMPLATE   more packets at once than a cipher's queue holds, without letting the cipher work meanwhile: what
                                the queue does not take is dropped and counted, the rest arrives
async end GW CLOUD TEMPLATE WHAT  the same, and before the cipher gets to work, the tunnel, the device, the namespace of the
                                gateway or the module is deleted: WHAT is tunnel, down, device, netns or module

cryptd works on the processor that it is asked on, where it can be made to wait; pcrypt on others, so that its queue may never
be full, nor have anything in it when it is looked at.
"""
import ctypes
import os
import socket
import struct
import sys
import time

import churn
from family import DROPS, LOAD, TUNNEL, TUNNEL_DEL, counter, number
from nl import ACK, Links, Netlink, Refused, attr

CRYPTO = 21
NEWALG, DELALG = 0x10, 0x11
TYPE_AEAD, TYPE_MASK = 3, 15
NAME = "rfc4106(gcm(aes))"
SYS_DELETE_MODULE = 176
PACKETS = 4000
QUEUE = 2100  # a cipher's queues hold 1000 requests each, one for every processor that takes part
PRIORITY = 50  # of a real-time process, which workers wait for
AES = 1
PATIENCE = 60  # s


def algorithms():
    """What /proc/crypto lists, one dictionary each."""
    with open("/proc/crypto", encoding="ascii") as text:
        for block in text.read().split("\n\n"):
            pairs = (line.split(":", 1) for line in block.splitlines() if ":" in line)
            yield {key.strip(): value.strip() for key, value in pairs}


def best():
    """The driver that is used for NAME."""
    found = [alg for alg in algorithms() if alg.get("name") == NAME and alg.get("internal") == "no"]
    return max(found, key=lambda alg: int(alg["priority"]))["driver"]


def crypto(kind, driver, priority=None):
    body = struct.pack("=64s64s64sIIII", NAME.encode(), driver.encode(), b"", TYPE_AEAD, TYPE_MASK, 0, 0)
    if priority:
        body += attr(1, struct.pack("=I", priority))
    netlink = Netlink(CRYPTO)
    netlink.sock.send(netlink.message(kind, body, ACK))
    netlink.answer()


def prefer(template):
    driver = f"{template}({best()})"
    try:
        crypto(NEWALG, driver, 9999)
    except (OSError, Refused) as error:
        print(f"no {driver}: {error}")
        return False
    print(driver)
    return best() == driver


def used(driver):
    """Each tunnel has two."""
    counts = [int(alg["refcnt"]) for alg in algorithms() if alg.get("driver") == driver]
    print(f"{driver}: {counts}")
    return bool(counts) and counts[0] > 2


def restore(driver):
    until = time.monotonic() + PATIENCE
    while True:
        try:
            crypto(DELALG, driver)
            return best() != driver
        except Refused as said:
            # tunnels are freed a little after they are deleted
            if said.code != "EBUSY" or time.monotonic() > until:
                raise
        time.sleep(0.05)


class Flood:
    """A tunnel, and packets for it that are all there before its cipher gets the processor."""

    def __init__(self, gw, cloud):
        self.gw = gw
        self.pairs = churn.Pairs(gw, cloud)
        self.pairs.make(0, AES)
        self.wait("the tunnel carries packets", lambda: self.count("tx", "packets") > 0)
        self.before = {name: self.count("tx", name) for name in ("packets", "nomem", "stale", "noroute")}
        self.pairs.from_gw.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)  # SO_SNDBUFFORCE
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self.sent = 0

    def wait(self, what, condition):
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until:
                load = self.pairs.gw.load(self.pairs.gw_dev)
                sys.exit(f"in vain: {what}: {self.sent} sent, " + ", ".join(
                    f"{counter(load, LOAD, 'tx', name)} {name}" for name in ("packets", *DROPS)))
            time.sleep(0.01)

    def count(self, direction, name):
        return counter(self.pairs.gw.load(self.pairs.gw_dev), LOAD, direction, name)

    def new(self, name):
        return self.count("tx", name) - self.before[name]

    def pour(self):
        data, to = churn.packet(churn.NEAR, churn.FAR), (socket.inet_ntoa(churn.ip(churn.FAR)), 0)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        for _ in range(PACKETS):
            self.pairs.from_gw.sendto(data, to)
        self.sent = PACKETS

    def relax(self):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def under_way(self):
        """How many are in the cipher, at most: a dummy that is refused counts, too."""
        return self.sent - sum(self.new(name) for name in self.before)


def flood(gw, cloud, template):
    """All packets are accounted for."""
    test = Flood(gw, cloud)
    test.pour()
    peak = test.under_way()
    test.relax()
    test.wait("all packets are done", lambda: test.under_way() <= 0)
    test.wait("they arrive", lambda: counter(test.pairs.cloud.load(test.pairs.cloud_dev), LOAD, "rx", "packets") >=
              test.new("packets") / 2)
    print(f"{test.sent} sent, {peak} at once in the cipher, {test.new('packets')} carried, {test.new('nomem')} refused")
    test.pairs.gw.tunnel(TUNNEL_DEL, ifindex=test.pairs.gw_dev, spi_in=churn.SPI_NEAR)
    test.pairs.forget([0])
    waits = template == "pcrypt" or (peak > 0 and test.new("nomem") > 0)
    return waits and peak <= QUEUE and test.new("packets") and not test.new("stale")


def delete_module():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(SYS_DELETE_MODULE, b"shunt", 0):
        raise OSError(ctypes.get_errno(), "module not removed")


def delete_netns(test):
    name = test.gw
    test.pairs.gw.sock.close()
    test.pairs.from_gw.close()
    if ctypes.CDLL(None, use_errno=True).umount2(f"/run/netns/{name}".encode(), 2):
        raise OSError(ctypes.get_errno(), "namespace not deleted")
    os.unlink(f"/run/netns/{name}")


def end(gw, cloud, template, what):
    test, links = Flood(gw, cloud), Links(gw)
    test.pour()
    peak = test.under_way()
    if what == "tunnel":
        answer = test.pairs.gw.tunnel(TUNNEL_DEL, ifindex=test.pairs.gw_dev, spi_in=churn.SPI_NEAR)
        test.relax()
        test.wait("all packets are done", lambda: test.under_way() <= 0)
        print(f"{test.new('stale')} of {peak} were dropped, {counter(answer, TUNNEL, 'tx', 'packets')} had left before")
        if number(answer, TUNNEL, "reason") != 1 or (template != "pcrypt" and test.new("stale") < peak):
            return False
    elif what == "down":
        links.set_up("shunt0", False)
        test.relax()
        test.wait("all packets are done", lambda: test.under_way() <= 0)
    elif what == "device":
        links.delete("shunt0")
    elif what == "netns":
        links.sock.close()
        delete_netns(test)
    else:
        delete_module()
    test.relax()
    print(f"{peak} were in the cipher")
    return peak > 0 or template == "pcrypt"


def main(verb, *words):
    work = {"prefer": prefer, "used": used, "restore": restore, "flood": flood, "end": end}[verb]
    sys.exit(0 if work(*words) else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
