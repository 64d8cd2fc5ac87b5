#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""udp_error NS ADDRESS PORT ERROR SECONDS: a datagram from NS to there is answered with an ICMP message that the sender's
kernel takes for its own and reports as ERROR, e.g. ECONNREFUSED.
"""
import errno
import socket
import sys
import time

import netns


def error_of(sock, seconds):
    until = time.monotonic() + seconds
    sock.settimeout(0.2)
    while time.monotonic() < until:
        try:
            sock.send(b"hello")
            sock.recv(1)
        except socket.timeout:
            pass
        except OSError as error:
            return errno.errorcode[error.errno]
    return "no answer"


def main(name, address, port, expected, seconds):
    sock = netns.make_socket(name, netns.family(address), socket.SOCK_DGRAM)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR: also what is not a port's refusal
    else:
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    sock.connect((address, int(port)))
    seen = error_of(sock, float(seconds))
    if seen != expected:
        sys.exit(f"{seen}, expected {expected}")


main(*sys.argv[1:])
