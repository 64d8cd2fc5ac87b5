// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole of shunt-manager over loopback TLS: registry, roles, and clouds that have gateways dial
 * them.
 */
#include "netkit.h"

#include <errno.h>

#include "lib/body.h"
#include "lib/h2.h"
#include "lib/peer.h"
#include "lib/sapi.h"
#include "lib/store.h"
#include "manager/manager.h"

#define DEVICE(code, gateway)                                                                      \
	"{\"code\":\"" code "\",\"connectable\":true,\"gateway\":\"" gateway "\","                 \
	"\"address\":\"192.168.1.10\","                                                            \
	"\"services\":[{\"kind\":\"agent\",\"port\":8632,\"tls\":true,\"path\":\"/\"}]}"

struct answer {
	bool done;
	int err, status;
	char type[64], location[64], body[8192];
};

static struct world {
	char *pki, *state;
	char address[64];
	struct loop *loop;
	struct manager_conf conf;
	struct manager *manager;
	struct tls_ctx *tls[6];
	size_t n_tls;
	unsigned int sessions; /* the test's own that are open */
	/* gateways of the test: what they answer */
	struct h2_req *dial; /* a POST /v1/dial that waits for the test's answer */
} w;

static struct tls_ctx *identity(enum role role, const char *name)
{
	return w.tls[w.n_tls++] = kit_ctx(w.pki, role, name);
}

static void start(void)
{
	char text[2048];
	struct err e = { 0 };
	int n = snprintf(
		text, sizeof(text),
		"ca = \"%s/ca.crt\"\ncert = \"%s/manager-m.crt\"\nkey = \"%s/manager-m.key\"\n"
		"state = \"%s\"\nlisten = \"127.0.0.1:0\"\n",
		w.pki, w.pki, w.pki, w.state);

	assert_int_equal(loop_new(&w.loop), 0);
	if (conf_parse("test", text, (size_t)n, manager_conf_table, &w.conf, &e) < 0 ||
	    manager_check(&w.conf, &e) < 0 || manager_new(w.loop, &w.conf, &w.manager, &e) < 0)
		fail_msg("%s", err_text(&e));
	snprintf(w.address, sizeof(w.address), "127.0.0.1:%u", manager_port(w.manager));
}

static void stop(void)
{
	manager_stop(w.manager);
	assert_int_equal(loop_run(w.loop), 0);
	while (w.sessions)
		assert_in_range(loop_step(w.loop, 100), 0, 1);
	manager_free(w.manager);
	w.manager = NULL;
	loop_free(w.loop);
	conf_free(manager_conf_table, &w.conf);
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.pki = kit_dir_new();
	w.state = kit_dir_new();
	kit_ca(w.pki);
	kit_cert(w.pki, ROLE_MANAGER, "m", 3600);
	start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stop();
	while (w.n_tls)
		tls_ctx_free(w.tls[--w.n_tls]);
	kit_dir_free(w.state);
	kit_dir_free(w.pki);
	return 0;
}

/* ---- sessions and requests ---- */

static void on_end(struct h2 *h2, int err, const char *why, void *arg)
{
	(void)h2;
	(void)err;
	(void)why;
	(void)arg;
	w.sessions--;
}

struct dialled {
	bool done;
	struct h2 *h2;
	int err;
};

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct dialled *d = arg;

	(void)why;
	d->done = true;
	d->h2 = h2;
	d->err = err;
}

static struct h2 *connect_as(struct tls_ctx *tls, const struct h2_router *routes)
{
	struct peer_dial_conf conf = { .address = w.address,
				       .tls = tls,
				       .reverse = routes != NULL,
				       .routes = routes,
				       .roles = ROLE_BIT(ROLE_MANAGER) };
	struct dialled d = { 0 };
	struct peer_dial *dial;

	assert_int_equal(peer_dial(w.loop, &conf, on_dialled, &d, &dial), 0);
	kit_until(w.loop, &d.done);
	if (d.h2) {
		w.sessions++;
		h2_on_close(d.h2, on_end, NULL);
	}
	return d.h2;
}

static void on_answer(const struct h2_reply *reply, void *arg)
{
	struct answer *a = arg;
	const char *location = reply->err ? NULL : h2_call_header(reply->call, "location");

	a->done = true;
	a->err = reply->err;
	a->status = reply->status;
	snprintf(a->type, sizeof(a->type), "%s", reply->type ? reply->type : "");
	snprintf(a->location, sizeof(a->location), "%s", location ? location : "");
	snprintf(a->body, sizeof(a->body), "%s", reply->len ? (const char *)reply->body : "");
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
	assert_int_equal(h2_fetch(h2, &r, on_answer, a, NULL), 0);
}

static int request(struct h2 *h2, const char *method, const char *path, const char *body,
		   struct answer *a)
{
	start_request(h2, method, path, body, a);
	kit_until(w.loop, &a->done);
	return a->status;
}

/* ---- a gateway of the test ---- */

static void on_dial_closed(struct h2_req *req, int err, void *arg)
{
	(void)req;
	(void)err;
	(void)arg;
	w.dial = NULL;
}

static void on_dial(struct h2_req *req, void *arg)
{
	(void)arg;
	w.dial = req;
	h2_req_on_close(req, on_dial_closed, NULL);
}

static const struct h2_route gateway_routes[] = {
	{ "POST", "/v1/dial", ROLE_BIT(ROLE_MANAGER), SAPI_MAX, 0, on_dial },
};
static const struct h2_router gateway_router = { gateway_routes, 1, NULL };

/* ---- tests ---- */

static void test_devices(void **state)
{
	struct h2 *admin = connect_as(identity(ROLE_ADMIN, "root"), NULL);
	struct h2 *terminal = connect_as(identity(ROLE_TERMINAL, "alice"), NULL);
	struct h2 *cloud = connect_as(identity(ROLE_CLOUD, "cloud1"), NULL);
	struct answer a;

	(void)state;
	assert_int_equal(request(admin, "GET", "/v1/devices", NULL, &a), 200);
	assert_string_equal(a.body, "{\"devices\":[]}");
	assert_int_equal(request(admin, "POST", "/v1/devices", DEVICE("mfp-1", "gw1"), &a), 201);
	assert_string_equal(a.location, "/v1/devices/mfp-1");
	assert_int_equal(request(admin, "POST", "/v1/devices", DEVICE("mfp-1", "gw1"), &a), 409);
	assert_non_null(strstr(a.body, "device-exists"));
	assert_int_equal(request(admin, "POST", "/v1/devices", "{\"code\":\"x\"}", &a), 400);
	assert_non_null(strstr(a.body, "bad-request"));
	assert_string_equal(a.type, "application/problem+json");
	assert_int_equal(request(terminal, "POST", "/v1/devices", DEVICE("b", "gw1"), &a), 403);
	assert_int_equal(request(cloud, "PUT", "/v1/devices/b", DEVICE("b", "gw1"), &a), 403);
	assert_int_equal(request(admin, "PUT", "/v1/devices/b", DEVICE("b", "gw1"), &a), 201);
	assert_int_equal(request(admin, "PUT", "/v1/devices/b", DEVICE("b", "gw2"), &a), 200);
	assert_int_equal(request(admin, "PUT", "/v1/devices/c", DEVICE("b", "gw2"), &a), 400);
	assert_int_equal(request(cloud, "GET", "/v1/devices/b", NULL, &a), 200);
	assert_non_null(strstr(a.body, "\"gateway\":\"gw2\""));
	assert_non_null(strstr(a.body, "\"connectable\":true"));
	assert_int_equal(request(cloud, "GET", "/v1/devices/c", NULL, &a), 404);
	assert_non_null(strstr(a.body, "unknown-device"));
	assert_int_equal(request(cloud, "GET", "/v1/devices/%20%0a", NULL, &a), 404);
	assert_int_equal(request(terminal, "GET", "/v1/devices", NULL, &a), 200);
	assert_non_null(strstr(a.body, "mfp-1"));
	assert_int_equal(request(admin, "DELETE", "/v1/devices/b", NULL, &a), 204);
	assert_int_equal(request(admin, "DELETE", "/v1/devices/b", NULL, &a), 404);

	/* It survives a restart. */
	stop();
	start();
	admin = connect_as(w.tls[0], NULL);
	assert_int_equal(request(admin, "GET", "/v1/devices/mfp-1", NULL, &a), 200);
}

/* What could never be listed again is not registered. */
static void test_full(void **state)
{
	struct sapi_device d = { .connectable = true };
	struct h2 *admin;
	struct store *store;
	struct answer a;
	struct err e = { 0 };
	char path[600];
	int i;

	(void)state;
	admin = connect_as(identity(ROLE_ADMIN, "root"), NULL);
	assert_int_equal(request(admin, "POST", "/v1/devices", DEVICE("mfp-1", "gw1"), &a), 201);
	assert_int_equal(sapi_device_decode(a.body, strlen(a.body), &d, &e), 0);
	stop();
	snprintf(path, sizeof(path), "%s/registry.db", w.state);
	assert_int_equal(store_open(path, STORE_MANAGER, &store, &e), 0);
	assert_int_equal(store_begin(store), 0);
	for (i = 1; i < SAPI_ITEMS_MAX - 1; i++) {
		snprintf(d.code, sizeof(d.code), "d%d", i);
		assert_int_equal(store_device_add(store, &d), 0);
	}
	assert_int_equal(store_commit(store), 0);
	store_close(store);
	sapi_device_fini(&d);
	start();
	admin = connect_as(w.tls[0], NULL);
	assert_int_equal(request(admin, "PUT", "/v1/devices/b", DEVICE("b", "gw1"), &a), 201);
	assert_int_equal(request(admin, "PUT", "/v1/devices/c", DEVICE("c", "gw1"), &a), 507);
	assert_non_null(strstr(a.body, "too-many-devices"));
	assert_int_equal(request(admin, "POST", "/v1/devices", DEVICE("c", "gw1"), &a), 507);
	assert_int_equal(request(admin, "POST", "/v1/devices", DEVICE("b", "gw1"), &a), 409);
	assert_int_equal(request(admin, "PUT", "/v1/devices/b", DEVICE("b", "gw2"), &a), 200);
	assert_int_equal(request(admin, "DELETE", "/v1/devices/b", NULL, &a), 204);
	assert_int_equal(request(admin, "POST", "/v1/devices", DEVICE("c", "gw1"), &a), 201);
}

static void test_roles(void **state)
{
	(void)state;
	/* A gateway is not an API client, nor a cloud a gateway. */
	assert_null(connect_as(identity(ROLE_DEVICE, "mfp-1"), NULL));
	assert_null(connect_as(identity(ROLE_CLOUD, "cloud1"), &gateway_router));
}

static bool gateway_listed(struct h2 *h2, const char *what)
{
	struct answer a;

	assert_int_equal(request(h2, "GET", "/v1/gateways", NULL, &a), 200);
	return strstr(a.body, what) != NULL;
}

#define DIAL "{\"cloud\":\"cloud1\",\"address\":\"203.0.113.10:8443\"}"

static void test_dial(void **state)
{
	struct tls_ctx *gw = identity(ROLE_GATEWAY, "gw1");
	struct h2 *cloud = connect_as(identity(ROLE_CLOUD, "cloud1"), NULL);
	struct h2 *terminal = connect_as(identity(ROLE_TERMINAL, "alice"), NULL);
	struct h2 *gateway;
	struct answer a;

	(void)state;
	assert_int_equal(request(cloud, "POST", "/v1/gateways/gw1/dial", DIAL, &a), 503);
	assert_non_null(strstr(a.body, "gateway-not-connected"));
	gateway = connect_as(gw, &gateway_router);
	assert_non_null(gateway);
	while (!gateway_listed(cloud,
			       "\"name\":\"gw1\",\"connected\":true,\"address\":\"127.0.0.1:"))
		;
	assert_int_equal(request(terminal, "POST", "/v1/gateways/gw1/dial", DIAL, &a), 403);
	/* Only itself. */
	assert_int_equal(request(cloud, "POST", "/v1/gateways/gw1/dial",
				 "{\"cloud\":\"cloud2\",\"address\":\"203.0.113.10:8443\"}", &a),
			 403);
	/* Relayed as it is, both ways. */
	start_request(cloud, "POST", "/v1/gateways/gw1/dial", DIAL, &a);
	KIT_UNTIL(w.loop, w.dial);
	assert_string_equal((const char *)h2_req_body(w.dial, &(size_t){ 0 }), DIAL);
	h2_problem(w.dial, 502, "dial-failed", "no route");
	kit_until(w.loop, &a.done);
	assert_int_equal(a.status, 502);
	assert_non_null(strstr(a.body, "no route"));
	assert_string_equal(a.type, "application/problem+json");
	KIT_UNTIL(w.loop, !w.dial);

	/* The gateway goes away while it is asked. */
	start_request(cloud, "POST", "/v1/gateways/gw1/dial", DIAL, &a);
	KIT_UNTIL(w.loop, w.dial);
	h2_abort(gateway, -ECONNRESET, "test");
	kit_until(w.loop, &a.done);
	assert_int_equal(a.status, 503);
	while (!gateway_listed(cloud, "\"connected\":false"))
		;
}

/* A second connection of the same gateway takes the first one's place. */
static void test_replaced(void **state)
{
	struct tls_ctx *gw = identity(ROLE_GATEWAY, "gw1");
	struct h2 *cloud = connect_as(identity(ROLE_CLOUD, "cloud1"), NULL);
	struct answer a;

	(void)state;
	assert_non_null(connect_as(gw, &gateway_router));
	while (!gateway_listed(cloud, "\"connected\":true"))
		;
	assert_non_null(connect_as(gw, &gateway_router));
	KIT_UNTIL(w.loop, w.sessions == 2); /* the cloud's and the newer one */
	assert_true(gateway_listed(cloud, "\"connected\":true"));
	start_request(cloud, "POST", "/v1/gateways/gw1/dial", DIAL, &a);
	KIT_UNTIL(w.loop, w.dial);
	h2_respond(w.dial, 200, "application/json", "{}", 2);
	kit_until(w.loop, &a.done);
	assert_int_equal(a.status, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_roles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
	};

	return cmocka_run_group_tests_name("manager_api", tests, NULL, NULL);
}
