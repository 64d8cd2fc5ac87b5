/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store_db: one SQLite connection with its prepared statements. Between the store_*.c files; nobody
 * else includes it.
 */
#ifndef SHUNT_LIB_STORE_DB_H
#define SHUNT_LIB_STORE_DB_H

#include "lib/store.h"

#include <sqlite3.h>

/* Every statement there is, prepared when first used. The texts are in store_sql.c. */
enum store_stmt {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,

	ST_DEVICE_ADD,
	ST_DEVICE_PUT,
	ST_DEVICE_GET,
	ST_DEVICE_DEL,
	ST_DEVICE_LIST,
	ST_DEVICE_COUNT,

	ST_JOB_ADD,
	ST_JOB_UPDATE,
	ST_JOB_SIZE_PUT,
	ST_JOB_PRINTER_PUT,
	ST_JOB_GET,
	ST_JOB_FIND_KEY,
	ST_JOB_DEL,
	ST_JOB_LIST,
	ST_JOB_COUNT,
	ST_EVENT_ADD,
	ST_EVENT_LIST,
	ST_PATH_PUT,
	ST_PATH_LIST,
	ST_UPLOADED_PUT,
	ST_UPLOADED_GET,
	ST_DELIVERED_PUT,
	ST_DELIVERED_GET,
	ST_CONTENT_PUT,
	ST_CONTENT_GET,
	ST_CONTENT_DEL,
	ST_NOTICE_ADD,
	ST_NOTICE_DEL,
	ST_NOTICE_LIST,

	ST_MAX
};

extern const char *const store_sql[ST_MAX];

/* Scripts that lead from version 0 to the newest, one per version, NULL at the end. */
extern const char *const store_sql_manager[];
extern const char *const store_sql_cloud[];

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmt[ST_MAX];
	struct err err;
	bool in_transaction;
};

/*
 * Get @which ready with its parameters, one letter each in @types: 't' const char *, 'n' const
 * char * where "" is stored as NULL, 'i' int64_t. NULL with the error set, -EBUSY when it is being walked.
 */
sqlite3_stmt *store_start(struct store *s, enum store_stmt which, const char *types, ...);

/* One row: 1 there is one, 0 none (the statement is reset), or a negative code. */
int store_step(struct store *s, sqlite3_stmt *st);
void store_end(sqlite3_stmt *st);

/* Start, step once, end; for statements without rows. */
int store_run(struct store *s, enum store_stmt which, const char *types, ...);

/* Rows the last statement changed. */
int store_changes(struct store *s);

/* Copy text column @col; a NULL is "". -SHUNT_EDB when it does not fit. */
int store_text(struct store *s, sqlite3_stmt *st, int col, char *out, size_t size);

/* A row holds what no version of ours wrote. */
int store_damaged(struct store *s, const char *what);

#endif
