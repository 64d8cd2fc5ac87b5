// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/api.h"
#include "gateway/controller.h"
#include "gateway/datapath.h"
#include "gateway/dial.h"
#include "gateway/events.h"
#include "gateway/lan.h"
#include "gateway/ledger.h"
#include "gateway/record.h"
#include "gateway/tunnels.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "lib/tls.h"

/* ---- what the parts tell each other ---- */

static void on_deleted(const struct tunnel_info *info, void *arg)
{
	struct gateway *g = arg;

	if (g->tunnels)
		tunnels_deleted(g->tunnels, info);
}

static void on_load(enum tunnel_crossing crossing, const struct tunnel_load *now, void *arg)
{
	struct gateway *g = arg;

	if (g->controller)
		controller_crossed(g->controller, crossing, now);
}

static void on_missed(void *arg)
{
	struct gateway *g = arg;
	struct err e = { 0 };

	if (g->tunnels && tunnels_refresh(g->tunnels, &e) < 0)
		log_err("datapath: state: %s", err_text(&e));
	if (g->controller)
		controller_run(g->controller);
}

static void on_datapath_failed(const char *why, void *arg)
{
	struct gateway *g = arg;

	log_err("datapath: events: %s", why);
	loop_stop(g->loop, EXIT_RUNTIME);
}

static void on_tunnel_closed(struct gw_tunnel *t, void *arg)
{
	struct gateway *g = arg;

	if (g->controller)
		controller_closed(g->controller, t);
}

static bool cloud_in_use(const char *cloud, void *arg)
{
	struct gateway *g = arg;

	return tunnels_count_cloud(g->tunnels, cloud) > 0 ||
	       controller_waits(g->controller, cloud, NULL);
}

/* Its streams would hold up the end of the connection. */
static void on_cloud_leaving(const char *cloud, void *arg)
{
	struct gateway *g = arg;

	events_finish(g->events, cloud);
}

/* ---- start ---- */

static int load_tls(const struct gateway_conf *conf, struct tls_ctx **out, struct err *e)
{
	const struct tls_files files = { .ca = conf->ca,
					 .cert = conf->cert,
					 .key = conf->key,
					 .roles = ROLE_BIT(ROLE_GATEWAY) };

	return tls_ctx_new(out, &files, e);
}

int gateway_check(const struct gateway_conf *conf, struct err *e)
{
	struct tls_ctx *tls = NULL;
	int rc = load_tls(conf, &tls, e);

	tls_ctx_free(tls);
	return rc;
}

/*
 * The kernel wants a low mark below the high one; the policy means by equal marks that one less is
 * enough.
 */
static uint32_t below(uint32_t high, uint32_t low)
{
	return high && low >= high ? high - 1 : low;
}

static int open_datapath(struct gateway *g, struct err *e)
{
	static const struct datapath_ops ops = { on_deleted, on_load, on_missed,
						 on_datapath_failed };
	const struct gateway_conf *conf = g->conf;
	const struct policy_settings *p = &conf->policy;
	const struct datapath_conf dc = {
		.device = conf->device,
		.port = (uint16_t)conf->port,
		.alias_pool = conf->alias_pool,
		.thresholds = { .tunnels_high = p->tunnels_high,
				.tunnels_low = below(p->tunnels_high, p->tunnels_low),
				.load_high = p->cpu_high,
				.load_low = below(p->cpu_high, p->cpu_low) },
	};

	return datapath_open(g->loop, &dc, &ops, g, &g->datapath, e);
}

static int open_records(struct gateway *g, struct err *e)
{
	const struct gateway_conf *conf = g->conf;
	char path[4096];
	int rc = ledger_open(conf->state, &g->ledger, e);

	if (rc < 0)
		return rc;
	if (snprintf(path, sizeof(path), "%s/record.log", conf->state) >= (int)sizeof(path))
		return err_sys(e, -ENAMETOOLONG, "state: %s", conf->state);
	return record_open(g->loop, conf->record_log ? conf->record_log : path,
			   conf->record_log_size, conf->record_log_keep, &g->record, e);
}

static int make_parts(struct gateway *g, struct err *e)
{
	int rc = events_new(&g->events);

	if (rc < 0)
		return err_sys(e, rc, "events");
	rc = tunnels_new(&(struct tunnels_deps){ .conf = g->conf,
						 .datapath = g->datapath,
						 .ledger = g->ledger,
						 .record = g->record,
						 .events = g->events,
						 .on_closed = on_tunnel_closed,
						 .arg = g },
			 &g->tunnels, e);
	if (rc < 0)
		return rc;
	rc = controller_new(&(struct controller_deps){ .loop = g->loop,
						       .conf = g->conf,
						       .tls = g->tls,
						       .tunnels = g->tunnels,
						       .datapath = g->datapath,
						       .events = g->events,
						       .record = g->record },
			    &g->controller);
	if (rc == 0)
		rc = dial_new(&(struct dial_deps){ .loop = g->loop,
						   .conf = g->conf,
						   .tls = g->tls,
						   .routes = &g->router,
						   .ledger = g->ledger,
						   .in_use = cloud_in_use,
						   .leaving = on_cloud_leaving,
						   .arg = g },
			      &g->dial);
	return rc < 0 ? err_sys(e, rc, "start") : 0;
}

int gateway_new(struct loop *loop, const struct gateway_conf *conf, struct gateway **out,
		struct err *e)
{
	struct gateway *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return err_sys(e, -ENOMEM, "gateway");
	g->loop = loop;
	g->conf = conf;
	api_router(g, &g->router);
	/* First what needs the rights that are given up next, then what must work without them. */
	rc = load_tls(conf, &g->tls, e);
	if (rc < 0)
		goto err;
	rc = open_datapath(g, e);
	if (rc < 0)
		goto err;
	rc = lan_new(loop, conf, g->tls, &g->lan, e);
	if (rc < 0)
		goto err;
	rc = proc_drop(conf->user, PROC_CAP_NET_ADMIN, e);
	if (rc < 0)
		goto err;
	rc = open_records(g, e);
	if (rc < 0)
		goto err;
	lan_set_record(g->lan, g->record);
	rc = make_parts(g, e);
	if (rc < 0)
		goto err;
	rc = tunnels_adopt(g->tunnels, e);
	if (rc < 0)
		goto err;
	rc = dial_start(g->dial, e);
	if (rc < 0)
		goto err;
	*out = g;
	return 0;
err:
	gateway_free(g);
	return rc;
}

/* ---- end ---- */

static void on_part_stopped(void *arg)
{
	struct gateway *g = arg;

	if (--g->stopping == 0)
		loop_stop(g->loop, EXIT_STOPPED);
}

void gateway_stop(struct gateway *g)
{
	if (g->stopping)
		return;
	g->stopping = 2;
	/* Streams first, so that connections have nothing left to wait for. */
	controller_stop(g->controller);
	events_finish(g->events, NULL);
	dial_stop(g->dial, on_part_stopped, g);
	lan_stop(g->lan, on_part_stopped, g);
}

int gateway_reload(struct gateway *g, struct err *e)
{
	struct tls_ctx *tls = NULL;
	int rc = load_tls(g->conf, &tls, e);

	if (rc < 0)
		return rc;
	dial_set_tls(g->dial, tls);
	controller_set_tls(g->controller, tls);
	lan_set_tls(g->lan, tls);
	tls_ctx_free(g->tls);
	g->tls = tls;
	return 0;
}

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	lan_free(g->lan);
	dial_free(g->dial);
	controller_free(g->controller);
	tunnels_free(g->tunnels);
	events_free(g->events);
	record_close(g->record);
	ledger_close(g->ledger);
	datapath_close(g->datapath);
	tls_ctx_free(g->tls);
	free(g);
}
