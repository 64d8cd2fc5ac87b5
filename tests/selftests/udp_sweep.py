#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every payload size there and back.

udp_sweep serve ADDRESS PORT                echo until killed
udp_sweep sweep ADDRESS PORT FIRST LAST     send each size, expect it back unchanged
"""
import os
import socket
import sys

TRIES = 5
TIMEOUT = 10.0


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address, port):
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.bind((address, port))
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(data, peer)


def exchange(sock, data):
    """The answer to data; answers to earlier sizes that came late are passed over."""
    for _ in range(TRIES):
        sock.send(data)
        try:
            while True:
                answer = sock.recv(65536)
                if len(answer) == len(data):
                    return answer
        except socket.timeout:
            pass
    return None


def sweep(address, port, first, last):
    sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.settimeout(TIMEOUT)
    sock.connect((address, port))
    for size in range(first, last + 1):
        data = os.urandom(size)
        answer = exchange(sock, data)
        if answer is None:
            sys.exit(f"{size} octets: no answer")
        if answer != data:
            sys.exit(f"{size} octets: changed on the way")
    print(f"{first} to {last} octets: {last - first + 1} sizes")


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    sweep(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
