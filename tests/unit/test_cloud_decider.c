// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cloud/decider with the real policy, tokens and load: which tunnel is opened, which job is moved,
 * and how its device is asked.
 */
#include "decider_fakes.h"

/* #804-#805: fewer tunnels than the limit, so the tunnel is used to the end. */
static void below_the_limit(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	decide(w, 2);
	a = arrive(w, 0, 0, 3, true);
	b = arrive(w, 0, 1, 3, true);
	assert_int_equal(a->opens, 1);
	assert_int_equal(b->opens, 1);
	assert_told(b, SAPI_GW_OPEN, "below-limit");
	assert_string_equal(b->told[0].text, "tunnels 1+1 <= limit 2");
	assert_false(reach(a));
	assert_false(reach(b));
	assert_int_equal(w->devices[0].asked + w->devices[1].asked, 0);
	assert_int_equal(a->n_told, 1);
}

/*
 * #806-#815, claims 4-5: a job comes whose device cannot connect. It counts before its tunnel
 * exists, and the running job of the lowest priority is moved for it.
 */
static void at_the_limit(void **state)
{
	struct world *w = *state;
	struct decider_figures f;
	struct tjob *a, *b, *c;

	decide(w, 2);
	a = arrive(w, 0, 0, 5, true);
	b = arrive(w, 0, 1, 3, true);
	reach(a);
	reach(b);
	c = arrive(w, 0, 3, 4, false);
	assert_told(c, SAPI_GW_WAIT, "tunnel-limit");
	assert_told(b, SAPI_GW_MOVE, "tunnel-limit");
	assert_int_equal(told(b, SAPI_GW_MOVE)->tunnel, b->view.tunnel);
	assert_false(told(b, SAPI_GW_MOVE)->cut_early || told(b, SAPI_GW_MOVE)->suspend);
	assert_told(a, SAPI_GW_KEEP, "enough");
	decider_figures(w->decider, &f);
	assert_int_equal(f.waiting, 1);
	assert_int_equal(f.moving, 1);
	assert_int_equal(f.decisions[POLICY_R_TUNNEL_LIMIT], 2);
	/* 7G came through b's tunnel: whom to dial, and the token to join with. */
	assert_int_equal(w->devices[0].asked, 0);
	assert_int_equal(w->devices[1].asked, 1);
	assert_string_equal(w->devices[1].last.job, b->id);
	assert_string_equal(w->devices[1].last.cloud, "cloud1");
	assert_int_equal(w->devices[1].last.address.port, 8443);
	assert_int_equal(w->devices[1].last.log.port, 8633); /* 7J, #840-#841 */
	assert_true(tokens_take(w->tokens, b->id, "mfp-2", w->devices[1].last.token));
	assert_int_equal(b->connected, 1);
	assert_int_equal(c->opens, 0);
	moves(b);
	assert_int_equal(c->opens, 1);
	assert_told(c, SAPI_GW_OPEN, "below-limit");
	decider_figures(w->decider, &f);
	assert_int_equal(f.waiting + f.moving, 0);
	assert_int_equal(failures(b), 0);
}

/* Nothing can be moved: the job waits for a tunnel to end. */
static void nothing_to_move(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	decide(w, 1);
	a = arrive(w, 0, 3, 3, false);
	b = arrive(w, 0, 3, 3, false);
	assert_told(b, SAPI_GW_WAIT, "no-relief");
	place_done(a->place);
	kit_settle(w->loop);
	assert_int_equal(b->opens, 1);
}

/* "The number of tunnels between the cloud server 21 and the gateway 16". */
static void counts_of_a_pair(void **state)
{
	struct world *w = *state;
	struct tjob *b, *c;

	w->policy.count = COUNT_PAIR;
	decide(w, 1);
	arrive(w, 0, 3, 3, false);
	b = arrive(w, 1, 3, 3, false);
	assert_int_equal(b->opens, 1);
	c = arrive(w, 1, 3, 3, false);
	assert_told(c, SAPI_GW_WAIT, "no-relief");
	/* The end of another gateway's tunnel is none of its business. */
	place_done(w->jobs[0].place);
	kit_settle(w->loop);
	assert_int_equal(c->opens, 0);
	place_done(b->place);
	kit_settle(w->loop);
	assert_int_equal(c->opens, 1);
}

/* "... tunnels in which one end is the cloud server 21 and the other end is an arbitrary gateway". */
static void counts_of_all(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	decide(w, 1);
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	b = arrive(w, 1, 3, 3, false);
	assert_told(b, SAPI_GW_WAIT, "tunnel-limit");
	assert_told(a, SAPI_GW_MOVE, "tunnel-limit");
	moves(a);
	assert_int_equal(b->opens, 1);
}

/* First embodiment, #704-#709, claim 3: whenever the device can connect; not before it is reached. */
static void always(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	w->policy.when = WHEN_ALWAYS;
	decide(w, 0);
	a = arrive(w, 0, 0, 3, true);
	b = arrive(w, 0, 3, 3, false);
	assert_int_equal(a->opens + b->opens, 2);
	assert_int_equal(w->devices[0].asked, 0);
	assert_false(reach(a)); /* content flows meanwhile */
	assert_told(a, SAPI_GW_MOVE, "always");
	assert_int_equal(w->devices[0].asked, 1);
	reach(b);
	assert_null(told(b, SAPI_GW_MOVE));
	assert_int_equal(w->devices[3].asked, 0);
}

/* #53-#54, #68-#74: the arriving job's own device is to connect; asked through its own tunnel. */
static void an_arrival_connects(void **state)
{
	struct world *w = *state;
	struct tjob *b;

	decide(w, 1);
	arrive(w, 0, 3, 3, false);
	b = arrive(w, 0, 0, 3, true);
	assert_told(b, SAPI_GW_DIRECT, "tunnel-limit");
	assert_non_null(strstr(told(b, SAPI_GW_DIRECT)->text, "through a tunnel of its own"));
	assert_int_equal(b->opens, 1);
	assert_true(reach(b)); /* no content */
	assert_int_equal(w->devices[0].asked, 1);
	assert_null(told(b, SAPI_GW_MOVE)); /* one decision, told once */
	moves(b);
	assert_int_equal(b->fallbacks, 0);
}

/* ... and where it fails the content goes through that tunnel after all. */
static void an_arrival_that_fails_to_connect(void **state)
{
	struct world *w = *state;
	struct tjob *b;

	decide(w, 1);
	arrive(w, 0, 3, 3, false);
	w->devices[0].refuse = 502;
	b = arrive(w, 0, 0, 3, true);
	assert_true(reach(b));
	assert_int_equal(failures(b), 1);
	assert_non_null(strstr(b->told[b->n_told - 1].text, "no route to the cloud"));
	assert_int_equal(b->fallbacks, 1);
	assert_false(reach(b));
}

static void await_asked(struct world *w, struct peer *device, unsigned int n)
{
	uint64_t end = loop_now(w->loop) + KIT_WAIT_MS;

	while (device->asked < n) {
		decider_run(w->decider);
		assert_int_equal(loop_step(w->loop, 5), 0);
		assert_true(loop_now(w->loop) < end);
	}
}

/* A device that fails is left alone, longer each time; its job stays where it is. */
static void pauses_after_failures(void **state)
{
	struct world *w = *state;
	struct peer *mfp = &w->devices[0];
	uint64_t first, second;
	struct tjob *a;

	decide(w, 1);
	mfp->refuse = 502;
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	arrive(w, 0, 3, 3, false);
	assert_int_equal(mfp->asked, 1);
	assert_int_equal(failures(a), 1);
	first = loop_now(w->loop);
	await_asked(w, mfp, 2);
	second = loop_now(w->loop);
	assert_true(second - first >= 100);
	await_asked(w, mfp, 3);
	assert_true(loop_now(w->loop) - second >= 250);
	kit_settle(w->loop);
	assert_int_equal(failures(a), 3);
	assert_int_equal(a->fallbacks, 0); /* nothing was held back */
}

/* The pause is the device's: another job of its does not ask it either. */
static void pauses_for_all_jobs(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	w->policy.when = WHEN_ALWAYS;
	decide(w, 0);
	w->devices[0].refuse = 502;
	a = arrive(w, 0, 0, 3, true);
	b = arrive(w, 0, 0, 3, true);
	reach(a);
	reach(b);
	assert_int_equal(w->devices[0].asked, 1);
	assert_int_equal(failures(a) + failures(b), 1);
	w->devices[0].refuse = 0;
	await_asked(w, &w->devices[0], 2);
	kit_settle(w->loop);
	assert_int_equal(a->connected + b->connected, 1);
}

/* No answer, or an answer that nothing follows, is a failure, too. */
static void a_device_that_does_not_come(void **state)
{
	struct world *w = *state;
	struct tjob *a;

	w->policy.connect_timeout = 100;
	decide(w, 1);
	w->devices[0].mute = true;
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	arrive(w, 0, 3, 3, false);
	KIT_UNTIL(w->loop, failures(a) == 1);
	w->devices[0].mute = false;
	await_asked(w, &w->devices[0], 2);
	KIT_UNTIL(w->loop, a->connected == 1);
	KIT_UNTIL(w->loop, failures(a) == 2);
	assert_non_null(strstr(a->told[a->n_told - 1].text, "did not join"));
}

/* The session through the tunnel breaks: the device is asked again on the next, no failure. */
static void asks_again_after_a_break(void **state)
{
	struct world *w = *state;
	struct peer *mfp = &w->devices[0];
	struct tjob *a;

	decide(w, 1);
	mfp->mute = true;
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	arrive(w, 0, 3, 3, false);
	assert_int_equal(mfp->asked, 1);
	a->view.agent = NULL;
	h2_abort(mfp->client, -EPIPE, "test");
	KIT_UNTIL(w->loop, !mfp->client && !mfp->server);
	mfp->mute = false;
	peer_up(w, mfp, mfp->name);
	reach(a);
	assert_int_equal(mfp->asked, 2);
	assert_int_equal(failures(a), 0);
	assert_int_equal(a->n_told, 2); /* open, move: told once */
}

/* A direct connection that breaks before the job has moved: failed, it stays in its tunnel. */
static void a_connection_that_breaks(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	decide(w, 1);
	arrive(w, 0, 3, 3, false);
	a = arrive(w, 0, 0, 3, true);
	assert_true(reach(a));
	a->view.direct = true;
	decider_run(w->decider);
	kit_settle(w->loop);
	a->view.direct = false;
	decider_run(w->decider);
	kit_settle(w->loop);
	assert_int_equal(failures(a), 1);
	assert_int_equal(a->fallbacks, 1);
	/* It has a tunnel, so those behind it wait. */
	b = arrive(w, 0, 3, 3, false);
	assert_int_equal(b->opens, 0);
}

/* Higher priority first, then by arrival; one that is withdrawn leaves its turn to the next. */
static void the_queue(void **state)
{
	struct world *w = *state;
	struct tjob *a, *low, *high, *gone;

	decide(w, 1);
	a = arrive(w, 0, 3, 3, false);
	low = arrive(w, 0, 3, 1, false);
	gone = arrive(w, 0, 3, 6, false);
	high = arrive(w, 0, 3, 6, false);
	place_done(gone->place); /* canceled while waiting */
	place_done(a->place);
	kit_settle(w->loop);
	assert_int_equal(gone->opens, 0);
	assert_int_equal(high->opens, 1);
	assert_int_equal(low->opens, 0);
	place_free(high->place);
	high->place = NULL;
	kit_settle(w->loop);
	assert_int_equal(low->opens, 1);
}

/* A waiting job whose device connects for another reason needs no tunnel, wherever it stands. */
static void connects_while_waiting(void **state)
{
	struct world *w = *state;
	struct decider_figures f;
	struct tjob *b;

	decide(w, 1);
	arrive(w, 0, 3, 3, false);
	arrive(w, 0, 3, 6, false);
	w->jobs[1].view.remaining = 1;
	b = arrive(w, 0, 0, 5, true);
	place_done(b->place);
	b->n_told = 0;
	b->opens = 0;
	b->view.remaining = 1; /* not worth a connection of its own */
	b->view.tunnel = 0;
	assert_int_equal(
		place_ask(b->place, &(struct place_conf){ b->id, "mfp-1", "gw1", 5, true }), 0);
	kit_settle(w->loop);
	assert_non_null(told(b, SAPI_GW_WAIT));
	w->devices[0].here = true;
	decider_run(w->decider);
	kit_settle(w->loop);
	assert_told(b, SAPI_GW_DIRECT, "direct-connection");
	assert_int_equal(b->opens, 0);
	decider_figures(w->decider, &f);
	assert_int_equal(f.waiting, 1);
}

/* One request at a time to a device; once it is connected its other jobs need none. */
static void several_jobs_of_a_device(void **state)
{
	struct world *w = *state;
	struct tjob *low, *high;

	w->policy.when = WHEN_ALWAYS;
	decide(w, 0);
	high = arrive(w, 0, 0, 6, true);
	low = arrive(w, 0, 0, 2, true);
	place_done(high->place); /* begin anew, both at once */
	place_done(low->place);
	high->n_told = low->n_told = 0;
	assert_int_equal(place_ask(high->place,
				   &(struct place_conf){ high->id, "mfp-1", "gw1", 6, true }),
			 0);
	assert_int_equal(
		place_ask(low->place, &(struct place_conf){ low->id, "mfp-1", "gw1", 2, true }), 0);
	w->devices[0].mute = true;
	reach(high);
	reach(low);
	assert_int_equal(w->devices[0].asked, 1);
	w->devices[0].here = true;
	decider_run(w->decider);
	kit_settle(w->loop);
	/* Whichever was asked for, the other joins without a request when that one has moved. */
	moves(strcmp(w->devices[0].last.job, low->id) ? high : low);
	assert_int_equal(w->devices[0].asked, 1);
	assert_true(low->view.direct && high->view.direct);
	assert_non_null(told(low, SAPI_GW_MOVE));
	assert_non_null(told(high, SAPI_GW_MOVE));
}

/*
 * "when the usage rate of the CPU 16a becomes equal to or more than a predetermined value"; the
 * tunnel of the greatest relief, as the kernel has measured it, and only at that gateway.
 */
static void cpu_use(void **state)
{
	struct world *w = *state;
	struct tjob *cheap, *dear, *other;

	w->policy.cpu_high = w->policy.cpu_low = 800;
	w->policy.select = SELECT_RELIEF;
	decide(w, 0);
	cheap = arrive(w, 0, 0, 1, true);
	dear = arrive(w, 0, 1, 5, true);
	other = arrive(w, 1, 2, 1, true);
	cheap->cpu_step = 1000000;
	dear->cpu_step = other->cpu_step = 200000000;
	reach(cheap);
	reach(dear);
	reach(other);
	KIT_UNTIL(w->loop, w->gateways[0].lists >= 2 && w->gateways[1].lists >= 2);
	assert_int_equal(w->devices[0].asked + w->devices[1].asked + w->devices[2].asked, 0);
	w->gateways[0].cpu = 850;
	KIT_UNTIL(w->loop, w->devices[1].asked == 1);
	assert_told(dear, SAPI_GW_MOVE, "cpu-limit");
	assert_non_null(strstr(told(dear, SAPI_GW_MOVE)->text, "cpu 850 >= 800 permille"));
	assert_int_equal(w->devices[0].asked + w->devices[2].asked, 0);
	assert_null(told(other, SAPI_GW_KEEP));
}

/* A tunnel's cost is of one CPU, the limit of all: where there are four, as much more has to go. */
static void cpu_use_of_four(void **state)
{
	struct world *w = *state;
	struct tjob *v[3];
	int i;

	w->policy.cpu_high = w->policy.cpu_low = 800;
	w->policy.select = SELECT_RELIEF;
	w->gateways[0].cpus = 4;
	decide(w, 0);
	for (i = 0; i < 3; i++) {
		v[i] = arrive(w, 0, i, 1, true);
		v[i]->cpu_step = 60000000;
		reach(v[i]);
	}
	KIT_UNTIL(w->loop, w->gateways[0].lists >= 2);
	w->gateways[0].cpu = 850;
	KIT_UNTIL(w->loop,
		  told(v[0], SAPI_GW_MOVE) || told(v[1], SAPI_GW_MOVE) || told(v[2], SAPI_GW_MOVE));
	for (i = 0; i < 3; i++) /* in the same run */
		assert_told(v[i], SAPI_GW_MOVE, "cpu-limit");
}

/* A busy gateway, and a job comes whose device can connect: it does. */
static void cpu_use_and_an_arrival(void **state)
{
	struct world *w = *state;
	struct tjob *b, *c;

	w->policy.cpu_high = w->policy.cpu_low = 800;
	decide(w, 9);
	w->gateways[0].cpu = 900;
	arrive(w, 0, 3, 3, false);
	KIT_UNTIL(w->loop, w->gateways[0].loads >= 2);
	b = arrive(w, 0, 0, 3, true);
	assert_told(b, SAPI_GW_DIRECT, "cpu-limit");
	c = arrive(w, 1, 1, 3, true);
	assert_told(c, SAPI_GW_OPEN, "below-limit");
}

/*
 * "when the speed of the communication line 4 in the gateway 16 becomes equal to or less than a
 * predetermined speed": one at a time, and only at that gateway.
 */
static void line_speed(void **state)
{
	struct world *w = *state;
	struct tjob *high, *low, *other;

	w->policy.line_speed_low = w->policy.line_speed_high = 1000000;
	decide(w, 0);
	w->gateways[1].line = 2000000;
	high = arrive(w, 0, 0, 5, true);
	low = arrive(w, 0, 1, 1, true);
	other = arrive(w, 1, 2, 1, true);
	reach(high);
	reach(low);
	reach(other);
	KIT_UNTIL(w->loop, w->gateways[0].loads && w->gateways[1].loads);
	kit_settle(w->loop);
	assert_int_equal(w->devices[0].asked + w->devices[1].asked + w->devices[2].asked, 0);
	w->gateways[0].line = 1000000;
	KIT_UNTIL(w->loop, w->devices[1].asked == 1);
	assert_told(low, SAPI_GW_MOVE, "line-speed");
	moves(low);
	assert_int_equal(w->devices[0].asked + w->devices[2].asked, 0);
	assert_null(told(high, SAPI_GW_MOVE));
}

/* Claims 2-3: tunnel and connection together, until the tunnel's slot is needed. */
static void split_until_needed(void **state)
{
	struct world *w = *state;
	struct decider_figures f;
	struct tjob *a, *b;

	w->policy.when = WHEN_ALWAYS;
	w->policy.split = true;
	w->policy.cut = CUT_AFTER_REQUEST; /* of no account for one that is connected */
	w->policy.suspend = true;
	decide(w, 1);
	a = arrive(w, 0, 0, 3, true);
	assert_false(reach(a));
	assert_non_null(told(a, SAPI_GW_SPLIT));
	assert_int_equal(w->devices[0].asked, 1);
	w->devices[0].here = true;
	a->view.direct = true;
	decider_run(w->decider);
	kit_settle(w->loop);
	decider_figures(w->decider, &f);
	assert_int_equal(f.moving, 0);
	assert_null(told(a, SAPI_GW_MOVE));
	b = arrive(w, 0, 3, 3, false);
	assert_told(a, SAPI_GW_MOVE, "tunnel-limit");
	assert_false(told(a, SAPI_GW_MOVE)->cut_early || told(a, SAPI_GW_MOVE)->suspend);
	assert_int_equal(w->devices[0].asked, 1);
	assert_int_equal(b->opens, 0);
	moves(a);
	assert_int_equal(b->opens, 1);
}

/* Equal priorities: the greatest relief decides, and is measured only while it can. */
static void ties_by_relief(void **state)
{
	struct world *w = *state;
	struct tjob *a, *b;

	decide(w, 2);
	a = arrive(w, 0, 0, 3, true);
	KIT_UNTIL(w->loop, loop_step(w->loop, 0) == 0);
	assert_int_equal(w->gateways[0].lists, 0); /* one tunnel: nothing to choose from */
	b = arrive(w, 0, 1, 3, true);
	a->cpu_step = 1000000;
	b->cpu_step = 90000000;
	a->view.remaining = 900 * MB; /* would be chosen by the bytes left */
	reach(a);
	reach(b);
	KIT_UNTIL(w->loop, w->gateways[0].lists >= 2);
	kit_settle(w->loop);
	assert_int_equal(w->gateways[0].loads, 0);
	arrive(w, 0, 3, 3, false);
	assert_told(b, SAPI_GW_MOVE, "tunnel-limit");
	assert_non_null(strstr(told(b, SAPI_GW_MOVE)->text, "greatest relief"));
	assert_null(told(a, SAPI_GW_MOVE));
}

/*
 * "You may cut it before": told to cut only when the request has arrived. A device that then does
 * not come has failed: the next try goes through a tunnel.
 */
static void cut_with_the_request(void **state)
{
	struct world *w = *state;
	struct decider_figures f;
	struct tjob *a;

	w->policy.cut = CUT_AFTER_REQUEST;
	w->policy.connect_timeout = 500;
	decide(w, 1);
	w->devices[0].mute = true;
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	arrive(w, 0, 3, 3, false);
	assert_int_equal(w->devices[0].asked, 1);
	assert_true(told(a, SAPI_GW_MOVE)->cut_early);
	a->view.agent = NULL;
	place_done(a->place);
	a->view.tunnel = 0;
	kit_settle(w->loop);
	assert_int_equal(w->jobs[1].opens, 1);
	decider_figures(w->decider, &f);
	assert_int_equal(f.moving, 1); /* still awaited */
	assert_int_equal(failures(a), 0);
	KIT_UNTIL(w->loop, failures(a) == 1);
	assert_non_null(strstr(a->told[a->n_told - 1].text, "it did not come"));
	assert_int_equal(
		place_ask(a->place, &(struct place_conf){ a->id, "mfp-1", "gw1", 3, true }), 0);
	kit_settle(w->loop);
	assert_non_null(told(a, SAPI_GW_WAIT));
	assert_int_equal(a->opens, 1);
}

/* Canceled after the cut: that its device does not come is no failure of the device. */
static void canceled_after_the_cut(void **state)
{
	struct world *w = *state;
	struct decider_figures f;
	struct tjob *a;

	w->policy.cut = CUT_AFTER_REQUEST;
	w->policy.connect_timeout = 60000;
	decide(w, 1);
	w->devices[0].mute = true;
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	arrive(w, 0, 3, 3, false);
	assert_true(told(a, SAPI_GW_MOVE)->cut_early);
	a->view.agent = NULL;
	place_done(a->place);
	a->view.tunnel = 0;
	kit_settle(w->loop);
	place_cancel(a->place);
	place_done(a->place);
	place_free(a->place);
	a->place = NULL;
	kit_settle(w->loop);
	decider_figures(w->decider, &f);
	assert_int_equal(f.moving, 0);
	place_done(w->jobs[1].place);
	/* The next job of the device finds it willing to connect. */
	w->devices[0].mute = false;
	a = arrive(w, 0, 0, 3, true);
	reach(a);
	arrive(w, 0, 3, 3, false);
	KIT_UNTIL(w->loop, w->devices[0].asked == 2);
}

/* #811-#813: 7L before the request; not before the agent knows of the job. */
static void suspended_before_it_is_asked(void **state)
{
	struct world *w = *state;
	struct tjob *a;

	w->policy.suspend = true;
	decide(w, 1);
	a = arrive(w, 0, 0, 3, true);
	a->view.agent = a->device->client;
	place_reached(a->place);
	arrive(w, 0, 3, 3, false);
	assert_null(told(a, SAPI_GW_MOVE));
	assert_int_equal(w->devices[0].asked, 0);
	reach(a);
	assert_true(told(a, SAPI_GW_MOVE)->suspend);
	assert_int_equal(w->devices[0].asked, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(below_the_limit),
		T(at_the_limit),
		T(nothing_to_move),
		T(counts_of_a_pair),
		T(counts_of_all),
		T(always),
		T(an_arrival_connects),
		T(an_arrival_that_fails_to_connect),
		T(pauses_after_failures),
		T(pauses_for_all_jobs),
		T(a_device_that_does_not_come),
		T(asks_again_after_a_break),
		T(a_connection_that_breaks),
		T(the_queue),
		T(connects_while_waiting),
		T(several_jobs_of_a_device),
		T(cpu_use),
		T(cpu_use_of_four),
		T(cpu_use_and_an_arrival),
		T(line_speed),
		T(split_until_needed),
		T(ties_by_relief),
		T(cut_with_the_request),
		T(canceled_after_the_cut),
		T(suspended_before_it_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
