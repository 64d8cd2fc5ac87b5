// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"

#define REPORTS_MAX 64
#define REQUEST_MS 10000

/* Pauses before the second, third, ... attempt. */
static const uint32_t pauses_ms[] = { 1000, 5000, 20000, 60000 };
#define ATTEMPTS (sizeof(pauses_ms) / sizeof(pauses_ms[0]) + 1)

struct post {
	TAILQ_ENTRY(post) link;
	struct reports *reports;
	struct peer_client *client;
	struct loop_timer *timer;
	struct buf body;
	unsigned int attempts;
	char job[ID_LEN];
	char to[ENDPOINT_STR_LEN];
};

struct reports {
	struct loop *loop;
	struct tls_ctx *tls;
	TAILQ_HEAD(, post) posts;
	unsigned int count;
};

int reports_new(struct loop *loop, struct tls_ctx *tls, struct reports **out)
{
	struct reports *reports = calloc(1, sizeof(*reports));

	if (!reports)
		return -ENOMEM;
	reports->loop = loop;
	reports->tls = tls;
	TAILQ_INIT(&reports->posts);
	*out = reports;
	return 0;
}

static void post_free(struct post *post)
{
	TAILQ_REMOVE(&post->reports->posts, post, link);
	post->reports->count--;
	peer_client_free(post->client);
	loop_timer_free(post->timer);
	buf_fini(&post->body);
	free(post);
}

void reports_free(struct reports *reports)
{
	struct post *post;

	if (!reports)
		return;
	while ((post = TAILQ_FIRST(&reports->posts)))
		post_free(post);
	free(reports);
}

void reports_set_tls(struct reports *reports, struct tls_ctx *tls)
{
	reports->tls = tls;
}

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct post *post = arg;
	char why[64];
	bool last;

	if (!reply->err && reply->status >= 200 && reply->status < 300) {
		log_info("report: %s: connection log sent to %s", post->job, post->to);
		post_free(post);
		return;
	}
	snprintf(why, sizeof(why), "it answered %d", reply->status);
	/* What was refused for good will be refused again. */
	last = post->attempts == ATTEMPTS || (!reply->err && reply->status < 500);
	log_warn("report: %s: %s does not take the connection log: %s (%s)", post->job, post->to,
		 reply->err ? reply->why : why, last ? "dropped" : "tried again");
	if (last)
		post_free(post);
	else
		loop_timer_set(post->timer, pauses_ms[post->attempts - 1]);
}

static int post_start(struct post *post)
{
	struct peer_client_conf conf = {
		.dial = { .address = post->to,
			  .tls = post->reports->tls,
			  .roles = ROLE_BIT(ROLE_GATEWAY) },
	};
	struct h2_request request = {
		.method = "POST",
		.path = "/v1/logs",
		.type = "application/json",
		.body = post->body.data,
		.body_len = post->body.len,
		.timeout_ms = REQUEST_MS,
	};
	int rc;

	/* A client of its own each time: minutes may lie between, and credentials may have changed.
	 */
	peer_client_free(post->client);
	post->client = NULL;
	post->attempts++;
	rc = peer_client_new(post->reports->loop, &conf, &post->client);
	if (!rc)
		rc = peer_client_fetch(post->client, &request, on_reply, post);
	if (rc)
		log_warn("report: %s: %s: %s", post->job, post->to, shunt_strerror(rc));
	return rc;
}

static void on_timer(void *arg)
{
	struct post *post = arg;

	if (post_start(post))
		post_free(post);
}

void report_post(struct reports *reports, const struct shunt_endpoint *to,
		 const struct sapi_conn_log *log)
{
	struct post *post;

	if (reports->count == REPORTS_MAX) {
		log_limited("reports", LOG_LVL_WARNING,
			    "report: %s: too many connection logs wait, dropped", log->job);
		return;
	}
	post = calloc(1, sizeof(*post));
	if (!post)
		return;
	post->reports = reports;
	buf_init(&post->body);
	snprintf(post->job, sizeof(post->job), "%s", log->job);
	endpoint_print(to, post->to);
	TAILQ_INSERT_TAIL(&reports->posts, post, link);
	reports->count++;
	/* By the timer, so that a caller in the middle of something is not called back. */
	if (sapi_conn_log_encode(log, &post->body) ||
	    loop_timer_new(reports->loop, on_timer, post, &post->timer))
		post_free(post);
	else
		loop_timer_set(post->timer, 0);
}
