/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decider_int: what decider.c (who gets a tunnel, and which job is moved off its) and place.c (how
 * one job is told and its device asked) share.
 */
#ifndef SHUNT_CLOUD_DECIDER_INT_H
#define SHUNT_CLOUD_DECIDER_INT_H

#include <sys/queue.h>

#include "cloud/decider.h"

struct h2_call;
struct loop_defer;
struct loop_timer;

/*
 * Tunnels that count together: those of one gateway, or all. With `count = all` a gateway's own
 * limits (CPU, line) are judged in a second layer, over its tunnels only.
 */
struct scope {
	char gateway[NAME_LEN]; /* "": all */
	struct policy_settings settings;
	unsigned int layer; /* index of place.told */
	unsigned int relieving; /* policy's hysteresis */
	uint64_t line_moved; /* loop time of the last move for the line, 0: none */
	LIST_ENTRY(scope) link;
};

/* A device that failed to connect, and is not asked for a while. */
struct pause {
	char device[NAME_LEN];
	unsigned int failures;
	uint64_t until; /* loop time */
	LIST_ENTRY(pause) link;
};

enum place_state {
	PLACE_IDLE,
	PLACE_WAITING, /* in the queue */
	PLACE_OPEN, /* its tunnel exists or is on its way there */
	PLACE_CUT, /* its tunnel was cut with the request, and the device has not come yet */
};

enum move_state {
	MOVE_NONE,
	MOVE_DUE, /* decided; asked for when the agent answers through the tunnel */
	MOVE_ASKED,
	MOVE_CONNECTED, /* the device says so, but has not joined the job yet */
	MOVE_JOINED, /* the direct path is there: the tunnel is closed, or used beside it */
};

#define NOT_TOLD (-1)

struct place {
	struct decider *owner;
	const struct place_ops *ops;
	void *arg;
	enum place_state state;
	char job[ID_LEN];
	char device[NAME_LEN];
	uint8_t priority;
	bool connectable;
	struct scope *scope; /* its gateway's */
	uint64_t opened; /* loop time */
	/* of one that waits */
	bool judged; /* had a decision since its circumstances changed */
	enum policy_reason reason; /* of it */
	/* of one that has a tunnel */
	int told[2]; /* reason of the last keep, by layer */
	enum move_state move;
	bool split; /* the move is to use both paths until another is decided */
	bool held; /* no content into the tunnel: the job arrived when its device was to connect */
	struct sapi_gateway_event due; /* the move's decision */
	enum policy_reason due_reason;
	bool due_told;
	struct h2_call *call; /* the connect request */
	struct h2_call *probe; /* answered after the request arrived */
	uint64_t deadline; /* loop time: of MOVE_CONNECTED and PLACE_CUT */
	LIST_ENTRY(place) link;
	TAILQ_ENTRY(place) queue;
};

struct decider {
	struct decider_conf conf;
	char self[NAME_LEN];
	struct scope all;
	LIST_HEAD(, scope) gateways; /* few, and they stay once made */
	LIST_HEAD(, place) places;
	LIST_HEAD(, pause) pauses; /* few: devices that failed lately */
	TAILQ_HEAD(queue, place) waiting; /* higher priority first, then by arrival */
	size_t n_busy; /* places that are not idle */
	struct loads *loads;
	struct loop_defer *run;
	struct loop_timer *tick; /* while there is anything to decide */
	struct loop_timer *wake; /* deadlines, ends of pauses */
	struct decider_figures figures; /* the counters of them */
};

/* What the delivery is like now; an agent session that ended counts as none. */
struct place_view place_look(const struct place *p);
/* Is its device left alone after a failure? */
bool place_is_paused(const struct place *p);
/* Are both paths used together, so that cutting the tunnel costs nothing? */
bool place_is_beside(const struct place *p);
/* Was its device asked, or is about to be, and has not come yet? */
bool place_is_awaited(const struct place *p);
/* Is its device awaited for another job? A device is asked for one job at a time. */
bool place_device_busy(const struct place *p);

/* Log, count and tell decision @d. */
void place_tell(struct place *p, enum sapi_gateway_action action, const struct policy_decision *d);
/* Policy decided to move or split an open place. */
void place_move(struct place *p, const struct policy_decision *d);
/* An arrival's device is to connect first: told at once, asked when the agent answers. */
void place_hold(struct place *p, const struct policy_decision *d);
/* Do what has become possible, or is overdue, with the move in flight. */
void place_advance(struct place *p);
/* Nothing is asked for and nobody awaited any more. */
void place_idle(struct place *p);
/* Forget failures that are older than their pause and the longest pause together. */
void pauses_sweep(struct decider *c);
/* Forget the move in flight. */
void place_move_clear(struct place *p);
/* Another failure of its device. */
void place_leave_alone(struct place *p);

#endif
