// SPDX-License-Identifier: GPL-2.0-or-later

#include "netkit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#define ALL_ROLES ROLE_ANY

struct world {
	char *dir, *other; /* two deployments */
	struct tls_ctx *gw, *cloud, *stranger;
};

/* Both ends of a connection. */
struct pair {
	int fd[2];
	struct tls_conn *client, *server;
	enum tls_status client_status, server_status;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	signal(SIGPIPE, SIG_IGN); /* as loop_new() does */
	w->dir = kit_dir_new();
	w->other = kit_dir_new();
	kit_ca(w->dir);
	kit_ca(w->other);
	w->gw = kit_ctx(w->dir, ROLE_GATEWAY, "gw1");
	w->cloud = kit_ctx(w->dir, ROLE_CLOUD, "cloud1");
	w->stranger = kit_ctx(w->other, ROLE_GATEWAY, "gw1");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	tls_ctx_free(w->gw);
	tls_ctx_free(w->cloud);
	tls_ctx_free(w->stranger);
	kit_dir_free(w->dir);
	kit_dir_free(w->other);
	free(w);
	return 0;
}

static struct tls_expect anybody(unsigned int alpn)
{
	return (struct tls_expect){ .alpn = alpn, .roles_h2 = ALL_ROLES, .roles_rh2 = ALL_ROLES };
}

static bool waits(enum tls_status status)
{
	return status == TLS_WANT_READ || status == TLS_WANT_WRITE;
}

/* Drive both handshakes to their verdicts, and let the client hear the server's. */
static void shake(struct pair *p, struct tls_ctx *client, const struct tls_expect *client_expect,
		  struct tls_ctx *server, const struct tls_expect *server_expect)
{
	char byte;
	size_t n;
	int i;

	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd), 0);
	assert_int_equal(tls_connect(client, p->fd[0], client_expect, &p->client), 0);
	assert_int_equal(tls_accept(server, p->fd[1], server_expect, &p->server), 0);
	p->client_status = p->server_status = TLS_WANT_READ;
	for (i = 0; i < 20; i++) {
		if (waits(p->client_status))
			p->client_status = tls_handshake(p->client);
		if (waits(p->server_status))
			p->server_status = tls_handshake(p->server);
	}
	/* A TLS 1.3 client is done before the server has judged it; the alert comes by a read. */
	if (p->client_status == TLS_OK && p->server_status == TLS_FAIL)
		p->client_status = tls_read(p->client, &byte, 1, &n);
}

static void unshake(struct pair *p)
{
	tls_free(p->client);
	tls_free(p->server);
	close(p->fd[0]);
	close(p->fd[1]);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

static void both_know_each_other(void **state)
{
	struct world *w = *state;
	struct tls_expect client = anybody(TLS_ALPN_RH2);
	struct tls_expect server = anybody(TLS_ALPN_H2 | TLS_ALPN_RH2);
	char got[64];
	size_t n = 0;
	struct pair p;

	client.name = "cloud1";
	shake(&p, w->gw, &client, w->cloud, &server);
	assert_int_equal(p.client_status, TLS_OK);
	assert_int_equal(p.server_status, TLS_OK);
	assert_int_equal(tls_peer(p.client)->role, ROLE_CLOUD);
	assert_string_equal(tls_peer(p.client)->name, "cloud1");
	assert_int_equal(tls_peer(p.server)->role, ROLE_GATEWAY);
	assert_string_equal(tls_peer(p.server)->name, "gw1");
	assert_int_equal(tls_alpn(p.client), TLS_ALPN_RH2);
	assert_int_equal(tls_alpn(p.server), TLS_ALPN_RH2);
	assert_int_equal(tls_write(p.client, "hello", 5, &n), TLS_OK);
	assert_int_equal(tls_read(p.server, got, sizeof(got), &n), TLS_OK);
	assert_int_equal(n, 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(tls_read(p.server, got, sizeof(got), &n), TLS_WANT_READ);
	assert_int_equal(tls_shutdown(p.client), TLS_OK);
	assert_int_equal(tls_read(p.server, got, sizeof(got), &n), TLS_EOF);
	unshake(&p);
}

static void alpn_is_chosen(void **state)
{
	struct world *w = *state;
	struct tls_expect client = anybody(TLS_ALPN_H2);
	struct tls_expect server = anybody(TLS_ALPN_H2 | TLS_ALPN_RH2);
	struct pair p;

	shake(&p, w->gw, &client, w->cloud, &server);
	assert_int_equal(tls_alpn(p.client), TLS_ALPN_H2);
	assert_int_equal(tls_alpn(p.server), TLS_ALPN_H2);
	unshake(&p);
	server.alpn = TLS_ALPN_RH2;
	shake(&p, w->gw, &client, w->cloud, &server);
	assert_int_equal(p.server_status, TLS_FAIL);
	assert_has(tls_reason(p.server), "ALPN");
	assert_int_equal(p.client_status, TLS_FAIL);
	assert_has(tls_reason(p.client), "ALPN");
	unshake(&p);
}

static void unknown_ca_is_refused_both_ways(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_H2);
	struct pair p;

	/* the client finds the server's certificate foreign first */
	shake(&p, w->stranger, &any, w->cloud, &any);
	assert_int_equal(p.client_status, TLS_FAIL);
	assert_int_equal(tls_error(p.client), -SHUNT_ETLS);
	assert_has(tls_reason(p.client), "unknown CA");
	assert_int_equal(p.server_status, TLS_FAIL);
	assert_has(tls_reason(p.server), "peer refused our certificate");
	unshake(&p);
}

/* A client that trusts the server's CA but is not of it. */
static void foreign_client_is_refused(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_H2);
	char ca[PATH_MAX + 100], both[PATH_MAX + 100], line[256];
	struct tls_files files = { .ca = both };
	struct tls_ctx *ctx = NULL;
	struct err e = { 0 };
	char cert[PATH_MAX + 100], key[PATH_MAX + 100];
	FILE *out, *in;
	struct pair p;
	int i;

	snprintf(both, sizeof(both), "%s/both.crt", w->other);
	out = fopen(both, "w");
	assert_non_null(out);
	for (i = 0; i < 2; i++) {
		snprintf(ca, sizeof(ca), "%s/ca.crt", i ? w->dir : w->other);
		in = fopen(ca, "r");
		assert_non_null(in);
		while (fgets(line, sizeof(line), in))
			fputs(line, out);
		fclose(in);
	}
	fclose(out);
	snprintf(cert, sizeof(cert), "%s/gateway-gw1.crt", w->other);
	snprintf(key, sizeof(key), "%s/gateway-gw1.key", w->other);
	files.cert = cert;
	files.key = key;
	assert_int_equal(tls_ctx_new(&ctx, &files, &e), 0);
	shake(&p, ctx, &any, w->cloud, &any);
	assert_int_equal(p.server_status, TLS_FAIL);
	assert_has(tls_reason(p.server), "unknown CA");
	assert_int_equal(p.client_status, TLS_FAIL);
	assert_has(tls_reason(p.client), "peer refused our certificate");
	unshake(&p);
	tls_ctx_free(ctx);
}

static void wrong_role_and_name_are_refused(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_RH2);
	struct tls_expect strict = any;
	struct pair p;

	/* the role is allowed with h2, not with shunt-rh2 */
	strict.roles_rh2 = ROLE_BIT(ROLE_DEVICE);
	shake(&p, w->gw, &any, w->cloud, &strict);
	assert_int_equal(p.server_status, TLS_FAIL);
	assert_int_equal(tls_error(p.server), -SHUNT_EPEER);
	assert_has(tls_reason(p.server), "gateway 'gw1'");
	assert_int_equal(p.client_status, TLS_FAIL);
	assert_has(tls_reason(p.client), "does not accept our role");
	unshake(&p);
	strict = any;
	strict.name = "cloud2";
	shake(&p, w->gw, &strict, w->cloud, &any);
	assert_int_equal(p.client_status, TLS_FAIL);
	assert_int_equal(tls_error(p.client), -SHUNT_EPEER);
	assert_has(tls_reason(p.client), "expected 'cloud2'");
	unshake(&p);
}

static void expired_peer_is_refused(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_H2);
	struct tls_ctx *brief = NULL;
	struct err e = { 0 };
	char name[32];
	struct pair p;
	time_t end;
	int life;

	/* Valid when loaded, as an expired one would not load at all; a busy machine may need longer for that. */
	for (life = 1; !brief && life < 60; life *= 2) {
		snprintf(name, sizeof(name), "device-brief%d",
			 life); /* files that exist are left alone */
		kit_cert(w->dir, ROLE_DEVICE, name + strlen("device-"), life);
		end = time(NULL) + life;
		(void)kit_try_ctx(w->dir, w->dir, name, 0, &brief, &e);
	}
	assert_non_null(brief);
	e = (struct err){ 0 };
	while (time(NULL) <= end + 1)
		poll(NULL, 0, 50);
	shake(&p, brief, &any, w->cloud, &any);
	assert_int_equal(p.server_status, TLS_FAIL);
	assert_has(tls_reason(p.server), "expired");
	assert_int_equal(p.client_status, TLS_FAIL);
	assert_has(tls_reason(p.client), "expired");
	unshake(&p);
	tls_ctx_free(brief);
	assert_int_equal(kit_try_ctx(w->dir, w->dir, name, 0, &brief, &e), -SHUNT_ETLS);
	assert_has(e.text, name);
	assert_has(e.text, ".crt: certificate has expired");
}

static void exporter_agrees_and_separates(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_RH2);
	static const char label[] = "EXPORTER-shunt-tunnel-v1";
	uint8_t a[36], b[36], c[36], d[36];
	struct pair p, q;

	shake(&p, w->gw, &any, w->cloud, &any);
	shake(&q, w->gw, &any, w->cloud, &any);
	assert_int_equal(tls_export(p.client, label, "ctx1", 4, a, sizeof(a)), 0);
	assert_int_equal(tls_export(p.server, label, "ctx1", 4, b, sizeof(b)), 0);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(tls_export(p.server, label, "ctx2", 4, c, sizeof(c)), 0);
	assert_memory_not_equal(a, c, sizeof(a));
	assert_int_equal(tls_export(p.server, "EXPORTER-other", "ctx1", 4, d, sizeof(d)), 0);
	assert_memory_not_equal(a, d, sizeof(a));
	/* another connection of the same two */
	assert_int_equal(tls_export(q.server, label, "ctx1", 4, d, sizeof(d)), 0);
	assert_memory_not_equal(a, d, sizeof(a));
	unshake(&p);
	unshake(&q);
	/* not before the end of the handshake */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
	assert_int_equal(tls_connect(w->gw, p.fd[0], &any, &p.client), 0);
	assert_int_equal(tls_export(p.client, label, "", 0, a, sizeof(a)), -EINVAL);
	assert_null(tls_peer(p.client));
	tls_free(p.client);
	close(p.fd[0]);
	close(p.fd[1]);
}

static void no_tls_at_all(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_H2);
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct tls_conn *conn = NULL;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(tls_accept(w->cloud, fd[0], &any, &conn), 0);
	assert_int_equal(write(fd[1], http, sizeof(http) - 1), sizeof(http) - 1);
	assert_int_equal(tls_handshake(conn), TLS_FAIL);
	assert_has(tls_reason(conn), "does not speak TLS 1.3");
	assert_int_equal(tls_handshake(conn), TLS_FAIL);
	tls_free(conn);
	close(fd[0]);
	close(fd[1]);
	/* and one that just goes away */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(tls_accept(w->cloud, fd[0], &any, &conn), 0);
	close(fd[1]);
	assert_int_equal(tls_handshake(conn), TLS_FAIL);
	assert_int_equal(tls_error(conn), -SHUNT_ECLOSED);
	tls_free(conn);
	close(fd[0]);
}

static void broken_records_fail_cleanly(void **state)
{
	struct world *w = *state;
	struct tls_expect any = anybody(TLS_ALPN_H2);
	char buf[64];
	size_t n;
	struct pair p;

	shake(&p, w->gw, &any, w->cloud, &any);
	assert_int_equal(write(p.fd[0], "\x17\x03\x03\x00\x20 not what was encrypted here!!!!", 37),
			 37);
	assert_int_equal(tls_read(p.server, buf, sizeof(buf), &n), TLS_FAIL);
	assert_int_equal(tls_error(p.server), -SHUNT_ETLS);
	assert_int_equal(tls_write(p.server, "x", 1, &n), TLS_FAIL);
	assert_int_equal(tls_shutdown(p.server), TLS_FAIL);
	unshake(&p);
}

/* ---- contexts: every mistake has its sentence ---- */

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX + 100];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void context_mistakes(void **state)
{
	struct world *w = *state;
	struct tls_ctx *ctx = NULL;
	struct err e = { 0 };
	char a[PATH_MAX + 100], b[PATH_MAX + 100];

	assert_int_equal(kit_try_ctx(w->dir, w->dir, "none", 0, &ctx, &e), -ENOENT);
	assert_has(e.text, "none.crt");
	assert_int_equal(kit_try_ctx(w->dir, "/nonexistent", "gateway-gw1", 0, &ctx, &e), -ENOENT);
	assert_has(e.text, "ca.crt");
	/* of another CA */
	assert_int_equal(kit_try_ctx(w->dir, w->other, "gateway-gw1", 0, &ctx, &e), -SHUNT_ETLS);
	assert_has(e.text, "unknown CA");
	/* for another program */
	assert_int_equal(kit_try_ctx(w->dir, w->dir, "gateway-gw1", ROLE_BIT(ROLE_CLOUD), &ctx, &e),
			 -SHUNT_EPEER);
	assert_has(e.text, "is for role gateway");
	/* key of another certificate, of the same kind and of none */
	kit_cert(w->dir, ROLE_DEVICE, "d1", 3600);
	kit_cert(w->dir, ROLE_DEVICE, "d2", 3600);
	snprintf(a, sizeof(a), "%s/device-d1.key", w->dir);
	snprintf(b, sizeof(b), "%s/device-d2.key", w->dir);
	assert_int_equal(rename(a, b), 0);
	assert_int_equal(kit_try_ctx(w->dir, w->dir, "device-d2", 0, &ctx, &e), -SHUNT_ETLS);
	assert_has(e.text, "is not the key of");
	assert_int_equal(kit_try_ctx(w->dir, w->dir, "device-d1", 0, &ctx, &e), -ENOENT);
	write_file(w->dir, "device-d1.key", "not a key\n", 0600);
	assert_int_equal(kit_try_ctx(w->dir, w->dir, "device-d1", 0, &ctx, &e), -SHUNT_ETLS);
	assert_has(e.text, "no unencrypted private key");
	assert_int_equal(chmod(a, 0644), 0);
	assert_int_equal(kit_try_ctx(w->dir, w->dir, "device-d1", 0, &ctx, &e), -SHUNT_ESECRETFILE);
	assert_has(e.text, "device-d1.key");
	/* the CA's own certificate names no party */
	snprintf(a, sizeof(a), "%s/ca.key", w->dir);
	assert_int_equal(kit_try_ctx(w->dir, w->dir, "ca", 0, &ctx, &e), -SHUNT_EPEER);
	assert_has(e.text, "no SAN URI");
	assert_null(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_know_each_other),
		cmocka_unit_test(alpn_is_chosen),
		cmocka_unit_test(unknown_ca_is_refused_both_ways),
		cmocka_unit_test(foreign_client_is_refused),
		cmocka_unit_test(wrong_role_and_name_are_refused),
		cmocka_unit_test(expired_peer_is_refused),
		cmocka_unit_test(exporter_agrees_and_separates),
		cmocka_unit_test(no_tls_at_all),
		cmocka_unit_test(broken_records_fail_cleanly),
		cmocka_unit_test(context_mistakes),
	};

	return cmocka_run_group_tests_name("tls", tests, setup, teardown);
}
