// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * age: files that the age program made, the format's own examples, and every kind of damage.
 *
 * Sources: the pair of keys is from the specification (c2sp.org/age, "The X25519 recipient type"). The files
 * "small" and "empty" were made with age 1.1.1 (Debian 12) for that pair. testkit_header is the header of the
 * vector stream_bad_tag of the age project's test kit (c2sp.org/CCTV/age, 0BSD), whose file key is
 * "YELLOW SUBMARINE"; the malformed headers below are it, changed as that kit's vectors of the same names are.
 * Files go to and from the age program itself in tests/e2e/scenarios/secure-storage.sh.
 */
#include "lib/age.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/types.h"

#define IDENTITY "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
#define RECIPIENT "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

static const char small_header[] = "age-encryption.org/v1\n"
				   "-> X25519 l1t626Qtu5qGYcdxSSAfizxflRM22iS26rreyFFLm2A\n"
				   "QipPGMY5iydOp6rAZTIcPrlYvnyjkj49Ce7S7IQRJ5o\n"
				   "--- IkQXl2lJwSSGiIL0whCjNCazu96mLrMaG+xZdcGK1xY\n";
static const char small_payload[] =
	"a65fdc642cbbce3ed4d13c1acd0aab3ad42c146ed7ab33a6607cc9cb39557af38d35b3";
static const char empty_header[] = "age-encryption.org/v1\n"
				   "-> X25519 BS+jyr9oCu3tFAPhch9nhxwt2PY/Pn+jkWCbZVEHiGc\n"
				   "+1smMFud0VBJ1kABCK5X2BdONW+byfj/WhXEiob6qKo\n"
				   "--- xuFijkkJRWzMLuX6UQQZDh5hegnl4vev83CtRzP52Os\n";
static const char empty_payload[] =
	"4737451c67f11aa6ee7a9ed0641043a486096956e1e66f27e32f6995c2706397";
/* by age -r ssh-ed25519... -r RECIPIENT: a stanza of another kind comes first */
static const char mixed_header[] =
	"age-encryption.org/v1\n"
	"-> ssh-ed25519 PYX4ow QYfZt2RQsKddM3nfye8nt0RApRdSJhtJSBimtfbDLyg\n"
	"6rcbAhDUboljZ0kqAmEjbTjHB/Me5DD6ANRAO1o8K2s\n"
	"-> X25519 ExOiPpVL+4svFZjutk2y+9Bo0MyQayzMUNr+sUynvXw\n"
	"ewcUqwQq7ydW7+Kgz/5XHqihx3OYH3EsgTdUtHfWpys\n"
	"--- NHMxP32z/M7r/uO4GmoH75d6Yc5lMWjHoU9btCBaPRU\n";

#define TESTKIT_IDENTITY                                                                           \
	"AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6"
#define TESTKIT_STANZA                                                                             \
	"-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"                                  \
	"EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n"
#define TESTKIT_MAC "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n"
static const char testkit_header[] = "age-encryption.org/v1\n" TESTKIT_STANZA TESTKIT_MAC;

/* A file in memory. */
struct file {
	uint8_t *data;
	size_t len;
};

static struct file file_of(const char *header, const char *payload)
{
	struct file f = { malloc(strlen(header) + strlen(payload) / 2 + 1), strlen(header) };

	memcpy(f.data, header, f.len);
	assert_int_equal(hex_decode(payload, f.data + f.len, strlen(payload) / 2), 0);
	f.len += strlen(payload) / 2;
	return f;
}

static struct age_identity identity(const char *text)
{
	struct age_identity id;

	assert_int_equal(age_identity_parse(text, &id), 0);
	return id;
}

static int fd_of(const void *data, size_t len)
{
	int fd = memfd_create("age", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

/* Decrypt all of @f with @id; the plaintext to @out. Octets or a negative code. */
static ssize_t open_all(const struct file *f, const char *id_text, uint8_t *out)
{
	struct age_identity id = identity(id_text);
	struct age_stream *s = NULL;
	struct age *age = NULL;
	struct err e = { 0 };
	ssize_t n, done = 0;
	int fd = fd_of(f->data, f->len);

	n = age_open(f->data, f->len, &id, 1, &age, &e);
	assert_true(n == 0 || e.text[0]);
	if (!n)
		n = age_stream_open(age, fd, f->len, &s);
	while (n >= 0 && s && (n = age_stream_read(s, (uint64_t)done, out + done, AGE_CHUNK)) > 0)
		done += n;
	age_stream_free(s);
	age_free(age);
	close(fd);
	return n < 0 ? n : done;
}

/* A file for RECIPIENT with @plain. */
static struct file seal_all(const void *plain, size_t len)
{
	struct age_recipient to;
	struct age_stream *s;
	struct file f = { 0 };
	struct age *age;
	int fd = fd_of(plain, len);
	ssize_t n;

	assert_int_equal(age_recipient_parse(RECIPIENT, &to), 0);
	assert_int_equal(age_new(&to, 1, &age), 0);
	assert_int_equal(age_stream_seal(age, fd, len, &s), 0);
	f.data = malloc(age_stream_size(s) + 1);
	while ((n = age_stream_read(s, f.len, f.data + f.len, 50001)) > 0)
		f.len += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(f.len, age_size(age, len));
	age_stream_free(s);
	age_free(age);
	close(fd);
	return f;
}

static void keys_of_the_specification(void **state)
{
	struct age_identity id = identity(IDENTITY), again;
	char text[AGE_IDENTITY_STR_LEN], public[AGE_RECIPIENT_STR_LEN];
	struct age_recipient r;

	(void)state;
	assert_int_equal(age_identity_recipient(&id, &r), 0);
	assert_string_equal(age_recipient_print(&r, public), RECIPIENT);
	assert_string_equal(age_identity_print(&id, text), IDENTITY);
	assert_int_equal(age_identity_new(&id), 0);
	assert_int_equal(age_identity_parse(age_identity_print(&id, text), &again), 0);
	assert_memory_equal(&id, &again, sizeof(id));
	assert_int_equal(age_recipient_parse(IDENTITY, &r), -EINVAL);
	assert_int_equal(age_recipient_parse("", &r), -EINVAL);
	assert_int_equal(age_identity_parse(RECIPIENT, &id), -EINVAL);
}

static void files_of_the_age_program_open(void **state)
{
	struct file f = file_of(small_header, small_payload);
	struct age_identity id = identity(IDENTITY);
	struct age *age;
	struct err e = { 0 };
	uint8_t out[AGE_CHUNK];

	(void)state;
	assert_int_equal(age_prefix(f.data, f.len, &e), strlen(small_header) + AGE_NONCE_LEN);
	assert_int_equal(open_all(&f, IDENTITY, out), 3);
	assert_memory_equal(out, "age", 3);
	assert_int_equal(open_all(&f, TESTKIT_IDENTITY, out), -ENOKEY);
	free(f.data);
	f = file_of(empty_header, empty_payload);
	assert_int_equal(open_all(&f, IDENTITY, out), 0);
	free(f.data);
	f = file_of(mixed_header, small_payload); /* the header only: its payload was another one */
	assert_int_equal(age_open(f.data, f.len, &id, 1, &age, &e), 0);
	age_free(age);
	free(f.data);
}

static void testkit_header_gives_its_file_key(void **state)
{
	struct file f = file_of(testkit_header, "00112233445566778899aabbccddeeff");
	struct age_identity ids[2] = { identity(IDENTITY), identity(TESTKIT_IDENTITY) };
	uint8_t key[AGE_FILE_KEY_LEN];
	struct err e = { 0 };
	struct age *age;

	(void)state;
	assert_int_equal(age_open(f.data, f.len, ids, 2, &age, &e), 0);
	age_file_key(age, key);
	assert_memory_equal(key, "YELLOW SUBMARINE", sizeof(key));
	age_free(age);
	assert_int_equal(age_restore(f.data, f.len, key, &age, &e), 0);
	age_free(age);
	key[3] ^= 1;
	assert_int_equal(age_restore(f.data, f.len, key, &age, &e), -EBADMSG);
	free(f.data);
}

/* What @header is to age_open(). */
static int verdict(const char *header)
{
	struct file f = file_of(header, "00112233445566778899aabbccddeeff");
	struct age_identity id = identity(TESTKIT_IDENTITY);
	struct err e = { 0 };
	struct age *age = NULL;
	int rc = age_open(f.data, f.len, &id, 1, &age, &e);

	assert_true(rc == 0 || e.text[0]);
	age_free(age);
	free(f.data);
	return rc;
}

#define V1 "age-encryption.org/v1\n"

static void headers(void **state)
{
	static const struct {
		const char *name, *header;
		int rc;
	} rows[] = {
		{ "x25519", V1 TESTKIT_STANZA TESTKIT_MAC, 0 },
		/* a stanza of a kind unknown is passed over, but its absence breaks the MAC */
		{ "hmac_bad", V1 "-> other a b\n\n" TESTKIT_STANZA TESTKIT_MAC, -EBADMSG },
		{ "stanza_valid_characters",
		  V1 "-> !\"#$%&'()*+,-./~ z\n\n" TESTKIT_STANZA TESTKIT_MAC, -EBADMSG },
		{ "x25519_lowercase",
		  V1 "-> x25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
		     "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n" TESTKIT_MAC,
		  -ENOKEY },
		{ "version_unsupported", "age-encryption.org/v1234\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "header_crlf", "age-encryption.org/v1\r\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "no stanza", V1 TESTKIT_MAC, -SHUNT_EPARSE },
		{ "stanza_no_arguments", V1 "->\n\n" TESTKIT_STANZA TESTKIT_MAC, -SHUNT_EPARSE },
		{ "stanza_empty_argument", V1 "-> a  b\n\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "trailing space", V1 "-> a \n\n" TESTKIT_STANZA TESTKIT_MAC, -SHUNT_EPARSE },
		{ "stanza_invalid_character", V1 "-> a\x7f\n\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "stanza_spurious_cr", V1 "-> a\r\n\n" TESTKIT_STANZA TESTKIT_MAC, -SHUNT_EPARSE },
		{ "stanza_bad_start", V1 "=> a\n\n" TESTKIT_STANZA TESTKIT_MAC, -SHUNT_EPARSE },
		{ "stanza_base64_padding", V1 "-> a\nYQ==\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "stanza_not_canonical", V1 "-> a\nYR\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "stanza_missing_body", V1 "-> a\n" TESTKIT_STANZA TESTKIT_MAC, -SHUNT_EPARSE },
		{ "stanza_multiple_short_lines", V1 "-> a\nYQ\nYQ\n" TESTKIT_STANZA TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "stanza_long_line",
		  V1
		  "-> a\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n" TESTKIT_STANZA
			  TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "x25519_extra_argument",
		  V1 "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc 1\n"
		     "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n" TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "x25519 without argument",
		  V1 "-> X25519\nEmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n" TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "x25519_short_share",
		  V1 "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOA\n"
		     "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n" TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "x25519_long_file_key",
		  V1 "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
		     "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7UAAA\n" TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "x25519_low_order",
		  V1 "-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
		     "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U\n" TESTKIT_MAC,
		  -SHUNT_EPARSE },
		{ "x25519_bad_tag",
		  V1 "-> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc\n"
		     "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7A\n" TESTKIT_MAC,
		  -ENOKEY },
		{ "hmac_missing", V1 TESTKIT_STANZA "---\n", -SHUNT_EPARSE },
		{ "hmac_no_space",
		  V1 TESTKIT_STANZA "---Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n",
		  -SHUNT_EPARSE },
		{ "hmac_extra_space",
		  V1 TESTKIT_STANZA "---  Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0\n",
		  -SHUNT_EPARSE },
		{ "hmac_trailing_space",
		  V1 TESTKIT_STANZA "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI0 \n",
		  -SHUNT_EPARSE },
		{ "hmac_truncated",
		  V1 TESTKIT_STANZA "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qA\n",
		  -SHUNT_EPARSE },
		{ "hmac_not_canonical",
		  V1 TESTKIT_STANZA "--- Vn+54jqiiUCE+WZcEVY3f1sqHjlu/z1LCQ/T7Xm7qI1\n",
		  -SHUNT_EPARSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (verdict(rows[i].header) != rows[i].rc)
			fail_msg("%s: %d", rows[i].name, verdict(rows[i].header));
}

/* Whoever reads from a pipe asks again with more, until it is enough or will never be. */
static void a_header_that_is_not_all_there(void **state)
{
	struct file f = file_of(small_header, small_payload);
	size_t whole = strlen(small_header) + AGE_NONCE_LEN;
	uint8_t *endless = malloc(AGE_PREFIX_MAX);
	struct age_identity id = identity(IDENTITY);
	struct err e = { 0 };
	struct age *age;

	(void)state;
	for (size_t n = 0; n < f.len; n++) {
		uint8_t *part = malloc(n ? n : 1); /* so that ASan sees a step too far */

		memcpy(part, f.data, n);
		assert_int_equal(age_prefix(part, n, &e), n < whole ? 0 : (ssize_t)whole);
		assert_int_equal(age_open(part, n, &id, 1, &age, &e),
				 n < whole ? -SHUNT_EPARSE : 0);
		if (n >= whole)
			age_free(age);
		free(part);
	}
	memset(endless, 'x', AGE_PREFIX_MAX);
	memcpy(endless, V1 "-> ", strlen(V1) + 3);
	assert_int_equal(age_prefix(endless, AGE_PREFIX_MAX - 1, &e), 0);
	assert_int_equal(age_prefix(endless, AGE_PREFIX_MAX, &e), -SHUNT_EPARSE);
	free(endless);
	free(f.data);
}

static uint8_t *pattern(size_t len)
{
	uint8_t *data = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 11);
	return data;
}

static void every_size_comes_back(void **state)
{
	static const size_t sizes[] = { 0,	1,	65535,	65536,	65537,
					131071, 131072, 131073, 200000, 262144 };
	uint8_t *plain = pattern(262144), *out = malloc(262144 + AGE_CHUNK);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct file f = seal_all(plain, sizes[i]);

		assert_int_equal(open_all(&f, IDENTITY, out), sizes[i]);
		assert_memory_equal(out, plain, sizes[i]);
		assert_int_equal(open_all(&f, TESTKIT_IDENTITY, out), -ENOKEY);
		free(f.data);
	}
	free(plain);
	free(out);
}

static void each_of_many_recipients_reads(void **state)
{
	struct age_identity ids[AGE_RECIPIENTS_MAX];
	struct age_recipient to[AGE_RECIPIENTS_MAX + 1] = { 0 };
	struct age *age, *other;
	struct err e = { 0 };
	const void *prefix;
	size_t len;

	(void)state;
	for (size_t i = 0; i < AGE_RECIPIENTS_MAX; i++) {
		assert_int_equal(age_identity_new(&ids[i]), 0);
		assert_int_equal(age_identity_recipient(&ids[i], &to[i]), 0);
	}
	assert_int_equal(age_new(to, 0, &age), -EINVAL);
	assert_int_equal(age_new(to, AGE_RECIPIENTS_MAX + 1, &age), -EINVAL);
	assert_int_equal(age_new(&to[AGE_RECIPIENTS_MAX], 1, &age), -EINVAL); /* of low order */
	assert_int_equal(age_new(to, AGE_RECIPIENTS_MAX, &age), 0);
	prefix = age_prefix_of(age, &len);
	for (size_t i = 0; i < AGE_RECIPIENTS_MAX; i++) {
		assert_int_equal(age_open(prefix, len, &ids[i], 1, &other, &e), 0);
		age_free(other);
	}
	age_free(age);
}

/* Chunks in any order, and ranges of what comes out. */
static void any_offset(void **state)
{
	const size_t size = 200000;
	uint8_t *plain = pattern(size), got[5000], again[5000];
	struct file f = seal_all(plain, size);
	struct age_identity id = identity(IDENTITY);
	int fd = fd_of(f.data, f.len), plain_fd = fd_of(plain, size);
	struct age_stream *s, *back;
	struct err e = { 0 };
	struct age *age;
	uint32_t seed = 1;

	(void)state;
	assert_int_equal(age_open(f.data, f.len, &id, 1, &age, &e), 0);
	assert_int_equal(age_stream_open(age, fd, f.len, &s), 0);
	assert_int_equal(age_stream_seal(age, plain_fd, size, &back), 0);
	assert_int_equal(age_stream_size(s), size);
	assert_int_equal(age_stream_size(back), f.len);
	for (int i = 0; i < 400; i++) {
		uint64_t at = (seed = seed * 1103515245 + 12345) % f.len;
		ssize_t n = age_stream_read(back, at, again, sizeof(again));

		/* the same keys: the very octets that were made before */
		assert_true(n > 0);
		assert_memory_equal(again, f.data + at, n);
		n = age_stream_read(s, at, got, sizeof(got));
		assert_true(at < size ? n > 0 : n == 0);
		assert_memory_equal(got, plain + at, n);
	}
	age_stream_free(s);
	age_stream_free(back);
	age_free(age);
	close(fd);
	close(plain_fd);
	free(f.data);
	free(plain);
}

/* What open_all() says of a file of three chunks and a bit after @damage. */
static ssize_t damaged(const uint8_t *plain, void (*damage)(struct file *f, size_t prefix))
{
	struct file f = seal_all(plain, 200000);
	uint8_t *out = malloc(300000);
	size_t prefix = f.len - 200000 - 4 * AGE_TAG;
	ssize_t n;

	damage(&f, prefix);
	n = open_all(&f, IDENTITY, out);
	free(out);
	free(f.data);
	return n;
}

static void no_damage(struct file *f, size_t prefix)
{
	(void)f;
	(void)prefix;
}

static void cut_an_octet(struct file *f, size_t prefix)
{
	(void)prefix;
	f->len--;
}

static void cut_a_chunk(struct file *f, size_t prefix)
{
	f->len = prefix + 3 * AGE_SEALED;
}

static void cut_to_a_tag(struct file *f, size_t prefix)
{
	f->len = prefix + 3 * AGE_SEALED + AGE_TAG;
}

static void cut_all_chunks(struct file *f, size_t prefix)
{
	f->len = prefix;
}

static void add_an_octet(struct file *f, size_t prefix)
{
	(void)prefix;
	f->data = realloc(f->data, f->len + 1);
	f->data[f->len++] = 0;
}

static void swap_chunks(struct file *f, size_t prefix)
{
	uint8_t *spare = malloc(AGE_SEALED);

	memcpy(spare, f->data + prefix, AGE_SEALED);
	memcpy(f->data + prefix, f->data + prefix + AGE_SEALED, AGE_SEALED);
	memcpy(f->data + prefix + AGE_SEALED, spare, AGE_SEALED);
	free(spare);
}

static void repeat_a_chunk(struct file *f, size_t prefix)
{
	memcpy(f->data + prefix + AGE_SEALED, f->data + prefix, AGE_SEALED);
}

static void leave_a_chunk_out(struct file *f, size_t prefix)
{
	f->len -= AGE_SEALED;
	memmove(f->data + prefix + AGE_SEALED, f->data + prefix + 2 * AGE_SEALED,
		f->len - prefix - AGE_SEALED);
}

static void take_a_chunk_of_another_file(struct file *f, size_t prefix)
{
	uint8_t *plain = pattern(200000);
	struct file other = seal_all(plain, 200000);

	assert_int_equal(other.len, f->len);
	memcpy(f->data + prefix, other.data + prefix, AGE_SEALED);
	free(other.data);
	free(plain);
}

static void alter_the_nonce(struct file *f, size_t prefix)
{
	f->data[prefix - 1] ^= 1;
}

static void take_the_header_of_another_file(struct file *f, size_t prefix)
{
	struct file other = seal_all("x", 1);

	memcpy(f->data, other.data, prefix);
	free(other.data);
}

static void every_kind_of_damage_is_noticed(void **state)
{
	static const struct {
		void (*damage)(struct file *f, size_t prefix);
		ssize_t rc;
	} rows[] = {
		{ no_damage, 200000 },		 { cut_an_octet, -EBADMSG },
		{ cut_a_chunk, -EBADMSG },	 { cut_to_a_tag, -EBADMSG },
		{ cut_all_chunks, -EBADMSG },	 { add_an_octet, -EBADMSG },
		{ swap_chunks, -EBADMSG },	 { repeat_a_chunk, -EBADMSG },
		{ leave_a_chunk_out, -EBADMSG }, { take_a_chunk_of_another_file, -EBADMSG },
		{ alter_the_nonce, -EBADMSG },	 { take_the_header_of_another_file, -EBADMSG },
	};
	uint8_t *plain = pattern(200000);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (damaged(plain, rows[i].damage) != rows[i].rc)
			fail_msg("row %zu", i);
	free(plain);
}

/* Any octet of a small file. */
static void every_bit_counts(void **state)
{
	struct file f = file_of(small_header, small_payload);
	uint8_t out[AGE_CHUNK];

	(void)state;
	for (size_t i = 0; i < f.len; i++) {
		f.data[i] ^= 1;
		assert_true(open_all(&f, IDENTITY, out) < 0);
		f.data[i] ^= 1;
	}
	assert_int_equal(open_all(&f, IDENTITY, out), 3);
	free(f.data);
}

static void parts_of_chunks_are_hidden_and_come_back(void **state)
{
	uint8_t *plain = pattern(AGE_CHUNK), *whole = pattern(AGE_CHUNK), part[1000];
	static const uint8_t zeros[1000];
	struct age_recipient to;
	struct age *age;

	(void)state;
	assert_int_equal(age_recipient_parse(RECIPIENT, &to), 0);
	assert_int_equal(age_new(&to, 1, &age), 0);
	assert_int_equal(age_mask(age, 7, 0, whole, AGE_CHUNK), 0);
	for (size_t at = 0; at + sizeof(part) <= AGE_CHUNK; at += 777) {
		memcpy(part, plain + at, sizeof(part));
		assert_int_equal(age_mask(age, 7, at, part, sizeof(part)), 0);
		/* the same place, the same octets: in pieces or at once */
		assert_memory_equal(part, whole + at, sizeof(part));
		assert_int_equal(age_mask(age, 7, at, part, sizeof(part)), 0);
		assert_memory_equal(part, plain + at, sizeof(part));
	}
	/* another chunk, another stream */
	memset(part, 0, sizeof(part));
	age_mask(age, 8, 0, part, sizeof(part));
	assert_memory_not_equal(part, zeros, sizeof(part));
	age_mask(age, 7, 0, part, sizeof(part));
	assert_memory_not_equal(part, zeros, sizeof(part));
	age_free(age);
	free(plain);
	free(whole);
}

static int identities(const char *text, mode_t mode, size_t *n, struct err *e)
{
	struct age_identity ids[AGE_IDENTITIES_MAX];
	char path[] = "/tmp/shunt-age-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	rc = age_identities_read(path, ids, n, e);
	unlink(path);
	return rc;
}

static void files_of_identities(void **state)
{
	char comment[3000] = "# ";
	struct err e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(identities("# created: today\n# public key: age1...\n" IDENTITY "\n", 0600,
				    &n, &e),
			 0);
	assert_int_equal(n, 1);
	assert_int_equal(identities(IDENTITY "\r\n\n  \n" TESTKIT_IDENTITY, 0600, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(identities(IDENTITY "\n", 0644, &n, &e), -SHUNT_ESECRETFILE);
	assert_int_equal(identities("", 0600, &n, &e), -SHUNT_EPARSE);
	assert_int_equal(identities("\n" RECIPIENT "\n", 0600, &n, &e), -SHUNT_EPARSE);
	assert_non_null(strstr(e.text, "line 2"));
	assert_null(strstr(e.text, RECIPIENT)); /* it might have been a secret */
	memset(comment + 2, 'x', sizeof(comment) - 3);
	strcpy(comment + sizeof(comment) - 100, "\n" IDENTITY "\n");
	assert_int_equal(identities(comment, 0600, &n, &e), 0);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_the_specification),
		cmocka_unit_test(files_of_the_age_program_open),
		cmocka_unit_test(testkit_header_gives_its_file_key),
		cmocka_unit_test(headers),
		cmocka_unit_test(a_header_that_is_not_all_there),
		cmocka_unit_test(every_size_comes_back),
		cmocka_unit_test(each_of_many_recipients_reads),
		cmocka_unit_test(any_offset),
		cmocka_unit_test(every_kind_of_damage_is_noticed),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(parts_of_chunks_are_hidden_and_come_back),
		cmocka_unit_test(files_of_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
