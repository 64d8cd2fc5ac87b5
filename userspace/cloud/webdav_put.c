// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * webdav_put: share.h's put over WebDAV.
 *
 *	room? ─▶ what has the name? ─▶ what did an earlier try leave? ─▶ directories ─▶ pieces? ─▶ PUT ─▶ MOVE
 *
 * A MOVE that overwrites deletes what is in its place first, a directory with all that is below it (RFC 4918 9.9.3). So
 * one that must not overwrite is always tried first; only after it was refused, and what has the name was seen to be a
 * file, is there one that may. The look before the PUT spares sending what has no place to go to.
 *
 * WebDAV has no partial PUT. Some servers have one all the same (RFC 9110 14.5: Apache, lighttpd where it is switched on),
 * others ignore Content-Range and would take a piece for the whole. So before content of some size goes there a file of eight
 * octets does, in two pieces, under a name of its own, and is read back: no content is sent twice to find out. Only a server
 * that has put them together right is sent content in pieces, the first two of which are read back, too; and only then
 * is what an earlier try left gone on with. Of that never more counts than was delivered, as a server may give a file its
 * length before it has its octets; the last of them are compared first, and a block somewhere before. A piece is for the
 * file that has the ones before it (If-Match), or it would make a new one with a hole. Anything else is put as a whole.
 * Of what went in pieces the length is compared before the MOVE.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/multistatus.h"
#include "cloud/quota.h"
#include "cloud/webdav.h"
#include "cloud/webdav_int.h"
#include "lib/err.h"
#include "lib/loop.h"

enum step {
	STEP_QUOTA, /* PROPFIND: is there room? */
	STEP_LOOK, /* PROPFIND: what has the name? */
	STEP_PEEK, /* HEAD: the same, of servers that have no PROPFIND */
	STEP_LENGTH, /* PROPFIND: how much of it is there under the temporary name? */
	STEP_TAIL, /* GET: is the end of that what it should be? */
	STEP_SAMPLE, /* GET: and a block before? */
	STEP_MKCOL, /* of the directories on the way, from the top */
	STEP_TRIAL, /* PUT: the first piece of a file that is no content */
	STEP_TRIAL_REST, /* PUT: its second */
	STEP_TRIAL_READ, /* GET */
	STEP_TRIAL_END, /* DELETE */
	STEP_PUT,
	STEP_MOVE,
	STEP_DELETE, /* of the temporary file, after a refusal or an abort; of the trial's, if it was under way */
};

struct put {
	struct webdav w;
	enum step step;
	char final[WEBDAV_URL_MAX], temporary[WEBDAV_URL_MAX], trial[WEBDAV_URL_MAX];
	uint64_t size, pos; /* pos: the next octet to send */
	bool clobber;
	bool refused; /* by a MOVE that must not overwrite: the name is looked at for another */
	bool overwrite; /* what has the name is a file, and the MOVE may replace it */
	unsigned int moves;
	/* In pieces; else as a whole, from the start. */
	bool pieces, proven; /* proven: the server puts them together right */
	bool tried; /* or at least those that are no content */
	uint64_t end; /* of the piece that is being sent; before it is there: octets [0, from) are */
	uint64_t from;
	uint64_t grown; /* length of the last piece */
	uint64_t room; /* that the server tells, or QUOTA_UNKNOWN */
	uint64_t length; /* what PROPFIND told, of a file */
	bool directory; /* it is one, says PROPFIND */
	uint64_t compared, compare_to; /* the next octet to compare, and where that ends */
	uint64_t delivered; /* as in share_put */
	uint64_t there; /* length of what is gone on with, which may have more than is taken for there */
	char tag[ID_LEN]; /* of the job */
	char etag[SHARE_VERSION_LEN]; /* strong, of what is there; "": not told */
	char told[SHARE_VERSION_LEN]; /* by PROPFIND */
	bool tail_differs;
	size_t base_len; /* of the base in a path, with the slash behind */
	unsigned int missing; /* directories that MKCOL is still to be asked for */
	struct webdav_body question;
};

#define PIECES_MIN                                                                                 \
	((uint64_t)1 << 20) /* less is put as a whole: to find out would cost more than it saves */
#define PROBE_LEN ((uint64_t)64 << 10) /* of the first two pieces */
#define PIECE_MAX ((uint64_t)16 << 20)
#define TAIL_LEN WEBDAV_TAIL_LEN /* of the first two pieces, too */
#define TRIAL_FIRST "shun"
#define TRIAL_REST "t it"
#define MOVES_MAX 3 /* where the name is taken and free by turns */

/* ---- one request ---- */

static ssize_t read_content(void *arg, void *buf, size_t len)
{
	struct put *put = arg;
	uint64_t left = put->end - put->pos;
	ssize_t got;

	if (len > left)
		len = left;
	if (!len)
		return 0;
	got = put->w.ops.read(put->pos, buf, len, put->w.arg);
	if (got <= 0)
		return got ? got : -ENODATA;
	if (put->w.ops.on_wire)
		put->w.ops.on_wire(put->pos, put->pos + (uint64_t)got, put->w.arg);
	put->pos += (uint64_t)got;
	return got;
}

/* The path of the first directory that is missing; @path is the temporary file's. RFC 4918 5.2: with a slash behind. */
static const char *collection_path(const struct put *put, const char *path,
				   char out[WEBDAV_URL_MAX])
{
	unsigned int left = put->missing;
	char *p = stpcpy(out, path);

	while (left)
		if (*--p == '/')
			left--;
	p[1] = '\0';
	return out;
}

/* What the GET of the tail brings is what would be sent in its place. */
static int on_tail(void *arg, const void *data, size_t len)
{
	const uint8_t *theirs = data;
	struct put *put = arg;
	uint8_t ours[4096];
	ssize_t n;

	while (len && !put->tail_differs) {
		if (put->compared == put->compare_to) {
			put->tail_differs = true; /* more than was asked for */
			break;
		}
		n = put->w.ops.read(put->compared, ours, len < sizeof(ours) ? len : sizeof(ours),
				    put->w.arg);
		if (n <= 0)
			return n ? (int)n : -ENODATA;
		if ((uint64_t)n > put->compare_to - put->compared)
			n = (ssize_t)(put->compare_to - put->compared);
		put->tail_differs = memcmp(ours, theirs, (size_t)n) != 0;
		put->compared += (uint64_t)n;
		theirs += n;
		len -= (size_t)n;
	}
	/* The rest is of no interest. */
	return put->tail_differs ? -EBADMSG : 0;
}

static int on_tail_head(void *arg, const struct http_head *head)
{
	struct put *put = arg;
	struct content_range range;

	if (head->status == 200)
		put->tail_differs = put->compared != 0;
	else
		put->tail_differs = head->status != 206 ||
				    content_range_parse(head->range, &range) ||
				    range.from != put->compared || range.to != put->compare_to;
	return put->tail_differs ? -EBADMSG : 0;
}

static void on_answer(const struct http_reply *reply, void *arg);

/* The properties of @what: the question as a body. */
static void ask_properties(struct put *put, struct http_request *req, const char *what)
{
	static const char *const headers[] = { "Depth: 0", "Content-Type: application/xml", NULL };

	put->question = (struct webdav_body){ .text = what };
	req->headers = headers;
	req->read = webdav_body_read;
	req->read_arg = &put->question;
	req->size = strlen(what);
}

/* Eight octets that are no content. */
static void send_trial(struct put *put, struct http_request *req, const char *piece)
{
	put->question = (struct webdav_body){ .text = piece };
	req->read = webdav_body_read;
	req->read_arg = &put->question;
	req->size = strlen(piece);
}

/* The content, or the next piece of it. */
static void send_content(struct put *put, struct http_request *req)
{
	put->pos = put->from;
	put->end = put->size;
	if (put->pieces) {
		put->grown = !put->proven	     ? PROBE_LEN :
			     put->grown >= PIECE_MAX ? PIECE_MAX :
						       2 * put->grown;
		if (put->grown < put->size - put->from)
			put->end = put->from + put->grown;
	}
	req->read = read_content;
	req->read_arg = put;
	req->size = put->end - put->from;
	req->stall_s = SHARE_STALL_S;
}

static void compare(struct put *put, struct http_request *req)
{
	if (put->step == STEP_TAIL) {
		put->compared = put->from > TAIL_LEN ? put->from - TAIL_LEN : 0;
		put->compare_to = put->from;
	} else {
		put->compared = webdav_sample_at(put->tag, put->from);
		put->compare_to = put->compared + WEBDAV_SAMPLE_LEN;
	}
	put->tail_differs = false;
	req->on_head = on_tail_head;
	req->on_body = on_tail;
	req->body_arg = put;
}

static bool is_trial(enum step step)
{
	return step >= STEP_TRIAL && step <= STEP_TRIAL_END;
}

static int begin(struct put *put, enum step step)
{
	static const char *const methods[] = { "PROPFIND", "PROPFIND", "HEAD", "PROPFIND", "GET",
					       "GET",	   "MKCOL",    "PUT",  "PUT",	   "GET",
					       "DELETE",   "PUT",      "MOVE", "DELETE" };
	char line[WEBDAV_URL_MAX + 16], collection[WEBDAV_URL_MAX], same[SHARE_VERSION_LEN + 16];
	static const char *const trial_rest[] = { "Content-Range: bytes 4-7/8", NULL };
	const char *headers[] = { line, NULL, NULL };
	struct http_request req = {
		.method = methods[step],
		.path = webdav_path(put->temporary),
	};

	if (is_trial(step) || (is_trial(put->step) && step == STEP_DELETE))
		req.path = webdav_path(put->trial);
	put->step = step;
	switch (step) {
	case STEP_QUOTA:
		snprintf(collection, sizeof(collection), "%.*s", (int)put->base_len, req.path);
		req.path = collection;
		ask_properties(put, &req, QUOTA_QUESTION);
		break;
	case STEP_LOOK:
		req.path = webdav_path(put->final);
		ask_properties(put, &req, MULTISTATUS_QUESTION);
		break;
	case STEP_PEEK:
		req.path = webdav_path(put->final);
		break;
	case STEP_LENGTH:
		ask_properties(put, &req, MULTISTATUS_QUESTION);
		break;
	case STEP_TAIL:
	case STEP_SAMPLE:
		compare(put, &req);
		snprintf(line, sizeof(line), "Range: bytes=%llu-%llu",
			 (unsigned long long)put->compared,
			 (unsigned long long)put->compare_to - 1);
		req.headers = headers;
		break;
	case STEP_MKCOL:
		req.path = collection_path(put, req.path, collection);
		break;
	case STEP_TRIAL:
		send_trial(put, &req, TRIAL_FIRST);
		break;
	case STEP_TRIAL_REST:
		send_trial(put, &req, TRIAL_REST);
		req.headers = trial_rest;
		break;
	case STEP_PUT:
		send_content(put, &req);
		if (!put->from)
			break;
		snprintf(line, sizeof(line), "Content-Range: bytes %llu-%llu/%llu",
			 (unsigned long long)put->from, (unsigned long long)put->end - 1,
			 (unsigned long long)put->size);
		/* RFC 9110 13.1.1: else it is at least not to make a file. */
		snprintf(same, sizeof(same), "If-Match: %s", put->etag[0] ? put->etag : "*");
		headers[1] = same;
		req.headers = headers;
		break;
	case STEP_MOVE:
		snprintf(line, sizeof(line), "Destination: %s", put->final);
		/* RFC 4918 10.6 */
		headers[1] = put->overwrite ? "Overwrite: T" : "Overwrite: F";
		req.headers = headers;
		break;
	case STEP_TRIAL_READ:
	case STEP_TRIAL_END:
	case STEP_DELETE:
		break;
	}
	return webdav_ask(&put->w, &req, on_answer);
}

static void next(struct put *put, enum step step)
{
	if (begin(put, step))
		webdav_out_of_memory(&put->w);
}

/* There is room for it: the directories, the trial, and the content. */
static void send_it(struct put *put)
{
	next(put, put->missing ? STEP_MKCOL : put->pieces && !put->tried ? STEP_TRIAL : STEP_PUT);
}

/* ---- results ---- */

/* Another try overwrites the temporary file; without one nobody would remove it. */
static void refused(struct put *put, const struct http_reply *reply)
{
	bool before = put->step < STEP_PUT && !put->refused;

	webdav_refused(&put->w, reply);
	if (!put->w.fatal || before || begin(put, STEP_DELETE))
		webdav_over(&put->w);
}

static void broken(struct put *put, const struct http_reply *reply)
{
	webdav_broken(&put->w, reply);
	webdav_over(&put->w);
}

/*
 * RFC 4918 9.3.1: 405 is a directory that is there. Other refusals may mean that, too, where only what is below may be
 * written to (403), or servers send elsewhere (301); whether it is there PUT will tell.
 */
static bool collection_passes(int status)
{
	return status < 400 ||
	       (status < 500 && status != 401 && status != 408 && status != 423 && status != 429) ||
	       status == 501 || status == 505;
}

/* What an earlier try left, or this one, would stay for ever. */
static void give_up(struct put *put)
{
	if ((put->size < PIECES_MIN && !put->refused) || begin(put, STEP_DELETE))
		webdav_over(&put->w);
}

/* Is there no room for what is still to be sent? Then it is over. */
static bool lacks_room(struct put *put)
{
	uint64_t rest = put->size - put->from;
	char text[128];

	if (rest <= put->room)
		return false;
	snprintf(text, sizeof(text), "the file server has room for %llu bytes, the file has %llu",
		 (unsigned long long)put->room, (unsigned long long)rest);
	webdav_set(&put->w, -ENOSPC, true, "no-room", text);
	give_up(put);
	return true;
}

static void after_look(struct put *put)
{
	if (put->pieces)
		next(put, STEP_LENGTH);
	else if (!lacks_room(put))
		send_it(put);
}

/* A server that does not tell, whatever it says instead, is one that has room: PUT will be refused if not. */
static void on_quota(struct put *put, const struct http_reply *reply)
{
	uint64_t room = reply->err || reply->status != 207 ?
				QUOTA_UNKNOWN :
				quota_available(reply->body, reply->len);

	put->room = room;
	next(put, STEP_LOOK);
}

/* ---- what has the name ---- */

static int on_item(const struct multistatus_item *item, void *arg)
{
	struct put *put = arg;

	put->directory = item->directory;
	put->length = item->directory ? CONTENT_SIZE_UNKNOWN : item->size;
	snprintf(put->told, sizeof(put->told), "%s", webdav_strong(item->etag));
	return 0;
}

/* Length and directory; CONTENT_SIZE_UNKNOWN where it is not there, or not told. False: there is no memory. */
static bool read_properties(struct put *put, const struct http_reply *reply)
{
	struct multistatus *m;

	put->length = CONTENT_SIZE_UNKNOWN;
	put->directory = false;
	put->told[0] = '\0';
	if (reply->err || reply->status != 207)
		return true;
	if (multistatus_new(on_item, put, &m))
		return false;
	if (multistatus_feed(m, reply->body, reply->len) || multistatus_end(m)) {
		put->length = CONTENT_SIZE_UNKNOWN;
		put->directory = false;
	}
	multistatus_free(m);
	return true;
}

static void is_directory(struct put *put)
{
	webdav_set(&put->w, -EISDIR, true, "is-directory", "a directory has the file's name");
	give_up(put);
}

static void is_taken(struct put *put)
{
	webdav_set(
		&put->w, -EEXIST, true, "exists",
		put->length == put->size ?
			"a file of that name and size is there already; an earlier try of this job may have put it there" :
			"a file of that name is there already");
	give_up(put);
}

/* The MOVE was refused for what has the name; @file: that is a file. */
static void after_refusal(struct put *put, bool file, const struct http_reply *reply)
{
	bool gone = reply->status == 404 || reply->status == 410;

	put->overwrite = file;
	/* Somebody may have taken it away meanwhile. */
	if ((file || gone) && ++put->moves < MOVES_MAX) {
		next(put, STEP_MOVE);
	} else if (reply->status >= 300 && !gone) {
		refused(put, reply);
	} else {
		webdav_set(
			&put->w, -EEXIST, true, "exists",
			"something has the file's name, and the file server does not say that it is a file");
		give_up(put);
	}
}

/* Before the PUT it is about not sending all of it first, and what the server does not tell the MOVE will. */
static void on_look(struct put *put, const struct http_reply *reply)
{
	int status = reply->status;
	bool file;

	if (!read_properties(put, reply)) {
		webdav_out_of_memory(&put->w);
		return;
	}
	file = put->length != CONTENT_SIZE_UNKNOWN;
	if (put->step == STEP_LOOK && (status == 405 || status == 501)) {
		next(put, STEP_PEEK);
		return;
	}
	/* Pages that are made of a directory have neither. */
	if (put->step == STEP_PEEK && status == 200 &&
	    (reply->head.etag[0] || reply->head.modified[0])) {
		file = true;
		put->length = reply->head.length;
	}
	if (put->directory || webdav_leads_to_directory(&reply->head))
		is_directory(put);
	else if (file && !put->clobber)
		is_taken(put);
	else if (put->refused)
		after_refusal(put, file, reply);
	else
		after_look(put);
}

/* RFC 4918 9.9.4: the name is taken. By what? */
static bool is_refused_move(const struct put *put, int status)
{
	return put->step == STEP_MOVE && status == 412 && put->clobber && !put->overwrite;
}

static void on_refused_move(struct put *put)
{
	put->refused = true;
	next(put, STEP_LOOK);
}

static void on_collection(struct put *put)
{
	put->missing--;
	send_it(put);
}

/* ---- pieces ---- */

static void as_a_whole(struct put *put, const char *reason, const char *text)
{
	webdav_event(&put->w, "put-restarted", reason, text);
	put->pieces = false;
	put->from = put->there = 0;
	next(put, STEP_PUT);
}

/* The trial's next step; a server that fails it gets the whole, at once and in other tries. */
static void on_trial(struct put *put, const struct http_reply *reply)
{
	bool good = !reply->err && reply->status >= 200 && reply->status < 300;
	enum step step = put->step;

	put->tried = true;
	if (step == STEP_TRIAL_END) {
		next(put, STEP_PUT);
		return;
	}
	if (step == STEP_TRIAL_READ)
		good = good && reply->len == strlen(TRIAL_FIRST TRIAL_REST) &&
		       !memcmp(reply->body, TRIAL_FIRST TRIAL_REST, reply->len);
	if (good) {
		next(put, step + 1);
		return;
	}
	put->pieces = false;
	if (put->w.ops.on_whole)
		put->w.ops.on_whole(put->w.arg);
	next(put, step == STEP_TRIAL ? STEP_PUT : STEP_TRIAL_END);
}

/* As a whole, then, and so in other tries. */
static void restart(struct put *put, const char *reason, const char *text)
{
	if (put->w.ops.on_whole)
		put->w.ops.on_whole(put->w.arg);
	as_a_whole(put, reason, text);
}

/*
 * How much of what is there to go on with. Where it has more than was delivered its length says nothing, and what was on
 * its way last may not be there either.
 */
static uint64_t usable(const struct put *put)
{
	uint64_t most = put->delivered;

	if (put->length == CONTENT_SIZE_UNKNOWN || put->length > put->size)
		return 0;
	if (put->length <= most)
		return put->length;
	return most / 2 > PIECE_MAX ? most - PIECE_MAX : most / 2;
}

/* That all sent so far is there. */
static bool length_right(const struct put *put)
{
	return put->length == (put->from > put->there ? put->from : put->there);
}

static void on_length(struct put *put, const struct http_reply *reply)
{
	if (!read_properties(put, reply)) {
		webdav_out_of_memory(&put->w);
	} else if (put->grown && !length_right(put)) {
		restart(put, "no-ranges", "the file server does not put pieces together");
	} else if (put->grown && put->proven) {
		next(put, STEP_MOVE); /* it was the last look */
	} else if (put->grown) {
		memcpy(put->etag, put->told, sizeof(put->etag));
		next(put, STEP_TAIL);
	} else if (!usable(put)) {
		if (!lacks_room(put))
			send_it(put);
	} else {
		put->from = usable(put);
		put->there = put->length;
		memcpy(put->etag, put->told, sizeof(put->etag));
		next(put, STEP_TAIL);
	}
}

static void on_compared(struct put *put, const struct http_reply *reply)
{
	char text[128];

	if (put->tail_differs || reply->status < 200 || reply->status >= 300 ||
	    put->compared != put->compare_to) {
		if (put->grown) {
			restart(put, "no-ranges",
				"the file server does not put pieces together right");
			return;
		}
		webdav_event(&put->w, "put-restarted", "content-differs",
			     "what an earlier try left is not what it should be");
		put->from = put->there = 0;
		next(put, STEP_PUT);
		return;
	}
	if (!put->grown && put->step == STEP_TAIL && put->from > TAIL_LEN + WEBDAV_SAMPLE_LEN) {
		next(put, STEP_SAMPLE);
		return;
	}
	if (put->grown) {
		put->proven = true;
		next(put, put->from == put->size ? STEP_MOVE : STEP_PUT);
		return;
	}
	if (lacks_room(put))
		return;
	snprintf(text, sizeof(text), "%llu of %llu bytes are there from an earlier try",
		 (unsigned long long)put->from, (unsigned long long)put->size);
	webdav_event(&put->w, "put-resumed", "", text);
	if (put->w.ops.on_progress)
		put->w.ops.on_progress(put->from, put->w.arg);
	next(put, put->from == put->size ? STEP_MOVE : STEP_PUT);
}

/*
 * Is it for being a piece that it is refused? RFC 9110 14.4 has 400 for that, but servers, and what is before them, say
 * anything; as a whole it will tell. Not where the login, a lock, the server's load or its disk is meant.
 */
static bool refuses_pieces(const struct put *put, int status)
{
	return put->step == STEP_PUT && put->from && !put->proven && status >= 300 &&
	       status != 401 && status != 408 && status != 423 && status != 429 && status != 507;
}

/* A piece, or the whole, is there, as far as the server says. */
static void on_piece(struct put *put, const struct http_reply *reply)
{
	bool first = !put->from;

	snprintf(put->etag, sizeof(put->etag), "%s", webdav_strong(reply->head.etag));

	put->from = put->end;
	if (!put->pieces)
		next(put, STEP_MOVE);
	else if (first || (put->proven && put->from < put->size))
		next(put, STEP_PUT);
	else
		next(put, STEP_LENGTH);
}

static bool is_comparison(const struct put *put)
{
	return put->step == STEP_TAIL || put->step == STEP_SAMPLE;
}

static void on_answer(const struct http_reply *reply, void *arg)
{
	struct put *put = arg;

	put->w.request = NULL;
	if (put->step == STEP_DELETE) {
		webdav_over(&put->w); /* the result is known already; this was tidying up */
	} else if (!webdav_answered(reply) && reply->err != -EMSGSIZE &&
		   !(is_comparison(put) && put->tail_differs)) {
		broken(put, reply);
	} else if (reply->login == HTTP_LOGIN_AGAIN) {
		next(put, put->step);
	} else if (is_trial(put->step)) {
		on_trial(put, reply);
	} else if (put->step == STEP_QUOTA) {
		on_quota(put, reply);
	} else if (put->step == STEP_LOOK || put->step == STEP_PEEK) {
		on_look(put, reply);
	} else if (put->step == STEP_LENGTH) {
		on_length(put, reply);
	} else if (is_comparison(put)) {
		on_compared(put, reply);
	} else if (put->step == STEP_MKCOL && collection_passes(reply->status)) {
		on_collection(put);
	} else if (refuses_pieces(put, reply->status)) {
		restart(put, "no-ranges", "the file server takes no pieces");
	} else if (put->step == STEP_PUT && put->from && reply->status == 412) {
		as_a_whole(put, "content-differs",
			   "what was put so far is there no more, or was changed");
	} else if (is_refused_move(put, reply->status)) {
		on_refused_move(put);
	} else if (reply->status < 200 || reply->status >= 300) {
		refused(put, reply);
	} else if (put->step == STEP_PUT) {
		on_piece(put, reply);
	} else {
		webdav_over(&put->w);
	}
}

static void put_progress(struct webdav *w)
{
	struct put *put = (struct put *)w;
	uint64_t acked = put->step == STEP_PUT && w->request ? http_call_acked(w->request) : 0;

	if (acked && w->ops.on_progress)
		w->ops.on_progress(put->from + acked, w->arg);
}

/* ---- beginning and end ---- */

static void put_free(struct webdav *w)
{
	webdav_fini(w);
	free(w);
}

static void put_abort(struct webdav *w)
{
	struct put *put = (struct put *)w;

	if (put->step == STEP_DELETE)
		return;
	http_call_free(w->request);
	w->request = NULL;
	webdav_set(w, -ECANCELED, false, "canceled", "canceled");
	if (begin(put, STEP_DELETE))
		webdav_over(w);
}

static int put_init(struct put *put, const struct share_conf *conf, const struct share_put *what)
{
	char tag[ID_LEN + sizeof("-trial")];
	const char *p = what->name;
	int ret;

	while ((p = strchr(p, '/'))) {
		put->missing++;
		p++;
	}
	snprintf(put->tag, sizeof(put->tag), "%s", what->tag);
	ret = webdav_url(conf, what->name, NULL, put->final, sizeof(put->final));
	if (!ret) {
		ret = webdav_url(conf, "", NULL, put->temporary, sizeof(put->temporary));
		put->base_len = strlen(webdav_path(put->temporary));
	}
	if (!ret)
		ret = webdav_url(conf, what->name, what->tag, put->temporary,
				 sizeof(put->temporary));
	if (ret)
		return ret;
	snprintf(tag, sizeof(tag), "%s-trial", what->tag);
	return webdav_url(conf, what->name, tag, put->trial, sizeof(put->trial));
}

int webdav_put(const struct share_conf *conf, const struct share_put *what,
	       const struct share_ops *ops, void *arg, struct share_call **out)
{
	static const struct webdav_kind kind = {
		.progress = put_progress,
		.abort = put_abort,
		.free = put_free,
	};
	struct put *put;
	int ret;

	if (!share_name_ok(what->name))
		return -EINVAL;
	put = calloc(1, sizeof(*put));
	if (!put)
		return -ENOMEM;
	put->size = what->size;
	put->delivered = what->delivered;
	put->clobber = what->clobber;
	put->pieces = put->size >= PIECES_MIN && !what->whole;
	put->tried = what->tried;
	ret = webdav_init(&put->w, conf, ops, arg, &kind);
	if (!ret)
		ret = put_init(put, conf, what);
	if (!ret)
		ret = begin(put, STEP_QUOTA);
	if (ret)
		put_free(&put->w);
	else
		*out = &put->w.call;
	return ret;
}
