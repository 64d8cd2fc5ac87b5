// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/direct.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/problem.h"
#include "cloud/token.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"

/* A device that is connected, or whose connection somebody uses. */
struct direct {
	struct directs *directs;
	char device[NAME_LEN];
	struct h2 *h2; /* newest connection; NULL: none */
	bool greeted;
	struct h2_call *hello;
	unsigned int users;
	struct loop_timer *linger;
	LIST_ENTRY(direct) link;
};

struct directs {
	struct directs_conf conf;
	LIST_HEAD(, direct) all;
};

static struct direct *find(const struct directs *d, const char *device)
{
	struct direct *dir;

	LIST_FOREACH(dir, &d->all, link)
		if (!strcmp(dir->device, device))
			return dir;
	return NULL;
}

static void direct_free(struct direct *dir)
{
	if (dir->hello)
		h2_call_cancel(dir->hello);
	if (dir->h2)
		h2_on_close(dir->h2, NULL, NULL);
	loop_timer_free(dir->linger);
	LIST_REMOVE(dir, link);
	free(dir);
}

static void on_linger(void *arg)
{
	struct direct *dir = arg;

	if (dir->users)
		return;
	if (dir->h2) {
		log_info("direct: %s: closing: no job uses the connection", dir->device);
		h2_close(dir->h2);
	} else {
		direct_free(dir);
	}
}

static struct direct *direct_new(struct directs *d, const char *device)
{
	struct direct *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->directs = d;
	snprintf(dir->device, sizeof(dir->device), "%s", device);
	if (loop_timer_new(d->conf.loop, on_linger, dir, &dir->linger)) {
		free(dir);
		return NULL;
	}
	LIST_INSERT_HEAD(&d->all, dir, link);
	return dir;
}

struct h2 *directs_session(const struct directs *d, const char *device)
{
	const struct direct *dir = find(d, device);

	return dir && dir->greeted && dir->h2 && h2_usable(dir->h2) ? dir->h2 : NULL;
}

size_t directs_connected(const struct directs *d)
{
	const struct direct *dir;
	size_t n = 0;

	LIST_FOREACH(dir, &d->all, link)
		n += dir->h2 && h2_usable(dir->h2);
	return n;
}

void directs_use(struct directs *d, const char *device)
{
	struct direct *dir = find(d, device);

	if (dir) {
		dir->users++;
		loop_timer_stop(dir->linger);
	}
}

void directs_unuse(struct directs *d, const char *device)
{
	struct direct *dir = find(d, device);

	if (dir && dir->users && !--dir->users)
		loop_timer_set(dir->linger, dir->h2 ? d->conf.linger : 0);
}

/* ---- hello ---- */

static void take_tokens(struct direct *dir, const struct sapi_hello *hello)
{
	struct directs *d = dir->directs;
	size_t i;

	for (i = 0; i < hello->n_tokens; i++) {
		const struct sapi_token *t = &hello->tokens[i];

		if (!tokens_take(d->conf.tokens, t->job, dir->device, t->token)) {
			/*
			 * Also what is left of a job that ended meanwhile: not worth a warning each
			 * time.
			 */
			log_limited(dir->device, LOG_LVL_NOTICE,
				    "direct: %s: token for job %s refused: not issued, or used",
				    dir->device, t->job);
			continue;
		}
		log_info("direct: %s: joins job %s", dir->device, t->job);
		d->conf.on_joined(t->job, dir->device, d->conf.arg);
	}
}

static void on_hello(const struct h2_reply *reply, void *arg)
{
	struct direct *dir = arg;
	struct sapi_hello hello;
	struct problem p;
	struct err e = { 0 };
	int ret;

	dir->hello = NULL;
	ret = problem_of_reply(reply, dir->device, &p);
	if (!ret) {
		ret = sapi_hello_decode(reply->body, reply->len, &hello, &e);
		if (ret)
			snprintf(p.text, sizeof(p.text), "hello not understood: %.400s",
				 err_text(&e));
	}
	if (ret) {
		log_warn("direct: %s: closing: %s", dir->device, p.text);
		h2_abort(dir->h2, ret, "no usable hello");
		return;
	}
	dir->greeted = true;
	dir->directs->conf.on_connected(dir->device, dir->directs->conf.arg);
	/* Until the first job joins the connection is an unused one. */
	if (!dir->users)
		loop_timer_set(dir->linger, dir->directs->conf.linger);
	take_tokens(dir, &hello);
	sapi_hello_fini(&hello);
}

static int say_hello(struct direct *dir)
{
	struct h2_request req = {
		.method = "GET",
		.path = "/v1/hello",
		.timeout_ms = DIRECT_HELLO_MS,
	};

	return h2_fetch(dir->h2, &req, on_hello, dir, &dir->hello);
}

/* ---- connections ---- */

static void on_close(struct h2 *h2, int err, const char *why, void *arg)
{
	struct direct *dir = arg;

	if (dir->h2 != h2)
		return;
	log_info("direct: %s: disconnected: %s", dir->device, err ? why : "closed");
	dir->h2 = NULL;
	dir->greeted = false;
	if (!dir->users)
		direct_free(dir);
}

void directs_attach(struct directs *d, struct h2 *h2)
{
	const char *device = h2_peer(h2)->name;
	struct direct *dir = find(d, device);

	if (!dir)
		dir = direct_new(d, device);
	if (!dir) {
		h2_abort(h2, -ENOMEM, "out of memory");
		return;
	}
	if (dir->hello) {
		h2_call_cancel(dir->hello);
		dir->hello = NULL;
	}
	if (dir->h2) {
		/* Jobs on it see their requests through or fail over to the new one. */
		h2_on_close(dir->h2, NULL, NULL);
		h2_close(dir->h2);
	}
	loop_timer_stop(dir->linger); /* it ran for the old one */
	dir->h2 = h2;
	dir->greeted = false;
	h2_on_close(h2, on_close, dir);
	log_info("direct: %s: connected from %s", device, h2_remote(h2));
	if (say_hello(dir))
		h2_abort(h2, -ENOMEM, "hello could not be sent");
}

int directs_new(const struct directs_conf *conf, struct directs **out, struct err *e)
{
	struct directs *d = calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, -ENOMEM, "direct connections");
	d->conf = *conf;
	LIST_INIT(&d->all);
	*out = d;
	return 0;
}

void directs_free(struct directs *d)
{
	struct direct *dir;

	if (!d)
		return;
	while ((dir = LIST_FIRST(&d->all)))
		direct_free(dir);
	free(d);
}
