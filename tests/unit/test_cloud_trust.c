// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose certificates https servers of devices may have: the deployment's CA has made those of every party. */
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/wait.h>

#include "netkit.h"

#include "cloud/http.h"

#define DEVICE "mfp-1"
#define ANSWER "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

struct world {
	struct loop *loop;
	struct http *http;
	char *dir;
	X509 *ca;
	EVP_PKEY *ca_key;
	bool done;
	int err;
	char why[256];
};

static FILE *open_in(const char *dir, const char *name)
{
	char path[PATH_MAX + 20];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	return f;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e = { 0 };
	char path[PATH_MAX + 20];
	FILE *f;

	assert_int_equal(loop_new(&w->loop), 0);
	w->dir = kit_dir_new();
	kit_ca(w->dir);
	f = open_in(w->dir, "ca.crt");
	w->ca = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	f = open_in(w->dir, "ca.key");
	w->ca_key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	assert_true(w->ca && w->ca_key);
	snprintf(path, sizeof(path), "%s/ca.crt", w->dir);
	assert_int_equal(http_new(w->loop, path, &w->http, &e), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	http_free(w->http);
	X509_free(w->ca);
	EVP_PKEY_free(w->ca_key);
	kit_dir_free(w->dir);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* A certificate of the CA whose names are @san (as openssl.cnf has them); NULL: it has none. */
static X509 *issue(const struct world *w, EVP_PKEY *key, const char *san)
{
	X509 *cert = X509_new();
	X509_EXTENSION *ext;

	assert_non_null(cert);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"server", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(w->ca));
	if (san) {
		ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
		assert_non_null(ext);
		X509_add_ext(cert, ext, -1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(cert, w->ca_key, NULL) > 0);
	return cert;
}

/* A process of its own, as OpenSSL's calls block. */
static pid_t serve(int listener, X509 *cert, EVP_PKEY *key)
{
	pid_t pid = fork();
	char request[4096];
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		_exit(1);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0) {
			SSL_write(ssl, ANSWER, sizeof(ANSWER) - 1);
			SSL_shutdown(ssl);
		}
		SSL_free(ssl);
		close(fd);
	}
	_exit(0);
}

static void on_done(const struct http_reply *reply, void *arg)
{
	struct world *w = arg;

	w->done = true;
	w->err = reply->err;
	snprintf(w->why, sizeof(w->why), "%s", reply->err ? reply->why : "");
}

/* What a call to @device's server comes to that has such a certificate. */
static int ask(struct world *w, const char *san, const char *device)
{
	struct http_request req = { .method = "GET", .path = "/", .max_reply = 10 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct http_target target = { .tls = true, .device = device };
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *cert = issue(w, key, san);
	socklen_t len = sizeof(sin);
	struct http_host *host;
	struct http_call *call;
	int listener;
	pid_t server;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 4), 0);
	getsockname(listener, (struct sockaddr *)&sin, &len);
	server = serve(listener, cert, key);
	addr_parse("127.0.0.1", &target.address);
	target.port = ntohs(sin.sin_port);
	assert_int_equal(http_host_new(w->http, &target, &host), 0);
	w->done = false;
	assert_int_equal(http_call_new(host, &req, on_done, w, &call), 0);
	kit_until(w->loop, &w->done);
	http_host_free(host);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(listener);
	X509_free(cert);
	EVP_PKEY_free(key);
	return w->err;
}

static void the_device_s_own(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, "URI:shunt:device:" DEVICE, DEVICE), 0);
	assert_int_equal(ask(w, "DNS:printer,URI:shunt:device:" DEVICE, DEVICE), 0);
}

/* As an administrator makes it for a server: it is nobody else's. */
static void a_server_s(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, NULL, DEVICE), 0);
	assert_int_equal(ask(w, "DNS:nas,URI:https://nas/", DEVICE), 0);
}

static void another_party_s(void **state)
{
	static const char *const sans[] = {
		"URI:shunt:device:mfp-2",
		"URI:shunt:device:" DEVICE "0",
		"URI:shunt:device:mfp-",
		"URI:shunt:terminal:" DEVICE,
		"URI:SHUNT:device:mfp-2",
		"URI:shunt:nonsense",
		"URI:shunt:device:" DEVICE ",URI:shunt:device:mfp-2",
	};
	struct world *w = *state;
	size_t i;

	for (i = 0; i < sizeof(sans) / sizeof(sans[0]); i++) {
		assert_int_equal(ask(w, sans[i], DEVICE), -SHUNT_EPEER);
		assert_string_equal(
			w->why,
			"it is another party's of the deployment, not that of device " DEVICE);
	}
	/* Who does not say whose server it is gets no party's. */
	assert_int_equal(ask(w, sans[0], NULL), -SHUNT_EPEER);
}

/* What it says does not count where the CA has not signed it. */
static void another_ca_s(void **state)
{
	struct world *w = *state;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	EVP_PKEY_free(w->ca_key);
	w->ca_key = key;
	assert_int_equal(ask(w, "URI:shunt:device:" DEVICE, DEVICE), -SHUNT_EPEER);
	assert_null(strstr(w->why, "another party's"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_device_s_own),
		T(a_server_s),
		T(another_party_s),
		T(another_ca_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
