#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""udp_sweep SERVER-NS CLIENT-NS ADDRESS PORT FIRST LAST full|long|short: payload sizes from client to server and back.

All of them, or in short those at both ends and some between: 61 is prime, so that these differ in every alignment.

One process holds both ends: what is measured is the tunnel between the two namespaces, not the scheduler.
"""
import os
import socket
import sys

import netns

TRIES = 5
TIMEOUT = 10.0


def receive(sock, size):
    """The datagram of that size and who sent it; answers to earlier sizes that came late are passed over."""
    while True:
        data, peer = sock.recvfrom(65536)
        if len(data) == size:
            return data, peer


def exchange(client, server, data):
    for _ in range(TRIES):
        client.send(data)
        try:
            echo, peer = receive(server, len(data))
            if echo != data:
                return echo
            server.sendto(echo, peer)
            return receive(client, len(data))[0]
        except socket.timeout:
            pass
    return None


def sizes_of(first, last, extent):
    if extent != "short":
        return range(first, last + 1)
    return sorted({*range(first, first + 70), *range(first + 70, last - 40, 61), *range(last - 40, last + 1)})


def sweep(server_ns, client_ns, address, port, sizes):
    server = netns.make_socket(server_ns, netns.family(address), socket.SOCK_DGRAM)
    server.settimeout(TIMEOUT)
    server.bind((address, port))
    client = netns.make_socket(client_ns, netns.family(address), socket.SOCK_DGRAM)
    client.settimeout(TIMEOUT)
    client.connect((address, port))
    for size in sizes:
        data = os.urandom(size)
        answer = exchange(client, server, data)
        if answer is None:
            sys.exit(f"{size} octets: no answer")
        if answer != data:
            sys.exit(f"{size} octets: changed on the way")
    print(f"{sizes[0]} to {sizes[-1]} octets: {len(sizes)} sizes")


sweep(*sys.argv[1:4], int(sys.argv[4]), sizes_of(int(sys.argv[5]), int(sys.argv[6]), sys.argv[7]))
