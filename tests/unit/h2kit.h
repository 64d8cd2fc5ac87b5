/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h2kit: two HTTP/2 sessions, client and server, over a socket pair without TLS in one loop, and a server with a handler
 * for each thing a handler can do. What the tests of h2 share.
 */
#ifndef SHUNT_TESTS_H2KIT_H
#define SHUNT_TESTS_H2KIT_H

#include "netkit.h"

#include "lib/h2.h"

#define BIG (64u << 20)

struct h2kit {
	struct loop *loop;
	struct h2 *client, *server;
	int client_err, server_err;
	char client_why[256], server_why[256];
	bool client_gone, server_gone;
	/* what the server's handlers share with the tests */
	struct h2_req *req;
	struct loop_timer *timer;
	int req_err;
	bool req_gone;
	struct sha256 *sha;
	uint64_t got, pause_every, next_pause;
	bool ended;
	int on_data_result;
	bool writable;
	unsigned int served;
	uint64_t max_buffered;
};

/* What a buffered request came to. */
struct h2kit_answer {
	bool done;
	int err, status;
	char why[256], type[64], body[512], location[64], allow[64];
	size_t len;
};

/* All limits at their defaults. */
extern const struct h2_conf h2kit_defaults;

/* @client NULL: the test plays the client by hand, on the descriptor left in client_err. */
struct h2kit *h2kit_new(const struct h2_conf *client, const struct h2_conf *server);
void h2kit_free(struct h2kit *w);
/* cmocka's set-up and tear-down: both sides with the defaults. */
int h2kit_setup(void **state);
int h2kit_teardown(void **state);

/* Ask and wait for the answer; @body NULL: none. */
struct h2kit_answer h2kit_ask(struct h2kit *w, const char *method, const char *path,
			      const void *body, size_t len);
void h2kit_assert_problem(const struct h2kit_answer *a, int status, const char *code);

/* The callbacks behind these, for requests that a test starts itself; their argument is the answer, the kit. */
void h2kit_on_reply(const struct h2_reply *reply, void *arg);
void h2kit_on_client_close(struct h2 *h2, int err, const char *why, void *arg);
/* on_data of a call that must have no response body. */
int h2kit_no_data(struct h2_call *call, const void *data, size_t len, void *arg);

/* A reader of an event stream. */
struct h2kit_events {
	uint64_t got;
	bool closed, pause_first, end_before_pause;
	int err;
	struct h2_call *call;
};
extern const struct h2_call_ops h2kit_events_ops; /* argument: struct h2kit_events */

#define TEST(f) cmocka_unit_test_setup_teardown(f, h2kit_setup, h2kit_teardown)

#endif
