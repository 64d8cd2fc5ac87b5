// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * smb: what the cloud makes of what its helper says. The helper is this program again: it finds itself with no arguments and the
 * name "shunt-helper", and plays the part that the file's name asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "netkit.h"

#include "cloud/helper.h"
#include "cloud/smb.h"
#include "lib/smbmsg.h"

#define SIZE 300000u
#define THERE 200000u /* of a try before */
#define MTIME 1795715687779401200
#define VERSION "300000-1795715687779401200"

static uint8_t pattern(uint64_t offset)
{
	return (uint8_t)(offset * 2654435761u >> 13);
}

/* ---- the helper ---- */

static unsigned char in[SMB_MSG_MAX], out[SMB_MSG_MAX];

static void say(const struct smb_msg *msg)
{
	ssize_t n = smb_msg_encode(msg, out, sizeof(out));

	if (n < 0 || send(SMB_FD_CONTROL, out, (size_t)n, MSG_NOSIGNAL) != n)
		_exit(1);
}

static void hear(struct smb_msg *msg)
{
	ssize_t n = recv(SMB_FD_CONTROL, in, sizeof(in), 0);

	if (n <= 0 || smb_msg_decode(in, (size_t)n, msg))
		_exit(2);
}

static void over(enum smb_step step, int error, bool broken)
{
	say(&(struct smb_msg){ .kind = SMB_DONE, .done = { step, error, broken, 7 } });
}

static void opened(uint64_t size)
{
	say(&(struct smb_msg){ .kind = SMB_OPENED, .opened = { size, MTIME } });
}

static void ask(uint64_t from, uint64_t to)
{
	say(&(struct smb_msg){ .kind = SMB_WANT, .want = { from, (uint32_t)(to - from) } });
}

static void wrote(uint64_t to)
{
	say(&(struct smb_msg){ .kind = SMB_WROTE, .wrote = to });
}

/* Asks for it, and looks at every octet. */
static void take(uint64_t from, uint64_t to)
{
	struct smb_msg msg;

	ask(from, to);
	while (from < to) {
		hear(&msg);
		if (msg.kind == SMB_ABORT) {
			over(SMB_AT_WRITE, -ECANCELED, false);
			_exit(0);
		}
		if (msg.kind != SMB_DATA || msg.data.offset != from || msg.data.len > to - from)
			_exit(3);
		for (size_t i = 0; i < msg.data.len; i++, from++)
			if (((const uint8_t *)msg.data.p)[i] != pattern(from))
				_exit(4);
	}
}

static void take_all(uint64_t from, uint64_t to)
{
	for (; from < to; from += 100000) {
		take(from, from + 100000);
		wrote(from + 100000);
	}
	over(SMB_AT_RENAME, 0, false);
}

static void give(uint64_t from, size_t len)
{
	static uint8_t content[SMB_DATA_MAX];

	for (size_t i = 0; i < len; i++)
		content[i] = pattern(from + i);
	say(&(struct smb_msg){ .kind = SMB_DATA, .data = { from, content, len } });
}

static void give_all(uint64_t from)
{
	size_t len;

	for (; from < SIZE; from += len) {
		len = SIZE - from < SMB_DATA_MAX ? (size_t)(SIZE - from) : SMB_DATA_MAX;
		give(from, len);
	}
	over(SMB_AT_READ, 0, false);
}

static void entry(const char *name, bool dir)
{
	say(&(struct smb_msg){ .kind = SMB_ENTRY, .entry = { dir, dir ? 0 : 5, MTIME, name } });
}

/* Nothing is closed to a helper but what it is given. */
static bool alone(void)
{
	for (int fd = 0; fd < 256; fd++)
		if (fd != SMB_FD_CONTROL && fd != SMB_FD_SERVER && fd > 2 &&
		    fcntl(fd, F_GETFD) >= 0)
			return false;
	return !environ[0];
}

/* Connected once and for all: not one of which the kernel thinks that it is still connecting, which can be had to go elsewhere. */
static bool settled(void)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	return !getpeername(SMB_FD_SERVER, (struct sockaddr *)&sa, &len) &&
	       connect(SMB_FD_SERVER, (struct sockaddr *)&sa, len) < 0 && errno == EISCONN;
}

static void play_put(const struct smb_start *start, const char *part)
{
	if (!strcmp(part, "whole")) {
		if (start->keep || strcmp(start->share, "files") || strcmp(start->dir, "in") ||
		    strcmp(start->user, "joe") || strcmp(start->password, "secret") || !alone() ||
		    !settled())
			_exit(5);
		opened(0);
		take_all(0, SIZE);
	} else if (!strcmp(part, "resumed")) {
		if (start->offset != THERE)
			_exit(7);
		say(&(struct smb_msg){ .kind = SMB_COPIED, .wrote = THERE / 2 });
		say(&(struct smb_msg){ .kind = SMB_COPIED, .wrote = THERE });
		opened(THERE);
		take(THERE - 1000, THERE);
		take_all(THERE, SIZE);
	} else if (!strcmp(part, "there")) {
		opened(SIZE);
		take(SIZE - 1000, SIZE);
		over(SMB_AT_RENAME, 0, false);
	} else if (!strcmp(part, "restarted")) {
		opened(THERE);
		take(THERE - 1000, THERE);
		opened(0);
		take_all(0, SIZE);
	} else if (!strcmp(part, "kept")) {
		over(SMB_AT_RENAME, start->keep ? -EEXIST : 0, false);
	} else if (!strcmp(part, "login")) {
		over(SMB_AT_LOGIN, -EACCES, false);
	} else if (!strcmp(part, "no-share")) {
		over(SMB_AT_LOGIN, -ENOENT, false);
	} else if (!strcmp(part, "full")) {
		over(SMB_AT_SPACE, -ENOSPC, false);
	} else if (!strcmp(part, "broken")) {
		opened(0);
		take(0, 1000);
		over(SMB_AT_WRITE, -ENOENT, true);
	} else if (!strcmp(part, "busy")) {
		over(SMB_AT_OPEN, -EBUSY, false);
	} else if (!strcmp(part, "waits")) {
		opened(0);
		take(0, 1000);
		wrote(1000);
		while (poll(&(struct pollfd){ SMB_FD_CONTROL, POLLIN, 0 }, 1, -1) < 0)
			;
		take(1000, 2000);
	} else if (!strcmp(part, "dies")) {
		opened(0);
	}
}

/* What a helper says that a hostile server has taken over. */
static void play_evil(unsigned int n)
{
	switch (n) {
	case 0: /* no message at all */
		send(SMB_FD_CONTROL, "\xff", 1, 0);
		break;
	case 1: /* too long */
		memset(out, 0, sizeof(out));
		send(SMB_FD_CONTROL, out, sizeof(out), 0);
		break;
	case 2: /* of the other side */
		say(&(struct smb_msg){ .kind = SMB_ABORT });
		break;
	case 3:
		ask(0, 1);
		break;
	case 4: /* more than there is */
		opened(SIZE + 1);
		break;
	case 5:
		opened(0);
		ask(SIZE - 1, SIZE + 1);
		break;
	case 6: /* not from where it said */
		opened(0);
		ask(1, 2);
		break;
	case 7: /* once more */
		opened(0);
		take(0, 1000);
		ask(0, 1000);
		break;
	case 8:
		opened(0);
		take(0, 1000);
		ask(2000, 3000);
		break;
	case 9: /* before the first has come */
		opened(0);
		ask(0, SIZE);
		ask(0, SIZE);
		break;
	case 10: /* more than it was given */
		opened(0);
		take(0, 1000);
		wrote(1001);
		break;
	case 11: /* backwards */
		opened(0);
		take(0, 1000);
		wrote(1000);
		wrote(1000);
		break;
	case 12: /* done, with nothing */
		over(SMB_AT_RENAME, 0, false);
		break;
	case 13:
		opened(0);
		take(0, 1000);
		over(SMB_AT_RENAME, 0, false);
		break;
	case 14:
		opened(THERE);
		opened(THERE);
		break;
	case 15: /* again, after content was sent */
		opened(THERE);
		take(THERE, THERE + 1000);
		opened(0);
		break;
	case 16:
		opened(0);
		give(0, 1);
		break;
	case 17: /* for ever */
		say(&(struct smb_msg){ .kind = SMB_COPIED, .wrote = 1 });
		say(&(struct smb_msg){ .kind = SMB_COPIED, .wrote = 1 });
		break;
	case 18:
		say(&(struct smb_msg){ .kind = SMB_COPIED, .wrote = SIZE + 1 });
		break;
	case 19:
		opened(0);
		say(&(struct smb_msg){ .kind = SMB_COPIED, .wrote = 1 });
		break;
	default:
		entry("a", false);
		break;
	}
	pause();
}
#define EVILS 21

static void play_get(const struct smb_start *start, const char *part)
{
	if (!strcmp(part, "whole")) {
		opened(SIZE);
		give_all(0);
	} else if (!strcmp(part, "resumed")) {
		opened(SIZE);
		give_all(start->size == SIZE && start->mtime == MTIME ? start->offset : 0);
	} else if (!strcmp(part, "changed")) {
		opened(SIZE);
		give(0, 10);
		over(SMB_AT_READ, -ESTALE, false);
	} else if (!strcmp(part, "beyond")) {
		opened(5);
		give(0, 6);
	} else if (!strcmp(part, "gap")) {
		opened(SIZE);
		give(1, 6);
	} else if (!strcmp(part, "short")) {
		opened(SIZE);
		give(0, 10);
		over(SMB_AT_READ, 0, false);
	} else if (!strcmp(part, "twice")) {
		opened(SIZE);
		opened(SIZE);
	}
	pause();
}

static void play_list(const char *part)
{
	unsigned int i;

	if (!strcmp(part, "many"))
		for (i = 0; i <= SHARE_ENTRIES_MAX; i++)
			entry("x", false);
	entry("a.bin", false);
	entry("dir", true);
	over(SMB_AT_LIST, 0, false);
}

static int play(void)
{
	struct smb_msg msg;
	char part[64];
	int evil;

	hear(&msg);
	if (msg.kind != SMB_START)
		return 6;
	snprintf(part, sizeof(part), "%s", msg.start.name);
	if (msg.start.op == SMB_GET)
		play_get(&msg.start, part);
	else if (msg.start.op == SMB_LIST)
		play_list(part);
	else if (sscanf(part, "evil-%d", &evil) == 1)
		play_evil((unsigned int)evil);
	else
		play_put(&msg.start, part);
	return 0;
}

/* ---- the cloud ---- */

struct result {
	struct loop *loop;
	struct share_conf conf;
	struct share_ops ops;
	int listener;
	uint64_t wire_from, wire_to, progress, from, next;
	char events[256], entries[256], version[64];
	unsigned int n_entries;
	uint64_t delivered; /* by a try before */
	int read_error, write_error, entry_error;
	bool done, fatal;
	int err;
	char code[64], text[512];
};

static ssize_t on_read(uint64_t offset, void *buf, size_t len, void *arg)
{
	struct result *r = arg;

	if (r->read_error)
		return r->read_error;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = pattern(offset + i);
	return (ssize_t)len;
}

static void on_wire(uint64_t from, uint64_t to, void *arg)
{
	struct result *r = arg;

	if (!r->wire_to)
		r->wire_from = from;
	else
		assert_int_equal(from, r->wire_to);
	r->wire_to = to;
}

static void on_progress(uint64_t octets, void *arg)
{
	struct result *r = arg;

	assert_true(octets >= r->progress);
	r->progress = octets;
}

static int on_file(const struct share_file *file, void *arg)
{
	struct result *r = arg;

	r->from = r->next = file->from;
	snprintf(r->version, sizeof(r->version), "%s", file->version);
	return 0;
}

static int on_write(uint64_t offset, const void *data, size_t len, void *arg)
{
	struct result *r = arg;

	assert_int_equal(offset, r->next);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(((const uint8_t *)data)[i], pattern(offset + i));
	r->next += len;
	return r->write_error;
}

static int on_entry(const struct share_entry *e, void *arg)
{
	struct result *r = arg;

	if (r->entry_error)
		return r->entry_error;
	if (++r->n_entries <= 2)
		sprintf(r->entries + strlen(r->entries), "%s%s %lld %s|", e->name,
			e->directory ? "/" : "", e->directory ? -1 : (long long)e->size,
			e->version);
	return 0;
}

static void on_event(const char *event, const char *reason, const char *text, void *arg)
{
	struct result *r = arg;

	assert_string_equal(reason, strcmp(event, "entries-left-out") ? "" : "bad-name");
	assert_true(strlen(text) > 10);
	strcat(strcat(r->events, event), "|");
}

static void on_done(int err, bool fatal, const char *code, const char *text, void *arg)
{
	struct result *r = arg;

	assert_false(r->done);
	r->done = true;
	r->err = err;
	r->fatal = fatal;
	snprintf(r->code, sizeof(r->code), "%s", code);
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static int setup(void **state)
{
	static struct result r;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);

	memset(&r, 0, sizeof(r));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(loop_new(&r.loop), 0);
	r.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r.listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(r.listener, 64), 0);
	assert_int_equal(getsockname(r.listener, (struct sockaddr *)&sin, &len), 0);
	r.conf = (struct share_conf){
		.loop = r.loop,
		.port = ntohs(sin.sin_port),
		.base = "/files/in",
		.user = "joe",
		.password = "secret",
		.smb_helper = "/proc/self/exe",
	};
	addr_parse("127.0.0.1", &r.conf.address);
	addr_parse("127.0.0.1", &r.conf.source);
	r.ops = (struct share_ops){
		.read = on_read,
		.on_wire = on_wire,
		.on_progress = on_progress,
		.on_file = on_file,
		.write = on_write,
		.on_entry = on_entry,
		.on_event = on_event,
		.on_done = on_done,
	};
	*state = &r;
	return 0;
}

static int teardown(void **state)
{
	struct result *r = *state;

	close(r->listener);
	loop_free(r->loop);
	return 0;
}

static struct share_call *begin(struct result *r, const char *part)
{
	const struct share_put what = {
		.name = part,
		.tag = "0123456789abcdef0123456789abcdef",
		.size = SIZE,
		.delivered = r->delivered,
		.clobber = strcmp(part, "kept"),
	};
	struct share_call *call;

	assert_int_equal(smb_protocol.put(&r->conf, &what, &r->ops, r, &call), 0);
	return call;
}

static void put(struct result *r, const char *part)
{
	begin(r, part);
	kit_until(r->loop, &r->done);
}

static void get(struct result *r, const char *part, uint64_t from, const char *version)
{
	const struct share_get what = { part, from, SIZE, version };
	struct share_call *call;

	assert_int_equal(smb_protocol.get(&r->conf, &what, &r->ops, r, &call), 0);
	kit_until(r->loop, &r->done);
}

static void check(const struct result *r, int err, bool fatal, const char *code)
{
	assert_string_equal(r->code, code);
	assert_int_equal(r->err, err);
	assert_int_equal(r->fatal, fatal);
}

static void a_file_is_put(void **state)
{
	struct result *r = *state;

	put(r, "whole");
	check(r, 0, false, "");
	assert_int_equal(r->wire_from, 0);
	assert_int_equal(r->wire_to, SIZE);
	assert_int_equal(r->progress, SIZE);
	assert_string_equal(r->events, "");
}

static void what_is_there_is_gone_on_with(void **state)
{
	struct result *r = *state;

	r->delivered = THERE;
	put(r, "resumed");
	check(r, 0, false, "");
	assert_int_equal(r->wire_from, THERE);
	assert_int_equal(r->progress, SIZE);
	assert_string_equal(r->events, "put-resumed|");
}

static void all_of_it_may_be_there(void **state)
{
	struct result *r = *state;

	r->delivered = SIZE;
	put(r, "there");
	check(r, 0, false, "");
	assert_int_equal(r->wire_to, 0);
	assert_int_equal(r->progress, SIZE);
}

/* The file may be longer than what was ever given: nobody goes on behind that. */
static void no_more_is_there_than_was_sent(void **state)
{
	struct result *r = *state;

	r->delivered = SIZE - 1;
	put(r, "there");
	check(r, -SHUNT_EPROTO, true, "bad-answer");
	assert_int_equal(r->progress, 0);
}

static void what_is_there_may_be_wrong(void **state)
{
	struct result *r = *state;

	r->delivered = THERE;
	put(r, "restarted");
	check(r, 0, false, "");
	assert_int_equal(r->wire_from, 0);
	assert_int_equal(r->wire_to, SIZE);
	assert_string_equal(r->events, "put-restarted|");
}

static void refusals_have_names(void **state)
{
	static const struct {
		const char *part;
		int err;
		bool fatal;
		const char *code, *text;
	} cases[] = {
		{ "kept", -EEXIST, true, "exists",
		  "SMB: moving the file into its place: there is" },
		{ "login", -EACCES, true, "login-refused",
		  "does not accept the name and password" },
		{ "no-share", -ENOENT, true, "not-found", "no such share" },
		{ "full", -ENOSPC, true, "no-room", "room for 7 bytes, the file has 300000" },
		{ "broken", -ENOENT, false, "no-answer", "SMB: writing: the connection broke" },
		{ "busy", -EBUSY, false, "smb-error",
		  "SMB: opening the file: somebody has it open" },
		{ "dies", -EPIPE, false, "no-answer", "has ended before its time" },
	};
	struct result *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		r->done = false;
		r->wire_to = r->progress = 0;
		put(r, cases[i].part);
		check(r, cases[i].err, cases[i].fatal, cases[i].code);
		assert_non_null(strstr(r->text, cases[i].text));
	}
	r->conf.user = r->conf.password = NULL;
	r->done = false;
	put(r, "login");
	assert_non_null(strstr(r->text, "wants a name and password"));
}

static void a_captured_helper_is_not_believed(void **state)
{
	struct result *r = *state;
	char part[16];

	r->delivered = SIZE;
	for (unsigned int i = 0; i < EVILS; i++) {
		snprintf(part, sizeof(part), "evil-%u", i);
		r->done = false;
		r->wire_to = r->progress = 0;
		put(r, part);
		check(r, -SHUNT_EPROTO, true, "bad-answer");
	}
}

static void an_abort_is_waited_for(void **state)
{
	struct result *r = *state;
	struct share_call *call = begin(r, "waits");

	KIT_UNTIL(r->loop, r->progress == 1000);
	share_abort(call);
	share_abort(call);
	kit_until(r->loop, &r->done);
	check(r, -ECANCELED, false, "canceled");
	assert_int_equal(r->wire_to, 1000);
	/* before there is anybody to ask */
	r->done = false;
	share_abort(begin(r, "whole"));
	assert_false(r->done);
	kit_until(r->loop, &r->done);
	check(r, -ECANCELED, false, "canceled");
}

/* Its helper is killed; nobody is told. */
static void it_is_forgotten_at_once(void **state)
{
	struct result *r = *state;
	struct share_call *call = begin(r, "waits");

	KIT_UNTIL(r->loop, r->progress == 1000);
	share_free(call);
	kit_settle(r->loop);
	assert_false(r->done);
	share_free(NULL);
}

static void a_file_is_got(void **state)
{
	struct result *r = *state;

	get(r, "whole", 0, NULL);
	check(r, 0, false, "");
	assert_int_equal(r->next, SIZE);
	assert_int_equal(r->progress, SIZE);
	assert_string_equal(r->version, VERSION);
	r->done = false;
	r->progress = 0;
	get(r, "resumed", THERE, VERSION);
	check(r, 0, false, "");
	assert_int_equal(r->from, THERE);
	assert_int_equal(r->next, SIZE);
	assert_string_equal(r->events, "get-resumed|");
	/* it is another file now */
	r->done = false;
	r->progress = 0;
	get(r, "resumed", THERE, "300000-5");
	check(r, 0, false, "");
	assert_int_equal(r->from, 0);
	assert_int_equal(r->next, SIZE);
}

static void a_get_that_makes_no_sense(void **state)
{
	static const char *const parts[] = { "beyond", "gap", "short", "twice" };
	struct result *r = *state;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		r->done = false;
		r->progress = 0;
		get(r, parts[i], 0, NULL);
		check(r, -SHUNT_EPROTO, true, "bad-answer");
	}
	r->done = false;
	r->progress = 0;
	get(r, "changed", 0, NULL);
	check(r, -ESTALE, false, "content-changed");
}

static void what_goes_wrong_here(void **state)
{
	struct result *r = *state;

	r->read_error = -EIO;
	put(r, "whole");
	check(r, -EIO, false, "spool-failed");
	r->done = false;
	r->write_error = -ENOSPC;
	get(r, "whole", 0, NULL);
	check(r, -ENOSPC, false, "spool-failed");
}

static void a_directory_is_listed(void **state)
{
	struct result *r = *state;
	struct share_call *call;

	assert_int_equal(smb_protocol.list(&r->conf, "", &r->ops, r, &call), 0);
	kit_until(r->loop, &r->done);
	check(r, 0, false, "");
	assert_string_equal(r->entries, "a.bin 5 5-1795715687779401200|dir/ -1 |");
	assert_string_equal(r->events, "entries-left-out|"); /* 7, as over() says */
	r->done = false;
	r->n_entries = 0;
	assert_int_equal(smb_protocol.list(&r->conf, "many", &r->ops, r, &call), 0);
	kit_until(r->loop, &r->done);
	check(r, -E2BIG, true, "too-many");
	assert_int_equal(r->n_entries, SHARE_ENTRIES_MAX);
	/* or longer than there is place for it: another try would be no shorter */
	r->done = false;
	r->entry_error = -EMSGSIZE;
	assert_int_equal(smb_protocol.list(&r->conf, "", &r->ops, r, &call), 0);
	kit_until(r->loop, &r->done);
	check(r, -EMSGSIZE, true, "too-many");
	r->done = false;
	r->entry_error = -ENOSPC;
	assert_int_equal(smb_protocol.list(&r->conf, "", &r->ops, r, &call), 0);
	kit_until(r->loop, &r->done);
	check(r, -ENOSPC, false, "spool-failed");
}

static void nobody_listens(void **state)
{
	struct result *r = *state;

	close(r->listener);
	r->listener = -1;
	put(r, "whole");
	check(r, -ECONNREFUSED, false, "connect-failed");
}

static void there_is_no_helper(void **state)
{
	struct result *r = *state;

	r->conf.smb_helper = "/nonexistent/shunt-smb";
	put(r, "whole");
	check(r, -ENOENT, false, "no-answer");
}

static void names_it_does_not_have(void **state)
{
	const struct share_put what = { .name = "a:b", .tag = "t", .size = 1 };
	const struct share_get file = { .name = "a\\b" };
	struct result *r = *state;
	struct share_call *call;
	char path[512], small[8];

	assert_int_equal(smb_protocol.put(&r->conf, &what, &r->ops, r, &call), -EINVAL);
	assert_int_equal(smb_protocol.get(&r->conf, &file, &r->ops, r, &call), -EINVAL);
	assert_int_equal(smb_protocol.list(&r->conf, "..", &r->ops, r, &call), -EINVAL);
	r->conf.base = "/";
	assert_int_equal(smb_protocol.list(&r->conf, "a", &r->ops, r, &call), -EINVAL);
	assert_int_equal(smb_default_helper(path, sizeof(path)), 0);
	assert_string_equal(strrchr(path, '/'), "/shunt-smb");
	assert_int_equal(smb_default_helper(small, sizeof(small)), -ENAMETOOLONG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_put),	      TEST(what_is_there_is_gone_on_with),
		TEST(all_of_it_may_be_there), TEST(what_is_there_may_be_wrong),
		TEST(refusals_have_names),    TEST(a_captured_helper_is_not_believed),
		TEST(an_abort_is_waited_for), TEST(it_is_forgotten_at_once),
		TEST(a_file_is_got),	      TEST(a_get_that_makes_no_sense),
		TEST(what_goes_wrong_here),   TEST(a_directory_is_listed),
		TEST(nobody_listens),	      TEST(there_is_no_helper),
		TEST(names_it_does_not_have), TEST(no_more_is_there_than_was_sent),
	};

	if (argc == 1 && !strcmp(argv[0], "shunt-helper"))
		_exit(play());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
