// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/lan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/record.h"
#include "lib/body.h"
#include "lib/log.h"
#include "lib/peer.h"

struct lan {
	struct peer_listener *listener;
	struct h2_router router;
	struct record *record;
};

static void take_log(struct lan *l, struct h2_req *req, const struct sapi_conn_log *log)
{
	struct sapi_record_7j rec = { .time = clock_wall_ms(), .log = *log };
	const char *peer = h2_req_peer(req)->name;

	if (strcmp(log->device, peer) != 0)
		h2_problem(req, 403, "not-your-name", "device: is %s, but the caller is %s",
			   log->device, peer);
	else if (!l->record || record_7j(l->record, &rec) < 0)
		h2_problem(req, 503, "not-recorded", "the log could not be kept; try again later");
	else
		h2_respond(req, 204, NULL, NULL, 0);
}

static void on_log(struct h2_req *req, void *arg)
{
	struct sapi_conn_log log;

	if (body_decode(req, &sapi_conn_log_schema, &log) < 0)
		return;
	take_log(arg, req, &log);
	sapi_conn_log_fini(&log);
}

static const struct h2_route routes[] = {
	{ "POST", "/v1/logs", ROLE_BIT(ROLE_DEVICE), SAPI_MAX, 0, on_log },
};

static void on_refused(const char *remote, int err, const char *why, void *arg)
{
	char host[PEER_HOST_LEN];

	(void)err;
	(void)arg;
	log_limited(peer_host(remote, host), LOG_LVL_WARNING, "lan: %s: refused: %s", remote, why);
}

int lan_new(struct loop *loop, const struct gateway_conf *conf, struct tls_ctx *tls,
	    struct lan **out, struct err *e)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_listen_conf listen = {
		.address = endpoint_print(&conf->listen, address),
		.tls = tls,
		.roles = ROLE_BIT(ROLE_DEVICE),
		.on_refused = on_refused,
		.max_conns = 256,
	};
	struct lan *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return err_sys(e, -ENOMEM, "lan");
	l->router = (struct h2_router){ routes, sizeof(routes) / sizeof(routes[0]), l };
	listen.routes = &l->router;
	listen.arg = l;
	rc = peer_listen(loop, &listen, &l->listener, e);
	if (rc < 0) {
		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

void lan_free(struct lan *l)
{
	if (!l)
		return;
	peer_listener_free(l->listener);
	free(l);
}

uint16_t lan_port(const struct lan *l)
{
	return peer_listener_port(l->listener);
}

void lan_set_record(struct lan *l, struct record *record)
{
	l->record = record;
}

void lan_set_tls(struct lan *l, struct tls_ctx *tls)
{
	peer_listener_set_tls(l->listener, tls);
}

void lan_stop(struct lan *l, void (*done)(void *arg), void *arg)
{
	peer_listener_close(l->listener, done, arg);
}
