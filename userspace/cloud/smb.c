// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/smb.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/helper.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "lib/smbmsg.h"

#define NS_PER_MS 1000000

struct smb_call {
	struct share_call call;
	struct share_ops ops;
	void *arg;
	enum smb_op op;
	bool user; /* somebody in particular */
	bool abort, over; /* over: but for the timer that tells */
	struct helper *helper;
	struct loop_timer *timer;
	uint64_t size; /* put: of the content; get: of the file */
	uint64_t offset; /* get: what is here; put: what can be there at most */
	uint64_t had_size; /* get: of what that is */
	int64_t had_mtime, mtime;
	unsigned int opened; /* so often */
	uint64_t there; /* put: of what is gone on with */
	bool began; /* put: something behind that was asked for, or all is there */
	uint64_t next, end; /* put: to be given to the helper; get: next is what comes next */
	uint64_t copied, wrote;
	size_t entries;
	size_t out_len; /* a message that is still to go; 0: none */
	unsigned char out[SMB_MSG_MAX];
	int err;
	bool fatal;
	char code[32], text[512];
};

/* ---- results ---- */

static void set_result(struct smb_call *c, int err, bool fatal, const char *code, const char *text)
{
	c->err = err;
	c->fatal = fatal;
	snprintf(c->code, sizeof(c->code), "%s", code);
	snprintf(c->text, sizeof(c->text), "%s", text);
}

/* The helper is of no use any more; on_done follows, outside of the caller's stack. */
static void done(struct smb_call *c, int err, bool fatal, const char *code, const char *text)
{
	if (c->over)
		return;
	c->over = true;
	if (c->abort)
		set_result(c, -ECANCELED, false, "canceled", "canceled");
	else
		set_result(c, err, fatal, code, text);
	helper_free(c->helper);
	c->helper = NULL;
	secret_wipe(c->out, sizeof(c->out));
	loop_timer_set(c->timer, 0);
}

static void nonsense(struct smb_call *c)
{
	done(c, -SHUNT_EPROTO, true, "bad-answer",
	     "SMB: the process that speaks with the file server said what makes no sense");
}

static void spool_failed(struct smb_call *c, int err)
{
	char text[128];

	snprintf(text, sizeof(text), "SMB: the content here: %s", shunt_strerror(err));
	done(c, err, false, "spool-failed", text);
}

static const char *step_name(enum smb_step step)
{
	switch (step) {
	case SMB_AT_START:
		return "starting";
	case SMB_AT_LOGIN:
		return "logging in";
	case SMB_AT_SPACE:
		return "asking for space";
	case SMB_AT_MKDIR:
		return "making a directory";
	case SMB_AT_OPEN:
		return "opening the file";
	case SMB_AT_VERIFY:
		return "reading what is there of the file";
	case SMB_AT_READ:
		return "reading";
	case SMB_AT_WRITE:
		return "writing";
	case SMB_AT_RENAME:
		return "moving the file into its place";
	case SMB_AT_LIST:
		return "listing";
	}
	return "?";
}

/* What share.h calls an errno, and in a word or two why. */
static const struct {
	int err;
	const char *code, *why;
} meanings[] = {
	{ -EACCES, "not-allowed", "not allowed" },
	{ -EPERM, "not-allowed", "not allowed" },
	{ -EROFS, "not-allowed", "the share is read-only" },
	{ -ENOENT, "not-found", "there is no such file or directory" },
	{ -ENOSPC, "no-room", "no space left" },
	{ -EDQUOT, "no-room", "the quota is used up" },
	{ -EFBIG, "no-room", "the file is too large" },
	{ -EEXIST, "exists", "there is a file of that name already" },
	{ -EISDIR, "is-directory", "it is a directory" },
	{ -ENOTDIR, "not-directory", "it is no directory" },
	{ -ESTALE, "content-changed", "the file was changed while it came" },
	{ -EBUSY, "smb-error", "somebody has it open for writing" },
	{ -ENOMEM, "out-of-memory", "out of memory" },
	{ -ETIMEDOUT, "no-answer", "no answer" },
};

static void failed_login(struct smb_call *c, int err)
{
	if (err == -ENOENT)
		done(c, err, true, "not-found", "SMB: logging in: there is no such share");
	else if (c->user)
		done(c, err, true, "login-refused",
		     "SMB: logging in: the file server does not accept the name and password, or not for this share");
	else
		done(c, err, true, "login-refused",
		     "SMB: logging in: the file server wants a name and password, and the cloud has none for the device");
}

static void failed(struct smb_call *c, const struct smb_msg *msg)
{
	enum smb_step step = msg->done.step;
	const char *code = "smb-error", *why = shunt_strerror(msg->done.error);
	int err = msg->done.error;
	char text[256];

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].err == err) {
			code = meanings[i].code;
			why = meanings[i].why;
		}
	if (msg->done.broken) {
		snprintf(text, sizeof(text), "SMB: %s: the connection broke", step_name(step));
		done(c, err, false, "no-answer", text);
	} else if (step == SMB_AT_LOGIN && (err == -EACCES || err == -EPERM || err == -ENOENT)) {
		failed_login(c, err);
	} else if (step == SMB_AT_SPACE && err == -ENOSPC) {
		snprintf(text, sizeof(text),
			 "SMB: the file server has room for %" PRIu64
			 " bytes, the file has %" PRIu64,
			 msg->done.room, c->size);
		done(c, err, true, code, text);
	} else {
		snprintf(text, sizeof(text), "SMB: %s: %s", step_name(step), why);
		done(c, err, smb_error_stands(step, err), code, text);
	}
}

/* ---- what the helper says ---- */

static void say_event(struct smb_call *c, const char *event, const char *reason, const char *text)
{
	if (c->ops.on_event)
		c->ops.on_event(event, reason, text, c->arg);
}

/* What is there of it has proved to be its beginning. */
static void put_begins(struct smb_call *c)
{
	char text[96];

	c->began = true;
	if (!c->there)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " bytes are there from a try before",
		 c->there, c->size);
	say_event(c, "put-resumed", "", text);
	if (c->ops.on_progress)
		c->ops.on_progress(c->there, c->arg);
}

/* The file that is there, and from where on its content comes. */
static void get_begins(struct smb_call *c)
{
	char version[64], text[96];
	struct share_file file = { .size = c->size, .version = version, .type = "" };
	int ret;

	snprintf(version, sizeof(version), "%" PRIu64 "-%" PRId64, c->size, c->mtime);
	if (c->size == c->had_size && c->mtime == c->had_mtime)
		file.from = c->offset;
	c->next = file.from;
	snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " bytes are here already", c->next,
		 c->size);
	if (c->next)
		say_event(c, "get-resumed", "", text);
	ret = c->ops.on_file(&file, c->arg);
	if (ret)
		spool_failed(c, ret);
}

static void on_opened(struct smb_call *c, const struct smb_msg *msg)
{
	uint64_t size = msg->opened.size;

	c->opened++;
	if (c->op == SMB_GET && c->opened == 1) {
		c->size = size;
		c->mtime = msg->opened.mtime;
		get_begins(c);
	} else if (c->op == SMB_PUT && !c->began && size <= c->size && size <= c->offset &&
		   (c->opened == 1 || (c->opened == 2 && !size))) {
		c->there = size;
		if (c->opened == 2)
			say_event(
				c, "put-restarted", "",
				"what was there from a try before is not the beginning of the file");
	} else {
		nonsense(c);
	}
}

static void fill(struct smb_call *c);

static void on_want(struct smb_call *c, const struct smb_msg *msg)
{
	uint64_t from = msg->want.offset, to = from + msg->want.len;

	/* One range after the other; those before what is there are for looking at it. */
	if (c->op != SMB_PUT || !c->opened || c->next < c->end || to > c->size ||
	    (from >= c->there ? from != (c->began ? c->end : c->there) : c->began)) {
		nonsense(c);
		return;
	}
	if (from >= c->there && !c->began)
		put_begins(c);
	c->next = from;
	c->end = to;
	fill(c);
}

/* Only so that it is not given up for standing still. */
static void on_copied(struct smb_call *c, const struct smb_msg *msg)
{
	if (c->op != SMB_PUT || c->opened || msg->wrote <= c->copied || msg->wrote > c->size)
		nonsense(c);
	c->copied = msg->wrote;
}

static void on_wrote(struct smb_call *c, const struct smb_msg *msg)
{
	if (c->op != SMB_PUT || !c->began || msg->wrote <= c->wrote || msg->wrote > c->next) {
		nonsense(c);
		return;
	}
	c->wrote = msg->wrote;
	if (c->ops.on_progress)
		c->ops.on_progress(c->wrote, c->arg);
}

static void on_data(struct smb_call *c, const struct smb_msg *msg)
{
	int ret;

	if (c->op != SMB_GET || !c->opened || msg->data.offset != c->next ||
	    msg->data.len > c->size - c->next) {
		nonsense(c);
		return;
	}
	ret = c->ops.write(msg->data.offset, msg->data.p, msg->data.len, c->arg);
	c->next += msg->data.len;
	if (ret)
		spool_failed(c, ret);
	else if (c->ops.on_progress)
		c->ops.on_progress(c->next, c->arg);
}

static void on_entry(struct smb_call *c, const struct smb_msg *msg)
{
	char version[64] = "";
	const struct share_entry entry = {
		.name = msg->entry.name,
		.directory = msg->entry.dir,
		.size = msg->entry.dir ? CONTENT_SIZE_UNKNOWN : msg->entry.size,
		.modified = msg->entry.mtime / NS_PER_MS,
		.version = version,
	};
	int ret;

	if (c->op != SMB_LIST) {
		nonsense(c);
	} else if (++c->entries > SHARE_ENTRIES_MAX || strlen(entry.name) > SHARE_ENTRY_NAME_MAX) {
		done(c, -E2BIG, true, "too-many",
		     "SMB: listing: more entries than are taken, or longer ones");
	} else {
		if (!entry.directory)
			snprintf(version, sizeof(version), "%" PRIu64 "-%" PRId64, msg->entry.size,
				 msg->entry.mtime);
		ret = c->ops.on_entry(&entry, c->arg);
		if (ret == -EMSGSIZE)
			done(c, ret, true, "too-many",
			     "SMB: listing: the directory's entries are more than is taken");
		else if (ret)
			spool_failed(c, ret);
	}
}

static void on_over(struct smb_call *c, const struct smb_msg *msg)
{
	bool whole = c->op == SMB_LIST || c->opened;
	char text[96];

	if (msg->done.error) {
		failed(c, msg);
		return;
	}
	snprintf(text, sizeof(text),
		 "%" PRIu64 " entries have names that no job can have, and are left out",
		 msg->done.room);
	if (c->op == SMB_LIST && msg->done.room)
		say_event(c, "entries-left-out", "bad-name", text);
	if (c->op == SMB_PUT && !c->began && c->there == c->size)
		put_begins(c);
	if (c->op == SMB_PUT)
		whole = whole && c->began && (c->wrote == c->size || c->there == c->size);
	else if (c->op == SMB_GET)
		whole = whole && c->next == c->size;
	if (whole)
		done(c, 0, false, "", "");
	else
		nonsense(c);
}

static void on_message(const void *p, size_t len, void *arg)
{
	struct smb_call *c = arg;
	struct smb_msg msg;

	if (smb_msg_decode(p, len, &msg)) {
		nonsense(c);
		return;
	}
	/* After an abort the end is all that counts. */
	if (c->abort && msg.kind != SMB_DONE)
		return;
	if (!c->abort)
		loop_timer_set(c->timer, SHARE_STALL_S * 1000);
	switch (msg.kind) {
	case SMB_COPIED:
		on_copied(c, &msg);
		break;
	case SMB_OPENED:
		on_opened(c, &msg);
		break;
	case SMB_WANT:
		on_want(c, &msg);
		break;
	case SMB_WROTE:
		on_wrote(c, &msg);
		break;
	case SMB_DATA:
		on_data(c, &msg);
		break;
	case SMB_ENTRY:
		on_entry(c, &msg);
		break;
	case SMB_DONE:
		on_over(c, &msg);
		break;
	default:
		nonsense(c);
	}
}

/* ---- what the helper is told ---- */

/* False: it cannot go now, or not at all. */
static bool flush(struct smb_call *c)
{
	if (c->out_len && helper_send(c->helper, c->out, c->out_len))
		return false;
	if (c->out_len && !c->opened)
		secret_wipe(c->out, c->out_len); /* the first has the password */
	c->out_len = 0;
	return true;
}

static void put_message(struct smb_call *c, const struct smb_msg *msg)
{
	c->out_len = (size_t)smb_msg_encode(msg, c->out, sizeof(c->out));
}

/* The next octets of what it wants: a message with them. */
static int put_data(struct smb_call *c)
{
	static unsigned char buf[SMB_DATA_MAX];
	struct smb_msg msg = { .kind = SMB_DATA, .data = { .offset = c->next, .p = buf } };
	size_t len = c->end - c->next < sizeof(buf) ? (size_t)(c->end - c->next) : sizeof(buf);
	ssize_t got = c->ops.read(c->next, buf, len, c->arg);

	if (got <= 0)
		return got ? (int)got : -ENODATA;
	msg.data.len = (size_t)got;
	put_message(c, &msg);
	if (c->began && c->ops.on_wire)
		c->ops.on_wire(c->next, c->next + (uint64_t)got, c->arg);
	c->next += (uint64_t)got;
	return 0;
}

static void fill(struct smb_call *c)
{
	int ret;

	while (flush(c) && c->next < c->end) {
		ret = put_data(c);
		if (ret) {
			spool_failed(c, ret);
			return;
		}
	}
}

static void on_ready(void *arg)
{
	struct smb_call *c = arg;

	if (c->abort)
		flush(c);
	else
		fill(c);
}

static void on_end(int err, void *arg)
{
	struct smb_call *c = arg;
	char text[160];

	if (err == -EPIPE) {
		done(c, err, false, "no-answer",
		     "SMB: the process that speaks with the file server has ended before its time");
	} else {
		snprintf(text, sizeof(text), "SMB: connecting: %s", shunt_strerror(err));
		done(c, err, false,
		     err == -ETIMEDOUT	  ? "no-answer" :
		     err == -ECONNREFUSED ? "connect-failed" :
		     err == -ENOMEM	  ? "out-of-memory" :
					    "no-answer",
		     text);
	}
}

/* ---- calls ---- */

static void call_free(struct share_call *call)
{
	struct smb_call *c = (struct smb_call *)call;

	helper_free(c->helper);
	loop_timer_free(c->timer);
	secret_wipe(c->out, sizeof(c->out));
	free(c);
}

static void on_timer(void *arg)
{
	struct smb_call *c = arg;

	if (c->over) {
		c->ops.on_done(c->err, c->fatal, c->code, c->text, c->arg);
		call_free(&c->call);
	} else {
		done(c, -ETIMEDOUT, false, "no-answer",
		     "SMB: the file server did not answer for a minute");
	}
}

static void call_abort(struct share_call *call)
{
	struct smb_call *c = (struct smb_call *)call;
	const struct smb_msg msg = { .kind = SMB_ABORT };

	if (c->over || c->abort)
		return;
	c->abort = true;
	if (c->op != SMB_PUT || (c->out_len && !c->opened)) {
		done(c, -ECANCELED, false, "canceled", "canceled");
		return;
	}
	put_message(c, &msg);
	flush(c);
	loop_timer_set(c->timer, SMB_ABORT_MS);
}

/* @start but for where and as whom. */
static int call_new(const struct share_conf *conf, struct smb_start *start,
		    const struct share_ops *ops, void *arg, struct share_call **out)
{
	const struct helper_conf helper = {
		.loop = conf->loop,
		.program = conf->smb_helper,
		.address = conf->address,
		.source = conf->source,
		.port = conf->port,
	};
	static const struct helper_ops helper_ops = {
		.on_ready = on_ready,
		.on_message = on_message,
		.on_end = on_end,
	};
	struct smb_msg msg = { .kind = SMB_START };
	char share[SMB_WORD_MAX];
	struct smb_call *c;
	ssize_t len;
	int ret;

	if (!smb_path_split(conf->base, share, &start->dir))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->call.protocol = &smb_protocol;
	c->ops = *ops;
	c->arg = arg;
	c->op = start->op;
	c->user = conf->user;
	c->size = c->had_size = start->size;
	c->offset = start->offset;
	c->had_mtime = start->mtime;
	start->share = share;
	start->user = conf->user ? conf->user : "";
	start->password = conf->user ? conf->password : "";
	msg.start = *start;
	len = smb_msg_encode(&msg, c->out, sizeof(c->out));
	c->out_len = len < 0 ? 0 : (size_t)len;
	ret = len < 0 ? -ENAMETOOLONG : loop_timer_new(conf->loop, on_timer, c, &c->timer);
	if (!ret)
		ret = helper_new(&helper, &helper_ops, c, &c->helper);
	if (ret) {
		call_free(&c->call);
		return ret;
	}
	loop_timer_set(c->timer, SHARE_STALL_S * 1000);
	*out = &c->call;
	return 0;
}

static int put_new(const struct share_conf *conf, const struct share_put *what,
		   const struct share_ops *ops, void *arg, struct share_call **out)
{
	struct smb_start start = {
		.op = SMB_PUT,
		.keep = !what->clobber,
		.size = what->size,
		.offset = what->delivered,
		.name = what->name,
		.tag = what->tag,
	};

	return smb_name_ok(what->name) ? call_new(conf, &start, ops, arg, out) : -EINVAL;
}

static int get_new(const struct share_conf *conf, const struct share_get *what,
		   const struct share_ops *ops, void *arg, struct share_call **out)
{
	struct smb_start start = { .op = SMB_GET, .name = what->name, .tag = "" };

	if (!smb_name_ok(what->name))
		return -EINVAL;
	/* A version that is none of ours is none of this file. */
	if (what->from && what->version &&
	    sscanf(what->version, "%" SCNu64 "-%" SCNd64, &start.size, &start.mtime) == 2)
		start.offset = what->from;
	else
		start.size = 0;
	return call_new(conf, &start, ops, arg, out);
}

static int list_new(const struct share_conf *conf, const char *name, const struct share_ops *ops,
		    void *arg, struct share_call **out)
{
	struct smb_start start = { .op = SMB_LIST, .name = name, .tag = "" };

	return !*name || smb_name_ok(name) ? call_new(conf, &start, ops, arg, out) : -EINVAL;
}

const struct share_protocol smb_protocol = {
	.kind = SERVICE_SMB,
	.put = put_new,
	.get = get_new,
	.list = list_new,
	.abort = call_abort,
	.free = call_free,
};

int smb_default_helper(char *out, size_t size)
{
	return proc_beside("shunt-smb", out, size);
}
