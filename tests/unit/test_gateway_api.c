// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole of shuntd over loopback TLS, between a manager and clouds played by the test. Only the
 * kernel is a fake (in place of datapath.o), and devices' addresses, which cannot be on loopback.
 */
#include "netkit.h"

#include <errno.h>
#include <signal.h>

#include "gateway/agent.h"
#include "gateway/datapath.h"
#include "gateway/gateway.h"
#include "gateway/lan.h"
#include "lib/h2.h"
#include "lib/keys.h"
#include "lib/peer.h"
#include "lib/sapi.h"

#define JOB1 "11111111111111111111111111111111"
#define JOB2 "22222222222222222222222222222222"
#define NONCE1 "0123456789abcdef0123456789abcde1"
#define NONCE2 "0123456789abcdef0123456789abcde2"
#define TOKEN "fedcba9876543210fedcba9876543210"

/* ---- fake kernel ---- */

#define KERNEL_MAX 8

static struct {
	struct tunnel_info v[KERNEL_MAX];
	uint8_t key_in[KERNEL_MAX][TUNNEL_KEYS_MAX], key_out[KERNEL_MAX][TUNNEL_KEYS_MAX];
	size_t n;
} kernel;

int datapath_open(struct loop *loop, const struct datapath_conf *conf,
		  const struct datapath_ops *ops, void *arg, struct datapath **out, struct err *e)
{
	(void)loop;
	(void)ops;
	(void)arg;
	(void)e;
	assert_string_equal(conf->device, "shunt0");
	assert_int_equal(conf->thresholds.tunnels_high, 2);
	*out = (struct datapath *)&kernel;
	return 0;
}

void datapath_close(struct datapath *dp)
{
	(void)dp;
}

int datapath_new(struct datapath *dp, struct tunnel_spec *spec, const uint8_t *key_in,
		 const uint8_t *key_out, struct err *e)
{
	(void)dp;
	(void)e;
	assert_true(kernel.n < KERNEL_MAX);
	memcpy(kernel.key_in[kernel.n], key_in, TUNNEL_KEYS_MAX);
	memcpy(kernel.key_out[kernel.n], key_out, TUNNEL_KEYS_MAX);
	kernel.v[kernel.n++] = (struct tunnel_info){ .spec = *spec };
	return 0;
}

int datapath_del(struct datapath *dp, uint32_t spi, struct tunnel_info *last, struct err *e)
{
	size_t i;

	(void)dp;
	for (i = 0; i < kernel.n && kernel.v[i].spec.spi_in != spi; i++)
		;
	if (i == kernel.n)
		return err_set(e, -ENOENT, "spi-in: no such tunnel");
	*last = kernel.v[i];
	last->rx.packets = 77;
	kernel.v[i] = kernel.v[--kernel.n];
	return 0;
}

int datapath_dump(struct datapath *dp, int (*on_tunnel)(void *arg, const struct tunnel_info *info),
		  void *arg, struct err *e)
{
	size_t i;
	int rc = 0;

	(void)dp;
	(void)e;
	for (i = 0; rc == 0 && i < kernel.n; i++)
		rc = on_tunnel(arg, &kernel.v[i]);
	return rc;
}

int datapath_load(struct datapath *dp, struct tunnel_load *out, struct err *e)
{
	(void)dp;
	(void)e;
	*out = (struct tunnel_load){ .tunnels = (uint32_t)kernel.n, .pps = 812 };
	return 0;
}

bool datapath_is_local(const struct shunt_addr *addr)
{
	struct shunt_addr router;

	addr_parse("192.168.1.1", &router);
	return addr_equal(addr, &router);
}

/* ---- a device that is asked, and has not answered yet ---- */

static unsigned int n_asked, n_canceled;

int agent_connect(struct loop *loop, struct tls_ctx *tls, const struct agent_target *target,
		  const struct sapi_connect *body,
		  void (*done)(int err, const char *why, bool reused, void *arg), void *arg,
		  struct agent_call **out)
{
	(void)loop;
	(void)tls;
	(void)target;
	(void)body;
	(void)done;
	(void)arg;
	n_asked++;
	*out = (struct agent_call *)&n_asked;
	return 0;
}

void agent_cancel(struct agent_call *call)
{
	n_canceled += call != NULL;
}

/* ---- world ---- */

struct answer {
	bool done;
	int err, status;
	char body[8192];
	struct h2_call *call;
};

struct party_of_test {
	struct tls_ctx *tls;
	struct peer_listener *listener;
	struct h2 *gateway; /* session to the gateway, while it is up */
	int lost; /* how the last one ended */
};

static struct world {
	char *pki, *state;
	char ca[300], cert[300], key[300], address[64];
	struct loop *loop;
	struct gateway_conf conf;
	struct gateway *gateway;
	struct party_of_test manager, cloud1, cloud2;
	struct tls_ctx *gateway_tls, *device_tls;
	char events[8192]; /* of cloud1 */
} w;

static void on_gateway_lost(struct h2 *h2, int err, const char *why, void *arg)
{
	struct party_of_test *p = arg;

	(void)why;
	p->lost = err;
	if (p->gateway == h2)
		p->gateway = NULL;
}

static void on_reverse(struct h2 *h2, void *arg)
{
	struct party_of_test *p = arg;

	assert_string_equal(h2_peer(h2)->name, "gw1");
	p->gateway = h2;
	h2_on_close(h2, on_gateway_lost, p);
}

static void party_start(struct party_of_test *p, enum role role, const char *name)
{
	struct peer_listen_conf conf = { .address = "127.0.0.1:0",
					 .reverse_roles = ROLE_BIT(ROLE_GATEWAY),
					 .on_reverse = on_reverse,
					 .arg = p };
	struct err e = { 0 };

	p->tls = kit_ctx(w.pki, role, name);
	conf.tls = p->tls;
	if (peer_listen(w.loop, &conf, &p->listener, &e) < 0)
		fail_msg("%s", err_text(&e));
}

static void party_stop(struct party_of_test *p)
{
	peer_listener_free(p->listener);
	tls_ctx_free(p->tls);
}

static void configure(void)
{
	char text[2048];
	struct err e = { 0 };
	int n;

	kit_cert(w.pki, ROLE_GATEWAY, "gw1", 3600);
	n = snprintf(
		text, sizeof(text),
		"ca = \"%s/ca.crt\"\ncert = \"%s/gateway-gw1.crt\"\nkey = \"%s/gateway-gw1.key\"\n"
		"state = \"%s\"\nmanager = \"127.0.0.1:%u\"\nlisten = \"127.0.0.1:%u\"\n"
		"lan = {\"192.168.1.0/24\"}\npolicy { tunnels-high = 2 }\n",
		w.pki, w.pki, w.pki, w.state, peer_listener_port(w.manager.listener), 1);
	if (conf_parse("test", text, (size_t)n, gateway_conf_table, &w.conf, &e) < 0 ||
	    gateway_conf_check(&w.conf, &e) < 0)
		fail_msg("%s", err_text(&e));
	w.conf.listen.port = 0; /* any that is free */
	/* Clouds are on loopback here, their tunnels' ends are not. */
	w.conf.endpoint_any = true;
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	memset(&w, 0, sizeof(w));
	memset(&kernel, 0, sizeof(kernel));
	n_asked = n_canceled = 0;
	w.pki = kit_dir_new();
	w.state = kit_dir_new();
	kit_ca(w.pki);
	assert_int_equal(loop_new(&w.loop), 0);
	party_start(&w.manager, ROLE_MANAGER, "manager1");
	party_start(&w.cloud1, ROLE_CLOUD, "cloud1");
	party_start(&w.cloud2, ROLE_CLOUD, "cloud2");
	w.device_tls = kit_ctx(w.pki, ROLE_DEVICE, "mfp-1");
	configure();
	if (gateway_new(w.loop, &w.conf, &w.gateway, &e) < 0)
		fail_msg("%s", err_text(&e));
	KIT_UNTIL(w.loop, w.manager.gateway);
	return 0;
}

static int teardown(void **state)
{
	char command[600];

	(void)state;
	if (w.gateway) {
		gateway_stop(w.gateway);
		assert_int_equal(loop_run(w.loop), 0);
		gateway_free(w.gateway);
	}
	party_stop(&w.manager);
	party_stop(&w.cloud1);
	party_stop(&w.cloud2);
	tls_ctx_free(w.device_tls);
	conf_free(gateway_conf_table, &w.conf);
	loop_free(w.loop);
	snprintf(command, sizeof(command), "rm -rf '%s'", w.state);
	assert_int_equal(system(command), 0);
	free(w.state);
	kit_dir_free(w.pki);
	return 0;
}

/* ---- requests ---- */

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;

	a->done = true;
	a->call = NULL;
	a->err = reply->err;
	a->status = reply->status;
	assert_true(reply->len < sizeof(a->body));
	if (reply->len)
		memcpy(a->body, reply->body, reply->len);
	a->body[reply->len] = '\0';
}

static void start_request(struct h2 *h2, const char *method, const char *path, const char *body,
			  struct answer *a)
{
	struct h2_request r = { .method = method, .path = path };

	memset(a, 0, sizeof(*a));
	if (body) {
		r.type = "application/json";
		r.body = body;
		r.body_len = strlen(body);
	}
	assert_non_null(h2);
	assert_int_equal(h2_fetch(h2, &r, on_answer, a, &a->call), 0);
}

static int request(struct h2 *h2, const char *method, const char *path, const char *body,
		   struct answer *a)
{
	start_request(h2, method, path, body, a);
	kit_until(w.loop, &a->done);
	assert_int_equal(a->err, 0);
	return a->status;
}

/* Have the manager wake the gateway for a cloud, as in production. */
static void wake(struct party_of_test *cloud, const char *name)
{
	struct answer a;
	char body[200];

	snprintf(body, sizeof(body), "{\"cloud\":\"%s\",\"address\":\"127.0.0.1:%u\"}", name,
		 peer_listener_port(cloud->listener));
	assert_int_equal(request(w.manager.gateway, "POST", "/v1/dial", body, &a), 200);
	assert_non_null(strstr(a.body, "\"connected\":true"));
	KIT_UNTIL(w.loop, cloud->gateway);
}

static char *open_body(const char *job, const char *nonce, const char *host)
{
	static char body[2048];

	snprintf(body, sizeof(body),
		 "{\"job\":\"%s\",\"device\":\"mfp-1\",\"kind\":\"print\",\"host\":\"%s\","
		 "\"scope\":[{\"proto\":\"tcp\",\"port\":8632}],\"cipher\":\"aes-gcm-256\","
		 "\"spi\":8193,\"nonce\":\"%s\",\"near\":\"100.64.0.5\",\"far\":\"100.64.0.1\","
		 "\"endpoint\":\"203.0.113.10:4500\",\"priority\":4,\"remaining\":1000000,"
		 "\"connectable\":false}",
		 job, host, nonce);
	return body;
}

static void decode_tunnel(const struct answer *a, struct sapi_tunnel *t)
{
	struct err e = { 0 };

	if (sapi_tunnel_decode(a->body, strlen(a->body), t, &e) < 0)
		fail_msg("%s: %s", a->body, err_text(&e));
}

/* ---- tests ---- */

static void test_dial(void **state)
{
	struct answer a;

	(void)state;
	wake(&w.cloud1, "cloud1");
	wake(&w.cloud1, "cloud1"); /* up already */
	/* Someone else answers at that address. */
	{
		char body[200];

		snprintf(body, sizeof(body), "{\"cloud\":\"cloud3\",\"address\":\"127.0.0.1:%u\"}",
			 peer_listener_port(w.cloud2.listener));
		assert_int_equal(request(w.manager.gateway, "POST", "/v1/dial", body, &a), 502);
		assert_non_null(strstr(a.body, "dial-failed"));
	}
	assert_int_equal(request(w.manager.gateway, "POST", "/v1/dial",
				 "{\"cloud\":\"cloud4\",\"address\":\"127.0.0.1:1\"}", &a),
			 502);
	assert_int_equal(request(w.manager.gateway, "POST", "/v1/dial", "{}", &a), 400);
	/* Each role its own resources. */
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/dial", "{}", &a), 403);
	assert_int_equal(request(w.manager.gateway, "POST", "/v1/tunnels", "{}", &a), 403);
	assert_int_equal(request(w.manager.gateway, "GET", "/v1/tunnels", NULL, &a), 200);
	assert_int_equal(request(w.manager.gateway, "GET", "/v1/load", NULL, &a), 200);
	assert_non_null(strstr(a.body, "\"pps\":812"));
}

/* Both ends have the same keys, and only one use of a nonce. */
static void test_tunnel(void **state)
{
	struct sapi_tunnel t;
	struct tunnel_keys keys;
	struct tunnel_keys_id id = { .nonce = NONCE1,
				     .cloud_spi = 8193,
				     .cipher = CIPHER_AES_GCM_256 };
	struct answer a;
	char path[64];

	(void)state;
	wake(&w.cloud1, "cloud1");
	wake(&w.cloud2, "cloud2");
	endpoint_parse("192.168.1.1:8633", &w.conf.listen);
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB1, NONCE1, "192.168.1.10"), &a),
			 201);
	decode_tunnel(&a, &t);
	assert_int_equal(t.log.port, 8633); /* for a cloud that asks the device itself */
	assert_int_equal(kernel.n, 1);
	assert_int_equal(t.id, kernel.v[0].spec.spi_in);
	assert_string_equal(t.cloud, "cloud1");
	assert_true(t.open);
	id.gateway_spi = t.id;
	assert_int_equal(tunnel_keys_derive(w.cloud1.gateway, &id, &keys), 0);
	assert_memory_equal(keys.to_gateway, kernel.key_in[0], 36);
	assert_memory_equal(keys.to_cloud, kernel.key_out[0], 36);
	assert_memory_not_equal(keys.to_cloud, keys.to_gateway, 36);

	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB1, NONCE2, "192.168.1.10"), &a),
			 409);
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB2, NONCE1, "192.168.1.10"), &a),
			 422);
	assert_non_null(strstr(a.body, "nonce-reused"));
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB2, NONCE2, "192.168.1.1"), &a),
			 403);
	assert_non_null(strstr(a.body, "host-not-allowed"));

	/* Another cloud neither sees nor ends it. */
	snprintf(path, sizeof(path), "/v1/tunnels/%08x", t.id);
	assert_int_equal(request(w.cloud2.gateway, "GET", path, NULL, &a), 404);
	assert_int_equal(request(w.cloud2.gateway, "DELETE", path, NULL, &a), 404);
	assert_int_equal(request(w.cloud2.gateway, "GET", "/v1/tunnels", NULL, &a), 200);
	assert_string_equal(a.body, "{\"tunnels\":[]}");
	assert_int_equal(request(w.cloud1.gateway, "GET", path, NULL, &a), 200);
	assert_int_equal(request(w.cloud1.gateway, "GET", "/v1/tunnels/xyz", NULL, &a), 404);
	assert_int_equal(request(w.cloud1.gateway, "DELETE", path, NULL, &a), 200);
	decode_tunnel(&a, &t);
	assert_false(t.open);
	assert_string_equal(t.reason, "closed");
	assert_int_equal(t.rx.packets, 77);
	assert_int_equal(kernel.n, 0);
	assert_int_equal(request(w.cloud1.gateway, "DELETE", path, NULL, &a), 404);
}

/* After kill -9 and a restart of the gateway: its cloud tells of the job again, and nobody else does. */
static void test_adopted(void **state)
{
	static const char job[] =
		"{\"kind\":\"print\",\"remaining\":100000000,\"connectable\":true,\"connect\":"
		"{\"address\":\"203.0.113.10:8443\",\"agent_port\":8632,\"token\":\"" TOKEN "\"}}";
	static const char elsewhere[] =
		"{\"kind\":\"print\",\"connectable\":true,\"connect\":"
		"{\"address\":\"203.0.113.10:8443\",\"agent_port\":22,\"token\":\"" TOKEN "\"}}";
	struct sapi_tunnel t;
	struct answer a;
	char path[64], path_job[72];
	struct err e = { 0 };

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	wake(&w.cloud1, "cloud1");
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB1, NONCE1, "192.168.1.10"), &a),
			 201);
	decode_tunnel(&a, &t);
	assert_false(t.adopted);
	gateway_free(w.gateway); /* without a farewell */
	KIT_UNTIL(w.loop, !w.cloud1.gateway && !w.manager.gateway);
	if (gateway_new(w.loop, &w.conf, &w.gateway, &e) < 0)
		fail_msg("%s", err_text(&e));
	KIT_UNTIL(w.loop, w.cloud1.gateway && w.manager.gateway);
	snprintf(path, sizeof(path), "/v1/tunnels/%08x", t.id);
	snprintf(path_job, sizeof(path_job), "%s/job", path);
	assert_int_equal(request(w.cloud1.gateway, "GET", path, NULL, &a), 200);
	decode_tunnel(&a, &t);
	assert_true(t.adopted);
	wake(&w.cloud2, "cloud2");
	assert_int_equal(request(w.cloud2.gateway, "PUT", path_job, job, &a), 404);
	assert_int_equal(request(w.cloud1.gateway, "PUT", path_job, "{}", &a), 400);
	/* It may not have the gateway knock at another port of the device than the tunnel's. */
	assert_int_equal(request(w.cloud1.gateway, "PUT", path_job, elsewhere, &a), 422);
	assert_non_null(strstr(a.body, "agent_port: 22 is not in the scope"));
	assert_int_equal(n_asked, 0);
	assert_int_equal(request(w.cloud1.gateway, "PUT", path_job, job, &a), 204);
	KIT_UNTIL(w.loop, n_asked == 1);
	assert_int_equal(request(w.cloud1.gateway, "DELETE", path, NULL, &a), 200);
	decode_tunnel(&a, &t);
	assert_string_equal(t.reason, "moved");
	assert_false(t.adopted);
}

/* A tunnel that the cloud ends for a move says so in its answer and in 7K (#709, #737). */
static void test_moved(void **state)
{
	char path[PATH_MAX], line[2048], *body;
	struct sapi_tunnel t;
	struct answer a;
	bool found = false;
	FILE *f;

	(void)state;
	w.conf.policy.when = WHEN_ALWAYS;
	wake(&w.cloud1, "cloud1");
	body = open_body(JOB1, NONCE1, "192.168.1.10");
	strcpy(strstr(body, "\"remaining\""),
	       "\"remaining\":100000000,\"connectable\":true,\"connect\":{\"address\":"
	       "\"203.0.113.10:8443\",\"agent_port\":8632,"
	       "\"token\":\"fedcba9876543210fedcba9876543210\"}}");
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels", body, &a), 201);
	decode_tunnel(&a, &t);
	KIT_UNTIL(w.loop, n_asked == 1);
	snprintf(path, sizeof(path), "/v1/tunnels/%08x", t.id);
	assert_int_equal(request(w.cloud1.gateway, "DELETE", path, NULL, &a), 200);
	decode_tunnel(&a, &t);
	assert_string_equal(t.reason, "moved");
	assert_int_equal(n_canceled, 0);
	snprintf(path, sizeof(path), "%s/record.log", w.state);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, "\"7K\"") && strstr(line, "\"reason\":\"moved\"");
	fclose(f);
	assert_true(found);
}

static int on_event_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	size_t have = strlen(w.events);

	(void)call;
	(void)arg;
	assert_true(have + len < sizeof(w.events));
	memcpy(w.events + have, data, len);
	w.events[have + len] = '\0';
	return 0;
}

static void on_events_closed(struct h2_call *call, int err, const char *why, void *arg)
{
	bool *ended = arg;

	(void)call;
	if (err)
		fail_msg("%s", why);
	*ended = true;
}

/* A request that waits, is told why, and is withdrawn; and one that gets its slot. */
static void test_waiting(void **state)
{
	static const struct h2_call_ops ops = { .on_data = on_event_data,
						.on_close = on_events_closed };
	struct h2_request subscribe = { .method = "GET", .path = "/v1/events" };
	struct answer a, b, c, d, e;
	struct sapi_tunnel t;
	struct h2_call *call;
	bool ended = false;
	char path[64], job[ID_LEN], nonce[ID_LEN];

	(void)state;
	wake(&w.cloud1, "cloud1");
	assert_int_equal(h2_call_start(w.cloud1.gateway, &subscribe, &ops, &ended, &call), 0);
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB1, NONCE1, "192.168.1.10"), &a),
			 201);
	decode_tunnel(&a, &t);
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(JOB2, NONCE2, "192.168.1.15"), &b),
			 201);
	assert_int_equal(id_random(job), 0);
	assert_int_equal(id_random(nonce), 0);
	start_request(w.cloud1.gateway, "POST", "/v1/tunnels",
		      open_body(job, nonce, "192.168.1.15"), &c);
	KIT_UNTIL(w.loop, strstr(w.events, "\"wait\""));
	assert_false(c.done);
	/* The same job again, while it waits. */
	assert_int_equal(id_random(nonce), 0);
	assert_int_equal(request(w.cloud1.gateway, "POST", "/v1/tunnels",
				 open_body(job, nonce, "192.168.1.15"), &d),
			 409);
	h2_call_cancel(c.call);
	/* Answered in order, so the withdrawal has arrived by then. */
	assert_int_equal(request(w.cloud1.gateway, "GET", "/v1/load", NULL, &d), 200);
	assert_int_equal(id_random(nonce), 0);
	start_request(w.cloud1.gateway, "POST", "/v1/tunnels",
		      open_body(job, nonce, "192.168.1.15"), &e);
	snprintf(path, sizeof(path), "/v1/tunnels/%08x", t.id);
	assert_int_equal(request(w.cloud1.gateway, "DELETE", path, NULL, &d), 200);
	kit_until(w.loop, &e.done);
	assert_int_equal(e.status, 201);
	KIT_UNTIL(w.loop, strstr(w.events, "\"tunnel-closed\""));
	assert_int_equal(kernel.n, 2);

	/* The end is orderly for those who listen and those who wait; tunnels stay. */
	assert_int_equal(id_random(job), 0);
	assert_int_equal(id_random(nonce), 0);
	start_request(w.cloud1.gateway, "POST", "/v1/tunnels",
		      open_body(job, nonce, "192.168.1.15"), &e);
	w.events[0] = '\0';
	KIT_UNTIL(w.loop, strstr(w.events, "\"wait\""));
	gateway_stop(w.gateway);
	while (!ended || !e.done)
		assert_in_range(loop_step(w.loop, 100), 0, 1);
	assert_int_equal(e.status, 503);
	assert_int_equal(loop_run(w.loop), 0);
	gateway_free(w.gateway);
	w.gateway = NULL;
	assert_int_equal(kernel.n, 2);
}

/* A connection with nothing to do is closed in order, and made again when asked for. */
static void test_idle(void **state)
{
	static const struct h2_call_ops ops = { .on_data = on_event_data,
						.on_close = on_events_closed };
	struct h2_request subscribe = { .method = "GET", .path = "/v1/events" };
	struct h2_call *call;
	bool ended = false;

	(void)state;
	w.conf.cloud_idle = 50;
	wake(&w.cloud1, "cloud1");
	w.cloud1.lost = -1;
	assert_int_equal(h2_call_start(w.cloud1.gateway, &subscribe, &ops, &ended, &call), 0);
	KIT_UNTIL(w.loop, ended && !w.cloud1.gateway);
	assert_int_equal(w.cloud1.lost, 0);
	w.conf.cloud_idle = 60000;
	wake(&w.cloud1, "cloud1");
	w.cloud1.lost = w.manager.lost = -1;
	gateway_stop(w.gateway);
	KIT_UNTIL(w.loop, !w.cloud1.gateway && !w.manager.gateway);
	assert_int_equal(w.cloud1.lost, 0);
	assert_int_equal(w.manager.lost, 0);
	assert_int_equal(loop_run(w.loop), 0);
	gateway_free(w.gateway);
	w.gateway = NULL;
}

static void on_log_session(struct h2 *h2, int err, const char *why, void *arg)
{
	if (err)
		fail_msg("%s", why);
	*(struct h2 **)arg = h2;
}

static void on_log_session_end(struct h2 *h2, int err, const char *why, void *arg)
{
	(void)h2;
	(void)err;
	(void)why;
	*(bool *)arg = true;
}

/* 7J: only about oneself, kept in the record log. */
static void test_logs(void **state)
{
	char address[64];
	struct peer_dial_conf conf = { .address = address,
				       .tls = w.device_tls,
				       .roles = ROLE_BIT(ROLE_GATEWAY),
				       .name = "gw1" };
	static const char body[] =
		"{\"device\":\"mfp-1\",\"job\":\"" JOB1 "\",\"cloud\":\"cloud1\","
		"\"address\":\"203.0.113.10:8443\",\"connected\":\"2026-11-22T20:00:00.000Z\","
		"\"closed\":\"\",\"bytes_in\":5,\"bytes_out\":6,"
		"\"result\":\"completed\",\"text\":\"\"}";
	char other[sizeof(body) + 8], path[PATH_MAX], line[2048];
	struct h2 *h2 = NULL;
	struct peer_dial *dial;
	bool ended = false;
	struct answer a;
	FILE *f;

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%u", lan_port(w.gateway->lan));
	assert_int_equal(peer_dial(w.loop, &conf, on_log_session, &h2, &dial), 0);
	KIT_UNTIL(w.loop, h2);
	assert_int_equal(request(h2, "POST", "/v1/logs", body, &a), 204);
	strcpy(other, body);
	other[strlen("{\"device\":\"mfp-")] = '2';
	assert_int_equal(request(h2, "POST", "/v1/logs", other, &a), 403);
	assert_int_equal(request(h2, "POST", "/v1/logs", "{\"device\":1}", &a), 400);
	assert_int_equal(request(h2, "GET", "/v1/tunnels", NULL, &a), 404);
	snprintf(path, sizeof(path), "%s/record.log", w.state);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_non_null(strstr(line, "\"7J\""));
	assert_non_null(strstr(line, "\"bytes_in\":5"));
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
	h2_on_close(h2, on_log_session_end, &ended);
	h2_close(h2);
	kit_until(w.loop, &ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tunnel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_logs, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_api", tests, NULL, NULL);
}
