// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/pki.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cert.h"
#include "lib/digest.h"
#include "lib/err.h"
#include "lib/file.h"

#define SERIAL_LEN 16

/* ---- files ---- */

static int join(char out[PATH_MAX], const char *dir, const char *name, struct err *e)
{
	int len = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	if (len < 0 || len >= PATH_MAX)
		return err_sys(e, -ENAMETOOLONG, "%s", dir);
	return 0;
}

static int must_not_exist(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return err_set(e, -EEXIST, "%s exists already and is left alone", path);
	if (errno != ENOENT)
		return err_sys(e, -errno, "%s", path);
	return 0;
}

/* Written completely or not at all; never over something that exists. */
static int write_new(const char *path, BIO *content, mode_t mode, struct err *e)
{
	char *data = NULL;
	long len = BIO_get_mem_data(content, &data);
	int rc = 0, fd;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(e, -errno, "%s", path);
	if (len > 0)
		rc = file_write(fd, data, (size_t)len);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc < 0) {
		unlink(path);
		return err_sys(e, rc, "%s", path);
	}
	return 0;
}

static int write_cert(const char *path, X509 *cert, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int rc = -ENOMEM;

	if (bio && PEM_write_bio_X509(bio, cert) == 1)
		rc = write_new(path, bio, 0644, e);
	else
		err_sys(e, rc, "%s", path);
	BIO_free(bio);
	return rc;
}

static int write_key(const char *path, EVP_PKEY *key, struct err *e)
{
	/* The secure kind wipes its memory when freed. */
	BIO *bio = BIO_new(BIO_s_secmem());
	int rc = -ENOMEM;

	if (bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
		rc = write_new(path, bio, 0600, e);
	else
		err_sys(e, rc, "%s", path);
	BIO_free(bio);
	return rc;
}

/* The key first: a certificate without its key would block the next attempt for nothing. */
static int write_pair(const char *cert_path, X509 *cert, const char *key_path, EVP_PKEY *key,
		      struct err *e)
{
	int rc = write_key(key_path, key, e);

	if (rc < 0)
		return rc;
	rc = write_cert(cert_path, cert, e);
	if (rc < 0)
		unlink(key_path);
	return rc;
}

/* ---- building certificates ---- */

static EVP_PKEY *make_key(enum pki_alg alg)
{
	if (alg == PKI_P256)
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static int sign_cert(X509 *cert, EVP_PKEY *key)
{
	/* Ed25519 brings its own hash. */
	const EVP_MD *md = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();

	return X509_sign(cert, key, md) > 0 ? 0 : -EIO;
}

static int set_serial(X509 *cert)
{
	uint8_t octets[SERIAL_LEN];
	BIGNUM *number = NULL;
	int rc = -EIO;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return -EIO;
	/* Positive and of full length. */
	octets[0] = (octets[0] & 0x3f) | 0x40;
	number = BN_bin2bn(octets, sizeof(octets), NULL);
	if (number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)))
		rc = 0;
	BN_free(number);
	return rc;
}

static int add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!ext)
		return -EIO;
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok == 1 ? 0 : -EIO;
}

static int set_name(X509 *cert, const char *unit, const char *common)
{
	X509_NAME *name = X509_get_subject_name(cert);

	if (X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"shunt", -1,
				       -1, 0) != 1 ||
	    (unit && X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_UTF8,
						(const unsigned char *)unit, -1, -1, 0) != 1) ||
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common, -1,
				       -1, 0) != 1)
		return -EINVAL;
	return 0;
}

/* Everything but names, extensions and signature. */
static X509 *blank_cert(EVP_PKEY *key, const struct pki_opts *opts)
{
	X509 *cert = X509_new();
	time_t now = time(NULL);

	if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || set_serial(cert) < 0 ||
	    X509_set_pubkey(cert, key) != 1 ||
	    !ASN1_TIME_set(X509_getm_notBefore(cert), now + (time_t)opts->not_before) ||
	    !ASN1_TIME_set(X509_getm_notAfter(cert), now + (time_t)opts->not_after)) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static int build_ca(EVP_PKEY *key, const char *name, const struct pki_opts *opts, X509 **out)
{
	X509 *cert = blank_cert(key, opts);
	int rc = cert ? set_name(cert, NULL, name) : -ENOMEM;

	if (rc == 0 && X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1)
		rc = -ENOMEM;
	/* One level only: what this CA issues cannot issue in turn. */
	if (rc == 0)
		rc = add_ext(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	if (rc == 0)
		rc = add_ext(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (rc == 0)
		rc = add_ext(cert, cert, NID_subject_key_identifier, "hash");
	if (rc == 0)
		rc = sign_cert(cert, key);
	if (rc < 0)
		X509_free(cert);
	else
		*out = cert;
	return rc;
}

static int build_leaf(EVP_PKEY *key, const struct party *id, X509 *ca, EVP_PKEY *ca_key,
		      const struct pki_opts *opts, X509 **out)
{
	char uri[PARTY_STR_LEN], san[PARTY_STR_LEN + 8];
	X509 *cert = blank_cert(key, opts);
	int rc = cert ? set_name(cert, role_str(id->role), id->name) : -ENOMEM;

	snprintf(san, sizeof(san), "URI:%s", party_print(id, uri));
	if (rc == 0 && X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1)
		rc = -ENOMEM;
	if (rc == 0)
		rc = add_ext(cert, ca, NID_basic_constraints, "critical,CA:FALSE");
	if (rc == 0)
		rc = add_ext(cert, ca, NID_key_usage, "critical,digitalSignature");
	/* Who dials is a TLS client whatever its role, and every role may do both. */
	if (rc == 0)
		rc = add_ext(cert, ca, NID_ext_key_usage, "serverAuth,clientAuth");
	if (rc == 0)
		rc = add_ext(cert, ca, NID_subject_key_identifier, "hash");
	if (rc == 0)
		rc = add_ext(cert, ca, NID_authority_key_identifier, "keyid:always");
	if (rc == 0)
		rc = add_ext(cert, ca, NID_subject_alt_name, san);
	if (rc == 0)
		rc = sign_cert(cert, ca_key);
	if (rc < 0)
		X509_free(cert);
	else
		*out = cert;
	return rc;
}

static int check_opts(const struct pki_opts *opts, struct err *e)
{
	/* 100 years: beyond that arithmetic and ASN.1 dates become interesting. */
	const int64_t far = INT64_C(100) * 366 * 86400;

	if (opts->not_after <= opts->not_before || opts->not_after > far || opts->not_before < -far)
		return err_set(e, -EINVAL, "a validity of %lld to %lld seconds makes no sense",
			       (long long)opts->not_before, (long long)opts->not_after);
	return 0;
}

int pki_init(const char *dir, const char *name, const struct pki_opts *opts, struct err *e)
{
	char cert_path[PATH_MAX], key_path[PATH_MAX], why[128];
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	int rc = check_opts(opts, e);

	if (rc == 0 && mkdir(dir, 0700) < 0 && errno != EEXIST)
		rc = err_sys(e, -errno, "%s", dir);
	if (rc == 0)
		rc = join(cert_path, dir, "ca.crt", e);
	if (rc == 0)
		rc = join(key_path, dir, "ca.key", e);
	if (rc == 0)
		rc = must_not_exist(cert_path, e);
	if (rc == 0)
		rc = must_not_exist(key_path, e);
	if (rc < 0)
		return rc;
	ERR_clear_error();
	key = make_key(opts->alg);
	rc = key ? build_ca(key, name, opts, &cert) : -EIO;
	if (rc < 0)
		err_set(e, rc, "%s: cannot make the CA: %s", dir,
			cert_openssl_str(why, sizeof(why)));
	else
		rc = write_pair(cert_path, cert, key_path, key, e);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

struct ca {
	X509 *cert;
	EVP_PKEY *key;
};

static int load_ca(const char *dir, struct ca *ca, struct err *e)
{
	char path[PATH_MAX];
	int rc = join(path, dir, "ca.crt", e);

	if (rc == 0)
		rc = cert_load(path, &ca->cert, e);
	if (rc == 0)
		rc = join(path, dir, "ca.key", e);
	if (rc == 0)
		rc = cert_load_key(path, &ca->key, e);
	if (rc == 0 && X509_check_private_key(ca->cert, ca->key) != 1) {
		ERR_clear_error();
		rc = err_set(e, -SHUNT_ETLS, "%s: is not the key of ca.crt beside it", path);
	}
	if (rc == 0 && X509_check_ca(ca->cert) != 1)
		rc = err_set(e, -SHUNT_ETLS, "%s/ca.crt: is not the certificate of a CA", dir);
	return rc;
}

static void ca_fini(struct ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
}

static int leaf_paths(const struct party *id, const char *dir, struct pki_paths *paths,
		      struct err *e)
{
	char name[PARTY_STR_LEN + 8];
	int rc;

	snprintf(name, sizeof(name), "%s-%s.crt", role_str(id->role), id->name);
	rc = join(paths->cert, dir, name, e);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), "%s-%s.key", role_str(id->role), id->name);
	rc = join(paths->key, dir, name, e);
	if (rc == 0)
		rc = must_not_exist(paths->cert, e);
	if (rc == 0)
		rc = must_not_exist(paths->key, e);
	return rc;
}

static int get_time(const ASN1_TIME *from, time_t *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(from, &tm) != 1)
		return -SHUNT_EPARSE;
	*out = timegm(&tm);
	return 0;
}

/* Also cuts the validity in @opts to the CA's. */
static int check_leaf(const struct party *id, struct pki_opts *opts, const X509 *ca, struct err *e)
{
	time_t now = time(NULL), ca_end;

	if ((unsigned int)id->role > ROLE_DEVICE || !name_ok(id->name))
		return err_set(e, -EINVAL,
			       "'%s' is not a name: 1 to 63 of letters, digits, '.', '_' and '-'",
			       id->name);
	if (get_time(X509_get0_notAfter(ca), &ca_end) < 0)
		return err_set(e, -SHUNT_EPARSE, "the CA's validity is malformed");
	if (ca_end - now < opts->not_after)
		opts->not_after = ca_end - now;
	if (opts->not_after <= opts->not_before || ca_end <= now)
		return err_set(e, -ERANGE, "the CA's certificate has expired");
	return 0;
}

int pki_issue(const char *dir, const struct party *id, const char *out_dir,
	      const struct pki_opts *opts, struct pki_paths *paths, struct err *e)
{
	struct pki_opts cut = *opts;
	struct pki_paths own;
	struct ca ca = { 0 };
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	char why[128];
	int rc = check_opts(opts, e);

	if (!paths)
		paths = &own;
	if (rc == 0)
		rc = load_ca(dir, &ca, e);
	if (rc == 0)
		rc = check_leaf(id, &cut, ca.cert, e);
	if (rc == 0)
		rc = leaf_paths(id, out_dir ? out_dir : dir, paths, e);
	if (rc < 0)
		goto out;
	ERR_clear_error();
	key = make_key(opts->alg);
	rc = key ? build_leaf(key, id, ca.cert, ca.key, &cut, &cert) : -EIO;
	if (rc < 0)
		err_set(e, rc, "%s: cannot make the certificate: %s", paths->cert,
			cert_openssl_str(why, sizeof(why)));
	else
		rc = write_pair(paths->cert, cert, paths->key, key, e);
out:
	X509_free(cert);
	EVP_PKEY_free(key);
	ca_fini(&ca);
	return rc;
}

/* ---- reading certificates ---- */

static void print_name(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = -1;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		len = BIO_read(bio, out, (int)size - 1);
	out[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static int fill_serial(const X509 *cert, struct pki_info *info)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
	int len = ASN1_STRING_length(serial);

	/* RFC 5280 4.1.2.2 allows 20 octets; be kind up to what fits. */
	if (len <= 0 || (size_t)len * 2 + 1 > sizeof(info->serial))
		return -SHUNT_EPARSE;
	hex_encode(ASN1_STRING_get0_data(serial), (size_t)len, info->serial);
	return 0;
}

static int fill_info(X509 *cert, struct pki_info *info, struct err *e)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int md_len = 0;

	memset(info, 0, sizeof(*info));
	info->ca = X509_check_ca(cert) == 1;
	info->has_party = cert_identity(cert, &info->party, NULL) == 0;
	print_name(X509_get_subject_name(cert), info->subject, sizeof(info->subject));
	print_name(X509_get_issuer_name(cert), info->issuer, sizeof(info->issuer));
	if (fill_serial(cert, info) < 0)
		return err_set(e, -SHUNT_EPARSE, "certificate's serial number is out of range");
	if (get_time(X509_get0_notBefore(cert), &info->not_before) < 0 ||
	    get_time(X509_get0_notAfter(cert), &info->not_after) < 0)
		return err_set(e, -SHUNT_EPARSE, "certificate's validity is malformed");
	snprintf(info->algorithm, sizeof(info->algorithm), "%s",
		 key && EVP_PKEY_get0_type_name(key) ? EVP_PKEY_get0_type_name(key) : "unknown");
	if (X509_digest(cert, EVP_sha256(), md, &md_len) != 1 || md_len != SHA256_LEN)
		return err_set(e, -EIO, "certificate cannot be hashed");
	sha256_hex(md, info->sha256);
	return 0;
}

int pki_show(const char *file, struct pki_info *info, struct err *e)
{
	X509 *cert = NULL;
	int rc = cert_load(file, &cert, e);

	if (rc < 0)
		return rc;
	rc = fill_info(cert, info, e);
	if (rc < 0)
		err_prefix(e, "%s", file);
	X509_free(cert);
	ERR_clear_error();
	return rc;
}

int pki_decode(const void *der, size_t len, struct pki_info *info, struct err *e)
{
	const unsigned char *at = der;
	X509 *cert;
	int rc;

	if (len > LONG_MAX)
		return err_set(e, -SHUNT_EPARSE, "certificate is too long");
	cert = d2i_X509(NULL, &at, (long)len);
	if (!cert || at != (const unsigned char *)der + len)
		rc = err_set(e, -SHUNT_EPARSE, "no certificate in DER form");
	else
		rc = fill_info(cert, info, e);
	X509_free(cert);
	ERR_clear_error();
	return rc;
}
