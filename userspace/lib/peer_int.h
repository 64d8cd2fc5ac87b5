/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer_int: what peer.c (listening), peer_dial.c and peer_client.c share. Not for anyone else.
 */
#ifndef SHUNT_LIB_PEER_INT_H
#define SHUNT_LIB_PEER_INT_H

#include "lib/peer.h"

struct tls_conn;

/* Watch the end of the session that @dial made, for a keeper or a client; NULL: no more. Once the dial has
 * succeeded the object belongs to its session.
 */
void peer_dial_watch(struct peer_dial *dial,
		     void (*on_close)(struct h2 *h2, int err, const char *why, void *arg),
		     void *arg);

/* Options of every connection: no delay, close on exec, non-blocking. */
void peer_socket_options(int fd);
/* TCP_FASTOPEN or TCP_FASTOPEN_CONNECT, without cookies: every tunnel has addresses of its own, so that none were known. */
void peer_fast_open(int fd, int option, int value);

/* "192.0.2.1:8443" or "-". @size: ENDPOINT_STR_LEN. */
struct sockaddr;
char *peer_print_sockaddr(const struct sockaddr *sa, unsigned int len, char *out);

/* A deep copy of @from, with a reference to its credentials. Finish it with peer_dial_conf_fini(). */
int peer_dial_conf_copy(struct peer_dial_conf *to, const struct peer_dial_conf *from);
void peer_dial_conf_fini(struct peer_dial_conf *conf);

#endif
