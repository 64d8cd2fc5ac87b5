#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ynl_session YNL-DIRECTORY SPEC SCHEMA GROUP: the kernel's YNL library, as its cli.py uses it, for many operations.

Reads one operation a line: do|dump OPERATION JSON, or "events -"; answers each with one line of JSON: the reply, the
notifications of GROUP so far, or {"error": text}. Loading the specification and validating it takes seconds on an
emulated processor; here it is done once.
"""
import json
import sys

sys.path.insert(0, sys.argv[1])
from lib import YnlFamily, NlError  # noqa: E402 pylint: disable=import-error,wrong-import-position


class Encoder(json.JSONEncoder):
    """As cli.py has it: octets are hexadecimal."""

    def default(self, o):
        if isinstance(o, bytes):
            return o.hex()
        if isinstance(o, set):
            return sorted(o)
        return super().default(o)


def drain(family):
    """What has come, whatever this version of the library keeps it in."""
    family.check_ntf()
    queue = family.async_msg_queue
    if hasattr(queue, "get_nowait"):
        return [queue.get_nowait() for _ in range(queue.qsize())]
    return queue


def answer(family, mode, operation, attributes):
    try:
        if mode == "events":
            return drain(family)
        return getattr(family, mode)(operation, json.loads(attributes))
    except NlError as error:
        return {"error": str(error)}


def main():
    family = YnlFamily(sys.argv[2], sys.argv[3])
    family.ntf_subscribe(sys.argv[4])
    for line in sys.stdin:
        print(json.dumps(answer(family, *line.split(" ", 2)), cls=Encoder), flush=True)


main()
