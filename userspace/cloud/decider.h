/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decider: the cloud as the one who decides which tunnels may be opened and which jobs are moved
 * off theirs (seed: second embodiment, #804-#818, FIG. 16-17; variants: "tunnels between the cloud
 * server and any gateway"). The decisions are lib/policy's, as at a gateway that decides.
 *
 * A delivery takes a place here when it first needs a tunnel, and asks for one with it. The answer
 * is on_open: have it opened now; until then it waits, higher priority first, then by arrival.
 * Nothing that was accepted is refused: the queue is bounded by the jobs the cloud accepts.
 *
 * A run happens in the loop's next pass after anything that may change the picture, and each second
 * while there is anything to decide. Every decision that is new is logged, counted and told to the
 * delivery as an event like a gateway's, so that it is carried out alike whoever decided.
 *
 * A move: the device is asked to connect (7G) by a request through the job's own tunnel (#708,
 * #813), once its agent has answered there, or by nothing where it is connected already. An
 * arriving job whose own device is to connect (#53-#54, #68-#74) therefore gets its tunnel, but
 * sends no content into it unless the device fails. A device that fails is left alone for a while,
 * which doubles with each failure.
 *
 * Which tunnels count against the limits is policy.count: those of the job's gateway, or of all.
 * CPU use and line speed are always a gateway's own.
 */
#ifndef SHUNT_CLOUD_DECIDER_H
#define SHUNT_CLOUD_DECIDER_H

#include "lib/policy.h"
#include "lib/sapi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct decider;
struct h2;
struct loads;
struct loop;
struct place;
struct tokens;

struct decider_conf {
	struct loop *loop;
	const struct policy_settings *policy; /* checked; outlives the decider */
	uint64_t retry_min, retry_max; /* ms a device that failed is left alone */
	struct tokens *tokens;
	const char *self; /* this cloud's name; copied */
	struct shunt_endpoint public; /* where devices are to dial */
	struct h2 *(*gateway)(const char *name, void *arg); /* its usable connection, or NULL */
	struct h2 *(*direct)(const char *device, void *arg); /* likewise of a device */
	void *arg;
};

/* What a delivery is like at this moment. */
struct place_view {
	uint64_t remaining; /* content bytes, or POLICY_REMAINING_UNKNOWN */
	uint32_t tunnel; /* id, 0: not known yet */
	struct shunt_endpoint log; /* where the device delivers 7J, at the gateway; unset: nowhere */
	struct h2 *agent; /* session through the tunnel once the agent answered, else NULL */
	bool sending; /* content flows through the tunnel */
	bool direct; /* the direct path is open or opening */
	bool closing; /* the tunnel is being drained or closed */
};

/* Called from the loop; none may free the place. */
struct place_ops {
	void (*look)(struct place_view *out, void *arg); /* @out is zeroed */
	/* Have the tunnel opened; it counts until place_done(). */
	void (*on_open)(void *arg);
	/* A decision, or a move that failed. @ev lives during the call. */
	void (*on_event)(const struct sapi_gateway_event *ev, void *arg);
	/* The device says that it is connected. */
	void (*on_connected)(void *arg);
	/* The device of a job whose content was held back failed: it goes through the tunnel. */
	void (*on_fallback)(void *arg);
};

/* Who asks. Copied, but for ops. */
struct place_conf {
	const char *job, *device, *gateway;
	uint8_t priority;
	bool connectable; /* 7A, and it has an agent to ask */
};

int decider_new(const struct decider_conf *conf, struct decider **out); /* 0 or -ENOMEM */
/* After its places. NULL is allowed. */
void decider_free(struct decider *d);
/* Something changed: run in the loop's next pass. NULL is allowed: somebody else decides. */
void decider_run(struct decider *d);

/* A place without a request. 0 or -ENOMEM. */
int place_new(struct decider *d, const struct place_ops *ops, void *arg, struct place **out);
/* Withdraws what was asked for. NULL is allowed, also below. */
void place_free(struct place *p);
/* Ask for a tunnel; on_open follows, never from within. Not while another request stands. 0, -ENOMEM. */
int place_ask(struct place *p, const struct place_conf *conf);
/* The tunnel is gone, or not needed any more before it was opened. Idempotent. */
void place_done(struct place *p);
/*
 * The job is canceled: nothing is asked for any more, and its device has not failed if it does not come. The
 * tunnel counts until place_done().
 */
void place_cancel(struct place *p);
/*
 * The agent answered through the tunnel. True: its device is to connect first; no content until the
 * direct path is open, or on_fallback.
 */
bool place_reached(struct place *p);

#define DECIDER_REASONS (POLICY_R_BESIDE + 1)
struct decider_figures {
	size_t waiting; /* jobs */
	size_t moving; /* devices asked, and their tunnels not closed yet */
	uint64_t decisions[DECIDER_REASONS]; /* told, by enum policy_reason */
	uint64_t failed; /* moves */
};
/* All zero when @d is NULL. */
void decider_figures(const struct decider *d, struct decider_figures *out);

#endif
