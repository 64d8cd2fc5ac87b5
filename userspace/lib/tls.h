/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tls: TLS 1.3 (RFC 8446) with certificates on both sides. Owner of OpenSSL's TLS.
 *
 * Every party has a certificate of the deployment's CA with exactly one SAN URI shunt:ROLE:NAME
 * (e.g. shunt:gateway:gw1); that is its identity, host names are never looked at. The peer's
 * identity and role are verified inside the handshake, so that a refused peer learns it by an alert
 * before it has sent anything.
 */
#ifndef SHUNT_LIB_TLS_H
#define SHUNT_LIB_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/types.h"

struct err;
struct tls_ctx;
struct tls_conn;

/* ---- context: one party's credentials, reference counted ---- */

struct tls_files {
	const char *ca; /* PEM, one or more CA certificates */
	const char *cert; /* PEM, own certificate, then any intermediate ones */
	const char *key; /* PEM private key, not readable by others */
	uint32_t roles; /* ROLE_BIT()s the own certificate may have; 0: any */
};

/* Load credentials. Fails with one precise message in @e (which file, what is wrong): missing,
 * not PEM, key readable by others, key of another certificate, expired or not yet valid, not
 * issued by the CA, no or foreign SAN URI, role not in @files->roles. The caller has a reference. For
 * a reload make a new context and drop the old one: connections hold references of their own, and so
 * do listeners, dials, keepers and clients (lib/peer.h). Returns 0, -errno of the file, -SHUNT_ESECRETFILE,
 * -SHUNT_ETLS, -SHUNT_EPEER (identity or role).
 */
int tls_ctx_new(struct tls_ctx **out, const struct tls_files *files, struct err *e);
/* One more reference; returns @ctx, which may be NULL. Contexts belong to one thread. */
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
/* Drop a reference; the last one frees. NULL is allowed. */
void tls_ctx_free(struct tls_ctx *ctx);
/* Own identity; lives as long as @ctx. */
const struct party *tls_ctx_self(const struct tls_ctx *ctx);

/* ---- servers of others, whose TLS is another library's ---- */

/*
 * What a certificate has to say beyond that it comes from the CA: if it has a SAN URI shunt:ROLE:NAME, as all parties' have, it must be
 * @only's, as any party could pass for the server otherwise.
 */
struct tls_foreign {
	struct party only;
	bool refused; /* a certificate was another party's */
};

/* Add that to the verification by @ssl_ctx, an SSL_CTX of OpenSSL's as libcurl hands it out, which @foreign outlives. */
void tls_foreign_verify(void *ssl_ctx, struct tls_foreign *foreign);

/* ---- ALPN ---- */

#define TLS_ALPN_H2 1u /* "h2": who dials is the HTTP client */
#define TLS_ALPN_RH2 2u /* "shunt-rh2": who dials becomes the HTTP server */

/* ---- connection ---- */

struct tls_expect {
	unsigned int alpn; /* offered (client: in order h2, shunt-rh2) or accepted (server) */
	uint32_t roles_h2; /* ROLE_BIT()s a peer may have on an h2 connection */
	uint32_t roles_rh2; /* same on a shunt-rh2 connection */
	const char *name; /* the peer's name must be this; NULL: any name */
};

/* Start TLS on connected non-blocking socket @fd (not owned, must outlive the connection).
 * @expect is copied; the connection takes a reference to @ctx.
 */
int tls_connect(struct tls_ctx *ctx, int fd, const struct tls_expect *expect,
		struct tls_conn **out);
int tls_accept(struct tls_ctx *ctx, int fd, const struct tls_expect *expect, struct tls_conn **out);
/* Frees without sending anything; wipes the session's secrets. NULL is allowed. */
void tls_free(struct tls_conn *conn);

/* What a call that could not finish waits for. */
enum tls_status {
	TLS_OK, /* done */
	TLS_WANT_READ, /* call again when the socket is readable */
	TLS_WANT_WRITE, /* call again when it is writable */
	TLS_EOF, /* the peer closed (close_notify seen) */
	TLS_FAIL, /* tls_error() and tls_reason() say why; only tls_free() is left */
};

enum tls_status tls_handshake(struct tls_conn *conn);
/* Read at most @len octets (> 0) into @buf; *@got is set on TLS_OK. */
enum tls_status tls_read(struct tls_conn *conn, void *buf, size_t len, size_t *got);
/* Write; *@put may be less than @len. After WANT_* call again with the same octets (the address may
 * differ, the length may grow).
 */
enum tls_status tls_write(struct tls_conn *conn, const void *buf, size_t len, size_t *put);
/* Octets already received that no poll of the socket will announce? */
bool tls_pending(const struct tls_conn *conn);
/* Send close_notify (best effort, does not wait for the peer's). */
enum tls_status tls_shutdown(struct tls_conn *conn);

/* Why it failed: -errno or a private error (-SHUNT_EPROTO: what answers speaks no TLS 1.3), and a sentence for a log line such as "peer's
 * certificate has expired", "certificate of an unknown CA", "role device is not accepted here",
 * "peer refused our certificate (certificate expired)", "connection reset". Lives with @conn.
 */
int tls_error(const struct tls_conn *conn);
const char *tls_reason(const struct tls_conn *conn);

/* After the handshake: who the peer is, and the protocol agreed on (one TLS_ALPN_* bit). */
const struct party *tls_peer(const struct tls_conn *conn);
unsigned int tls_alpn(const struct tls_conn *conn);

/* Exported keying material (RFC 8446 7.5, RFC 5705): both ends get the same @len octets for the same
 * @label and @context, independent ones for any other. The caller wipes @out.
 * Returns 0, -EINVAL before the end of the handshake, -EIO.
 */
int tls_export(struct tls_conn *conn, const char *label, const void *context, size_t context_len,
	       void *out, size_t len);

#endif
