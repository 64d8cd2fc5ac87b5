/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli: the command `shunt`: global options, the table of objects, errors and exit statuses.
 *
 * Grammar as in iproute2: shunt [OPTIONS] OBJECT { COMMAND | help }, objects and commands may be
 * shortened to any prefix; of several that fit, the first in the table wins.
 */
#ifndef SHUNT_CLI_CLI_H
#define SHUNT_CLI_CLI_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/out.h"
#include "lib/err.h"

/* Exit statuses, as ip has them. */
#define CLI_OK 0
#define CLI_USAGE 1 /* arguments or local files are wrong; nothing was tried */
#define CLI_REFUSED 2 /* the kernel or a remote refused, or could not be reached */

/* Words of the command line not yet looked at. */
struct args {
	char **v;
	int n;
};

/* The next word, NULL at the end; args_next() takes it. */
const char *args_peek(const struct args *a);
const char *args_next(struct args *a);

/* The device that was shown last, and its name; ifindex 0: none, ask anew. */
struct dev_name {
	uint32_t ifindex;
	char name[IF_NAMESIZE];
};

struct cli {
	FILE *output; /* standard output, where help goes */
	struct out *out; /* values; writes to output */
	FILE *errors; /* standard error */
	bool json, pretty, stats, details, brief;
	bool batch; /* one of many commands, see batch.h: the namespace is not its to choose */
	const char *batch_file; /* NULL: none */
	bool begun; /* the options before the command are all taken */
	bool force; /* go on after a command of it that failed */
	struct dev_name *dev;
	/* Where and as whom; NULL: from the configuration file. Not owned. */
	const char *config, *cloud, *manager, *ca, *cert, *key;
};

struct cli_command {
	const char *name; /* NULL ends a table */
	int (*run)(struct cli *c, struct args *a); /* returns an exit status */
};

/* Run the program; @argv[0] is its name. Returns the exit status. */
int cli_main(int argc, char **argv);

/*
 * Take one global option off @a: 1 when there was one, 0 when the next word is none, -1 after an
 * error was reported. Commands that talk to remotes accept them anywhere.
 */
int cli_option(struct cli *c, struct args *a);

/* How values are to be printed by the options so far: OUT_JSON, OUT_PRETTY. */
unsigned int cli_out_flags(const struct cli *c);

/*
 * Run the command of @table that the next word names (@fallback when there is none), or print
 * @usage for help. @object is the name for messages.
 */
int cli_dispatch(struct cli *c, struct args *a, const char *object, const struct cli_command *table,
		 int (*fallback)(struct cli *c, struct args *a), const char *usage);

/* Print "Error: ..." and return CLI_USAGE / CLI_REFUSED. */
int cli_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int cli_refused(struct cli *c, const struct err *e);
/* Report words that are left over; CLI_OK when there are none. */
int cli_end(struct cli *c, struct args *a);

/* The objects. */
int cmd_tunnel(struct cli *c, struct args *a);
int cmd_load(struct cli *c, struct args *a);
int cmd_threshold(struct cli *c, struct args *a);
int cmd_monitor(struct cli *c, struct args *a);
int cmd_link(struct cli *c, struct args *a);
int cmd_device(struct cli *c, struct args *a);
int cmd_gateway(struct cli *c, struct args *a);
int cmd_job(struct cli *c, struct args *a);
int cmd_log(struct cli *c, struct args *a);
int cmd_pki(struct cli *c, struct args *a);
int cmd_key(struct cli *c, struct args *a);
int cmd_decrypt(struct cli *c, struct args *a);

#endif
