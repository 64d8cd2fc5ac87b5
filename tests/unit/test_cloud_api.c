// SPDX-License-Identifier: GPL-2.0-or-later
/* What a terminal may ask of a cloud, over TLS and HTTP/2. */
#include "cloud_fakes.h"

#include "cloud/spool.h"

struct answer {
	bool done;
	int err, status;
	char body[65536];
	char location[128], retry[16];
};

struct client {
	struct world *w;
	struct h2 *alice, *bob, *root;
	struct tls_ctx *bob_tls, *root_tls;
};

static void on_session(struct h2 *h2, int err, const char *why, void *arg)
{
	struct h2 **out = arg;

	if (err)
		fail_msg("terminal: %s", why);
	*out = h2;
}

static struct h2 *session(struct world *w, struct tls_ctx *tls)
{
	char address[64];
	struct peer_dial_conf conf = {
		.address = address,
		.tls = tls,
		.roles = ROLE_BIT(ROLE_CLOUD),
		.name = "cloud1",
	};
	struct peer_dial *dial;
	struct h2 *h2 = NULL;

	snprintf(address, sizeof(address), "127.0.0.1:%u", peer_listener_port(w->cloud.listener));
	assert_int_equal(peer_dial(w->loop, &conf, on_session, &h2, &dial), 0);
	KIT_UNTIL(w->loop, h2);
	return h2;
}

static int setup(void **state)
{
	struct client *c = calloc(1, sizeof(*c));
	void *world;

	world_setup(&world);
	c->w = world;
	c->bob_tls = kit_ctx(c->w->pki, ROLE_TERMINAL, "bob");
	c->root_tls = kit_ctx(c->w->pki, ROLE_ADMIN, "root");
	c->alice = session(c->w, c->w->terminal_tls);
	c->bob = session(c->w, c->bob_tls);
	c->root = session(c->w, c->root_tls);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct client *c = *state;
	void *world = c->w;

	h2_abort(c->alice, -EPIPE, "test");
	h2_abort(c->bob, -EPIPE, "test");
	h2_abort(c->root, -EPIPE, "test");
	kit_settle(c->w->loop);
	tls_ctx_free(c->bob_tls);
	tls_ctx_free(c->root_tls);
	world_teardown(&world);
	free(c);
	return 0;
}

static void on_reply(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;
	const char *text;

	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	snprintf(a->body, sizeof(a->body), "%.*s", (int)reply->len,
		 reply->len ? (const char *)reply->body : "");
	text = h2_call_header(reply->call, "location");
	snprintf(a->location, sizeof(a->location), "%s", text ? text : "");
	text = h2_call_header(reply->call, "retry-after");
	snprintf(a->retry, sizeof(a->retry), "%s", text ? text : "");
}

/* @header: name and value, or NULL. */
static int ask(struct client *c, struct h2 *h2, const char *method, const char *path,
	       const char *const header[2], const char *body, struct answer *a)
{
	struct h2_header h = { header ? header[0] : NULL, header ? header[1] : NULL };
	struct h2_request req = {
		.method = method,
		.path = path,
		.headers = &h,
		.header_count = header ? 1 : 0,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = 20000,
	};

	memset(a, 0, sizeof(*a));
	assert_int_equal(h2_fetch(h2, &req, on_reply, a, NULL), 0);
	KIT_UNTIL(c->w->loop, a->done);
	assert_int_equal(a->err, 0);
	return a->status;
}

#define ORDER(kind, device, size)                                                                  \
	"{\"kind\":\"" kind "\",\"device\":\"" device "\",\"name\":\"a.txt\","                     \
	"\"media_type\":\"text/plain\",\"size\":" size "}"

/* To be completed with a path. */
#define STORE                                                                                      \
	"{\"kind\":\"store\",\"device\":\"mfp-1\",\"name\":\"a.txt\",\"path\":\"%s\","             \
	"\"media_type\":\"text/plain\",\"size\":1}"

static void assert_code(const struct answer *a, const char *code)
{
	char want[128];

	snprintf(want, sizeof(want), "\"code\":\"%s\"", code);
	if (!strstr(a->body, want))
		fail_msg("%s is not in %s", want, a->body);
}

static void submissions(void **state)
{
	static const char *const key[2] = { "idempotency-key", "\"k1\"" };
	struct client *c = *state;
	struct answer a;
	char first[128], order[512], name[SAPI_FILE_NAME_LEN + 1] = "";

	assert_int_equal(
		ask(c, c->alice, "POST", "/v1/jobs", key, ORDER("print", "mfp-1", "10"), &a), 201);
	strcpy(first, a.location);
	assert_int_equal(strncmp(first, "/v1/jobs/", 9), 0);
	assert_non_null(strstr(a.body, "\"priority\":3")); /* the device's */
	assert_int_equal(
		ask(c, c->alice, "POST", "/v1/jobs", key, ORDER("print", "mfp-1", "10"), &a), 201);
	assert_string_equal(a.location, first);
	assert_int_equal(
		ask(c, c->alice, "POST", "/v1/jobs", key, ORDER("print", "mfp-1", "11"), &a), 422);
	assert_code(&a, "idempotency-mismatch");
	/* Somebody else's key is another key. */
	assert_int_equal(ask(c, c->bob, "POST", "/v1/jobs", key, ORDER("print", "mfp-1", "10"), &a),
			 201);
	assert_string_not_equal(a.location, first);
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("print", "x", "1"), &a),
			 404);
	assert_code(&a, "unknown-device");
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, "{\"kind\":\"print\"}", &a),
			 400);
	assert_code(&a, "bad-request");
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL,
			     ORDER("print", "mfp-1", "99999999999999"), &a),
			 413);
	/* An agent has no directories, and no place for a longer name. */
	memset(name, 'n', sizeof(name) - 1);
	snprintf(order, sizeof(order), STORE, name);
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, order, &a), 422);
	assert_code(&a, "bad-path");
	snprintf(order, sizeof(order), STORE, "in/a.txt");
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, order, &a), 422);
	assert_code(&a, "bad-path");
	snprintf(order, sizeof(order), STORE, name + 1);
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, order, &a), 201);
	c->w->device.services[0].kind = SERVICE_IPP;
	cloud_die(c->w); /* forgets what the manager said */
	cloud_up(c->w);
	c->alice = session(c->w, c->w->terminal_tls);
	c->bob = session(c->w, c->bob_tls);
	c->root = session(c->w, c->root_tls);
	assert_int_equal(
		ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("print", "mfp-1", "1"), &a), 201);
	assert_int_equal(
		ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("store", "mfp-1", "1"), &a), 422);
	assert_code(&a, "unsupported-kind");
}

static void on_content(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;
	const char *text;

	on_reply(reply, a);
	text = h2_call_header(reply->call, "content-range");
	snprintf(a->location, sizeof(a->location), "%s", text ? text : "");
}

/* A range of the content of the job at @path; the Content-Range is in @a->location. */
static int take(struct client *c, struct h2 *h2, const char *path, const char *range,
		struct answer *a)
{
	struct h2_header h = { "range", range };
	char content[192];
	struct h2_request req = { .method = "GET",
				  .path = content,
				  .headers = &h,
				  .header_count = range ? 1 : 0,
				  .timeout_ms = 20000,
				  .max_reply = 2 * CONTENT };

	snprintf(content, sizeof(content), "%s/content", path);
	memset(a, 0, sizeof(*a));
	assert_int_equal(h2_fetch(h2, &req, on_content, a, NULL), 0);
	KIT_UNTIL(c->w->loop, a->done);
	return a->status;
}

static void fetched_content(void **state)
{
	static const char *const bad[] = { "../a.bin",	  "in//a.bin",
					   "..\\\\a.bin", "in/..\\\\..\\\\a.bin",
					   "scan:",	  "scan:in/x",
					   "scan:.." };
	static const char fetch[] = "{\"kind\":\"fetch\",\"device\":\"mfp-1\",\"path\":\"%s\"}";
	struct client *c = *state;
	char path[160], order[256], id[ID_LEN];
	struct answer a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(order, sizeof(order), fetch, bad[i]);
		assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, order, &a), 422);
		assert_code(&a, "bad-path");
	}
	memset(c->w->data, 'x', CONTENT); /* answers here are text */
	assert_int_equal(pwrite(c->w->fetch.fd, c->w->data, CONTENT, 0), CONTENT);
	c->w->fetch.slow = true;
	snprintf(order, sizeof(order), fetch, "scan:flatbed");
	assert_int_equal(ask(c, c->alice, "POST", "/v1/jobs", NULL, order, &a), 201);
	assert_non_null(strstr(a.body, "\"state\":\"queued\""));
	assert_null(strstr(a.body, "\"size\""));
	strcpy(path, a.location);
	snprintf(id, sizeof(id), "%.32s", path + 9);
	assert_int_equal(take(c, c->alice, path, NULL, &a), 409);
	assert_code(&a, "not-complete");
	KIT_UNTIL(c->w->loop, c->w->followers[0]);
	agent_becomes(c->w, JOB_RUNNING);
	KIT_UNTIL(c->w->loop, !jobs_find(c->w->cloud.jobs, id));
	assert_int_equal(take(c, c->alice, path, NULL, &a), 200);
	assert_int_equal(take(c, c->alice, path, "bytes=10-19", &a), 206);
	assert_string_equal(a.body, "xxxxxxxxxx");
	snprintf(order, sizeof(order), "bytes 10-19/%d", CONTENT);
	assert_string_equal(a.location, order);
	assert_int_equal(take(c, c->alice, path, "bytes=99999999-", &a), 416);
	assert_int_equal(take(c, c->bob, path, NULL, &a), 404);
	assert_int_equal(ask(c, c->bob, "DELETE", path, NULL, NULL, &a), 404);
	assert_int_equal(take(c, c->root, path, "bytes=-1", &a), 206);
	/* Removing it leaves the job; a second time there is nothing left to remove. */
	assert_int_equal(ask(c, c->alice, "DELETE", path, NULL, NULL, &a), 200);
	assert_non_null(strstr(a.body, "\"state\":\"completed\""));
	assert_int_equal(take(c, c->alice, path, NULL, &a), 410);
	assert_code(&a, "content-removed");
	assert_int_equal(ask(c, c->alice, "DELETE", path, NULL, NULL, &a), 409);
	assert_code(&a, "job-ended");
}

static void refused_when_full(void **state)
{
	struct client *c = *state;
	struct answer a;

	c->w->conf.max_jobs = 1;
	cloud_die(c->w);
	cloud_up(c->w);
	c->alice = session(c->w, c->w->terminal_tls);
	c->bob = session(c->w, c->bob_tls);
	c->root = session(c->w, c->root_tls);
	ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("print", "mfp-1", "1"), &a);
	assert_int_equal(
		ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("print", "mfp-1", "1"), &a), 503);
	assert_code(&a, "full");
	assert_true(atoi(a.retry) > 0);
}

static void uploads(void **state)
{
	static const char *const first[2] = { "content-range", "bytes 0-3/10" };
	static const char *const rest[2] = { "content-range", "bytes 4-9/10" };
	static const char *const size[2] = { "content-range", "bytes 4-9/11" };
	static const char *const wrong[2] = { "content-range", "bytes 9-4/10" };
	struct client *c = *state;
	struct answer a;
	char path[160], content[192], id[ID_LEN];

	c->w->refuse = 503; /* the job is not to end meanwhile */
	ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("print", "mfp-1", "10"), &a);
	strcpy(path, a.location);
	snprintf(id, sizeof(id), "%.32s", path + 9);
	snprintf(content, sizeof(content), "%s/content", path);
	assert_int_equal(ask(c, c->alice, "PUT", content, first, "0123", &a), 200);
	assert_non_null(strstr(a.body, "\"uploaded\":4"));
	assert_int_equal(ask(c, c->alice, "PUT", content, size, "456789", &a), 416);
	assert_int_equal(ask(c, c->alice, "PUT", content, wrong, "456789", &a), 400);
	assert_int_equal(ask(c, c->alice, "PUT", content, rest, "45678", &a), 400);
	assert_code(&a, "bad-range");
	assert_int_equal(ask(c, c->bob, "PUT", content, rest, "456789", &a), 404);
	assert_int_equal(ask(c, c->alice, "PUT", content, rest, "456789", &a), 200);
	assert_non_null(strstr(a.body, "\"uploaded\":10"));
	KIT_UNTIL(c->w->loop,
		  jobs_find(c->w->cloud.jobs, id) &&
			  job_row(jobs_find(c->w->cloud.jobs, id))->state != JOB_RECEIVING);
	assert_int_equal(ask(c, c->alice, "PUT", content, NULL, "abcdefghij", &a), 409);
	assert_code(&a, "content-complete");
	/* Bob learns nothing of it, root sees everything. */
	assert_int_equal(ask(c, c->bob, "GET", path, NULL, NULL, &a), 404);
	assert_code(&a, "unknown-job");
	assert_int_equal(ask(c, c->bob, "DELETE", path, NULL, NULL, &a), 404);
	assert_int_equal(ask(c, c->bob, "GET", "/v1/jobs", NULL, NULL, &a), 200);
	assert_string_equal(a.body, "{\"jobs\":[]}");
	assert_int_equal(ask(c, c->root, "GET", path, NULL, NULL, &a), 200);
	assert_int_equal(ask(c, c->root, "GET", "/v1/jobs?state=completed", NULL, NULL, &a), 200);
	assert_string_equal(a.body, "{\"jobs\":[]}");
	assert_int_equal(ask(c, c->root, "GET", "/v1/jobs?state=lost", NULL, NULL, &a), 400);
	assert_int_equal(ask(c, c->root, "GET", "/v1/metrics", NULL, NULL, &a), 200);
	assert_non_null(strstr(a.body, "shunt_cloud_deliveries 1\n"));
	assert_int_equal(ask(c, c->alice, "GET", "/v1/metrics", NULL, NULL, &a), 403);
	assert_int_equal(ask(c, c->alice, "DELETE", path, NULL, NULL, &a), 200);
	assert_non_null(strstr(a.body, "\"state\":\"canceled\""));
	KIT_UNTIL(c->w->loop, !jobs_find(c->w->cloud.jobs, id));
	assert_int_equal(ask(c, c->alice, "DELETE", path, NULL, NULL, &a), 409);
	assert_code(&a, "job-ended");
}

/* The stream: what was, what comes, and an end. */
static void events(void **state)
{
	struct client *c = *state;
	struct answer submitted, a = { 0 }, again;
	char path[192], id[ID_LEN];
	struct h2_request req = { .method = "GET", .path = path };

	ask(c, c->alice, "POST", "/v1/jobs", NULL, ORDER("print", "mfp-1", "82043"), &submitted);
	snprintf(id, sizeof(id), "%.32s", submitted.location + 9);
	snprintf(path, sizeof(path), "%s/events", submitted.location);
	assert_int_equal(h2_fetch(c->alice, &req, on_reply, &a, NULL), 0);
	kit_settle(c->w->loop);
	assert_false(a.done);
	assert_int_equal(job_upload(jobs_find(c->w->cloud.jobs, id), 0, c->w->data, CONTENT), 0);
	assert_int_equal(job_upload_end(jobs_find(c->w->cloud.jobs, id)), 0);
	KIT_UNTIL(c->w->loop, a.done);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "\"event\":\"received\""));
	assert_non_null(strstr(a.body, "\"event\":\"completed\""));
	assert_non_null(strstr(a.body, "\"event\":\"path-closed\""));
	/* Of a finished job the whole timeline, the same. */
	assert_int_equal(ask(c, c->alice, "GET", path, NULL, NULL, &again), 200);
	assert_string_equal(again.body, a.body);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(submissions), TEST(fetched_content), TEST(refused_when_full),
		TEST(uploads),	   TEST(events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
