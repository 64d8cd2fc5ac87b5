/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch: many commands in one start of the program, as `ip -batch` has them.
 *
 * One command a line, without the program's name. Words are separated by blanks; 'single' and
 * "double" quotes keep a word together, # where a word could begin makes the rest a comment, a
 * backslash at its end continues a line.
 */
#ifndef SHUNT_CLI_BATCH_H
#define SHUNT_CLI_BATCH_H

#include <stdbool.h>

#include "cli/cli.h"

#define BATCH_WORDS_MAX 256 /* of one command */

/*
 * Run the commands of the file @path, "-" for standard input, each with @command and a copy of @c
 * of its own. The file is read to its end before the first one runs. One that fails is reported with
 * the number of its line and is the last, unless @force. Returns the exit status of the first that
 * failed, CLI_OK when none did.
 */
int batch_run(struct cli *c, const char *path, bool force,
	      int (*command)(struct cli *c, struct args *a));

#endif
