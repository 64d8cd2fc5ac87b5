// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/tunnels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/datapath.h"
#include "gateway/events.h"
#include "gateway/ledger.h"
#include "gateway/record.h"
#include "lib/digest.h"
#include "lib/keys.h"
#include "lib/log.h"

#define BUCKETS 4096 /* fixed: a router has thousands of tunnels at most */
#define SPI_TRIES 16

struct tunnels {
	struct tunnels_deps deps;
	struct addr_pool *aliases;
	struct gw_tunnel *first, *last;
	size_t n;
	struct gw_tunnel *stuck; /* ended, but still in the kernel; by ->next */
	uint64_t refreshed; /* boot ns of the last refresh */
	struct gw_tunnel *by_spi[BUCKETS], *by_job[BUCKETS];
};

/* ---- table ---- */

static size_t spi_bucket(uint32_t spi)
{
	return (spi * 2654435761u) >> 20;
}

static size_t job_bucket(const char *job)
{
	uint32_t h = 5381;

	while (*job)
		h = h * 33 + (uint8_t)*job++;
	return h % BUCKETS;
}

static void insert(struct tunnels *ts, struct gw_tunnel *t)
{
	struct gw_tunnel **spi = &ts->by_spi[spi_bucket(t->spi)];
	struct gw_tunnel **job = &ts->by_job[job_bucket(t->job)];

	t->spi_next = *spi;
	*spi = t;
	t->job_next = *job;
	*job = t;
	t->prev = ts->last;
	t->next = NULL;
	*(ts->last ? &ts->last->next : &ts->first) = t;
	ts->last = t;
	ts->n++;
}

static void take_out(struct tunnels *ts, struct gw_tunnel *t)
{
	struct gw_tunnel **p;

	for (p = &ts->by_spi[spi_bucket(t->spi)]; *p != t; p = &(*p)->spi_next)
		;
	*p = t->spi_next;
	for (p = &ts->by_job[job_bucket(t->job)]; *p != t; p = &(*p)->job_next)
		;
	*p = t->job_next;
	*(t->prev ? &t->prev->next : &ts->first) = t->next;
	*(t->next ? &t->next->prev : &ts->last) = t->prev;
	ts->n--;
}

struct gw_tunnel *tunnels_find(const struct tunnels *ts, uint32_t spi)
{
	struct gw_tunnel *t = ts->by_spi[spi_bucket(spi)];

	while (t && t->spi != spi)
		t = t->spi_next;
	return t;
}

struct gw_tunnel *tunnels_find_job(const struct tunnels *ts, const char *cloud, const char *job)
{
	struct gw_tunnel *t = ts->by_job[job_bucket(job)];

	while (t && (strcmp(t->job, job) != 0 || strcmp(t->cloud, cloud) != 0))
		t = t->job_next;
	return t;
}

size_t tunnels_count(const struct tunnels *ts)
{
	return ts->n;
}

size_t tunnels_count_cloud(const struct tunnels *ts, const char *cloud)
{
	const struct gw_tunnel *t;
	size_t n = 0;

	for (t = ts->first; t; t = t->next)
		n += strcmp(t->cloud, cloud) == 0;
	return n;
}

struct gw_tunnel *tunnels_first(const struct tunnels *ts)
{
	return ts->first;
}

/* ---- showing ---- */

static void show_counters(const struct tunnel_counters *c, struct sapi_counters *out)
{
	out->packets = c->packets;
	out->bytes = c->bytes;
	out->cpu_ns = c->cpu_ns;
	out->drops = (struct sapi_drops){
		.auth = c->drops[TUNNEL_DROP_AUTH],
		.replay = c->drops[TUNNEL_DROP_REPLAY],
		.scope = c->drops[TUNNEL_DROP_SCOPE],
		.malformed = c->drops[TUNNEL_DROP_MALFORMED],
		.toobig = c->drops[TUNNEL_DROP_TOOBIG],
		.noroute = c->drops[TUNNEL_DROP_NOROUTE],
		.nomem = c->drops[TUNNEL_DROP_NOMEM],
		.stale = c->drops[TUNNEL_DROP_STALE],
	};
}

void tunnels_show(const struct gw_tunnel *t, const char *reason, struct sapi_tunnel *out)
{
	memset(out, 0, sizeof(*out));
	out->id = t->spi;
	out->spi = t->spi;
	memcpy(out->job, t->job, sizeof(out->job));
	memcpy(out->device, t->device, sizeof(out->device));
	memcpy(out->cloud, t->cloud, sizeof(out->cloud));
	out->host = t->host;
	out->alias = t->alias;
	out->near = t->near;
	out->far = t->far;
	out->endpoint = t->endpoint;
	out->priority = t->priority;
	out->opened = t->opened;
	out->open = !reason[0];
	out->adopted = t->adopted;
	snprintf(out->reason, sizeof(out->reason), "%s", reason);
	show_counters(&t->rx, &out->rx);
	show_counters(&t->tx, &out->tx);
}

static void write_7k(struct tunnels *ts, const struct sapi_tunnel *last)
{
	struct sapi_record_7k rec = { 0 };

	rec.time = clock_wall_ms();
	rec.tunnel = last->id;
	memcpy(rec.job, last->job, sizeof(rec.job));
	memcpy(rec.device, last->device, sizeof(rec.device));
	memcpy(rec.cloud, last->cloud, sizeof(rec.cloud));
	rec.opened = last->opened;
	rec.closed = rec.time;
	memcpy(rec.reason, last->reason, sizeof(rec.reason));
	rec.rx = last->rx;
	rec.tx = last->tx;
	record_7k(ts->deps.record, &rec);
}

static void announce_closed(struct tunnels *ts, const struct sapi_tunnel *last)
{
	struct sapi_gateway_event ev = { 0 };

	ev.time = clock_wall_ms();
	ev.event = SAPI_GW_TUNNEL_CLOSED;
	ev.tunnel = last->id;
	memcpy(ev.job, last->job, sizeof(ev.job));
	memcpy(ev.reason, last->reason, sizeof(ev.reason));
	events_publish(ts->deps.events, last->cloud, &ev);
}

static void tunnel_wipe_free(struct gw_tunnel *t)
{
	secret_wipe(t, sizeof(*t));
	free(t);
}

/* ---- what the kernel would not delete ---- */

/* As long as packets may come out of it, its alias must not become another device's. */
static void stuck_add(struct tunnels *ts, struct gw_tunnel *t)
{
	secret_wipe(t->token, sizeof(t->token));
	t->next = ts->stuck;
	ts->stuck = t;
}

static void stuck_drop(struct tunnels *ts, struct gw_tunnel **p)
{
	struct gw_tunnel *t = *p;

	*p = t->next;
	if (t->alias.family)
		addr_pool_put(ts->aliases, &t->alias);
	tunnel_wipe_free(t);
}

void tunnels_sweep(struct tunnels *ts)
{
	struct gw_tunnel **p = &ts->stuck;
	struct tunnel_info info;
	int rc;

	while (*p) {
		struct err e = { 0 };

		rc = datapath_del(ts->deps.datapath, (*p)->spi, &info, &e);
		if (rc == 0 || rc == -ENOENT) {
			log_notice("tunnel: %s: %08x: removed at last", (*p)->cloud, (*p)->spi);
			stuck_drop(ts, p);
			continue;
		}
		log_limited("tunnel:deletion", LOG_LVL_ERR, "tunnel: %s: %08x: deletion: %s",
			    (*p)->cloud, (*p)->spi, err_text(&e));
		p = &(*p)->next;
	}
}

/* ---- end of a tunnel ---- */

/* t->rx and t->tx are final. @gone: so is the kernel's object. */
static void ended(struct tunnels *ts, struct gw_tunnel *t, bool gone, const char *reason,
		  struct sapi_tunnel *last)
{
	struct sapi_tunnel shown;
	char id[TUNNEL_ID_LEN];

	take_out(ts, t);
	if (gone)
		addr_pool_put(ts->aliases, &t->alias);
	tunnels_show(t, reason, &shown);
	write_7k(ts, &shown);
	announce_closed(ts, &shown);
	ledger_del_tunnel(ts->deps.ledger, t->spi);
	log_info("tunnel: %s: %s: closed: %s, %" PRIu64 " bytes in, %" PRIu64 " out", t->cloud,
		 tunnel_id_print(t->spi, id), reason, t->rx.bytes, t->tx.bytes);
	if (last)
		*last = shown;
	ts->deps.on_closed(t, ts->deps.arg);
	if (gone)
		tunnel_wipe_free(t);
	else
		stuck_add(ts, t);
}

void tunnels_close(struct tunnels *ts, struct gw_tunnel *t, const char *reason,
		   struct sapi_tunnel *last)
{
	struct tunnel_info info;
	struct err e = { 0 };
	int rc = datapath_del(ts->deps.datapath, t->spi, &info, &e);

	if (rc == 0) {
		t->rx = info.rx;
		t->tx = info.tx;
	} else if (rc != -ENOENT) {
		log_err("tunnel: %s: %08x: deletion: %s; will be tried again", t->cloud, t->spi,
			err_text(&e));
	}
	ended(ts, t, rc == 0 || rc == -ENOENT, reason, last);
}

void tunnels_deleted(struct tunnels *ts, const struct tunnel_info *info)
{
	struct gw_tunnel *t = tunnels_find(ts, info->spec.spi_in), **p;

	for (p = &ts->stuck; *p; p = &(*p)->next) {
		if ((*p)->spi == info->spec.spi_in && !strcmp((*p)->job, info->spec.cookie)) {
			stuck_drop(ts, p);
			return;
		}
	}
	if (!t || strcmp(t->job, info->spec.cookie) != 0)
		return;
	t->rx = info->rx;
	t->tx = info->tx;
	ended(ts, t, true, enum_str(tunnel_end_names, (int)info->end), NULL);
}

/* ---- opening ---- */

static int random_spi(const struct tunnels *ts, uint32_t *out)
{
	do {
		if (getrandom(out, sizeof(*out), 0) != (ssize_t)sizeof(*out))
			return -EIO;
	} while (*out < TUNNEL_SPI_MIN || tunnels_find(ts, *out));
	return 0;
}

static void fill_spec(const struct gateway_conf *conf, const struct sapi_tunnel_open *open,
		      const struct gw_tunnel *t, struct tunnel_spec *spec)
{
	size_t i;

	*spec = (struct tunnel_spec){
		.spi_in = t->spi,
		.spi_out = open->spi,
		.side = TUNNEL_NEAR,
		.cipher = open->cipher,
		.endpoint = open->endpoint,
		.near = open->near,
		.far = open->far,
		.host = open->host,
		.alias = t->alias,
		.priority = open->priority,
		.keepalive_ms = (uint32_t)conf->keepalive,
		.idle_s = (uint32_t)((conf->tunnel_idle + 999) / 1000),
		.dead_s = (uint32_t)((conf->tunnel_dead + 999) / 1000),
		.scope_n = open->n_scope,
	};
	for (i = 0; i < open->n_scope; i++) {
		spec->scope[i].proto = open->scope[i].proto;
		spec->scope[i].port = open->scope[i].port;
	}
	memcpy(spec->cookie, open->job, sizeof(open->job));
}

/* Keys exist between here and the kernel only. */
static int kernel_object(struct tunnels *ts, const struct sapi_tunnel_open *open, struct h2 *h2,
			 struct gw_tunnel *t, struct err *e)
{
	struct tunnel_keys keys;
	struct tunnel_spec spec;
	int rc = -EEXIST, tries;

	for (tries = 0; rc == -EEXIST && tries < SPI_TRIES; tries++) {
		struct tunnel_keys_id id = { .nonce = open->nonce,
					     .cloud_spi = open->spi,
					     .cipher = open->cipher };

		rc = random_spi(ts, &t->spi);
		if (rc < 0)
			return err_sys(e, rc, "random SPI");
		id.gateway_spi = t->spi;
		rc = tunnel_keys_derive(h2, &id, &keys);
		if (rc < 0)
			return err_sys(e, rc, "tunnel keys");
		fill_spec(ts->deps.conf, open, t, &spec);
		rc = datapath_new(ts->deps.datapath, &spec, keys.to_gateway, keys.to_cloud, e);
		tunnel_keys_wipe(&keys);
	}
	return rc;
}

static void know_connect(struct gw_tunnel *t, bool connectable,
			 const struct sapi_tunnel_connect *connect)
{
	t->connectable = connectable;
	if (!connectable)
		return;
	t->cloud_address = connect->address;
	t->agent_port = connect->agent_port;
	memcpy(t->token, connect->token, sizeof(t->token));
}

static struct gw_tunnel *tunnel_of(const struct sapi_tunnel_open *open, const char *cloud)
{
	struct gw_tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	memcpy(t->job, open->job, sizeof(t->job));
	memcpy(t->device, open->device, sizeof(t->device));
	snprintf(t->cloud, sizeof(t->cloud), "%s", cloud);
	t->host = open->host;
	t->near = open->near;
	t->far = open->far;
	t->endpoint = open->endpoint;
	memcpy(t->scope, open->scope, sizeof(t->scope));
	t->n_scope = open->n_scope;
	t->priority = open->priority;
	t->opened = clock_wall_ms();
	t->opened_boot = clock_boot_ms();
	t->kind = open->kind;
	t->remaining = open->remaining;
	know_connect(t, open->connectable, &open->connect);
	t->decided = -1;
	return t;
}

/* What a restart is to know of it; why it will end, where that is clear. */
static void put_ledger(struct tunnels *ts, const struct gw_tunnel *t)
{
	struct sapi_tunnel shown;

	tunnels_show(t, t->leaving ? TUNNEL_MOVED : "", &shown);
	ledger_put_tunnel(ts->deps.ledger, &shown);
}

int tunnels_open(struct tunnels *ts, const struct sapi_tunnel_open *open, const char *cloud,
		 struct h2 *h2, struct gw_tunnel **out, struct err *e)
{
	struct gw_tunnel *t = tunnel_of(open, cloud);
	char id[TUNNEL_ID_LEN], host[ADDR_STR_LEN];
	int rc;

	if (!t)
		return err_sys(e, -ENOMEM, "tunnel");
	rc = addr_pool_get(ts->aliases, &t->alias);
	if (rc < 0) {
		rc = err_set(e, -EAGAIN, "every address of alias-pool is in use");
		goto err;
	}
	rc = kernel_object(ts, open, h2, t, e);
	if (rc < 0) {
		addr_pool_put(ts->aliases, &t->alias);
		goto err;
	}
	insert(ts, t);
	put_ledger(ts, t);
	log_info("tunnel: %s: %s: opened: job %s, device %s at %s", t->cloud,
		 tunnel_id_print(t->spi, id), t->job, t->device, addr_print(&t->host, host));
	*out = t;
	return 0;
err:
	tunnel_wipe_free(t);
	return rc;
}

void tunnels_leaving(struct tunnels *ts, struct gw_tunnel *t, bool leaving)
{
	t->leaving = leaving;
	put_ledger(ts, t);
}

/* ---- what is left to carry ---- */

/* Of the direction in which the content goes; rx is what comes from the cloud. */
static uint64_t carried_content(const struct gw_tunnel *t)
{
	return t->kind == JOB_FETCH ? t->tx.bytes : t->rx.bytes;
}

uint64_t tunnel_remaining(const struct gw_tunnel *t)
{
	uint64_t carried = carried_content(t) - t->remaining_at;

	if (t->remaining == POLICY_REMAINING_UNKNOWN)
		return t->remaining;
	return carried < t->remaining ? t->remaining - carried : 0;
}

void tunnels_tell(struct gw_tunnel *t, const struct sapi_tunnel_job *job)
{
	t->kind = job->kind;
	t->remaining = job->remaining;
	t->remaining_at = carried_content(t);
	know_connect(t, job->connectable, &job->connect);
	if (t->adopted)
		log_info("tunnel: %s: %08x: the cloud knows it: job %s", t->cloud, t->spi, t->job);
	t->adopted = false;
	t->decided = -1;
}

/* ---- the kernel's view ---- */

struct refresh {
	struct tunnels *ts;
	uint64_t now; /* boot ns */
	uint64_t elapsed; /* ns since the last one, 0: none */
};

static int refresh_one(void *arg, const struct tunnel_info *info)
{
	struct refresh *r = arg;
	struct gw_tunnel *t = tunnels_find(r->ts, info->spec.spi_in);
	uint64_t before, cpu;

	if (!t || strcmp(t->job, info->spec.cookie) != 0)
		return 0;
	before = t->rx.cpu_ns + t->tx.cpu_ns;
	cpu = info->rx.cpu_ns + info->tx.cpu_ns;
	if (r->elapsed && cpu >= before)
		t->load_ns = (uint64_t)((double)(cpu - before) * 1e9 / (double)r->elapsed);
	t->rx = info->rx;
	t->tx = info->tx;
	t->seen = r->now;
	return 0;
}

int tunnels_refresh(struct tunnels *ts, struct err *e)
{
	struct refresh r = { .ts = ts, .now = clock_boot_ns() };
	struct gw_tunnel *t, *next;
	int rc;

	r.elapsed = ts->refreshed ? r.now - ts->refreshed : 0;
	rc = datapath_dump(ts->deps.datapath, refresh_one, &r, e);
	if (rc < 0 && rc != -EINTR)
		return rc;
	ts->refreshed = r.now;
	/* Their events were lost. An interrupted dump proves nothing; the next one will. */
	for (t = ts->first; t && rc == 0; t = next) {
		next = t->next;
		if (t->seen != r.now)
			ended(ts, t, true, "vanished", NULL);
	}
	return 0;
}

/* ---- adoption ---- */

struct adoption {
	struct tunnels *ts;
	struct tunnel_info *v; /* what the kernel has */
	size_t n, room;
};

static int adopt_collect(void *arg, const struct tunnel_info *info)
{
	struct adoption *a = arg;
	struct tunnel_info *grown;

	if (a->n == a->room) {
		a->room = a->room ? a->room * 2 : 64;
		grown = realloc(a->v, a->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		a->v = grown;
	}
	a->v[a->n++] = *info;
	return 0;
}

static struct tunnel_info *adopt_find(struct adoption *a, uint32_t spi, const char *job)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		if (a->v[i].spec.spi_in == spi && strcmp(a->v[i].spec.cookie, job) == 0)
			return &a->v[i];
	}
	return NULL;
}

/* A tunnel of the ledger that the kernel does not have: it ended unseen, its counters are lost. */
static void adopt_vanished(struct tunnels *ts, const struct sapi_tunnel *known)
{
	struct sapi_tunnel last = *known;

	snprintf(last.reason, sizeof(last.reason), "vanished");
	write_7k(ts, &last);
	ledger_del_tunnel(ts->deps.ledger, known->id);
}

static void adopt_known(void *arg, const struct sapi_tunnel *known)
{
	struct adoption *a = arg;
	struct tunnel_info *info = adopt_find(a, known->id, known->job);
	struct gw_tunnel *t = NULL;

	if (info && addr_equal(&info->spec.alias, &known->alias))
		t = calloc(1, sizeof(*t));
	if (t && addr_pool_take(a->ts->aliases, &info->spec.alias) < 0) {
		free(t); /* the pool was changed: it would not be routed any more */
		t = NULL;
	}
	if (!t) {
		adopt_vanished(a->ts, known);
		return;
	}
	t->spi = known->id;
	memcpy(t->job, known->job, sizeof(t->job));
	memcpy(t->device, known->device, sizeof(t->device));
	memcpy(t->cloud, known->cloud, sizeof(t->cloud));
	t->host = info->spec.host;
	t->alias = info->spec.alias;
	t->near = info->spec.near;
	t->far = info->spec.far;
	t->endpoint = info->spec.endpoint;
	for (; t->n_scope < info->spec.scope_n && t->n_scope < SAPI_SCOPE_MAX; t->n_scope++)
		t->scope[t->n_scope] =
			(struct sapi_scope){ .proto = info->spec.scope[t->n_scope].proto,
					     .port = info->spec.scope[t->n_scope].port };
	t->priority = info->spec.priority;
	t->opened = known->opened;
	t->opened_boot = clock_boot_ms();
	t->remaining = POLICY_REMAINING_UNKNOWN;
	t->adopted = true;
	t->leaving = !strcmp(known->reason, TUNNEL_MOVED);
	t->rx = info->rx;
	t->tx = info->tx;
	t->carried = t->rx.bytes + t->tx.bytes;
	t->decided = -1;
	insert(a->ts, t);
	log_notice("tunnel: %s: %08x: adopted: job %s", t->cloud, t->spi, t->job);
}

/* It has an alias of the pool that the kernel would go on using. */
static void adopt_stuck(struct tunnels *ts, const struct tunnel_info *info)
{
	struct gw_tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return;
	t->spi = info->spec.spi_in;
	if (id_ok(info->spec.cookie))
		memcpy(t->job, info->spec.cookie, sizeof(t->job));
	strcpy(t->cloud, "-");
	if (addr_pool_take(ts->aliases, &info->spec.alias) == 0)
		t->alias = info->spec.alias;
	stuck_add(ts, t);
}

/* A tunnel of the kernel's that nobody answers for. */
static void adopt_orphan(struct tunnels *ts, const struct tunnel_info *info)
{
	struct sapi_tunnel last = { .id = info->spec.spi_in };
	struct tunnel_info final = *info;
	struct err e = { 0 };

	int rc = datapath_del(ts->deps.datapath, info->spec.spi_in, &final, &e);

	if (rc < 0) {
		log_warn("tunnel: %08x: orphan not removed: %s", info->spec.spi_in, err_text(&e));
		if (rc != -ENOENT)
			adopt_stuck(ts, info);
	}
	if (id_ok(info->spec.cookie))
		memcpy(last.job, info->spec.cookie, sizeof(last.job));
	snprintf(last.reason, sizeof(last.reason), "orphaned");
	show_counters(&final.rx, &last.rx);
	show_counters(&final.tx, &last.tx);
	write_7k(ts, &last);
	log_notice("tunnel: %08x: removed: nothing is known of it", info->spec.spi_in);
}

int tunnels_adopt(struct tunnels *ts, struct err *e)
{
	struct adoption a = { .ts = ts };
	size_t i;
	int rc = datapath_dump(ts->deps.datapath, adopt_collect, &a, e);

	if (rc == -EINTR)
		rc = 0; /* changed by idle timeouts meanwhile: the events tell */
	if (rc == 0) {
		rc = ledger_tunnels(ts->deps.ledger, adopt_known, &a);
		if (rc < 0)
			err_sys(e, rc, "state: tunnels");
	}
	for (i = 0; rc == 0 && i < a.n; i++) {
		if (!tunnels_find(ts, a.v[i].spec.spi_in))
			adopt_orphan(ts, &a.v[i]);
	}
	free(a.v);
	return rc;
}

/* ---- life ---- */

int tunnels_new(const struct tunnels_deps *deps, struct tunnels **out, struct err *e)
{
	struct tunnels *ts = calloc(1, sizeof(*ts));

	if (!ts)
		return err_sys(e, -ENOMEM, "tunnels");
	ts->deps = *deps;
	ts->aliases = addr_pool_new(&deps->conf->alias_pool, 0);
	if (!ts->aliases) {
		free(ts);
		return err_sys(e, -errno, "alias-pool");
	}
	*out = ts;
	return 0;
}

void tunnels_free(struct tunnels *ts)
{
	struct gw_tunnel *t, *next;

	if (!ts)
		return;
	for (t = ts->first; t; t = next) {
		next = t->next;
		tunnel_wipe_free(t);
	}
	while ((t = ts->stuck)) {
		ts->stuck = t->next;
		tunnel_wipe_free(t);
	}
	addr_pool_free(ts->aliases);
	free(ts);
}
