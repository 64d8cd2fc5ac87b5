// SPDX-License-Identifier: GPL-2.0-or-later
/* store_job: the cloud's jobs with their timeline, paths and ranges. */
#include "lib/store_db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int unknown(struct store *s, const char *id)
{
	return err_set(&s->err, -ENOENT, "job %s is not known", id);
}

/* A write that must have met a job. */
static int met(struct store *s, int ret, const char *id)
{
	if (ret == -ENOENT || (!ret && !store_changes(s)))
		return unknown(s, id);
	return ret;
}

/* A size that is not known is the largest integer there is, far beyond any size. */
static int64_t size_to_sql(uint64_t size)
{
	return size == CONTENT_SIZE_UNKNOWN ? INT64_MAX : (int64_t)size;
}

static int print_encode(struct store *s, const struct store_job *j, struct buf *out)
{
	int ret = sapi_print_is_set(&j->print) ? sapi_print_encode(&j->print, out) : 0;

	return ret ? err_set(&s->err, ret, "job %s: print attributes: %s", j->id,
			     shunt_strerror(ret)) :
		     0;
}

int store_job_add(struct store *s, const struct store_job *j)
{
	struct buf print = BUF_INIT;
	int ret = print_encode(s, j, &print);

	if (!ret)
		ret = store_run(s, ST_JOB_ADD, "tttttiittintttt" /* to sha256 */ "iiiiitii", j->id,
				job_kind_str(j->kind), j->device, j->name, j->media_type,
				size_to_sql(j->size), (int64_t)j->priority, j->owner, j->path,
				j->created, j->idem_key, j->idem_hash, job_state_str(j->state),
				j->reason, j->sha256, (int64_t)j->delivered, (int64_t)j->resent,
				(int64_t)j->moved, (int64_t)j->attempts, j->finished,
				buf_str(&print), (int64_t)j->printer_job, (int64_t)j->no_clobber);
	buf_fini(&print);
	return ret;
}

int store_job_printer_put(struct store *s, const char *id, uint32_t printer_job)
{
	return met(s, store_run(s, ST_JOB_PRINTER_PUT, "ti", id, (int64_t)printer_job), id);
}

int store_job_update(struct store *s, const struct store_job *j)
{
	int ret = store_run(s, ST_JOB_UPDATE, "ttttiiiii", j->id, job_state_str(j->state),
			    j->reason, j->sha256, (int64_t)j->delivered, (int64_t)j->resent,
			    (int64_t)j->moved, (int64_t)j->attempts, j->finished);

	return met(s, ret, j->id);
}

int store_job_size_put(struct store *s, const char *id, uint64_t size)
{
	return met(s, store_run(s, ST_JOB_SIZE_PUT, "ti", id, size_to_sql(size)), id);
}

/* A word of an enum; the parsers have different types, so the tables are used. */
static int word(struct store *s, sqlite3_stmt *st, int col, const struct enum_name *names, int *v)
{
	const char *text = (const char *)sqlite3_column_text(st, col);

	if (!text || enum_parse(names, text, v))
		return store_damaged(s, sqlite3_column_name(st, col));
	return 0;
}

static int print_read(struct store *s, sqlite3_stmt *st, int col, struct sapi_print *out)
{
	const char *text = (const char *)sqlite3_column_text(st, col);
	size_t len = (size_t)sqlite3_column_bytes(st, col);

	if (!len)
		return 0;
	return sapi_print_decode(text, len, out, NULL) ?
		       store_damaged(s, sqlite3_column_name(st, col)) :
		       0;
}

static int job_read(struct store *s, sqlite3_stmt *st, struct store_job *j)
{
	int kind, state;

	memset(j, 0, sizeof(*j));
	if (store_text(s, st, 0, j->id, sizeof(j->id)) || word(s, st, 1, job_kind_names, &kind) ||
	    store_text(s, st, 2, j->device, sizeof(j->device)) ||
	    store_text(s, st, 3, j->name, sizeof(j->name)) ||
	    store_text(s, st, 4, j->media_type, sizeof(j->media_type)) ||
	    store_text(s, st, 7, j->owner, sizeof(j->owner)) ||
	    store_text(s, st, 8, j->path, sizeof(j->path)) ||
	    store_text(s, st, 10, j->idem_key, sizeof(j->idem_key)) ||
	    store_text(s, st, 11, j->idem_hash, sizeof(j->idem_hash)) ||
	    word(s, st, 12, job_state_names, &state) ||
	    store_text(s, st, 13, j->reason, sizeof(j->reason)) ||
	    store_text(s, st, 14, j->sha256, sizeof(j->sha256)) || print_read(s, st, 20, &j->print))
		return s->err.code;
	j->kind = (enum job_kind)kind;
	j->size = (uint64_t)sqlite3_column_int64(st, 5);
	if (j->size == INT64_MAX)
		j->size = CONTENT_SIZE_UNKNOWN;
	j->priority = (uint8_t)sqlite3_column_int(st, 6);
	j->created = sqlite3_column_int64(st, 9);
	j->state = (enum job_state)state;
	j->delivered = (uint64_t)sqlite3_column_int64(st, 15);
	j->resent = (uint64_t)sqlite3_column_int64(st, 16);
	j->moved = sqlite3_column_int(st, 17);
	j->attempts = (uint32_t)sqlite3_column_int64(st, 18);
	j->finished = sqlite3_column_int64(st, 19);
	j->printer_job = (uint32_t)sqlite3_column_int64(st, 21);
	j->no_clobber = sqlite3_column_int(st, 22);
	return 0;
}

/* The single row of a started statement. */
static int job_one(struct store *s, sqlite3_stmt *st, struct store_job *out)
{
	int ret;

	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret == 1) {
		ret = job_read(s, st, out);
		store_end(st);
		return ret;
	}
	return ret ? ret : err_set(&s->err, -ENOENT, "no such job");
}

int store_job_get(struct store *s, const char *id, struct store_job *out)
{
	int ret = job_one(s, store_start(s, ST_JOB_GET, "t", id), out);

	return ret == -ENOENT ? unknown(s, id) : ret;
}

int store_job_find_key(struct store *s, const char *owner, const char *key, struct store_job *out)
{
	return job_one(s, store_start(s, ST_JOB_FIND_KEY, "tt", owner, key), out);
}

int store_job_del(struct store *s, const char *id)
{
	return met(s, store_run(s, ST_JOB_DEL, "t", id), id);
}

/* Bits to ",queued,running,"; NULL for no bits, which restricts nothing. */
static const char *state_list(uint32_t states, char *out, size_t n)
{
	size_t len = 1;

	if (!states)
		return NULL;
	out[0] = ',';
	out[1] = '\0';
	for (const struct enum_name *w = job_state_names; w->name; w++) {
		size_t add = strlen(w->name) + 1;

		if (!(states >> w->value & 1) || len + add >= n)
			continue;
		memcpy(out + len, w->name, add - 1);
		out[len + add - 1] = ',';
		len += add;
		out[len] = '\0';
	}
	return out;
}

int store_job_list(struct store *s, const struct store_job_filter *f,
		   int (*fn)(void *arg, const struct store_job *j), void *arg)
{
	static const struct store_job_filter all;
	char states[160];
	struct store_job j;
	sqlite3_stmt *st;
	int ret;

	f = f ? f : &all;
	st = store_start(s, ST_JOB_LIST, "tttii", f->owner, f->device,
			 state_list(f->states, states, sizeof(states)), f->finished_before,
			 f->limit ? (int64_t)f->limit : (int64_t)-1);
	if (!st)
		return s->err.code;
	while ((ret = store_step(s, st)) == 1) {
		ret = job_read(s, st, &j);
		if (!ret)
			ret = fn(arg, &j);
		if (ret) {
			store_end(st);
			break;
		}
	}
	return ret;
}

int store_job_count(struct store *s, uint32_t states, uint64_t *out)
{
	char list[160];
	sqlite3_stmt *st =
		store_start(s, ST_JOB_COUNT, "t", state_list(states, list, sizeof(list)));
	int ret;

	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret != 1)
		return ret ? ret : store_damaged(s, "count");
	*out = (uint64_t)sqlite3_column_int64(st, 0);
	store_end(st);
	return 0;
}

/* ---- timeline ---- */

int store_event_add(struct store *s, const char *job, const struct sapi_job_event *ev)
{
	int ret = store_run(s, ST_EVENT_ADD, "tittttt", job, ev->time, ev->event, ev->text,
			    path_kind_str(ev->path), ev->reason, ev->action);

	return met(s, ret, job);
}

static int event_read(struct store *s, sqlite3_stmt *st, struct sapi_job_event *ev)
{
	int path;

	memset(ev, 0, sizeof(*ev));
	if (store_text(s, st, 1, ev->event, sizeof(ev->event)) ||
	    store_text(s, st, 2, ev->text, sizeof(ev->text)) ||
	    word(s, st, 3, path_kind_names, &path) ||
	    store_text(s, st, 4, ev->reason, sizeof(ev->reason)) ||
	    store_text(s, st, 5, ev->action, sizeof(ev->action)))
		return s->err.code;
	ev->time = sqlite3_column_int64(st, 0);
	ev->path = (enum path_kind)path;
	return 0;
}

int store_event_list(struct store *s, const char *job,
		     int (*fn)(void *arg, const struct sapi_job_event *ev), void *arg)
{
	sqlite3_stmt *st = store_start(s, ST_EVENT_LIST, "ti", job, (int64_t)SAPI_TIMELINE_MAX);
	struct sapi_job_event ev;
	int ret;

	if (!st)
		return s->err.code;
	while ((ret = store_step(s, st)) == 1) {
		ret = event_read(s, st, &ev);
		if (!ret)
			ret = fn(arg, &ev);
		if (ret) {
			store_end(st);
			break;
		}
	}
	return ret;
}

/* ---- paths ---- */

int store_path_put(struct store *s, const char *job, uint32_t idx, const struct sapi_job_path *p)
{
	int ret = store_run(s, ST_PATH_PUT, "tittt" /* to gateway */ "iiiitiii", job, (int64_t)idx,
			    path_kind_str(p->kind), path_state_str(p->state), p->gateway,
			    (int64_t)p->tunnel, (int64_t)p->bytes, p->opened, p->closed, p->reason,
			    (int64_t)p->rx_cpu_ns, (int64_t)p->tx_cpu_ns, (int64_t)p->packets);

	return met(s, ret, job);
}

static int path_read(struct store *s, sqlite3_stmt *st, struct sapi_job_path *p)
{
	int kind, state;

	memset(p, 0, sizeof(*p));
	if (word(s, st, 1, path_kind_names, &kind) || word(s, st, 2, path_state_names, &state) ||
	    store_text(s, st, 3, p->gateway, sizeof(p->gateway)) ||
	    store_text(s, st, 8, p->reason, sizeof(p->reason)))
		return s->err.code;
	p->kind = (enum path_kind)kind;
	p->state = (enum path_state)state;
	p->tunnel = (uint32_t)sqlite3_column_int64(st, 4);
	p->bytes = (uint64_t)sqlite3_column_int64(st, 5);
	p->opened = sqlite3_column_int64(st, 6);
	p->closed = sqlite3_column_int64(st, 7);
	p->rx_cpu_ns = (uint64_t)sqlite3_column_int64(st, 9);
	p->tx_cpu_ns = (uint64_t)sqlite3_column_int64(st, 10);
	p->packets = (uint64_t)sqlite3_column_int64(st, 11);
	return 0;
}

int store_path_list(struct store *s, const char *job,
		    int (*fn)(void *arg, uint32_t idx, const struct sapi_job_path *p), void *arg)
{
	sqlite3_stmt *st = store_start(s, ST_PATH_LIST, "t", job);
	struct sapi_job_path p;
	int ret;

	if (!st)
		return s->err.code;
	while ((ret = store_step(s, st)) == 1) {
		uint32_t idx = (uint32_t)sqlite3_column_int64(st, 0);

		ret = path_read(s, st, &p);
		if (!ret)
			ret = fn(arg, idx, &p);
		if (ret) {
			store_end(st);
			break;
		}
	}
	return ret;
}

/* ---- ranges ---- */

int store_ranges_put(struct store *s, const char *job, enum store_ranges which,
		     const struct ranges *r)
{
	struct buf text;
	int ret;

	buf_init(&text);
	ret = ranges_print(r, &text);
	if (ret)
		err_set(&s->err, ret, "job %s: ranges: %s", job, shunt_strerror(ret));
	else
		ret = met(s,
			  store_run(s, which == STORE_UPLOADED ? ST_UPLOADED_PUT : ST_DELIVERED_PUT,
				    "tt", job, buf_str(&text)),
			  job);
	buf_fini(&text);
	return ret;
}

int store_ranges_get(struct store *s, const char *job, enum store_ranges which, struct ranges *out)
{
	sqlite3_stmt *st = store_start(
		s, which == STORE_UPLOADED ? ST_UPLOADED_GET : ST_DELIVERED_GET, "t", job);
	const char *text;
	int ret;

	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret != 1)
		return ret ? ret : unknown(s, job);
	text = (const char *)sqlite3_column_text(st, 0);
	ret = ranges_parse(text ? text : "", out);
	store_end(st);
	if (ret == -ENOMEM)
		return err_set(&s->err, ret, "database: out of memory");
	return ret ? store_damaged(s, "ranges") : 0;
}

/* ---- content ---- */

int store_content_put(struct store *s, const char *job, const void *data, size_t len)
{
	sqlite3_stmt *st = store_start(s, ST_CONTENT_PUT, "t", job);
	int ret;

	if (!st)
		return s->err.code;
	/* An octet more than none, or SQLite takes it for NULL. */
	if (sqlite3_bind_blob64(st, 2, len ? data : "", len, SQLITE_STATIC) != SQLITE_OK) {
		store_end(st);
		return err_set(&s->err, -ENOMEM, "database: out of memory");
	}
	ret = store_step(s, st);
	return met(s, ret, job);
}

int store_content_get(struct store *s, const char *job, struct buf *out)
{
	sqlite3_stmt *st = store_start(s, ST_CONTENT_GET, "t", job);
	int ret;

	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret != 1)
		return ret ? ret : unknown(s, job);
	ret = buf_put(out, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
	store_end(st);
	return ret ? err_set(&s->err, ret, "database: out of memory") : 0;
}

int store_content_del(struct store *s, const char *job)
{
	return store_run(s, ST_CONTENT_DEL, "t", job);
}

/* ---- the whole job ---- */

/* Append to an array of @n items of @size that grows by doubling. */
static int append(void *array, size_t *n, size_t size, const void *item)
{
	char **v = array;

	if (!(*n & (*n - 1))) {
		void *grown = realloc(*v, (*n ? *n * 2 : 1) * size);

		if (!grown)
			return -ENOMEM;
		*v = grown;
	}
	memcpy(*v + *n * size, item, size);
	(*n)++;
	return 0;
}

static int on_path(void *arg, uint32_t idx, const struct sapi_job_path *p)
{
	struct sapi_job *j = arg;

	(void)idx;
	if (j->n_paths >= SAPI_JOB_PATHS_MAX)
		return 0;
	return append(&j->paths, &j->n_paths, sizeof(*p), p);
}

static int on_event(void *arg, const struct sapi_job_event *ev)
{
	struct sapi_job *j = arg;

	return append(&j->timeline, &j->n_timeline, sizeof(*ev), ev);
}

static void job_copy(struct sapi_job *to, const struct store_job *from)
{
	*to = (struct sapi_job){
		.kind = from->kind,
		.print = from->print,
		.no_clobber = from->no_clobber,
		.size = from->size,
		.priority = from->priority,
		.state = from->state,
		.delivered = from->delivered,
		.resent = from->resent,
		.moved = from->moved,
		.created = from->created,
		.finished = from->finished,
	};
	memcpy(to->id, from->id, sizeof(to->id));
	memcpy(to->device, from->device, sizeof(to->device));
	memcpy(to->name, from->name, sizeof(to->name));
	memcpy(to->media_type, from->media_type, sizeof(to->media_type));
	memcpy(to->owner, from->owner, sizeof(to->owner));
	memcpy(to->sha256, from->sha256, sizeof(to->sha256));
	memcpy(to->reason, from->reason, sizeof(to->reason));
}

int store_job_full(struct store *s, const char *id, bool timeline, struct sapi_job *out)
{
	struct ranges up = RANGES_INIT;
	struct store_job j;
	int ret;

	memset(out, 0, sizeof(*out));
	ret = store_job_get(s, id, &j);
	if (ret)
		return ret;
	job_copy(out, &j);
	ret = store_ranges_get(s, id, STORE_UPLOADED, &up);
	if (!ret)
		out->uploaded = ranges_total(&up);
	ranges_fini(&up);
	if (!ret)
		ret = store_path_list(s, id, on_path, out);
	if (!ret && timeline)
		ret = store_event_list(s, id, on_event, out);
	if (ret == -ENOMEM)
		err_set(&s->err, ret, "database: out of memory");
	if (ret)
		sapi_job_fini(out);
	return ret;
}
