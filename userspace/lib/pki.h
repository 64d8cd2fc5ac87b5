/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pki: a deployment's certificate authority in a directory, and what a certificate says.
 *
 * Files are PEM: ca.crt, ca.key, ROLE-NAME.crt, ROLE-NAME.key; keys have mode 0600. Nothing that
 * exists is ever overwritten. Keys are Ed25519 or P-256; serials are 128 random bits (RFC 5280
 * 4.1.2.2).
 */
#ifndef SHUNT_LIB_PKI_H
#define SHUNT_LIB_PKI_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "lib/types.h"

struct err;

enum pki_alg {
	PKI_ED25519,
	PKI_P256,
};

#define PKI_CA_DAYS 3650
#define PKI_CERT_DAYS 825

struct pki_opts {
	enum pki_alg alg;
	int64_t not_before; /* seconds relative to now; e.g. -3600 */
	int64_t not_after; /* seconds relative to now, > not_before */
};

/* Create @dir (mode 0700) if missing and a new CA in it; @name becomes its common name. -EEXIST when
 * there is one. Returns 0 or -errno with the message in @e.
 */
int pki_init(const char *dir, const char *name, const struct pki_opts *opts, struct err *e);

struct pki_paths {
	char cert[PATH_MAX];
	char key[PATH_MAX];
};

/* Issue a certificate of the CA in @dir for @id into @out_dir (NULL: @dir). @paths (may be NULL)
 * gets the names of the files. The certificate never outlives the CA's: its validity is cut to it; -ERANGE
 * when nothing is left.
 */
int pki_issue(const char *dir, const struct party *id, const char *out_dir,
	      const struct pki_opts *opts, struct pki_paths *paths, struct err *e);

struct pki_info {
	bool ca;
	bool has_party;
	struct party party; /* when has_party */
	char subject[256];
	char issuer[256];
	char serial[65]; /* lower-case hex */
	char algorithm[32];
	char sha256[65]; /* fingerprint of the DER form, lower-case hex */
	time_t not_before;
	time_t not_after;
};

/* Decode the first certificate of a PEM file. @info needs no clean-up. */
int pki_show(const char *file, struct pki_info *info, struct err *e);

/* The same for one certificate in DER; the decoder that the fuzz target drives. */
int pki_decode(const void *der, size_t len, struct pki_info *info, struct err *e);

#endif
