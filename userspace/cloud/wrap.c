// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/wrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/spool.h"
#include "lib/age.h"
#include "lib/digest.h"

/* What the spool keeps: for whom, the file key, and what the file begins with. */
struct kept {
	uint8_t to[AGE_KEY_LEN];
	uint8_t file_key[AGE_FILE_KEY_LEN];
	uint8_t prefix[512]; /* of one recipient */
};
#define KEPT_HEAD offsetof(struct kept, prefix)

struct wrap {
	struct age *age;
	struct age_stream *stream;
	uint64_t size; /* of the content */
	size_t prefix_len;
};

static int keys_recall(struct wrap *w, struct spool *spool, const char *id,
		       const struct age_recipient *to)
{
	struct kept kept;
	ssize_t n = spool_key_read(spool, id, &kept, sizeof(kept));
	int rc = n < 0 ? (int)n : -ENOENT;

	/* The registry may name another recipient by now: then it is another file. */
	if (n > (ssize_t)KEPT_HEAD && memcmp(kept.to, to->key, AGE_KEY_LEN) == 0)
		rc = age_restore(kept.prefix, (size_t)n - KEPT_HEAD, kept.file_key, &w->age, NULL);
	secret_wipe(&kept, sizeof(kept));
	return rc;
}

static int keys_make(struct wrap *w, struct spool *spool, const char *id,
		     const struct age_recipient *to)
{
	struct kept kept;
	const void *prefix;
	size_t len;
	int rc = age_new(to, 1, &w->age);

	if (rc)
		return rc;
	prefix = age_prefix_of(w->age, &len);
	if (len > sizeof(kept.prefix))
		return -EMSGSIZE;
	memcpy(kept.to, to->key, AGE_KEY_LEN);
	age_file_key(w->age, kept.file_key);
	memcpy(kept.prefix, prefix, len);
	rc = spool_key_write(spool, id, &kept, KEPT_HEAD + len);
	secret_wipe(&kept, sizeof(kept));
	return rc;
}

int wrap_open(struct spool *spool, const char *id, const char *to, int fd, uint64_t size,
	      struct wrap **out)
{
	struct wrap *w = calloc(1, sizeof(*w));
	struct age_recipient recipient;
	int rc;

	if (!w)
		return -ENOMEM;
	w->size = size;
	rc = age_recipient_parse(to, &recipient);
	if (!rc && keys_recall(w, spool, id, &recipient))
		rc = keys_make(w, spool, id, &recipient);
	if (!rc)
		rc = age_stream_seal(w->age, fd, size, &w->stream);
	if (rc) {
		wrap_free(w);
		return rc;
	}
	age_prefix_of(w->age, &w->prefix_len);
	*out = w;
	return 0;
}

void wrap_free(struct wrap *w)
{
	if (!w)
		return;
	age_stream_free(w->stream);
	age_free(w->age);
	free(w);
}

uint64_t wrap_size(const struct wrap *w)
{
	return age_stream_size(w->stream);
}

ssize_t wrap_read(struct wrap *w, uint64_t offset, void *buf, size_t len)
{
	return age_stream_read(w->stream, offset, buf, len);
}

uint64_t wrap_content(const struct wrap *w, uint64_t octets)
{
	uint64_t body = octets > w->prefix_len ? octets - w->prefix_len : 0;
	uint64_t rest = body % AGE_SEALED;
	uint64_t content = body / AGE_SEALED * AGE_CHUNK + (rest < AGE_CHUNK ? rest : AGE_CHUNK);

	return content < w->size ? content : w->size;
}
