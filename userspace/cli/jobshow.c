// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/jobshow.h"

#include <inttypes.h>

void jobshow_line(const struct cli *c, const struct sapi_job *job)
{
	out_str(c->out, NULL, "%s", job->id);
	out_str(c->out, NULL, " %s", job_kind_str(job->kind));
	out_str(c->out, NULL, " %s", job_state_str(job->state));
	out_str(c->out, NULL, " device %s", job->device);
	if (job->size != CONTENT_SIZE_UNKNOWN)
		out_uint(c->out, NULL, " size %" PRIu64, job->size);
	out_uint(c->out, NULL, " delivered %" PRIu64, job->delivered);
	out_text(c->out, "%s", job->moved ? " moved" : "");
	out_str(c->out, NULL, " name \"%s\"", job->name);
	if (job->reason[0])
		out_str(c->out, NULL, " reason: %s", job->reason);
	out_text(c->out, "\n");
}

void jobshow_event(const struct cli *c, const struct sapi_job_event *event)
{
	char when[CLOCK_STR_LEN];

	out_str(c->out, NULL, "%s", clock_print(event->time, when));
	out_str(c->out, NULL, " %s", event->event);
	if (event->path != PATH_NONE)
		out_str(c->out, NULL, " %s", path_kind_str(event->path));
	if (event->text[0])
		out_str(c->out, NULL, ": %s", event->text);
	if (event->reason[0])
		out_str(c->out, NULL, " (%s)", event->reason);
	out_text(c->out, "\n");
}

static void show_path(const struct cli *c, const struct sapi_job_path *p)
{
	char text[CLOCK_STR_LEN], id[TUNNEL_ID_LEN];

	out_str(c->out, NULL, "    path %s", path_kind_str(p->kind));
	out_str(c->out, NULL, " %s", path_state_str(p->state));
	if (p->tunnel)
		out_str(c->out, NULL, " tunnel %s", tunnel_id_print(p->tunnel, id));
	if (p->gateway[0])
		out_str(c->out, NULL, " gateway %s", p->gateway);
	out_uint(c->out, NULL, " bytes %" PRIu64, p->bytes);
	if (p->packets) {
		out_uint(c->out, NULL, " packets %" PRIu64, p->packets);
		out_uint(c->out, NULL, " cpu %" PRIu64 "us", (p->rx_cpu_ns + p->tx_cpu_ns) / 1000);
	}
	if (p->opened)
		out_str(c->out, NULL, " opened %s", clock_print(p->opened, text));
	if (p->closed)
		out_str(c->out, NULL, " closed %s", clock_print(p->closed, text));
	if (p->reason[0])
		out_str(c->out, NULL, " (%s)", p->reason);
	out_text(c->out, "\n");
}

static void show_print(const struct cli *c, const struct sapi_print *p)
{
	if (p->copies)
		out_uint(c->out, NULL, " copies %" PRIu64, p->copies);
	if (p->media[0])
		out_str(c->out, NULL, " media %s", p->media);
	if (p->sides != SIDES_UNSET)
		out_str(c->out, NULL, " sides %s", print_sides_str(p->sides));
	if (p->color != COLOR_UNSET)
		out_str(c->out, NULL, " color %s", print_color_str(p->color));
}

void jobshow_full(const struct cli *c, const struct sapi_job *job)
{
	char text[CLOCK_STR_LEN];
	size_t i;

	jobshow_line(c, job);
	out_str(c->out, NULL, "    type %s", job->media_type);
	out_uint(c->out, NULL, " priority %" PRIu64, job->priority);
	out_str(c->out, NULL, " owner %s", job->owner);
	show_print(c, &job->print);
	out_uint(c->out, NULL, " uploaded %" PRIu64, job->uploaded);
	out_uint(c->out, NULL, " resent %" PRIu64, job->resent);
	if (job->sha256[0])
		out_str(c->out, NULL, " sha256 %s", job->sha256);
	out_str(c->out, NULL, " created %s", clock_print(job->created, text));
	if (job->finished)
		out_str(c->out, NULL, " finished %s", clock_print(job->finished, text));
	out_text(c->out, "\n");
	for (i = 0; i < job->n_paths; i++)
		show_path(c, &job->paths[i]);
	for (i = 0; i < job->n_timeline; i++) {
		out_text(c->out, "    ");
		jobshow_event(c, &job->timeline[i]);
	}
}
