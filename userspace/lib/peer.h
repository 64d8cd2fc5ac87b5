/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer: getting from an address to an HTTP/2 session with a known party, in either direction.
 *
 * ALPN decides who serves: with h2 who dialled is the HTTP client; with shunt-rh2 it is the server, which
 * is how a party behind a firewall takes commands. Sessions handed out by this file
 * belong to it: users end them with h2_close() or h2_abort(), watch them with h2_on_close(), and must
 * not use them after that.
 */
#ifndef SHUNT_LIB_PEER_H
#define SHUNT_LIB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/h2.h"

struct err;
struct loop;
struct peer_client;
struct peer_dial;
struct peer_keep;
struct peer_listener;
struct tls_ctx;

#define PEER_HANDSHAKE_MS 10000
#define PEER_CONNECT_MS 10000
#define PEER_MAX_CONNS 1024

/* ---- listening ---- */

struct peer_listen_conf {
	const char *address; /* "192.0.2.1:8443", "[::]:8443"; port 0: any free one */
	struct tls_ctx *tls; /* a reference is taken */
	uint32_t roles; /* ROLE_BIT()s accepted with ALPN h2; 0: h2 is not offered */
	uint32_t reverse_roles; /* ROLE_BIT()s accepted with shunt-rh2; 0: not offered */
	const struct h2_router *routes; /* served on h2 connections; must outlive them */
	struct h2_conf h2;
	uint32_t max_conns; /* sessions; PEER_MAX_CONNS. While there are as many, others wait unaccepted.
			     * Handshakes count apart, because strangers make them: at most a quarter
			     * of this or 8; one more ends the one that has taken longest.
			     */
	uint32_t handshake_ms; /* PEER_HANDSHAKE_MS */
	bool freebind; /* the address may appear later */
	/* Take data that comes with a SYN (RFC 7413, without cookies), where the kernel is allowed to
	 * (net.ipv4.tcp_fastopen, bit 2). Connections that are not accepted yet and began so are few,
	 * as their addresses may be forged.
	 */
	bool fast_open;
	/* A party dialled in with shunt-rh2: @h2 is a client session to it. May be NULL when not
	 * offered.
	 */
	void (*on_reverse)(struct h2 *h2, void *arg);
	/* A session with ALPN h2 was accepted; may be NULL. */
	void (*on_session)(struct h2 *h2, void *arg);
	/* Every connection that did not become a session, for the log (log_limited(), a
	 * stranger can provoke it); may be NULL.
	 */
	void (*on_refused)(const char *remote, int err, const char *why, void *arg);
	void *arg;
};

#define PEER_HOST_LEN 64

/* @remote ("192.0.2.1:40312") without its port: what log_limited() is to count by, for who is refused
 * comes back from another port each time. Returns @out.
 */
char *peer_host(const char *remote, char out[PEER_HOST_LEN]);

/* Bind and listen; @conf is copied, strings included. -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EINVAL with
 * the message in @e.
 */
int peer_listen(struct loop *loop, const struct peer_listen_conf *conf, struct peer_listener **out,
		struct err *e);
/* Replace the credentials for connections to come (SIGHUP); takes a reference, drops the old one. */
void peer_listener_set_tls(struct peer_listener *l, struct tls_ctx *tls);
/* The bound port, host order. */
uint16_t peer_listener_port(const struct peer_listener *l);
unsigned int peer_listener_conns(const struct peer_listener *l);
/* Accept no more; sessions are closed gracefully. @done (may be NULL) once the last has ended, at once
 * when there is none.
 */
void peer_listener_close(struct peer_listener *l, void (*done)(void *arg), void *arg);
/* Ends everything now (sessions' close callbacks run from here). NULL is allowed. */
void peer_listener_free(struct peer_listener *l);

/* ---- dialling ---- */

struct peer_dial_conf {
	const char *address; /* "192.0.2.1:8443", "[2001:db8::1]:8443", "host:8443" */
	const char *source; /* local address to bind, without port; NULL: any */
	struct tls_ctx *tls; /* a reference is taken */
	bool reverse; /* shunt-rh2: serve @routes on the connection */
	uint32_t roles; /* ROLE_BIT()s the peer may have, at least one */
	const char *name; /* the peer's name must be this; NULL: any */
	const struct h2_router *routes; /* when reverse; must outlive the session */
	struct h2_conf h2;
	uint32_t connect_ms; /* TCP (all addresses of a name together); PEER_CONNECT_MS */
	uint32_t handshake_ms; /* TLS; PEER_HANDSHAKE_MS */
	/* Hand out the session when the peer is verified and not only when it has accepted us, too: a
	 * round trip earlier. Should it refuse us, the session ends with that.
	 */
	bool early;
	/* Send the first octets of TLS with the SYN: a round trip less, to a listener with @fast_open;
	 * any other takes them a round trip later. TCP's failures come as those of the handshake then,
	 * in the same words, after handshake_ms, and no other address is tried.
	 */
	bool fast_open;
};

/* Connect once. @done is called exactly once, never from within peer_dial(), with a session and err 0,
 * or NULL, a negative code (-ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT, -SHUNT_ETLS, -SHUNT_EPEER, ...)
 * and a sentence.
 * @conf is copied. *@out is valid until then.
 */
int peer_dial(struct loop *loop, const struct peer_dial_conf *conf,
	      void (*done)(struct h2 *h2, int err, const char *why, void *arg), void *arg,
	      struct peer_dial **out);
/* @done will not be called any more. NULL is allowed. */
void peer_dial_cancel(struct peer_dial *dial);

/* ---- a connection that is to exist all the time ---- */

struct peer_keep_conf {
	struct peer_dial_conf dial;
	uint32_t min_ms; /* first pause before dialling again: 500; doubles, with +-25 % jitter, */
	uint32_t max_ms; /* up to this: 30000. A session that lived for max_ms starts over */
	/* Up, and down again; each may be NULL. After on_down it dials again by itself. */
	void (*on_up)(struct h2 *h2, void *arg);
	void (*on_down)(struct h2 *h2, int err, const char *why, void *arg);
	/* A dial failed; the next one comes in @retry_ms. */
	void (*on_retry)(int err, const char *why, uint32_t retry_ms, void *arg);
	void *arg;
};

/* First dial in the loop's next pass. @conf is copied. */
int peer_keep(struct loop *loop, const struct peer_keep_conf *conf, struct peer_keep **out);
/* The session when up, else NULL. */
struct h2 *peer_keep_session(const struct peer_keep *keep);
/* Why it is not up (the last failure), for a status or an error message; "" when up or never failed. */
const char *peer_keep_why(const struct peer_keep *keep);
/* Do not wait for the pause: dial now (a request is waiting). */
void peer_keep_now(struct peer_keep *keep);
/* Replace the credentials for dials to come (SIGHUP); takes a reference, drops the old one. */
void peer_keep_set_tls(struct peer_keep *keep, struct tls_ctx *tls);
/* Stop gracefully: no more dials, none of the conf's callbacks. Requests in flight may end; @done (may be
 * NULL) once the session has ended, at once when there is none. Then, or before, peer_keep_free(), which
 * @done may call.
 */
void peer_keep_close(struct peer_keep *keep, void (*done)(void *arg), void *arg);
/* Stop; ends a session now (requests in flight end with -ECANCELED from here), on_down and the callback of
 * peer_keep_close() are not called. NULL is allowed.
 */
void peer_keep_free(struct peer_keep *keep);

/* ---- client of one address: dials when there is a request, keeps the connection a while ---- */

struct peer_client_conf {
	struct peer_dial_conf dial; /* not reverse */
	uint32_t idle_ms; /* close after this without requests: 30000 */
	uint32_t max_queue; /* requests waiting for the connection: 256 */
};

int peer_client_new(struct loop *loop, const struct peer_client_conf *conf,
		    struct peer_client **out);
/* As h2_fetch(), over a connection made when there is none. One whose connection is lost before anything
 * of it was sent is tried once more. request->source is not supported (-EINVAL): take
 * peer_client_session() for bodies of that kind. The timeout counts from here.
 */
int peer_client_fetch(struct peer_client *client, const struct h2_request *request,
		      void (*done)(const struct h2_reply *reply, void *arg), void *arg);
/* Call @ready once with a usable session, or NULL and why; never from within. */
int peer_client_session(struct peer_client *client,
			void (*ready)(struct h2 *h2, int err, const char *why, void *arg),
			void *arg);
/* Drops what is waiting or in flight (no callbacks) and ends the connection now. NULL is allowed. */
void peer_client_free(struct peer_client *client);

#endif
