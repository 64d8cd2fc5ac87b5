// SPDX-License-Identifier: GPL-2.0-or-later

#include "netkit.h"

#include <errno.h>
#include <time.h>

#include "lib/digest.h"

static int setup(void **state)
{
	*state = kit_dir_new();
	return 0;
}

static int teardown(void **state)
{
	kit_dir_free(*state);
	return 0;
}

static mode_t mode_of(const char *dir, const char *name)
{
	char path[PATH_MAX + 100];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void show(const char *dir, const char *name, struct pki_info *info)
{
	char path[PATH_MAX + 100];
	struct err e = { 0 };

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (pki_show(path, info, &e) < 0)
		fail_msg("%s", err_text(&e));
}

static void round_trip(const char *dir, enum pki_alg alg, const char *algorithm)
{
	struct pki_opts opts = { .alg = alg, .not_before = -60, .not_after = 3600 };
	struct party party = { .role = ROLE_GATEWAY, .name = "gw1" };
	struct pki_info ca, info, other;
	struct pki_paths paths;
	struct err e = { 0 };

	assert_int_equal(pki_init(dir, "my CA", &opts, &e), 0);
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, &paths, &e), 0);
	assert_non_null(strstr(paths.cert, "/gateway-gw1.crt"));
	assert_non_null(strstr(paths.key, "/gateway-gw1.key"));
	assert_int_equal(mode_of(dir, "ca.key"), 0600);
	assert_int_equal(mode_of(dir, "gateway-gw1.key"), 0600);
	show(dir, "ca.crt", &ca);
	assert_true(ca.ca);
	assert_false(ca.has_party);
	assert_non_null(strstr(ca.subject, "my CA"));
	show(dir, "gateway-gw1.crt", &info);
	assert_false(info.ca);
	assert_true(info.has_party);
	assert_true(party_equal(&info.party, &party));
	assert_string_equal(info.issuer, ca.subject);
	assert_string_equal(info.algorithm, algorithm);
	assert_int_equal(strlen(info.serial), 32);
	assert_int_equal(strlen(info.sha256), 64);
	assert_true(info.not_before <= time(NULL) - 59);
	assert_true(info.not_after > time(NULL) + 3500 && info.not_after <= time(NULL) + 3600);
	strcpy(party.name, "gw2");
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), 0);
	show(dir, "gateway-gw2.crt", &other);
	assert_string_not_equal(info.serial, other.serial);
}

static void ed25519_round_trip(void **state)
{
	round_trip(*state, PKI_ED25519, "ED25519");
}

static void p256_round_trip(void **state)
{
	round_trip(*state, PKI_P256, "EC");
}

static void nothing_is_overwritten(void **state)
{
	const char *dir = *state;
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -60, .not_after = 3600 };
	struct party party = { .role = ROLE_DEVICE, .name = "mfp-1" };
	char key[PATH_MAX + 100], cert[PATH_MAX + 100];
	struct err e = { 0 };

	kit_ca(dir);
	assert_int_equal(pki_init(dir, "x", &opts, &e), -EEXIST);
	assert_non_null(strstr(e.text, "ca.crt"));
	kit_cert(dir, ROLE_DEVICE, "mfp-1", 3600);
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -EEXIST);
	snprintf(cert, sizeof(cert), "%s/device-mfp-1.crt", dir);
	snprintf(key, sizeof(key), "%s/device-mfp-1.key", dir);
	/* a key left over is as precious */
	unlink(cert);
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -EEXIST);
	assert_non_null(strstr(e.text, "device-mfp-1.key"));
	assert_int_not_equal(access(cert, F_OK), 0);
	unlink(key);
	/* a symbolic link to nowhere is not followed */
	assert_int_equal(symlink("/nonexistent/target", key), 0);
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -EEXIST);
}

static void bad_wishes_are_refused(void **state)
{
	const char *dir = *state;
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -60, .not_after = 86400 * 2 };
	struct party party = { .role = ROLE_DEVICE, .name = "mfp-1" };
	struct err e = { 0 };
	char path[PATH_MAX + 100];

	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.text, "ca.crt"));
	kit_ca(dir); /* lives for a day */
	opts.not_after = 3600;
	strcpy(party.name, "../etc");
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -EINVAL);
	strcpy(party.name, "");
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -EINVAL);
	strcpy(party.name, "ok");
	assert_int_equal(pki_issue(dir, &party, "/nonexistent/dir", &opts, NULL, &e), -ENOENT);
	opts.not_after = -3600;
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -EINVAL);
	opts.not_after = 3600;
	/* a CA key that others may read has lost its worth */
	snprintf(path, sizeof(path), "%s/ca.key", dir);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), -SHUNT_ESECRETFILE);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), 0);
}

static void validity_is_cut_to_the_ca(void **state)
{
	const char *dir = *state;
	struct pki_opts opts = { .alg = PKI_ED25519, .not_before = -60, .not_after = 86400 * 9 };
	struct pki_opts over = { .alg = PKI_ED25519, .not_before = -60, .not_after = -1 };
	struct party party = { .role = ROLE_DEVICE, .name = "mfp-1" };
	struct pki_info ca, info;
	struct err e = { 0 };
	char old[PATH_MAX], path[PATH_MAX + 100];

	kit_ca(dir); /* lives for a day */
	assert_int_equal(pki_issue(dir, &party, NULL, &opts, NULL, &e), 0);
	show(dir, "ca.crt", &ca);
	show(dir, "device-mfp-1.crt", &info);
	/* the two looks at the clock may fall into different seconds */
	assert_true(info.not_after <= ca.not_after + 1 && info.not_after >= ca.not_after - 1);
	snprintf(old, sizeof(old), "%.200s-old", dir);
	assert_int_equal(pki_init(old, "old", &over, &e), 0);
	assert_int_equal(pki_issue(old, &party, NULL, &opts, NULL, &e), -ERANGE);
	assert_non_null(strstr(e.text, "expired"));
	snprintf(path, sizeof(path), "%s/ca.crt", old);
	unlink(path);
	snprintf(path, sizeof(path), "%s/ca.key", old);
	unlink(path);
	rmdir(old);
}

static void foreign_files_are_named(void **state)
{
	const char *dir = *state;
	struct pki_info info;
	struct err e = { 0 };
	char path[PATH_MAX + 100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/none.crt", dir);
	assert_int_equal(pki_show(path, &info, &e), -ENOENT);
	assert_non_null(strstr(e.text, "none.crt"));
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
	fclose(f);
	assert_int_equal(pki_show(path, &info, &e), -SHUNT_ETLS);
	assert_non_null(strstr(e.text, "none.crt"));
	assert_int_equal(pki_decode("", 0, &info, &e), -SHUNT_EPARSE);
	assert_int_equal(pki_decode("\x30\x80", 2, &info, &e), -SHUNT_EPARSE);
}

/* ---- digests ---- */

static void sha256_known_answers(void **state)
{
	/* FIPS 180-4's examples "abc" and the 448-bit message */
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const char two[] =
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
	static const char msg[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	struct sha256 *sha = NULL;
	uint8_t md[SHA256_LEN];
	char hex[SHA256_HEX_LEN + 1];
	FILE *f;

	(void)state;
	assert_int_equal(sha256_once("abc", 3, md), 0);
	sha256_hex(md, hex);
	assert_string_equal(hex, abc);
	assert_int_equal(sha256_new(&sha), 0);
	assert_int_equal(sha256_update(sha, msg, 10), 0);
	assert_int_equal(sha256_peek(sha, md), 0);
	assert_int_equal(sha256_update(sha, msg + 10, sizeof(msg) - 11), 0);
	assert_int_equal(sha256_final(sha, md), 0);
	sha256_free(sha);
	sha256_hex(md, hex);
	assert_string_equal(hex, two);
	f = tmpfile();
	assert_non_null(f);
	fprintf(f, "12%s345", msg);
	fflush(f);
	assert_int_equal(sha256_fd(fileno(f), 2, sizeof(msg) - 1, md), 0);
	sha256_hex(md, hex);
	assert_string_equal(hex, two);
	assert_int_equal(sha256_fd(fileno(f), 2, 1000, md), -ENODATA);
	fclose(f);
	secret_wipe(md, sizeof(md));
	assert_int_equal(md[0] | md[31], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ed25519_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(p256_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_overwritten, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_wishes_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(validity_is_cut_to_the_ca, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_files_are_named, setup, teardown),
		cmocka_unit_test(sha256_known_answers),
	};

	return cmocka_run_group_tests_name("pki", tests, NULL, NULL);
}
