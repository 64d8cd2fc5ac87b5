// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/smbmsg.h"

#include <errno.h>
#include <string.h>

#include "lib/err.h"
#include "lib/types.h"
#include "lib/wire.h"

#define ERROR_MAX 4095 /* the kernel's MAX_ERRNO */

/* ---- strings ---- */

static void put_string(struct wire *w, const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len >= max) {
		wire_fail(w, -EMSGSIZE);
		return;
	}
	wire_put_be16(w, (uint16_t)len);
	wire_put(w, s, len + 1);
}

static const char *get_string(struct wire *w, size_t max)
{
	size_t len = wire_get_be16(w);
	const uint8_t *p = wire_get_ptr(w, len + 1);

	if (!p)
		return "";
	if (len >= max || p[len] || !utf8_ok((const char *)p, len)) {
		wire_fail(w, -SHUNT_EPARSE);
		return "";
	}
	return (const char *)p;
}

static bool get_bool(struct wire *w)
{
	uint8_t v = wire_get_u8(w);

	if (v > 1)
		wire_fail(w, -SHUNT_EPARSE);
	return v == 1;
}

static void check(struct wire *w, bool holds)
{
	if (!holds)
		wire_fail(w, -SHUNT_EPARSE);
}

/* ---- messages ---- */

static void put_start(struct wire *w, const struct smb_start *s)
{
	wire_put_u8(w, (uint8_t)s->op);
	wire_put_u8(w, s->keep);
	wire_put_be64(w, s->size);
	wire_put_be64(w, s->offset);
	wire_put_be64(w, (uint64_t)s->mtime);
	put_string(w, s->share, SMB_WORD_MAX);
	put_string(w, s->dir, SMB_NAME_MAX);
	put_string(w, s->name, SMB_NAME_MAX);
	put_string(w, s->tag, SMB_WORD_MAX);
	put_string(w, s->user, SMB_WORD_MAX);
	put_string(w, s->password, SMB_WORD_MAX);
}

static void get_start(struct wire *w, struct smb_start *s)
{
	uint8_t op = wire_get_u8(w);

	check(w, op >= SMB_PUT && op <= SMB_LIST);
	s->op = (enum smb_op)op;
	s->keep = get_bool(w);
	s->size = wire_get_be64(w);
	s->offset = wire_get_be64(w);
	s->mtime = (int64_t)wire_get_be64(w);
	s->share = get_string(w, SMB_WORD_MAX);
	s->dir = get_string(w, SMB_NAME_MAX);
	s->name = get_string(w, SMB_NAME_MAX);
	s->tag = get_string(w, SMB_WORD_MAX);
	s->user = get_string(w, SMB_WORD_MAX);
	s->password = get_string(w, SMB_WORD_MAX);
	check(w, s->size <= CONTENT_SIZE_MAX && s->offset <= CONTENT_SIZE_MAX);
	if (!w->error)
		check(w, smb_name_ok(s->share) && !strchr(s->share, '/') &&
				 (!*s->dir || smb_name_ok(s->dir)) &&
				 (smb_name_ok(s->name) || (op == SMB_LIST && !*s->name)) &&
				 (op != SMB_PUT || name_ok(s->tag)));
}

static void get_data(struct wire *w, struct smb_msg *msg)
{
	msg->data.offset = wire_get_be64(w);
	msg->data.len = wire_left(w);
	check(w, msg->data.len && msg->data.len <= SMB_DATA_MAX &&
			 msg->data.offset <= CONTENT_SIZE_MAX - msg->data.len);
	msg->data.p = wire_get_ptr(w, msg->data.len);
}

static void get_entry(struct wire *w, struct smb_msg *msg)
{
	msg->entry.dir = get_bool(w);
	msg->entry.size = wire_get_be64(w);
	msg->entry.mtime = (int64_t)wire_get_be64(w);
	msg->entry.name = get_string(w, SMB_NAME_MAX);
	if (!w->error)
		check(w, msg->entry.size <= CONTENT_SIZE_MAX && smb_name_ok(msg->entry.name) &&
				 !strchr(msg->entry.name, '/'));
}

static void get_done(struct wire *w, struct smb_msg *msg)
{
	uint8_t step = wire_get_u8(w);
	uint16_t error = wire_get_be16(w);

	check(w, step >= SMB_AT_START && step <= SMB_AT_LIST && error <= ERROR_MAX);
	msg->done.step = (enum smb_step)step;
	msg->done.error = -(int)error;
	msg->done.broken = get_bool(w);
	msg->done.room = wire_get_be64(w);
}

static void put_body(struct wire *w, const struct smb_msg *msg)
{
	switch (msg->kind) {
	case SMB_START:
		put_start(w, &msg->start);
		break;
	case SMB_DATA:
		wire_put_be64(w, msg->data.offset);
		wire_put(w, msg->data.p, msg->data.len);
		break;
	case SMB_ABORT:
		break;
	case SMB_OPENED:
		wire_put_be64(w, msg->opened.size);
		wire_put_be64(w, (uint64_t)msg->opened.mtime);
		break;
	case SMB_WANT:
		wire_put_be64(w, msg->want.offset);
		wire_put_be32(w, msg->want.len);
		break;
	case SMB_COPIED:
	case SMB_WROTE:
		wire_put_be64(w, msg->wrote);
		break;
	case SMB_ENTRY:
		wire_put_u8(w, msg->entry.dir);
		wire_put_be64(w, msg->entry.size);
		wire_put_be64(w, (uint64_t)msg->entry.mtime);
		put_string(w, msg->entry.name, SMB_NAME_MAX);
		break;
	case SMB_DONE:
		wire_put_u8(w, (uint8_t)msg->done.step);
		wire_put_be16(w, (uint16_t)-msg->done.error);
		wire_put_u8(w, msg->done.broken);
		wire_put_be64(w, msg->done.room);
		break;
	}
}

ssize_t smb_msg_encode(const struct smb_msg *msg, void *buf, size_t size)
{
	struct wire w;

	wire_writer(&w, buf, size < SMB_MSG_MAX ? size : SMB_MSG_MAX);
	wire_put_u8(&w, (uint8_t)msg->kind);
	put_body(&w, msg);
	return wire_error(&w) ? wire_error(&w) : (ssize_t)wire_used(&w);
}

static void get_body(struct wire *w, struct smb_msg *msg)
{
	switch (msg->kind) {
	case SMB_START:
		get_start(w, &msg->start);
		break;
	case SMB_DATA:
		get_data(w, msg);
		break;
	case SMB_ABORT:
		break;
	case SMB_OPENED:
		msg->opened.size = wire_get_be64(w);
		msg->opened.mtime = (int64_t)wire_get_be64(w);
		check(w, msg->opened.size <= CONTENT_SIZE_MAX);
		break;
	case SMB_WANT:
		msg->want.offset = wire_get_be64(w);
		msg->want.len = wire_get_be32(w);
		check(w, msg->want.len && msg->want.len <= SMB_WANT_MAX &&
				 msg->want.offset <= CONTENT_SIZE_MAX - msg->want.len);
		break;
	case SMB_COPIED:
	case SMB_WROTE:
		msg->wrote = wire_get_be64(w);
		check(w, msg->wrote <= CONTENT_SIZE_MAX);
		break;
	case SMB_ENTRY:
		get_entry(w, msg);
		break;
	case SMB_DONE:
		get_done(w, msg);
		break;
	default:
		wire_fail(w, -SHUNT_EPARSE);
	}
}

int smb_msg_decode(const void *buf, size_t len, struct smb_msg *out)
{
	struct wire w;

	if (len > SMB_MSG_MAX)
		return -SHUNT_EPARSE;
	wire_reader(&w, buf, len);
	memset(out, 0, sizeof(*out));
	out->kind = (enum smb_kind)wire_get_u8(&w);
	get_body(&w, out);
	return wire_done(&w) ? -SHUNT_EPARSE : 0;
}

/* ---- names ---- */

static bool segment_ok(const char *p, size_t len)
{
	if (!len || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
		return false;
	for (; len; p++, len--)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr("\\:*?\"<>|", *p))
			return false;
	return true;
}

bool smb_name_ok(const char *name)
{
	const char *p, *end;

	if (!utf8_ok(name, strlen(name)))
		return false;
	for (p = name;; p = end + 1) {
		end = strchrnul(p, '/');
		if (!segment_ok(p, (size_t)(end - p)))
			return false;
		if (!*end)
			return true;
	}
}

bool smb_path_split(const char *path, char share[SMB_WORD_MAX], const char **dir)
{
	const char *end;
	size_t len;

	if (path[0] != '/')
		return false;
	end = strchrnul(path + 1, '/');
	len = (size_t)(end - path - 1);
	if (!segment_ok(path + 1, len) || len >= SMB_WORD_MAX)
		return false;
	memcpy(share, path + 1, len);
	share[len] = '\0';
	*dir = *end ? end + 1 : end;
	return !**dir || smb_name_ok(*dir);
}

/* ---- errors ---- */

bool smb_error_stands(enum smb_step step, int error)
{
	switch (-error) {
	case EPERM:
		return step == SMB_AT_LOGIN;
	case EACCES:
	case EROFS:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EEXIST:
	case EISDIR:
	case ENOTDIR:
	case ENOENT:
	case ENAMETOOLONG:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}
