#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""encap_hold PORT [6]: hold a UDP port, of IPv6 with 6, for the kernel's own ESP in UDP (RFC 3948) until killed.

It prints "ready" when it does.
"""
import signal
import socket
import sys

UDP_ENCAP = 100
UDP_ENCAP_ESPINUDP = 2

sock = socket.socket(socket.AF_INET6 if sys.argv[2:] else socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", int(sys.argv[1])))
sock.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
print("ready", flush=True)
signal.pause()
