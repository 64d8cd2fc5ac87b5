// SPDX-License-Identifier: GPL-2.0-or-later
/* Segments: no byte on two paths, none lost, and every byte sent twice is counted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/transfer.h"

static void takes_in_order_within_segments(void **state)
{
	struct transfer *t;
	uint64_t from, to;

	(void)state;
	assert_int_equal(transfer_new(&t, 10, 4), 0);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_true(from == 0 && to == 4);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_true(from == 4 && to == 8);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_true(from == 8 && to == 10);
	assert_int_equal(transfer_take(t, &from, &to), -ENODATA);
	assert_int_equal(transfer_taken(t), 10);
	assert_false(transfer_complete(t));
	assert_int_equal(transfer_ack(t, 4, 8, 0, 0), 0);
	assert_int_equal(transfer_ack(t, 4, 8, 0, 0), -EINVAL); /* not taken any more */
	assert_int_equal(transfer_ack(t, 0, 4, 0, 0), 0);
	assert_int_equal(transfer_ack(t, 8, 10, 0, 0), 0);
	assert_true(transfer_complete(t));
	assert_int_equal(transfer_resent(t), 0);
	transfer_free(t);
}

static void starts_from_what_is_held(void **state)
{
	struct ranges held = RANGES_INIT;
	struct transfer *t;
	uint64_t from, to;

	(void)state;
	assert_int_equal(transfer_new(&t, 20, 8), 0);
	ranges_add(&held, 0, 3, NULL);
	ranges_add(&held, 10, 12, NULL);
	assert_int_equal(transfer_learn(t, &held, true), 0);
	assert_int_equal(transfer_held(t), 5);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_true(from == 3 && to == 8);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_true(from == 8 && to == 10);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_true(from == 12 && to == 16);
	ranges_add(&held, 19, 21, NULL);
	assert_int_equal(transfer_learn(t, &held, false), -ERANGE);
	ranges_fini(&held);
	transfer_free(t);
}

static void unsure_until_the_receiver_was_asked(void **state)
{
	struct ranges held = RANGES_INIT;
	struct transfer *t;
	uint64_t from, to;

	(void)state;
	assert_int_equal(transfer_new(&t, 8, 4), 0);
	transfer_take(t, &from, &to);
	assert_int_equal(transfer_wire(t, 0, 3), 0);
	assert_int_equal(transfer_lose(t, 0, 4, true), 0);
	assert_true(transfer_unsure(t));
	transfer_take(t, &from, &to);
	assert_true(from == 4); /* not the unsure ones */
	assert_int_equal(transfer_lose(t, 4, 8, false), 0);
	transfer_take(t, &from, &to);
	assert_true(from == 4); /* nothing of it left: free at once */
	/* The receiver got two of the three bytes. */
	ranges_add(&held, 0, 2, NULL);
	assert_int_equal(transfer_learn(t, &held, false), 0);
	assert_false(transfer_unsure(t));
	transfer_take(t, &from, &to);
	assert_true(from == 2 && to == 4);
	assert_int_equal(transfer_wire(t, 2, 4),
			 1); /* byte 2 crosses again, byte 3 for the first time */
	assert_int_equal(transfer_resent(t), 1);
	ranges_fini(&held);
	transfer_free(t);
}

static void counts_what_the_receiver_had_before(void **state)
{
	struct transfer *t;
	uint64_t from, to;

	(void)state;
	assert_int_equal(transfer_new(&t, 8, 8), 0);
	transfer_take(t, &from, &to);
	transfer_wire(t, 0, 8);
	assert_int_equal(transfer_ack(t, 0, 8, 5, 0),
			 0); /* a run of ours that was forgotten sent them */
	assert_int_equal(transfer_resent(t), 5);
	transfer_free(t);
	/* Already counted when it left, or more than there is: not counted again. */
	assert_int_equal(transfer_new(&t, 8, 8), 0);
	transfer_take(t, &from, &to);
	assert_int_equal(transfer_ack(t, 0, 8, 100, 8), 0);
	assert_int_equal(transfer_resent(t), 0);
	transfer_free(t);
}

static void tells_whether_an_answer_is_old(void **state)
{
	struct transfer *t;
	uint64_t from, to, asked;

	(void)state;
	assert_int_equal(transfer_new(&t, 30, 10), 0);
	asked = transfer_changes(t);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_int_not_equal(transfer_changes(t), asked);
	asked = transfer_changes(t);
	assert_int_equal(transfer_ack(t, from, to, 0, 0), 0);
	assert_int_equal(transfer_taken(t), 0); /* so only the count tells */
	assert_int_not_equal(transfer_changes(t), asked);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	asked = transfer_changes(t);
	assert_int_equal(transfer_lose(t, from, to, true), 0);
	assert_int_not_equal(transfer_changes(t), asked);
	asked = transfer_changes(t);
	assert_int_equal(transfer_lose(t, from, to, true), -EINVAL);
	assert_int_equal(transfer_changes(t), asked);
	transfer_free(t);
}

static void believes_a_receiver_that_forgot(void **state)
{
	struct ranges none = RANGES_INIT;
	struct transfer *t;
	uint64_t from, to;

	(void)state;
	assert_int_equal(transfer_new(&t, 4, 4), 0);
	transfer_take(t, &from, &to);
	transfer_wire(t, 0, 4);
	transfer_ack(t, 0, 4, 0, 0);
	assert_int_equal(transfer_learn(t, &none, true), 0);
	assert_int_equal(transfer_held(t), 0);
	assert_int_equal(transfer_take(t, &from, &to), 0);
	assert_int_equal(transfer_wire(t, 0, 4), 4);
	transfer_free(t);
}

static void empty_content(void **state)
{
	struct transfer *t;
	uint64_t from, to;

	(void)state;
	assert_int_equal(transfer_new(&t, 0, 4), 0);
	assert_true(transfer_complete(t));
	assert_int_equal(transfer_take(t, &from, &to), -ENODATA);
	transfer_free(t);
	assert_int_equal(transfer_new(&t, 4, 0), -EINVAL);
}

/*
 * A model: two paths take segments at random, put some of the bytes on the wire, are acknowledged
 * or lost with a part of what they sent having arrived. The model counts how often each byte was
 * sent.
 */
#define SIZE 3000
#define SEGMENT 128
#define SLOTS 6

struct slot {
	uint64_t from, to, pos, counted;
	bool used;
};

struct model {
	struct transfer *t;
	struct slot slots[SLOTS];
	uint8_t sent[SIZE];
	uint8_t holds[SIZE];
};

static void model_send(struct model *m, struct slot *s)
{
	uint64_t n = s->to - s->pos, i;

	if (rand() % 3)
		n = (uint64_t)rand() % (n + 1);
	s->counted += transfer_wire(m->t, s->pos, s->pos + n);
	for (i = s->pos; i < s->pos + n; i++)
		m->sent[i]++;
	s->pos += n;
}

static void model_ack(struct model *m, struct slot *s)
{
	uint64_t duplicate = 0, i;

	while (s->pos < s->to)
		model_send(m, s);
	for (i = s->from; i < s->to; i++) {
		duplicate += m->holds[i];
		m->holds[i] = 1;
	}
	assert_int_equal(transfer_ack(m->t, s->from, s->to, duplicate, s->counted), 0);
	s->used = false;
}

static void model_lose(struct model *m, struct slot *s)
{
	uint64_t arrived = s->from + (uint64_t)rand() % (s->pos - s->from + 1), i;

	for (i = s->from; i < arrived; i++)
		m->holds[i] = 1;
	assert_int_equal(transfer_lose(m->t, s->from, s->to, s->pos > s->from), 0);
	s->used = false;
}

static void model_ask(struct model *m)
{
	struct ranges held = RANGES_INIT;
	uint64_t i;

	for (i = 0; i < SIZE; i++)
		if (m->holds[i])
			assert_int_equal(ranges_add(&held, i, i + 1, NULL), 0);
	assert_int_equal(transfer_learn(m->t, &held, !transfer_taken(m->t)), 0);
	ranges_fini(&held);
}

static void model_step(struct model *m)
{
	struct slot *s = &m->slots[rand() % SLOTS];
	int i;

	if (!s->used) {
		if (transfer_take(m->t, &s->from, &s->to))
			return;
		for (i = 0; i < SLOTS; i++)
			assert_true(!m->slots[i].used || m->slots[i].to <= s->from ||
				    m->slots[i].from >= s->to);
		s->used = true;
		s->pos = s->from;
		s->counted = 0;
	} else if (rand() % 2) {
		model_send(m, s);
	} else if (rand() % 5) {
		model_ack(m, s);
	} else {
		model_lose(m, s);
	}
}

static void model_run(unsigned int seed)
{
	struct model m = { 0 };
	uint64_t resent = 0;
	int i;

	srand(seed);
	assert_int_equal(transfer_new(&m.t, SIZE, SEGMENT), 0);
	for (i = 0; !transfer_complete(m.t); i++) {
		assert_true(i < 100000);
		model_step(&m);
		if (transfer_unsure(m.t) && !(rand() % 4))
			model_ask(&m);
	}
	for (i = 0; i < SIZE; i++) {
		assert_true(m.sent[i] >= 1);
		resent += m.sent[i] - 1u;
	}
	assert_int_equal(transfer_resent(m.t), resent);
	assert_int_equal(transfer_held(m.t), SIZE);
	transfer_free(m.t);
}

static void random_paths(void **state)
{
	unsigned int seed;

	(void)state;
	for (seed = 1; seed <= 200; seed++)
		model_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_in_order_within_segments),
		cmocka_unit_test(starts_from_what_is_held),
		cmocka_unit_test(unsure_until_the_receiver_was_asked),
		cmocka_unit_test(counts_what_the_receiver_had_before),
		cmocka_unit_test(tells_whether_an_answer_is_old),
		cmocka_unit_test(believes_a_receiver_that_forgot),
		cmocka_unit_test(empty_content),
		cmocka_unit_test(random_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
