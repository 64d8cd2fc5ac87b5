// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/notice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/group.h"
#include "cloud/problem.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/store.h"

struct notice {
	struct notices *all;
	struct store_notice row;
	struct h2_call *call; /* the device is being told */
	TAILQ_ENTRY(notice) link;
};

struct notices {
	struct store *store;
	struct group *group;
	size_t count;
	TAILQ_HEAD(notice_list, notice) list; /* oldest first */
};

static struct notice *find(const struct notices *n, const char *device, const char *job)
{
	struct notice *x;

	TAILQ_FOREACH(x, &n->list, link)
		if (!strcmp(x->row.job, job) && !strcmp(x->row.device, device))
			return x;
	return NULL;
}

static void failed(const struct notices *n, const struct notice *x, const char *what)
{
	log_limited("store", LOG_LVL_ERR, "notice: %s: job %s: not %s: %s", x->row.device,
		    x->row.job, what, err_text(store_err(n->store)));
}

static void release(struct notice *x)
{
	if (x->call)
		h2_call_cancel(x->call);
	TAILQ_REMOVE(&x->all->list, x, link);
	x->all->count--;
	free(x);
}

static void forget(struct notice *x)
{
	struct notices *n = x->all;
	int ret = group_begin(n->group);

	if (!ret)
		ret = group_did(n->group, store_notice_del(n->store, x->row.device, x->row.job));
	if (ret)
		failed(n, x, "removed"); /* told once more after a restart, which does no harm */
	release(x);
}

static void expire(struct notice *x, const char *why)
{
	log_warn("notice: %s: job %s: never told that it is over: %s", x->row.device, x->row.job,
		 why);
	forget(x);
}

static void expire_old(struct notices *n)
{
	int64_t before = clock_wall_ms() - NOTICE_AGE_MS;
	struct notice *x;

	while ((x = TAILQ_FIRST(&n->list)) && x->row.created < before)
		expire(x, "the device did not come for a month");
}

static int insert(struct notices *n, const struct store_notice *row)
{
	struct notice *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->all = n;
	x->row = *row;
	TAILQ_INSERT_TAIL(&n->list, x, link);
	n->count++;
	return 0;
}

void notices_add(struct notices *n, const char *device, const char *job)
{
	struct store_notice row = { .created = clock_wall_ms() };
	int ret;

	if (find(n, device, job))
		return;
	expire_old(n);
	while (n->count >= NOTICES_MAX)
		expire(TAILQ_FIRST(&n->list), "too many others wait to be told");
	snprintf(row.device, sizeof(row.device), "%s", device);
	snprintf(row.job, sizeof(row.job), "%s", job);
	if (insert(n, &row)) {
		log_err("notice: %s: job %s: out of memory", device, job);
		return;
	}
	ret = group_begin(n->group);
	if (!ret)
		ret = group_did(n->group, store_notice_add(n->store, &row));
	if (ret)
		failed(n, TAILQ_LAST(&n->list, notice_list), "stored");
}

void notices_drop(struct notices *n, const char *device, const char *job)
{
	struct notice *x = find(n, device, job);

	if (x)
		forget(x);
}

/* ---- telling ---- */

static void on_told(const struct h2_reply *reply, void *arg)
{
	struct notice *x = arg;
	struct notices *n = x->all;
	struct h2 *h2 = reply->err ? NULL : h2_call_session(reply->call);
	char device[NAME_LEN];
	struct problem p;

	x->call = NULL;
	if (problem_of_reply(reply, x->row.device, &p) && p.status != 404) {
		log_limited(x->row.device, LOG_LVL_NOTICE, "notice: %s: job %s: %s", x->row.device,
			    x->row.job, p.text);
		return; /* the next session tells it again */
	}
	log_info("notice: %s: knows now that job %s is over", x->row.device, x->row.job);
	memcpy(device, x->row.device, sizeof(device));
	forget(x);
	if (h2)
		notices_deliver(n, device, h2);
}

static int tell(struct notice *x, struct h2 *h2)
{
	char path[64];
	struct h2_request req = {
		.method = "DELETE",
		.path = path,
		.timeout_ms = NOTICE_REQUEST_MS,
	};

	snprintf(path, sizeof(path), "/v1/jobs/%s", x->row.job);
	return h2_fetch(h2, &req, on_told, x, &x->call);
}

void notices_deliver(struct notices *n, const char *device, struct h2 *h2)
{
	unsigned int room = NOTICES_AT_ONCE;
	struct notice *x;

	expire_old(n);
	TAILQ_FOREACH(x, &n->list, link)
		if (x->call && room && !strcmp(x->row.device, device))
			room--;
	TAILQ_FOREACH(x, &n->list, link) {
		if (!room || !h2_usable(h2))
			return;
		if (x->call || strcmp(x->row.device, device))
			continue;
		if (tell(x, h2))
			return;
		room--;
	}
}

void notices_list(const struct notices *n,
		  void (*fn)(const char *device, const char *job, void *arg), void *arg)
{
	struct notice *x, *next;

	for (x = TAILQ_FIRST(&n->list); x; x = next) {
		next = TAILQ_NEXT(x, link);
		fn(x->row.device, x->row.job, arg);
	}
}

size_t notices_count(const struct notices *n)
{
	return n->count;
}

/* ---- life ---- */

static int load(void *arg, const struct store_notice *row)
{
	return insert(arg, row);
}

int notices_open(struct store *store, struct group *group, struct notices **out, struct err *e)
{
	struct notices *n = calloc(1, sizeof(*n));
	int ret;

	if (!n)
		return err_sys(e, -ENOMEM, "notices");
	n->store = store;
	n->group = group;
	TAILQ_INIT(&n->list);
	ret = store_notice_list(store, load, n);
	if (ret) {
		notices_free(n);
		return err_sys(e, ret, "reading what devices have to be told");
	}
	expire_old(n);
	*out = n;
	return 0;
}

void notices_free(struct notices *n)
{
	struct notice *x;

	if (!n)
		return;
	while ((x = TAILQ_FIRST(&n->list)))
		release(x);
	free(n);
}
