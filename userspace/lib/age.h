/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * age: files in the age v1 format (https://c2sp.org/age), for X25519 recipients. On OpenSSL.
 *
 *	prefix	| header (text: the file key, wrapped for each recipient; HMAC over it) | nonce (16) |
 *	chunks	| 64 KiB of plaintext as ChaCha20-Poly1305 (+ 16 of tag) | ... | the last, shorter or full |
 *
 * A chunk's nonce is its number and whether it is the last, so chunks can be made and read in any order,
 * yet none of them can be altered, left out, repeated, moved or taken from another file unnoticed, nor the
 * end be cut off. Whoever has a recipient (a public key) can encrypt to it; only the identity (the
 * private key) reads. Why this format, and what it does not do: Documentation/storage.md.
 *
 * age_key.c has keys and their text, age_header.c the header, age.c the chunks, age_stream.c whole files.
 */
#ifndef SHUNT_LIB_AGE_H
#define SHUNT_LIB_AGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* ---- keys ---- */

#define AGE_KEY_LEN 32
#define AGE_RECIPIENT_STR_LEN 63 /* "age1..." with NUL */
#define AGE_IDENTITY_STR_LEN 75 /* "AGE-SECRET-KEY-1..." with NUL */
#define AGE_IDENTITIES_MAX 16 /* of one file */

/* Public: who can read. */
struct age_recipient {
	uint8_t key[AGE_KEY_LEN];
};

/* Secret: secret_wipe() it. */
struct age_identity {
	uint8_t key[AGE_KEY_LEN];
};

/* 0, -errno of getrandom(2), -EIO. */
int age_identity_new(struct age_identity *out);
/* 0, -EIO. */
int age_identity_recipient(const struct age_identity *id, struct age_recipient *out);

/* 0, or -EINVAL: no key of that kind (Bech32). A recipient that is no point worth its name is accepted:
 * age_new() refuses it.
 */
int age_recipient_parse(const char *text, struct age_recipient *out);
int age_identity_parse(const char *text, struct age_identity *out);
/* Return @out. */
const char *age_recipient_print(const struct age_recipient *r, char out[AGE_RECIPIENT_STR_LEN]);
const char *age_identity_print(const struct age_identity *id, char out[AGE_IDENTITY_STR_LEN]);

/*
 * The identities of @file, one a line; empty lines and those that begin with # are skipped, as age-keygen
 * writes them. *@n says how many. The file must be its owner's alone. 0, -SHUNT_ESECRETFILE,
 * -SHUNT_EPARSE, -E2BIG, -errno, with @e; then @out is wiped.
 */
int age_identities_read(const char *file, struct age_identity out[AGE_IDENTITIES_MAX], size_t *n,
			struct err *e);

/* ---- one file's keys ---- */

#define AGE_CHUNK 65536 /* octets of plaintext */
#define AGE_TAG 16
#define AGE_SEALED (AGE_CHUNK + AGE_TAG)
#define AGE_FILE_KEY_LEN 16
#define AGE_NONCE_LEN 16
#define AGE_RECIPIENTS_MAX 8
#define AGE_PREFIX_MAX 16384 /* octets of header and nonce that are borne */

struct age;

/*
 * A new file that each of @to can read: with a file key and a nonce of its own. 0, -EINVAL: none, too
 * many, or a key that nobody can have (a low-order point); -ENOMEM, -EIO, -errno.
 */
int age_new(const struct age_recipient *to, size_t n, struct age **out);
/*
 * How much of @data, which is what a file begins with, is its prefix: > 0; 0: there must be more of it;
 * -SHUNT_EPARSE with @e: no age file, or one whose header breaks the format.
 */
ssize_t age_prefix(const void *data, size_t len, struct err *e);
/*
 * The file that begins with the prefix @data of @len octets, for the holder of one of @ids. 0 or, with @e,
 * -SHUNT_EPARSE as above; -ENOKEY: it is not encrypted to any of them; -EBADMSG: the header was altered;
 * -ENOMEM, -EIO.
 */
int age_open(const void *data, size_t len, const struct age_identity *ids, size_t n,
	     struct age **out, struct err *e);
/*
 * The same for who kept the file key (age_file_key()); -EBADMSG: it is not this file's. The recipients in
 * the header are not looked at.
 */
int age_restore(const void *data, size_t len, const uint8_t file_key[AGE_FILE_KEY_LEN],
		struct age **out, struct err *e);
void age_free(struct age *age); /* wipes; NULL is allowed */

/* Secret: opens this file, and no other one. */
void age_file_key(const struct age *age, uint8_t out[AGE_FILE_KEY_LEN]);
/* What the file begins with; owned by @age. */
const void *age_prefix_of(const struct age *age, size_t *len);

/* ---- sizes and chunks ---- */

/* Octets of the whole file for @plain octets of plaintext. */
uint64_t age_size(const struct age *age, uint64_t plain);
/* The other way round; -EBADMSG when no file is that long: it was cut off. */
int age_plain_size(const struct age *age, uint64_t size, uint64_t *plain);
/* Number of chunks; even an empty plaintext has one. */
uint64_t age_chunks(uint64_t plain);
/* Plaintext of chunk @index, @index < age_chunks(). */
size_t age_chunk_len(uint64_t plain, uint64_t index);
/* Where chunk @index begins in the file. */
uint64_t age_chunk_at(const struct age *age, uint64_t index);

/*
 * Encrypt chunk @index, @len octets, into @out of @len + AGE_TAG. The same chunk must always be given the
 * same plaintext and the same @last. 0 or -EIO.
 */
int age_seal(struct age *age, uint64_t index, bool last, const void *plain, size_t len,
	     uint8_t *out);
/*
 * Decrypt and verify; @len octets with the tag, @out (may be @sealed) gets @len - AGE_TAG. -EBADMSG: altered, or
 * not this chunk of this file; nothing of it may be believed. -EIO.
 */
int age_unseal(struct age *age, uint64_t index, bool last, const void *sealed, size_t len,
	       uint8_t *out);

/*
 * For parts of a chunk that has not come yet: encrypt or decrypt @len octets which stand at @offset in
 * chunk @index, in place, with ChaCha20 under a key derived for this purpose only. It hides them and proves
 * nothing; the same place must always hold the same octets. Not part of the format: such parts are no
 * file. 0 or -EIO.
 */
int age_mask(struct age *age, uint64_t index, size_t offset, void *data, size_t len);

/* ---- whole files ---- */

/* Reads at any offset, one chunk in memory. */
struct age_stream;

/*
 * What the age file of the @plain octets of @fd is: encrypts while it is read. @age and @fd must outlive the
 * stream. -ENOMEM.
 */
int age_stream_seal(struct age *age, int fd, uint64_t plain, struct age_stream **out);
/*
 * The plaintext of the age file @fd, which is @size octets long. Verifies that its end is the end. -EBADMSG when
 * not; -ENOMEM, -errno.
 */
int age_stream_open(struct age *age, int fd, uint64_t size, struct age_stream **out);
void age_stream_free(struct age_stream *s); /* wipes; NULL is allowed */
uint64_t age_stream_size(const struct age_stream *s);
/*
 * Up to @len octets from @offset; fewer at the end of a chunk, 0 at the end. Only what was verified is given.
 * -EBADMSG, -EIO, -ENODATA: @fd is shorter than it was said to be; -errno.
 */
ssize_t age_stream_read(struct age_stream *s, uint64_t offset, void *buf, size_t len);

#endif
