/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * types: the vocabulary all programs share: names, ids, parties, enums with their words on the
 * wire, Content-Range. Also brings in addr.h and clock.h.
 *
 * Parsers accept the whole string or nothing and return 0 or -SHUNT_EPARSE, leaving @out alone on
 * error. X_str() gives the word on the wire, "?" for a value outside the enum.
 */
#ifndef SHUNT_LIB_TYPES_H
#define SHUNT_LIB_TYPES_H

#include "lib/addr.h"
#include "lib/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- enums and their words ---- */

struct enum_name {
	int value;
	const char *name; /* NULL ends a table */
};

const char *enum_str(const struct enum_name *table, int value); /* "?" when not in it */
int enum_parse(const struct enum_name *table, const char *s, int *out);
/* "a, b or c", cut to @size: for error messages. Returns @out. */
char *enum_list(const struct enum_name *table, char *out, size_t size);

enum role { ROLE_TERMINAL, ROLE_ADMIN, ROLE_CLOUD, ROLE_MANAGER, ROLE_GATEWAY, ROLE_DEVICE };
#define ROLE_BIT(role) (1u << (role))
#define ROLE_ANY 0x3fu
extern const struct enum_name role_names[];
const char *role_str(enum role r);
int role_parse(const char *s, enum role *out);

enum job_kind { JOB_PRINT, JOB_STORE, JOB_FETCH };
extern const struct enum_name job_kind_names[];
const char *job_kind_str(enum job_kind k);
int job_kind_parse(const char *s, enum job_kind *out);

/* States of a job, at the cloud and (a subset) at the device. */
enum job_state {
	JOB_RECEIVING, /* content is arriving */
	JOB_QUEUED, /* cloud: content complete, not started */
	JOB_WAITING, /* cloud: asked for a tunnel, the gateway has no slot yet */
	JOB_RUNNING, /* content is on its way; a fetch job's is ready at the device */
	JOB_SUSPENDED, /* device: holds what it has (7L) */
	JOB_EXECUTING, /* device has all content and works on it; of a fetch job: makes it */
	JOB_COMPLETED,
	JOB_FAILED,
	JOB_INTERRUPTED, /* the device died while executing; never repeated silently */
	JOB_CANCELED,
};
extern const struct enum_name job_state_names[];
const char *job_state_str(enum job_state s);
int job_state_parse(const char *s, enum job_state *out);
bool job_state_final(enum job_state s); /* completed, failed, interrupted, canceled */

/* How both sides of the paper are used, and colour: the words are IPP's `sides` and `print-color-mode`. */
enum print_sides { SIDES_UNSET, SIDES_ONE, SIDES_LONG_EDGE, SIDES_SHORT_EDGE };
extern const struct enum_name print_sides_names[]; /* "", one-sided, two-sided-long-edge, ... */
const char *print_sides_str(enum print_sides s);
int print_sides_parse(const char *s, enum print_sides *out);

enum print_color { COLOR_UNSET, COLOR_AUTO, COLOR_COLOR, COLOR_MONOCHROME };
extern const struct enum_name print_color_names[]; /* "", auto, color, monochrome */
const char *print_color_str(enum print_color c);
int print_color_parse(const char *s, enum print_color *out);

enum path_kind { PATH_NONE, PATH_TUNNEL, PATH_DIRECT }; /* "", "tunnel", "direct" */
extern const struct enum_name path_kind_names[];
const char *path_kind_str(enum path_kind k);
int path_kind_parse(const char *s, enum path_kind *out);

enum path_state { PATH_OPENING, PATH_ACTIVE, PATH_DRAINING, PATH_CLOSED };
extern const struct enum_name path_state_names[];
const char *path_state_str(enum path_state s);
int path_state_parse(const char *s, enum path_state *out);

/* How a device is spoken to. */
enum service_kind { SERVICE_AGENT, SERVICE_WEBDAV, SERVICE_IPP, SERVICE_SMB };
extern const struct enum_name service_kind_names[];
const char *service_kind_str(enum service_kind k);
int service_kind_parse(const char *s, enum service_kind *out);

/* Numbers are those of enum shunt_cipher in <linux/shunt.h>; types.c asserts it. */
enum cipher { CIPHER_AES_GCM_128, CIPHER_AES_GCM_256, CIPHER_CHACHA20_POLY1305 };
extern const struct enum_name cipher_names[]; /* aes-gcm-128 aes-gcm-256 chacha20-poly1305 */
const char *cipher_str(enum cipher c);
int cipher_parse(const char *s, enum cipher *out);
size_t cipher_key_len(enum cipher c); /* octets with the 4-octet salt that comes last: 20 or 36 */

/* Protocols a scope may name; numbers are IANA's. */
enum ip_proto { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17 };
extern const struct enum_name ip_proto_names[];
const char *ip_proto_str(enum ip_proto p);
int ip_proto_parse(const char *s, enum ip_proto *out);

/* ---- names and ids ---- */

/* Party names and device codes: [A-Za-z0-9._-]{1,63}, not "." or ".." (they become file names). */
#define NAME_LEN 64 /* with NUL */
bool name_ok(const char *s);
bool name_ok_n(const char *s, size_t n);

/*
 * A public key by its digest, as libcurl and RFC 7469 write it: "sha256//" and the base64 of the SHA-256 of the key's
 * SubjectPublicKeyInfo.
 */
#define PIN_LEN 53 /* with NUL */
bool pin_ok(const char *s);

/* 128 random bits as 32 lower-case hex digits: job ids, tokens, nonces. */
#define ID_LEN 33 /* with NUL */
int id_random(char out[ID_LEN]); /* 0 or -errno of getrandom(2) */
bool id_ok(const char *s);

/* SHA-256 as 64 lower-case hex digits. */
#define SHA256_STR_LEN 65
bool sha256_str_ok(const char *s);

/* Tunnel ids: the gateway's inbound SPI as 8 lower-case hex digits. SPIs below 256 are reserved. */
#define TUNNEL_ID_LEN 9
char *tunnel_id_print(uint32_t spi, char out[TUNNEL_ID_LEN]);
int tunnel_id_parse(const char *s, uint32_t *spi);

/* Lower-case hex. hex_decode() takes exactly 2 * @n digits of either case. */
void hex_encode(const void *p, size_t n, char *out); /* writes 2 * n + 1 bytes */
int hex_decode(const char *s, void *out, size_t n);

/* Constant-time comparison of @n bytes, for tokens. */
bool secret_equal(const void *a, const void *b, size_t n);

/* Whole decimal number without sign, blanks or leading zeros, at most @max. */
int u64_parse(const char *s, uint64_t max, uint64_t *out);

/* True when the @n bytes are valid UTF-8 without NUL. */
bool utf8_ok(const char *s, size_t n);

/* "type/subtype" of RFC 9110 8.3.1 with optional parameters, printable ASCII, <= 127 octets. */
#define MEDIA_TYPE_LEN 128
bool media_type_ok(const char *s);

/* ---- parties ---- */

/* Who a certificate says its bearer is: SAN URI `shunt:ROLE:NAME`. */
struct party {
	enum role role;
	char name[NAME_LEN];
};
#define PARTY_STR_LEN (NAME_LEN + 16)
int party_parse(const char *s, struct party *out);
char *party_print(const struct party *p, char out[PARTY_STR_LEN]);
bool party_equal(const struct party *a, const struct party *b);

/* ---- Content-Range ---- */

/* Half-open here; on the wire `bytes FIRST-LAST/SIZE` with an inclusive LAST (RFC 9110 14.4). */
struct content_range {
	uint64_t from, to; /* from < to <= size */
	uint64_t size; /* whole content; CONTENT_SIZE_UNKNOWN for "*" */
};
#define CONTENT_SIZE_UNKNOWN UINT64_MAX
#define CONTENT_SIZE_MAX (((uint64_t)1 << 53) - 1) /* largest integer JSON carries safely */
#define CONTENT_RANGE_STR_LEN 64
int content_range_parse(const char *s, struct content_range *out);
char *content_range_print(const struct content_range *r, char out[CONTENT_RANGE_STR_LEN]);

/*
 * Range (RFC 9110 14.2): which bytes [*from, *to) of a content of @size bytes are asked for. 0,
 * -ERANGE: not satisfiable (416), -SHUNT_EPARSE: to be ignored (malformed, another unit, or several
 * ranges, which a server need not serve).
 */
int range_request_parse(const char *s, uint64_t size, uint64_t *from, uint64_t *to);

#endif
