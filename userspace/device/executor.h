/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * executor: does with a complete and verified content what its job's kind asks for. Printing runs a
 * command, or shunt-ipp, which hands it to a printer; storing moves the content into the destination directory under its name. Of a fetch job
 * it makes the content: a scan runs a command, a file is opened.
 *
 * An execution is started at most once per job by its caller, who has recorded that it starts
 * before it does. There is no time limit: paper runs out, and people come back from lunch.
 */
#ifndef SHUNT_DEVICE_EXECUTOR_H
#define SHUNT_DEVICE_EXECUTOR_H

#include <stdbool.h>

#include "device/journal.h"
#include "lib/err.h"
#include "lib/types.h"

struct age_recipient;
struct execution;
struct executor;
struct loop;
struct quota;

#define STORE_SEALED_SUFFIX ".age" /* of the names of encrypted files */

enum store_existing {
	STORE_REPLACE, /* as a WebDAV PUT does */
	STORE_REFUSE,
};

struct executor_conf {
	const char *state_dir; /* where content of print jobs lives; absolute */
	const char *print_command; /* argv template, see argv.h; NULL: no printing */
	const char *printer; /* in its place: the URI of one that takes IPP, see printer.h */
	const char *printer_helper; /* with it: the path of shunt-ipp */
	const char *store_dir; /* NULL: no storing */
	enum store_existing store_existing;
	uint64_t store_quota; /* octets of files in store_dir; 0: no limit */
	const struct age_recipient *encrypt_to; /* stored files are encrypted to these */
	size_t n_encrypt_to; /* 0: stored as they are */
	const char *fetch_dir; /* exported for reading; NULL: no files */
	const char *scan_command; /* argv template; NULL: no scans */
};

/* @conf's strings are copied. Opens the store directory. Returns 0, -SHUNT_ECONF, -errno with @e.
 */
int executor_new(struct loop *loop, const struct executor_conf *conf, struct executor **out,
		 struct err *e);
/* There must be no execution left. NULL is allowed. */
void executor_free(struct executor *ex);

/* Can it execute jobs of this kind? And this one in particular: NULL, or a sentence why not. */
bool executor_does(const struct executor *ex, enum job_kind kind);
const char *executor_refusal(const struct executor *ex, const struct sapi_device_job *job);

/* The directory in which the content of jobs of @kind is to be collected, so that executing needs
 * no copy: the state directory, or the store directory itself. Owned by the executor; @state_dirfd
 * is what the caller has open for the former.
 */
int executor_content_dir(const struct executor *ex, enum job_kind kind, int state_dirfd);

/* For whom content of @kind is to be sealed (seal.h); *@n is 0: for nobody, it is kept in clear. */
const struct age_recipient *executor_recipients(const struct executor *ex, enum job_kind kind,
						size_t *n);
/* Of the store directory; NULL when there is none. */
struct quota *executor_quota(const struct executor *ex);

/* A fetch job's file, open for reading. -EINVAL for a scan; else as export_open(). */
int executor_open(const struct executor *ex, const struct sapi_device_job *job);

/* Start; of a fetch job the scan, which is to make @file. @file is the content's name in its directory; @sealed: it is stored
 * as NAME.age. @on_done is called exactly once, from the loop: @state is completed, failed or canceled, @reason a sentence ("" when completed without
 * comment). Returns 0, or -errno when it could not be started at all; then nothing has been done.
 */
int executor_start(struct executor *ex, const struct job_meta *meta, const char *file, bool sealed,
		   void (*on_done)(enum job_state state, const char *reason, void *arg), void *arg,
		   struct execution **out);
/* End a running command (SIGTERM, and SIGKILL after 5 s); on_done follows with state canceled. */
void execution_cancel(struct execution *x);
/* The program stops: end the command's process group at once, on_done is not called. NULL is
 * allowed.
 */
void execution_abandon(struct execution *x);

/* What a restart finds of a store job that was being executed when the program ended: moving is
 * atomic, so it either happened (1) or can be done now, once (0). -errno.
 */
int executor_store_done(const struct executor *ex, const char *file);

#endif
