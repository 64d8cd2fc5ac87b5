// SPDX-License-Identifier: GPL-2.0-or-later

/* The client of one address: dials when there is something to ask. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "lib/peer_int.h"

#define IDLE_MS 30000
#define QUEUE_MAX 256
#define TRIES_MAX 2

/* One request, or one wish for a session (ready instead of done). */
struct wish {
	struct peer_client *client;
	TAILQ_ENTRY(wish) link;
	bool queued; /* on ->waiting */
	struct h2_request request; /* deep copy */
	struct h2_header *headers;
	char *strings; /* backs the copies; the body may be secret */
	size_t strings_len;
	void (*done)(const struct h2_reply *reply, void *arg);
	void (*ready)(struct h2 *h2, int err, const char *why, void *arg);
	void *arg;
	struct h2_call *call; /* in flight */
	uint64_t deadline; /* loop_now(); 0: none */
	struct loop_timer *timer; /* runs while waiting */
	unsigned int tries;
	int err; /* the dial it waited for failed */
};

TAILQ_HEAD(wish_list, wish);

struct peer_client {
	struct loop *loop;
	struct peer_client_conf conf;
	struct peer_dial *dial; /* also while its session lives */
	struct h2 *h2;
	struct loop_timer *idle;
	struct loop_defer *serve;
	struct wish_list waiting, flying;
	size_t waiting_count;
	char why[320]; /* of the last dial that failed */
};

/* ---- wishes ---- */

static void wish_free(struct wish *wish)
{
	loop_timer_free(wish->timer);
	free(wish->headers);
	if (wish->strings)
		explicit_bzero(wish->strings, wish->strings_len);
	free(wish->strings);
	free(wish);
}

static void unqueue(struct wish *wish)
{
	if (!wish->queued)
		return;
	TAILQ_REMOVE(&wish->client->waiting, wish, link);
	wish->client->waiting_count--;
	wish->queued = false;
}

/* Tell of failure. The callback comes last: it may free the client. */
static void wish_fail(struct wish *wish, int err, const char *why)
{
	struct h2_reply reply = { .err = err, .why = why, .body = "" };

	unqueue(wish);
	if (wish->ready)
		wish->ready(NULL, err, why, wish->arg);
	else
		wish->done(&reply, wish->arg);
	wish_free(wish);
}

static void on_wish_timeout(void *arg)
{
	struct wish *wish = arg;
	char why[384];

	snprintf(why, sizeof(why), "%s: no connection in time%s%s", wish->client->conf.dial.address,
		 wish->client->why[0] ? "; last: " : "", wish->client->why);
	wish_fail(wish, -ETIMEDOUT, why);
}

static size_t text_len(const char *s)
{
	return s ? strlen(s) + 1 : 0;
}

static const char *put_text(char **at, const char *s)
{
	char *start = *at;

	if (!s)
		return NULL;
	memcpy(start, s, strlen(s) + 1);
	*at += strlen(s) + 1;
	return start;
}

static int copy_request(struct wish *wish, const struct h2_request *from)
{
	size_t i, len = text_len(from->method) + text_len(from->path) + text_len(from->type) +
			from->body_len + 1;
	char *at;

	for (i = 0; i < from->header_count; i++)
		len += text_len(from->headers[i].name) + text_len(from->headers[i].value);
	wish->strings = malloc(len);
	wish->strings_len = len;
	wish->headers = calloc(from->header_count + 1, sizeof(wish->headers[0]));
	if (!wish->strings || !wish->headers)
		return -ENOMEM;
	at = wish->strings;
	wish->request = *from;
	wish->request.method = put_text(&at, from->method);
	wish->request.path = put_text(&at, from->path);
	wish->request.type = put_text(&at, from->type);
	for (i = 0; i < from->header_count; i++) {
		wish->headers[i].name = put_text(&at, from->headers[i].name);
		wish->headers[i].value = put_text(&at, from->headers[i].value);
	}
	wish->request.headers = wish->headers;
	if (from->body_len)
		memcpy(at, from->body, from->body_len);
	wish->request.body = at;
	return 0;
}

static int wish_new(struct peer_client *client, struct wish **out)
{
	struct wish *wish = calloc(1, sizeof(*wish));

	if (!wish)
		return -ENOMEM;
	wish->client = client;
	if (loop_timer_new(client->loop, on_wish_timeout, wish, &wish->timer) < 0) {
		free(wish);
		return -ENOMEM;
	}
	*out = wish;
	return 0;
}

static void enqueue(struct wish *wish)
{
	struct peer_client *client = wish->client;
	uint64_t now = loop_now(client->loop);

	TAILQ_INSERT_TAIL(&client->waiting, wish, link);
	client->waiting_count++;
	wish->queued = true;
	if (wish->deadline)
		loop_timer_set(wish->timer, wish->deadline > now ? wish->deadline - now : 0);
	loop_timer_stop(client->idle);
	loop_defer_call(client->serve);
}

/* ---- connection ---- */

static void on_session_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer_client *client = arg;

	(void)h2;
	(void)err;
	(void)why;
	client->h2 = NULL;
	client->dial = NULL;
	loop_timer_stop(client->idle);
	if (client->waiting_count)
		loop_defer_call(client->serve);
}

/* All who wait for this connection get the error; who comes later gets a new attempt. */
static void dial_failed(struct peer_client *client, int err, const char *why)
{
	struct wish *wish;

	snprintf(client->why, sizeof(client->why), "%s", why);
	TAILQ_FOREACH(wish, &client->waiting, link)
		wish->err = err;
	loop_defer_call(client->serve);
}

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct peer_client *client = arg;

	if (!h2) {
		client->dial = NULL;
		dial_failed(client, err, why);
		return;
	}
	client->h2 = h2;
	client->why[0] = '\0';
	peer_dial_watch(client->dial, on_session_close, client);
	loop_defer_call(client->serve);
}

static void check_idle(struct peer_client *client)
{
	if (!client->h2 || client->waiting_count || !TAILQ_EMPTY(&client->flying))
		return;
	loop_timer_set(client->idle, client->conf.idle_ms);
}

static void on_idle(void *arg)
{
	struct peer_client *client = arg;
	struct h2_stats stats;

	if (!client->h2)
		return;
	/* Requests of others who took the session keep it, too. */
	h2_stats(client->h2, &stats);
	if (stats.active)
		loop_timer_set(client->idle, client->conf.idle_ms);
	else
		h2_close(client->h2);
}

/* ---- serving ---- */

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct wish *wish = arg;
	struct peer_client *client = wish->client;

	TAILQ_REMOVE(&client->flying, wish, link);
	wish->call = NULL;
	if (reply->err == -EAGAIN && wish->tries < TRIES_MAX) {
		enqueue(wish);
		return;
	}
	check_idle(client);
	wish->done(reply, wish->arg);
	wish_free(wish);
}

/* Start one wish on the session. */
static void grant(struct peer_client *client, struct wish *wish)
{
	uint64_t now = loop_now(client->loop);
	int rc;

	unqueue(wish);
	loop_timer_stop(wish->timer);
	if (wish->ready) {
		check_idle(client);
		wish->ready(client->h2, 0, "", wish->arg);
		wish_free(wish);
		return;
	}
	if (wish->deadline)
		wish->request.timeout_ms = wish->deadline > now ? (uint32_t)(wish->deadline - now) :
								  1;
	wish->tries++;
	rc = h2_fetch(client->h2, &wish->request, on_reply, wish, &wish->call);
	if (rc < 0) {
		wish_fail(wish, rc, shunt_strerror(rc));
		return;
	}
	TAILQ_INSERT_TAIL(&client->flying, wish, link);
}

/* One wish a pass: its callback may free the client, so nothing may follow it. */
static void on_serve(void *arg)
{
	struct peer_client *client = arg;
	struct wish *wish = TAILQ_FIRST(&client->waiting);
	int rc;

	if (!wish)
		return;
	if (wish->err) {
		char why[sizeof(client->why)];

		memcpy(why, client->why, sizeof(why));
		loop_defer_call(client->serve);
		wish_fail(wish, wish->err, why);
		return;
	}
	if (client->h2 && h2_usable(client->h2)) {
		if (client->waiting_count > 1)
			loop_defer_call(client->serve);
		grant(client, wish);
		return;
	}
	if (client->h2) {
		/* It is ending: make a new one beside it. */
		peer_dial_watch(client->dial, NULL, NULL);
		h2_close(client->h2);
		client->h2 = NULL;
		client->dial = NULL;
	}
	if (client->dial)
		return;
	rc = peer_dial(client->loop, &client->conf.dial, on_dialled, client, &client->dial);
	if (rc < 0)
		dial_failed(client, rc, shunt_strerror(rc));
}

int peer_client_new(struct loop *loop, const struct peer_client_conf *conf,
		    struct peer_client **out)
{
	struct peer_client *client;
	int rc;

	if (conf->dial.reverse)
		return -EINVAL;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->loop = loop;
	client->conf = *conf;
	TAILQ_INIT(&client->waiting);
	TAILQ_INIT(&client->flying);
	rc = peer_dial_conf_copy(&client->conf.dial, &conf->dial);
	if (rc < 0) {
		free(client);
		return rc;
	}
	if (!client->conf.idle_ms)
		client->conf.idle_ms = IDLE_MS;
	if (!client->conf.max_queue)
		client->conf.max_queue = QUEUE_MAX;
	rc = loop_timer_new(loop, on_idle, client, &client->idle);
	if (rc == 0)
		rc = loop_defer_new(loop, on_serve, client, &client->serve);
	if (rc < 0) {
		peer_client_free(client);
		return rc;
	}
	*out = client;
	return 0;
}

int peer_client_fetch(struct peer_client *client, const struct h2_request *request,
		      void (*done)(const struct h2_reply *reply, void *arg), void *arg)
{
	struct wish *wish = NULL;
	int rc;

	if (request->source.read || !request->method || !request->path)
		return -EINVAL;
	if (client->waiting_count >= client->conf.max_queue)
		return -EAGAIN;
	rc = wish_new(client, &wish);
	if (rc < 0)
		return rc;
	rc = copy_request(wish, request);
	if (rc < 0) {
		wish_free(wish);
		return rc;
	}
	wish->done = done;
	wish->arg = arg;
	if (request->timeout_ms)
		wish->deadline = loop_now(client->loop) + request->timeout_ms;
	enqueue(wish);
	return 0;
}

int peer_client_session(struct peer_client *client,
			void (*ready)(struct h2 *h2, int err, const char *why, void *arg),
			void *arg)
{
	struct wish *wish = NULL;
	int rc;

	if (client->waiting_count >= client->conf.max_queue)
		return -EAGAIN;
	rc = wish_new(client, &wish);
	if (rc < 0)
		return rc;
	wish->ready = ready;
	wish->arg = arg;
	enqueue(wish);
	return 0;
}

void peer_client_free(struct peer_client *client)
{
	struct wish *wish;

	if (!client)
		return;
	while ((wish = TAILQ_FIRST(&client->waiting))) {
		unqueue(wish);
		wish_free(wish);
	}
	while ((wish = TAILQ_FIRST(&client->flying))) {
		TAILQ_REMOVE(&client->flying, wish, link);
		h2_call_cancel(wish->call);
		wish_free(wish);
	}
	if (client->h2) {
		peer_dial_watch(client->dial, NULL, NULL);
		h2_free(client->h2, -ECANCELED, "shutting down");
	} else {
		peer_dial_cancel(client->dial);
	}
	loop_timer_free(client->idle);
	loop_defer_free(client->serve);
	peer_dial_conf_fini(&client->conf.dial);
	free(client);
}
