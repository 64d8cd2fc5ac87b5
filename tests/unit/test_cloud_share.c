// SPDX-License-Identifier: GPL-2.0-or-later
/* What is got and listed from file servers (share.h, by WebDAV): as it should be, and by hostile ones. */
#include "davkit.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n"
#define MULTI_HEAD "HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n"
#define MULTI(inner) MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\">" inner "</D:multistatus>"
#define ITEM(href, props)                                                                          \
	"<D:response><D:href>" href "</D:href><D:propstat><D:prop>" props                          \
	"</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
#define DIRECTORY "<D:resourcetype><D:collection/></D:resourcetype>"
#define SELF ITEM("/files/in/", DIRECTORY)
#define NO_PROPFIND                                                                                \
	{                                                                                          \
		"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n", NULL, false                        \
	}

static const char CONTENT[] = "0123456789";

static void get_from(struct dav *s, uint64_t from, uint64_t size, const char *version)
{
	const struct share_get what = { "in/a b", from, size, version };
	struct share_conf conf = dav_conf(s);

	memcpy(s->content, CONTENT, from);
	s->file.size = size;
	s->end = from;
	assert_int_equal(webdav_protocol.get(&conf, &what, dav_ops(), s, &s->call), 0);
	KIT_UNTIL(s->loop, s->done);
}

static void list(struct dav *s, const char *name)
{
	struct share_conf conf = dav_conf(s);

	assert_int_equal(webdav_protocol.list(&conf, name, dav_ops(), s, &s->call), 0);
	KIT_UNTIL(s->loop, s->done);
}

static void assert_got(const struct dav *s)
{
	if (s->err)
		fail_msg("%s: %s", s->code, s->text);
	assert_int_equal(s->end, 10);
	assert_memory_equal(s->content, CONTENT, 10);
}

static void assert_failed(const struct dav *s, const char *code, bool fatal)
{
	assert_string_equal(s->code, code);
	assert_int_equal(s->fatal, fatal);
	assert_int_not_equal(s->err, 0);
	assert_true(s->text[0]);
}

/* ---- get ---- */

static void all_of_it(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ OK_HEAD "0123456789", NULL, false },
		{ OK_HEAD, NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 0, 0, "");
	assert_got(s);
	assert_string_equal(s->log, "PROPFIND /files/in/a%20b Depth: 0|GET /files/in/a%20b|"
				    "HEAD /files/in/a%20b|");
	assert_string_equal(s->version, "\"a\"");
	assert_int_equal(s->files, 1);
}

static void nothing_in_it(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 0, 0, "");
	assert_int_equal(s->err, 0);
	assert_int_equal(s->files, 1);
	assert_int_equal(s->file.size, 0);
}

static void the_rest_of_it(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		/* Less than was asked for, which a server may do. */
		{ "HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 4-6/10\r\n"
		  "Content-Length: 3\r\n\r\n456",
		  NULL, false },
		/* Nor need it say how long all of it is (RFC 9110 14.4). */
		{ "HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 7-9/*\r\n"
		  "Content-Length: 3\r\n\r\n789",
		  NULL, false },
		{ OK_HEAD, NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 4, 10, "\"a\"");
	assert_got(s);
	assert_int_equal(s->file.from, 4);
	assert_non_null(strstr(s->log, "Range: bytes=4- If-Range: \"a\"|GET /files/in/a%20b Range: "
				       "bytes=7- If-Range: \"a\"|HEAD"));
}

static void a_broken_connection(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ OK_HEAD "0123", NULL, true },
		{ "HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 4-9/10\r\n"
		  "Content-Length: 6\r\n\r\n456789",
		  NULL, false },
		{ OK_HEAD, NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 0, 0, "");
	assert_got(s);
	assert_int_equal(s->files, 1);
	assert_string_equal(s->events, "get-resumed|");
}

/* A tag that does not name the octets, and no word on the length beforehand. */
static void what_cannot_be_resumed(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ "HTTP/1.1 200 OK\r\nETag: W/\"a\"\r\nContent-Length: 10\r\n\r\n0123", NULL,
		  true },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 0, 0, "");
	assert_failed(s, "no-answer", false);
	assert_string_equal(s->version, "");
}

/* All of it comes again, and is told as such. */
static void no_ranges(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ OK_HEAD "0123456789", NULL, false },
		{ OK_HEAD, NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 4, 10, "\"a\"");
	assert_got(s);
	assert_int_equal(s->file.from, 0);
}

static void changed_before_the_rest(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		/* A server that knows no If-Range. */
		{ "HTTP/1.1 206 Partial\r\nETag: \"b\"\r\nContent-Range: bytes 4-9/10\r\n"
		  "Content-Length: 6\r\n\r\nxxxxxx",
		  NULL, true },
		{ "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 10\r\n\r\n0123456789", NULL,
		  false },
		{ "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 10\r\n\r\n", NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 4, 10, "\"a\"");
	assert_got(s);
	assert_int_equal(s->file.from, 0);
	assert_string_equal(s->version, "\"b\"");
}

static void shorter_than_what_is_here(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", NULL, false },
		{ "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 3\r\n\r\n012", NULL, false },
		{ "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 3\r\n\r\n", NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 4, 10, "\"a\"");
	assert_int_equal(s->err, 0);
	assert_int_equal(s->end, 3);
}

static void changed_while_it_came(void **state)
{
	static const struct dav_answer answers[] = {
		NO_PROPFIND,
		{ OK_HEAD "0123456789", NULL, false },
		{ "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 10\r\n\r\n", NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 0, 0, "");
	assert_failed(s, "content-changed", false);
}

/* All of it was here, from a run before; nobody has looked since. */
static void changed_after_all_of_it_came(void **state)
{
	static const struct dav_answer answers[] = {
		{ MULTI(ITEM("/files/in/a%20b", "<D:getetag>\"c\"</D:getetag>")), NULL, true },
		{ "HTTP/1.1 200 OK\r\nETag: \"b\"\r\nContent-Length: 10\r\n\r\n", NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 10, 10, "\"a\"");
	assert_failed(s, "content-changed", false);
	assert_int_equal(s->files, 0);
}

/* lighttpd tells no tag with files that it knows no media type of. */
#define TOLD(tag)                                                                                  \
	{                                                                                          \
		MULTI(ITEM("/files/in/a%20b", "<D:getetag>\"" tag "\"</D:getetag>")), NULL, true   \
	}

static void only_propfind_names_it(void **state)
{
	static const struct dav_answer answers[] = {
		TOLD("p"),
		{ "HTTP/1.1 206 Partial\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789",
		  NULL, false },
		TOLD("p"),
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 4, 10, "P\"p\"");
	assert_got(s);
	assert_null(strstr(s->log, "If-Range"));
}

static void only_propfind_sees_the_change(void **state)
{
	static const struct dav_answer answers[] = {
		TOLD("q"),
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", NULL, false },
		TOLD("r"),
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	get_from(s, 4, 10, "P\"p\"");
	assert_string_equal(s->version, "P\"q\"");
	assert_int_equal(s->file.from, 0);
	assert_failed(s, "content-changed", false);
}

static void refusals(void **state)
{
	static const struct {
		struct dav_answer answers[2];
		const char *code;
		bool fatal;
	} cases[] = {
		{ { { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", NULL, false } },
		  "not-found",
		  true },
		{ { { "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", NULL, false } },
		  "login-refused",
		  true },
		{ { { "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", NULL, false } },
		  "http-503",
		  false },
		{ { { NULL, NULL, false } }, "no-answer", false },
		{ { { "HELO\r\n\r\n", NULL, true } }, "no-answer", false },
		{ { { MULTI(ITEM("/files/in/a%20b", DIRECTORY)), NULL, true } },
		  "is-directory",
		  true },
		{ { NO_PROPFIND,
		    { "HTTP/1.1 301 No\r\nLocation: /files/in/a%20b/\r\nContent-Length: 0\r\n\r\n",
		      NULL, false } },
		  "is-directory",
		  true },
		{ { NO_PROPFIND, { "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", NULL, false } },
		  "not-allowed",
		  true },
		/* An endless page around a refusal is that refusal. */
		{ { NO_PROPFIND,
		    { "HTTP/1.1 404 No\r\nConnection: close\r\n\r\n", "<p>not here</p>", false } },
		  "not-found",
		  true },
		{ { NO_PROPFIND, { "HTTP/1.1 204 No\r\n\r\n", NULL, true } }, "bad-answer", true },
		{ { NO_PROPFIND,
		    { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwho knows", NULL, true } },
		  "no-length",
		  true },
		{ { NO_PROPFIND,
		    { "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789",
		      NULL, false } },
		  "bad-answer",
		  true },
		{ { NO_PROPFIND,
		    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", NULL,
		      true } },
		  "no-length",
		  true },
		{ { { MULTI(ITEM("/files/in/a%20b", "<D:getcontentlength>5</D:getcontentlength>")),
		      NULL, true },
		    { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "more than it said", false } },
		  "bad-answer",
		  true },
	};
	struct dav *s = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		s->answers = cases[i].answers;
		s->n_answers = 2;
		s->next = 0;
		s->err = 0;
		s->done = false;
		get_from(s, 0, 0, "");
		assert_failed(s, cases[i].code, cases[i].fatal);
		dav_hang_up(s);
	}
}

/* A range that was not asked for, of what is there or of something else. */
static void wrong_ranges(void **state)
{
	static const char *const ranges[] = { "bytes 0-9/10",  "bytes 5-9/10",	"bytes 4-3/10",
					      "bytes 4-99/10", "octets 4-9/10", "",
					      "bytes */10" };
	char answer[200];
	struct dav_answer answers[] = { NO_PROPFIND, { answer, NULL, true } };
	struct dav *s = *state;
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		snprintf(answer, sizeof(answer),
			 "HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: %s\r\n"
			 "Content-Length: 6\r\n\r\n456789",
			 ranges[i]);
		DAV_ANSWERS(s, answers);
		s->next = 0;
		s->err = 0;
		s->done = false;
		get_from(s, 4, 10, "\"a\"");
		assert_failed(s, "bad-answer", true);
		assert_int_equal(s->end, 4);
		dav_hang_up(s);
	}
}

static void the_caller_has_no_room(void **state)
{
	static const struct dav_answer answers[] = { NO_PROPFIND,
						     { OK_HEAD "0123456789", NULL, false } };
	struct dav *s = *state;

	s->refuse = -ENOSPC;
	DAV_ANSWERS(s, answers);
	get_from(s, 0, 0, "");
	assert_failed(s, "spool-failed", false);
	assert_int_equal(s->err, -ENOSPC);
	assert_int_equal(s->end, 0);
}

/* Answers that never get to their point. */
static void endless_heads(void **state)
{
	static const struct dav_answer heads[] = {
		{ "HTTP/1.1 200 OK\r\n", "X-Nothing: to see here\r\n", false },
		{ "", "HTTP/1.1 100 Continue\r\n\r\n", false },
		{ "HTTP/1.1 200 ", "OK ", false },
	};
	struct dav_answer answers[] = { NO_PROPFIND, { NULL, NULL, false } };
	struct dav *s = *state;
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		answers[1] = heads[i];
		DAV_ANSWERS(s, answers);
		s->next = 0;
		s->err = 0;
		s->done = false;
		s->flood = 0;
		get_from(s, 0, 0, "");
		assert_failed(s, "no-answer", false);
		print_message("%zu: %s, %llu\n", i, s->text, (unsigned long long)s->flood);
		dav_hang_up(s);
	}
}

static void aborted(void **state)
{
	static const struct dav_answer answers[] = { NO_PROPFIND, { OK_HEAD "0123", NULL, false } };
	const struct share_get what = { "a", 0, 0, "" };
	struct dav *s = *state;
	struct share_conf conf = dav_conf(s);

	DAV_ANSWERS(s, answers);
	assert_int_equal(webdav_protocol.get(&conf, &what, dav_ops(), s, &s->call), 0);
	KIT_UNTIL(s->loop, s->end == 4);
	share_abort(s->call);
	share_abort(s->call);
	KIT_UNTIL(s->loop, s->done);
	assert_int_equal(s->err, -ECANCELED);
}

/* ---- list ---- */

static void a_directory(void **state)
{
	static const struct dav_answer answers[] = {
		{ MULTI(
			  /* Under whatever name the server knows itself. */
			  ITEM("http://nas.example/files/in", DIRECTORY) ITEM(
				  "/files/in/a%20%C3%A4.pdf",
				  "<D:getcontentlength> 5 </D:getcontentlength><D:getetag>\"x\"</D:getetag>"
				  "<D:getlastmodified>Thu, 26 Nov 2026 17:39:01 GMT</D:getlastmodified>")
				  ITEM("/files/in/sub/",
				       DIRECTORY "<D:getcontentlength>4096</D:getcontentlength>")
					  ITEM("/files/in/w",
					       "<D:getetag>W/\"x\"</D:getetag><D:getlastmodified>yesterday</D:getlastmodified>")
			  /* What the server does not tell, and what it does not let us see. */
			  "<D:response><D:href>/files/in/n</D:href><D:propstat><D:prop><D:getcontentlength>7</D:getcontentlength></D:prop>"
			  "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>"
			  "<D:response><D:href>/files/in/no</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response>"
			  /* No text. */
			  ITEM("/files/in/%E4", "") ITEM("/files/in/a%0Ab", "")
			  /* What leads elsewhere, at some servers. */
			  ITEM("/files/in/..%5Cb", "")),
		  NULL, true }
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	list(s, "in");
	if (s->err)
		fail_msg("%s", s->text);
	assert_string_equal(s->log, "PROPFIND /files/in/ Depth: 1|");
	assert_string_equal(
		s->entries,
		"f a \xc3\xa4.pdf 5 1795714741000 \"x\"|d sub -1 -1 |f w -1 -1 |f n -1 -1 |");
	assert_string_equal(s->events, "entries-left-out|");
}

static void the_base(void **state)
{
	static const struct dav_answer answers[] = {
		{ MULTI(ITEM("/files/", DIRECTORY) ITEM("/files/a", "")), NULL, true }
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	list(s, "");
	assert_int_equal(s->err, 0);
	assert_string_equal(s->entries, "f a -1 -1 |");
}

static void no_lists(void **state)
{
	static const struct {
		struct dav_answer answer;
		const char *code;
		bool fatal;
	} cases[] = {
		{ { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", NULL, false },
		  "not-found",
		  true },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", NULL, false },
		  "bad-answer",
		  true },
		{ { NULL, NULL, false }, "no-answer", false },
		{ { MULTI(ITEM("/files/in", "")), NULL, true }, "not-directory", true },
		/* Not about this directory at all. */
		{ { MULTI(""), NULL, true }, "bad-answer", true },
		{ { MULTI_HEAD "<html><body>", NULL, true }, "bad-answer", true },
		{ { MULTI_HEAD, NULL, true }, "bad-answer", true },
		{ { MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\">" SELF, NULL, true },
		  "bad-answer",
		  true },
		{ { MULTI_HEAD "<multistatus>" SELF "</multistatus>", NULL, true },
		  "bad-answer",
		  true },
		/* Out of it, below it, and what is no name. */
		{ { MULTI(SELF ITEM("/files/in/../x", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in/%2e%2e/", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in/.", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in/a/b", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in/a%2Fb", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in//", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/inside", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/etc/passwd", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("a", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("http://evil", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in/%", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF ITEM("/files/in/a%00b", "")), NULL, true }, "bad-answer", true },
		{ { MULTI(SELF "<D:response><D:propstat/></D:response>"), NULL, true },
		  "bad-answer",
		  true },
		/* Bombs. */
		{ { MULTI_HEAD
		    "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>"
		    "<D:multistatus xmlns:D=\"DAV:\">&b;</D:multistatus>",
		    NULL, true },
		  "bad-answer",
		  true },
		{ { MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\">", "<x>", false },
		  "bad-answer",
		  true },
		{ { MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/", "aaaaaaaa",
		    false },
		  "bad-answer",
		  true },
		{ { MULTI_HEAD "<", "aaaaaaaa", false }, "bad-answer", true },
		{ { MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\" a=\"", "aaaaaaaa", false },
		  "bad-answer",
		  true },
		{ { MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\">",
		    "<D:response><D:href>/files/in/a</D:href></D:response>", false },
		  "too-many",
		  true },
		{ { MULTI_HEAD "<D:multistatus xmlns:D=\"DAV:\">",
		    "<!-- nothing to see here, and no end of it -->", false },
		  "too-many",
		  true },
	};
	struct dav *s = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		s->answers = &cases[i].answer;
		s->n_answers = 1;
		s->next = 0;
		s->err = 0;
		s->done = false;
		list(s, "in");
		if (strcmp(s->code, cases[i].code) || !s->text[0] || s->fatal != cases[i].fatal)
			fail_msg("case %zu: %s: %s (%d)", i, s->code, s->text, s->err);
		assert_failed(s, cases[i].code, cases[i].fatal);
		dav_hang_up(s);
	}
}

static void names(void **state)
{
	struct dav *s = *state;
	struct share_conf conf = dav_conf(s);
	struct share_get what = { "../a", 0, 0, "" };
	char *name = malloc(SHARE_DIR_MAX + 2);

	assert_int_equal(webdav_protocol.get(&conf, &what, dav_ops(), s, &s->call), -EINVAL);
	what.name = "..\\..\\a";
	assert_int_equal(webdav_protocol.get(&conf, &what, dav_ops(), s, &s->call), -EINVAL);
	assert_int_equal(webdav_protocol.list(&conf, "..\\a", dav_ops(), s, &s->call), -EINVAL);
	assert_int_equal(webdav_protocol.list(&conf, "a/", dav_ops(), s, &s->call), -EINVAL);
	memset(name, 'a', SHARE_DIR_MAX + 1);
	name[SHARE_DIR_MAX + 1] = '\0';
	assert_int_equal(webdav_protocol.list(&conf, name, dav_ops(), s, &s->call), -ENAMETOOLONG);
	conf.base = "files";
	assert_int_equal(webdav_protocol.list(&conf, "", dav_ops(), s, &s->call), -EINVAL);
	free(name);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dav_setup, dav_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_of_it),
		TEST(nothing_in_it),
		TEST(the_rest_of_it),
		TEST(a_broken_connection),
		TEST(what_cannot_be_resumed),
		TEST(no_ranges),
		TEST(changed_before_the_rest),
		TEST(shorter_than_what_is_here),
		TEST(changed_while_it_came),
		TEST(changed_after_all_of_it_came),
		TEST(only_propfind_names_it),
		TEST(only_propfind_sees_the_change),
		TEST(refusals),
		TEST(wrong_ranges),
		TEST(the_caller_has_no_room),
		TEST(endless_heads),
		TEST(aborted),
		TEST(a_directory),
		TEST(the_base),
		TEST(no_lists),
		TEST(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
