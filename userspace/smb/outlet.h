/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outlet: the one connection that this process has.
 *
 * libsmbclient makes its connections itself, to whatever address a server refers it. Here the cloud has made the one that there
 * is, from the tunnel's end to the device: outlet.c takes the place of the C library's socket(2) and connect(2) for everything
 * that is linked with it, and gives that one away once. So seccomp can forbid both calls (confine.h), and no answer of a
 * server's brings this process, or the password, anywhere else.
 */
#ifndef SHUNT_SMB_OUTLET_H
#define SHUNT_SMB_OUTLET_H

#include <stdbool.h>

/* @fd is connected; from now on the next socket is it, and any other is none (ENETUNREACH). */
void outlet_set(int fd);
/* The server has ended the connection, or it has failed. */
bool outlet_broken(void);

#endif
