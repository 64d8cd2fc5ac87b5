// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/agent.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/body.h"
#include "lib/digest.h"
#include "lib/loop.h"
#include "lib/peer.h"

struct agent_call {
	struct peer_dial *dial; /* first this, */
	struct h2 *h2; /* then a session, */
	struct h2_call *fetch; /* with a request on it */
	struct loop_timer *timer;
	struct sapi_connect body;
	uint64_t timeout_ms;
	void (*done)(int err, const char *why, bool reused, void *arg);
	void *arg;
};

static void call_free(struct agent_call *c)
{
	loop_timer_free(c->timer);
	peer_dial_cancel(c->dial);
	if (c->fetch)
		h2_call_cancel(c->fetch);
	if (c->h2)
		h2_close(c->h2);
	secret_wipe(&c->body, sizeof(c->body));
	free(c);
}

static void finish(struct agent_call *c, int err, const char *why, bool reused)
{
	c->done(err, why, reused, c->arg);
	call_free(c);
}

static void on_timeout(void *arg)
{
	finish(arg, -ETIMEDOUT, "the device did not connect in time", false);
}

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct sapi_connect_reply answer = { 0 };
	struct agent_call *c = arg;
	struct err e = { 0 };
	int rc = body_reply(reply, &sapi_connect_reply_schema, &answer, &e);

	c->fetch = NULL;
	if (rc == 0 && !answer.connected)
		rc = err_set(&e, -SHUNT_EREMOTE, "the device says that it is not connected");
	finish(c, rc, rc < 0 ? err_text(&e) : "", answer.reused);
}

static int send_request(struct agent_call *c)
{
	struct h2_request request = { .method = "POST",
				      .path = "/v1/connect",
				      .type = "application/json",
				      .timeout_ms = (uint32_t)c->timeout_ms };
	struct sockaddr_storage ss;
	struct shunt_endpoint ours;
	struct buf json;
	socklen_t len;
	int rc;

	if (c->body.log.port && !addr_is_set(&c->body.log.addr) &&
	    h2_local_addr(c->h2, &ss, &len) == 0 &&
	    endpoint_from_sockaddr((struct sockaddr *)&ss, len, &ours) == 0)
		c->body.log.addr = ours.addr;
	buf_init_secret(&json, SAPI_MAX);
	rc = sapi_connect_encode(&c->body, &json);
	if (rc == 0) {
		request.body = json.data;
		request.body_len = json.len;
		rc = h2_fetch(c->h2, &request, on_answer, c, &c->fetch);
	}
	buf_fini(&json);
	secret_wipe(c->body.token, sizeof(c->body.token));
	return rc;
}

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct agent_call *c = arg;
	int rc;

	c->dial = NULL;
	if (err) {
		finish(c, err, why, false);
		return;
	}
	c->h2 = h2;
	rc = send_request(c);
	if (rc < 0)
		finish(c, rc, shunt_strerror(rc), false);
}

int agent_connect(struct loop *loop, struct tls_ctx *tls, const struct agent_target *target,
		  const struct sapi_connect *body,
		  void (*done)(int err, const char *why, bool reused, void *arg), void *arg,
		  struct agent_call **out)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_dial_conf conf = {
		.address = endpoint_print(&target->at, address),
		.tls = tls,
		.roles = ROLE_BIT(ROLE_DEVICE),
		.name = target->device,
		.connect_ms = (uint32_t)target->timeout_ms,
		.handshake_ms = (uint32_t)target->timeout_ms,
	};
	struct agent_call *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return -ENOMEM;
	c->body = *body;
	c->timeout_ms = target->timeout_ms;
	c->done = done;
	c->arg = arg;
	rc = loop_timer_new(loop, on_timeout, c, &c->timer);
	if (rc < 0)
		goto err;
	rc = peer_dial(loop, &conf, on_dialled, c, &c->dial);
	if (rc < 0)
		goto err;
	loop_timer_set(c->timer, target->timeout_ms);
	*out = c;
	return 0;
err:
	call_free(c);
	return rc;
}

void agent_cancel(struct agent_call *call)
{
	if (call)
		call_free(call);
}
