/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment: one piece of a job's content in flight on one path: a PUT of a range to the agent, or, of
 * a fetch job, a GET of one from it. Its bytes are taken from the transfer when it starts and are
 * given back by it in every case, as acknowledged or as lost.
 *
 * Inward, what was on the wire of a segment that is lost is unsure: only the agent knows whether it
 * came. Outward nothing is ever unsure: what has arrived is in the spool, and the rest is free.
 */
#ifndef SHUNT_CLOUD_SEGMENT_H
#define SHUNT_CLOUD_SEGMENT_H

#include "cloud/problem.h"
#include "cloud/window.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct h2;
struct h2_call;
struct transfer;

#define SEGMENT_MS 300000 /* time limit of one */

struct segment_conf {
	struct h2 *h2;
	const char *who; /* of the agent, in sentences */
	const char *resource; /* "/v1/jobs/{id}" */
	struct transfer *transfer;
	int fd; /* inward: the content */
	/* Outward: put what came where it belongs. 0 or -errno, which ends the segment. NULL: inward. */
	int (*write)(void *arg, uint64_t offset, const void *data, size_t len);
	void *write_arg;
};

struct segment {
	const struct segment_conf *conf;
	struct h2_call *call;
	uint64_t from, to;
	uint64_t pos; /* inward: next byte to put on the wire; outward: next one to come */
	uint64_t counted; /* bytes of it that were on the wire before */
	/*
	 * It is over and its bytes are given back; to be released by segment_free(), here or later.
	 * @problem: NULL when all of it was acknowledged. "spool-failed": it could not be written;
	 * "out-of-memory": the acknowledgement could not be recorded.
	 */
	void (*done)(struct segment *s, const struct problem *problem);
	struct window_mark mark; /* the owner's, as are these */
	void *owner;
	LIST_ENTRY(segment) link;
	/* outward */
	int status;
	bool wanted; /* the answer is what was asked for */
	int write_error;
	struct buf refusal;
};

/*
 * Start with [@from, @to), which was taken. @conf must outlive the segment. 0 or a negative code, and
 * the bytes are still the caller's.
 */
int segment_start(const struct segment_conf *conf, uint64_t from, uint64_t to,
		  void (*done)(struct segment *s, const struct problem *problem), void *owner,
		  struct segment **out);
/* Ends it without done(): its bytes are given back. */
void segment_cancel(struct segment *s);
void segment_free(struct segment *s);
/* Bytes of it that crossed and are acknowledged, when it is over without having been completed. */
uint64_t segment_partial(const struct segment *s);

#endif
