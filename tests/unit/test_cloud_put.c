// SPDX-License-Identifier: GPL-2.0-or-later
/* Files put in pieces, and not in place of others (share.h, by WebDAV): only where the server does it right. */
#include "davkit.h"

#include "cloud/webdav_int.h"

#define SIZE ((uint64_t)3 << 20)
#define PIECE (64 << 10)
#define TAIL (2 * PIECE)

#define CREATED                                                                                    \
	{                                                                                          \
		"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", NULL, false                   \
	}
#define MISSING                                                                                    \
	{                                                                                          \
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", NULL, false                 \
	}
#define FREE MISSING
#define NO_QUOTA                                                                                   \
	{                                                                                          \
		"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n", NULL, false                        \
	}
#define STATUS_TEXT(code) "HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n"
#define STATUS(code)                                                                               \
	{                                                                                          \
		"HTTP/1.1 " code " X\r\nContent-Length: 0\r\n\r\n", NULL, false                    \
	}
#define LENGTH(n)                                                                                   \
	{                                                                                           \
		"HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n"                            \
		"<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/files/x</D:href><D:propstat>" \
		"<D:prop><D:getcontentlength>" n                                                    \
		"</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"   \
		"</D:response></D:multistatus>",                                                    \
			NULL, true                                                                  \
	}
#define ROOM(n)                                                                                    \
	{                                                                                          \
		"HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n"                           \
		"<D:quota-available-bytes xmlns:D=\"DAV:\">" n "</D:quota-available-bytes>",       \
			NULL, true                                                                 \
	}

/* Octets [from, to) of the file as a GET of them brings it; @wrong: one of them is another. */
static struct dav_answer tail(char *text, size_t size, uint64_t from, uint64_t to, uint64_t wrong)
{
	int n = snprintf(
		text, size,
		"HTTP/1.1 206 Partial\r\nContent-Range: bytes %llu-%llu/%llu\r\nContent-Length: %llu\r\n\r\n",
		(unsigned long long)from, (unsigned long long)to - 1, (unsigned long long)to,
		(unsigned long long)(to - from));
	uint64_t i;

	for (i = from; i < to; i++)
		text[(size_t)n + (i - from)] = (char)(kit_octet(i) + (i == wrong));
	text[(size_t)n + (to - from)] = '\0';
	return (struct dav_answer){ text, NULL, false };
}

/* The octets of the block that is compared besides the end of @from. */
#define SAMPLE(text, from, wrong)                                                                  \
	tail(text, sizeof(text), webdav_sample_at("t", from),                                      \
	     webdav_sample_at("t", from) + WEBDAV_SAMPLE_LEN, wrong)

static void put_rest(struct dav *s, uint64_t size, uint64_t delivered, bool clobber)
{
	const struct share_put what = {
		.name = "x",
		.tag = "t",
		.size = size,
		.delivered = delivered,
		.clobber = clobber,
		.tried = true,
	};
	struct share_conf conf = dav_conf(s);

	assert_int_equal(webdav_protocol.put(&conf, &what, dav_ops(), s, &s->call), 0);
	KIT_UNTIL(s->loop, s->done);
}

static void put(struct dav *s, uint64_t size, bool clobber)
{
	put_rest(s, size, size, clobber);
}

static void assert_put(const struct dav *s)
{
	if (s->err)
		fail_msg("%s: %s", s->code, s->text);
	assert_int_equal(s->next, s->n_answers);
}

#define T "/files/.shunt-t.part"
#define LOOKED "PROPFIND /files/ Depth: 0|PROPFIND /files/x Depth: 0|"
#define MOVED "MOVE " T " Overwrite: F|"

static void in_pieces(void **state)
{
	static char text[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		MISSING,
		CREATED,
		STATUS("204"),
		LENGTH("131072"),
		tail(text, sizeof(text), 0, TAIL, UINT64_MAX),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		LENGTH("3145728"),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(
		s->log, LOOKED
		"PROPFIND " T " Depth: 0|PUT " T "|"
		"PUT " T " Content-Range: bytes 65536-131071/3145728 If-Match: *|PROPFIND " T
		" Depth: 0|GET " T " Range: bytes=0-131071|"
		"PUT " T " Content-Range: bytes 131072-262143/3145728 If-Match: *|PUT " T
		" Content-Range: bytes 262144-524287/3145728 If-Match: *|"
		"PUT " T " Content-Range: bytes 524288-1048575/3145728 If-Match: *|PUT " T
		" Content-Range: bytes 1048576-2097151/3145728 If-Match: *|"
		"PUT " T " Content-Range: bytes 2097152-3145727/3145728 If-Match: *|PROPFIND " T
		" Depth: 0|" MOVED);
	assert_string_equal(s->events, "");
}

static void it_is_gone_on_with(void **state)
{
	static char text[TAIL + 200], block[TAIL + 200], proof[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		/* Room for what is missing is enough. */
		ROOM("1000000"),
		FREE,
		LENGTH("2500000"),
		tail(text, sizeof(text), 2500000 - TAIL, 2500000, UINT64_MAX),
		SAMPLE(block, 2500000, UINT64_MAX),
		STATUS("204"),
		LENGTH("2565536"),
		tail(proof, sizeof(proof), 2565536 - TAIL, 2565536, UINT64_MAX),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		LENGTH("3145728"),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(s->events, "put-resumed|");
	assert_int_equal(s->first_progress, 2500000);
}

/* Only the MOVE was missing. */
static void all_of_it_is_there(void **state)
{
	static char text[TAIL + 200], block[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		LENGTH("3145728"),
		tail(text, sizeof(text), SIZE - TAIL, SIZE, UINT64_MAX),
		SAMPLE(block, SIZE, UINT64_MAX),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(s->events, "put-resumed|");
}

/* What is there is not what it should be: a disk that lost it, or other keys. */
static void what_is_there_is_not_ours(void **state)
{
	static char text[TAIL + 200], proof[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,	   FREE,
		LENGTH("2500000"), tail(text, sizeof(text), 2500000 - TAIL, 2500000, 2400000),
		CREATED,	   STATUS("204"),
		LENGTH("131072"),  tail(proof, sizeof(proof), 0, TAIL, UINT64_MAX),
		STATUS("204"),	   STATUS("204"),
		STATUS("204"),	   STATUS("204"),
		STATUS("204"),	   LENGTH("3145728"),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(s->events, "put-restarted|");
}

/* A file that was given its length before its octets: no more is taken for there than was delivered, and not all of that. */
static void not_more_than_was_delivered(void **state)
{
	static char text[TAIL + 200], block[TAIL + 200], proof[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		LENGTH("3145728"),
		tail(text, sizeof(text), 500000 - TAIL, 500000, UINT64_MAX),
		SAMPLE(block, 500000, UINT64_MAX),
		STATUS("204"),
		LENGTH("3145728"),
		tail(proof, sizeof(proof), 565536 - TAIL, 565536, UINT64_MAX),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		LENGTH("3145728"),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put_rest(s, SIZE, 1000000, true);
	assert_put(s);
	assert_string_equal(s->events, "put-resumed|");
	assert_int_equal(s->first_progress, 500000);
}

/* Its end is right, by chance or because it is of the same octets, and there is a hole before. */
static void a_hole_is_found(void **state)
{
	static char text[TAIL + 200], block[TAIL + 200], proof[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		LENGTH("2500000"),
		tail(text, sizeof(text), 2500000 - TAIL, 2500000, UINT64_MAX),
		SAMPLE(block, 2500000, webdav_sample_at("t", 2500000) + 7),
		CREATED,
		STATUS("204"),
		LENGTH("131072"),
		tail(proof, sizeof(proof), 0, TAIL, UINT64_MAX),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		LENGTH("3145728"),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(s->events, "put-restarted|");
}

/* Somebody takes it away between two pieces: the next one would make a file with a hole. */
static void it_vanishes_between_pieces(void **state)
{
	static char text[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		MISSING,
		CREATED,
		STATUS("204"),
		LENGTH("131072"),
		tail(text, sizeof(text), 0, TAIL, UINT64_MAX),
		{ "HTTP/1.1 204 X\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n", NULL, false },
		STATUS("412"),
		CREATED,
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(s->events, "put-restarted|");
	assert_false(s->whole); /* it does take pieces */
	assert_non_null(strstr(s->log, "262144-524287/3145728 If-Match: \"e\"|PUT " T "|" MOVED));
}

/* Each of these is found out, and the whole is sent: in the last request before the MOVE. */
static void servers_that_cannot(void **state)
{
	static char zeros[TAIL + 200], short_tail[TAIL + 200];
	const struct dav_answer refuses[] = { NO_QUOTA,	     FREE,    MISSING, CREATED,
					      STATUS("501"), CREATED, CREATED };
	const struct dav_answer says_bad[] = { NO_QUOTA,      FREE,    MISSING, CREATED,
					       STATUS("400"), CREATED, CREATED };
	/* The piece was taken for the whole. */
	const struct dav_answer truncates[] = { NO_QUOTA, FREE,		 MISSING,
						CREATED,  STATUS("204"), LENGTH("65536"),
						CREATED,  CREATED };
	/* The same, at its place. */
	const struct dav_answer sparse[] = { NO_QUOTA,
					     FREE,
					     MISSING,
					     CREATED,
					     STATUS("204"),
					     LENGTH("131072"),
					     tail(zeros, sizeof(zeros), 0, TAIL, 5),
					     CREATED,
					     CREATED };
	const struct dav_answer silent[] = { NO_QUOTA,	    FREE,     MISSING, CREATED,
					     STATUS("204"), NO_QUOTA, CREATED, CREATED };
	const struct dav_answer unread[] = { NO_QUOTA,	    FREE,	   MISSING,
					     CREATED,	    STATUS("204"), LENGTH("131072"),
					     STATUS("403"), CREATED,	   CREATED };
	const struct dav_answer other[] = { NO_QUOTA,
					    FREE,
					    MISSING,
					    CREATED,
					    STATUS("204"),
					    LENGTH("131072"),
					    tail(short_tail, sizeof(short_tail), 1, TAIL,
						 UINT64_MAX),
					    CREATED,
					    CREATED };
	const struct {
		const struct dav_answer *answers;
		size_t n;
	} cases[] = {
		{ refuses, 7 }, { says_bad, 7 }, { truncates, 8 }, { sparse, 9 },
		{ silent, 8 },	{ unread, 9 },	 { other, 9 },
	};
	struct dav *s = *state;
	const char *last;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		s->answers = cases[i].answers;
		s->n_answers = cases[i].n;
		s->next = 0;
		s->done = false;
		s->log[0] = s->events[0] = '\0';
		put(s, SIZE, true);
		assert_put(s);
		assert_string_equal(s->events, "put-restarted|");
		last = strstr(s->log, "PUT " T "|" MOVED);
		assert_non_null(last);
		dav_hang_up(s);
	}
}

/* After all has gone in pieces the length is another: somebody else writes there, or the server lies. */
static void the_length_is_wrong_in_the_end(void **state)
{
	static char text[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		MISSING,
		CREATED,
		STATUS("204"),
		LENGTH("131072"),
		tail(text, sizeof(text), 0, TAIL, UINT64_MAX),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		LENGTH("3145727"),
		CREATED,
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_put(s);
	assert_string_equal(s->events, "put-restarted|");
	assert_non_null(strstr(s->log, "PUT " T "|" MOVED));
}

/* Whatever is said to a piece, as long as none was ever taken; the login, load and disk are something else. */
static void pieces_are_refused(void **state)
{
	static const char *const said[] = { STATUS_TEXT("403"), STATUS_TEXT("409"),
					    STATUS_TEXT("412"), STATUS_TEXT("413"),
					    STATUS_TEXT("422"), STATUS_TEXT("500"),
					    STATUS_TEXT("502") };
	static const char *const other[] = { STATUS_TEXT("423"), STATUS_TEXT("429"),
					     STATUS_TEXT("507") };
	static const struct dav_answer as_a_whole[] = { NO_QUOTA, FREE, CREATED, CREATED };
	struct dav_answer answers[] = {
		NO_QUOTA, FREE, MISSING, CREATED, CREATED, CREATED, CREATED
	};
	struct share_put what = {
		.name = "x", .tag = "t", .size = SIZE, .clobber = true, .tried = true
	};
	struct share_conf conf = dav_conf(*state);
	struct dav *s = *state;
	size_t i;

	for (i = 0; i < sizeof(said) / sizeof(*said); i++) {
		answers[4].text = said[i];
		DAV_ANSWERS(s, answers);
		s->next = 0;
		s->done = s->whole = false;
		s->log[0] = '\0';
		put(s, SIZE, true);
		assert_put(s);
		assert_true(s->whole);
		dav_hang_up(s);
	}
	/* The next try of the job does not try it again. */
	DAV_ANSWERS(s, as_a_whole);
	s->next = 0;
	s->done = false;
	s->log[0] = '\0';
	what.whole = true;
	assert_int_equal(webdav_protocol.put(&conf, &what, dav_ops(), s, &s->call), 0);
	KIT_UNTIL(s->loop, s->done);
	assert_put(s);
	assert_string_equal(s->log, LOOKED "PUT " T "|" MOVED);
	dav_hang_up(s);
	for (i = 0; i < sizeof(other) / sizeof(*other); i++) {
		answers[4].text = other[i];
		DAV_ANSWERS(s, answers);
		s->next = 0;
		s->done = s->whole = false;
		s->err = 0;
		s->log[0] = '\0';
		put(s, SIZE, true);
		assert_int_not_equal(s->err, 0);
		assert_false(s->whole);
		dav_hang_up(s);
	}
}

static void small_is_put_whole(void **state)
{
	static const struct dav_answer answers[] = { NO_QUOTA, FREE, CREATED, CREATED };
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, true);
	assert_put(s);
}

static void no_room(void **state)
{
	static const struct dav_answer answers[] = { ROOM("1000000"), FREE, MISSING, MISSING };
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, SIZE, true);
	assert_string_equal(s->code, "no-room");
	assert_true(s->fatal);
	assert_null(strstr(s->log, "PUT"));
}

/* ---- what has the name ---- */

#define DIRECTORY                                                                                    \
	{                                                                                            \
		"HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n"                             \
		"<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/files/x/</D:href><D:propstat>" \
		"<D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop>"                  \
		"<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>",    \
			NULL, true                                                                   \
	}
#define TAKEN STATUS("412")

static void the_name_is_taken(void **state)
{
	static const struct dav_answer answers[] = { NO_QUOTA, LENGTH("7") };
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, false);
	assert_string_equal(s->code, "exists");
	assert_true(s->fatal);
	assert_string_equal(s->log, LOOKED);
}

/* By servers that have no PROPFIND. */
static void head_says_that_it_is_taken(void **state)
{
	static const struct dav_answer answers[] = {
		NO_QUOTA,
		NO_QUOTA,
		{ "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 7\r\n\r\n", NULL, false },
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, false);
	assert_string_equal(s->code, "exists");
	assert_string_equal(s->log, LOOKED "HEAD /files/x|");
}

/* Somebody took it while the content was sent. */
static void the_name_is_taken_meanwhile(void **state)
{
	static const struct dav_answer answers[] = { NO_QUOTA, FREE, CREATED, TAKEN,
						     STATUS("204") };
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, false);
	assert_string_equal(s->code, "exists");
	assert_true(s->fatal);
	assert_non_null(strstr(s->log, "MOVE " T " Overwrite: F|DELETE " T "|"));
}

static void the_name_is_free(void **state)
{
	static const struct dav_answer answers[] = { NO_QUOTA, FREE, CREATED, CREATED };
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, false);
	assert_put(s);
}

/* Overwritten is a file, and what was looked at just before. */
static void a_file_is_replaced(void **state)
{
	static const struct dav_answer answers[] = { NO_QUOTA, LENGTH("7"), CREATED,
						     TAKEN,    LENGTH("7"), STATUS("204") };
	static const struct dav_answer old[] = {
		NO_QUOTA,
		NO_QUOTA,
		{ "HTTP/1.1 404 Not Found\r\n\r\n", NULL, false },
		CREATED,
		TAKEN,
		NO_QUOTA,
		{ "HTTP/1.1 200 OK\r\nLast-Modified: x\r\nContent-Length: 7\r\n\r\n", NULL, false },
		CREATED
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, true);
	assert_put(s);
	assert_string_equal(s->log, LOOKED "PUT " T "|" MOVED "PROPFIND /files/x Depth: 0|MOVE " T
					   " Overwrite: T|");
	s->log[0] = '\0';
	s->done = false;
	s->next = 0;
	DAV_ANSWERS(s, old);
	put(s, 1000, true);
	assert_put(s);
	assert_non_null(strstr(s->log, "HEAD /files/x|MOVE " T " Overwrite: T|"));
}

/* RFC 4918 9.9.3: to overwrite it would delete all that is below. */
static void a_directory_is_never_replaced(void **state)
{
	static const struct dav_answer before[] = { NO_QUOTA, DIRECTORY };
	static const struct dav_answer led[] = {
		NO_QUOTA,
		NO_QUOTA,
		{ "HTTP/1.1 301 There\r\nLocation: http://nas/files/x/\r\nContent-Length: 0\r\n\r\n",
		  NULL, false },
	};
	static const struct dav_answer meanwhile[] = { NO_QUOTA, LENGTH("7"), CREATED,
						       TAKEN,	 DIRECTORY,   STATUS("204") };
	/* What it is the server does not say. */
	static const struct dav_answer untold[] = { NO_QUOTA, FREE,	     CREATED,	   TAKEN,
						    NO_QUOTA, STATUS("200"), STATUS("204") };
	const struct {
		const struct dav_answer *answers;
		size_t n;
		const char *code;
	} cases[] = {
		{ before, 2, "is-directory" },
		{ led, 3, "is-directory" },
		{ meanwhile, 6, "is-directory" },
		{ untold, 7, "exists" },
	};
	struct dav *s = *state;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		s->answers = cases[i].answers;
		s->n_answers = cases[i].n;
		s->next = 0;
		s->done = false;
		s->log[0] = '\0';
		put(s, 1000, true);
		assert_string_equal(s->code, cases[i].code);
		assert_true(s->fatal);
		assert_int_equal(s->next, s->n_answers);
		assert_null(strstr(s->log, "Overwrite: T"));
		/* What was sent is taken away again. */
		assert_true(!strstr(s->log, "PUT") == !strstr(s->log, "DELETE " T "|"));
		dav_hang_up(s);
	}
}

/* It comes and goes: not for ever. */
static void the_name_is_taken_and_free(void **state)
{
	static const struct dav_answer answers[] = {
		NO_QUOTA, FREE, CREATED, TAKEN, FREE, TAKEN, FREE, TAKEN, FREE, STATUS("204")
	};
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put(s, 1000, true);
	assert_string_equal(s->code, "exists");
	assert_int_equal(s->next, s->n_answers);
}

/* ---- the trial ---- */

#define TRIAL "/files/.shunt-t-trial.part"
#define TRIED "PUT " TRIAL "|PUT " TRIAL " Content-Range: bytes 4-7/8|"
#define READ(text)                                                                                 \
	{                                                                                          \
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" text, NULL, true                    \
	}

static void put_untried(struct dav *s)
{
	const struct share_put what = { .name = "x", .tag = "t", .size = SIZE, .clobber = true };
	struct share_conf conf = dav_conf(s);

	assert_int_equal(webdav_protocol.put(&conf, &what, dav_ops(), s, &s->call), 0);
	KIT_UNTIL(s->loop, s->done);
}

/* No content is sent to find out: it begins as soon as the server has put eight other octets together. */
static void a_server_is_tried(void **state)
{
	static char text[TAIL + 200];
	struct dav *s = *state;
	struct dav_answer answers[] = {
		NO_QUOTA,
		FREE,
		MISSING,
		CREATED,
		STATUS("204"),
		READ("shunt it"),
		STATUS("204"),
		CREATED,
		STATUS("204"),
		LENGTH("131072"),
		tail(text, sizeof(text), 0, TAIL, UINT64_MAX),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		STATUS("204"),
		LENGTH("3145728"),
		CREATED,
	};

	DAV_ANSWERS(s, answers);
	put_untried(s);
	assert_put(s);
	assert_non_null(strstr(s->log, LOOKED "PROPFIND " T " Depth: 0|" TRIED "GET " TRIAL
					      "|DELETE " TRIAL "|PUT " T "|PUT " T
					      " Content-Range: bytes 65536-131071/3145728"));
	assert_false(s->whole);
	assert_string_equal(s->events, "");
}

/* Each way of failing it has all of the content put once, and is remembered. */
static void a_server_fails_the_trial(void **state)
{
	static const struct {
		struct dav_answer rest, read;
		const char *log;
	} rows[] = {
		{ STATUS("204"), READ("t it"), TRIED "GET " TRIAL "|DELETE " TRIAL "|" },
		{ STATUS("204"), READ("shunt it too"), TRIED "GET " TRIAL "|DELETE " TRIAL "|" },
		{ STATUS("204"), STATUS("404"), TRIED "GET " TRIAL "|DELETE " TRIAL "|" },
		{ STATUS("400"), { 0 }, TRIED "DELETE " TRIAL "|" },
		{ STATUS("501"), { 0 }, TRIED "DELETE " TRIAL "|" },
	};
	struct dav *s = *state;
	char log[1024];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct dav_answer read[] = { NO_QUOTA,	  FREE,		MISSING,
						   CREATED,	  rows[i].rest, rows[i].read,
						   STATUS("204"), CREATED,	CREATED };
		const struct dav_answer unread[] = { NO_QUOTA,	   FREE,	  MISSING, CREATED,
						     rows[i].rest, STATUS("204"), CREATED, CREATED };

		s->next = 0;
		s->log[0] = '\0';
		s->done = s->whole = false;
		if (rows[i].read.text)
			DAV_ANSWERS(s, read);
		else
			DAV_ANSWERS(s, unread);
		put_untried(s);
		assert_put(s);
		snprintf(log, sizeof(log), LOOKED "PROPFIND " T " Depth: 0|%sPUT " T "|" MOVED,
			 rows[i].log);
		assert_string_equal(s->log, log);
		assert_true(s->whole);
		assert_string_equal(s->events, "");
		dav_hang_up(s);
	}
}

/* One that does not even take the first piece says why when it is sent the whole. */
static void a_server_refuses_the_trial(void **state)
{
	static const struct dav_answer answers[] = { NO_QUOTA,	    FREE,	   MISSING,
						     STATUS("403"), STATUS("403"), STATUS("204") };
	struct dav *s = *state;

	DAV_ANSWERS(s, answers);
	put_untried(s);
	assert_string_equal(s->code, "not-allowed");
	assert_true(s->fatal);
	assert_int_equal(s->next, s->n_answers);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dav_setup, dav_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_pieces),
		TEST(it_is_gone_on_with),
		TEST(all_of_it_is_there),
		TEST(what_is_there_is_not_ours),
		TEST(servers_that_cannot),
		TEST(the_length_is_wrong_in_the_end),
		TEST(small_is_put_whole),
		TEST(no_room),
		TEST(the_name_is_taken),
		TEST(the_name_is_taken_meanwhile),
		TEST(the_name_is_free),
		TEST(head_says_that_it_is_taken),
		TEST(a_file_is_replaced),
		TEST(a_directory_is_never_replaced),
		TEST(the_name_is_taken_and_free),
		TEST(pieces_are_refused),
		TEST(not_more_than_was_delivered),
		TEST(a_hole_is_found),
		TEST(it_vanishes_between_pieces),
		TEST(a_server_is_tried),
		TEST(a_server_fails_the_trial),
		TEST(a_server_refuses_the_trial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
