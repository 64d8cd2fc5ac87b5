#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tcp_copy SERVER-NS CLIENT-NS ADDRESS PORT OCTETS SECONDS: as many octets each way at once, then the end of both
streams; what arrives is what was sent.
"""
import os
import select
import socket
import sys
import time

import netns


class End:
    """One end of the connection: what it still has to send, and what it got."""

    def __init__(self, sock, size):
        sock.setblocking(False)
        self.sock = sock
        self.sent = os.urandom(size)
        self.left = memoryview(self.sent)
        self.got = bytearray()
        self.ended = False

    def wants(self):
        return (0 if self.ended else select.POLLIN) | (select.POLLOUT if self.left else 0)

    def read(self):
        data = self.sock.recv(65536)
        self.got += data
        self.ended = not data

    def write(self):
        self.left = self.left[self.sock.send(self.left):]
        if not self.left:
            self.sock.shutdown(socket.SHUT_WR)


def connect(server_ns, client_ns, address, port, seconds):
    listener = netns.make_socket(server_ns, netns.family(address), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.settimeout(seconds)
    listener.bind(("", port))
    listener.listen()
    client = netns.make_socket(client_ns, netns.family(address), socket.SOCK_STREAM)
    client.settimeout(seconds)
    client.connect((address, port))
    return listener.accept()[0], client


def pump(ends, seconds):
    poll = select.poll()
    deadline = time.monotonic() + seconds
    while not all(end.ended and not end.left for end in ends.values()):
        for fd, end in ends.items():
            poll.register(fd, end.wants())
        ready = poll.poll(max(0, deadline - time.monotonic()) * 1000)
        if not ready:
            sys.exit("after %d s: %s octets arrived" % (seconds, [len(end.got) for end in ends.values()]))
        for fd, what in ready:
            if what & select.POLLOUT and ends[fd].left:
                ends[fd].write()
            if what & (select.POLLIN | select.POLLHUP | select.POLLERR) and not ends[fd].ended:
                ends[fd].read()


def copy(server_ns, client_ns, address, port, size, seconds):
    server, client = (End(sock, size) for sock in connect(server_ns, client_ns, address, port, seconds))
    pump({end.sock.fileno(): end for end in (server, client)}, seconds)
    for name, end, other in ("client to server", client, server), ("server to client", server, client):
        if end.sent != other.got:
            sys.exit(f"{name}: {len(other.got)} of {size} octets, or changed on the way")


copy(sys.argv[1], sys.argv[2], sys.argv[3], *(int(word) for word in sys.argv[4:]))
