// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * liar: an agent that does not tell the truth, for chaos.sh. It listens as a device, takes a job, never
 * stores a byte and never says that a job is over:
 *
 *   claims    it says that it holds the first half of the content
 *   beyond    it says that it holds more than the content has
 *   denies    it acknowledges every range, hangs up after 256 KiB, and then holds nothing
 *   connect   it says that it has connected to the cloud, and has not
 *   dies      it connects to the cloud and hangs up at once
 *
 * Of what it lied about it prints a line each, which the test waits for. In the last two modes content
 * is read and not acknowledged, so the tunnel stays what the job has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/body.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/sapi.h"
#include "lib/tls.h"

#define DENIES_AFTER (256 * 1024)

static struct loop *loop;
static struct tls_ctx *tls;
static const char *mode;
static struct sapi_device_job_status job; /* the one last introduced */
static uint64_t taken; /* octets of content on the present session */

static bool mode_is(const char *name)
{
	return !strcmp(mode, name);
}

static void said(const char *what)
{
	printf("liar: %s\n", what);
	fflush(stdout);
}

static void respond_status(struct h2_req *req, int status)
{
	uint64_t size = job.job.size;

	ranges_clear(&job.received);
	if (mode_is("claims"))
		ranges_add(&job.received, 0, size / 2, NULL);
	else if (mode_is("beyond"))
		ranges_add(&job.received, 0, size + 4096, NULL);
	body_respond(req, status, &sapi_device_job_status_schema, &job);
	said("status");
}

static void put_job(struct h2_req *req, void *arg)
{
	(void)arg;
	if (body_decode(req, &sapi_device_job_schema, &job.job))
		return;
	snprintf(job.id, sizeof(job.id), "%s", h2_req_param(req, "id"));
	job.state = JOB_RECEIVING;
	taken = 0;
	respond_status(req, 200); /* so that it is asked what it holds */
}

static void get_job(struct h2_req *req, void *arg)
{
	(void)arg;
	respond_status(req, 200);
}

static void delete_job(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_respond(req, 204, NULL, NULL, 0);
}

static int on_data(struct h2_req *req, const void *data, size_t len, void *arg)
{
	(void)req;
	(void)data;
	(void)arg;
	taken += len;
	return 0;
}

static void on_end(struct h2_req *req, void *arg)
{
	struct sapi_content_reply reply = { 0 };

	(void)arg;
	if (mode_is("connect") || mode_is("dies"))
		return;
	body_respond(req, 200, &sapi_content_reply_schema, &reply);
	if (mode_is("denies") && taken >= DENIES_AFTER) {
		said("took it");
		h2_close(h2_req_session(req)); /* the answer may still go out */
	}
}

static void on_close(struct h2_req *req, int err, void *arg)
{
	(void)req;
	(void)err;
	(void)arg;
}

static void put_content(struct h2_req *req, void *arg)
{
	static const struct h2_body_ops ops = { .on_data = on_data, .on_end = on_end };

	(void)arg;
	h2_req_on_close(req, on_close, NULL);
	h2_req_stream(req, &ops, NULL);
}

static void get_events(struct h2_req *req, void *arg)
{
	(void)arg;
	h2_req_on_close(req, on_close, NULL);
	h2_start(req, 200, "application/x-ndjson");
}

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	(void)arg;
	(void)err;
	said(h2 ? "connected, and dies" : why);
	if (h2)
		h2_abort(h2, 0, "never meant it");
}

static void post_connect(struct h2_req *req, void *arg)
{
	static const struct h2_router nothing;
	struct sapi_connect_reply reply = { .connected = true };
	struct peer_dial_conf dial = {
		.tls = tls, .reverse = true, .roles = ROLE_BIT(ROLE_CLOUD), .routes = &nothing
	};
	char address[ENDPOINT_STR_LEN];
	struct sapi_connect ask;
	struct peer_dial *out;

	(void)arg;
	if (body_decode(req, &sapi_connect_schema, &ask))
		return;
	dial.address = endpoint_print(&ask.address, address);
	if (mode_is("dies") && peer_dial(loop, &dial, on_dialled, NULL, &out))
		said("cannot dial");
	body_respond(req, 200, &sapi_connect_reply_schema, &reply);
	said("connect");
}

#define JOB "/v1/jobs/{id}"
#define CLOUD ROLE_BIT(ROLE_CLOUD)
#define GATEWAY ROLE_BIT(ROLE_GATEWAY)

static const struct h2_route routes[] = {
	{ "PUT", JOB, CLOUD, SAPI_MAX, 0, put_job },
	{ "GET", JOB, CLOUD, 0, 0, get_job },
	{ "DELETE", JOB, CLOUD, 0, 0, delete_job },
	{ "PUT", JOB "/content", CLOUD, SIZE_MAX, H2_STREAM_BODY, put_content },
	{ "GET", JOB "/events", CLOUD, 0, 0, get_events },
	{ "POST", "/v1/connect", CLOUD | GATEWAY, SAPI_MAX, 0, post_connect },
};

static const struct h2_router router = { .routes = routes,
					 .count = sizeof(routes) / sizeof(routes[0]) };

int main(int argc, char **argv)
{
	struct peer_listen_conf conf = { .roles = CLOUD | GATEWAY, .routes = &router };
	struct peer_listener *listener;
	struct tls_files files = { 0 };
	struct err e = { 0 };

	if (argc != 6) {
		fprintf(stderr, "usage: liar MODE LISTEN CA CERT KEY\n");
		return 2;
	}
	mode = argv[1];
	conf.address = argv[2];
	files = (struct tls_files){ .ca = argv[3], .cert = argv[4], .key = argv[5] };
	if (loop_new(&loop) || tls_ctx_new(&tls, &files, &e)) {
		fprintf(stderr, "liar: %s\n", err_text(&e));
		return 1;
	}
	conf.tls = tls;
	if (peer_listen(loop, &conf, &listener, &e)) {
		fprintf(stderr, "liar: %s\n", err_text(&e));
		return 1;
	}
	return loop_run(loop);
}
