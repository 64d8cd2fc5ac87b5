/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs: the device's jobs and their life.
 *
 *	receiving <-> suspended
 *	receiving  -> executing -> completed | failed | canceled
 *	any unfinished -> failed | canceled;  executing -> interrupted (found so after a restart)
 *
 * A fetch job's content goes the other way:
 *
 *	receiving (its turn has not come, or the file is being copied)
 *	receiving (-> executing: a scan) -> running <-> suspended -> completed (job_done())
 *
 * Running means that the content is fixed and its size and digest can be told (offer.h). It is kept
 * until the cloud says that it has all of it, or cancels. A scan is an execution like any other: at
 * most once; a copy that a restart interrupts is begun again, since nobody has seen any of it.
 *
 * Each state is in the job's journal before anybody learns of it, and `executing` before anything
 * is executed, so that a job is executed at most once whatever happens. A content is executed only
 * after its SHA-256 proved right. A job belongs to the cloud that created it; ids of different
 * clouds do not collide.
 *
 * Durability: an octet is acknowledged when it is in the content file and its range in the journal
 * file, which survives the death of this program. Both are synced every 4 MiB and after one
 * second, and before a job is executed; the journal makes sure that after a power failure only
 * synced ranges count (see journal.h), so the sender is told what to send again. Of a sealed content
 * (seal.h) the octets of a request are held when it ends, or as soon as their chunk is whole.
 */
#ifndef SHUNT_DEVICE_JOBS_H
#define SHUNT_DEVICE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/journal.h"
#include "lib/err.h"
#include "lib/types.h"

struct executor;
struct job;
struct jobs;
struct loop;
struct upload;

struct jobs_conf {
	const char *state_dir; /* exists; locked against a second agent */
	const char *key_dir; /* keys of contents that are being sealed (seal.h); NULL: state_dir */
	uint64_t max_bytes; /* content of unfinished jobs together */
	uint32_t max_jobs; /* unfinished ones */
	uint32_t max_running; /* executions at once */
	uint32_t keep_finished; /* records of finished jobs; the oldest make room */
	/* A job has entered another state. */
	void (*on_change)(struct job *job, void *arg);
	void *arg;
};

/* Open the state directory and recover what it holds. @executor must outlive the result. Executions
 * of recovered jobs start from the loop. Returns 0 or -errno with @e (-EBUSY: another agent uses
 * it).
 */
int jobs_new(struct loop *loop, const struct jobs_conf *conf, struct executor *executor,
	     struct jobs **out, struct err *e);
/* Ends running executions (they are reported as interrupted after the next start). All uploads must
 * have been ended. NULL is allowed.
 */
void jobs_free(struct jobs *jobs);

struct job *jobs_find(struct jobs *jobs, const char *cloud, const char *id);
/* Does this cloud have any unfinished job? */
bool jobs_busy(struct jobs *jobs, const char *cloud);

/* Create a job. Returns 1 when created, 0 when the same job exists (@out is it), or
 *	-EEXIST	 exists and differs	-ENOTSUP  kind, name or file not acceptable (@e says why)
 *	-EDQUOT	 max_jobs or max_bytes	-ENOSPC	  the disk has no room for it (see job_room())
 *	-EIO	 files of a job that could not be recovered are in the way
 *	-ENOMEM, -errno
 */
int jobs_create(struct jobs *jobs, const struct job_meta *meta, struct job **out, struct err *e);

/* ---- one job; pointers are valid until the loop's next pass ---- */

const struct job_meta *job_meta(const struct job *job);
enum job_state job_state(const struct job *job);
/* A sentence or "". While a complete job waits for its turn it says so. */
const char *job_reason(const struct job *job);
/* Wall clock ms when the state was entered. */
int64_t job_changed(const struct job *job);
/* Held ranges; all of the content once it was complete. Returns 0 or -ENOMEM. */
int job_received(const struct job *job, struct ranges *out);

/* Is there room for the job's content? Always, unless it was created with `pull`: such a job is accepted
 * without room and has to be asked before its content is. 0, or -EDQUOT, -ENOSPC with the reason in
 * job_reason().
 */
int job_room(struct job *job);
/* The lowest missing octet and an end such that at most @most octets are missing in [*@from, *@to). False
 * when none is missing, or the job takes none in its state.
 */
bool job_missing(const struct job *job, uint64_t most, uint64_t *from, uint64_t *to);

/* The transition table, for whoever wants to know and for tests. */
bool job_state_may(enum job_state from, enum job_state to);

/* Return 0 (also when there is nothing to change) or -EBUSY (executing), -EALREADY (finished),
 * -errno.
 */
int job_suspend(struct job *job);
int job_resume(struct job *job);
/* An executing command is asked to end; the state follows. 0 also when finished. */
int job_cancel(struct job *job);
/* The cloud of a fetch job has all of the content: completed. 0, also when it was before; -EBUSY: the
 * content is not ready, or is no fetch job's; -EALREADY: it ended otherwise; -errno.
 */
int job_done(struct job *job);
/* The content of a fetch job, to read from; the job's meta has size and digest. -EBUSY: not ready, or
 * suspended; -EALREADY: finished.
 */
int job_offered(const struct job *job, int *fd);

/* ---- content ---- */

/* Announce [@from, @to). Returns 0, -ERANGE (outside the size), -EBUSY (suspended), -EALREADY
 * (finished without the content), -EDQUOT (job_room() never said yes), -ENOMEM. A job that is executing or completed takes it as
 * duplicate: its sender has missed an answer. The job stays valid until upload_end().
 */
int upload_begin(struct job *job, uint64_t from, uint64_t to, struct upload **out);
/* The next octets. -ERANGE beyond the announced range, -EALREADY (the job ended meanwhile),
 * -ENOSPC, -E2BIG (too many disjoint ranges), -errno.
 */
int upload_data(struct upload *u, const void *data, size_t len);
/* Octets still missing of the announced range. */
uint64_t upload_left(const struct upload *u);
/* End of the request, complete or not; what came is kept. Frees @u in any case. @duplicate (may be
 * NULL): octets that were held before. Returns 0 when the octets may be acknowledged, or -errno.
 */
int upload_end(struct upload *u, uint64_t *duplicate);

#endif
