// SPDX-License-Identifier: GPL-2.0-or-later
/* What one service of a device is: printers, file servers, and what only looks like them. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "ippkit.h"

#include "cloud/credentials.h"
#include "cloud/http.h"
#include "cloud/inquiry.h"

/* ---- a web server that answers by the beginning of the request ---- */

#define WEB_CONNS 8

struct web;

struct web_conn {
	struct web *web;
	int fd;
	struct loop_io *io;
	char in[4096];
	size_t len;
};

struct web {
	struct loop *loop;
	int listener;
	struct loop_io *io;
	uint16_t port;
	struct web_conn conns[WEB_CONNS];
	const char *const (*answers)[2]; /* beginning of a request, answer; NULL ends them */
	bool endless; /* every answer */
	bool login; /* somebody said who asks */
	char log[1024]; /* "OPTIONS /|" */
};

#define EMPTY "Content-Length: 0\r\n\r\n"
#define NOT_FOUND "HTTP/1.1 404 Not Found\r\n" EMPTY
#define WITH_DAV "HTTP/1.1 200 OK\r\nDAV: 1, 2,<http://example.org/3>\r\n" EMPTY
#define XML                                                                                        \
	"<D:multistatus xmlns:D=\"DAV:\"><D:response><D:propstat><D:prop>"                         \
	"<D:quota-available-bytes>4096</D:quota-available-bytes></D:prop>"                         \
	"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
#define ROOM "HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n" XML

static void web_close(struct web_conn *c)
{
	loop_io_free(c->io);
	c->io = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->len = 0;
}

static void web_answer(struct web_conn *c)
{
	struct web *web = c->web;
	const char *text = NOT_FOUND;
	char junk[8192];
	size_t i;

	web->login = web->login || strcasestr(c->in, "\r\nAuthorization:");
	sscanf(c->in, "%100[^ ] ", junk);
	strcat(strcat(web->log, junk), " ");
	sscanf(strchr(c->in, ' ') + 1, "%100[^ ]", junk);
	strcat(strcat(web->log, junk), "|");
	for (i = 0; web->answers && web->answers[i][0]; i++)
		if (!strncmp(c->in, web->answers[i][0], strlen(web->answers[i][0]))) {
			text = web->answers[i][1];
			break;
		}
	if (web->endless)
		text = "HTTP/1.1 200 OK\r\nDAV: 1\r\n\r\n";
	assert_true(send(c->fd, text, strlen(text), MSG_NOSIGNAL) > 0);
	memset(junk, 'x', sizeof(junk));
	for (i = 0; web->endless && i < 64; i++)
		send(c->fd, junk, sizeof(junk), MSG_NOSIGNAL);
	if (strstr(text, "Connection: close") || web->endless)
		web_close(c);
	c->len = 0;
}

static void web_read(unsigned int events, void *arg)
{
	struct web_conn *c = arg;
	ssize_t n = read(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len);
	const char *body, *length;

	(void)events;
	if (n <= 0 || c->in[0] == 0x16) { /* TLS, which it does not do */
		web_close(c);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	body = strstr(c->in, "\r\n\r\n");
	length = strcasestr(c->in, "\r\nContent-Length:");
	if (body &&
	    (!length || c->len >= (size_t)(body + 4 - c->in) + strtoul(length + 17, NULL, 10)))
		web_answer(c);
}

static void web_accept(unsigned int events, void *arg)
{
	struct web *web = arg;
	struct web_conn *c = web->conns;

	(void)events;
	while (c->fd >= 0)
		assert_true(++c < web->conns + WEB_CONNS);
	c->fd = accept4(web->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(c->fd >= 0);
	assert_int_equal(loop_io_new(web->loop, c->fd, web_read, c, &c->io), 0);
	loop_io_set(c->io, LOOP_READ);
}

static void web_start(struct web *web, struct loop *loop)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	size_t i;

	web->loop = loop;
	for (i = 0; i < WEB_CONNS; i++) {
		web->conns[i].web = web;
		web->conns[i].fd = -1;
	}
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	web->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(web->listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(web->listener, 8), 0);
	getsockname(web->listener, (struct sockaddr *)&sin, &len);
	web->port = ntohs(sin.sin_port);
	assert_int_equal(loop_io_new(loop, web->listener, web_accept, web, &web->io), 0);
	loop_io_set(web->io, LOOP_READ);
}

static void web_stop(struct web *web)
{
	size_t i;

	for (i = 0; i < WEB_CONNS; i++)
		web_close(&web->conns[i]);
	loop_io_free(web->io);
	close(web->listener);
}

/* ---- the world ---- */

struct world {
	struct loop *loop;
	struct http *http;
	struct web web;
	struct ippkit printer;
	char *dir;
	struct tls_ctx *tls;
	struct sapi_probe_service answer;
	bool tls_only, clear_login;
	const char *pin;
	struct credentials *credentials;
	bool done;
};

#define PIN "sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE="

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err e = { 0 };

	assert_int_equal(loop_new(&w->loop), 0);
	if (http_new(w->loop, NULL, &w->http, &e))
		fail_msg("%s", err_text(&e));
	w->dir = kit_dir_new();
	kit_ca(w->dir);
	w->tls = kit_ctx(w->dir, ROLE_CLOUD, "cloud1");
	web_start(&w->web, w->loop);
	ippkit_start(&w->printer, w->loop);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	web_stop(&w->web);
	ippkit_stop(&w->printer);
	http_free(w->http);
	tls_ctx_free(w->tls);
	credentials_free(w->credentials);
	kit_settle(w->loop);
	loop_free(w->loop);
	kit_dir_free(w->dir);
	free(w);
	return 0;
}

static void on_done(struct inquiry *q, void *arg)
{
	struct world *w = arg;

	inquiry_free(q);
	w->done = true;
}

static const struct sapi_probe_service *ask(struct world *w, enum service_kind kind, uint16_t port,
					    bool tls, const char *path)
{
	struct inquiry_conf conf = {
		.loop = w->loop,
		.http = w->http,
		.tls = w->tls,
		.device = "d",
		.tls_only = w->tls_only,
		.pin = w->pin,
		.credentials = &w->credentials,
		.clear_login = w->clear_login,
	};
	struct inquiry *q;

	addr_parse("127.0.0.1", &conf.address);
	memset(&w->answer, 0, sizeof(w->answer));
	w->answer.at.kind = kind;
	w->answer.at.port = port;
	w->answer.at.tls = tls;
	strcpy(w->answer.at.path, path);
	w->done = false;
	assert_int_equal(inquiry_new(&conf, &w->answer, on_done, w, &q), 0);
	KIT_UNTIL(w->loop, w->done);
	/* Whatever it was, it can be told. */
	if (w->answer.found)
		assert_string_equal(w->answer.reason, "");
	else
		assert_true(w->answer.reason[0] && w->answer.text[0]);
	return &w->answer;
}

static void assert_not(const struct sapi_probe_service *a, const char *reason, const char *part)
{
	assert_false(a->found);
	assert_string_equal(a->reason, reason);
	if (!strstr(a->text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, a->text);
}

/* ---- printers ---- */

static void a_printer(void **state)
{
	struct world *w = *state;
	/* Neither the path nor TLS is known, and the guess about TLS is wrong. */
	const struct sapi_probe_service *a = ask(w, SERVICE_IPP, w->printer.port, true, "");

	assert_true(a->found);
	assert_false(a->at.tls);
	assert_string_equal(a->at.path, "/ipp/print");
	assert_true(a->formats.n > 0 && a->media.n > 0);
	assert_string_equal(a->formats.v[0], "application/pdf");
	/* Nothing there was changed: each of the questions was for attributes. */
	assert_int_equal(strspn(w->printer.ops, "P"), strlen(w->printer.ops));
}

static void no_printer(void **state)
{
	static const char *const answers[][2] = { { "POST /up ", "HTTP/1.1 426 Upgrade\r\n" EMPTY },
						  { NULL, NULL } };
	struct world *w = *state;
	uint16_t port;

	assert_not(ask(w, SERVICE_IPP, w->web.port, false, "/p"), "not-ipp", "status 404 at /p");
	w->web.answers = answers;
	w->web.log[0] = '\0';
	assert_not(ask(w, SERVICE_IPP, w->web.port, false, "/up"), "no-tls", "with TLS");
	assert_string_equal(w->web.log, "POST /up|"); /* it is not pressed without TLS */
	w->printer.fault.garbage = true;
	assert_not(ask(w, SERVICE_IPP, w->printer.port, false, ""), "not-ipp",
		   "not an IPP message");
	w->printer.fault.garbage = false;
	w->printer.fault.no_create = true;
	assert_not(ask(w, SERVICE_IPP, w->printer.port, false, ""), "no-create-job", "Create-Job");
	port = w->printer.port;
	ippkit_stop(&w->printer);
	assert_not(ask(w, SERVICE_IPP, port, false, ""), "connect-failed", "Connection refused");
	ippkit_start(&w->printer, w->loop);
}

static void an_endless_printer(void **state)
{
	struct world *w = *state;

	w->printer.fault.endless = true;
	assert_not(ask(w, SERVICE_IPP, w->printer.port, false, ""), "bad-answer", "longer than");
}

/* ---- file servers ---- */

static void a_file_server(void **state)
{
	static const char *const answers[][2] = { { "OPTIONS /files/ ", WITH_DAV },
						  { "PROPFIND /files/ ", ROOM },
						  { NULL, NULL } };
	struct world *w = *state;
	const struct sapi_probe_service *a;

	w->web.answers = answers;
	a = ask(w, SERVICE_WEBDAV, w->web.port, true, "/files/");
	assert_true(a->found);
	assert_false(a->at.tls);
	assert_string_equal(a->at.path, "/files/");
	assert_int_equal(a->room, 4096);
	assert_int_equal(strncmp(a->dav, "1, 2", 4), 0);
	assert_string_equal(w->web.log, "OPTIONS /files/|PROPFIND /files/|");
}

/* What a_file_server() finds in clear: whoever is known to do TLS is not asked so, as that answer could be anybody's. */
static void never_in_clear(void **state)
{
	static const char *const answers[][2] = { { "OPTIONS ", WITH_DAV },
						  { "PROPFIND ", ROOM },
						  { NULL, NULL } };
	struct world *w = *state;

	w->web.answers = answers;
	w->tls_only = true;
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, true, "/files/"), "no-tls",
		   "is not asked without");
	assert_not(ask(w, SERVICE_IPP, w->printer.port, true, ""), "no-answer",
		   "is not asked without");
	/* Not even where somebody says that it does none. */
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, false, "/files/"), "no-tls",
		   "is not asked without");
	w->tls_only = false;
	w->pin = PIN;
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, true, "/files/"), "no-tls",
		   "is not asked without");
	assert_not(ask(w, SERVICE_IPP, w->printer.port, false, ""), "no-answer",
		   "is not asked without");
	loop_io_set(w->web.io, 0); /* the kernel takes connections, and nobody answers */
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, true, "/files/"), "no-answer",
		   "is not asked without");
	assert_string_equal(w->web.log, "");
	assert_int_equal(w->printer.questions, 0);
	assert_string_equal(w->printer.ops, "");
}

/* By Digest, where the jobs would do the same; and there only. */
static void a_password_in_clear(void **state)
{
	static const char *const answers[][2] = {
		{ "OPTIONS ",
		  "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n" EMPTY },
		{ NULL, NULL }
	};
	static const char line[] = "d user secret\n";
	struct world *w = *state;
	struct err e = { 0 };

	assert_int_equal(credentials_parse(line, sizeof(line) - 1, &w->credentials, &e), 0);
	w->web.answers = answers;
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, false, ""), "http-401", "has none");
	assert_string_equal(w->web.log, "OPTIONS /|");
	assert_false(w->web.login);
	w->clear_login = true;
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, false, ""), "http-401", "does not accept");
	assert_true(w->web.login);
}

/* Some say of every path that they do WebDAV: whether it is there PROPFIND tells. */
static void at_another_path(void **state)
{
	static const char *const answers[][2] = { { "OPTIONS ", WITH_DAV },
						  { "PROPFIND /dav/ ", ROOM },
						  { NULL, NULL } };
	struct world *w = *state;
	const struct sapi_probe_service *a;

	w->web.answers = answers;
	a = ask(w, SERVICE_WEBDAV, w->web.port, false, "/wrong/");
	assert_true(a->found);
	assert_string_equal(a->at.path, "/dav/");
}

static void no_file_server(void **state)
{
	static const char *const plain[][2] = {
		{ "OPTIONS ", "HTTP/1.1 200 OK\r\nDAV: 2, 11\r\nAllow: GET\r\n" EMPTY },
		{ NULL, NULL }
	};
	static const char *const locked[][2] = {
		{ "OPTIONS ",
		  "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n" EMPTY },
		{ NULL, NULL }
	};
	struct world *w = *state;
	const struct sapi_probe_service *a;

	w->web.answers = plain;
	a = ask(w, SERVICE_WEBDAV, w->web.port, false, "");
	assert_not(a, "not-webdav", "OPTIONS at / (status 200)");
	assert_string_equal(a->dav, "");
	w->web.answers = locked;
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, false, ""), "http-401", "name and password");
	w->web.endless = true;
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, false, ""), "bad-answer", "longer than");
}

/* One that takes connections and never says anything is left after its time, asked with TLS and without. */
static void a_silent_server(void **state)
{
	struct world *w = *state;
	uint64_t begin = loop_now(w->loop);

	loop_io_set(w->web.io, 0); /* the kernel takes them */
	assert_not(ask(w, SERVICE_WEBDAV, w->web.port, false, ""), "no-answer", "without TLS");
	assert_true(loop_now(w->loop) - begin < 3 * INQUIRY_MS);
}

/* ---- agents ---- */

static void no_agent(void **state)
{
	struct world *w = *state;

	assert_not(ask(w, SERVICE_AGENT, w->web.port, true, ""), "connect-failed", "TLS handshake");
	assert_string_equal(w->answer.at.path, "/");
	web_stop(&w->web);
	assert_not(ask(w, SERVICE_AGENT, w->web.port, true, ""), "connect-failed",
		   "Connection refused");
	assert_null(strstr(w->answer.text, "127.0.0.1")); /* in a tunnel, nobody's */
	web_start(&w->web, w->loop);
}

/* Given up in the middle, as when the time is up. */
static void dropped(void **state)
{
	struct world *w = *state;
	struct inquiry_conf conf = {
		.loop = w->loop, .http = w->http, .tls = w->tls, .device = "d"
	};
	struct sapi_probe_service answer;
	struct inquiry *q;
	int kind;

	addr_parse("127.0.0.1", &conf.address);
	for (kind = SERVICE_AGENT; kind <= SERVICE_IPP; kind++) {
		memset(&answer, 0, sizeof(answer));
		answer.at.kind = (enum service_kind)kind;
		answer.at.port = w->web.port;
		w->done = false;
		assert_int_equal(inquiry_new(&conf, &answer, on_done, w, &q), 0);
		loop_step(w->loop, 10);
		inquiry_free(q);
		kit_settle(w->loop);
		assert_false(w->done);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_printer),       TEST(no_printer),     TEST(an_endless_printer),
		TEST(a_file_server),   TEST(never_in_clear), TEST(a_password_in_clear),
		TEST(at_another_path), TEST(no_file_server), TEST(a_silent_server),
		TEST(no_agent),	       TEST(dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
