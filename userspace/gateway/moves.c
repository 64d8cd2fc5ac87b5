// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/moves.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/agent.h"
#include "lib/digest.h"
#include "lib/log.h"
#include "lib/loop.h"

/* A device that failed. */
struct pause {
	struct pause *next;
	char device[NAME_LEN];
	uint32_t failures; /* in a row */
	uint64_t until; /* boot ms */
};

struct moves {
	struct moves_deps deps;
	struct move *first;
	struct pause *pauses; /* few: devices that failed within the last retry-max or so */
};

/* ---- pauses ---- */

static struct pause **pause_find(struct moves *ms, const char *device)
{
	struct pause **p = &ms->pauses;

	while (*p && strcmp((*p)->device, device) != 0)
		p = &(*p)->next;
	return p;
}

static void pause_drop(struct pause **p)
{
	struct pause *gone = *p;

	*p = gone->next;
	free(gone);
}

/* How long a device is left alone after its n-th failure (n >= 1). */
static uint64_t pause_length(const struct gateway_conf *conf, uint32_t n)
{
	uint64_t ms = conf->retry_min;

	while (--n && ms < conf->retry_max)
		ms *= 2;
	return ms < conf->retry_max ? ms : conf->retry_max;
}

static void pause_begin(struct moves *ms, const char *device)
{
	struct pause **p = pause_find(ms, device);

	if (!*p) {
		*p = calloc(1, sizeof(**p));
		if (!*p) {
			log_err("move: %s: out of memory", device);
			return;
		}
		snprintf((*p)->device, sizeof((*p)->device), "%s", device);
	}
	(*p)->until = clock_boot_ms() + pause_length(ms->deps.conf, ++(*p)->failures);
}

/* A move was successful to its end. */
static void pause_end(struct moves *ms, const char *device)
{
	struct pause **p = pause_find(ms, device);

	if (*p)
		pause_drop(p);
}

bool moves_paused(const struct moves *ms, const char *device)
{
	const struct pause *p = *pause_find((struct moves *)ms, device);

	return p && p->until > clock_boot_ms();
}

/* A failure counts for the next pause as long as the longest pause lasts. */
void moves_sweep(struct moves *ms)
{
	uint64_t now = clock_boot_ms();
	struct pause **p = &ms->pauses;

	while (*p) {
		if ((*p)->until + ms->deps.conf->retry_max < now)
			pause_drop(p);
		else
			p = &(*p)->next;
	}
}

/* ---- a move ---- */

void moves_cancel(struct move *m)
{
	*(m->prev ? &m->prev->next : &m->owner->first) = m->next;
	if (m->next)
		m->next->prev = m->prev;
	agent_cancel(m->call);
	loop_timer_free(m->drain);
	free(m);
}

static void failed(struct move *m, const char *why)
{
	struct moves *ms = m->owner;

	pause_begin(ms, m->device);
	ms->deps.on_failed(m, why, ms->deps.arg);
	moves_cancel(m);
}

static void on_drain_timeout(void *arg)
{
	failed(arg, "the device connected, but the cloud did not move the job in time");
}

static void await_end(struct move *m)
{
	loop_timer_set(m->drain, m->owner->deps.conf->drain_timeout);
}

static void on_answer(int err, const char *why, bool reused, void *arg)
{
	struct move *m = arg;
	struct moves *ms = m->owner;

	m->call = NULL;
	if (err < 0) {
		failed(m, why);
		return;
	}
	log_info("move: %s: %s", m->device,
		 reused ? "was connected to the cloud already" : "connected to the cloud");
	m->connected = true;
	if (!m->tunnel) /* and nothing is left for it to do */
		pause_end(ms, m->device);
	if (!m->tunnel && !m->waiter) {
		moves_cancel(m);
		return;
	}
	if (!m->split)
		await_end(m);
	ms->deps.on_connected(m, ms->deps.arg);
}

static int ask_device(struct move *m, const struct move_request *r)
{
	const struct moves_deps *deps = &m->owner->deps;
	struct agent_target target = { .device = r->device,
				       .at = { .addr = *r->host, .port = r->agent_port },
				       .timeout_ms = deps->conf->policy.connect_timeout };
	struct sapi_connect body = { .address = *r->cloud_address, .log = deps->conf->listen };
	int rc;

	if (addr_is_any(&body.log.addr))
		body.log.addr = (struct shunt_addr){ 0 };
	snprintf(body.job, sizeof(body.job), "%s", r->job);
	snprintf(body.cloud, sizeof(body.cloud), "%s", r->cloud);
	snprintf(body.token, sizeof(body.token), "%s", r->token);
	rc = agent_connect(deps->loop, deps->tls, &target, &body, on_answer, m, &m->call);
	secret_wipe(&body, sizeof(body));
	return rc;
}

static struct move *move_new(struct moves *ms, const struct move_request *r)
{
	struct move *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	if (loop_timer_new(ms->deps.loop, on_drain_timeout, m, &m->drain) < 0) {
		free(m);
		return NULL;
	}
	m->owner = ms;
	m->tunnel = r->tunnel;
	m->waiter = r->waiter;
	m->spi = r->spi;
	m->split = r->split;
	snprintf(m->job, sizeof(m->job), "%s", r->job);
	snprintf(m->device, sizeof(m->device), "%s", r->device);
	snprintf(m->cloud, sizeof(m->cloud), "%s", r->cloud);
	m->next = ms->first;
	if (m->next)
		m->next->prev = m;
	ms->first = m;
	return m;
}

int moves_ask(struct moves *ms, const struct move_request *r, struct move **out)
{
	struct move *m = move_new(ms, r);
	int rc = m ? ask_device(m, r) : -ENOMEM;

	if (rc < 0) {
		pause_begin(ms, r->device);
		if (m)
			moves_cancel(m);
		return rc;
	}
	*out = m;
	return 0;
}

void moves_cut(struct move *m)
{
	m->split = false;
	if (m->connected)
		await_end(m);
}

void moves_tunnel_gone(struct move *m)
{
	m->tunnel = NULL;
	if (m->call)
		return;
	pause_end(m->owner, m->device);
	moves_cancel(m);
}

/* ---- the set ---- */

struct move *moves_first(const struct moves *ms)
{
	return ms->first;
}

int moves_new(const struct moves_deps *deps, struct moves **out)
{
	struct moves *ms = calloc(1, sizeof(*ms));

	if (!ms)
		return -ENOMEM;
	ms->deps = *deps;
	*out = ms;
	return 0;
}

void moves_set_tls(struct moves *ms, struct tls_ctx *tls)
{
	ms->deps.tls = tls;
}

void moves_free(struct moves *ms)
{
	if (!ms)
		return;
	while (ms->first)
		moves_cancel(ms->first);
	while (ms->pauses)
		pause_drop(&ms->pauses);
	free(ms);
}
