#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""resident: a Python that stays for the whole test and answers questions, one a line.

Starting jq, python3 or `ip netns exec` takes half a second on an emulated processor, and a test asks hundreds of
questions. lib_shunt.sh starts one resident and talks to it with ask(). Words of a question are parted by octet 31;
an answer is a status, a space and a text in which newlines are escaped.

    is EXPR COMMAND...      run COMMAND, read the JSON it prints: is the Python expression true of it?
    value EXPR COMMAND...   the same, the answer is its value
    events EXPR FILE        is EXPR true of the JSON lines of FILE?
    hex FILE                the octets of FILE
    py NS SCRIPT WORD...    run a script of this folder in a namespace; its output is the answer
    start NS OUT SCRIPT WORD...  the same without waiting, its output in OUT; the answer is its pid
    reap PID                wait for that one; the status is its own
    stop PID                end that one
    import DIR MODULE...    modules, found in DIR too, that a script to come would import each time
    tap NS DEV              from now on count the IP packets that come out of DEV, whatever becomes of them then
    tapped                  how many came since the last time

In an expression `it` is the whole document, and the fields of its only element are names: rx.drops.replay == 1.
"""
import importlib
import os
import signal
import socket
import struct
import sys
import json

import netns  # and with it what the scripts need, imported once

ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
SOL_PACKET = 263
PACKET_STATISTICS = 6

codes = {}
taps = []


class Record(dict):
    """An object of JSON: its members are attributes."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no {name} in {list(self)}") from None


def run(command):
    """What command prints; its errors are the answer."""
    reader, writer = os.pipe()
    errors = os.memfd_create("errors")
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, errors, 2)])
    os.close(writer)
    with open(reader, encoding="utf-8") as out:
        text = out.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.lseek(errors, 0, os.SEEK_SET)
    with open(errors, encoding="utf-8") as err:
        said = err.read()
    if status:
        raise ValueError(f"{' '.join(command)}: status {status}: {said}")
    return text


def evaluate(expr, document):
    names = {"it": document}
    if isinstance(document, list) and len(document) == 1 and isinstance(document[0], dict):
        names.update(document[0])
    elif isinstance(document, dict):
        names.update(document)
    return eval(expr, names)  # pylint: disable=eval-used


def judge(expr, document):
    if evaluate(expr, document):
        return 0, ""
    return 1, f"not true: {expr}\nof: {json.dumps(document)}"


def ask_is(expr, *command):
    return judge(expr, json.loads(run(command), object_hook=Record))


def ask_value(expr, *command):
    return 0, str(evaluate(expr, json.loads(run(command), object_hook=Record)))


def ask_events(expr, file):
    with open(file, encoding="utf-8") as lines:
        events = [json.loads(line, object_hook=Record) for line in lines if line.endswith("}\n")]
    return judge(expr, events)


def ask_hex(file):
    with open(file, "rb") as octets:
        return 0, octets.read().hex()


def child(namespace, out, script, words):
    """A copy of this process runs the script: nothing is started anew."""
    if script not in codes:
        with open(script, encoding="utf-8") as text:
            codes[script] = compile(text.read(), script, "exec")
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(out, 1)
        os.dup2(out, 2)
        netns.enter(namespace)
        sys.argv = [script, *words]
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
        exec(codes[script], {"__name__": "__main__"})  # pylint: disable=exec-used
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        else:
            status = end.code or 0
    except BaseException as error:  # pylint: disable=broad-except
        print(repr(error), file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ask_py(namespace, script, *words):
    out = os.memfd_create("out")
    pid = child(namespace, out, script, words)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.lseek(out, 0, os.SEEK_SET)
    with open(out, encoding="utf-8") as said:
        return abs(status), said.read()


def ask_start(namespace, file, script, *words):
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    pid = child(namespace, out, script, words)
    os.close(out)
    return 0, str(pid)


def ask_reap(pid):
    return abs(os.waitstatus_to_exitcode(os.waitpid(int(pid), 0)[1])), ""


def ask_stop(pid):
    os.kill(int(pid), signal.SIGTERM)
    os.waitpid(int(pid), 0)
    return 0, ""


def ask_import(directory, *modules):
    sys.path.append(directory)
    for module in modules:
        importlib.import_module(module)
    return 0, ""


def ask_tap(namespace, dev):
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    for protocol in ETH_P_IP, ETH_P_IPV6:
        sock = netns.make_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((dev, protocol))
        taps.append(sock)
    netns.back(here)
    return 0, ""


def ask_tapped():
    """The kernel has counted before the sender's call returns, and starts again at nothing."""
    count = 0
    for sock in taps:
        count += struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[0]
    return 0, str(count)


def main():
    for line in sys.stdin:
        verb, *words = line.rstrip("\n").split("\x1f")
        try:
            status, text = globals()["ask_" + verb](*words)
        except Exception as error:  # pylint: disable=broad-except
            status, text = 2, str(error)
        text = text.rstrip("\n").replace("\\", "\\\\").replace("\n", "\\n")
        print(status, text, flush=True)


main()
