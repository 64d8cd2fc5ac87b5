/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir: directories of the daemons.
 */
#ifndef SHUNT_LIB_DIR_H
#define SHUNT_LIB_DIR_H

struct err;

/*
 * Make @path with mode 0700, and those of its parents that are missing with 0755. What exists is
 * left as it is. 0 or -errno with the directory's name in @e.
 */
int dir_make(const char *path, struct err *e);

#endif
