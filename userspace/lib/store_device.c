// SPDX-License-Identifier: GPL-2.0-or-later
/* store_device: the manager's device registry. */
#include "lib/store_db.h"

#include <errno.h>

static int put(struct store *s, enum store_stmt which, const struct sapi_device *d)
{
	struct buf body;
	int ret;

	buf_init_max(&body, SAPI_MAX);
	ret = sapi_device_encode(d, &body);
	if (ret)
		err_set(&s->err, ret, "device %s: cannot be encoded: %s", d->code,
			shunt_strerror(ret));
	else
		ret = store_run(s, which, "ttt", d->code, d->gateway, buf_str(&body));
	buf_fini(&body);
	return ret;
}

int store_device_add(struct store *s, const struct sapi_device *d)
{
	return put(s, ST_DEVICE_ADD, d);
}

int store_device_put(struct store *s, const struct sapi_device *d, bool *created)
{
	struct sapi_device old;
	int ret = store_device_get(s, d->code, &old);

	if (ret && ret != -ENOENT)
		return ret;
	if (created)
		*created = ret == -ENOENT;
	return put(s, ST_DEVICE_PUT, d);
}

static int body_read(struct store *s, sqlite3_stmt *st, struct sapi_device *out)
{
	const void *text = sqlite3_column_text(st, 0);
	struct err e = { 0 };
	int ret;

	ret = sapi_device_decode(text ? text : "", (size_t)sqlite3_column_bytes(st, 0), out, &e);
	if (ret == -ENOMEM)
		return err_set(&s->err, ret, "database: out of memory");
	return ret ? store_damaged(s, err_text(&e)) : 0;
}

int store_device_get(struct store *s, const char *code, struct sapi_device *out)
{
	sqlite3_stmt *st = store_start(s, ST_DEVICE_GET, "t", code);
	int ret;

	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret == 0)
		return err_set(&s->err, -ENOENT, "device %s is not known", code);
	if (ret < 0)
		return ret;
	ret = body_read(s, st, out);
	store_end(st);
	return ret;
}

int store_device_del(struct store *s, const char *code)
{
	int ret = store_run(s, ST_DEVICE_DEL, "t", code);

	if (!ret && !store_changes(s))
		return err_set(&s->err, -ENOENT, "device %s is not known", code);
	return ret;
}

int store_device_count(struct store *s, size_t *out)
{
	sqlite3_stmt *st = store_start(s, ST_DEVICE_COUNT, "");
	int ret;

	if (!st)
		return s->err.code;
	ret = store_step(s, st);
	if (ret < 0)
		return ret;
	*out = ret ? (size_t)sqlite3_column_int64(st, 0) : 0;
	store_end(st);
	return 0;
}

int store_device_list(struct store *s, int (*fn)(void *arg, const struct sapi_device *d), void *arg)
{
	sqlite3_stmt *st = store_start(s, ST_DEVICE_LIST, "");
	struct sapi_device d;
	int ret;

	if (!st)
		return s->err.code;
	while ((ret = store_step(s, st)) == 1) {
		ret = body_read(s, st, &d);
		if (!ret)
			ret = fn(arg, &d);
		if (ret) {
			store_end(st);
			break;
		}
	}
	return ret;
}
