// SPDX-License-Identifier: GPL-2.0-or-later
/* What a device's entry becomes by what was found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/probed.h"

static struct sapi_probe_service services[4];
static struct sapi_probe found;
static struct sapi_device before, after;
static struct probed_leave leave;
static struct sapi_service named;

static struct sapi_probe_service *service(size_t i, enum service_kind kind, uint16_t port, bool is)
{
	services[i].at = (struct sapi_service){ .kind = kind, .port = port, .path = "/" };
	services[i].found = is;
	services[i].room = CONTENT_SIZE_UNKNOWN;
	found.n_services = i + 1;
	return &services[i];
}

static void entry(enum service_kind kind, uint16_t port)
{
	struct sapi_service *s = &before.services[before.n_services++];

	*s = (struct sapi_service){ .kind = kind, .port = port, .path = "/" };
}

static int setup(void **state)
{
	(void)state;
	memset(services, 0, sizeof(services));
	memset(&found, 0, sizeof(found));
	memset(&before, 0, sizeof(before));
	leave = (struct probed_leave){ .named = &named };
	found.services = services;
	strcpy(found.device, "mfp-1");
	strcpy(found.gateway, "gw1");
	addr_parse("192.168.1.10", &found.address);
	strcpy(before.code, "mfp-1");
	strcpy(before.gateway, "gw1");
	before.address = found.address;
	before.priority = 6;
	return 0;
}

static void assert_changes(const char *want)
{
	struct buf text = BUF_INIT, json = BUF_INIT;

	after = before;
	probed_apply(&found, &leave, &after);
	assert_int_equal(probed_diff(&before, &after, &text), 0);
	assert_string_equal(buf_str(&text), want);
	/* The manager takes it, unless nothing is left to be registered. */
	assert_int_equal(sapi_device_encode(&after, &json), after.n_services ? 0 : -EINVAL);
	buf_fini(&text);
	buf_fini(&json);
}

static void assert_warnings(const char *want)
{
	struct buf text = BUF_INIT;

	assert_int_equal(probed_warn(&found, &after, &text), 0);
	assert_string_equal(buf_str(&text), want);
	buf_fini(&text);
}

static void a_new_device(void **state)
{
	struct sapi_probe_service *s;

	(void)state;
	memset(&before, 0, sizeof(before));
	s = service(0, SERVICE_AGENT, 8632, true);
	s->at.tls = true;
	s->connectable = true;
	strcpy(s->version, "0.1");
	s = service(1, SERVICE_IPP, 631, true);
	strcpy(s->at.path, "/ipp/print");
	strcpy(s->model, "Example 1");
	strcpy(s->formats.v[0], "application/pdf");
	strcpy(s->formats.v[1], "image/jpeg");
	s->formats.n = 2;
	service(2, SERVICE_WEBDAV, 443, false);
	named = s->at;
	leave.n_named = 1;
	assert_changes(
		"gateway - -> gw1\naddress - -> 192.168.1.10\n+ service agent:8632:tls\n"
		"+ service ipp:631:/ipp/print\nconnectable no -> yes\n"
		"spec - -> probe: Example 1; formats application/pdf image/jpeg; agent 0.1\n");
	assert_string_equal(after.code, "mfp-1");
	assert_int_equal(after.priority, SAPI_PRIORITY_DEFAULT);
	assert_warnings("");
}

/* Content would go there whenever the agent does not answer, which is for somebody to decide. */
static void nothing_comes_beside_an_agent(void **state)
{
	(void)state;
	entry(SERVICE_AGENT, 8632);
	strcpy(before.spec, "x");
	service(0, SERVICE_IPP, 631, true);
	service(1, SERVICE_WEBDAV, 80, true);
	service(2, SERVICE_AGENT, 8632, false);
	assert_changes("");
	assert_warnings(
		"service agent:8632: was not found (), and stays\n"
		"service webdav:80: was found beside the agent, and is added only with --service\n"
		"service ipp:631: was found beside the agent, and is added only with --service\n");
	/* Whoever has it not answer does not get it away and its place. */
	leave.prune = true;
	assert_changes("- service agent:8632\n");
	leave.prune = false;
	named = (struct sapi_service){ .kind = SERVICE_IPP, .port = 631 };
	leave.n_named = 1;
	assert_changes("+ service ipp:631\n");
}

/* TLS stays where it was, however somebody answers in clear, at the same port or another. */
static void tls_is_not_given_up(void **state)
{
	(void)state;
	entry(SERVICE_WEBDAV, 443);
	before.services[0].tls = true;
	strcpy(before.spec, "x");
	strcpy(service(0, SERVICE_WEBDAV, 443, false)->reason, "no-answer");
	service(1, SERVICE_WEBDAV, 80, true);
	named = services[1].at;
	leave.n_named = 1;
	leave.prune = true;
	assert_changes("");
	assert_warnings(
		"service webdav:443:tls: was not found (no-answer), and stays\n"
		"service webdav:80: was found without TLS, which the entry says that it has: it stays, unless with --allow-clear\n");
	services[0].found = true; /* at the same port, should the cloud ever say so */
	assert_changes("");
	service(2, SERVICE_WEBDAV, 8443, true)->at.tls = true;
	assert_changes("- service webdav:443:tls\n+ service webdav:8443:tls\n");
	found.n_services = 2;
	services[0].found = false;
	leave.clear = true;
	assert_changes("- service webdav:443:tls\n+ service webdav:80\n");
	/* Nor is it taken away because nobody speaks TLS there at the moment. */
	found.n_services = 1;
	strcpy(services[0].reason, "no-tls");
	assert_changes("");
}

/* Of two of a kind the first counts, which is the one that somebody named. */
static void one_at_another_place(void **state)
{
	(void)state;
	entry(SERVICE_WEBDAV, 81);
	service(0, SERVICE_WEBDAV, 443, true)->at.tls = true;
	service(1, SERVICE_WEBDAV, 80, true);
	service(2, SERVICE_WEBDAV, 81, false);
	strcpy(before.spec, "the one in the cellar");
	assert_changes("- service webdav:81\n+ service webdav:443:tls\n");
	assert_int_equal(after.priority, 6);
	assert_string_equal(after.spec, "the one in the cellar");
	assert_warnings("");
}

/* It may just be off; whoever knows better says so. */
static void one_that_does_not_answer(void **state)
{
	(void)state;
	entry(SERVICE_AGENT, 8632);
	entry(SERVICE_IPP, 631);
	before.connectable = true;
	strcpy(before.spec, PROBED_SPEC "old");
	strcpy(service(0, SERVICE_AGENT, 8632, false)->reason, "connect-failed");
	service(1, SERVICE_IPP, 631, true);
	assert_changes("spec probe: old -> probe: printer\n");
	assert_true(after.connectable);
	assert_warnings("service agent:8632: was not found (connect-failed), and stays\n");
	leave.prune = true;
	assert_changes("- service agent:8632\nconnectable yes -> no\n"
		       "spec probe: old -> probe: printer\n");
	assert_warnings("");
}

/* It is there, and does not say what it is: no reason to take it away. */
static void one_that_wants_a_password(void **state)
{
	(void)state;
	entry(SERVICE_WEBDAV, 80);
	strcpy(before.spec, "x");
	strcpy(service(0, SERVICE_WEBDAV, 80, false)->reason, "http-401");
	leave.prune = true;
	assert_changes("");
	assert_warnings("service webdav:80: was not found (http-401), and stays\n");
}

static void an_agent_that_does_not_connect(void **state)
{
	(void)state;
	entry(SERVICE_AGENT, 8632);
	before.connectable = true;
	strcpy(before.spec, "x");
	service(0, SERVICE_AGENT, 8632, true);
	assert_changes("connectable yes -> no\n");
	/* What is for a file server is for nobody here. */
	strcpy(after.recipient, "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj");
	assert_warnings(
		"recipient: is for files on a webdav or smb service, and there is none; an agent encrypts by itself (its encrypt-to)\n");
}

/* As much as there is room for, whole words, and never more. */
static void a_long_spec(void **state)
{
	struct sapi_probe_service *s;
	size_t i;

	(void)state;
	entry(SERVICE_IPP, 631);
	s = service(0, SERVICE_IPP, 631, true);
	strcpy(s->model, "Example");
	s->media.n = SAPI_WORDS_MAX;
	for (i = 0; i < SAPI_WORDS_MAX; i++)
		memset(s->media.v[i], 'a' + (int)(i % 26), SAPI_WORD_LEN - 1);
	probed_apply(&found, &leave, &before);
	assert_true(strlen(before.spec) < SAPI_SPEC_LEN);
	assert_true(strlen(before.spec) > SAPI_SPEC_LEN - SAPI_WORD_LEN - 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		TEST(a_new_device),
		TEST(nothing_comes_beside_an_agent),
		TEST(tls_is_not_given_up),
		TEST(one_at_another_place),
		TEST(one_that_does_not_answer),
		TEST(one_that_wants_a_password),
		TEST(an_agent_that_does_not_connect),
		TEST(a_long_spec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
