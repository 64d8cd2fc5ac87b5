/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store: what must survive: the manager's device registry and the cloud's jobs. SQL lives here and
 * nowhere else, so that another database can take SQLite's place.
 *
 * A store is one database file, used from one thread, locked against a second process. WAL with
 * synchronous=FULL: when a call that writes returns 0 (outside a transaction; inside: when
 * store_commit() returns 0) the change survives kill -9 and power loss. The schema's version is
 * kept in user_version; older files are migrated on open, newer ones refused.
 *
 * All return 0 or a negative code and leave the sentence in store_err(): -SHUNT_EDB (SQLite
 * refused; the text says why), -ENOSPC, -ENOENT, -EEXIST, -ENOMEM.
 */
#ifndef SHUNT_LIB_STORE_H
#define SHUNT_LIB_STORE_H

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/ranges.h"
#include "lib/sapi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define STORE_IDEM_LEN 128 /* longest Idempotency-Key is 127 octets */

enum store_schema { STORE_MANAGER, STORE_CLOUD };

/*
 * Open or create @path (":memory:" for tests). @e gets the error (also: file of another schema,
 * damaged file, already in use). File mode of a new one is 0600.
 */
int store_open(const char *path, enum store_schema schema, struct store **out, struct err *e);
void store_close(struct store *s); /* NULL is fine; rolls back an open transaction */
const struct err *store_err(const struct store *s);

/* Transactions do not nest (-EBUSY). A failed commit has rolled back. */
int store_begin(struct store *s);
int store_commit(struct store *s);
void store_rollback(struct store *s);

/* Callbacks of list functions: the struct is valid during the call; a non-zero return ends the
 * walk and is returned. They must not write to the store.
 */

/* ---- manager: devices ---- */

int store_device_add(struct store *s, const struct sapi_device *d); /* -EEXIST */
/* Add or replace; *created may be NULL. */
int store_device_put(struct store *s, const struct sapi_device *d, bool *created);
int store_device_get(struct store *s, const char *code, struct sapi_device *out); /* -ENOENT */
int store_device_del(struct store *s, const char *code); /* -ENOENT */
int store_device_count(struct store *s, size_t *out);
int store_device_list(struct store *s, int (*fn)(void *arg, const struct sapi_device *d),
		      void *arg); /* by code */

/* ---- cloud: jobs ---- */

/* A job's row. What never changes after store_job_add() comes first. */
struct store_job {
	char id[ID_LEN];
	enum job_kind kind;
	char device[NAME_LEN];
	char name[SAPI_FILE_NAME_LEN];
	char media_type[MEDIA_TYPE_LEN];
	uint64_t size; /* CONTENT_SIZE_UNKNOWN until store_job_size_put() */
	uint8_t priority;
	char owner[NAME_LEN]; /* terminal's name */
	char path[SAPI_PATH_LEN]; /* store: destination or ""; fetch: source */
	int64_t created; /* wall ms */
	char idem_key[STORE_IDEM_LEN]; /* Idempotency-Key or ""; unique per owner */
	char idem_hash[SHA256_STR_LEN]; /* of the request body it came with, or "" */
	struct sapi_print print;
	bool no_clobber; /* store */

	/* Written by store_job_update(). */
	enum job_state state;
	char reason[SAPI_TEXT_LEN];
	char sha256[SHA256_STR_LEN]; /* of the whole content once uploaded, else "" */
	uint64_t delivered, resent; /* bytes */
	bool moved;
	uint32_t attempts;
	int64_t finished; /* wall ms, 0 = not yet */

	/* Written by store_job_printer_put(). */
	uint32_t printer_job; /* the job's number at a printer without agent; 0: none */
};

int store_job_add(struct store *s, const struct store_job *j); /* -EEXIST: id or key */
int store_job_update(struct store *s, const struct store_job *j); /* -ENOENT */
/* The size of a fetch job's content, once it is known. -ENOENT. */
int store_job_size_put(struct store *s, const char *id, uint64_t size);
/* The number under which a printer has the job. -ENOENT. */
int store_job_printer_put(struct store *s, const char *id, uint32_t printer_job);
int store_job_get(struct store *s, const char *id, struct store_job *out); /* -ENOENT */
/* The job that @owner submitted with @key. -ENOENT. */
int store_job_find_key(struct store *s, const char *owner, const char *key, struct store_job *out);
int store_job_del(struct store *s, const char *id); /* with events, paths, ranges. -ENOENT */

struct store_job_filter { /* zero/NULL members do not restrict */
	const char *owner;
	const char *device;
	uint32_t states; /* bits 1u << enum job_state; 0 = any */
	int64_t finished_before; /* wall ms; only finished ones older than that */
	size_t limit;
};
/* By creation, oldest first. @f may be NULL. */
int store_job_list(struct store *s, const struct store_job_filter *f,
		   int (*fn)(void *arg, const struct store_job *j), void *arg);
int store_job_count(struct store *s, uint32_t states, uint64_t *out);

/* Small content, kept with the job, whose rows and octets then share their commits. */
int store_content_put(struct store *s, const char *job, const void *data, size_t len); /* -ENOENT */
/* Appends to @out. -ENOENT: none is kept. */
int store_content_get(struct store *s, const char *job, struct buf *out);
int store_content_del(struct store *s, const char *job); /* 0, also when there is none */

/* Devices that have to hear that a job is over; for cloud/notice.h. */
struct store_notice {
	char device[NAME_LEN];
	char job[ID_LEN];
	int64_t created; /* wall ms */
};
int store_notice_add(struct store *s, const struct store_notice *n); /* 0, also when it is there */
int store_notice_del(struct store *s, const char *device, const char *job); /* 0, also when not */
int store_notice_list(struct store *s, int (*fn)(void *arg, const struct store_notice *n),
		      void *arg); /* oldest first */

/* Timeline: append-only, in order. */
int store_event_add(struct store *s, const char *job, const struct sapi_job_event *ev);
int store_event_list(struct store *s, const char *job,
		     int (*fn)(void *arg, const struct sapi_job_event *ev), void *arg);

/* Paths, numbered from 0 in the order they were opened; put adds or replaces number @idx. */
int store_path_put(struct store *s, const char *job, uint32_t idx, const struct sapi_job_path *p);
int store_path_list(struct store *s, const char *job,
		    int (*fn)(void *arg, uint32_t idx, const struct sapi_job_path *p), void *arg);

/* Which bytes of the content are held: in the spool, and by the receiver. */
enum store_ranges { STORE_UPLOADED, STORE_DELIVERED };
int store_ranges_put(struct store *s, const char *job, enum store_ranges which,
		     const struct ranges *r);
/* The empty set when nothing was put. @out must be initialised. -ENOENT: no such job. */
int store_ranges_get(struct store *s, const char *job, enum store_ranges which, struct ranges *out);

/* The whole job as the API shows it (timeline only if @timeline). sapi_job_fini() releases @out. */
int store_job_full(struct store *s, const char *id, bool timeline, struct sapi_job *out);

#endif
