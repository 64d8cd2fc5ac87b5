/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox: a process gives up all of the file system that it does not need, for good (Landlock; landlock(7)).
 *
 * What is open already stays open. Commands inherit it, and what they need nobody here knows, so an agent that
 * runs commands leaves this to whoever starts it (shunt-device.service).
 */
#ifndef SHUNT_LIB_SANDBOX_H
#define SHUNT_LIB_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

struct sandbox_path {
	const char *
		path; /* a directory, with all below it, or a file; NULL: none; one that cannot be reached is passed over */
	bool write; /* else for reading only; never for executing */
};

/* 1: nothing else can be opened from now on; 0: this kernel has no Landlock; -errno with @e. */
int sandbox_enter(const struct sandbox_path *paths, size_t n, struct err *e);

#endif
