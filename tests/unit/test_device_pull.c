// SPDX-License-Identifier: GPL-2.0-or-later
/* Pull (FIG. 18-19): the device asks for what it lacks, in bounds, on the path that it prefers. */
#include "device_world.h"

#define OTHER "0123456789abcdef0123456789abcde0"
#define THIRD "0123456789abcdef0123456789abcde1"
#define AHEAD 204800 /* pull-ahead of device_world.h */

static struct answer put_pull(struct world *w, struct h2 *h2)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"print\",\"name\":\"report.pdf\",\"media_type\":\"application/pdf\","
		 "\"size\":%d,\"sha256\":\"%s\",\"pull\":true}",
		 SIZE, w->sha256);
	return ask(w, h2, "PUT", "/v1/jobs/" JOB, body, strlen(body), NULL);
}

/* What the last complete line of a stream says; all zero when there is none. */
static struct sapi_state_event said(const struct lines *lines)
{
	struct sapi_state_event ev = { 0 };
	const char *end = strrchr(lines->text, '\n'), *start = end;

	if (!end)
		return ev;
	while (start > lines->text && start[-1] != '\n')
		start--;
	assert_int_equal(sapi_state_event_decode(start, (size_t)(end - start), &ev, NULL), 0);
	return ev;
}

static bool wants(const struct lines *lines, uint64_t from, uint64_t to)
{
	struct sapi_state_event ev = said(lines);

	return ev.time && ev.want_from == from && ev.want_to == to;
}

static bool wants_nothing(const struct lines *lines)
{
	return wants(lines, 0, 0);
}

static unsigned int connect_port(struct world *w)
{
	return peer_listener_port(w->cloud_listener);
}

static void asks_for_what_it_lacks(void **state)
{
	struct world *w = *state;
	struct lines lines;

	EXPECT(put_pull(w, w->cloud), 201);
	follow(w->cloud, &lines);
	AWAIT(w, wants(&lines, 0, AHEAD));
	EXPECT(put_range(w, w->cloud, 0, 100000), 200);
	AWAIT(w, wants(&lines, 100000, 100000 + AHEAD));
	/* Held beyond a gap: what is missing counts, and so little more is not worth a line. */
	EXPECT(put_range(w, w->cloud, 150000, 200000), 200);
	EXPECT(get(w, w->cloud, "/v1/jobs/" JOB), 200);
	assert_true(wants(&lines, 100000, 100000 + AHEAD));
	EXPECT(put_range(w, w->cloud, 100000, 150000), 200);
	AWAIT(w, wants(&lines, 200000, 200000 + AHEAD));
	EXPECT(put_range(w, w->cloud, 200000, 600000), 200);
	AWAIT(w, wants(&lines, 600000, SIZE));
	EXPECT(put_range(w, w->cloud, 600000, SIZE), 200);
	AWAIT(w, lines.closed);
	assert_int_equal(said(&lines).state, JOB_COMPLETED);
	assert_true(wants_nothing(&lines));
	assert_printed(w);
}

static void asks_only_when_told_to(void **state)
{
	struct world *w = *state;
	struct lines lines;

	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 201);
	follow(w->cloud, &lines);
	AWAIT(w, said(&lines).time);
	assert_true(wants_nothing(&lines));
	EXPECT(put_range(w, w->cloud, 0, 100000), 200);
	EXPECT(get(w, w->cloud, "/v1/jobs/" JOB), 200);
	assert_true(wants_nothing(&lines));
	/* The cloud was configured anew, or restarted while this agent did not remember. */
	EXPECT(put_pull(w, w->cloud), 200);
	AWAIT(w, wants(&lines, 100000, 100000 + AHEAD));
}

/* After the move the request comes by the connection (#645), and only there. */
static void asks_on_the_connection_it_dialled(void **state)
{
	struct world *w = *state;
	struct lines tunnel, direct;

	EXPECT(put_pull(w, w->cloud), 201);
	follow(w->cloud, &tunnel);
	AWAIT(w, wants(&tunnel, 0, AHEAD));
	EXPECT(put_range(w, w->cloud, 0, 100000), 200);
	EXPECT(post_connect(w, w->gateway, "cloud1", connect_port(w)), 200);
	AWAIT(w, w->reverse);
	AWAIT(w, wants(&tunnel, 100000, 100000 + AHEAD)); /* until the cloud comes that way */
	EXPECT(put_pull(w, w->reverse), 200);
	follow(w->reverse, &direct);
	AWAIT(w, wants(&direct, 100000, 100000 + AHEAD));
	AWAIT(w, wants_nothing(&tunnel));
	EXPECT(put_range(w, w->reverse, 100000, 300000), 200);
	AWAIT(w, wants(&direct, 300000, 300000 + AHEAD));
	assert_true(wants_nothing(&tunnel));
	/* It breaks: back to the tunnel, with what is lacking now. */
	h2_abort(w->reverse, -EPIPE, "test");
	AWAIT(w, wants(&tunnel, 300000, 300000 + AHEAD));
}

/* First embodiment: told of the job through the tunnel (#641), it asks when it is connected (#645). */
static void waits_for_the_connection_it_was_asked_for(void **state)
{
	struct world *w = *state;
	struct lines tunnel, direct;

	EXPECT(post_connect(w, w->gateway, "cloud1", connect_port(w)), 200);
	AWAIT(w, w->reverse);
	EXPECT(put_pull(w, w->cloud), 201);
	follow(w->cloud, &tunnel);
	AWAIT(w, said(&tunnel).time);
	assert_true(wants_nothing(&tunnel));
	EXPECT(put_pull(w, w->reverse), 200);
	follow(w->reverse, &direct);
	AWAIT(w, wants(&direct, 0, AHEAD));
	assert_true(wants_nothing(&tunnel));
}

/* ... but not for ever. */
static void a_connection_that_does_not_come_is_not_waited_for(void **state)
{
	struct world *w = *state;
	struct lines tunnel;

	/* connect-timeout of device_world.h is 2 s; this cloud never asks for the token. */
	EXPECT(post_connect(w, w->gateway, "cloud1", connect_port(w)), 200);
	EXPECT(put_pull(w, w->cloud), 201);
	follow(w->cloud, &tunnel);
	AWAIT(w, said(&tunnel).time);
	assert_true(wants_nothing(&tunnel));
	AWAIT(w, wants(&tunnel, 0, AHEAD));
	EXPECT(post_connect(w, w->gateway, "cloud1", 1), 502);
	EXPECT(put_range(w, w->cloud, 0, 1000), 200);
}

/* 7L with pull: what it does not ask for does not come. */
static void a_suspended_job_asks_for_nothing(void **state)
{
	struct world *w = *state;
	struct lines lines;

	EXPECT(put_pull(w, w->cloud), 201);
	follow(w->cloud, &lines);
	EXPECT(put_range(w, w->cloud, 0, 1000), 200);
	EXPECT(ask(w, w->cloud, "POST", "/v1/jobs/" JOB "/suspend", NULL, 0, NULL), 204);
	AWAIT(w, said(&lines).state == JOB_SUSPENDED);
	assert_true(wants_nothing(&lines));
	EXPECT(ask(w, w->cloud, "POST", "/v1/jobs/" JOB "/resume", NULL, 0, NULL), 204);
	AWAIT(w, wants(&lines, 1000, 1000 + AHEAD));
}

/* max-bytes of device_world.h is 10 MB: a job that fits by itself waits until another is over. */
static void without_room_it_says_so_and_does_not_ask(void **state)
{
	struct world *w = *state;
	struct lines lines;
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"print\",\"name\":\"big.pdf\",\"media_type\":\"application/pdf\","
		 "\"size\":10000000,\"sha256\":\"%s\"}",
		 w->sha256);
	EXPECT(ask(w, w->cloud, "PUT", "/v1/jobs/" OTHER, body, strlen(body), NULL), 201);
	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 507); /* pushed: refused */
	EXPECT(put_pull(w, w->cloud), 201);
	follow(w->cloud, &lines);
	AWAIT(w, said(&lines).time);
	assert_true(wants_nothing(&lines));
	assert_non_null(strstr(said(&lines).reason, "max-bytes"));
	EXPECT(put_range(w, w->cloud, 0, 1000), 507); /* not asked for */
	EXPECT(put_job(w, w->cloud, "print", "report.pdf"), 507); /* nor by pushing it now */
	EXPECT(put_pull(w, w->cloud), 200);
	EXPECT(ask(w, w->cloud, "DELETE", "/v1/jobs/" OTHER, NULL, 0, NULL), 204);
	AWAIT(w, wants(&lines, 0, AHEAD));
	assert_string_equal(said(&lines).reason, "");
	EXPECT(put_range(w, w->cloud, 0, SIZE), 200);
	AWAIT(w, lines.closed);
	assert_int_equal(said(&lines).state, JOB_COMPLETED);
	/* One that could never have room is refused as ever. */
	snprintf(body, sizeof(body),
		 "{\"kind\":\"print\",\"name\":\"big.pdf\",\"media_type\":\"application/pdf\","
		 "\"size\":20000000,\"sha256\":\"%s\",\"pull\":true}",
		 w->sha256);
	EXPECT(ask(w, w->cloud, "PUT", "/v1/jobs/" THIRD, body, strlen(body), NULL), 507);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(asks_for_what_it_lacks),
		TEST(asks_only_when_told_to),
		TEST(asks_on_the_connection_it_dialled),
		TEST(waits_for_the_connection_it_was_asked_for),
		TEST(a_connection_that_does_not_come_is_not_waited_for),
		TEST(a_suspended_job_asks_for_nothing),
		TEST(without_room_it_says_so_and_does_not_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
