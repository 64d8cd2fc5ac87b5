// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * session: what of a file that is there from a try before a put goes on with, and what of a directory is told. The share is one of this program's own (share.h): one
 * temporary file, in memory; the cloud is the other end of the pair.
 */
#include "smb/session.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "smb/confine.h"
#include "smb/share.h"

#define SIZE ((size_t)1 << 20)
#define HALF (SIZE / 2)
#define TAG "0123456789abcdef0123456789abcdef"

/* Shared with the child that is shunt-smb. */
static struct {
	bool whole; /* it is in its place */
	size_t size;
	uint8_t octets[SIZE];
} * file;
static uint8_t content[SIZE];

/* ---- the share ---- */

struct share {
	int unused;
};

int confine_end(struct err *e)
{
	(void)e;
	return 0;
}

int share_new(const char *name, const char *user, const char *password, struct share **out,
	      struct err *e)
{
	(void)name;
	(void)user;
	(void)password;
	(void)e;
	*out = NULL;
	return 0;
}

void share_free(struct share *s)
{
	(void)s;
}

int share_login(struct share *s)
{
	(void)s;
	return 0;
}

int share_stat(struct share *s, const char *path, struct share_stat *out)
{
	(void)s;
	(void)path;
	(void)out;
	return -ENOENT;
}

int share_room(struct share *s, const char *path, uint64_t *out)
{
	(void)s;
	(void)path;
	*out = SHARE_ROOM_UNKNOWN;
	return 0;
}

int share_mkdir(struct share *s, const char *path)
{
	(void)s;
	(void)path;
	return 0;
}

int share_unlink(struct share *s, const char *path)
{
	(void)s;
	(void)path;
	return 0;
}

int share_empty(struct share *s, const char *path)
{
	(void)s;
	(void)path;
	return -ENOENT;
}

int share_rename(struct share *s, const char *from, const char *to)
{
	(void)s;
	file->whole = !strcmp(from, "dir/.shunt-" TAG ".part") && !strcmp(to, "dir/name");
	return 0;
}

int share_list(struct share *s, const char *path,
	       int (*entry)(const char *name, const struct share_stat *st, void *arg), void *arg)
{
	static const char *const names[] = { ".", "..", "a", "b:c", "d\\e", "\xff" };
	const struct share_stat st = { .size = 1 };
	int ret = 0;

	(void)s;
	(void)path;
	for (size_t i = 0; !ret && i < sizeof(names) / sizeof(names[0]); i++)
		ret = entry(names[i], &st, arg);
	return ret;
}

int share_open(struct share *s, const char *path, enum share_use use, struct share_file **out)
{
	(void)s;
	(void)path;
	*out = (struct share_file *)file;
	return use == SHARE_WRITE ? 0 : -ENOENT;
}

int share_close(struct share_file *f)
{
	(void)f;
	return 0;
}

int share_fstat(struct share_file *f, struct share_stat *out)
{
	(void)f;
	*out = (struct share_stat){ .size = file->size };
	return 0;
}

int share_truncate(struct share_file *f, uint64_t size)
{
	(void)f;
	file->size = size;
	return 0;
}

int share_copy(struct share_file *from, struct share_file *to, uint64_t len,
	       int (*progress)(uint64_t octets, void *arg), void *arg)
{
	(void)from;
	(void)to;
	(void)len;
	(void)progress;
	(void)arg;
	return -EIO;
}

ssize_t share_read(struct share_file *f, uint64_t offset, void *buf, size_t len)
{
	(void)f;
	if (offset >= file->size)
		return 0;
	if (len > file->size - offset)
		len = file->size - offset;
	memcpy(buf, file->octets + offset, len);
	return (ssize_t)len;
}

int share_write(struct share_file *f, uint64_t offset, const void *buf, size_t len)
{
	(void)f;
	assert_true(offset <= file->size);
	memcpy(file->octets + offset, buf, len);
	if (file->size < offset + len)
		file->size = offset + len;
	return 0;
}

/* ---- the cloud ---- */

static uint8_t in[SMB_MSG_MAX], out[SMB_MSG_MAX];

static void say(int fd, const struct smb_msg *msg)
{
	ssize_t n = smb_msg_encode(msg, out, sizeof(out));

	assert_true(n > 0);
	assert_int_equal(send(fd, out, (size_t)n, MSG_NOSIGNAL), n);
}

static void give(int fd, uint64_t offset, size_t len)
{
	struct smb_msg msg = { .kind = SMB_DATA };
	size_t done;

	for (done = 0; done < len; done += msg.data.len) {
		msg.data.offset = offset + done;
		msg.data.p = content + offset + done;
		msg.data.len = len - done < SMB_DATA_MAX ? len - done : SMB_DATA_MAX;
		say(fd, &msg);
	}
}

/* shunt-smb, told to do that; our end of the pair. */
static int start(enum smb_op op, uint64_t delivered, pid_t *pid)
{
	const struct smb_msg msg = { .kind = SMB_START,
				     .start = { .op = op,
						.size = SIZE,
						.offset = delivered,
						.share = "share",
						.dir = "dir",
						.name = "name",
						.tag = TAG,
						.user = "",
						.password = "" } };
	struct err e = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	*pid = fork();
	if (!*pid) {
		close(pair[0]);
		_exit(session_run(pair[1], pair[1], &e) ? 1 : 0);
	}
	close(pair[1]);
	say(pair[0], &msg);
	return pair[0];
}

static void hear(int fd, struct smb_msg *msg)
{
	ssize_t n = recv(fd, in, sizeof(in), 0);

	assert_true(n > 0);
	assert_int_equal(smb_msg_decode(in, (size_t)n, msg), 0);
}

static void end(int fd, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
}

/* A put of which @delivered is known to have come. Where it says that it goes on, the last time that it does. */
static uint64_t put(uint64_t delivered)
{
	uint64_t from = UINT64_MAX;
	struct smb_msg msg;
	pid_t pid;
	int fd = start(SMB_PUT, delivered, &pid);

	do {
		hear(fd, &msg);
		if (msg.kind == SMB_OPENED)
			from = msg.opened.size;
		else if (msg.kind == SMB_WANT)
			give(fd, msg.want.offset, msg.want.len);
	} while (msg.kind != SMB_DONE);
	assert_int_equal(msg.done.error, 0);
	end(fd, pid);
	assert_true(file->whole);
	assert_int_equal(file->size, SIZE);
	assert_memory_equal(file->octets, content, SIZE);
	return from;
}

/* The first @right octets are the content's, and zeros follow. */
static void leave(size_t size, size_t right)
{
	memset(file, 0, sizeof(*file));
	memcpy(file->octets, content, right);
	file->size = size;
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(i * 2654435761u >> 13);
	file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return file == MAP_FAILED ? -1 : 0;
}

static void what_has_come_is_not_sent_again(void **state)
{
	(void)state;
	leave(0, 0);
	assert_int_equal(put(0), 0);
	leave(HALF, HALF);
	assert_int_equal(put(HALF), HALF);
	leave(HALF, HALF);
	assert_int_equal(put(SIZE), HALF);
	leave(SIZE, SIZE);
	assert_int_equal(put(SIZE), SIZE);
	leave(1000, 1000);
	assert_int_equal(put(1000), 1000);
}

static void no_more_counts_than_has_come(void **state)
{
	(void)state;
	leave(SIZE, HALF);
	assert_int_equal(put(HALF), HALF);
	leave(SIZE, SIZE);
	assert_int_equal(put(0), 0);
	/* longer than the content: another file */
	memset(file, 0, sizeof(*file));
	file->size = SIZE + 1;
	assert_int_equal(put(SIZE), 0);
}

static void its_end_is_looked_at(void **state)
{
	(void)state;
	leave(HALF, HALF);
	file->octets[HALF - 1] ^= 1;
	assert_int_equal(put(HALF), 0);
}

/* The content ends in zeros, and so does what the server has, but by a hole that begins before. */
static void the_end_is_not_all(void **state)
{
	(void)state;
	memset(content + HALF, 0, HALF);
	leave(SIZE, 0);
	assert_int_equal(put(SIZE), 0);
}

/* But "." and "..", which are none. */
static void names_left_out_are_counted(void **state)
{
	struct smb_msg msg;
	pid_t pid;
	int fd = start(SMB_LIST, 0, &pid);

	(void)state;
	hear(fd, &msg);
	assert_int_equal(msg.kind, SMB_ENTRY);
	assert_string_equal(msg.entry.name, "a");
	hear(fd, &msg);
	assert_int_equal(msg.kind, SMB_DONE);
	assert_int_equal(msg.done.error, 0);
	assert_int_equal(msg.done.room, 3);
	end(fd, pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_come_is_not_sent_again),
		cmocka_unit_test(no_more_counts_than_has_come),
		cmocka_unit_test(its_end_is_looked_at),
		cmocka_unit_test(the_end_is_not_all),
		cmocka_unit_test(names_left_out_are_counted),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
