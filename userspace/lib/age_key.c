// SPDX-License-Identifier: GPL-2.0-or-later
/* age_key: identities and recipients, their text and their arithmetic. */
#include "lib/age_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/bech32.h"
#include "lib/conf.h"
#include "lib/digest.h"

#define RECIPIENT_PREFIX "age"
#define IDENTITY_PREFIX "age-secret-key-"
#define LINE_LEN 1024 /* octets of a line of a file of identities; comments are cut */

_Static_assert(AGE_RECIPIENT_STR_LEN == BECH32_LEN(sizeof(RECIPIENT_PREFIX) - 1, AGE_KEY_LEN),
	       "recipients");
_Static_assert(AGE_IDENTITY_STR_LEN == BECH32_LEN(sizeof(IDENTITY_PREFIX) - 1, AGE_KEY_LEN),
	       "identities");

int age_random(void *out, size_t len)
{
	/* Up to 256 octets come whole (random(7)). */
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : -EIO;
}

/* ---- X25519 ---- */

int age_x25519(const uint8_t secret[AGE_KEY_LEN], const uint8_t point[AGE_KEY_LEN],
	       uint8_t out[AGE_KEY_LEN])
{
	EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, AGE_KEY_LEN);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, AGE_KEY_LEN);
	EVP_PKEY_CTX *ctx = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
	size_t len = AGE_KEY_LEN;
	int rc = -EIO;

	/* OpenSSL refuses what would come out as zero (RFC 7748, 6.1). */
	if (ctx && peer && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer(ctx, peer) == 1)
		rc = EVP_PKEY_derive(ctx, out, &len) == 1 && len == AGE_KEY_LEN ? 0 : -EINVAL;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	ERR_clear_error();
	return rc;
}

int age_x25519_base(const uint8_t secret[AGE_KEY_LEN], uint8_t point[AGE_KEY_LEN])
{
	EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, AGE_KEY_LEN);
	size_t len = AGE_KEY_LEN;
	int rc = own && EVP_PKEY_get_raw_public_key(own, point, &len) == 1 ? 0 : -EIO;

	EVP_PKEY_free(own);
	return rc;
}

/* ---- keys ---- */

int age_identity_new(struct age_identity *out)
{
	return age_random(out->key, sizeof(out->key));
}

int age_identity_recipient(const struct age_identity *id, struct age_recipient *out)
{
	return age_x25519_base(id->key, out->key);
}

int age_recipient_parse(const char *text, struct age_recipient *out)
{
	return bech32_decode(RECIPIENT_PREFIX, text, out->key, sizeof(out->key));
}

int age_identity_parse(const char *text, struct age_identity *out)
{
	return bech32_decode(IDENTITY_PREFIX, text, out->key, sizeof(out->key));
}

const char *age_recipient_print(const struct age_recipient *r, char out[AGE_RECIPIENT_STR_LEN])
{
	bech32_encode(RECIPIENT_PREFIX, r->key, sizeof(r->key), out, AGE_RECIPIENT_STR_LEN);
	return out;
}

const char *age_identity_print(const struct age_identity *id, char out[AGE_IDENTITY_STR_LEN])
{
	bech32_encode(IDENTITY_PREFIX, id->key, sizeof(id->key), out, AGE_IDENTITY_STR_LEN);
	for (char *p = out; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return out;
}

/* ---- files of identities ---- */

static int read_identities(FILE *in, const char *file, struct age_identity *out, size_t *n,
			   struct err *e)
{
	char line[LINE_LEN];
	unsigned int number = 0;
	bool rest = false, whole; /* @rest: of a line that was too long, a comment */
	int rc = 0;

	*n = 0;
	while (!rc && fgets(line, sizeof(line), in)) {
		size_t len = strlen(line);
		bool comment = rest || line[0] == '#';

		whole = len && line[len - 1] == '\n';
		number += !rest;
		rest = comment && !whole;
		while (len && isspace((unsigned char)line[len - 1]))
			line[--len] = '\0';
		if (comment || !len)
			continue;
		if (*n == AGE_IDENTITIES_MAX)
			rc = err_set(e, -E2BIG, "%s: holds more than %d identities", file,
				     AGE_IDENTITIES_MAX);
		else if (age_identity_parse(line, &out[*n]))
			rc = err_set(e, -SHUNT_EPARSE,
				     "%s: line %u is no identity (AGE-SECRET-KEY-1...)", file,
				     number);
		else
			++*n;
	}
	secret_wipe(line, sizeof(line));
	if (!rc && ferror(in))
		rc = err_sys(e, -EIO, "%s", file);
	if (!rc && !*n)
		rc = err_set(e, -SHUNT_EPARSE, "%s: holds no identity (AGE-SECRET-KEY-1...)", file);
	return rc;
}

int age_identities_read(const char *file, struct age_identity out[AGE_IDENTITIES_MAX], size_t *n,
			struct err *e)
{
	char buffer[4096];
	FILE *in;
	int rc;

	rc = conf_check_secret_file(file, e);
	if (rc)
		return rc;
	in = fopen(file, "re");
	if (!in)
		return err_sys(e, -errno, "%s", file);
	/* Ours, so that it can be wiped. */
	setvbuf(in, buffer, _IOFBF, sizeof(buffer));
	rc = read_identities(in, file, out, n, e);
	fclose(in);
	secret_wipe(buffer, sizeof(buffer));
	if (rc)
		secret_wipe(out, AGE_IDENTITIES_MAX * sizeof(*out));
	return rc;
}
