// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "device/jobs.h"
#include "device/report.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"

#define LINKS_MAX 16
#define USES_MAX 128 /* per connection */
#define TOKEN_MS (2 * 60 * 1000) /* a token nobody has come for is forgotten */
#define GIVE_UP_MS (5 * 60 * 1000) /* a broken connection is dialled again for so long */
#define TICK_MS 1000

/* One job's interest in a connection. */
struct use {
	TAILQ_ENTRY(use) link;
	char job[ID_LEN];
	char token[ID_LEN]; /* "" for a job that came by the connection itself */
	struct shunt_endpoint log;
	bool used; /* a request about the job came this way */
	bool shown; /* the cloud was given the token on the present session */
	uint64_t asked_ms;
	uint64_t octets; /* of the job's content */
	uint64_t in, out; /* on sessions before the present one */
	uint64_t in_base, out_base; /* the present session's counters when the use began */
	int64_t connected, closed;
};

struct connect_wait {
	TAILQ_ENTRY(connect_wait) link;
	struct link *owner;
	void (*done)(int err, const char *why, void *arg);
	void *arg;
};

struct link {
	TAILQ_ENTRY(link) link;
	struct connects *owner;
	char cloud[NAME_LEN];
	struct shunt_endpoint address;
	char where[ENDPOINT_STR_LEN];
	struct peer_keep *keep;
	struct h2 *h2; /* NULL: not up */
	int64_t connected; /* wall clock */
	uint64_t idle_ms; /* since when there are no uses; 0: there are */
	uint64_t down_ms; /* since when it is not up; 0: it is */
	struct shunt_endpoint log; /* of the last request, for jobs that come without one */
	TAILQ_HEAD(, use) uses;
	TAILQ_HEAD(, connect_wait) waits;
	unsigned int use_count;
};

struct connects {
	struct loop *loop;
	struct connects_conf conf;
	struct loop_timer *tick; /* armed while there are links */
	TAILQ_HEAD(, link) links;
	unsigned int link_count;
	void (*on_idle)(void *arg); /* set: stopping */
	void *idle_arg;
};

/* ---- uses ---- */

static struct use *use_find(struct link *link, const char *job)
{
	struct use *use;

	TAILQ_FOREACH(use, &link->uses, link)
		if (strcmp(use->job, job) == 0)
			return use;
	return NULL;
}

/* @use shares in the session from here on: from its beginning, or from where its counters are now.
 */
static void use_base(struct link *link, struct use *use, bool beginning)
{
	struct h2_stats stats = { 0 };

	if (!link->h2)
		return;
	if (!beginning)
		h2_stats(link->h2, &stats);
	use->in_base = stats.bytes_in;
	use->out_base = stats.bytes_out;
	if (!use->connected)
		use->connected = link->connected;
	use->closed = 0;
}

/* Take the session's counters over into @use. */
static void use_settle(struct link *link, struct use *use)
{
	struct h2_stats stats;

	if (!link->h2)
		return;
	h2_stats(link->h2, &stats);
	use->in += stats.bytes_in - use->in_base;
	use->out += stats.bytes_out - use->out_base;
	use->in_base = stats.bytes_in;
	use->out_base = stats.bytes_out;
}

static struct use *use_add(struct link *link, const char *job)
{
	struct use *use;

	if (link->use_count == USES_MAX)
		return NULL;
	use = calloc(1, sizeof(*use));
	if (!use)
		return NULL;
	snprintf(use->job, sizeof(use->job), "%s", job);
	use->asked_ms = loop_now(link->owner->loop);
	use->log = link->log;
	use_base(link, use, false);
	TAILQ_INSERT_TAIL(&link->uses, use, link);
	link->use_count++;
	link->idle_ms = 0;
	return use;
}

static void use_remove(struct link *link, struct use *use)
{
	TAILQ_REMOVE(&link->uses, use, link);
	if (--link->use_count == 0)
		link->idle_ms = loop_now(link->owner->loop);
	secret_wipe(use, sizeof(*use));
	free(use);
}

static void use_report(struct link *link, struct use *use, const char *result, const char *reason)
{
	struct sapi_conn_log log = {
		.address = link->address,
		.connected = use->connected,
		.closed = use->closed,
	};

	if (!use->used || !addr_is_set(&use->log.addr))
		return;
	use_settle(link, use);
	log.bytes_in = use->in;
	log.bytes_out = use->out;
	snprintf(log.device, sizeof(log.device), "%s", link->owner->conf.device);
	snprintf(log.cloud, sizeof(log.cloud), "%s", link->cloud);
	snprintf(log.job, sizeof(log.job), "%s", use->job);
	snprintf(log.result, sizeof(log.result), "%s", result);
	snprintf(log.text, sizeof(log.text), "%llu octets of content by this connection%s%.400s",
		 (unsigned long long)use->octets, reason[0] ? "; " : "", reason);
	report_post(link->owner->conf.reports, &use->log, &log);
}

/* ---- links ---- */

static void wait_end(struct connect_wait *wait, int err, const char *why)
{
	TAILQ_REMOVE(&wait->owner->waits, wait, link);
	wait->done(err, why, wait->arg);
	free(wait);
}

static void link_answer(struct link *link, int err, const char *why)
{
	struct connect_wait *wait;

	while ((wait = TAILQ_FIRST(&link->waits)))
		wait_end(wait, err, why);
}

/* Not from the callbacks of its own connection. */
static void link_free(struct link *link)
{
	struct connects *c = link->owner;
	struct use *use;

	link_answer(link, -ECANCELED, "given up");
	while ((use = TAILQ_FIRST(&link->uses)))
		use_remove(link, use);
	TAILQ_REMOVE(&c->links, link, link);
	if (--c->link_count == 0)
		loop_timer_stop(c->tick);
	peer_keep_free(link->keep);
	free(link);
}

static void changed(struct connects *c)
{
	if (c->conf.on_change)
		c->conf.on_change(c->conf.arg);
}

static void on_up(struct h2 *h2, void *arg)
{
	struct link *link = arg;
	struct use *use;

	log_notice("connect: %s: connected to %s", link->cloud, link->where);
	link->h2 = h2;
	link->down_ms = 0;
	link->connected = clock_wall_ms();
	TAILQ_FOREACH(use, &link->uses, link) {
		use->shown = false;
		use_base(link, use, true);
	}
	link_answer(link, 0, "");
	changed(link->owner);
}

static void on_down(struct h2 *h2, int err, const char *why, void *arg)
{
	struct link *link = arg;
	struct use *use, *next;

	(void)h2;
	log_notice("connect: %s: connection to %s ended: %s", link->cloud, link->where,
		   err ? why : "closed by the cloud");
	for (use = TAILQ_FIRST(&link->uses); use; use = next) {
		next = TAILQ_NEXT(use, link);
		use_settle(link, use);
		use->closed = clock_wall_ms();
		/* Hung up in order by a cloud that knows the token: it has no use for it. */
		if (!err && use->shown && !use->used)
			use_remove(link, use);
	}
	link->h2 = NULL;
	link->down_ms = loop_now(link->owner->loop);
	/* An end in order, or nobody uses it: the tick takes it away before it is dialled again. */
	if (TAILQ_EMPTY(&link->uses) || link->owner->on_idle)
		loop_timer_set(link->owner->tick, 0);
}

static void on_retry(int err, const char *why, uint32_t retry_ms, void *arg)
{
	struct link *link = arg;
	struct use *use, *next;

	log_limited(link->where, LOG_LVL_WARNING,
		    "connect: %s: cannot connect to %s: %s (again in %u ms)", link->cloud,
		    link->where, why, retry_ms);
	link_answer(link, err, why);
	/* Those who asked have been told; only jobs that were under way are worth more attempts. */
	for (use = TAILQ_FIRST(&link->uses); use; use = next) {
		next = TAILQ_NEXT(use, link);
		if (!use->used)
			use_remove(link, use);
	}
	if (TAILQ_EMPTY(&link->uses))
		loop_timer_set(link->owner->tick, 0);
	changed(link->owner);
}

/* Forget what has become pointless. */
static void link_tick(struct link *link, uint64_t now)
{
	struct use *use, *next;

	for (use = TAILQ_FIRST(&link->uses); use; use = next) {
		next = TAILQ_NEXT(use, link);
		if (!use->used && now - use->asked_ms >= TOKEN_MS) {
			log_notice("connect: %s: nobody came for job %s", link->cloud, use->job);
			use_remove(link, use);
		} else if (use->used && link->down_ms && now - link->down_ms >= GIVE_UP_MS) {
			use_report(link, use, "lost",
				   "the connection broke and could not be restored");
			use_remove(link, use);
		}
	}
	if (!TAILQ_EMPTY(&link->uses) || !TAILQ_EMPTY(&link->waits))
		return;
	if (link->down_ms || (link->idle_ms && now - link->idle_ms >= link->owner->conf.linger_ms))
		link_free(link);
}

static void on_tick(void *arg)
{
	struct connects *c = arg;
	struct link *link, *next;
	uint64_t now = loop_now(c->loop);

	loop_timer_every(c->tick, TICK_MS);
	for (link = TAILQ_FIRST(&c->links); link; link = next) {
		next = TAILQ_NEXT(link, link);
		if (!c->on_idle)
			link_tick(link, now);
		else if (!link->h2)
			link_free(link);
	}
	changed(c); /* time may be up */
	if (c->on_idle && c->link_count == 0)
		c->on_idle(c->idle_arg);
}

static struct link *link_by_address(struct connects *c, const struct sapi_connect *ask)
{
	struct link *link;

	TAILQ_FOREACH(link, &c->links, link)
		if (strcmp(link->cloud, ask->cloud) == 0 &&
		    endpoint_equal(&link->address, &ask->address))
			return link;
	return NULL;
}

static struct link *link_by_session(const struct connects *c, const struct h2 *h2)
{
	struct link *link;

	TAILQ_FOREACH(link, &c->links, link)
		if (link->h2 == h2)
			return link;
	return NULL;
}

static int link_dial(struct link *link)
{
	const struct connects_conf *conf = &link->owner->conf;
	struct peer_keep_conf keep = {
		.dial = { .address = link->where,
			  .tls = conf->tls,
			  .reverse = true,
			  .roles = ROLE_BIT(ROLE_CLOUD),
			  .name = link->cloud,
			  .routes = conf->routes,
			  .h2 = { .close_ms = conf->close_ms },
			  .connect_ms = (uint32_t)conf->connect_ms },
		.on_up = on_up,
		.on_down = on_down,
		.on_retry = on_retry,
		.arg = link,
	};

	return peer_keep(link->owner->loop, &keep, &link->keep);
}

static int link_new(struct connects *c, const struct sapi_connect *ask, struct link **out)
{
	struct link *link;
	int rc;

	if (c->link_count == LINKS_MAX || c->on_idle)
		return -EDQUOT;
	link = calloc(1, sizeof(*link));
	if (!link)
		return -ENOMEM;
	link->owner = c;
	TAILQ_INIT(&link->uses);
	TAILQ_INIT(&link->waits);
	snprintf(link->cloud, sizeof(link->cloud), "%s", ask->cloud);
	link->address = ask->address;
	link->idle_ms = loop_now(c->loop);
	endpoint_print(&ask->address, link->where);
	rc = link_dial(link);
	if (rc) {
		free(link);
		return rc;
	}
	TAILQ_INSERT_TAIL(&c->links, link, link);
	if (c->link_count++ == 0)
		loop_timer_every(c->tick, TICK_MS);
	*out = link;
	return 0;
}

/* ---- the module ---- */

int connects_new(struct loop *loop, const struct connects_conf *conf, struct connects **out)
{
	struct connects *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->conf = *conf;
	TAILQ_INIT(&c->links);
	rc = loop_timer_new(loop, on_tick, c, &c->tick);
	if (rc)
		free(c);
	else
		*out = c;
	return rc;
}

void connects_free(struct connects *c)
{
	struct link *link;

	if (!c)
		return;
	while ((link = TAILQ_FIRST(&c->links)))
		link_free(link);
	loop_timer_free(c->tick);
	free(c);
}

void connects_stop(struct connects *c, void (*idle)(void *arg), void *arg)
{
	struct link *link, *next;

	c->on_idle = idle;
	c->idle_arg = arg;
	for (link = TAILQ_FIRST(&c->links); link; link = next) {
		next = TAILQ_NEXT(link, link);
		if (link->h2)
			h2_close(link->h2);
		else
			link_free(link);
	}
	if (c->link_count == 0)
		idle(arg);
}

void connects_set_tls(struct connects *c, struct tls_ctx *tls)
{
	struct link *link;

	c->conf.tls = tls;
	TAILQ_FOREACH(link, &c->links, link)
		peer_keep_set_tls(link->keep, tls);
}

int connects_ask(struct connects *c, const struct sapi_connect *ask,
		 void (*done)(int err, const char *why, void *arg), void *arg,
		 struct connect_wait **out)
{
	struct link *link = link_by_address(c, ask);
	struct connect_wait *wait;
	struct use *use;
	int rc;

	if (!link) {
		rc = link_new(c, ask, &link);
		if (rc)
			return rc;
	}
	/* A cloud that asks again for itself, without a log, does not take the gateway's away. */
	if (addr_is_set(&ask->log.addr))
		link->log = ask->log;
	use = use_find(link, ask->job);
	if (!use)
		use = use_add(link, ask->job);
	if (!use)
		return -EDQUOT;
	memcpy(use->token, ask->token, sizeof(use->token));
	use->shown = false;
	use->asked_ms = loop_now(c->loop);
	if (addr_is_set(&ask->log.addr))
		use->log = ask->log;
	if (link->h2)
		return 1;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	wait->owner = link;
	wait->done = done;
	wait->arg = arg;
	TAILQ_INSERT_TAIL(&link->waits, wait, link);
	peer_keep_now(link->keep);
	*out = wait;
	return 0;
}

void connect_wait_cancel(struct connect_wait *wait)
{
	TAILQ_REMOVE(&wait->owner->waits, wait, link);
	free(wait);
}

int connects_tokens(struct connects *c, const struct h2 *h2, struct sapi_hello *hello)
{
	struct link *link = link_by_session(c, h2);
	struct use *use;

	if (!link || link->use_count == 0)
		return 0;
	hello->tokens = calloc(link->use_count, sizeof(*hello->tokens));
	if (!hello->tokens)
		return -ENOMEM;
	TAILQ_FOREACH(use, &link->uses, link) {
		struct sapi_token *t = &hello->tokens[hello->n_tokens];

		if (!use->token[0])
			continue;
		memcpy(t->job, use->job, sizeof(t->job));
		memcpy(t->token, use->token, sizeof(t->token));
		use->shown = true;
		hello->n_tokens++;
	}
	return 0;
}

bool connects_dialled(const struct connects *c, const struct h2 *h2)
{
	return link_by_session(c, h2) != NULL;
}

bool connects_awaited(const struct connects *c, const char *job)
{
	uint64_t now = loop_now(c->loop);
	struct link *link;
	struct use *use;

	TAILQ_FOREACH(link, &c->links, link) {
		use = use_find(link, job);
		if (use && use->token[0] && (link->h2 || !use->used) &&
		    now - use->asked_ms < c->conf.connect_ms)
			return true;
	}
	return false;
}

void connects_used(struct connects *c, const struct h2 *h2, const char *job, uint64_t octets)
{
	struct link *link = link_by_session(c, h2);
	struct use *use;

	if (!link)
		return;
	use = use_find(link, job);
	if (!use)
		use = use_add(link, job);
	if (!use)
		return;
	use->used = true;
	use->octets += octets;
}

void connects_job_over(struct connects *c, const struct job *job)
{
	const struct job_meta *meta = job_meta(job);
	struct link *link;
	struct use *use;

	TAILQ_FOREACH(link, &c->links, link) {
		if (strcmp(link->cloud, meta->cloud) != 0)
			continue;
		use = use_find(link, meta->id);
		if (!use)
			continue;
		use_report(link, use, job_state_str(job_state(job)), job_reason(job));
		use_remove(link, use);
	}
}
