# SPDX-License-Identifier: GPL-2.0-or-later
"""Netlink, octet by octet: messages, attributes, sockets; and links of type shunt through rtnetlink."""
import errno
import socket
import struct

import netns

ROUTE, GENERIC = 0, 16
ADD_MEMBERSHIP, EXT_ACK, CAP_ACK, SOL_NETLINK = 1, 11, 10, 270
REQUEST, ACK, DUMP, ACK_TLVS, NESTED = 1, 4, 0x300, 0x200, 0x8000
CREATE, EXCL = 0x400, 0x200
ERROR, DONE = 2, 3
NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
IFNAME, MTU, LINKINFO = 3, 4, 18
INFO_KIND, INFO_DATA = 1, 2
PORT, FWMARK, DSCP = 1, 2, 3
RECEIVE = 8192  # what is read at a time, and so how much of a dump comes at once
PATIENCE = 30  # s


def pad(data):
    return data + bytes(-len(data) % 4)


def attr(kind, value):
    return pad(struct.pack("=HH", 4 + len(value), kind) + value)


def parse(data):
    """The attributes of a message, by number; of equal ones the last."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def error_name(code):
    """Of a negative code. Python calls this one otherwise."""
    return "EOPNOTSUPP" if -code == errno.EOPNOTSUPP else errno.errorcode.get(-code, str(code))


class Refused(Exception):
    """The kernel said no."""

    def __init__(self, code, text="", where=""):
        super().__init__(f"{code}: {text} ({where})")
        self.code, self.text, self.where = code, text, where


class Netlink:
    """A socket, and the answers to what was sent last."""

    def __init__(self, protocol, namespace=""):
        self.sock = netns.make_socket(namespace, socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.sock.bind((0, 0))
        self.sock.settimeout(PATIENCE)
        for option in EXT_ACK, CAP_ACK:
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.seq = 0
        self.sent = b""

    def message(self, kind, body, flags):
        """The next request, not sent yet."""
        self.seq += 1
        self.sent = struct.pack("=IHHII", 16 + len(body), kind, REQUEST | flags, self.seq, 0) + body
        return self.sent

    def where(self, _tlvs):
        """The name of the attribute that an answer is about; "" for none."""
        return ""

    def refuse(self, code, tlvs):
        """-code in an answer, with what else it says."""
        text = tlvs.get(1, b"").rstrip(b"\0").decode()
        raise Refused(error_name(code), text, self.where(tlvs))

    def receive(self):
        """The bodies of one part of an answer, and whether it was the last."""
        data = self.sock.recv(RECEIVE)
        bodies = []
        while len(data) >= 16:
            length, kind, flags, seq = struct.unpack_from("=IHHI", data)
            body, data = data[16:length], data[(length + 3) & ~3:]
            if seq != self.seq:
                continue
            if kind in (ERROR, DONE):
                code = struct.unpack_from("=i", body)[0]
                if code < 0:
                    self.refuse(code, parse(body[20 if kind == ERROR else 4:]) if flags & ACK_TLVS else {})
                return bodies, True
            bodies.append(body)
        return bodies, False

    def answer(self):
        """All bodies of an answer."""
        bodies, last = [], False
        while not last:
            part, last = self.receive()
            bodies += part
        return bodies

    def drain(self):
        """Forget what has come and nobody waited for."""
        patience = self.sock.gettimeout()
        self.sock.settimeout(0)
        while True:
            try:
                self.sock.recv(65536)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
        self.sock.settimeout(patience)


def link(name, flags=0, change=0):
    """A struct ifinfomsg, and the name of who it is about."""
    return struct.pack("=BxHiII", 0, 0, 0, flags, change) + attr(IFNAME, name.encode() + b"\0")


class Links(Netlink):
    """rtnetlink, for links of type shunt."""

    def __init__(self, namespace=""):
        super().__init__(ROUTE, namespace)

    def ask(self, kind, body, flags=0):
        self.sock.send(self.message(kind, body, ACK | flags))
        return self.answer()

    def new(self, name, data=b"", flags=CREATE | EXCL):
        """A link, or without flags a change of one; data are IFLA_SHUNT_* attributes."""
        info = attr(INFO_KIND, b"shunt\0") + attr(NESTED | INFO_DATA, data)
        self.ask(NEWLINK, link(name) + attr(NESTED | LINKINFO, info), flags)

    def change(self, name, attrs):
        self.ask(SETLINK, link(name) + attrs)

    def set_up(self, name, is_up=True):
        self.ask(SETLINK, link(name, is_up, 1))

    def delete(self, name):
        self.ask(DELLINK, link(name))

    def get(self, name):
        """All about it, a struct ifinfomsg and attributes."""
        return self.ask(GETLINK, link(name))[0]

    def index(self, name):
        """Its number, 0 for none."""
        try:
            return struct.unpack_from("=i", self.get(name), 4)[0]
        except Refused as said:
            if said.code != "ENODEV":
                raise
            return 0
