/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal: the durable record of one job on the device: what it is, which octets of its content are
 * held, and what became of it. One append-only file per job.
 *
 * File: 8 octets of magic, then records of be32 length, be32 CRC-32C (of length and payload) and
 * the payload, whose first octet is the type. Reading stops at the first record that is cut off or
 * fails its checksum; what follows it is discarded when the journal is opened (a torn tail).
 *
 * Durability. META, STATE and CONTENT records are on stable storage when the call returns. RANGE records are
 * written to the file when the call returns, so they survive the death of this program; the disk
 * gets them with journal_sync(), which the caller calls after it has synced the content itself.
 * Therefore ranges that no SYNC record follows are believed only as long as the machine has not
 * restarted (BOOT records tell): the journal never claims an octet that a power failure has taken.
 */
#ifndef SHUNT_DEVICE_JOURNAL_H
#define SHUNT_DEVICE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/ranges.h"
#include "lib/sapi.h"
#include "lib/types.h"

#define JOURNAL_BOOT_LEN 16
#define JOB_REASON_LEN SAPI_TEXT_LEN /* with NUL */
#define JOB_RANGES_MAX 2048 /* disjoint ranges of one job: bounds memory and status bodies */

/* What a job is; never changes, but that a fetch job's size and sha256 come when they are known. */
struct job_meta {
	char id[ID_LEN];
	char cloud[NAME_LEN]; /* who created it, and alone may speak of it */
	struct sapi_device_job job;
};

/* What a journal says. */
struct journal_replay {
	struct job_meta meta;
	struct ranges received;
	enum job_state state;
	int64_t changed; /* wall clock ms of the last STATE record, or of the job's creation */
	char reason[JOB_REASON_LEN];
	uint8_t boot[JOURNAL_BOOT_LEN]; /* of the last BOOT record */
};

struct journal;

/* Pure decoder: @boot is the running machine's boot id. Sets *@good to the length of the prefix
 * that is sound; what follows is a torn tail. Returns 0, -SHUNT_EPARSE when not even magic and META
 * are sound, or -ENOMEM, which says nothing about the octets. @out->received may have more than
 * JOB_RANGES_MAX ranges. journal_replay_fini() frees what @out holds, on error too.
 */
int journal_decode(const void *bytes, size_t len, const uint8_t boot[JOURNAL_BOOT_LEN],
		   struct journal_replay *out, size_t *good);
void journal_replay_fini(struct journal_replay *replay);

/* This machine's boot id (random, new at every start). 0 or -errno. */
int journal_boot_id(uint8_t boot[JOURNAL_BOOT_LEN]);

/* Create @file in @dirfd for a job in state receiving. Returns 0, -EEXIST, -ENOSPC, -errno. */
int journal_create(int dirfd, const char *file, const struct job_meta *meta, struct journal **out);

/* Open @file, give its content as @replay (to be finished by the caller in any case), cut a torn
 * tail. Returns 0, -SHUNT_EPARSE with @e when it is no journal, -EFBIG, -ENOMEM, -errno; the file
 * is changed only on success.
 */
int journal_open(int dirfd, const char *file, struct journal_replay *replay, struct journal **out,
		 struct err *e);
/* NULL is allowed. */
void journal_close(struct journal *j);

/* [from, to) is held. Returns 0 or -errno; after an error the octets must not be acknowledged. */
int journal_range(struct journal *j, uint64_t from, uint64_t to);
/* All ranges recorded so far are durable, the caller having synced the content before. */
int journal_sync(struct journal *j);
/* The content of a fetch job is fixed: size and hash; durable on return. */
int journal_content(struct journal *j, uint64_t size, const char *sha256);
/* The job's state; durable on return. Control characters are the caller's to avoid. */
int journal_state(struct journal *j, enum job_state state, const char *reason, int64_t wall_ms);
/* Has the file grown so much that journal_compact() pays? */
bool journal_bloated(const struct journal *j);
/* Rewrite the file (atomically) with just what @now says. The content must have been synced. On
 * error the old file goes on.
 */
int journal_compact(struct journal *j, const struct journal_replay *now);

#endif
