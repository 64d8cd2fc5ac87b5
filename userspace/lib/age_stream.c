// SPDX-License-Identifier: GPL-2.0-or-later
/* age_stream: a whole file, sealed or opened while it is read, at any offset. */
#include "lib/age_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/file.h"

#define NONE UINT64_MAX

struct age_stream {
	struct age *age;
	int fd;
	bool seal;
	uint64_t plain; /* octets */
	uint64_t held; /* chunk in @out; NONE */
	uint8_t in[AGE_SEALED], out[AGE_SEALED];
};

static int stream_new(struct age *age, int fd, bool seal, uint64_t plain, struct age_stream **out)
{
	struct age_stream *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->age = age;
	s->fd = fd;
	s->seal = seal;
	s->plain = plain;
	s->held = NONE;
	*out = s;
	return 0;
}

/* Have chunk @index in @out. */
static int load(struct age_stream *s, uint64_t index)
{
	size_t len = age_chunk_len(s->plain, index);
	bool last = index + 1 == age_chunks(s->plain);
	int rc;

	if (s->held == index)
		return 0;
	s->held = NONE;
	if (s->seal) {
		rc = file_read_at(s->fd, index * AGE_CHUNK, s->in, len);
		if (!rc)
			rc = age_seal(s->age, index, last, s->in, len, s->out);
	} else {
		rc = file_read_at(s->fd, age_chunk_at(s->age, index), s->in, len + AGE_TAG);
		if (!rc)
			rc = age_unseal(s->age, index, last, s->in, len + AGE_TAG, s->out);
	}
	if (!rc)
		s->held = index;
	return rc;
}

int age_stream_seal(struct age *age, int fd, uint64_t plain, struct age_stream **out)
{
	return stream_new(age, fd, true, plain, out);
}

int age_stream_open(struct age *age, int fd, uint64_t size, struct age_stream **out)
{
	struct age_stream *s;
	uint64_t plain;
	int rc;

	rc = age_plain_size(age, size, &plain);
	if (!rc)
		rc = stream_new(age, fd, false, plain, &s);
	if (rc)
		return rc;
	/* Else a file that was cut off behind a whole chunk would pass, where only its beginning is read. */
	rc = load(s, age_chunks(plain) - 1);
	if (rc)
		age_stream_free(s);
	else
		*out = s;
	return rc;
}

void age_stream_free(struct age_stream *s)
{
	if (!s)
		return;
	secret_wipe(s, sizeof(*s));
	free(s);
}

uint64_t age_stream_size(const struct age_stream *s)
{
	return s->seal ? age_size(s->age, s->plain) : s->plain;
}

/* Of @have octets at @from, those that stand at @skip and behind. */
static ssize_t give(const uint8_t *from, size_t have, uint64_t skip, void *buf, size_t len)
{
	size_t n = have - (size_t)skip;

	if (n > len)
		n = len;
	memcpy(buf, from + skip, n);
	return (ssize_t)n;
}

ssize_t age_stream_read(struct age_stream *s, uint64_t offset, void *buf, size_t len)
{
	size_t unit = s->seal ? AGE_SEALED : AGE_CHUNK, chunk;
	uint64_t index;
	int rc;

	if (offset >= age_stream_size(s) || !len)
		return 0;
	if (s->seal && offset < s->age->prefix_len)
		return give(s->age->prefix, s->age->prefix_len, offset, buf, len);
	if (s->seal)
		offset -= s->age->prefix_len;
	index = offset / unit;
	rc = load(s, index);
	if (rc)
		return rc;
	chunk = age_chunk_len(s->plain, index) + (s->seal ? AGE_TAG : 0);
	return give(s->out, chunk, offset % unit, buf, len);
}
