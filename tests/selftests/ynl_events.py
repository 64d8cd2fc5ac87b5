#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ynl_events YNL-DIR SPEC GROUP COUNT: the kernel's own library for netlink specifications listens to a multicast group; prints
"ready", then the next COUNT notifications as it understands them, one JSON object a line.

cli.py --subscribe does the same for some seconds, not until something has come, and 6.12's stumbles when it is told something
before the answer to a request of its own.
"""
import json
import select
import sys

PATIENCE = 600  # s, as between two of them the test may ask an emulated processor for much


def main(directory, spec, group, count):
    sys.path.append(directory)
    from lib import YnlFamily  # pylint: disable=import-outside-toplevel,import-error

    ynl = YnlFamily(spec, "")
    ynl.ntf_subscribe(group)
    print("ready", flush=True)
    while len(ynl.async_msg_queue) < int(count):
        if not select.select([ynl.sock], [], [], PATIENCE)[0]:
            sys.exit(f"{len(ynl.async_msg_queue)} of {count} came")
        ynl.check_ntf()
    for event in ynl.async_msg_queue:
        print(json.dumps(event, default=lambda value: value.hex() if isinstance(value, bytes) else sorted(value)))


main(*sys.argv[1:])
