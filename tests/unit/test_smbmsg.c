// SPDX-License-Identifier: GPL-2.0-or-later
/* smbmsg: every message both ways, what is no message, names that mean the same to every server. */
#include "lib/smbmsg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/types.h"

static unsigned char bytes[SMB_MSG_MAX + 8], again[SMB_MSG_MAX];

static const struct smb_start start = {
	.op = SMB_PUT,
	.keep = true,
	.size = 7,
	.offset = 3,
	.mtime = -5,
	.share = "files",
	.dir = "in/2026",
	.name = "a b.bin",
	.tag = "0123",
	.user = "HOME\\joe",
	.password = "p\xc3\xa4 ss",
};

static const struct smb_msg all[] = {
	{ .kind = SMB_START, .start = start },
	{ .kind = SMB_DATA, .data = { 5, "abc", 3 } },
	{ .kind = SMB_ABORT },
	{ .kind = SMB_COPIED, .wrote = CONTENT_SIZE_MAX },
	{ .kind = SMB_OPENED, .opened = { CONTENT_SIZE_MAX, INT64_MIN } },
	{ .kind = SMB_WANT, .want = { 1, SMB_WANT_MAX } },
	{ .kind = SMB_WROTE, .wrote = 9 },
	{ .kind = SMB_ENTRY, .entry = { true, 0, 77, "x" } },
	{ .kind = SMB_DONE, .done = { SMB_AT_WRITE, -ENOSPC, true, 12 } },
};
#define N_ALL (sizeof(all) / sizeof(all[0]))

static void there_and_back(void **state)
{
	struct smb_msg msg;
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		n = smb_msg_encode(&all[i], bytes, sizeof(bytes));
		assert_true(n > 0);
		assert_int_equal(smb_msg_decode(bytes, (size_t)n, &msg), 0);
		assert_int_equal(msg.kind, all[i].kind);
		assert_int_equal(smb_msg_encode(&msg, again, sizeof(again)), n);
		assert_memory_equal(bytes, again, (size_t)n);
	}
	n = smb_msg_encode(&all[0], bytes, sizeof(bytes));
	assert_int_equal(smb_msg_decode(bytes, (size_t)n, &msg), 0);
	assert_string_equal(msg.start.user, "HOME\\joe");
	assert_string_equal(msg.start.password, start.password);
	assert_int_equal(msg.start.mtime, -5);
	assert_true(msg.start.keep);
	n = smb_msg_encode(&all[N_ALL - 1], bytes, sizeof(bytes));
	assert_int_equal(smb_msg_decode(bytes, (size_t)n, &msg), 0);
	assert_int_equal(msg.done.error, -ENOSPC);
}

static void every_octet_counts(void **state)
{
	struct smb_msg msg;
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		n = smb_msg_encode(&all[i], bytes, sizeof(bytes));
		for (ssize_t len = 0; len < n; len++) {
			/* in memory of its own, so that whoever reads on is found out */
			void *part = malloc((size_t)len + 1);

			memcpy(part, bytes, (size_t)len);
			if (all[i].kind != SMB_DATA || len < 10)
				assert_int_equal(smb_msg_decode(part, (size_t)len, &msg),
						 -SHUNT_EPARSE);
			free(part);
		}
		bytes[n] = 0;
		if (all[i].kind != SMB_DATA)
			assert_int_equal(smb_msg_decode(bytes, (size_t)n + 1, &msg), -SHUNT_EPARSE);
		assert_int_equal(smb_msg_encode(&all[i], bytes, (size_t)n - 1), -EMSGSIZE);
	}
}

static int decoded(const struct smb_msg *msg)
{
	ssize_t n = smb_msg_encode(msg, bytes, sizeof(bytes));
	struct smb_msg out;

	assert_true(n > 0);
	return smb_msg_decode(bytes, (size_t)n, &out);
}

static void nonsense_is_none(void **state)
{
	static const struct smb_msg wrong[] = {
		{ .kind = SMB_OPENED, .opened = { CONTENT_SIZE_MAX + 1, 0 } },
		{ .kind = SMB_WANT, .want = { 0, 0 } },
		{ .kind = SMB_WANT, .want = { 0, SMB_WANT_MAX + 1 } },
		{ .kind = SMB_WANT, .want = { CONTENT_SIZE_MAX, 1 } },
		{ .kind = SMB_WANT, .want = { UINT64_MAX, 2 } },
		{ .kind = SMB_WROTE, .wrote = UINT64_MAX },
		{ .kind = SMB_DATA, .data = { 0, "", 0 } },
		{ .kind = SMB_DATA, .data = { UINT64_MAX, "ab", 2 } },
		{ .kind = SMB_ENTRY, .entry = { false, 0, 0, "" } },
		{ .kind = SMB_ENTRY, .entry = { false, 0, 0, ".." } },
		{ .kind = SMB_ENTRY, .entry = { false, 0, 0, "a/b" } },
		{ .kind = SMB_ENTRY, .entry = { false, 0, 0, "a\\b" } },
		{ .kind = SMB_ENTRY, .entry = { false, 0, 0, "\xff" } },
		{ .kind = SMB_ENTRY, .entry = { false, UINT64_MAX, 0, "a" } },
		{ .kind = SMB_DONE, .done = { 0, 0, false, 0 } },
		{ .kind = SMB_DONE, .done = { SMB_AT_LIST + 1, 0, false, 0 } },
		{ .kind = SMB_DONE, .done = { SMB_AT_LIST, -4096, false, 0 } },
	};
	struct smb_msg msg = { .kind = SMB_START, .start = start }, out;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(decoded(&wrong[i]), -SHUNT_EPARSE);
	msg.start.share = "a/b";
	assert_int_equal(decoded(&msg), -SHUNT_EPARSE);
	msg.start = start;
	msg.start.name = "";
	assert_int_equal(decoded(&msg), -SHUNT_EPARSE);
	msg.start.op = SMB_LIST;
	assert_int_equal(decoded(&msg), 0);
	msg.start.op = SMB_LIST + 1;
	assert_int_equal(decoded(&msg), -SHUNT_EPARSE);
	msg.start = start;
	msg.start.tag = "../x";
	assert_int_equal(decoded(&msg), -SHUNT_EPARSE);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(smb_msg_decode(bytes, 1, &out), -SHUNT_EPARSE);
	bytes[0] = SMB_DONE + 1;
	assert_int_equal(smb_msg_decode(bytes, 1, &out), -SHUNT_EPARSE);
	bytes[0] = SMB_DATA;
	assert_int_equal(smb_msg_decode(bytes, sizeof(bytes), &out), -SHUNT_EPARSE);
	/* what fits into a packet, but is too much content */
	assert_int_equal(smb_msg_decode(bytes, 9 + SMB_DATA_MAX + 1, &out), -SHUNT_EPARSE);
	assert_int_equal(smb_msg_decode(bytes, 9 + SMB_DATA_MAX, &out), 0);
	/* a word that is too long */
	memset(again, 'x', SMB_WORD_MAX);
	again[SMB_WORD_MAX] = '\0';
	msg.start = start;
	msg.start.password = (const char *)again;
	assert_int_equal(smb_msg_encode(&msg, bytes, sizeof(bytes)), -EMSGSIZE);
}

static void names(void **state)
{
	static const char *const good[] = { "a", "a/b", "a b.c", ".a", "a..b", "\xc3\xa4" };
	static const char *const bad[] = { "",	     "/a",   "a/",  "a//b", ".",    "..",
					   "a/../b", "a\\b", "a:b", "a*",   "a?",   "a\"",
					   "a<b",    "a>b",  "a|b", "a\n",  "\x7f", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(smb_name_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(smb_name_ok(bad[i]));
}

static void paths_of_the_registry(void **state)
{
	char share[SMB_WORD_MAX], text[SMB_WORD_MAX + 2] = "/";
	const char *dir;

	(void)state;
	assert_true(smb_path_split("/files", share, &dir));
	assert_string_equal(share, "files");
	assert_string_equal(dir, "");
	assert_true(smb_path_split("/my files/in/x", share, &dir));
	assert_string_equal(share, "my files");
	assert_string_equal(dir, "in/x");
	assert_true(smb_path_split("/files/", share, &dir));
	assert_string_equal(dir, "");
	assert_false(smb_path_split("/", share, &dir));
	assert_false(smb_path_split("files", share, &dir));
	assert_false(smb_path_split("//files", share, &dir));
	assert_false(smb_path_split("/..", share, &dir));
	assert_false(smb_path_split("/files/../etc", share, &dir));
	assert_false(smb_path_split("/files//x", share, &dir));
	memset(text + 1, 'x', SMB_WORD_MAX);
	assert_false(smb_path_split(text, share, &dir));
	text[SMB_WORD_MAX] = '\0';
	assert_true(smb_path_split(text, share, &dir));
}

static void what_stands(void **state)
{
	(void)state;
	assert_true(smb_error_stands(SMB_AT_LOGIN, -EPERM));
	assert_false(smb_error_stands(SMB_AT_WRITE, -EPERM));
	assert_true(smb_error_stands(SMB_AT_WRITE, -ENOSPC));
	assert_false(smb_error_stands(SMB_AT_WRITE, -ETIMEDOUT));
	assert_false(smb_error_stands(SMB_AT_READ, -ESTALE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),	 cmocka_unit_test(every_octet_counts),
		cmocka_unit_test(nonsense_is_none),	 cmocka_unit_test(names),
		cmocka_unit_test(paths_of_the_registry), cmocka_unit_test(what_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
