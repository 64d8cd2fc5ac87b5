// SPDX-License-Identifier: GPL-2.0-or-later
/* The registry says of a device what it is not: the job goes another way, or ends and says which attribute was gone by. */
#include "cloud_steps.h"

#include "ippkit.h"

#include "cloud/attributes.h"
#include "cloud/registry.h"

static struct ippkit printer;

static int setup(void **state)
{
	struct world *w;
	int ret = world_setup(state);

	w = *state;
	memcpy(w->data, "%PDF-1.7", 8);
	memset(&printer, 0, sizeof(printer));
	ippkit_start(&printer, w->loop);
	return ret;
}

static int teardown(void **state)
{
	ippkit_stop(&printer);
	return world_teardown(state);
}

/* Nobody listens there. */
static uint16_t closed_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	close(fd);
	return ntohs(sin.sin_port);
}

static struct sapi_service *service(struct world *w, size_t i, enum service_kind kind,
				    uint16_t port)
{
	struct sapi_service *s = &w->device.services[i];

	*s = (struct sapi_service){ .kind = kind, .port = port, .tls = kind == SERVICE_AGENT };
	strcpy(s->path, kind == SERVICE_IPP ? "/ipp/print" : "/");
	w->device.n_services = i + 1;
	return s;
}

/* The job ended without being printed, because of @code, and its reason has all of @words in it. */
static void assert_failed(struct world *w, const char *id, const char *code,
			  const char *const words[])
{
	struct sapi_job job;
	size_t i;

	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	if (!timeline_has(&job, "failed", code))
		fail_msg("not %s: %s: %s", code, job.timeline[job.n_timeline - 1].reason,
			 job.reason);
	for (i = 0; words[i]; i++)
		if (!strstr(job.reason, words[i]))
			fail_msg("\"%s\" is not in \"%s\"", words[i], job.reason);
	assert_int_equal(printer.printed, 0);
	assert_int_equal(w->n_tunnels, 0);
	sapi_job_fini(&job);
}

static void no_agent_but_a_printer(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	service(w, 0, SERVICE_AGENT, closed_port());
	service(w, 1, SERVICE_IPP, printer.port);
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_true(timeline_has(&job, "retry", "agent-unreachable"));
	assert_true(timeline_has(&job, "fallback", "agent-absent"));
	assert_int_equal(printer.printed, 1);
	assert_int_equal(printer.page_len, CONTENT);
	assert_int_equal(w->introductions, 0);
	assert_int_equal(w->n_tunnels, 0);
	sapi_job_fini(&job);
}

static void no_agent(void **state)
{
	struct world *w = *state;
	char id[ID_LEN], place[64];

	service(w, 0, SERVICE_AGENT, closed_port());
	snprintf(place, sizeof(place), "agent with TLS at 192.168.1.10:%u behind gw1",
		 w->device.services[0].port);
	submit(w, id);
	assert_failed(w, id, "agent-unreachable",
		      (const char *[]){ "gave up after 3 tries", "Connection refused", place,
					NULL });
}

/* What an agent gives by that name may be another file: nothing else is asked for it. */
static void no_agent_to_fetch_from(void **state)
{
	struct world *w = *state;
	struct sapi_job_submit body = {
		.kind = JOB_FETCH, .device = "mfp-1", .path = "a.txt", .size = CONTENT_SIZE_UNKNOWN
	};
	struct job_order order = { .submit = &body, .owner = "alice", .key = "" };
	struct sapi_job job;
	struct err e = { 0 };
	char id[ID_LEN];

	service(w, 0, SERVICE_AGENT, closed_port());
	service(w, 1, SERVICE_WEBDAV, printer.port);
	assert_int_equal(jobs_submit(w->cloud.jobs, &order, id, &e), 0);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	assert_true(timeline_has(&job, "failed", "agent-unreachable"));
	assert_false(timeline_has(&job, "fallback", NULL));
	sapi_job_fini(&job);
}

/* What speaks there is no agent. */
static void another_protocol(void **state)
{
	struct world *w = *state;
	struct sapi_job job;
	char id[ID_LEN];

	printer.fault.cut_all = true; /* of what is no HTTP it would read for ever */
	service(w, 0, SERVICE_AGENT, printer.port);
	w->conf.attempts = 1;
	submit(w, id);
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_FAILED);
	sapi_job_fini(&job);
}

/* Another device answers there, and may be the one behind the printer's port, too. */
static void somebody_elses_agent(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	tls_ctx_free(w->device_tls);
	w->device_tls = kit_ctx(w->pki, ROLE_DEVICE, "mfp-2");
	for (int i = 0; i < NEAR_COUNT; i++)
		peer_listener_set_tls(w->agents[i], w->device_tls);
	service(w, 1, SERVICE_IPP, printer.port);
	submit(w, id);
	assert_failed(w, id, "agent-unreachable",
		      (const char *[]){ "mfp-2", "at 192.168.1.10:", NULL });
	assert_string_equal(printer.ops, "");
}

static void agent_goes(struct world *w)
{
	int i;

	for (i = 0; i < NEAR_COUNT; i++) {
		peer_listener_free(w->agents[i]);
		w->agents[i] = NULL;
	}
	w->hold = false;
}

/* It may be printed yet by whoever has it. */
static void an_agent_that_has_the_job(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	service(w, 1, SERVICE_IPP, printer.port);
	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held > 0);
	agent_goes(w);
	assert_failed(w, id, "agent-unreachable", (const char *[]){ "Connection refused", NULL });
	assert_string_equal(printer.ops, "");
}

/* Also when the registry does not list it any more. */
static void an_agent_that_is_removed(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	w->hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, w->n_held > 0);
	service(w, 0, SERVICE_IPP, printer.port);
	registry_forget(w->cloud.registry, "mfp-1");
	agent_goes(w);
	assert_failed(w, id, "no-agent", (const char *[]){ "printed twice", NULL });
	assert_string_equal(printer.ops, "");
}

static void close_tunnels(struct world *w)
{
	struct sapi_gateway_event ev = { .time = 1, .event = SAPI_GW_TUNNEL_CLOSED };

	ev.tunnel = w->tunnels[0].id;
	memcpy(ev.job, w->tunnels[0].job, ID_LEN);
	strcpy(ev.reason, "idle");
	w->n_tunnels = 0;
	gateway_say(w, &ev);
}

static void a_printer_that_has_the_job(void **state)
{
	struct world *w = *state;
	uint16_t agent = w->device.services[0].port;
	struct sapi_job job;
	char id[ID_LEN];

	service(w, 0, SERVICE_IPP, printer.port);
	printer.hold = true;
	submit(w, id);
	KIT_UNTIL(w->loop, printer.documents == 1 && state_of(w, id) == JOB_EXECUTING);
	service(w, 0, SERVICE_AGENT, agent);
	service(w, 1, SERVICE_IPP, printer.port);
	registry_forget(w->cloud.registry, "mfp-1");
	close_tunnels(w);
	printer.state = IPP_JSTATE_COMPLETED;
	await_end(w, id, &job);
	assert_int_equal(job.state, JOB_COMPLETED);
	assert_int_equal(printer.documents, 1);
	assert_int_equal(w->introductions, 0);
	sapi_job_fini(&job);
}

/* The registry says TLS, and there is none; or none, and there is. */
static void tls_is_wrong(void **state)
{
	struct world *w = *state;
	uint16_t agent = w->device.services[0].port;
	char id[ID_LEN];

	w->conf.attempts = 1;
	service(w, 0, SERVICE_IPP, agent);
	submit(w, id);
	assert_failed(w, id, "no-answer",
		      (const char *[]){ "ipp without TLS at 192.168.1.10:", "path /ipp/print",
					NULL });
	registry_forget(w->cloud.registry, "mfp-1");
	service(w, 0, SERVICE_IPP, agent)->tls = true;
	submit(w, id);
	/* It does TLS, but not that of printers. */
	assert_failed(w, id, "no-tls", (const char *[]){ "ipp with TLS at 192.168.1.10:", NULL });
}

/* A printer at the file server's place in the registry, and a file server's kind for a printer's. */
static void the_kind_is_wrong(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	w->conf.attempts = 1;
	service(w, 0, SERVICE_WEBDAV, printer.port);
	submit(w, id);
	assert_failed(w, id, "unsupported-kind",
		      (const char *[]){ "lists no service of mfp-1 for a print job", NULL });
}

static void nobody_at_the_address(void **state)
{
	struct world *w = *state;
	char id[ID_LEN];

	w->conf.attempts = 1;
	w->refuse = 403;
	service(w, 0, SERVICE_IPP, printer.port);
	submit(w, id);
	assert_failed(w, id, "host-not-allowed",
		      (const char *[]){ "not inside the LAN", "at 192.168.1.10:", "behind gw1",
					NULL });
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(no_agent_but_a_printer),
		TEST(no_agent),
		TEST(no_agent_to_fetch_from),
		TEST(another_protocol),
		TEST(somebody_elses_agent),
		TEST(an_agent_that_has_the_job),
		TEST(an_agent_that_is_removed),
		TEST(a_printer_that_has_the_job),
		TEST(tls_is_wrong),
		TEST(the_kind_is_wrong),
		TEST(nobody_at_the_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
