// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/h2.h"
#include "lib/log.h"

struct subscriber {
	struct subscriber *next;
	struct events *owner;
	struct h2_req *req;
	char cloud[NAME_LEN];
};

struct events {
	struct subscriber *first; /* newest first */
	struct buf line;
};

int events_new(struct events **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	buf_init_max(&(*out)->line, SAPI_MAX);
	return 0;
}

void events_free(struct events *ev)
{
	struct subscriber *s, *next;

	if (!ev)
		return;
	for (s = ev->first; s; s = next) {
		next = s->next;
		h2_req_on_close(s->req, NULL, NULL);
		free(s);
	}
	buf_fini(&ev->line);
	free(ev);
}

void events_finish(struct events *ev, const char *cloud)
{
	struct subscriber *s;

	for (s = ev->first; s; s = s->next) {
		if (!cloud || strcmp(s->cloud, cloud) == 0)
			h2_finish(s->req);
	}
}

static void on_close(struct h2_req *req, int err, void *arg)
{
	struct subscriber *s = arg;
	struct subscriber **p = &s->owner->first;

	(void)req;
	(void)err;
	while (*p && *p != s)
		p = &(*p)->next;
	if (*p)
		*p = s->next;
	free(s);
}

/* A cloud that reconnected before its old connection was found dead must not be locked out. */
static void make_room(struct events *ev, const char *cloud)
{
	struct subscriber *s, *oldest = NULL;
	unsigned int n = 0;

	for (s = ev->first; s; s = s->next) {
		if (strcmp(s->cloud, cloud) == 0) {
			n++;
			oldest = s;
		}
	}
	if (n >= EVENTS_STREAMS_MAX)
		h2_finish(oldest->req);
}

void events_subscribe(struct events *ev, struct h2_req *req)
{
	struct subscriber *s;

	make_room(ev, h2_req_peer(req)->name);
	s = calloc(1, sizeof(*s));
	if (!s) {
		h2_problem(req, 503, "out-of-memory", "no memory for an event stream");
		return;
	}
	s->owner = ev;
	s->req = req;
	memcpy(s->cloud, h2_req_peer(req)->name, sizeof(s->cloud));
	if (h2_start(req, 200, "application/x-ndjson") < 0) {
		free(s);
		return;
	}
	s->next = ev->first;
	ev->first = s;
	h2_req_on_close(req, on_close, s);
}

void events_publish(struct events *ev, const char *cloud, const struct sapi_gateway_event *event)
{
	struct subscriber *s, *next;
	int rc;

	buf_reset(&ev->line);
	rc = sapi_gateway_event_encode(event, &ev->line);
	if (rc == 0)
		rc = buf_putc(&ev->line, '\n');
	if (rc < 0) {
		log_err("events: %s: not sent: %s", cloud, shunt_strerror(rc));
		return;
	}
	for (s = ev->first; s; s = next) {
		next = s->next;
		if (strcmp(s->cloud, cloud) != 0)
			continue;
		rc = h2_write(s->req, ev->line.data, ev->line.len);
		if (rc == -EAGAIN) {
			log_limited(cloud, LOG_LVL_WARNING, "events: %s: reset: reads too slowly",
				    cloud);
			h2_req_reset(s->req);
		}
	}
}
