/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order: what shunt-ipp is to print and how: its arguments, and the environment that every print command gets from the
 * agent (device/executor.c), by the names of ippeveprinter(1). Pure, but for getenv(3).
 */
#ifndef SHUNT_IPP_ORDER_H
#define SHUNT_IPP_ORDER_H

#include "lib/err.h"

/* Strings are borrowed; "" and 0: the printer's choice. */
struct order {
	const char *uri; /* of the printer */
	const char *file;
	const char *name; /* of the job */
	const char *format; /* media type; application/octet-stream: the printer is to find out */
	const char *media; /* IPP keyword or a common name */
	const char *sides, *color; /* IPP keywords */
	int copies;
};

/* PROG URI FILE NAME. 0, -SHUNT_EPARSE with @e. */
int order_parse(int argc, char *const argv[], struct order *out, struct err *e);

#endif
