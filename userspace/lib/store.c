// SPDX-License-Identifier: GPL-2.0-or-later
/* store: opening, migrating, transactions, statements. */
#include "lib/store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the file's header, so that one program's database is not taken for another's. */
#define APP_ID_MANAGER 0x53684d67 /* "ShMg" */
#define APP_ID_CLOUD 0x5368436c /* "ShCl" */

static int code_of(int sqlite)
{
	switch (sqlite) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
		return -EEXIST;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return -ENOENT;
	}
	switch (sqlite & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	default:
		return -SHUNT_EDB;
	}
}

/* Keep what SQLite says; 0 when it went well. */
static int check(struct store *s, int sqlite, const char *what)
{
	int code = code_of(sqlite);

	if (!code)
		return 0;
	return err_set(&s->err, code, "database: %s: %s", what, sqlite3_errmsg(s->db));
}

const struct err *store_err(const struct store *s)
{
	return &s->err;
}

int store_damaged(struct store *s, const char *what)
{
	return err_set(&s->err, -SHUNT_EDB, "database: damaged: %s", what);
}

/* ---- statements ---- */

static int bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
	int rc = SQLITE_OK;

	for (int i = 1; *types && rc == SQLITE_OK; types++, i++) {
		const char *text;

		if (*types == 'i') {
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
			continue;
		}
		text = va_arg(ap, const char *);
		if (!text || (*types == 'n' && !*text))
			rc = sqlite3_bind_null(st, i);
		else /* bound until the statement ends, which is while the caller's text lives */
			rc = sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
	}
	return rc;
}

static sqlite3_stmt *start_list(struct store *s, enum store_stmt which, const char *types,
				va_list ap)
{
	sqlite3_stmt *st = s->stmt[which];

	if (!st) {
		if (check(s,
			  sqlite3_prepare_v3(s->db, store_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
					     &st, NULL),
			  "prepare"))
			return NULL;
		s->stmt[which] = st;
	}
	if (sqlite3_stmt_busy(st)) {
		err_set(&s->err, -EBUSY, "database: this list is being walked already");
		return NULL;
	}
	if (check(s, bind_all(st, types, ap), "bind")) {
		store_end(st);
		return NULL;
	}
	return st;
}

sqlite3_stmt *store_start(struct store *s, enum store_stmt which, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;

	va_start(ap, types);
	st = start_list(s, which, types, ap);
	va_end(ap);
	return st;
}

int store_step(struct store *s, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st), ret;

	if (rc == SQLITE_ROW)
		return 1;
	/* First the error, which a reset would overwrite. */
	ret = check(s, rc, "write or read");
	store_end(st);
	return ret;
}

void store_end(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
}

int store_run(struct store *s, enum store_stmt which, const char *types, ...)
{
	sqlite3_stmt *st;
	va_list ap;
	int ret;

	va_start(ap, types);
	st = start_list(s, which, types, ap);
	va_end(ap);
	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret == 1)
		store_end(st);
	return ret < 0 ? ret : 0;
}

int store_changes(struct store *s)
{
	return sqlite3_changes(s->db);
}

int store_text(struct store *s, sqlite3_stmt *st, int col, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(st, col);
	size_t n = (size_t)sqlite3_column_bytes(st, col);

	out[0] = '\0';
	if (!text)
		return 0;
	if (n >= size)
		return store_damaged(s, sqlite3_column_name(st, col));
	memcpy(out, text, n);
	out[n] = '\0';
	return 0;
}

/* ---- transactions ---- */

int store_begin(struct store *s)
{
	int ret;

	if (s->in_transaction)
		return err_set(&s->err, -EBUSY, "database: a transaction is open already");
	ret = store_run(s, ST_BEGIN, "");
	s->in_transaction = !ret;
	return ret;
}

int store_commit(struct store *s)
{
	struct err first;
	int ret = store_run(s, ST_COMMIT, "");

	if (!ret) {
		s->in_transaction = false;
		return 0;
	}
	/* Some errors have rolled back already, some have not; the caller sees only the first. */
	first = s->err;
	store_rollback(s);
	s->err = first;
	return ret;
}

void store_rollback(struct store *s)
{
	if (s->in_transaction && !sqlite3_get_autocommit(s->db))
		store_run(s, ST_ROLLBACK, "");
	s->in_transaction = false;
}

/* ---- open ---- */

static int pragma_int(struct store *s, const char *sql, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	*out = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	rc = check(s, rc, "read");
	sqlite3_finalize(st);
	return rc;
}

static int migrate(struct store *s, const char *const *script, int64_t app_id)
{
	int64_t version, newest = 0, id;
	char sql[96];
	int ret = pragma_int(s, "PRAGMA user_version", &version);

	if (!ret)
		ret = pragma_int(s, "PRAGMA application_id", &id);
	if (ret)
		return ret;
	while (script[newest])
		newest++;
	if (id != (version ? app_id : 0))
		return err_set(&s->err, -SHUNT_EDB, "is not a database of this program");
	if (version > newest)
		return err_set(&s->err, -SHUNT_EDB,
			       "is of version %" PRId64 ", this program knows up to %" PRId64,
			       version, newest);
	if (version == newest)
		return 0;
	ret = store_begin(s);
	for (; !ret && version < newest; version++)
		ret = check(s, sqlite3_exec(s->db, script[version], NULL, NULL, NULL), "migrate");
	if (!ret) {
		snprintf(sql, sizeof(sql),
			 "PRAGMA user_version = %" PRId64 "; PRAGMA application_id = %" PRId64,
			 newest, app_id);
		ret = check(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL), "migrate");
	}
	if (!ret)
		return store_commit(s);
	store_rollback(s);
	return ret;
}

/*
 * Exclusive: no second process, and no shared memory file either. synchronous=FULL makes a commit
 * in WAL mode survive power loss.
 */
static int prepare(struct store *s)
{
	static const char sql[] = "PRAGMA locking_mode = EXCLUSIVE;"
				  "PRAGMA journal_mode = WAL;"
				  "PRAGMA synchronous = FULL;"
				  "PRAGMA foreign_keys = ON;"
				  "PRAGMA trusted_schema = OFF;"
				  "BEGIN EXCLUSIVE; COMMIT;";
	int ret = check(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL), "open");

	if (ret == -EBUSY)
		err_set(&s->err, ret, "is in use by another process");
	return ret;
}

/* SQLite would create the file with mode 0644; jobs and devices are nobody else's business. */
static int create_private(const char *path)
{
	int fd;

	if (!strcmp(path, ":memory:"))
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int store_open(const char *path, enum store_schema schema, struct store **out, struct err *e)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	struct store *s = calloc(1, sizeof(*s));
	int ret;

	*out = NULL;
	if (!s)
		return err_set(e, -ENOMEM, "%s: out of memory", path);
	ret = create_private(path);
	if (ret) {
		free(s);
		return err_sys(e, ret, "%s", path);
	}
	ret = check(s, sqlite3_open_v2(path, &s->db, flags, NULL), "open");
	if (!ret)
		ret = prepare(s);
	if (!ret)
		ret = migrate(s, schema == STORE_CLOUD ? store_sql_cloud : store_sql_manager,
			      schema == STORE_CLOUD ? APP_ID_CLOUD : APP_ID_MANAGER);
	if (ret) {
		err_set(e, ret, "%s: %s", path, err_text(&s->err));
		store_close(s);
		return ret;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_rollback(s);
	for (size_t i = 0; i < ST_MAX; i++)
		sqlite3_finalize(s->stmt[i]);
	sqlite3_close(s->db);
	free(s);
}
