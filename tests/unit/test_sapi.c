// SPDX-License-Identifier: GPL-2.0-or-later
/* sapi: every body there and back, and what each decoder refuses, by the member's path. */
#include "lib/sapi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define JOB "\"0123456789abcdef0123456789abcdef\""
#define TOKEN "\"fedcba9876543210fedcba9876543210\""
#define T1 "\"2026-11-22T20:44:00.000Z\""
#define T2 "\"2026-11-22T20:44:01.500Z\""
#define DROPS                                                                                      \
	"{\"auth\":1,\"replay\":2,\"scope\":3,\"malformed\":4,\"toobig\":5,\"noroute\":6,"         \
	"\"nomem\":7,\"stale\":8}"
#define COUNTERS "{\"packets\":10,\"bytes\":2000,\"cpu_ns\":300,\"drops\":" DROPS "}"
#define DEVICE                                                                                     \
	"{\"code\":\"mfp-1\",\"connectable\":true,\"gateway\":\"gw1\","                            \
	"\"address\":\"192.168.1.10\",\"priority\":3,"                                             \
	"\"services\":[{\"kind\":\"agent\",\"port\":8632,\"tls\":true,\"path\":\"/\"}],"           \
	"\"spec\":\"colour\"}"
#define OPEN_HEAD                                                                                  \
	"{\"job\":" JOB ",\"device\":\"mfp-1\",\"kind\":\"print\",\"host\":\"192.168.1.10\","      \
	"\"scope\":[{\"proto\":\"tcp\",\"port\":8632},{\"proto\":\"icmp\"}],"                      \
	"\"cipher\":\"aes-gcm-256\",\"spi\":4097,\"nonce\":" TOKEN ",\"near\":\"100.64.0.5\","     \
	"\"far\":\"100.64.0.1\",\"endpoint\":\"203.0.113.10:4500\",\"priority\":4,"                \
	"\"remaining\":1000000,"
#define OPEN                                                                                       \
	OPEN_HEAD "\"connectable\":true,\"connect\":{\"address\":\"203.0.113.10:8443\","           \
		  "\"agent_port\":8632,\"token\":" TOKEN "}}"
#define TUNNEL_JOB                                                                                 \
	"{\"kind\":\"fetch\",\"connectable\":true,\"connect\":{\"address\":"                       \
	"\"203.0.113.10:8443\",\"agent_port\":8632,\"token\":" TOKEN "}}"
#define TUNNEL_WITH(log)                                                                           \
	"{\"id\":\"00001001\",\"job\":" JOB ",\"device\":\"mfp-1\",\"cloud\":\"cloud1\","          \
	"\"spi\":4097,\"host\":\"192.168.1.10\",\"alias\":\"\",\"near\":\"100.64.0.5\","           \
	"\"far\":\"100.64.0.1\",\"endpoint\":\"203.0.113.10:4500\",\"priority\":4,"                \
	"\"opened\":" T1 ",\"state\":\"open\",\"reason\":\"\"," log "\"rx\":" COUNTERS             \
	",\"tx\":" COUNTERS "}"
#define TUNNEL TUNNEL_WITH("")
#define TUNNEL_LOG TUNNEL_WITH("\"log\":\"192.168.1.1:8633\",")
#define CONN_LOG                                                                                   \
	"\"device\":\"mfp-1\",\"job\":" JOB ",\"cloud\":\"cloud1\","                               \
	"\"address\":\"203.0.113.10:8443\",\"connected\":" T1 ",\"closed\":\"\","                  \
	"\"bytes_in\":5,\"bytes_out\":6,\"result\":\"completed\",\"text\":\"ok\"}"
#define DEVICE_JOB                                                                                 \
	"\"kind\":\"print\",\"name\":\"report.pdf\",\"media_type\":\"application/pdf\","           \
	"\"size\":10,\"sha256\":\"00112233445566778899aabbccddeeff"                                \
	"00112233445566778899aabbccddeeff\""
#define FETCH_JOB                                                                                  \
	"{\"kind\":\"fetch\",\"name\":\"a.bin\",\"media_type\":\"a/b\",\"path\":\"in/a.bin\""
#define FETCH_TOLD                                                                                 \
	"{\"kind\":\"fetch\",\"name\":\"a.bin\",\"media_type\":\"a/b\",\"size\":10,"               \
	"\"sha256\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","         \
	"\"path\":\"in/a.bin\""
#define EVENT                                                                                      \
	"{\"time\":" T1 ",\"event\":\"decision\",\"text\":\"t\",\"path\":\"tunnel\","              \
	"\"reason\":\"r\",\"action\":\"move\"}"
#define PATH                                                                                       \
	"{\"kind\":\"tunnel\",\"state\":\"closed\",\"gateway\":\"gw1\",\"tunnel\":\"00001001\","   \
	"\"bytes\":7,\"opened\":" T1 ",\"closed\":" T2 ",\"reason\":\"moved\",\"rx_cpu_ns\":1,"    \
	"\"tx_cpu_ns\":2,\"packets\":3}"
#define JOB_BRIEF                                                                                  \
	"{\"id\":" JOB ",\"kind\":\"print\",\"device\":\"mfp-1\",\"name\":\"a.pdf\","              \
	"\"media_type\":\"application/pdf\",\"size\":10,\"priority\":4,\"owner\":\"alice\","       \
	"\"state\":\"running\",\"reason\":\"\",\"uploaded\":10,\"delivered\":7,\"resent\":0,"      \
	"\"moved\":true,\"created\":" T1 ",\"finished\":\"\",\"paths\":[" PATH "]"

#define PROBE_AGENT                                                                                \
	"{\"kind\":\"agent\",\"port\":8632,\"tls\":true,\"path\":\"/\",\"found\":true,"            \
	"\"reason\":\"\",\"text\":\"\",\"version\":\"1\",\"jobs\":[\"print\"],\"connectable\":true}"
#define PROBE_IPP                                                                                  \
	"{\"kind\":\"ipp\",\"port\":631,\"tls\":false,\"path\":\"/ipp/print\",\"found\":true,"     \
	"\"reason\":\"\",\"text\":\"\",\"model\":\"Example 1\",\"formats\":[\"application/pdf\","  \
	"\"image/jpeg\"],\"media\":[\"iso_a4_210x297mm\"]}"
#define PROBE_WEBDAV                                                                               \
	"{\"kind\":\"webdav\",\"port\":80,\"tls\":false,\"path\":\"/\",\"found\":false,"           \
	"\"reason\":\"connect-failed\",\"text\":\"nobody listens\"}"

/* A body in the exact form we write it. */
struct sample {
	const char *name;
	const struct sapi_schema *schema;
	size_t size;
	const char *json;
};

#define SAMPLE(x, text)                                                                            \
	{                                                                                          \
#x, &sapi_##x##_schema, sizeof(struct sapi_##x), text                              \
	}
static const struct sample samples[] = {
	SAMPLE(problem, "{\"status\":409,\"title\":\"Conflict\",\"code\":\"device-exists\","
			"\"detail\":\"mfp-1\"}"),
	SAMPLE(device, DEVICE),
	SAMPLE(device,
	       "{\"code\":\"nas-1\",\"connectable\":false,\"gateway\":\"gw1\",\"address\":\"192.168.1.15\",\"priority\":4,\"services\":[{\"kind\":\"webdav\",\"port\":443,\"tls\":true,\"path\":\"/\"}],\"recipient\":\"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\",\"pin\":\"sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE=\"}"),
	SAMPLE(device_list, "{\"devices\":[" DEVICE "," DEVICE "]}"),
	SAMPLE(device_list, "{\"devices\":[]}"),
	SAMPLE(gateway, "{\"name\":\"gw1\",\"connected\":false,\"address\":\"\",\"since\":\"\"}"),
	SAMPLE(gateway_list, "{\"gateways\":[{\"name\":\"gw1\",\"connected\":true,"
			     "\"address\":\"[2001:db8::1]:99\",\"since\":" T1 "}]}"),
	SAMPLE(dial, "{\"cloud\":\"cloud1\",\"address\":\"203.0.113.10:8443\"}"),
	SAMPLE(dial_reply, "{\"cloud\":\"cloud1\",\"connected\":true}"),
	SAMPLE(tunnel_open, OPEN),
	SAMPLE(tunnel_open, OPEN_HEAD "\"connectable\":false}"),
	SAMPLE(tunnel, TUNNEL),
	SAMPLE(tunnel, TUNNEL_LOG),
	SAMPLE(tunnel, TUNNEL_WITH("\"adopted\":true,")),
	SAMPLE(tunnel_job, TUNNEL_JOB),
	SAMPLE(tunnel_job, "{\"kind\":\"print\",\"remaining\":0,\"connectable\":false}"),
	SAMPLE(tunnel_list, "{\"tunnels\":[" TUNNEL "]}"),
	SAMPLE(load, "{\"tunnels\":2,\"tunnels_high\":2,\"cpus\":4,\"cpu_permille\":113,"
		     "\"datapath_permille\":40,\"pps\":812}"),
	SAMPLE(load, "{\"tunnels\":2,\"tunnels_high\":2,\"cpus\":4,\"cpu_permille\":113,"
		     "\"datapath_permille\":40,\"pps\":812,\"line_speed\":0}"),
	SAMPLE(gateway_event, "{\"time\":" T1 ",\"event\":\"decision\",\"tunnel\":\"\","
			      "\"job\":" JOB ",\"action\":\"wait\",\"reason\":\"tunnel-limit\","
			      "\"text\":\"tunnels 2+1 > limit 2\"}"),
	SAMPLE(gateway_event, "{\"time\":" T1 ",\"event\":\"decision\",\"tunnel\":\"00001001\","
			      "\"job\":" JOB ",\"action\":\"move\",\"reason\":\"always\","
			      "\"text\":\"\",\"cut_early\":true,\"suspend\":true}"),
	SAMPLE(gateway_event, "{\"time\":" T1 ",\"event\":\"move-failed\","
			      "\"tunnel\":\"00001001\",\"job\":" JOB ",\"text\":\"refused\"}"),
	SAMPLE(gateway_event, "{\"time\":" T1 ",\"event\":\"tunnel-closed\","
			      "\"tunnel\":\"00001001\",\"job\":" JOB ",\"reason\":\"user\"}"),
	SAMPLE(conn_log, "{" CONN_LOG),
	SAMPLE(record_7j, "{\"record\":\"7J\",\"time\":" T2 "," CONN_LOG),
	SAMPLE(record_7k,
	       "{\"record\":\"7K\",\"time\":" T2 ",\"tunnel\":\"00001001\","
	       "\"job\":\"\",\"device\":\"\",\"cloud\":\"\",\"opened\":" T1 ",\"closed\":" T2
	       ",\"reason\":\"moved\",\"rx\":" COUNTERS ",\"tx\":" COUNTERS "}"),
	SAMPLE(record_decision, "{\"record\":\"decision\",\"time\":" T1 ",\"tunnel\":\"00001001\","
				"\"job\":" JOB ",\"action\":\"move\",\"reason\":\"cpu-limit\","
				"\"text\":\"cpu 900 >= 800 permille\"}"),
	SAMPLE(hello, "{\"name\":\"mfp-1\",\"version\":\"0.1\",\"services\":[\"print\","
		      "\"store\"],\"connectable\":true,\"tokens\":[{\"job\":" JOB
		      ",\"token\":" TOKEN "}]}"),
	SAMPLE(probe_ask, "{\"timeout\":30,\"services\":[]}"),
	SAMPLE(probe_ask, "{\"gateway\":\"gw1\",\"address\":\"192.168.1.20\",\"timeout\":600,"
			  "\"services\":[{\"kind\":\"ipp\",\"port\":632,\"tls\":true,"
			  "\"path\":\"/ipp/print\"}]}"),
	SAMPLE(probe, "{\"id\":" JOB ",\"device\":\"mfp-1\",\"gateway\":\"gw1\","
		      "\"address\":\"192.168.1.20\",\"services\":[" PROBE_AGENT "," PROBE_IPP
		      "," PROBE_WEBDAV "]}"),
	SAMPLE(device_job, "{" DEVICE_JOB "}"),
	SAMPLE(device_job, "{" DEVICE_JOB ",\"pull\":true}"),
	SAMPLE(device_job_status, "{" DEVICE_JOB ",\"id\":" JOB ",\"state\":\"receiving\","
				  "\"reason\":\"\",\"received\":[[0,4],[6,10]]}"),
	SAMPLE(device_job, FETCH_JOB "}"),
	SAMPLE(device_job_status, FETCH_JOB ",\"id\":" JOB ",\"state\":\"executing\","
					    "\"reason\":\"\",\"received\":[]}"),
	SAMPLE(device_job_status, FETCH_TOLD ",\"id\":" JOB ",\"state\":\"running\","
					     "\"reason\":\"\",\"received\":[]}"),
	SAMPLE(content_reply, "{\"duplicate\":0}"),
	SAMPLE(state_event, "{\"time\":" T1 ",\"state\":\"completed\",\"reason\":\"printed\"}"),
	SAMPLE(state_event, "{\"time\":" T1 ",\"state\":\"receiving\",\"reason\":\"\","
			    "\"want_from\":4096,\"want_to\":8192}"),
	SAMPLE(connect, "{\"job\":" JOB ",\"cloud\":\"cloud1\",\"address\":\"203.0.113.10:8443\","
			"\"token\":" TOKEN ",\"log\":\"\"}"),
	SAMPLE(connect_reply, "{\"connected\":true,\"reused\":false}"),
	SAMPLE(job_submit, "{\"kind\":\"store\",\"device\":\"nas\",\"name\":\"a.bin\","
			   "\"media_type\":\"application/octet-stream\",\"size\":0,"
			   "\"priority\":0,\"path\":\"x/y\"}"),
	SAMPLE(job_submit, "{\"kind\":\"print\",\"device\":\"mfp\",\"name\":\"a\","
			   "\"media_type\":\"a/b\",\"size\":9007199254740991}"),
	SAMPLE(job_submit, "{\"kind\":\"print\",\"device\":\"mfp\",\"name\":\"a\","
			   "\"media_type\":\"a/b\",\"size\":1,\"copies\":2,\"media\":\"a4\","
			   "\"sides\":\"two-sided-long-edge\",\"color\":\"auto\"}"),
	SAMPLE(job_submit, "{\"kind\":\"fetch\",\"device\":\"mfp\",\"path\":\"scan:flatbed\"}"),
	SAMPLE(job_submit, "{\"kind\":\"fetch\",\"device\":\"nas\",\"name\":\"a.bin\","
			   "\"media_type\":\"a/b\",\"priority\":1,\"path\":\"in/a.bin\"}"),
	SAMPLE(job_event, EVENT),
	SAMPLE(job, JOB_BRIEF ",\"timeline\":[" EVENT "," EVENT "]}"),
	SAMPLE(job_list, "{\"jobs\":[" JOB_BRIEF "}," JOB_BRIEF "}]}"),
};

static void test_round_trip(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		void *x = malloc(s->size);

		assert_non_null(x);
		err_clear(&e);
		if (sapi_decode(s->schema, s->json, strlen(s->json), x, &e))
			fail_msg("%s: %s", s->name, err_text(&e));
		buf_reset(&b);
		assert_int_equal(sapi_encode(s->schema, x, &b), 0);
		assert_string_equal(buf_str(&b), s->json);
		sapi_fini(s->schema, x);
		sapi_fini(s->schema, x); /* harmless twice */
		free(x);
	}
	buf_fini(&b);
}

/* Every member of every sample, removed in turn: decoded or refused by name, never a crash. */
static void test_truncated(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct sample *s = &samples[i];
		void *x = malloc(s->size);

		for (size_t n = 0; n < strlen(s->json); n++) {
			assert_int_equal(sapi_decode(s->schema, s->json, n, x, &e), -SHUNT_EPARSE);
			assert_non_null(strstr(err_text(&e), "body: not JSON: line 1"));
		}
		free(x);
	}
}

static void must(const struct sapi_schema *s, const char *json, void *out)
{
	struct err e = { 0 };

	if (sapi_decode(s, json, strlen(json), out, &e))
		fail_msg("%s: %s", json, err_text(&e));
}

static void test_values(void **state)
{
	struct sapi_tunnel_open o;
	struct sapi_device d;
	struct sapi_job_submit s;
	struct sapi_problem p;
	struct sapi_device_job_status st;
	char text[64], body[256];

	(void)state;
	must(&sapi_tunnel_open_schema, OPEN, &o);
	assert_int_equal(o.spi, 4097);
	assert_int_equal(o.n_scope, 2);
	assert_int_equal(o.scope[0].proto, PROTO_TCP);
	assert_int_equal(o.scope[1].port, 0);
	assert_int_equal(o.connect.agent_port, 8632);
	assert_string_equal(o.connect.token, "fedcba9876543210fedcba9876543210");
	assert_string_equal(addr_print(&o.near, text), "100.64.0.5");
	sapi_tunnel_open_fini(&o);
	assert_string_equal(o.connect.token, ""); /* wiped */

	must(&sapi_device_schema, DEVICE, &d);
	assert_non_null(sapi_device_service(&d, SERVICE_AGENT));
	assert_null(sapi_device_service(&d, SERVICE_IPP));

	/* Defaults, and members nobody knows. */
	must(&sapi_device_schema,
	     "{\"code\":\"n\",\"connectable\":false,\"x\":{\"y\":[1]},\"gateway\":\"g\","
	     "\"address\":\"10.0.0.1\",\"services\":[{\"kind\":\"ipp\",\"port\":631}]}",
	     &d);
	assert_int_equal(d.priority, SAPI_PRIORITY_DEFAULT);
	assert_string_equal(d.services[0].path, "/");
	assert_false(d.services[0].tls);
	assert_string_equal(d.spec, "");
	must(&sapi_job_submit_schema,
	     "{\"kind\":\"print\",\"device\":\"mfp\",\"name\":\"gr\\u00fc\\u00df\","
	     "\"media_type\":\"a/b\",\"size\":9007199254740991}",
	     &s);
	assert_int_equal(s.priority, SAPI_PRIORITY_UNSET);
	assert_true(s.size == CONTENT_SIZE_MAX);
	assert_string_equal(s.name, "gr\xc3\xbc\xc3\x9f");

	/* Text for people is cleaned and cut at a character, never refused. */
	must(&sapi_problem_schema, "{\"status\":500,\"title\":\"a\\nb\\u009bc\"}", &p);
	assert_string_equal(p.title, "a b  c");
	memset(text, 'x', sizeof(text));
	snprintf(body, sizeof(body), "{\"status\":500,\"title\":\"%.62s\xe2\x82\xac tail\"}", text);
	must(&sapi_problem_schema, body, &p);
	assert_int_equal(strlen(p.title), 62);

	must(&sapi_job_submit_schema, "{\"kind\":\"fetch\",\"device\":\"m\",\"path\":\"a/b\"}", &s);
	assert_true(s.size == CONTENT_SIZE_UNKNOWN);
	assert_string_equal(s.name, "");

	/* Ranges in any order are merged. */
	must(&sapi_device_job_status_schema,
	     "{" DEVICE_JOB ",\"id\":" JOB ",\"state\":\"failed\",\"received\":[[6,10],[0,6]]}",
	     &st);
	assert_true(ranges_complete(&st.received, 10));
	sapi_device_job_status_fini(&st);
}

static void refuse(const struct sapi_schema *s, const char *json, const char *message)
{
	static union {
		char bytes[1 << 16];
		max_align_t align;
	} out;
	struct err e = { 0 };

	if (sapi_decode(s, json, strlen(json), &out, &e) >= 0)
		fail_msg("accepted: %s", json);
	assert_string_equal(err_text(&e), message);
}

/* @json with the first @from replaced by @to. */
static void refuse_edit(const struct sapi_schema *s, const char *json, const char *from,
			const char *to, const char *message)
{
	const char *at = strstr(json, from);
	struct buf b = BUF_INIT;

	assert_non_null(at);
	buf_put(&b, json, (size_t)(at - json));
	buf_puts(&b, to);
	buf_puts(&b, at + strlen(from));
	refuse(s, buf_str(&b), message);
	buf_fini(&b);
}

static void test_refused(void **state)
{
	const struct sapi_schema *dev = &sapi_device_schema, *open = &sapi_tunnel_open_schema;
	const struct sapi_schema *status = &sapi_device_job_status_schema;
	const char *st = "{" DEVICE_JOB ",\"id\":" JOB ",\"state\":\"receiving\",\"received\":[]}";

	(void)state;
	refuse(dev, "[]", "body: must be an object");
	refuse(dev, "{}", "code: is missing");
	refuse(dev, "{} x", "body: not JSON: line 1, column 4: end of file expected");
	refuse(dev, "{\"code\":1,\"code\":2}",
	       "body: not JSON: line 1, column 16: duplicate object key");
	refuse(dev, "{\"code\":\"a\xff\"}",
	       "body: not JSON: line 1, column 10: unable to decode byte 0xff");
	refuse(dev, "[[[[[[[[[[]]]]]]]]]]", "body: nested deeper than 8");
	refuse_edit(dev, DEVICE, "\"mfp-1\"", "7", "code: must be a string");
	refuse_edit(dev, DEVICE, "mfp-1", "a/b", "code: must be 1 to 63 of A-Z a-z 0-9 . _ -");
	refuse_edit(dev, DEVICE, "true", "1", "connectable: must be true or false");
	refuse_edit(dev, DEVICE, "192.168.1.10", "host", "address: must be an IP address");
	refuse_edit(dev, DEVICE, "192.168.1.10", "127.0.0.1",
		    "address: must be a host's unicast address");
	refuse_edit(dev, DEVICE, ":3", ":8", "priority: must be 0..7");
	refuse_edit(dev, DEVICE, ":3", ":-1", "priority: must be 0..7");
	refuse_edit(dev, DEVICE, ":3", ":3.0", "priority: must be an integer");
	refuse_edit(dev, DEVICE, "8632", "0", "services[0].port: must be 1..65535");
	refuse_edit(dev, DEVICE, "\"agent\"", "\"ftp\"",
		    "services[0].kind: must be agent, webdav, ipp or smb");
	refuse_edit(dev, DEVICE, "\"/\"", "\"x\"", "services[0].path: must begin with \"/\"");
	refuse_edit(dev, DEVICE, "\"/\"", "\"/\\n\"",
		    "services[0].path: must not contain control characters");
	refuse_edit(dev, DEVICE, "\"gateway\"", "\"recipient\":\"age1x\",\"gateway\"",
		    "recipient: must be a recipient of age (age1...)");
	refuse_edit(dev, DEVICE, "\"gateway\"",
		    "\"pin\":\"sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMw==\",\"gateway\"",
		    "pin: must be sha256// and 44 digits of base64");
	/* An agent has a certificate of the CA: a pin is of nothing there. */
	refuse_edit(dev, DEVICE, "\"gateway\"",
		    "\"pin\":\"sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE=\",\"gateway\"",
		    "pin: is for a service ipp or webdav with tls, and there is none");
	refuse_edit(dev, DEVICE, "}]", "},{\"kind\":\"agent\",\"port\":1}]",
		    "services[1].kind: agent is there twice");
	refuse(dev,
	       "{\"code\":\"a\",\"connectable\":true,\"gateway\":\"g\",\"address\":\"10.0.0.1\","
	       "\"services\":[]}",
	       "services: must have 1..8 items");

	refuse_edit(open, OPEN, JOB, "\"0\"", "job: must be 32 lower-case hex digits");
	refuse_edit(open, OPEN, "aes-gcm-256", "rot13",
		    "cipher: must be aes-gcm-128, aes-gcm-256 or chacha20-poly1305");
	refuse_edit(open, OPEN, "4097", "255", "spi: must be 256..4294967295");
	refuse_edit(open, OPEN, "100.64.0.5", "2001:db8::5",
		    "near: must be a unicast address of far's family, other than far");
	refuse_edit(open, OPEN, "100.64.0.5", "100.64.0.1",
		    "near: must be a unicast address of far's family, other than far");
	refuse_edit(open, OPEN, "192.168.1.10", "2001:db8::10",
		    "host: must be of the family of near and far");
	refuse_edit(open, OPEN, "\"icmp\"", "\"udp\"",
		    "scope[1]: port: tcp and udp need one of 1..65535, icmp has none");
	refuse_edit(open, OPEN, ":4500", ":0", "endpoint: must be ADDRESS:PORT");
	refuse_edit(open, OPEN, "1000000", "9007199254740992",
		    "remaining: must be 0..9007199254740991");
	refuse_edit(open, OPEN, "1000000", "99999999999999999999",
		    "body: not JSON: line 1, column 343: too big integer");
	refuse_edit(open, OPEN, "true,\"connect\"", "false,\"connect\"",
		    "connect: does not belong here");
	refuse(open, OPEN_HEAD "\"connectable\":true}", "connect: is missing");
	/* A wrong token is never quoted. */
	refuse_edit(open, OPEN, "\"token\":\"fed", "\"token\":\"",
		    "connect.token: must be 32 lower-case hex digits");
	refuse(open, "{\"token\":\"fed\"fed}", "body: not JSON: line 1, column 17: '}' expected");

	refuse_edit(status, st, "[]", "[[0,11]]", "received: reaches beyond size");
	refuse_edit(status, st, "[]", "[[4,4]]",
		    "received[0]: must be a pair of integers [from, to), from < to");
	refuse_edit(status, st, "[]", "[[0,1,2]]",
		    "received[0]: must be a pair of integers [from, to), from < to");
	refuse_edit(status, st, "[]", "[[-1,2]]",
		    "received[0]: must be a pair of integers [from, to), from < to");
	refuse_edit(status, st, "[]", "[3]",
		    "received[0]: must be a pair of integers [from, to), from < to");
	refuse_edit(status, st, "receiving", "queued",
		    "state: must be receiving, running, suspended, executing, completed, failed, "
		    "interrupted or canceled");
	/* What each kind needs, and what a fetch job's submitter cannot know. */
	refuse(&sapi_job_submit_schema,
	       "{\"kind\":\"print\",\"device\":\"m\",\"name\":\"a\",\"media_type\":\"a/b\"}",
	       "size: is missing");
	refuse(&sapi_job_submit_schema, "{\"kind\":\"store\",\"device\":\"m\",\"size\":1}",
	       "name: is missing");
	refuse(&sapi_job_submit_schema, "{\"kind\":\"fetch\",\"device\":\"m\"}",
	       "path: is missing");
	refuse(&sapi_job_submit_schema,
	       "{\"kind\":\"fetch\",\"device\":\"m\",\"path\":\"a\",\"copies\":1}",
	       "copies, media, sides, color: only print jobs have them");
	refuse(&sapi_job_submit_schema,
	       "{\"kind\":\"print\",\"device\":\"m\",\"name\":\"a\",\"media_type\":\"a/b\","
	       "\"size\":1,\"copies\":0}",
	       "copies: must be 1..9999");
	refuse(&sapi_job_submit_schema,
	       "{\"kind\":\"fetch\",\"device\":\"m\",\"path\":\"a\",\"size\":1}",
	       "size: only the device knows what a fetch job's is");
	refuse_edit(&sapi_device_job_schema, FETCH_JOB "}", "in/a.bin", "",
		    "path: must not be empty");
	refuse_edit(&sapi_device_job_schema, "{" DEVICE_JOB "}", "\"size\":10,", "",
		    "size: is missing");
	refuse_edit(&sapi_record_7j_schema, "{\"record\":\"7K\",\"time\":" T2 "," CONN_LOG,
		    "\"7K\"", "\"7X\"", "record: is another kind of record");
	refuse_edit(&sapi_tunnel_schema, TUNNEL, "4097", "4098", "spi: must be id as a number");
	refuse_edit(&sapi_tunnel_schema, TUNNEL, T1, "\"yesterday\"",
		    "opened: must be an RFC 3339 time");
	refuse(&sapi_hello_schema, "{\"name\":\"a\",\"services\":[\"print\",3],\"tokens\":[]}",
	       "services[1]: must be print, store or fetch");
	refuse(&sapi_device_list_schema, "{\"devices\":[" DEVICE ",{\"code\":\"\"}]}",
	       "devices[1].code: must be 1 to 63 of A-Z a-z 0-9 . _ -");
}

static void test_limits(void **state)
{
	struct buf b = BUF_INIT;
	struct sapi_dial d;
	struct err e;

	(void)state;
	for (size_t i = 0; i <= SAPI_MAX; i++)
		buf_putc(&b, ' ');
	assert_int_equal(sapi_dial_decode(b.data, b.len, &d, &e), -SHUNT_EPARSE);
	assert_string_equal(err_text(&e), "body: longer than 65536 bytes");
	assert_int_equal(sapi_dial_decode(NULL, 0, &d, &e), -SHUNT_EPARSE);
	buf_fini(&b);
}

static void test_encode_refuses(void **state)
{
	struct sapi_dial d = { .cloud = "a b" };
	struct sapi_job_submit s = { .device = "d", .name = "n", .media_type = "a/b" };
	struct sapi_load l = { .cpu_permille = 1001 };
	struct buf b;

	(void)state;
	buf_init_max(&b, 10);
	assert_int_equal(sapi_dial_encode(&d, &b), -EINVAL); /* name */
	memcpy(d.cloud, "cloud1", 7);
	assert_int_equal(sapi_dial_encode(&d, &b), -EINVAL); /* address unset */
	assert_int_equal(endpoint_parse("10.0.0.1:1", &d.address), 0);
	assert_int_equal(sapi_dial_encode(&d, &b), -EMSGSIZE);
	assert_int_equal(sapi_dial_encode(&d, &b), -EMSGSIZE);
	buf_fini(&b);
	assert_int_equal(sapi_load_encode(&l, &b), -EINVAL);
	s.kind = JOB_FETCH;
	assert_int_equal(sapi_job_submit_encode(&s, &b), -EINVAL);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void test_pretty(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(sapi_pretty("{\"b\":[1],\"a\":null}", 18, SAPI_MAX, &b, &e), 0);
	assert_string_equal(buf_str(&b), "{\n  \"b\": [\n    1\n  ],\n  \"a\": null\n}");
	buf_reset(&b);
	assert_int_equal(sapi_pretty("{", 1, SAPI_MAX, &b, &e), -SHUNT_EPARSE);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_values),	   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_pretty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
