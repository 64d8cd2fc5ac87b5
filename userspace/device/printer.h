/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printer: the URI of the printer that jobs are handed to by shunt-ipp (userspace/ipp/), as the configuration has it (RFC 3510).
 */
#ifndef SHUNT_DEVICE_PRINTER_H
#define SHUNT_DEVICE_PRINTER_H

#include "lib/err.h"

#define PRINTER_HELPER "shunt-ipp" /* the only part of the agent that has libcups; beside it */

/* ipp://HOST[:PORT]/PATH, without user, query or fragment. 0, or -SHUNT_ECONF with @e, which never repeats a password. */
int printer_uri_check(const char *uri, struct err *e);

#endif
