// SPDX-License-Identifier: GPL-2.0
#include "chore.h"
#include "alive.h"
#include "device.h"
#include "report.h"

/* How often a tunnel announces that its endpoint moved. */
#define ANNOUNCE_NS	NSEC_PER_SEC

/**
 * shunt_chore() - leave something to process context
 * @t: tunnel; any context, RCU or a reference is held
 * @chore: what is to do
 */
void shunt_chore(struct shunt_tunnel *t, enum shunt_chore chore)
{
	struct shunt_dev *shunt = t->shunt;

	if (READ_ONCE(t->dead) || test_and_set_bit(chore, &t->chores))
		return;
	if (test_and_set_bit(SHUNT_CHORE_QUEUED, &t->chores))
		return;
	/* the reference is the queue's; with none left to take there is nothing left to do */
	if (!shunt_tunnel_hold(t))
		return;
	if (llist_add(&t->chore_node, &shunt->chores))
		schedule_work(&shunt->chore_work);
}

/* The other end can move as often as it likes; where it is in the end is announced in any case. */
static void announce_endpoint(struct shunt_tunnel *t)
{
	u64 now = shunt_now();

	if (t->announced && now < t->announced + ANNOUNCE_NS) {
		WRITE_ONCE(t->announce_at, t->announced + ANNOUNCE_NS);
		shunt_alive_start(t);
		return;
	}
	t->announced = now;
	shunt_report_tunnel(t, SHUNT_CMD_TUNNEL_ENDPOINT_NTF, 0);
}

/* Packets may have come since the timer looked, or the timeout been changed. */
static void end_silent(struct shunt_tunnel *t)
{
	if (shunt_alive_dead(t))
		shunt_tunnel_del(t, SHUNT_DEL_REASON_DEAD);
	else if (shunt_alive_idle(t))
		shunt_tunnel_del(t, SHUNT_DEL_REASON_IDLE);
	else
		shunt_alive_start(t);
}

static void do_chores(struct shunt_tunnel *t)
{
	/* the node is ours until this bit is clear; what comes up later queues it again */
	clear_bit_unlock(SHUNT_CHORE_QUEUED, &t->chores);
	/* pairs with test_and_set_bit(): whoever still saw the bit has its chore seen below */
	smp_mb__after_atomic();

	if (t->dead)
		return;
	if (test_and_clear_bit(SHUNT_CHORE_ENDPOINT, &t->chores))
		announce_endpoint(t);
	if (test_and_clear_bit(SHUNT_CHORE_WARN, &t->chores))
		shunt_report_tunnel(t, SHUNT_CMD_TUNNEL_EXHAUST_NTF, 0);
	if (test_and_clear_bit(SHUNT_CHORE_EXHAUSTED, &t->chores))
		shunt_tunnel_del(t, SHUNT_DEL_REASON_EXHAUSTED);
	else if (test_and_clear_bit(SHUNT_CHORE_SILENT, &t->chores))
		end_silent(t);
}

/**
 * shunt_chore_work() - do a device's chores
 * @work: shunt_dev.chore_work
 */
void shunt_chore_work(struct work_struct *work)
{
	struct shunt_dev *shunt = container_of(work, struct shunt_dev, chore_work);
	struct llist_node *list = llist_reverse_order(llist_del_all(&shunt->chores));
	struct shunt_tunnel *t, *next;

	llist_for_each_entry_safe(t, next, list, chore_node) {
		mutex_lock(&shunt->lock);
		do_chores(t);
		mutex_unlock(&shunt->lock);
		shunt_tunnel_put(t);
		cond_resched();
	}
}
