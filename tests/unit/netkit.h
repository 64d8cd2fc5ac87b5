/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netkit: what the tests of loop, tls, h2 and peer share: a loop that is run until something is true, and a
 * throw-away CA with certificates.
 */
#ifndef SHUNT_TESTS_NETKIT_H
#define SHUNT_TESTS_NETKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "lib/pki.h"
#include "lib/tls.h"

#define KIT_WAIT_MS 20000

/* Run the loop until *@flag; fails the test when that takes too long. */
static inline void kit_until(struct loop *loop, const bool *flag)
{
	uint64_t end = loop_now(loop) + KIT_WAIT_MS;

	while (!*flag) {
		assert_int_equal(loop_step(loop, 100), 0);
		if (loop_now(loop) > end)
			fail_msg("nothing happened for %d ms", KIT_WAIT_MS);
	}
}

/* The same for any condition. */
#define KIT_UNTIL(loop, condition)                                                                 \
	do {                                                                                       \
		uint64_t end_ = loop_now(loop) + KIT_WAIT_MS;                                      \
		while (!(condition)) {                                                             \
			assert_int_equal(loop_step(loop, 100), 0);                                 \
			if (loop_now(loop) > end_)                                                 \
				fail_msg("%s: not within %d ms", #condition, KIT_WAIT_MS);         \
		}                                                                                  \
	} while (0)

/* Let what is pending happen, without waiting. */
static inline void kit_settle(struct loop *loop)
{
	int i;

	for (i = 0; i < 50; i++)
		assert_int_equal(loop_step(loop, 0), 0);
}

static inline char *kit_dir_new(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = malloc(PATH_MAX);

	assert_non_null(dir);
	snprintf(dir, PATH_MAX, "%s/shunt-test-XXXXXX", tmp ? tmp : P_tmpdir);
	assert_non_null(mkdtemp(dir));
	return dir;
}

/* Remove a directory of plain files and free its name. */
static inline void kit_dir_free(char *dir)
{
	char path[PATH_MAX + 300];
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
	free(dir);
}

static inline void kit_ca(const char *dir)
{
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -60, .not_after = 86400 };
	struct err e = { 0 };

	if (pki_init(dir, "test CA", &opts, &e) < 0)
		fail_msg("pki_init: %s", err_text(&e));
}

/* A certificate that is valid for @seconds. */
static inline void kit_cert(const char *dir, enum role role, const char *name, int64_t seconds)
{
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -60, .not_after = seconds };
	struct party party = { .role = role };
	struct err e = { 0 };

	snprintf(party.name, sizeof(party.name), "%s", name);
	if (pki_issue(dir, &party, NULL, &opts, NULL, &e) < 0)
		fail_msg("pki_issue: %s", err_text(&e));
}

static inline int kit_try_ctx(const char *dir, const char *ca_dir, const char *who, uint32_t roles,
			      struct tls_ctx **out, struct err *e)
{
	char ca[PATH_MAX + 100], cert[PATH_MAX + 100], key[PATH_MAX + 100];
	struct tls_files files = { ca, cert, key, roles };

	snprintf(ca, sizeof(ca), "%s/ca.crt", ca_dir);
	snprintf(cert, sizeof(cert), "%s/%s.crt", dir, who);
	snprintf(key, sizeof(key), "%s/%s.key", dir, who);
	return tls_ctx_new(out, &files, e);
}

/* Issue a certificate and load it. */
static inline struct tls_ctx *kit_ctx(const char *dir, enum role role, const char *name)
{
	struct tls_ctx *ctx = NULL;
	struct err e = { 0 };
	char who[200];

	snprintf(who, sizeof(who), "%s-%s", role_str(role), name);
	kit_cert(dir, role, name, 3600);
	if (kit_try_ctx(dir, dir, who, 0, &ctx, &e) < 0)
		fail_msg("tls_ctx_new: %s", err_text(&e));
	return ctx;
}

#endif
