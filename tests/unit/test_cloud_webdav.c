// SPDX-License-Identifier: GPL-2.0-or-later
/* The WebDAV client against a file server that answers what the test wants. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netkit.h"

#include "cloud/http.h"
#include "cloud/webdav.h"
#include "lib/file.h"

#define SIZE 300000

/* One connection of a primitive HTTP/1.1 server. */
struct server {
	struct loop *loop;
	int listener, conn;
	struct loop_io *accept_io, *conn_io;
	uint16_t port;
	char head[4096]; /* of the request being read */
	size_t head_len;
	uint64_t expect, got; /* body */
	bool in_body, stall;
	char log[2048]; /* "PUT /a 300000|MOVE /a -> http://...|" */
	const char *put_answer, *move_answer, *mkcol_answer;
	const char *room; /* what PROPFIND tells; NULL: nothing */
	const char *
		challenge; /* WWW-Authenticate of what comes without "shunt" and "s3cret"; NULL: none */
	uint64_t cut_at; /* close after so many bytes of body; 0: never */
	uint8_t content[SIZE];
};

static void server_close(struct server *s)
{
	loop_io_free(s->conn_io);
	s->conn_io = NULL;
	if (s->conn >= 0)
		close(s->conn);
	s->conn = -1;
	s->head_len = 0;
	s->in_body = false;
	if (s->accept_io)
		loop_io_set(s->accept_io, LOOP_READ);
}

static void server_say(struct server *s, const char *status)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);

	assert_int_equal(write(s->conn, text, (size_t)n), n);
}

static const char *field(struct server *s, const char *name, char out[512])
{
	char *p = strcasestr(s->head, name);

	out[0] = '\0';
	if (p)
		sscanf(p + strlen(name), " %511[^\r\n]", out);
	return out;
}

static void md5(char out[33], const char *text)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	assert_int_equal(EVP_Digest(text, strlen(text), digest, &len, EVP_md5(), NULL), 1);
	for (unsigned int i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", digest[i]);
}

/* RFC 7616 3.4.1, without qop. */
static bool digest_right(const char *method, const char *path, const char *authorization)
{
	char ha1[33], ha2[33], text[1200], response[33];

	md5(ha1, "shunt:files:s3cret");
	snprintf(text, sizeof(text), "%s:%s", method, path);
	md5(ha2, text);
	snprintf(text, sizeof(text), "%s:once:%s", ha1, ha2);
	md5(response, text);
	return !strncmp(authorization, "Digest ", 7) && strstr(authorization, response);
}

/* Has it been let in, or else been told how? */
static bool server_lets_in(struct server *s)
{
	char method[16], path[512], value[512], text[256];
	int n;

	sscanf(s->head, "%15s %511s", method, path);
	field(s, "\nAuthorization:", value);
	if (!s->challenge ||
	    (strstr(s->challenge, "Basic") && !strcmp(value, "Basic c2h1bnQ6czNjcmV0")) ||
	    (strstr(s->challenge, "Digest") && digest_right(method, path, value)))
		return true;
	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %s\r\n"
		     "Content-Length: 0\r\n\r\n",
		     s->challenge);
	assert_int_equal(write(s->conn, text, (size_t)n), n);
	s->head_len = 0;
	s->in_body = false;
	return false;
}

static void server_log(struct server *s)
{
	char method[16], path[512], value[512];

	if (!strncmp(s->head, "PROPFIND ", 9) || !strncmp(s->head, "HEAD ", 5))
		return; /* come first, always */
	sscanf(s->head, "%15s %511s", method, path);
	strcat(strcat(strcat(s->log, method), " "), path);
	if (!strcmp(method, "MOVE"))
		strcat(strcat(s->log, " -> "), field(s, "\nDestination:", value));
	strcat(s->log, "|");
}

static void server_tell_room(struct server *s)
{
	char xml[256], text[512];
	int n;

	if (!s->room) {
		server_say(s, "405 Method Not Allowed");
		return;
	}
	n = snprintf(xml, sizeof(xml),
		     "<q:quota-available-bytes xmlns:q=\"DAV:\">%s</q:quota-available-bytes>",
		     s->room);
	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 207 Multi-Status\r\nContent-Length: %d\r\n\r\n%s", n, xml);
	assert_int_equal(write(s->conn, text, (size_t)n), n);
}

static void server_answer(struct server *s)
{
	if (!server_lets_in(s))
		return;
	if (!strncmp(s->head, "PROPFIND", 8))
		server_tell_room(s);
	else if (!strncmp(s->head, "PUT", 3))
		server_say(s, s->put_answer);
	else if (!strncmp(s->head, "MOVE", 4))
		server_say(s, s->move_answer);
	else if (!strncmp(s->head, "MKCOL", 5))
		server_say(s, s->mkcol_answer);
	else
		server_say(s, "204 No Content");
	s->head_len = 0;
	s->in_body = false;
}

static void server_head(struct server *s)
{
	char value[512];

	server_log(s);
	s->expect = strtoull(field(s, "\nContent-Length:", value), NULL, 10);
	s->got = 0;
	s->in_body = s->expect;
	if (*field(s, "\nExpect:", value))
		assert_true(write(s->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 25);
	if (!s->in_body)
		server_answer(s);
}

static void server_body(struct server *s, const uint8_t *p, size_t n)
{
	assert_true(s->got + n <= s->expect && s->expect <= SIZE);
	memcpy(s->content + s->got, p, n);
	s->got += n;
	if (s->cut_at && s->got >= s->cut_at)
		server_close(s);
	else if (s->got == s->expect)
		server_answer(s);
}

static void server_read(unsigned int events, void *arg)
{
	struct server *s = arg;
	uint8_t buf[16384];
	ssize_t n;

	(void)events;
	if (s->in_body) {
		n = read(s->conn, buf, sizeof(buf));
		if (n > 0)
			server_body(s, buf, (size_t)n);
		else
			server_close(s);
		return;
	}
	/* Heads octet by octet: a test has the time. */
	n = read(s->conn, s->head + s->head_len, 1);
	if (n <= 0) {
		server_close(s);
		return;
	}
	s->head[++s->head_len] = '\0';
	if (s->head_len >= 4 && !strcmp(s->head + s->head_len - 4, "\r\n\r\n"))
		server_head(s);
}

static void server_accept(unsigned int events, void *arg)
{
	struct server *s = arg;

	(void)events;
	if (s->conn >= 0) {
		loop_io_set(s->accept_io, 0); /* one after the other */
		return;
	}
	s->conn = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(s->conn >= 0);
	assert_int_equal(loop_io_new(s->loop, s->conn, server_read, s, &s->conn_io), 0);
	loop_io_set(s->conn_io, LOOP_READ);
}

struct result {
	struct server s;
	struct http *http;
	int fd;
	bool done;
	int err;
	bool fatal;
	char code[64], text[512];
	uint64_t wired, progress;
	struct share_ops ops;
	bool make_fails;
	const char *password;
};

static void on_wire(uint64_t from, uint64_t to, void *arg)
{
	struct result *r = arg;

	assert_true(from < to && to <= SIZE);
	r->wired += to - from;
}

static void on_progress(uint64_t bytes, void *arg)
{
	struct result *r = arg;

	assert_true(bytes >= r->progress && bytes <= SIZE);
	r->progress = bytes;
}

static void on_done(int err, bool fatal, const char *code, const char *text, void *arg)
{
	struct result *r = arg;

	r->done = true;
	r->err = err;
	r->fatal = fatal;
	snprintf(r->code, sizeof(r->code), "%s", code);
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 13 + i / 1000);
}

static ssize_t on_read(uint64_t offset, void *buf, size_t len, void *arg)
{
	struct result *r = arg;
	int ret = file_read_at(r->fd, offset, buf, len);

	return ret ? ret : (ssize_t)len;
}

static int setup(void **state)
{
	struct result *r = calloc(1, sizeof(*r));
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	struct err e = { 0 };
	FILE *f;
	size_t i;

	r->ops = (struct share_ops){
		.read = on_read,
		.on_wire = on_wire,
		.on_progress = on_progress,
		.on_done = on_done,
	};
	assert_int_equal(loop_new(&r->s.loop), 0);
	r->s.conn = -1;
	r->s.put_answer = r->s.move_answer = r->s.mkcol_answer = "201 Created";
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->s.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->s.listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(r->s.listener, 4), 0);
	getsockname(r->s.listener, (struct sockaddr *)&sin, &len);
	r->s.port = ntohs(sin.sin_port);
	loop_io_new(r->s.loop, r->s.listener, server_accept, &r->s, &r->s.accept_io);
	loop_io_set(r->s.accept_io, LOOP_READ);
	assert_int_equal(http_new(r->s.loop, NULL, &r->http, &e), 0);
	f = tmpfile();
	for (i = 0; i < SIZE; i++)
		fputc(byte_at(i), f);
	fflush(f);
	r->fd = dup(fileno(f));
	fclose(f);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct result *r = *state;

	server_close(&r->s);
	loop_io_free(r->s.accept_io);
	close(r->s.listener);
	http_free(r->http);
	loop_free(r->s.loop);
	close(r->fd);
	free(r);
	return 0;
}

static struct share_conf conf_of(const struct result *r)
{
	struct share_conf conf = {
		.loop = r->s.loop,
		.http = r->http,
		.port = r->s.port,
		.base = "/files",
		.device = "nas-1",
		.user = r->password ? "shunt" : NULL,
		.password = r->password,
	};

	addr_parse("127.0.0.1", &conf.address);
	addr_parse("127.0.0.1", &conf.source);
	return conf;
}

static struct share_call *start(struct result *r, const char *name)
{
	const struct share_put what = {
		.name = name,
		.tag = "0123456789abcdef0123456789abcdef",
		.size = SIZE,
		.clobber = true,
	};
	struct share_conf conf = conf_of(r);
	struct share_call *put;

	assert_int_equal(webdav_protocol.put(&conf, &what, &r->ops, r, &put), 0);
	return put;
}

static void assert_content(const struct result *r)
{
	size_t i;

	for (i = 0; i < SIZE; i++)
		assert_int_equal(r->s.content[i], byte_at(i));
}

static void put_then_move(void **state)
{
	struct result *r = *state;
	char want[512];

	start(r, "in/a b.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_equal(r->err, 0);
	snprintf(want, sizeof(want),
		 "MKCOL /files/in/|PUT /files/in/.shunt-0123456789abcdef0123456789abcdef.part|"
		 "MOVE /files/in/.shunt-0123456789abcdef0123456789abcdef.part -> "
		 "http://127.0.0.1:%u/files/in/a%%20b.bin|",
		 r->s.port);
	assert_string_equal(r->s.log, want);
	assert_int_equal(r->wired, SIZE);
	assert_content(r);
}

/* Content that is made while it is sent: encrypted, say. */
static ssize_t made(uint64_t offset, void *buf, size_t len, void *arg)
{
	struct result *r = arg;

	if (r->make_fails && offset >= SIZE / 2)
		return -EIO;
	if (len > 7001)
		len = 7001;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = byte_at(offset + i);
	return (ssize_t)len;
}

static void put_what_is_made(void **state)
{
	struct result *r = *state;

	r->ops.read = made;
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_equal(r->err, 0);
	assert_int_equal(r->wired, SIZE);
	assert_content(r);
	r->done = false;
	r->make_fails = true;
	r->progress = 0;
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_true(r->err < 0 && !r->fatal);
	assert_null(strstr(strstr(r->s.log, "MOVE") + 1, "MOVE"));
}

static void a_refusal_takes_the_file_away(void **state)
{
	struct result *r = *state;

	r->s.move_answer = "409 Conflict";
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_equal(r->err, -SHUNT_EREMOTE);
	assert_true(r->fatal);
	assert_string_equal(r->code, "not-found");
	assert_non_null(strstr(r->text, "MOVE"));
	assert_non_null(strstr(r->s.log, "DELETE /files/.shunt-"));
}

#define PART "/files/.shunt-0123456789abcdef0123456789abcdef.part"
#define DIGEST "Digest realm=\"files\", nonce=\"once\", algorithm=MD5"
#define BASIC "Basic realm=\"files\""

static void tried(struct result *r)
{
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
}

/* The body goes once: the server is asked without it first. */
static void a_password_by_digest(void **state)
{
	struct result *r = *state;

	r->s.challenge = BASIC ", " DIGEST;
	r->password = "s3cret";
	tried(r);
	assert_int_equal(r->err, 0);
	assert_int_equal(r->wired, SIZE);
	assert_content(r);
	assert_ptr_equal(strstr(r->s.log, "PUT " PART "|PUT " PART "|MOVE "), r->s.log);
}

/* One who has a password does without where it is not asked for. */
static void a_password_that_nobody_wants(void **state)
{
	struct result *r = *state;

	r->password = "s3cret";
	tried(r);
	assert_int_equal(r->err, 0);
	assert_content(r);
}

static void assert_unauthorized(struct result *r, const char *why)
{
	tried(r);
	assert_int_equal(r->err, -SHUNT_EREMOTE);
	assert_true(r->fatal);
	assert_string_equal(r->code, "login-refused");
	assert_non_null(strstr(r->text, why));
	assert_null(strstr(r->text, "s3cret"));
	assert_null(strstr(r->s.log, "MOVE"));
}

static void no_password(void **state)
{
	struct result *r = *state;

	r->s.challenge = DIGEST;
	assert_unauthorized(r, "the cloud has none for the device");
}

static void a_wrong_password(void **state)
{
	struct result *r = *state;

	r->s.challenge = DIGEST;
	r->password = "guess";
	assert_unauthorized(r, "it does not accept the name and password");
	assert_true(r->wired <= SIZE); /* once at most */
}

static void no_password_in_clear(void **state)
{
	struct result *r = *state;

	r->s.challenge = BASIC;
	r->password = "s3cret";
	assert_unauthorized(r, "in clear (Basic), which is sent over https only");
	assert_null(strstr(r->s.head, "Authorization"));
	assert_int_equal(r->wired, 0);
}

static void a_forbidden_place(void **state)
{
	struct result *r = *state;

	r->s.put_answer = "403 Forbidden";
	tried(r);
	assert_true(r->fatal);
	assert_string_equal(r->code, "not-allowed");
	assert_non_null(strstr(r->text, ": not allowed"));
}

/* From the top; whether they are there already, or are none of ours to make, PUT tells. */
static void directories_are_made(void **state)
{
	static const char *const answers[] = { "201 Created", "405 Method Not Allowed",
					       "403 Forbidden", "301 Moved Permanently",
					       "409 Conflict" };
	struct result *r = *state;
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		r->s.mkcol_answer = answers[i];
		r->s.log[0] = '\0';
		r->done = false;
		r->progress = 0;
		start(r, "a/b c/d.bin");
		KIT_UNTIL(r->s.loop, r->done);
		assert_int_equal(r->err, 0);
		assert_ptr_equal(strstr(r->s.log, "MKCOL /files/a/|MKCOL /files/a/b%20c/|"
						  "PUT /files/a/b%20c/.shunt-"),
				 r->s.log);
	}
}

static void directories_that_cannot_be_made(void **state)
{
	struct result *r = *state;

	r->s.mkcol_answer = "507 Insufficient Storage";
	start(r, "a/b.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_true(r->fatal);
	assert_string_equal(r->code, "no-room");
	assert_non_null(strstr(r->text, "MKCOL"));
	assert_string_equal(r->s.log, "MKCOL /files/a/|"); /* there is nothing to take away */
	r->done = false;
	r->s.mkcol_answer = "503 Service Unavailable";
	start(r, "a/b.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_false(r->fatal);
	assert_int_equal(r->wired, 0);
}

static void directories_behind_a_password(void **state)
{
	struct result *r = *state;

	r->s.challenge = DIGEST;
	r->password = "s3cret";
	start(r, "a/b.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_equal(r->err, 0);
	assert_content(r);
	r->password = NULL;
	r->done = false;
	start(r, "a/b.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_true(r->fatal);
	assert_string_equal(r->code, "login-refused");
	assert_non_null(strstr(r->text, "MKCOL"));
}

static void no_room(void **state)
{
	struct result *r = *state;

	r->s.room = "299999";
	tried(r);
	assert_int_equal(r->err, -ENOSPC);
	assert_true(r->fatal);
	assert_string_equal(r->code, "no-room");
	assert_string_equal(r->text,
			    "the file server has room for 299999 bytes, the file has 300000");
	assert_string_equal(r->s.log, "");
	assert_int_equal(r->wired, 0);
	r->done = false;
	r->s.room = "300000";
	tried(r);
	assert_int_equal(r->err, 0);
	assert_content(r);
}

static void a_busy_server_may_be_asked_again(void **state)
{
	struct result *r = *state;

	r->s.put_answer = "503 Service Unavailable";
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_false(r->fatal);
	assert_null(strstr(r->s.log, "DELETE"));
}

static void a_broken_connection(void **state)
{
	struct result *r = *state;

	r->s.cut_at = 1000;
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_true(r->err < 0 && !r->fatal);
	assert_true(r->wired > 0);
	/* And once more, from the start. */
	r->s.cut_at = 0;
	r->done = false;
	r->progress = 0;
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_equal(r->err, 0);
	assert_content(r);
}

static void nobody_listens(void **state)
{
	struct result *r = *state;

	loop_io_set(r->s.accept_io, 0);
	close(r->s.listener);
	r->s.listener = -1;
	start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->done);
	assert_string_equal(r->code, "connect-failed");
	assert_false(r->fatal);
}

static void abort_cleans_up(void **state)
{
	struct result *r = *state;
	struct share_call *put;

	put = start(r, "a.bin");
	KIT_UNTIL(r->s.loop, r->s.in_body);
	share_abort(put);
	share_abort(put);
	/* The aborted request's connection ends; the server then takes the next one. */
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_equal(r->err, -ECANCELED);
	assert_non_null(strstr(r->s.log, "DELETE /files/.shunt-"));
}

static void names(void **state)
{
	static const char name[] = "d/\xc3\xa4#?.pdf";
	struct share_conf t = { .port = 443, .tls = true, .base = "/" };
	char url[200], small[30];

	(void)state;
	assert_true(share_name_ok("a"));
	assert_true(share_name_ok("a/b..c/.d"));
	assert_false(share_name_ok(""));
	assert_false(share_name_ok("/a"));
	assert_false(share_name_ok("a/"));
	assert_false(share_name_ok("a//b"));
	assert_false(share_name_ok("."));
	assert_false(share_name_ok("a/../b"));
	assert_false(share_name_ok("a/.."));
	assert_false(share_name_ok("a\nb"));
	assert_false(share_name_ok("a\xff"));
	addr_parse("2001:db8::1", &t.address);
	assert_int_equal(webdav_url(&t, name, NULL, url, sizeof(url)), 0);
	assert_string_equal(url, "https://[2001:db8::1]/d/%C3%A4%23%3F.pdf");
	assert_int_equal(webdav_url(&t, name, "t", url, sizeof(url)), 0);
	assert_string_equal(url, "https://[2001:db8::1]/d/.shunt-t.part");
	t.port = 80;
	assert_int_equal(webdav_url(&t, name, NULL, url, sizeof(url)), 0);
	assert_string_equal(url, "https://[2001:db8::1]:80/d/%C3%A4%23%3F.pdf");
	assert_int_equal(webdav_url(&t, name, NULL, small, sizeof(small)), -ENAMETOOLONG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* A server that shakes hands and hangs up, in a process of its own. */
static pid_t tls_server(const char *dir, int listener)
{
	char cert[PATH_MAX + 32], key[PATH_MAX + 32];
	pid_t pid = fork();
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;

	if (pid)
		return pid;
	snprintf(cert, sizeof(cert), "%s/device-nas-1.crt", dir);
	snprintf(key, sizeof(key), "%s/device-nas-1.key", dir);
	ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
		_exit(1);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		SSL_accept(ssl);
		SSL_free(ssl);
		close(fd);
	}
	_exit(0);
}

/* Was its certificate accepted? */
static bool put_tls(struct result *r, uint16_t port)
{
	struct share_put what = {
		.name = "a.bin",
		.tag = "0123456789abcdef0123456789abcdef",
		.size = SIZE,
		.clobber = true,
	};
	struct share_conf conf = conf_of(r);
	struct share_call *put;

	conf.port = port;
	conf.tls = true;
	r->done = false;
	assert_int_equal(webdav_protocol.put(&conf, &what, &r->ops, r, &put), 0);
	KIT_UNTIL(r->s.loop, r->done);
	assert_int_not_equal(r->err, 0);
	return !strstr(r->text, "SSL certificate problem");
}

/* Servers of a new CA are known as soon as its file was read again; one that is missing changes nothing. */
static void the_ca_is_read_again(void **state)
{
	struct result *r = *state;
	char *old = kit_dir_new(), *new = kit_dir_new(), ca[PATH_MAX + 16];
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err e = { 0 };
	pid_t server;

	kit_ca(old);
	kit_ca(new);
	kit_cert(new, ROLE_DEVICE, "nas-1", 3600);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 4), 0);
	getsockname(listener, (struct sockaddr *)&sin, &len);
	server = tls_server(new, listener);
	snprintf(ca, sizeof(ca), "%s/ca.crt", old);
	assert_int_equal(http_set_ca(r->http, ca, &e), 0);
	assert_false(put_tls(r, ntohs(sin.sin_port)));
	snprintf(ca, sizeof(ca), "%s/ca.crt", new);
	assert_int_equal(http_set_ca(r->http, ca, &e), 0);
	assert_true(put_tls(r, ntohs(sin.sin_port)));
	assert_int_equal(http_set_ca(r->http, "/nowhere/ca.crt", &e), -ENOENT);
	assert_true(put_tls(r, ntohs(sin.sin_port)));
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(listener);
	kit_dir_free(old);
	kit_dir_free(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(put_then_move),
		TEST(put_what_is_made),
		TEST(a_refusal_takes_the_file_away),
		TEST(a_password_by_digest),
		TEST(a_password_that_nobody_wants),
		TEST(no_password),
		TEST(a_wrong_password),
		TEST(no_password_in_clear),
		TEST(a_forbidden_place),
		TEST(directories_are_made),
		TEST(directories_that_cannot_be_made),
		TEST(directories_behind_a_password),
		TEST(no_room),
		TEST(a_busy_server_may_be_asked_again),
		TEST(a_broken_connection),
		TEST(nobody_listens),
		TEST(abort_cleans_up),
		TEST(the_ca_is_read_again),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
