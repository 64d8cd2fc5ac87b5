// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/dir.h"
#include "lib/log.h"

struct ledger {
	int tunnels, clouds; /* directories */
};

static int open_sub(int parent, const char *dir, const char *name, int *out, struct err *e)
{
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, -errno, "state: %s/%s", dir, name);
	*out = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return err_sys(e, -errno, "state: %s/%s", dir, name);
	/* Creation would fail only when the first tunnel opens: better now. */
	if (faccessat(*out, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, -errno, "state: %s/%s", dir, name);
	return 0;
}

int ledger_open(const char *dir, struct ledger **out, struct err *e)
{
	struct ledger *l = calloc(1, sizeof(*l));
	int parent = -1, rc;

	if (!l)
		return err_sys(e, -ENOMEM, "state");
	l->tunnels = -1;
	l->clouds = -1;
	rc = dir_make(dir, e);
	if (rc < 0)
		goto out;
	parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0) {
		rc = err_sys(e, -errno, "state: %s", dir);
		goto out;
	}
	rc = open_sub(parent, dir, "tunnels", &l->tunnels, e);
	if (rc == 0)
		rc = open_sub(parent, dir, "clouds", &l->clouds, e);
out:
	if (parent >= 0)
		close(parent);
	if (rc < 0)
		ledger_close(l);
	else
		*out = l;
	return rc;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	if (l->tunnels >= 0)
		close(l->tunnels);
	if (l->clouds >= 0)
		close(l->clouds);
	free(l);
}

static int put(int dir, const char *name, const struct sapi_schema *schema, const void *in)
{
	char temporary[NAME_LEN + 8];
	struct buf json;
	int fd = -1, rc;

	buf_init_max(&json, SAPI_MAX);
	/* "+" is in no name, so a leftover cannot be taken for an entry. */
	snprintf(temporary, sizeof(temporary), "%s+", name);
	rc = sapi_encode(schema, in, &json);
	if (rc < 0)
		goto out;
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, json.data, json.len) != (ssize_t)json.len ||
	    renameat(dir, temporary, dir, name) < 0)
		rc = errno ? -errno : -EIO;
out:
	if (fd >= 0)
		close(fd);
	buf_fini(&json);
	if (rc < 0)
		log_err("ledger: %s: not written: %s", name, shunt_strerror(rc));
	return rc;
}

static void del(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		log_err("ledger: %s: not removed: %s", name, shunt_strerror(-errno));
}

int ledger_put_tunnel(struct ledger *l, const struct sapi_tunnel *t)
{
	char name[TUNNEL_ID_LEN];

	return put(l->tunnels, tunnel_id_print(t->id, name), &sapi_tunnel_schema, t);
}

void ledger_del_tunnel(struct ledger *l, uint32_t id)
{
	char name[TUNNEL_ID_LEN];

	del(l->tunnels, tunnel_id_print(id, name));
}

int ledger_put_cloud(struct ledger *l, const struct sapi_dial *cloud)
{
	return put(l->clouds, cloud->cloud, &sapi_dial_schema, cloud);
}

void ledger_del_cloud(struct ledger *l, const char *name)
{
	del(l->clouds, name);
}

static int read_file(int dir, const char *name, char *out, size_t size, size_t *len)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, size);
	close(fd);
	if (n < 0)
		return -EIO;
	*len = (size_t)n;
	return 0;
}

union entry {
	struct sapi_tunnel tunnel;
	struct sapi_dial cloud;
};

/* An entry under another's name could neither be replaced nor removed. */
static bool named_right(const struct sapi_schema *schema, const union entry *entry,
			const char *name)
{
	char id[TUNNEL_ID_LEN];

	if (schema == &sapi_tunnel_schema)
		return strcmp(tunnel_id_print(entry->tunnel.id, id), name) == 0;
	return strcmp(entry->cloud.cloud, name) == 0;
}

static int walk(int dir, const struct sapi_schema *schema, void (*fn)(void *arg, union entry *e),
		void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((ent = readdir(d))) {
		const char *name = ent->d_name;
		char text[8192];
		struct err e = { 0 };
		union entry entry;
		size_t len = 0;
		int rc;

		if (name[0] == '.')
			continue;
		if (name[strlen(name) - 1] == '+') {
			/* We died while it was being written. */
			del(dir, name);
			continue;
		}
		rc = read_file(dir, name, text, sizeof(text), &len);
		if (rc == 0)
			rc = sapi_decode(schema, text, len, &entry, &e);
		if (rc < 0) {
			log_warn("ledger: %s: removed: %s", name,
				 e.code ? err_text(&e) : shunt_strerror(rc));
			del(dir, name);
			continue;
		}
		if (named_right(schema, &entry, name)) {
			fn(arg, &entry);
		} else {
			log_warn("ledger: %s: removed: it holds another entry", name);
			del(dir, name);
		}
		sapi_fini(schema, &entry);
	}
	closedir(d);
	return 0;
}

struct visit {
	void (*tunnel)(void *arg, const struct sapi_tunnel *t);
	void (*cloud)(void *arg, const struct sapi_dial *d);
	void *arg;
};

static void visit_tunnel(void *arg, union entry *e)
{
	struct visit *v = arg;

	v->tunnel(v->arg, &e->tunnel);
}

static void visit_cloud(void *arg, union entry *e)
{
	struct visit *v = arg;

	v->cloud(v->arg, &e->cloud);
}

int ledger_tunnels(struct ledger *l, void (*fn)(void *arg, const struct sapi_tunnel *t), void *arg)
{
	struct visit v = { .tunnel = fn, .arg = arg };

	return walk(l->tunnels, &sapi_tunnel_schema, visit_tunnel, &v);
}

int ledger_clouds(struct ledger *l, void (*fn)(void *arg, const struct sapi_dial *d), void *arg)
{
	struct visit v = { .cloud = fn, .arg = arg };

	return walk(l->clouds, &sapi_dial_schema, visit_cloud, &v);
}
