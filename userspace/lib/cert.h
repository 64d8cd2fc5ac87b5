/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cert: what tls and pki share about X.509. Has OpenSSL's types in its contract, so only those two
 * include it.
 */
#ifndef SHUNT_LIB_CERT_H
#define SHUNT_LIB_CERT_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "lib/types.h"

struct err;

/* First certificate of a PEM file; the caller frees it. Messages start with the file's name. */
int cert_load(const char *file, X509 **out, struct err *e);

/* Private key of a PEM file that only its owner may read; never asks for a passphrase. */
int cert_load_key(const char *file, EVP_PKEY **out, struct err *e);

/* The identity: exactly one SAN of type URI, which is shunt:ROLE:NAME. 0 or -SHUNT_EPEER. */
int cert_identity(const X509 *cert, struct party *id, struct err *e);

/*
 * May who has @cert be @id? A certificate that says nothing of parties (no SAN URI shunt:...) may be anybody's; else all that it
 * says must be that.
 */
bool cert_may_be(const X509 *cert, const struct party *id);

/* A clause for an X509_V_ERR_* code: "certificate has expired". Static. */
const char *cert_verify_str(int verify_error);

/* Drain OpenSSL's error queue into a clause of its last, most telling entry; "unknown error" when it
 * was empty. Returns @out.
 */
char *cert_openssl_str(char *out, size_t size);

#endif
