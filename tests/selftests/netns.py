# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces by name, as iproute2 keeps them."""
import ctypes
import os
import socket

CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def enter(name):
    """From now on this process is in that namespace; "" is the one it is in."""
    if not name:
        return
    with open(f"/run/netns/{name}", "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"namespace {name}")


def back(fd):
    """Return to the namespace that fd, an open /proc/self/ns/net, stands for."""
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "return to the namespace before")
    os.close(fd)


def make_socket(name, *args):
    """A socket that belongs to that namespace, whatever this process is in later."""
    enter(name)
    return socket.socket(*args)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET
