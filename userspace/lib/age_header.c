// SPDX-License-Identifier: GPL-2.0-or-later
/* age_header: the text that an age file begins with (c2sp.org/age, "Header"). */
#include "lib/age_int.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "lib/digest.h"

static const char version_line[] = "age-encryption.org/v1\n";
#define VERSION_LEN (sizeof(version_line) - 1)
#define WRAP_INFO "age-encryption.org/v1/X25519"
#define MAC_LEN 32
#define MAC_LINE_LEN 48 /* "--- ", 43 digits, LF */
#define COLUMNS 64
#define MARK "---"

/* ---- base64 without padding (RFC 4648, 4) ---- */

#define BASE64_LEN(len) (((len)*8 + 5) / 6)

static void base64_encode(const uint8_t *data, size_t len, char *out)
{
	char padded[BASE64_LEN(COLUMNS) + 4];

	EVP_EncodeBlock((unsigned char *)padded, data, (int)len);
	memcpy(out, padded, BASE64_LEN(len));
	out[BASE64_LEN(len)] = '\0';
}

/*
 * At most one line's worth; only the one spelling that encoding gives is taken. Octets of data or -EINVAL.
 */
static int base64_decode(const uint8_t *text, size_t n, uint8_t out[COLUMNS])
{
	unsigned char padded[COLUMNS + 4], again[COLUMNS + 5];
	size_t whole = (n + 3) / 4 * 4;
	int len;

	if (n > COLUMNS || n % 4 == 1)
		return -EINVAL;
	if (!n)
		return 0;
	memcpy(padded, text, n);
	memset(padded + n, '=', whole - n);
	if (EVP_DecodeBlock(out, padded, (int)whole) < 0)
		return -EINVAL;
	len = (int)(n * 6 / 8);
	EVP_EncodeBlock(again, out, len);
	return memcmp(again, padded, whole) == 0 ? len : -EINVAL;
}

/* ---- MAC ---- */

/* Over all up to and with the mark of the last line. */
static int header_mac(const uint8_t *text, size_t len, const uint8_t *file_key,
		      uint8_t out[MAC_LEN])
{
	uint8_t key[AGE_KEY_LEN];
	int rc = age_hkdf(file_key, AGE_FILE_KEY_LEN, "", 0, "header", key);

	if (!rc && !HMAC(EVP_sha256(), key, sizeof(key), text, len, out, NULL))
		rc = -EIO;
	secret_wipe(key, sizeof(key));
	return rc;
}

int age_header_verify(const uint8_t *header, size_t len, const uint8_t file_key[AGE_FILE_KEY_LEN])
{
	uint8_t mac[MAC_LEN], said[COLUMNS];
	int rc;

	rc = header_mac(header, len - MAC_LINE_LEN + strlen(MARK), file_key, mac);
	if (rc)
		return rc;
	/* The walk has seen that there are 43 digits. */
	if (base64_decode(header + len - 44, 43, said) != MAC_LEN)
		return -EBADMSG;
	return CRYPTO_memcmp(mac, said, MAC_LEN) == 0 ? 0 : -EBADMSG;
}

/* ---- making one ---- */

static int make_stanza(const uint8_t *file_key, const struct age_recipient *to, struct buf *out)
{
	char text[BASE64_LEN(AGE_KEY_LEN) + 1];
	uint8_t ephemeral[AGE_KEY_LEN], shared[AGE_KEY_LEN], key[AGE_KEY_LEN];
	uint8_t salt[2 * AGE_KEY_LEN], wrapped[AGE_WRAPPED_LEN];
	int rc;

	rc = age_random(ephemeral, sizeof(ephemeral));
	if (!rc)
		rc = age_x25519_base(ephemeral, salt);
	if (!rc)
		rc = age_x25519(ephemeral, to->key, shared);
	memcpy(salt + AGE_KEY_LEN, to->key, AGE_KEY_LEN);
	if (!rc)
		rc = age_hkdf(shared, sizeof(shared), salt, sizeof(salt), WRAP_INFO, key);
	if (!rc)
		rc = age_wrap(key, file_key, wrapped);
	if (!rc) {
		base64_encode(salt, AGE_KEY_LEN, text);
		buf_printf(out, "-> X25519 %s\n", text);
		base64_encode(wrapped, sizeof(wrapped), text);
		rc = buf_printf(out, "%s\n", text);
	}
	secret_wipe(ephemeral, sizeof(ephemeral));
	secret_wipe(shared, sizeof(shared));
	secret_wipe(key, sizeof(key));
	return rc;
}

int age_header_make(const uint8_t file_key[AGE_FILE_KEY_LEN], const struct age_recipient *to,
		    size_t n, struct buf *out)
{
	char text[BASE64_LEN(MAC_LEN) + 1];
	uint8_t mac[MAC_LEN];
	int rc = 0;

	buf_puts(out, version_line);
	for (size_t i = 0; i < n && !rc; i++)
		rc = make_stanza(file_key, &to[i], out);
	if (!rc)
		rc = buf_puts(out, MARK);
	if (!rc)
		rc = header_mac(out->data, out->len, file_key, mac);
	if (rc)
		return rc;
	base64_encode(mac, sizeof(mac), text);
	return buf_printf(out, " %s\n", text);
}

/* ---- reading one ---- */

struct cursor {
	const uint8_t *at, *end;
};

/* The next line without its LF; NULL: it is not all there. */
static const uint8_t *next_line(struct cursor *c, size_t *len)
{
	const uint8_t *line = c->at;
	const uint8_t *lf = memchr(line, '\n', (size_t)(c->end - line));

	if (!lf)
		return NULL;
	*len = (size_t)(lf - line);
	c->at = lf + 1;
	return line;
}

/* "-> ARGUMENT ...": *@share is set for an X25519 stanza. False when it breaks the format. */
static bool read_arguments(const uint8_t *line, size_t len, bool *ours, uint8_t *share)
{
	static const char type[] = "X25519";
	const uint8_t *at = line + 3, *end = line + len, *space;
	uint8_t data[COLUMNS];
	size_t n;

	if (len < 4 || memcmp(line, "-> ", 3) != 0)
		return false;
	*ours = false;
	for (unsigned int i = 0;; i++, at = space + 1) {
		space = memchr(at, ' ', (size_t)(end - at));
		n = (size_t)((space ? space : end) - at);
		if (!n)
			return false;
		for (size_t k = 0; k < n; k++)
			if (at[k] < 0x21 || at[k] > 0x7e)
				return false;
		if (i == 0)
			*ours = n == strlen(type) && memcmp(at, type, n) == 0;
		if (i == 1 && *ours) {
			if (base64_decode(at, n, data) != AGE_KEY_LEN)
				return false;
			memcpy(share, data, AGE_KEY_LEN);
		}
		if (!space)
			return !*ours || i == 1;
	}
}

/* Lines of base64, the last one shorter. 1, 0: not all there, -SHUNT_EPARSE. */
static int read_body(struct cursor *c, bool ours, uint8_t *body)
{
	uint8_t data[COLUMNS];
	const uint8_t *line;
	size_t len, total = 0;
	int n;

	do {
		line = next_line(c, &len);
		if (!line)
			return c->end - c->at > COLUMNS ? -SHUNT_EPARSE : 0;
		n = base64_decode(line, len, data);
		if (n < 0)
			return -SHUNT_EPARSE;
		if (ours && total + (size_t)n <= AGE_WRAPPED_LEN)
			memcpy(body + total, data, (size_t)n);
		total += (size_t)n;
	} while (len == COLUMNS);
	return ours && total != AGE_WRAPPED_LEN ? -SHUNT_EPARSE : 1;
}

static int read_stanza(struct cursor *c, struct age_stanza *s, bool *ours)
{
	const uint8_t *line;
	size_t len;

	line = next_line(c, &len);
	if (!line)
		return 0;
	if (!read_arguments(line, len, ours, s->share))
		return -SHUNT_EPARSE;
	return read_body(c, *ours, s->body);
}

/* 1: that was it; 0: not all there. */
static int read_mac(struct cursor *c)
{
	uint8_t data[COLUMNS];
	const uint8_t *line;
	size_t len;

	line = next_line(c, &len);
	if (!line)
		return c->end - c->at >= MAC_LINE_LEN ? -SHUNT_EPARSE : 0;
	if (len != MAC_LINE_LEN - 1 || line[3] != ' ' ||
	    base64_decode(line + 4, 43, data) != MAC_LEN)
		return -SHUNT_EPARSE;
	return 1;
}

static bool at_mac(const struct cursor *c)
{
	return c->end - c->at >= 3 && memcmp(c->at, MARK, 3) == 0;
}

ssize_t age_header_walk(const uint8_t *data, size_t len,
			int (*each)(const struct age_stanza *s, void *arg), void *arg, int *found,
			struct err *e)
{
	struct cursor c = { data, data + len };
	size_t known = len < VERSION_LEN ? len : VERSION_LEN;
	unsigned int stanzas = 0;
	struct age_stanza s;
	bool ours;
	int rc;

	*found = 0;
	if (memcmp(data, version_line, known) != 0)
		return err_set(e, -SHUNT_EPARSE, "not an age file (age-encryption.org/v1)");
	if (known < VERSION_LEN)
		return 0;
	c.at += VERSION_LEN;
	for (; !at_mac(&c); stanzas++) {
		rc = read_stanza(&c, &s, &ours);
		if (rc < 0)
			return err_set(e, rc, "the header of the age file is malformed");
		if (!rc)
			return 0;
		if (ours && each && !*found)
			*found = each(&s, arg);
	}
	rc = stanzas ? read_mac(&c) : -SHUNT_EPARSE;
	if (rc < 0)
		return err_set(e, rc, "the header of the age file is malformed");
	return rc ? c.at - data : 0;
}
