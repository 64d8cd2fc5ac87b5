// SPDX-License-Identifier: GPL-2.0-or-later
#include "smb/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/types.h"
#include "smb/confine.h"
#include "smb/outlet.h"
#include "smb/share.h"

#define TEMPORARY_MAX (SMB_NAME_MAX + SMB_WORD_MAX + 16)
#define FAST_MS 500 /* a request that took less may be larger next time, */
#define SLOW_MS 2000 /* and one that took more is to be smaller */
#define STOPPED 1 /* the cloud has gone away: nothing more to be done or said */
#define DIFFERENT 2 /* what is there is not what is to be */

struct session {
	int control;
	struct share *share;
	struct smb_start start; /* points into message */
	char path[2 * SMB_NAME_MAX]; /* of the file, below the share */
	char temporary[TEMPORARY_MAX + SMB_NAME_MAX];
	unsigned int nth; /* of the temporary names */
	struct share_file *file;
	enum smb_step step;
	uint64_t room; /* for DONE */
	size_t piece;
	uint8_t content[SMB_WANT_MAX], there[SESSION_TAIL];
	uint8_t message[SMB_MSG_MAX], in[SMB_MSG_MAX], out[SMB_MSG_MAX];
};

/* ---- the cloud ---- */

static int say(struct session *s, const struct smb_msg *msg)
{
	ssize_t n = smb_msg_encode(msg, s->out, sizeof(s->out));

	if (n < 0)
		return (int)n;
	do {
		if (send(s->control, s->out, (size_t)n, MSG_NOSIGNAL) == n)
			return 0;
	} while (errno == EINTR);
	return STOPPED;
}

static int hear(struct session *s, uint8_t buf[SMB_MSG_MAX], struct smb_msg *msg)
{
	ssize_t n;

	do {
		n = recv(s->control, buf, SMB_MSG_MAX, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	return n > 0 && !smb_msg_decode(buf, (size_t)n, msg) ? 0 : STOPPED;
}

/* @len octets of the content from @offset into s->content. -ECANCELED: the cloud does not want it any more. */
static int want(struct session *s, uint64_t offset, size_t len)
{
	const struct smb_msg ask = { .kind = SMB_WANT, .want = { offset, (uint32_t)len } };
	struct smb_msg msg;
	size_t have = 0;
	int ret = say(s, &ask);

	while (!ret && have < len) {
		ret = hear(s, s->in, &msg);
		if (ret)
			break;
		if (msg.kind == SMB_ABORT)
			return -ECANCELED;
		if (msg.kind != SMB_DATA || msg.data.offset != offset + have ||
		    msg.data.len > len - have)
			return STOPPED;
		memcpy(s->content + have, msg.data.p, msg.data.len);
		have += msg.data.len;
	}
	return ret;
}

/* ---- names ---- */

static void set_path(struct session *s)
{
	const struct smb_start *st = &s->start;

	snprintf(s->path, sizeof(s->path), "%s%s%s", st->dir, *st->dir && *st->name ? "/" : "",
		 st->name);
}

/* The temporary name of a try whose @nth predecessors may still be held. */
static const char *set_temporary(struct session *s, unsigned int nth)
{
	const char *slash = strrchr(s->path, '/');
	char number[16] = "";

	if (nth)
		snprintf(number, sizeof(number), ".%u", nth);
	s->nth = nth;
	snprintf(s->temporary, sizeof(s->temporary), "%.*s.shunt-%s%s.part",
		 slash ? (int)(slash + 1 - s->path) : 0, s->path, s->start.tag, number);
	return s->temporary;
}

/* ---- put ---- */

/* A server that does not tell has room: writing will be refused if not. What is there of the file counts for it. */
static int put_room(struct session *s)
{
	uint64_t need = s->start.size, room;
	struct share_stat st;

	s->step = SMB_AT_SPACE;
	if (share_room(s->share, s->start.dir, &room))
		return 0;
	if (need > room && !share_stat(s->share, set_temporary(s, 0), &st) && !st.dir)
		need -= st.size < need ? st.size : need;
	if (need <= room)
		return 0;
	s->room = room;
	return -ENOSPC;
}

/* Those of the name, from the top. One that cannot be made is missed by whoever opens the file. */
static int put_dirs(struct session *s)
{
	char *p = s->path + (*s->start.dir ? strlen(s->start.dir) + 1 : 0);
	int ret = 0;

	s->step = SMB_AT_MKDIR;
	while ((p = strchr(p, '/'))) {
		*p = '\0';
		ret = share_mkdir(s->share, s->path);
		*p++ = '/';
		if (ret == -ENOSPC || ret == -EDQUOT || outlet_broken())
			return ret;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What one request carries is to take neither much longer than a second nor so little that its round trip counts. */
static void set_pace(struct session *s, int64_t took)
{
	if (took < FAST_MS && s->piece < SESSION_PIECE_MAX)
		s->piece *= 2;
	else if (took > SLOW_MS && s->piece > SESSION_PIECE_MIN)
		s->piece /= 2;
}

static int say_opened(struct session *s, const struct share_stat *st)
{
	const struct smb_msg msg = { .kind = SMB_OPENED, .opened = { st->size, st->mtime } };

	return say(s, &msg);
}

/* What is there from @offset is the content's: 0, or DIFFERENT. */
static int put_compare(struct session *s, uint64_t offset, size_t len)
{
	ssize_t got = share_read(s->file, offset, s->there, len);
	int ret;

	if (got < 0)
		return (int)got;
	ret = want(s, offset, len);
	if (ret)
		return ret;
	return (size_t)got != len || memcmp(s->there, s->content, len) ? DIFFERENT : 0;
}

/* Below @range; for each job another one. FNV-1a. */
static uint64_t place(const char *tag, uint64_t range)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *tag; tag++)
		hash = (hash ^ (uint8_t)*tag) * 0x100000001b3;
	return hash % range;
}

/* Is what is there the content's, as far as two blocks of it tell? If not none of it counts. */
static int put_verify(struct session *s, struct share_stat *st)
{
	size_t len = st->size < SESSION_TAIL ? st->size : SESSION_TAIL;
	uint64_t below = st->size - len;
	int ret;

	s->step = SMB_AT_VERIFY;
	if (!len)
		return 0;
	ret = put_compare(s, below, len);
	if (!ret && below)
		ret = put_compare(s, place(s->start.tag, below), len);
	if (ret != DIFFERENT)
		return ret;
	st->size = 0;
	ret = share_truncate(s->file, 0);
	return ret ? ret : say_opened(s, st);
}

static int put_rest(struct session *s, uint64_t pos)
{
	struct smb_msg wrote = { .kind = SMB_WROTE };
	int64_t began;
	size_t len;
	int ret;

	s->step = SMB_AT_WRITE;
	while (pos < s->start.size) {
		len = s->start.size - pos < s->piece ? (size_t)(s->start.size - pos) : s->piece;
		ret = want(s, pos, len);
		if (ret)
			return ret;
		began = now_ms();
		ret = share_write(s->file, pos, s->content, len);
		if (ret)
			return ret;
		set_pace(s, now_ms() - began);
		pos += len;
		wrote.wrote = pos;
		ret = say(s, &wrote);
		if (ret)
			return ret;
	}
	return 0;
}

static int on_copied(uint64_t octets, void *arg)
{
	const struct smb_msg msg = { .kind = SMB_COPIED, .wrote = octets };

	return say(arg, &msg);
}

/* What the try before has left under its name, which is held, to ours. */
static int put_copy(struct session *s, struct share_stat *st)
{
	unsigned int nth = s->nth;
	struct share_file *from;
	struct share_stat old = { 0 };
	uint64_t len;
	int ret = share_open(s->share, set_temporary(s, nth - 1), SHARE_LOOK, &from);

	set_temporary(s, nth);
	if (ret)
		return ret;
	ret = share_fstat(from, &old);
	len = old.size < s->start.offset ? old.size : s->start.offset;
	if (!ret && len > st->size && old.size <= s->start.size) {
		ret = share_copy(from, s->file, len, on_copied, s);
		st->size = ret ? 0 : len;
		if (ret < 0 && !outlet_broken())
			ret = share_truncate(s->file, 0);
	}
	share_close(from);
	return ret;
}

static int put_open(struct session *s, struct share_stat *st)
{
	unsigned int nth = 0;
	int ret;

	s->step = SMB_AT_OPEN;
	do {
		ret = share_open(s->share, set_temporary(s, nth), SHARE_WRITE, &s->file);
	} while (ret == -EBUSY && ++nth < SESSION_TRIES);
	if (!ret)
		ret = share_fstat(s->file, st);
	if (!ret && nth)
		ret = put_copy(s, st);
	/* More than the cloud has given was made by the server, or is another file. */
	if (!ret && st->size > s->start.offset) {
		st->size = st->size > s->start.size ? 0 : s->start.offset;
		ret = share_truncate(s->file, st->size);
	}
	return ret;
}

static int put_content(struct session *s)
{
	struct share_stat st;
	int ret = put_open(s, &st);

	if (!ret)
		ret = say_opened(s, &st);
	if (!ret)
		ret = put_verify(s, &st);
	return ret ? ret : put_rest(s, st.size);
}

/* What earlier tries have left; with @all also this one's. */
static void put_tidy(struct session *s, bool all)
{
	unsigned int n = s->nth + all;

	while (n--)
		if (share_unlink(s->share, set_temporary(s, n)) == -EBUSY)
			share_empty(s->share, s->temporary);
}

static int put_close(struct session *s)
{
	struct share_stat st;
	int ret = share_fstat(s->file, &st);

	if (!ret && st.size != s->start.size)
		ret = -EIO;
	if (!ret) {
		ret = share_close(s->file);
		s->file = NULL;
	}
	return ret;
}

static int put_place(struct session *s)
{
	struct share_stat st;
	int ret;

	s->step = SMB_AT_RENAME;
	ret = share_stat(s->share, s->path, &st);
	if (!ret && st.dir)
		return -EISDIR;
	if (!ret && s->start.keep)
		return -EEXIST;
	return share_rename(s->share, s->temporary, s->path);
}

static int put(struct session *s)
{
	struct share_stat st;
	int ret;

	s->step = SMB_AT_RENAME;
	if (s->start.keep && !share_stat(s->share, s->path, &st))
		return -EEXIST;
	ret = put_room(s);
	if (!ret)
		ret = put_dirs(s);
	if (!ret)
		ret = put_content(s);
	if (!ret)
		ret = put_close(s);
	if (!ret)
		ret = put_place(s);
	if (s->file)
		share_close(s->file);
	s->file = NULL;
	/* Another try goes on with it; without one nobody would remove it. */
	if (!ret)
		put_tidy(s, false);
	else if (ret == -ECANCELED || (ret < 0 && smb_error_stands(s->step, ret)))
		put_tidy(s, true);
	return ret;
}

/* ---- get ---- */

static int get_content(struct session *s, uint64_t pos, uint64_t size)
{
	struct smb_msg data = { .kind = SMB_DATA };
	int64_t began;
	ssize_t got, done;
	int ret = 0;

	s->step = SMB_AT_READ;
	while (!ret && pos < size) {
		began = now_ms();
		got = share_read(s->file, pos, s->content,
				 size - pos < s->piece ? (size_t)(size - pos) : s->piece);
		if (got <= 0)
			return got ? (int)got : -EIO; /* it has become shorter */
		set_pace(s, now_ms() - began);
		for (done = 0; !ret && done < got; done += (ssize_t)data.data.len) {
			data.data.offset = pos + (uint64_t)done;
			data.data.p = s->content + done;
			data.data.len = (size_t)(got - done) < SMB_DATA_MAX ? (size_t)(got - done) :
									      SMB_DATA_MAX;
			ret = say(s, &data);
		}
		pos += (uint64_t)got;
	}
	return ret;
}

static int get(struct session *s)
{
	const struct smb_start *start = &s->start;
	struct share_stat st, after;
	int ret;

	s->step = SMB_AT_OPEN;
	ret = share_stat(s->share, s->path, &st);
	if (!ret && st.dir)
		ret = -EISDIR;
	if (!ret)
		ret = share_open(s->share, s->path, SHARE_READ, &s->file);
	if (!ret)
		ret = share_fstat(s->file, &st);
	if (ret)
		return ret;
	ret = say_opened(s, &st);
	if (!ret)
		ret = get_content(
			s, st.size == start->size && st.mtime == start->mtime ? start->offset : 0,
			st.size);
	if (!ret)
		ret = share_fstat(s->file, &after);
	if (!ret && (after.size != st.size || after.mtime != st.mtime))
		ret = -ESTALE;
	if (s->file)
		share_close(s->file);
	s->file = NULL;
	return ret;
}

/* ---- list ---- */

static int list_entry(const char *name, const struct share_stat *st, void *arg)
{
	struct smb_msg msg = { .kind = SMB_ENTRY,
			       .entry = { st->dir, st->dir ? 0 : st->size, st->mtime, name } };
	struct session *s = arg;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	/* Such a name cannot be asked for, either. */
	if (!smb_name_ok(name) || strchr(name, '/') || st->size > CONTENT_SIZE_MAX) {
		s->room++;
		return 0;
	}
	return say(s, &msg);
}

static int list(struct session *s)
{
	s->step = SMB_AT_LIST;
	return share_list(s->share, s->path, list_entry, s);
}

/* ---- all of it ---- */

static int transfer(struct session *s)
{
	int ret;

	s->step = SMB_AT_LOGIN;
	ret = share_login(s->share);
	if (ret)
		return ret;
	switch (s->start.op) {
	case SMB_PUT:
		return put(s);
	case SMB_GET:
		return get(s);
	default:
		return list(s);
	}
}

static int begin(struct session *s, int server, struct err *e)
{
	struct smb_msg msg;
	int ret;

	if (hear(s, s->message, &msg) || msg.kind != SMB_START)
		return err_set(e, -SHUNT_EPROTO, "the cloud did not say what to do");
	s->start = msg.start;
	s->piece = SESSION_PIECE_MIN;
	set_path(s);
	set_temporary(s, 0);
	ret = share_new(s->start.share, s->start.user, s->start.password, &s->share, e);
	explicit_bzero((char *)s->start.password, strlen(s->start.password));
	if (ret)
		return ret;
	outlet_set(server);
	return confine_end(e);
}

int session_run(int control, int server, struct err *e)
{
	struct smb_msg done = { .kind = SMB_DONE };
	struct session *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_sys(e, -ENOMEM, "session");
	s->control = control;
	s->step = SMB_AT_START;
	ret = begin(s, server, e);
	if (!ret)
		ret = transfer(s);
	if (ret != STOPPED) {
		/* Private codes are the start's, which has put them into @e. */
		done.done.error = ret < -4095 ? -EPROTO : ret;
		done.done.step = s->step;
		done.done.room = s->room;
		done.done.broken = ret && s->step != SMB_AT_START && outlet_broken();
		ret = say(s, &done);
	}
	share_free(s->share);
	explicit_bzero(s->message, sizeof(s->message));
	free(s);
	return ret == STOPPED ? err_set(e, -SHUNT_ECLOSED, "the cloud is gone") : 0;
}
