/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path: one way on which a job's content travels to a device's agent: an HTTP/2 session to it, be
 * it through a tunnel or on a direct connection.
 *
 *	opening ── job known to the agent ──▶ active ──▶ draining ── nothing in flight ──▶ (drained)
 *
 * Opening says PUT jobs/{id} and asks what the agent holds, which is at the same time the proof
 * that the path works before anything is moved to it. Where the agent can hold nothing, content follows
 * the PUT at once on the same session, which keeps their order: a round trip less. The path is active
 * with the answer nonetheless, and a refusal gives back what was sent ahead of it. An active path takes segments from the
 * transfer while its window has room. A draining one finishes what is in flight. The agent's event
 * stream is followed from opening on, so the device's word (completed = data 7H) is heard on every
 * path. A job whose content the agent pulls gets only what it asks for in that stream: the path that it
 * asks on is the path it prefers.
 *
 * The content of a fetch job goes the other way: the agent says what it has, and segments are GETs of
 * ranges. A path of such a job is active before the content is fixed; there is just nothing to take.
 *
 * The session belongs to somebody else; a path never closes it.
 */
#ifndef SHUNT_CLOUD_PATH_H
#define SHUNT_CLOUD_PATH_H

#include "lib/sapi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2;
struct loop;
struct path;
struct transfer;

#define PATH_REQUEST_MS 15000 /* small requests */
#define PATH_WINDOW_MAX ((uint64_t)4 << 20) /* bytes in flight */

/* What the agent of a job with pull asks for, on whichever of the job's paths. */
struct path_want {
	const struct path *on; /* who was asked last; NULL: nobody, or who is no more */
	uint64_t from, to;
	bool any; /* to be sent by all paths and not only by that one (split) */
};

struct path_conf {
	struct loop *loop;
	struct h2 *h2;
	enum path_kind kind;
	const char *job; /* id */
	const struct sapi_device_job *device_job; /* must outlive the path */
	struct transfer *transfer; /* must outlive the path */
	int fd; /* content; stays open; not used for a fetch job */
	/*
	 * Of a fetch job: where its content goes, 0 or -errno. NULL: the content goes to the agent. The
	 * device job's size is known when the agent is known to have the job.
	 */
	int (*write)(void *arg, uint64_t offset, const void *data, size_t len);
	void *write_arg;
	uint32_t segment; /* bytes */
	struct path_want *want; /* shared by the paths of a job; must outlive them */
	uint64_t pull_patience; /* ms; with pull: for the agent to ask; 0: for ever */
	/*
	 * The agent knows the job by another path, which is active and leaves nothing unsure: content
	 * goes out at once, a round trip earlier than after an introduction.
	 */
	bool known;
	/*
	 * The agent can have nothing of the job, since nobody ever told it: content follows the
	 * introduction without waiting for its answer. Not of a fetch job.
	 */
	bool fresh;
};

struct path_ops {
	/* The agent knows the job, the transfer what the agent holds. */
	void (*on_active)(struct path *p, void *arg);
	/* Of a fetch job: the agent has fixed its content, which is there to be taken. Once. */
	void (*on_offer)(struct path *p, uint64_t size, const char *sha256, void *arg);
	/* The answer to path_done(): the agent needs the job no more. */
	void (*on_done)(struct path *p, void *arg);
	/* Bytes were acknowledged (of a fetch job: have arrived), or are not in flight any more. */
	void (*on_progress)(struct path *p, void *arg);
	/* Draining is done. */
	void (*on_drained)(struct path *p, void *arg);
	/* The agent tells the job's state. */
	void (*on_state)(struct path *p, enum job_state state, const char *reason, void *arg);
	/* With pull: the agent asks for something else than before. Must not free the path. */
	void (*on_asked)(struct path *p, void *arg);
	/* With pull: active for so long, and the agent neither asked here nor said why not. Once. */
	void (*on_unasked)(struct path *p, void *arg);
	/* With pull: the agent asks here, again and again, for nothing but what it says it holds. */
	void (*on_in_vain)(struct path *p, void *arg);
	/* The answer to path_suspend(): 0, or a code and why the agent does not hold the job. */
	void (*on_suspended)(struct path *p, int err, const char *why, void *arg);
	/* After path_resume(): the agent takes content again. */
	void (*on_resumed)(struct path *p, void *arg);
	/*
	 * Unusable from now on; segments in flight were given back. @fatal: the agent refused the
	 * job for good.
	 */
	void (*on_failed)(struct path *p, bool fatal, const char *code, const char *text,
			  void *arg);
};

/* Starts to open. Callbacks never come from within; any may free the path. 0 or a negative code. */
int path_new(const struct path_conf *conf, const struct path_ops *ops, void *arg,
	     struct path **out);
/* Cancels what is in flight and gives it back to the transfer. NULL is allowed. */
void path_free(struct path *p);

/* Take segments as far as there is room; to be called when others gave segments back. */
void path_pump(struct path *p);
/* No new segments; on_drained follows (from the loop, also when nothing is in flight). */
void path_drain(struct path *p);
/* Take segments again, after path_drain() and before on_drained. */
void path_undrain(struct path *p);
/* Ask the agent again what it holds; unsure bytes of the transfer become held or free. */
void path_ask(struct path *p);
/*
 * Have the agent hold the job and keep what it has (7L; seed: #811, #853-#855), on_suspended once; to be
 * called when nothing is in flight. Or have it go on (#859-#860), on_resumed or on_failed once; harmless
 * for a job that it does not hold. One after the other.
 */
void path_suspend(struct path *p);
void path_resume(struct path *p);
/* Tell the agent that all of a fetch job's content is here; on_done or on_failed once. */
void path_done(struct path *p);
/* Have the agent drop the job; @done once, 0 or why not, perhaps at once; not after path_free(). */
void path_cancel_job(struct path *p, void (*done)(int err, void *arg), void *arg);

enum path_kind path_get_kind(const struct path *p);
enum path_state path_get_state(const struct path *p);
uint64_t path_bytes(const struct path *p); /* acknowledged through it */
bool path_pulls(const struct path *p); /* the agent asked here, or said why it does not */
uint64_t path_in_flight(const struct path *p);

#endif
