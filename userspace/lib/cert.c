// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/cert.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/err.h"

/* A daemon must not stop at a prompt, and nobody is there to type. */
static int no_passphrase(char *buf, int size, int write, void *arg)
{
	(void)buf;
	(void)size;
	(void)write;
	(void)arg;
	return 0;
}

char *cert_openssl_str(char *out, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	if (text)
		snprintf(out, size, "%s", text);
	else if (code)
		snprintf(out, size, "OpenSSL error %#lx", code);
	else
		snprintf(out, size, "unknown error");
	ERR_clear_error();
	return out;
}

static int open_pem(const char *file, BIO **out, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	FILE *f;
	int rc;

	if (fd < 0)
		return err_sys(e, -errno, "%s", file);
	f = fdopen(fd, "r");
	if (!f) {
		rc = -errno;
		close(fd);
		return err_sys(e, rc, "%s", file);
	}
	/* A key must not stay behind in a buffer of stdio's. */
	setvbuf(f, NULL, _IONBF, 0);
	*out = BIO_new_fp(f, BIO_CLOSE);
	if (!*out) {
		fclose(f);
		return err_sys(e, -ENOMEM, "%s", file);
	}
	return 0;
}

int cert_load(const char *file, X509 **out, struct err *e)
{
	BIO *bio = NULL;
	X509 *cert;
	int rc = open_pem(file, &bio, e);

	if (rc < 0)
		return rc;
	ERR_clear_error();
	cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (!cert)
		return err_set(e, -SHUNT_ETLS, "%s: no certificate in PEM form", file);
	*out = cert;
	return 0;
}

int cert_load_key(const char *file, EVP_PKEY **out, struct err *e)
{
	BIO *bio = NULL;
	EVP_PKEY *key;
	int rc = conf_check_secret_file(file, e);

	if (rc == 0)
		rc = open_pem(file, &bio, e);
	if (rc < 0)
		return rc;
	ERR_clear_error();
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (!key)
		return err_set(e, -SHUNT_ETLS, "%s: no unencrypted private key in PEM form", file);
	*out = key;
	return 0;
}

static int identity_from_names(const GENERAL_NAMES *names, struct party *id, struct err *e)
{
	const char *uri = NULL;
	int i, len = 0;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_URI)
			continue;
		if (uri)
			return err_set(e, -SHUNT_EPEER, "certificate has more than one SAN URI");
		uri = (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
		len = ASN1_STRING_length(name->d.uniformResourceIdentifier);
	}
	if (!uri)
		return err_set(e, -SHUNT_EPEER, "certificate has no SAN URI shunt:ROLE:NAME");
	/* A NUL inside would make it read differently here and elsewhere. */
	if (len <= 0 || (size_t)len != strnlen(uri, (size_t)len) || len >= PARTY_STR_LEN)
		return err_set(e, -SHUNT_EPEER, "certificate's SAN URI is malformed");
	{
		char text[PARTY_STR_LEN];

		memcpy(text, uri, (size_t)len);
		text[len] = '\0';
		if (party_parse(text, id) < 0)
			return err_set(e, -SHUNT_EPEER,
				       "certificate's SAN URI '%s' is not shunt:ROLE:NAME", text);
	}
	return 0;
}

int cert_identity(const X509 *cert, struct party *id, struct err *e)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int rc;

	if (!names) {
		ERR_clear_error();
		return err_set(e, -SHUNT_EPEER, "certificate has no SAN URI shunt:ROLE:NAME");
	}
	rc = identity_from_names(names, id, e);
	GENERAL_NAMES_free(names);
	return rc;
}

/* Schemes are the same in any case (RFC 3986 3.1). */
static bool is_of_party(const GENERAL_NAME *name)
{
	static const char scheme[] = "shunt:";
	const ASN1_IA5STRING *uri;

	if (name->type != GEN_URI)
		return false;
	uri = name->d.uniformResourceIdentifier;
	return (size_t)ASN1_STRING_length(uri) >= sizeof(scheme) - 1 &&
	       !strncasecmp((const char *)ASN1_STRING_get0_data(uri), scheme, sizeof(scheme) - 1);
}

static bool is_uri(const GENERAL_NAME *name, const char *text)
{
	const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;

	return (size_t)ASN1_STRING_length(uri) == strlen(text) &&
	       !memcmp(ASN1_STRING_get0_data(uri), text, strlen(text));
}

bool cert_may_be(const X509 *cert, const struct party *id)
{
	int absent = 0, i;
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &absent, NULL);
	char text[PARTY_STR_LEN];
	bool may = true;

	if (!names) {
		ERR_clear_error();
		return absent == -1; /* else it is malformed, or there are two */
	}
	party_print(id, text);
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		may = may && (!is_of_party(name) || is_uri(name, text));
	}
	GENERAL_NAMES_free(names);
	return may;
}

const char *cert_verify_str(int verify_error)
{
	switch (verify_error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "certificate is not yet valid";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return "certificate is of an unknown CA";
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "certificate's signature is not the CA's";
	case X509_V_ERR_INVALID_PURPOSE:
		return "certificate is not meant for this side of TLS";
	case X509_V_ERR_INVALID_CA:
		return "certificate's issuer is not a CA";
	default:
		return X509_verify_cert_error_string(verify_error);
	}
}
