// SPDX-License-Identifier: GPL-2.0-or-later
/* store_sql: every line of SQL there is. */
#include "lib/store_db.h"

/* A migration is never changed once released; append the next one. */
const char *const store_sql_manager[] = {
	/* 1: the body is the API's JSON, so that attributes can join without a migration */
	"CREATE TABLE device ("
	"	code TEXT PRIMARY KEY NOT NULL,"
	"	gateway TEXT NOT NULL,"
	"	body TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;",
	NULL,
};

const char *const store_sql_cloud[] = {
	/* 1 */
	"CREATE TABLE job ("
	"	seq INTEGER PRIMARY KEY AUTOINCREMENT," /* order of creation */
	"	id TEXT NOT NULL UNIQUE,"
	"	kind TEXT NOT NULL,"
	"	device TEXT NOT NULL,"
	"	name TEXT NOT NULL,"
	"	media_type TEXT NOT NULL,"
	"	size INTEGER NOT NULL CHECK (size >= 0)," /* 2^63 - 1: not known yet */
	"	priority INTEGER NOT NULL,"
	"	owner TEXT NOT NULL,"
	"	path TEXT NOT NULL,"
	"	created INTEGER NOT NULL,"
	"	idem_key TEXT," /* NULLs do not collide */
	"	idem_hash TEXT NOT NULL,"
	"	state TEXT NOT NULL,"
	"	reason TEXT NOT NULL,"
	"	sha256 TEXT NOT NULL,"
	"	delivered INTEGER NOT NULL,"
	"	resent INTEGER NOT NULL,"
	"	moved INTEGER NOT NULL,"
	"	attempts INTEGER NOT NULL,"
	"	finished INTEGER NOT NULL,"
	"	uploaded_ranges TEXT NOT NULL DEFAULT '',"
	"	delivered_ranges TEXT NOT NULL DEFAULT '',"
	"	UNIQUE (owner, idem_key)"
	") STRICT;"
	"CREATE INDEX job_state ON job (state);"
	"CREATE INDEX job_finished ON job (finished);"
	"CREATE TABLE event ("
	"	n INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	"	time INTEGER NOT NULL,"
	"	event TEXT NOT NULL,"
	"	text TEXT NOT NULL,"
	"	path TEXT NOT NULL,"
	"	reason TEXT NOT NULL,"
	"	action TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX event_job ON event (job, n);"
	"CREATE TABLE path ("
	"	job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,"
	"	idx INTEGER NOT NULL,"
	"	kind TEXT NOT NULL,"
	"	state TEXT NOT NULL,"
	"	gateway TEXT NOT NULL,"
	"	tunnel INTEGER NOT NULL,"
	"	bytes INTEGER NOT NULL,"
	"	opened INTEGER NOT NULL,"
	"	closed INTEGER NOT NULL,"
	"	reason TEXT NOT NULL,"
	"	rx_cpu_ns INTEGER NOT NULL,"
	"	tx_cpu_ns INTEGER NOT NULL,"
	"	packets INTEGER NOT NULL,"
	"	PRIMARY KEY (job, idx)"
	") STRICT, WITHOUT ROWID;",
	/* 2: small content, see cloud/jobs.h */
	"CREATE TABLE content ("
	"	n INTEGER PRIMARY KEY,"
	"	job TEXT NOT NULL UNIQUE REFERENCES job (id) ON DELETE CASCADE,"
	"	data BLOB NOT NULL"
	") STRICT;",
	/* 3: jobs that devices have to hear the end of; they outlive the jobs' own records */
	"CREATE TABLE notice ("
	"	n INTEGER PRIMARY KEY AUTOINCREMENT," /* order of creation */
	"	device TEXT NOT NULL,"
	"	job TEXT NOT NULL,"
	"	created INTEGER NOT NULL,"
	"	UNIQUE (job, device)"
	") STRICT;",
	/* 4: how a job is to be printed (the API's JSON, or ''), and its number at the printer */
	"ALTER TABLE job ADD COLUMN print TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE job ADD COLUMN printer_job INTEGER NOT NULL DEFAULT 0;",
	/* 5: must the job not replace a file? */
	"ALTER TABLE job ADD COLUMN no_clobber INTEGER NOT NULL DEFAULT 0;",
	NULL,
};

#define JOB_COLUMNS                                                                                \
	"id, kind, device, name, media_type, size, priority, owner, path, created, idem_key, "     \
	"idem_hash, state, reason, sha256, delivered, resent, moved, attempts, finished, "         \
	"print, printer_job, no_clobber"

const char *const store_sql[ST_MAX] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",

	[ST_DEVICE_ADD] = "INSERT INTO device (code, gateway, body) VALUES (?1, ?2, ?3)",
	[ST_DEVICE_PUT] = "INSERT INTO device (code, gateway, body) VALUES (?1, ?2, ?3) "
			  "ON CONFLICT (code) DO UPDATE SET gateway = ?2, body = ?3",
	[ST_DEVICE_GET] = "SELECT body FROM device WHERE code = ?1",
	[ST_DEVICE_DEL] = "DELETE FROM device WHERE code = ?1",
	[ST_DEVICE_LIST] = "SELECT body FROM device ORDER BY code",
	[ST_DEVICE_COUNT] = "SELECT count(*) FROM device",

	[ST_JOB_ADD] = "INSERT INTO job (" JOB_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
		       "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
	[ST_JOB_UPDATE] = "UPDATE job SET state = ?2, reason = ?3, sha256 = ?4, delivered = ?5, "
			  "resent = ?6, moved = ?7, attempts = ?8, finished = ?9 WHERE id = ?1",
	[ST_JOB_SIZE_PUT] = "UPDATE job SET size = ?2 WHERE id = ?1",
	[ST_JOB_PRINTER_PUT] = "UPDATE job SET printer_job = ?2 WHERE id = ?1",
	[ST_JOB_GET] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1",
	[ST_JOB_FIND_KEY] = "SELECT " JOB_COLUMNS " FROM job WHERE owner = ?1 AND idem_key = ?2",
	[ST_JOB_DEL] = "DELETE FROM job WHERE id = ?1",
	/* A parameter that is NULL or 0 does not restrict; ?3 is a list of states, ",a,b,". */
	[ST_JOB_LIST] = "SELECT " JOB_COLUMNS " FROM job WHERE (?1 IS NULL OR owner = ?1) "
			"AND (?2 IS NULL OR device = ?2) "
			"AND (?3 IS NULL OR instr(?3, ',' || state || ',')) "
			"AND (?4 = 0 OR (finished > 0 AND finished < ?4)) ORDER BY seq LIMIT ?5",
	[ST_JOB_COUNT] = "SELECT count(*) FROM job WHERE ?1 IS NULL OR "
			 "instr(?1, ',' || state || ',')",
	[ST_EVENT_ADD] = "INSERT INTO event (job, time, event, text, path, reason, action) "
			 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	/* The newest, should a job ever have more than a body may hold. */
	[ST_EVENT_LIST] =
		"SELECT time, event, text, path, reason, action FROM (SELECT * FROM event "
		"WHERE job = ?1 ORDER BY n DESC LIMIT ?2) ORDER BY n",
	[ST_PATH_PUT] = "INSERT OR REPLACE INTO path (job, idx, kind, state, gateway, tunnel, "
			"bytes, opened, closed, reason, rx_cpu_ns, tx_cpu_ns, packets) "
			"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[ST_PATH_LIST] = "SELECT idx, kind, state, gateway, tunnel, bytes, opened, closed, reason, "
			 "rx_cpu_ns, tx_cpu_ns, packets FROM path WHERE job = ?1 ORDER BY idx",
	[ST_UPLOADED_PUT] = "UPDATE job SET uploaded_ranges = ?2 WHERE id = ?1",
	[ST_UPLOADED_GET] = "SELECT uploaded_ranges FROM job WHERE id = ?1",
	[ST_DELIVERED_PUT] = "UPDATE job SET delivered_ranges = ?2 WHERE id = ?1",
	[ST_DELIVERED_GET] = "SELECT delivered_ranges FROM job WHERE id = ?1",
	[ST_CONTENT_PUT] = "INSERT OR REPLACE INTO content (job, data) VALUES (?1, ?2)",
	[ST_CONTENT_GET] = "SELECT data FROM content WHERE job = ?1",
	[ST_CONTENT_DEL] = "DELETE FROM content WHERE job = ?1",
	[ST_NOTICE_ADD] = "INSERT OR IGNORE INTO notice (device, job, created) VALUES (?1, ?2, ?3)",
	[ST_NOTICE_DEL] = "DELETE FROM notice WHERE device = ?1 AND job = ?2",
	[ST_NOTICE_LIST] = "SELECT device, job, created FROM notice ORDER BY n",
};
