// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt monitor: the kernel's events, one line (with -j: one JSON object) each, until interrupted.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"
#include "lib/clock.h"
#include "lib/tunnel.h"

static const char usage_text[] =
	"Usage: shunt monitor [ all | tunnels | load ]\n"
	"tunnels: made, deleted with final counters and reason, outer address learned or moved,\n"
	"sequence numbers nearly used up (exhaust).\n"
	"load: thresholds crossed (shunt threshold).\n"
	"The first line, ready, says that it listens.\n";

static const struct enum_name event_names[] = {
	{ TUNNEL_EVENT_NEW, "new" },	       { TUNNEL_EVENT_DEL, "del" },
	{ TUNNEL_EVENT_ENDPOINT, "endpoint" }, { TUNNEL_EVENT_EXHAUST, "exhaust" },
	{ TUNNEL_EVENT_LOAD, "threshold" },    { 0, NULL },
};

static void begin_line(const struct cli *c, const char *event)
{
	c->dev->ifindex = 0; /* names change while one watches */
	char now[CLOCK_STR_LEN];

	out_obj_begin(c->out, NULL);
	out_str(c->out, "time", "%s", clock_print(clock_wall_ms(), now));
	out_str(c->out, "event", " %s", event);
}

static void end_line(const struct cli *c)
{
	out_text(c->out, "\n");
	out_obj_end(c->out);
	out_flush(c->out);
}

static int on_event(void *arg, const struct tunnel_event *event)
{
	const struct cli *c = arg;

	begin_line(c, enum_str(event_names, event->type));
	switch (event->type) {
	case TUNNEL_EVENT_NEW:
		if (c->json || c->details)
			show_tunnel(c, &event->tunnel, false);
		else
			show_tunnel_brief(c, &event->tunnel);
		break;
	case TUNNEL_EVENT_ENDPOINT:
	case TUNNEL_EVENT_EXHAUST:
		show_tunnel_brief(c, &event->tunnel);
		break;
	case TUNNEL_EVENT_DEL:
		out_str(c->out, "reason", NULL, enum_str(tunnel_end_names, event->tunnel.end));
		if (c->json || c->details)
			show_tunnel(c, &event->tunnel, true);
		else
			show_tunnel_brief(c, &event->tunnel);
		out_text(c->out, " reason %s", enum_str(tunnel_end_names, event->tunnel.end));
		break;
	case TUNNEL_EVENT_LOAD:
		out_str(c->out, "crossed", " %s",
			enum_str(tunnel_crossing_names, event->load.crossing));
		show_load(c, &event->load.now);
		break;
	}
	end_line(c);
	return 0;
}

static int run(struct cli *c, unsigned int watch)
{
	struct tunnel_events *events = NULL;
	struct err e = { 0 };
	struct pollfd fd;
	int err;

	err = tunnel_events_open(watch, &events, &e);
	if (err)
		return cli_refused(c, &e);
	/* Whoever waits for this line misses nothing that happens after it. */
	begin_line(c, "ready");
	end_line(c);
	fd = (struct pollfd){ .fd = tunnel_events_fd(events), .events = POLLIN };
	while (!err) {
		if (poll(&fd, 1, -1) < 0 && errno != EINTR) {
			err = err_sys(&e, -errno, "poll");
			break;
		}
		err = tunnel_events_read(events, on_event, c, &e);
		if (err == -ENOBUFS) {
			fprintf(c->errors, "Warning: events were lost\n");
			err = 0;
		}
	}
	tunnel_events_close(events);
	return cli_refused(c, &e);
}

static int monitor_tunnels(struct cli *c, struct args *a)
{
	int status = cli_end(c, a);

	return status ? status : run(c, TUNNEL_WATCH_TUNNELS);
}

static int monitor_load(struct cli *c, struct args *a)
{
	int status = cli_end(c, a);

	return status ? status : run(c, TUNNEL_WATCH_LOAD);
}

static int monitor_all(struct cli *c, struct args *a)
{
	int status = cli_end(c, a);

	return status ? status : run(c, TUNNEL_WATCH_TUNNELS | TUNNEL_WATCH_LOAD);
}

int cmd_monitor(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "all", monitor_all },
		{ "tunnels", monitor_tunnels },
		{ "load", monitor_load },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "monitor", commands, monitor_all, usage_text);
}
