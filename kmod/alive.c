// SPDX-License-Identifier: GPL-2.0
#include "alive.h"
#include "chore.h"
#include "compat.h"
#include "device.h"
#include "tx.h"

#include <linux/jiffies.h>

#define OPEN_FIRST_MS	5 /* by then the far side has usually been told of the tunnel */
#define OPEN_LAST_MS	3000

/* Something sent less than this ago answers a dummy as well as a dummy would. */
#define ANSWERED_MS	20

/* What part of the keepalive interval silence after traffic is borne without asking. */
#define PATIENCE	4

/* Longest sleep, which keeps every interval within what a timer can count. */
#define SLEEP_MAX_NS	(3600ULL * NSEC_PER_SEC)

static u64 ns_of_ms(u64 ms)
{
	return ms * NSEC_PER_MSEC;
}

/* When a tunnel has been idle for long enough, U64_MAX never. */
static u64 idle_due(const struct shunt_tunnel *t)
{
	u64 timeout = (u64)READ_ONCE(t->set.idle) * NSEC_PER_SEC;
	u64 last = max_t(u64, atomic64_read(&t->last_in), atomic64_read(&t->last_out));

	return timeout ? last + timeout : U64_MAX;
}

/* Asked of the socket, as a device is running already while it is being opened. */
static bool is_open(const struct shunt_tunnel *t)
{
	return rcu_access_pointer(t->shunt->sk4);
}

/* When the other end has been silent for long enough to be taken for dead, U64_MAX never. */
static u64 dead_due(const struct shunt_tunnel *t)
{
	u64 timeout = (u64)READ_ONCE(t->set.dead) * NSEC_PER_SEC;
	u64 last = max_t(u64, atomic64_read(&t->last_rx), READ_ONCE(t->since));

	/* what is down hears nobody */
	return timeout && is_open(t) ? last + timeout : U64_MAX;
}

/* Whether a dummy would go anywhere; a sequence number is not spent on one that would not. */
static bool can_send(struct shunt_tunnel *t)
{
	struct shunt_endpoint ep;

	shunt_tunnel_endpoint(t, &ep);
	return ep.port && is_open(t);
}

/* Each of these returns when it wants to be called again, U64_MAX never. */

static u64 opening(struct shunt_tunnel *t, u64 now)
{
	if (t->side != SHUNT_SIDE_NEAR || READ_ONCE(t->heard) || !is_open(t))
		return U64_MAX;
	if (now >= t->open_at) {
		shunt_tx_dummy(t);
		t->open_at = now + ns_of_ms(t->open_ms);
		t->open_ms = min_t(u32, t->open_ms * 2, OPEN_LAST_MS);
	}
	return t->open_at;
}

/* When the near side wants to know whether the far side still reaches it. */
static u64 ask_due(const struct shunt_tunnel *t, u64 interval)
{
	u64 rx = atomic64_read(&t->last_rx);
	u64 in = atomic64_read(&t->last_in);

	if (t->side != SHUNT_SIDE_NEAR || !READ_ONCE(t->heard))
		return U64_MAX;
	/* traffic ceased: for no reason, or because it now goes where we are no more */
	if (in > t->asked)
		return in + interval / PATIENCE;
	if (rx < t->asked)
		return t->asked + t->ask_wait;
	return rx + interval;
}

static void ask(struct shunt_tunnel *t, u64 now, u64 interval)
{
	bool again = t->asked && (u64)atomic64_read(&t->last_rx) < t->asked;

	t->ask_wait = again ? min(t->ask_wait * 2, interval) : interval / PATIENCE;
	t->asked = now;
	if (can_send(t))
		shunt_tx_dummy(t);
}

/* The near side asks before it takes the far side for dead, if need be sooner than it was told. */
static u64 keepalive_interval(const struct shunt_tunnel *t)
{
	u64 interval = ns_of_ms(READ_ONCE(t->set.keepalive));
	u64 dead = (u64)READ_ONCE(t->set.dead) * NSEC_PER_SEC;

	if (!dead || t->side != SHUNT_SIDE_NEAR)
		return interval;
	return interval ? min(interval, dead / 2) : dead / 2;
}

static u64 keepalive(struct shunt_tunnel *t, u64 now)
{
	u64 interval = keepalive_interval(t);
	u64 due;

	if (!interval)
		return U64_MAX;
	due = max3((u64)atomic64_read(&t->last_tx), t->asked, t->born) + interval;
	due = min(due, ask_due(t, interval));
	if (now >= due) {
		ask(t, now, interval);
		due = now + t->ask_wait;
	}
	/* traffic that begins and ceases meanwhile wants to be seen */
	return min(due, now + interval / PATIENCE);
}

static u64 silence(struct shunt_tunnel *t, u64 now)
{
	u64 due = min(idle_due(t), dead_due(t));

	if (now < due)
		return due;
	shunt_chore(t, SHUNT_CHORE_SILENT);
	return U64_MAX;
}

/* The move of an endpoint that came too soon after another one. */
static u64 announcement(struct shunt_tunnel *t, u64 now)
{
	u64 due = READ_ONCE(t->announce_at);

	if (!due || now < due)
		return due ?: U64_MAX;
	WRITE_ONCE(t->announce_at, 0);
	shunt_chore(t, SHUNT_CHORE_ENDPOINT);
	return U64_MAX;
}

static void on_timer(struct timer_list *timer)
{
	struct shunt_tunnel *t = timer_container_of(t, timer, timer);
	u64 now = shunt_now();
	u64 next;

	if (READ_ONCE(t->dead))
		return;
	next = min3(opening(t, now), keepalive(t, now), silence(t, now));
	next = min(next, announcement(t, now));
	/* one tick more, as the clock is behind by up to one */
	if (next != U64_MAX)
		mod_timer(timer, jiffies + 1 +
			  nsecs_to_jiffies(min_t(u64, next - now, SLEEP_MAX_NS)));
}

/* Look at everything afresh, at once. */
static void kick(struct shunt_tunnel *t)
{
	lockdep_assert_held(&t->shunt->lock);
	if (!t->dead)
		mod_timer(&t->timer, jiffies);
}

/**
 * shunt_alive_init() - prepare a new tunnel
 * @t: tunnel, with the time it was made
 */
void shunt_alive_init(struct shunt_tunnel *t)
{
	t->since = t->born;
	t->open_ms = OPEN_FIRST_MS;
	timer_setup(&t->timer, on_timer, 0);
}

/**
 * shunt_alive_start() - begin, or take up what was changed
 * @t: tunnel in use; its device's lock is held
 */
void shunt_alive_start(struct shunt_tunnel *t)
{
	kick(t);
}

/**
 * shunt_alive_stop() - end, for good
 * @t: tunnel that is marked dead; its device's lock is held, which the timer does not take
 */
void shunt_alive_stop(struct shunt_tunnel *t)
{
	timer_delete_sync(&t->timer);
}

/**
 * shunt_alive_restart() - open all tunnels again, as the device came up
 * @shunt: device; its lock is held
 */
void shunt_alive_restart(struct shunt_dev *shunt)
{
	struct shunt_tunnel *t;
	unsigned long id;

	xa_for_each(&shunt->tunnels, id, t) {
		timer_delete_sync(&t->timer);
		WRITE_ONCE(t->heard, false);
		WRITE_ONCE(t->since, shunt_now());
		t->open_at = 0;
		t->open_ms = OPEN_FIRST_MS;
		kick(t);
	}
}

/**
 * shunt_alive_idle() - whether a tunnel has been idle for as long as it may
 * @t: tunnel
 *
 * Return: true if it is to end.
 */
bool shunt_alive_idle(const struct shunt_tunnel *t)
{
	return shunt_now() >= idle_due(t);
}

/**
 * shunt_alive_dead() - whether the other end has been silent for as long as it may
 * @t: tunnel
 *
 * Return: true if the tunnel is to end.
 */
bool shunt_alive_dead(const struct shunt_tunnel *t)
{
	return shunt_now() >= dead_due(t);
}

/**
 * shunt_alive_answer() - a dummy came from the other end
 * @t: tunnel; RCU is held and bottom halves are off
 *
 * Only the far side answers, so that two ends never keep each other busy.
 */
void shunt_alive_answer(struct shunt_tunnel *t)
{
	u64 sent = atomic64_read(&t->last_tx);

	if (t->side == SHUNT_SIDE_FAR && (!sent || shunt_now() - sent >= ns_of_ms(ANSWERED_MS)))
		shunt_tx_dummy(t);
}
