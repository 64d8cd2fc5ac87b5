#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""udp_sweep SERVER-NS CLIENT-NS ADDRESS PORT FIRST LAST: every payload size from client to server and back.

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


def sweep(server_ns, client_ns, address, port, first, last):
    server = netns.make_socket(server_ns, netns.family(address), socket.SOCK_DGRAM)
    server.settimeout(TIMEOUT)
    server.bind((address, port))
    client = netns.make_socket(client_ns, netns.family(address), socket.SOCK_DGRAM)
    client.settimeout(TIMEOUT)
    client.connect((address, port))
    for size in range(first, last + 1):
        data = os.urandom(size)
        answer = exchange(client, server, data)
        if answer is None:
            sys.exit(f"{size} octets: no answer")
        if answer != data:
            sys.exit(f"{size} octets: changed on the way")
    print(f"{first} to {last} octets: {last - first + 1} sizes")


sweep(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]))
