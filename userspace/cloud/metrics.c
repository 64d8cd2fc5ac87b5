// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/metrics.h"

#include "cloud/cloud.h"
#include "cloud/decider.h"
#include "cloud/delivery.h"
#include "cloud/direct.h"
#include "cloud/gateways.h"
#include "cloud/jobs.h"
#include "cloud/notice.h"
#include "cloud/tunnels.h"
#include "lib/buf.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP shunt_cloud_%s %s\n# TYPE shunt_cloud_%s %s\n", name, help, name,
		   type);
}

static void one(struct buf *out, const char *name, const char *type, const char *help,
		uint64_t value)
{
	head(out, name, type, help);
	buf_printf(out, "shunt_cloud_%s %llu\n", name, (unsigned long long)value);
}

static void labelled(struct buf *out, const char *name, const char *label, const char *word,
		     uint64_t value)
{
	buf_printf(out, "shunt_cloud_%s{%s=\"%s\"} %llu\n", name, label, word,
		   (unsigned long long)value);
}

/* What this cloud decided; all zero where gateways decide. */
static void decisions(const struct cloud *c, struct buf *out)
{
	struct decider_figures f;
	int reason;

	decider_figures(c->decider, &f);
	one(out, "waiting_for_tunnel", "gauge",
	    "Jobs that wait for this cloud's leave to open a tunnel.", f.waiting);
	one(out, "moves_in_flight", "gauge",
	    "Devices that this cloud asked to connect and whose tunnels have not ended yet.",
	    f.moving);
	one(out, "moves_failed_total", "counter",
	    "Devices that this cloud asked to connect in vain.", f.failed);
	head(out, "decisions_total", "counter", "Decisions of this cloud, by reason.");
	for (reason = 0; reason < DECIDER_REASONS; reason++)
		labelled(out, "decisions_total", "reason", policy_reason_str(reason),
			 f.decisions[reason]);
}

int metrics_print(const struct cloud *c, struct buf *out)
{
	const struct delivery_totals *t = deliveries_totals(c->deliveries);
	int state;

	head(out, "jobs", "gauge", "Unfinished jobs by state.");
	for (state = JOB_RECEIVING; state <= JOB_EXECUTING; state++)
		labelled(out, "jobs", "state", job_state_str(state), jobs_in_state(c->jobs, state));
	head(out, "jobs_ended_total", "counter",
	     "Jobs that ended since the start, by final state.");
	for (state = JOB_COMPLETED; state <= JOB_CANCELED; state++)
		labelled(out, "jobs_ended_total", "state", job_state_str(state),
			 jobs_ended(c->jobs, state));
	head(out, "content_bytes_total", "counter", "Content acknowledged by devices, by path.");
	labelled(out, "content_bytes_total", "path", "tunnel", t->tunnel_bytes);
	labelled(out, "content_bytes_total", "path", "direct", t->direct_bytes);
	one(out, "resent_bytes_total", "counter", "Content sent more than once.", t->resent_bytes);
	one(out, "moves_total", "counter", "Running jobs moved off their tunnel.", t->moved);
	one(out, "retries_total", "counter", "Tries of deliveries that failed and were repeated.",
	    t->retries);
	one(out, "deliveries", "gauge", "Jobs being delivered or waiting for a path.",
	    deliveries_count(c->deliveries));
	one(out, "deliveries_waiting", "gauge",
	    "Of them, those that wait for a tunnel's slot or for their next try.",
	    deliveries_waiting(c->deliveries));
	one(out, "tunnels", "gauge", "Tunnels open, asked for or closing.",
	    c->tunnels ? tunnels_count(c->tunnels) : 0);
	one(out, "gateways_connected", "gauge", "Gateways with a connection.",
	    gateways_connected(c->gateways));
	one(out, "direct_connections", "gauge", "Devices with a direct connection.",
	    directs_connected(c->directs));
	one(out, "notices", "gauge", "Devices that have to hear of the end of a job still.",
	    notices_count(c->notices));
	decisions(c, out);
	return out->error;
}
