// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An age file as a stranger may give it, for an identity that everybody knows (the specification's): its header, and
 * where that opens, all of its payload. Since no invention gets past the header's MAC, the octets are also read
 * as the payload behind a header that is right; and as the text of a key.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/age.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IDENTITY "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"

static const char header[] = "age-encryption.org/v1\n"
			     "-> X25519 l1t626Qtu5qGYcdxSSAfizxflRM22iS26rreyFFLm2A\n"
			     "QipPGMY5iydOp6rAZTIcPrlYvnyjkj49Ce7S7IQRJ5o\n"
			     "--- IkQXl2lJwSSGiIL0whCjNCazu96mLrMaG+xZdcGK1xY\n";
#define HEADER_LEN (sizeof(header) - 1)

static void read_all(struct age *age, const uint8_t *file, size_t size)
{
	uint8_t out[1000];
	struct age_stream *s;
	uint64_t at = 0;
	ssize_t n;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, file, size) == (ssize_t)size);
	if (age_stream_open(age, fd, size, &s) == 0) {
		while ((n = age_stream_read(s, at, out, sizeof(out))) > 0)
			at += (uint64_t)n;
		assert(n == -EBADMSG || at == age_stream_size(s));
		age_stream_free(s);
	}
	close(fd);
}

static void try_file(const uint8_t *file, size_t size)
{
	struct age_identity id;
	struct err e = { 0 };
	struct age *age;
	ssize_t prefix = age_prefix(file, size, &e);
	int rc;

	assert(prefix >= 0 || e.text[0]);
	assert(prefix <= (ssize_t)size);
	assert(age_identity_parse(IDENTITY, &id) == 0);
	rc = age_open(file, size, &id, 1, &age, &e);
	assert(rc < 0 ? (e.code == rc && e.text[0]) : prefix > 0);
	if (rc)
		return;
	read_all(age, file, size);
	age_free(age);
}

static void try_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), public[AGE_RECIPIENT_STR_LEN], secret[AGE_IDENTITY_STR_LEN];
	struct age_recipient r, r2;
	struct age_identity id, id2;

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (age_recipient_parse(text, &r) == 0)
		assert(age_recipient_parse(age_recipient_print(&r, public), &r2) == 0 &&
		       memcmp(&r, &r2, sizeof(r)) == 0);
	if (age_identity_parse(text, &id) == 0)
		assert(age_identity_parse(age_identity_print(&id, secret), &id2) == 0 &&
		       memcmp(&id, &id2, sizeof(id)) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(HEADER_LEN + size);

	try_text(data, size);
	try_file(data, size);
	if (!file)
		return 0;
	memcpy(file, header, HEADER_LEN);
	memcpy(file + HEADER_LEN, data, size);
	try_file(file, HEADER_LEN + size);
	free(file);
	return 0;
}
