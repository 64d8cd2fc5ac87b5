# SPDX-License-Identifier: GPL-2.0-or-later
"""Capsules sealed octet by octet with the keys of a tunnel, for what no other end would send: the kernel's own cipher, asked
through AF_ALG, and RFC 4303 by hand.
"""
import os
import socket
import struct

import netns

AES_GCM = "rfc4106(gcm(aes))"
ICV = 16
HEAD = 16  # SPI, sequence number, IV
PORT = 4500
IPIP, IPV6 = 4, 41


def trailer(inner, next_header):
    """RFC 4303 section 2.4: 1, 2, 3, ..., then how many, and what is inside."""
    pad = -(len(inner) + 2) % 4
    return bytes(range(1, pad + 1)) + bytes([pad, next_header])


class Sealer:
    """One direction of a tunnel with AES-GCM; key is the file of its key and salt."""

    def __init__(self, spi, key):
        self.spi = spi
        alg = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
        alg.bind(("aead", AES_GCM))
        with open(key, "rb") as octets:
            alg.setsockopt(socket.SOL_ALG, socket.ALG_SET_KEY, octets.read())
        alg.setsockopt(socket.SOL_ALG, socket.ALG_SET_AEAD_AUTHSIZE, None, ICV)
        self.op = alg.accept()[0]

    def seal(self, seq, plain):
        """A capsule of what the cipher shall find inside, with the trailer."""
        iv = struct.pack("!Q", seq)
        data = struct.pack("!II", self.spi, seq) + iv + plain
        self.op.sendmsg_afalg([data], op=socket.ALG_OP_ENCRYPT, iv=iv, assoclen=HEAD)
        return self.op.recv(len(data) + ICV)

    def capsule(self, seq, inner, next_header):
        return self.seal(seq, inner + trailer(inner, next_header))


class Line:
    """A datagram socket of a namespace that sends capsules to an address."""

    def __init__(self, namespace, address):
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.sock = netns.make_socket(namespace, socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect((address, PORT))
        netns.back(here)
        # in their order, which two processors would not keep
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    def send(self, capsule):
        try:
            self.sock.send(capsule)
        except ConnectionRefusedError:  # of one before
            self.sock.send(capsule)
