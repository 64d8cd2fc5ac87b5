// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/problem.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/peer.h"

/* Somebody who waits for the answer to a question. */
struct registry_ask {
	struct registry *registry;
	struct question *question;
	void (*on_device)(const struct sapi_device *dev, int err, const char *why, void *arg);
	void (*on_dial)(int err, const char *why, void *arg);
	void *arg;
	LIST_ENTRY(registry_ask) link;
};

/* One request to the manager, and later its answer. */
struct question {
	struct registry *registry;
	bool dial; /* else a device */
	bool telling; /* in tell(): must not go away */
	char name[NAME_LEN];
	bool answered;
	int err;
	char why[SAPI_TEXT_LEN];
	struct sapi_device dev;
	uint64_t at; /* loop time of the answer */
	LIST_HEAD(, registry_ask) asks;
	TAILQ_ENTRY(question) link;
};

struct registry {
	struct registry_conf conf;
	struct peer_client *client;
	struct loop_defer *later;
	TAILQ_HEAD(, question) questions; /* oldest first */
	size_t count;
};

static struct question *find(struct registry *r, bool dial, const char *name)
{
	struct question *q;

	TAILQ_FOREACH(q, &r->questions, link)
		if (q->dial == dial && !strcmp(q->name, name))
			return q;
	return NULL;
}

static void question_drop(struct question *q)
{
	TAILQ_REMOVE(&q->registry->questions, q, link);
	q->registry->count--;
	sapi_device_fini(&q->dev);
	free(q);
}

/* Tell everybody who waits; afterwards the question is only a memory. */
static void tell(struct question *q)
{
	LIST_HEAD(, registry_ask) asks;
	struct registry_ask *ask;

	/* Whoever asks again from its callback is told in the next pass, not in this loop. */
	LIST_INIT(&asks);
	while ((ask = LIST_FIRST(&q->asks))) {
		LIST_REMOVE(ask, link);
		LIST_INSERT_HEAD(&asks, ask, link);
	}
	q->telling = true;
	while ((ask = LIST_FIRST(&asks))) {
		LIST_REMOVE(ask, link);
		if (ask->on_device)
			ask->on_device(q->err ? NULL : &q->dev, q->err, q->why, ask->arg);
		else
			ask->on_dial(q->err, q->why, ask->arg);
		free(ask);
	}
	q->telling = false;
}

/*
 * Only good answers about devices are kept; a failure is asked again by the next who wants to know.
 */
static void on_later(void *arg)
{
	struct registry *r = arg;
	struct question *q, *next;

	for (q = TAILQ_FIRST(&r->questions); q; q = next) {
		if (q->answered)
			tell(q);
		next = TAILQ_NEXT(q, link);
		if (q->answered && LIST_EMPTY(&q->asks) && (q->err || q->dial))
			question_drop(q);
	}
}

static void answer(struct question *q, int err, const char *why)
{
	q->answered = true;
	q->err = err;
	q->at = loop_now(q->registry->conf.loop);
	snprintf(q->why, sizeof(q->why), "%s", why);
	loop_defer_call(q->registry->later);
}

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct question *q = arg;
	struct problem p;
	struct err e = { 0 };
	int ret;

	ret = problem_of_reply(reply, "manager", &p);
	if (ret) {
		if (reply->status == 404 && !strcmp(p.code, "unknown-device"))
			ret = -ENOENT;
		answer(q, ret, p.text);
		return;
	}
	if (!q->dial)
		ret = sapi_device_decode(reply->body, reply->len, &q->dev, &e);
	if (!ret && !q->dial && strcmp(q->dev.code, q->name))
		ret = err_set(&e, -SHUNT_EPROTO, "told of device %s, asked for %s", q->dev.code,
			      q->name);
	if (ret)
		err_prefix(&e, "manager's answer");
	answer(q, ret, err_text(&e));
}

static int ask_manager(struct question *q)
{
	struct registry *r = q->registry;
	struct sapi_dial dial = { .address = r->conf.public };
	struct h2_request req = { .method = "GET", .timeout_ms = REGISTRY_TIMEOUT_MS };
	struct buf body = BUF_INIT;
	char path[NAME_LEN + 32];
	int ret = 0;

	snprintf(path, sizeof(path), q->dial ? "/v1/gateways/%s/dial" : "/v1/devices/%s", q->name);
	req.path = path;
	if (q->dial) {
		snprintf(dial.cloud, sizeof(dial.cloud), "%s", r->conf.self);
		ret = sapi_dial_encode(&dial, &body);
		req.method = "POST";
		req.type = "application/json";
		req.body = body.data;
		req.body_len = body.len;
		req.timeout_ms = REGISTRY_DIAL_MS;
	}
	if (!ret)
		ret = peer_client_fetch(r->client, &req, on_reply, q);
	buf_fini(&body);
	return ret;
}

static struct question *question_new(struct registry *r, bool dial, const char *name)
{
	struct question *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->registry = r;
	q->dial = dial;
	snprintf(q->name, sizeof(q->name), "%s", name);
	LIST_INIT(&q->asks);
	TAILQ_INSERT_TAIL(&r->questions, q, link);
	r->count++;
	return q;
}

/* Make room: the oldest answers that nobody waits for go first. */
static void trim(struct registry *r)
{
	struct question *q, *next;

	for (q = TAILQ_FIRST(&r->questions); q && r->count >= REGISTRY_CACHE_MAX; q = next) {
		next = TAILQ_NEXT(q, link);
		if (q->answered && !q->telling && LIST_EMPTY(&q->asks))
			question_drop(q);
	}
}

static bool stale(const struct question *q)
{
	return q->answered && !q->telling && LIST_EMPTY(&q->asks) &&
	       (q->err || q->dial || loop_now(q->registry->conf.loop) - q->at > REGISTRY_FRESH_MS);
}

static int ask(struct registry *r, bool dial, const char *name, struct registry_ask *a)
{
	struct question *q = find(r, dial, name);
	int ret;

	if (q && stale(q)) {
		question_drop(q);
		q = NULL;
	}
	if (!q) {
		trim(r);
		q = question_new(r, dial, name);
		if (!q)
			return -ENOMEM;
		ret = ask_manager(q);
		if (ret)
			answer(q, ret, "the request to the manager could not be made");
	} else if (q->answered) {
		loop_defer_call(r->later);
	}
	a->registry = r;
	a->question = q;
	LIST_INSERT_HEAD(&q->asks, a, link);
	return 0;
}

int registry_device(struct registry *r, const char *code,
		    void (*done)(const struct sapi_device *dev, int err, const char *why,
				 void *arg),
		    void *arg, struct registry_ask **out)
{
	struct registry_ask *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return -ENOMEM;
	a->on_device = done;
	a->arg = arg;
	ret = ask(r, false, code, a);
	if (ret)
		free(a);
	else
		*out = a;
	return ret;
}

int registry_dial(struct registry *r, const char *name,
		  void (*done)(int err, const char *why, void *arg), void *arg,
		  struct registry_ask **out)
{
	struct registry_ask *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return -ENOMEM;
	a->on_dial = done;
	a->arg = arg;
	ret = ask(r, true, name, a);
	if (ret)
		free(a);
	else
		*out = a;
	return ret;
}

void registry_forget(struct registry *r, const char *code)
{
	struct question *q = find(r, false, code);

	if (q && q->answered && !q->telling && LIST_EMPTY(&q->asks))
		question_drop(q);
}

void registry_cancel(struct registry_ask *a)
{
	if (!a)
		return;
	LIST_REMOVE(a, link);
	free(a);
}

static int make_client(struct registry *r, struct tls_ctx *tls, struct peer_client **out)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_client_conf conf = {
		.dial = {
			.address = endpoint_print(&r->conf.manager, address),
			.tls = tls,
			.roles = ROLE_BIT(ROLE_MANAGER),
		},
		.max_queue = REGISTRY_CACHE_MAX,
	};

	return peer_client_new(r->conf.loop, &conf, out);
}

int registry_new(const struct registry_conf *conf, struct registry **out, struct err *e)
{
	struct registry *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return err_sys(e, -ENOMEM, "registry");
	r->conf = *conf;
	TAILQ_INIT(&r->questions);
	ret = loop_defer_new(conf->loop, on_later, r, &r->later);
	if (!ret)
		ret = make_client(r, conf->tls, &r->client);
	if (ret) {
		err_sys(e, ret, "registry");
		registry_free(r);
		return ret;
	}
	*out = r;
	return 0;
}

/* Questions under way fail, and whoever waits for them tries again by its own rules. */
void registry_set_tls(struct registry *r, struct tls_ctx *tls)
{
	struct peer_client *client;
	struct question *q;

	if (make_client(r, tls, &client))
		return;
	peer_client_free(r->client);
	r->client = client;
	TAILQ_FOREACH(q, &r->questions, link)
		if (!q->answered)
			answer(q, -ECANCELED, "credentials were reloaded");
}

void registry_free(struct registry *r)
{
	struct registry_ask *a;
	struct question *q;

	if (!r)
		return;
	peer_client_free(r->client);
	while ((q = TAILQ_FIRST(&r->questions))) {
		while ((a = LIST_FIRST(&q->asks)))
			registry_cancel(a);
		question_drop(q);
	}
	loop_defer_free(r->later);
	free(r);
}
