// SPDX-License-Identifier: GPL-2.0-or-later
/* The connections that a device dials: when it lets go of one, and when it does not. */
#include "device_world.h"

static void connect_now(struct world *w)
{
	EXPECT(post_connect(w, w->gateway, "cloud1", peer_listener_port(w->cloud_listener)), 200);
	AWAIT(w, w->reverse);
}

/* Long enough for a connection to be dialled again: the first pause is half a second. */
static void a_while(struct world *w)
{
	uint64_t until = loop_now(w->loop) + 1500;

	while (loop_now(w->loop) < until)
		assert_int_equal(loop_step(w->loop, 100), 0);
}

/* A cloud that did not take the token hangs up in order: nobody needs the connection. */
static void not_dialled_for_a_token_that_was_refused(void **state)
{
	struct world *w = *state;

	connect_now(w);
	EXPECT(get(w, w->reverse, "/v1/hello"), 200);
	h2_close(w->reverse);
	a_while(w);
	assert_int_equal(w->reverse_count, 1);
	/* The next request is as good as the first. */
	w->reverse = NULL;
	connect_now(w);
	assert_int_equal(w->reverse_count, 2);
}

/* It hung up before it had seen the token, as when it closed an idle connection just then. */
static void dialled_for_a_token_that_was_not_shown(void **state)
{
	struct world *w = *state;

	connect_now(w);
	h2_close(w->reverse);
	AWAIT(w, w->reverse_count == 2);
}

/* A cloud that restarts in order comes back for the job. */
static void dialled_for_a_job_under_way(void **state)
{
	struct world *w = *state;

	connect_now(w);
	EXPECT(get(w, w->reverse, "/v1/hello"), 200);
	EXPECT(put_job(w, w->reverse, "print", "report.pdf"), 201);
	h2_close(w->reverse);
	AWAIT(w, w->reverse_count == 2);
	EXPECT(put_range(w, w->reverse, 0, SIZE), 200);
	await_state(w, w->reverse, JOB_COMPLETED);
	assert_printed(w);
}

/* A connection that broke is another matter than one that was closed. */
static void dialled_when_it_broke(void **state)
{
	struct world *w = *state;

	connect_now(w);
	EXPECT(get(w, w->reverse, "/v1/hello"), 200);
	h2_abort(w->reverse, -EPIPE, "test");
	AWAIT(w, w->reverse_count == 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(not_dialled_for_a_token_that_was_refused),
		TEST(dialled_for_a_token_that_was_not_shown),
		TEST(dialled_for_a_job_under_way),
		TEST(dialled_when_it_broke),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
