// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cert.h"
#include "lib/err.h"

#define READ_BUFFER 65536 /* several records by one read(2); released while idle */
#define CHAIN_DEPTH 4

struct tls_ctx {
	SSL_CTX *ssl_ctx;
	struct party self;
	unsigned int refs;
};

struct tls_conn {
	struct tls_ctx *ctx; /* its reference */
	SSL *ssl;
	struct tls_expect expect;
	char expect_name[NAME_LEN];
	struct party peer;
	bool server;
	bool ready; /* handshake done */
	int error;
	char reason[256];
};

static const char alpn_h2[] = "\x02h2";
static const char alpn_rh2[] = "\x09shunt-rh2";

/* ---- context ---- */

/* Would a peer that trusts our CA accept our certificate? Better to learn it at the start. */
static int check_own(SSL_CTX *ssl_ctx, X509 *cert, const struct tls_files *files, struct err *e)
{
	X509_STORE_CTX *store_ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = NULL;
	int rc = 0, why;

	if (!store_ctx)
		return err_sys(e, -ENOMEM, "%s", files->cert);
	SSL_CTX_get0_chain_certs(ssl_ctx, &chain);
	if (X509_STORE_CTX_init(store_ctx, SSL_CTX_get_cert_store(ssl_ctx), cert, chain) != 1) {
		rc = err_sys(e, -ENOMEM, "%s", files->cert);
	} else if (X509_verify_cert(store_ctx) != 1) {
		why = X509_STORE_CTX_get_error(store_ctx);
		rc = err_set(e, -SHUNT_ETLS, "%s: %s (checked against %s)", files->cert,
			     cert_verify_str(why), files->ca);
	}
	X509_STORE_CTX_free(store_ctx);
	ERR_clear_error();
	return rc;
}

static int load_ca(SSL_CTX *ssl_ctx, const struct tls_files *files, struct err *e)
{
	X509 *ca = NULL;
	char why[128];
	/* For its better messages: missing, unreadable, not PEM. */
	int rc = cert_load(files->ca, &ca, e);

	if (rc < 0)
		return rc;
	X509_free(ca);
	if (SSL_CTX_load_verify_file(ssl_ctx, files->ca) != 1)
		return err_set(e, -SHUNT_ETLS, "%s: %s", files->ca,
			       cert_openssl_str(why, sizeof(why)));
	return 0;
}

static int load_cert(SSL_CTX *ssl_ctx, const struct tls_files *files, struct party *self,
		     struct err *e)
{
	X509 *cert = NULL;
	char why[128];
	int rc = cert_load(files->cert, &cert, e);

	if (rc < 0)
		return rc;
	if (SSL_CTX_use_certificate_chain_file(ssl_ctx, files->cert) != 1) {
		rc = err_set(e, -SHUNT_ETLS, "%s: %s", files->cert,
			     cert_openssl_str(why, sizeof(why)));
		goto out;
	}
	rc = check_own(ssl_ctx, cert, files, e);
	if (rc < 0)
		goto out;
	rc = cert_identity(cert, self, e);
	if (rc < 0) {
		err_prefix(e, "%s", files->cert);
		goto out;
	}
	if (files->roles && !(files->roles & ROLE_BIT(self->role)))
		rc = err_set(e, -SHUNT_EPEER,
			     "%s: is for role %s, which this program does not have", files->cert,
			     role_str(self->role));
out:
	X509_free(cert);
	return rc;
}

static int load_key(SSL_CTX *ssl_ctx, const struct tls_files *files, struct err *e)
{
	EVP_PKEY *key = NULL;
	char why[128];
	int rc = cert_load_key(files->key, &key, e);

	if (rc < 0)
		return rc;
	ERR_clear_error();
	if (SSL_CTX_use_PrivateKey(ssl_ctx, key) != 1) {
		unsigned long code = ERR_peek_last_error();

		if (ERR_GET_LIB(code) == ERR_LIB_X509 &&
		    (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
		     ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH))
			rc = err_set(e, -SHUNT_ETLS, "%s: is not the key of %s", files->key,
				     files->cert);
		else
			rc = err_set(e, -SHUNT_ETLS, "%s: %s", files->key,
				     cert_openssl_str(why, sizeof(why)));
	}
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned int in_len, void *arg);

static void set_options(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_3_VERSION);
	/* A resumed session would skip the certificates, and with them expiry and roles. */
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl_ctx, 0);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl_ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ssl_ctx, READ_BUFFER);
	SSL_CTX_set_verify_depth(ssl_ctx, CHAIN_DEPTH);
	SSL_CTX_set_alpn_select_cb(ssl_ctx, select_alpn, NULL);
}

int tls_ctx_new(struct tls_ctx **out, const struct tls_files *files, struct err *e)
{
	struct tls_ctx *ctx;
	int rc;

	if (!files->ca || !files->cert || !files->key)
		return err_set(e, -EINVAL, "TLS needs a CA file, a certificate and a key");
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return err_sys(e, -ENOMEM, "TLS context");
	ctx->refs = 1;
	ctx->ssl_ctx = SSL_CTX_new(TLS_method());
	if (!ctx->ssl_ctx) {
		ERR_clear_error();
		rc = err_sys(e, -ENOMEM, "TLS context");
		goto fail;
	}
	set_options(ctx->ssl_ctx);
	rc = load_ca(ctx->ssl_ctx, files, e);
	if (rc == 0)
		rc = load_cert(ctx->ssl_ctx, files, &ctx->self, e);
	if (rc == 0)
		rc = load_key(ctx->ssl_ctx, files, e);
	if (rc < 0)
		goto fail;
	*out = ctx;
	return 0;
fail:
	tls_ctx_free(ctx);
	return rc;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
	if (ctx)
		ctx->refs++;
	return ctx;
}

void tls_ctx_free(struct tls_ctx *ctx)
{
	if (!ctx || --ctx->refs)
		return;
	SSL_CTX_free(ctx->ssl_ctx);
	free(ctx);
}

const struct party *tls_ctx_self(const struct tls_ctx *ctx)
{
	return &ctx->self;
}

/* ---- errors ---- */

/* The first reason is the cause; what follows are its consequences. */
static int fail(struct tls_conn *conn, int error, const char *text)
{
	if (!conn->error) {
		conn->error = error;
		err_escape(conn->reason, sizeof(conn->reason), text, strlen(text));
	}
	return conn->error;
}

/* Alerts of the peer (RFC 8446 6.2) that mean something to whoever runs this. */
static const char *alert_str(int alert)
{
	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE:
		return "peer does not accept our role or name";
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_UNKNOWN:
		return "peer refused our certificate";
	case SSL_AD_CERTIFICATE_REVOKED:
		return "peer refused our certificate (revoked)";
	case SSL_AD_CERTIFICATE_EXPIRED:
		return "peer refused our certificate (expired or not yet valid)";
	case SSL_AD_UNKNOWN_CA:
		return "peer refused our certificate (it does not know our CA)";
	case SSL_AD_DECRYPT_ERROR:
		return "peer refused our certificate (signature)";
	case SSL_AD_ACCESS_DENIED:
		return "peer denied access";
	case SSL_AD_CERTIFICATE_REQUIRED:
		return "peer requires a certificate";
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return "peer does not offer this protocol (ALPN)";
	case SSL_AD_PROTOCOL_VERSION:
		return "peer does not speak TLS 1.3";
	default:
		return NULL;
	}
}

static void fail_ssl(struct tls_conn *conn)
{
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_REASON(code);
	const char *text = NULL;
	char buf[160], alert[200];

	if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
		switch (reason) {
		case SSL_R_UNEXPECTED_EOF_WHILE_READING:
			ERR_clear_error();
			fail(conn, -SHUNT_ECLOSED,
			     conn->ready ? "connection closed without notice" :
					   "peer closed the connection during the TLS handshake");
			return;
		case SSL_R_UNSUPPORTED_PROTOCOL:
		case SSL_R_WRONG_VERSION_NUMBER:
		case SSL_R_HTTP_REQUEST:
		case SSL_R_HTTPS_PROXY_REQUEST:
			ERR_clear_error();
			fail(conn, -SHUNT_EPROTO, "peer does not speak TLS 1.3");
			return;
		case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
			text = "peer presented no certificate";
			break;
		case SSL_R_NO_APPLICATION_PROTOCOL:
			text = "peer offers no protocol of ours (ALPN)";
			break;
		default:
			break;
		}
		if (!text && reason >= SSL_AD_REASON_OFFSET &&
		    reason < SSL_AD_REASON_OFFSET + 256) {
			text = alert_str(reason - SSL_AD_REASON_OFFSET);
			if (!text) {
				snprintf(alert, sizeof(alert), "peer sent alert '%s'",
					 SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
				text = alert;
			}
		}
	}
	if (!text)
		text = cert_openssl_str(buf, sizeof(buf));
	ERR_clear_error();
	fail(conn, -SHUNT_ETLS, text);
}

/* The verdict on the return value @ret (<= 0) of an SSL_*() call. */
static enum tls_status verdict(struct tls_conn *conn, int ret, int sys_errno)
{
	switch (SSL_get_error(conn->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_EOF;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (!sys_errno)
			sys_errno = ECONNRESET;
		fail(conn, -sys_errno, shunt_strerror(-sys_errno));
		return TLS_FAIL;
	default:
		fail_ssl(conn);
		return TLS_FAIL;
	}
}

/* ---- verification inside the handshake ---- */

static unsigned int alpn_of(const SSL *ssl)
{
	const unsigned char *name = NULL;
	unsigned int len = 0;

	SSL_get0_alpn_selected(ssl, &name, &len);
	if (len == sizeof(alpn_h2) - 2 && !memcmp(name, alpn_h2 + 1, len))
		return TLS_ALPN_H2;
	if (len == sizeof(alpn_rh2) - 2 && !memcmp(name, alpn_rh2 + 1, len))
		return TLS_ALPN_RH2;
	return 0;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned int in_len, void *arg)
{
	struct tls_conn *conn = SSL_get_app_data(ssl);
	unsigned char ours[sizeof(alpn_h2) + sizeof(alpn_rh2)];
	unsigned int len = 0;
	unsigned char *picked = NULL;

	(void)arg;
	if (conn->expect.alpn & TLS_ALPN_RH2) {
		memcpy(ours + len, alpn_rh2, sizeof(alpn_rh2) - 1);
		len += sizeof(alpn_rh2) - 1;
	}
	if (conn->expect.alpn & TLS_ALPN_H2) {
		memcpy(ours + len, alpn_h2, sizeof(alpn_h2) - 1);
		len += sizeof(alpn_h2) - 1;
	}
	if (SSL_select_next_proto(&picked, out_len, ours, len, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	/* @picked points into @ours, which does not outlive this call. */
	*out = (const unsigned char *)(*out_len == sizeof(alpn_h2) - 2 ? alpn_h2 : alpn_rh2) + 1;
	return SSL_TLSEXT_ERR_OK;
}

static bool peer_accepted(struct tls_conn *conn, const X509 *cert)
{
	const struct tls_expect *expect = &conn->expect;
	unsigned int alpn = alpn_of(conn->ssl);
	uint32_t roles = alpn == TLS_ALPN_RH2 ? expect->roles_rh2 : expect->roles_h2;
	struct err e = { 0 };
	char text[256];

	if (!(alpn & expect->alpn)) {
		fail(conn, -SHUNT_EPROTO, "peer offers no protocol of ours (ALPN)");
		return false;
	}
	if (cert_identity(cert, &conn->peer, &e) < 0) {
		snprintf(text, sizeof(text), "peer's %s", err_text(&e));
		fail(conn, -SHUNT_EPEER, text);
		return false;
	}
	if (!(roles & ROLE_BIT(conn->peer.role))) {
		snprintf(text, sizeof(text), "peer is %s '%s', a role that is not accepted here",
			 role_str(conn->peer.role), conn->peer.name);
		fail(conn, -SHUNT_EPEER, text);
		return false;
	}
	if (expect->name && strcmp(expect->name, conn->peer.name)) {
		snprintf(text, sizeof(text), "peer is %s '%s', expected '%s'",
			 role_str(conn->peer.role), conn->peer.name, expect->name);
		fail(conn, -SHUNT_EPEER, text);
		return false;
	}
	return true;
}

static int on_verify(int ok, X509_STORE_CTX *store_ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_conn *conn = SSL_get_app_data(ssl);
	char text[160];

	if (!ok) {
		snprintf(text, sizeof(text), "peer's %s",
			 cert_verify_str(X509_STORE_CTX_get_error(store_ctx)));
		fail(conn, -SHUNT_ETLS, text);
		return 0;
	}
	if (X509_STORE_CTX_get_error_depth(store_ctx) > 0)
		return 1;
	if (!peer_accepted(conn, X509_STORE_CTX_get_current_cert(store_ctx))) {
		/* Becomes alert handshake_failure; alert_str() at the other end knows. */
		X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	return 1;
}

/* ---- servers of others ---- */

static int on_foreign(X509_STORE_CTX *store_ctx, void *arg)
{
	struct tls_foreign *foreign = arg;
	int ret = X509_verify_cert(store_ctx);

	if (ret <= 0) {
		/* A wrong signature's own entry would be taken for the reason, before the verdict's. */
		ERR_clear_error();
		return ret;
	}
	foreign->refused = !cert_may_be(X509_STORE_CTX_get0_cert(store_ctx), &foreign->only);
	if (!foreign->refused)
		return 1;
	X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

void tls_foreign_verify(void *ssl_ctx, struct tls_foreign *foreign)
{
	SSL_CTX_set_cert_verify_callback(ssl_ctx, on_foreign, foreign);
}

/* ---- connection ---- */

static int offer_alpn(struct tls_conn *conn)
{
	unsigned char ours[sizeof(alpn_h2) + sizeof(alpn_rh2)];
	unsigned int len = 0;

	if (conn->expect.alpn & TLS_ALPN_H2) {
		memcpy(ours + len, alpn_h2, sizeof(alpn_h2) - 1);
		len += sizeof(alpn_h2) - 1;
	}
	if (conn->expect.alpn & TLS_ALPN_RH2) {
		memcpy(ours + len, alpn_rh2, sizeof(alpn_rh2) - 1);
		len += sizeof(alpn_rh2) - 1;
	}
	/* Alone among its relatives this returns 0 on success. */
	return SSL_set_alpn_protos(conn->ssl, ours, len) ? -ENOMEM : 0;
}

static int conn_new(struct tls_ctx *ctx, int fd, const struct tls_expect *expect, bool server,
		    struct tls_conn **out)
{
	struct tls_conn *conn;
	int rc = -ENOMEM;

	if (!expect->alpn || (expect->name && strlen(expect->name) >= NAME_LEN))
		return -EINVAL;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return -ENOMEM;
	conn->ctx = tls_ctx_ref(ctx);
	conn->server = server;
	conn->expect = *expect;
	if (expect->name) {
		strcpy(conn->expect_name, expect->name);
		conn->expect.name = conn->expect_name;
	}
	conn->ssl = SSL_new(ctx->ssl_ctx);
	if (!conn->ssl || SSL_set_fd(conn->ssl, fd) != 1)
		goto fail;
	SSL_set_app_data(conn->ssl, conn);
	SSL_set_verify(conn->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
	if (server) {
		SSL_set_accept_state(conn->ssl);
	} else {
		SSL_set_connect_state(conn->ssl);
		rc = offer_alpn(conn);
		if (rc < 0)
			goto fail;
	}
	*out = conn;
	return 0;
fail:
	ERR_clear_error();
	tls_free(conn);
	return rc;
}

int tls_connect(struct tls_ctx *ctx, int fd, const struct tls_expect *expect, struct tls_conn **out)
{
	return conn_new(ctx, fd, expect, false, out);
}

int tls_accept(struct tls_ctx *ctx, int fd, const struct tls_expect *expect, struct tls_conn **out)
{
	return conn_new(ctx, fd, expect, true, out);
}

void tls_free(struct tls_conn *conn)
{
	if (!conn)
		return;
	SSL_free(conn->ssl);
	tls_ctx_free(conn->ctx);
	free(conn);
}

enum tls_status tls_handshake(struct tls_conn *conn)
{
	int ret;

	if (conn->ready)
		return TLS_OK;
	if (conn->error)
		return TLS_FAIL;
	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(conn->ssl);
	if (ret != 1)
		return verdict(conn, ret, errno);
	/* on_verify() judged the peer's certificate; without one we would not be here. */
	if (!(alpn_of(conn->ssl) & conn->expect.alpn)) {
		fail(conn, -SHUNT_EPROTO, "peer offers no protocol of ours (ALPN)");
		return TLS_FAIL;
	}
	conn->ready = true;
	return TLS_OK;
}

enum tls_status tls_read(struct tls_conn *conn, void *buf, size_t len, size_t *got)
{
	int ret;

	if (conn->error)
		return TLS_FAIL;
	ERR_clear_error();
	errno = 0;
	ret = SSL_read_ex(conn->ssl, buf, len, got);
	return ret == 1 ? TLS_OK : verdict(conn, ret, errno);
}

enum tls_status tls_write(struct tls_conn *conn, const void *buf, size_t len, size_t *put)
{
	int ret;

	if (conn->error)
		return TLS_FAIL;
	ERR_clear_error();
	errno = 0;
	ret = SSL_write_ex(conn->ssl, buf, len, put);
	return ret == 1 ? TLS_OK : verdict(conn, ret, errno);
}

bool tls_pending(const struct tls_conn *conn)
{
	return !conn->error && SSL_has_pending(conn->ssl);
}

enum tls_status tls_shutdown(struct tls_conn *conn)
{
	int ret;

	if (conn->error || !conn->ready)
		return TLS_FAIL;
	ERR_clear_error();
	errno = 0;
	ret = SSL_shutdown(conn->ssl);
	return ret >= 0 ? TLS_OK : verdict(conn, ret, errno);
}

int tls_error(const struct tls_conn *conn)
{
	return conn->error;
}

const char *tls_reason(const struct tls_conn *conn)
{
	return conn->reason;
}

const struct party *tls_peer(const struct tls_conn *conn)
{
	return conn->ready ? &conn->peer : NULL;
}

unsigned int tls_alpn(const struct tls_conn *conn)
{
	return conn->ready ? alpn_of(conn->ssl) : 0;
}

int tls_export(struct tls_conn *conn, const char *label, const void *context, size_t context_len,
	       void *out, size_t len)
{
	if (!conn->ready || conn->error)
		return -EINVAL;
	if (SSL_export_keying_material(conn->ssl, out, len, label, strlen(label), context,
				       context_len, 1) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}
