/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * proc: what a daemon tells its service manager, and how it gives up its rights.
 */
#ifndef SHUNT_LIB_PROC_H
#define SHUNT_LIB_PROC_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* Bits for proc_drop(). */
#define PROC_CAP_NET_ADMIN (UINT64_C(1) << 12)
#define PROC_CAP_NET_BIND_SERVICE (UINT64_C(1) << 10)

/* sd_notify(3) without libsystemd: send @state ("READY=1", "STOPPING=1", "STATUS=...") to the
 * datagram socket named by $NOTIFY_SOCKET (path or @abstract).
 * Returns 1 when sent, 0 when nobody asked for it, -errno.
 */
int proc_notify(const char *state);

/* Become @user (a name, or "uid:gid" in digits) with its supplementary groups, keep only the
 * capabilities in @keep (PROC_CAP_*; 0: none) and set no_new_privs, for ever. NULL or "" keeps
 * user and capabilities and only sets no_new_privs. When @user is the current one already nothing
 * needs privileges. Returns 0 or -errno with the step that failed in @e; on failure the process
 * may be in between and should exit.
 */
int proc_drop(const char *user, uint64_t keep, struct err *e);

/* Of the capabilities that this process has keep only those in @keep, for itself and for what it executes.
 * 0, -EPERM: it does not have all of them; -errno.
 */
int proc_keep_caps(uint64_t keep);

/* Allow this process as many open files as it may allow itself: the usual limit of 1024 is there for
 * programs that use select(2). Returns how many that is.
 */
uint64_t proc_open_files(void);

/* The path of the program @name in the directory of the one that is running. 0, -errno. */
int proc_beside(const char *name, char *out, size_t size);

#endif
