/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opts: the command line all daemons share:
 *
 *	PROG [-c FILE] [--check] [--print-config] [--foreground] [--help] [--version]
 *
 * The daemons never fork, so --foreground changes nothing; it is there for scripts that expect it.
 */
#ifndef SHUNT_LIB_OPTS_H
#define SHUNT_LIB_OPTS_H

#include <stdbool.h>

struct buf;

/* Exit statuses of the daemons. */
#define EXIT_STOPPED 0 /* SIGTERM, everything closed */
#define EXIT_RUNTIME 1
#define EXIT_CONFIG 2 /* command line or configuration */

struct opts_about {
	const char *name; /* "shuntd"; the default file is /etc/shunt/NAME.conf */
	const char *what; /* one line for --help, without a full stop */
};

struct opts {
	char config[4096]; /* file to read */
	bool check; /* read the configuration and credentials, say what is wrong, exit */
	bool print_config; /* print a commented file of defaults and exit */
};

enum opts_verdict {
	OPTS_RUN,
	OPTS_PRINT, /* --help, --version: print the text, exit with 0 */
	OPTS_WRONG, /* print the text to standard error, exit with EXIT_CONFIG */
};

/* Read the command line. @text is appended to for the last two verdicts. */
enum opts_verdict opts_parse(int argc, char *const argv[], const struct opts_about *about,
			     struct opts *out, struct buf *text);

#endif
