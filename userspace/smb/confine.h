/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * confine: this process gives up what it does not need before it hears the first octet of a server that may be hostile.
 *
 * First what its start needs no more: rights, other users' processes, core dumps, children. Then, when libsmbclient is set up,
 * all files (Landlock) and all system calls but those that move octets over what is open (seccomp): none that opens, connects,
 * executes, signals or looks at another process. Of those that can be made to, sending (MSG_FASTOPEN connects) and the options of
 * a descriptor (F_SETOWN and O_ASYNC signal), only the harmless arguments that libsmbclient uses are left.
 */
#ifndef SHUNT_SMB_CONFINE_H
#define SHUNT_SMB_CONFINE_H

#include "lib/err.h"

#define CONFINE_MEMORY ((size_t)512 << 20) /* octets of address space */

/* Be nobody if root, without capabilities; dies with its parent. 0 or -errno with @e. */
int confine_begin(struct err *e);
/* Nothing can be opened or executed from now on. 0 or -errno with @e. */
int confine_end(struct err *e);

#endif
