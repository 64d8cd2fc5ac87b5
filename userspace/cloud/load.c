// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/load.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "cloud/problem.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/policy.h"
#include "lib/sapi.h"

/* A tunnel as of the last list. */
struct cost {
	uint32_t id;
	uint64_t cpu_ns; /* since it was opened */
	uint64_t per_second;
};

struct source {
	struct loads *loads;
	char name[NAME_LEN];
	struct h2_call *load, *list; /* questions that are open */
	uint32_t cpu_permille;
	uint32_t cpus; /* outlives the other figures: it hardly ever changes */
	uint64_t line_speed;
	struct cost *costs; /* by id */
	size_t n_costs;
	uint64_t listed_at; /* loop time of them */
	LIST_ENTRY(source) link;
};

/* Gateways are few and named by certificates of our CA, so an entry stays once made. */
struct loads {
	struct loads_conf conf;
	LIST_HEAD(, source) all;
};

static struct source *find(const struct loads *l, const char *name)
{
	struct source *s;

	LIST_FOREACH(s, &l->all, link)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static struct source *find_or_new(struct loads *l, const char *name)
{
	struct source *s = find(l, name);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->loads = l;
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->cpu_permille = POLICY_CPU_UNKNOWN;
	s->line_speed = POLICY_LINE_UNKNOWN;
	LIST_INSERT_HEAD(&l->all, s, link);
	return s;
}

static int by_id(const void *pa, const void *pb)
{
	const struct cost *a = pa, *b = pb;

	return a->id < b->id ? -1 : a->id > b->id;
}

static const struct cost *cost_of(const struct source *s, uint32_t id)
{
	struct cost key = { .id = id };

	return s->n_costs ? bsearch(&key, s->costs, s->n_costs, sizeof(key), by_id) : NULL;
}

uint32_t loads_cpu(const struct loads *l, const char *name)
{
	const struct source *s = find(l, name);

	return s ? s->cpu_permille : POLICY_CPU_UNKNOWN;
}

uint32_t loads_cpus(const struct loads *l, const char *name)
{
	const struct source *s = find(l, name);

	return s ? s->cpus : 0;
}

uint64_t loads_line(const struct loads *l, const char *name)
{
	const struct source *s = find(l, name);

	return s ? s->line_speed : POLICY_LINE_UNKNOWN;
}

uint64_t loads_tunnel(const struct loads *l, const char *name, uint32_t id)
{
	const struct source *s = find(l, name);
	const struct cost *c = s ? cost_of(s, id) : NULL;

	return c ? c->per_second : 0;
}

/* ---- answers ---- */

/* Decode @reply, or say why that is not possible; what was known is not known any more then. */
static bool usable(const struct source *s, const struct h2_reply *reply, const char *what, int ret,
		   const char *why)
{
	struct problem p;

	if (problem_of_reply(reply, s->name, &p))
		log_limited(s->name, LOG_LVL_WARNING, "load: %s: %s: %s", s->name, what, p.text);
	else if (ret)
		log_limited(s->name, LOG_LVL_WARNING, "load: %s: %s not understood: %s", s->name,
			    what, why);
	else
		return true;
	return false;
}

static bool is_ok(const struct h2_reply *reply)
{
	return !reply->err && reply->status == 200;
}

static void on_load(const struct h2_reply *reply, void *arg)
{
	struct source *s = arg;
	struct sapi_load load = { 0 };
	struct err e = { 0 };
	int ret = is_ok(reply) ? sapi_load_decode(reply->body, reply->len, &load, &e) : 0;

	s->load = NULL;
	s->cpu_permille = POLICY_CPU_UNKNOWN;
	s->line_speed = POLICY_LINE_UNKNOWN;
	if (usable(s, reply, "load", ret, err_text(&e))) {
		s->cpu_permille = load.cpu_permille;
		s->cpus = load.cpus;
		s->line_speed = load.line_speed;
	}
	s->loads->conf.on_news(s->name, s->loads->conf.arg);
}

/* A tunnel's cost is the difference to the list before; one that is new there has none yet. */
static int costs_take(struct source *s, const struct sapi_tunnel_list *list)
{
	uint64_t now = loop_now(s->loads->conf.loop), ms = now - s->listed_at;
	struct cost *v = calloc(list->n + 1, sizeof(*v));
	size_t i;

	if (!v)
		return -ENOMEM;
	for (i = 0; i < list->n; i++) {
		const struct sapi_tunnel *t = &list->tunnels[i];
		const struct cost *old = cost_of(s, t->id);

		v[i].id = t->id;
		v[i].cpu_ns = t->rx.cpu_ns + t->tx.cpu_ns;
		if (old && ms && v[i].cpu_ns > old->cpu_ns)
			v[i].per_second = (v[i].cpu_ns - old->cpu_ns) * 1000 / ms;
	}
	qsort(v, list->n, sizeof(*v), by_id);
	free(s->costs);
	s->costs = v;
	s->n_costs = list->n;
	s->listed_at = now;
	return 0;
}

static void on_list(const struct h2_reply *reply, void *arg)
{
	struct source *s = arg;
	struct sapi_tunnel_list list = { 0 };
	struct err e = { 0 };
	int ret = is_ok(reply) ? sapi_tunnel_list_decode(reply->body, reply->len, &list, &e) : 0;

	s->list = NULL;
	if (usable(s, reply, "tunnels", ret, err_text(&e))) {
		ret = costs_take(s, &list);
		sapi_tunnel_list_fini(&list);
	} else {
		ret = -EIO;
	}
	if (ret)
		s->n_costs = 0;
	s->loads->conf.on_news(s->name, s->loads->conf.arg);
}

/* ---- questions ---- */

static void ask(struct source *s, struct h2 *h2, const char *path,
		void (*done)(const struct h2_reply *reply, void *arg), struct h2_call **call)
{
	struct h2_request req = {
		.method = "GET",
		.path = path,
		.timeout_ms = LOAD_TIMEOUT_MS,
		.max_reply = SAPI_LIST_MAX,
	};

	if (!*call && h2_fetch(h2, &req, done, s, call))
		*call = NULL;
}

void loads_ask(struct loads *l, const char *name, unsigned int what)
{
	struct source *s = find_or_new(l, name);
	struct h2 *h2 = s ? l->conf.session(name, l->conf.arg) : NULL;

	if (!h2) {
		if (s) {
			s->cpu_permille = POLICY_CPU_UNKNOWN;
			s->line_speed = POLICY_LINE_UNKNOWN;
			s->n_costs = 0;
		}
		return;
	}
	if (what & LOADS_GATEWAY)
		ask(s, h2, "/v1/load", on_load, &s->load);
	if (what & LOADS_TUNNELS)
		ask(s, h2, "/v1/tunnels", on_list, &s->list);
}

int loads_new(const struct loads_conf *conf, struct loads **out)
{
	struct loads *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->conf = *conf;
	LIST_INIT(&l->all);
	*out = l;
	return 0;
}

void loads_free(struct loads *l)
{
	struct source *s;

	if (!l)
		return;
	while ((s = LIST_FIRST(&l->all))) {
		LIST_REMOVE(s, link);
		if (s->load)
			h2_call_cancel(s->load);
		if (s->list)
			h2_call_cancel(s->list);
		free(s->costs);
		free(s);
	}
	free(l);
}
