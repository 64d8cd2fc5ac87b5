// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's configuration as to stored files: what is refused, and in which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/device.h"
#include "device/executor.h"
#include "lib/age.h"

#define RECIPIENT "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
#define SECRET "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
#define HEAD "ca = \"/c\"\ncert = \"/d\"\nkey = \"/k\"\nlisten = \"192.168.1.15:8632\"\n"

/* Load HEAD and @text as a file, and check it. */
static int check(const char *text, struct err *e)
{
	char path[] = "/tmp/shunt-conf-XXXXXX";
	struct device_conf conf;
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, HEAD, strlen(HEAD)), strlen(HEAD));
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	e->text[0] = '\0';
	rc = conf_load(path, device_conf_table, &conf, e);
	unlink(path);
	if (rc)
		return rc;
	rc = device_conf_check(&conf, e);
	conf_free(device_conf_table, &conf);
	return rc;
}

static void recipients(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(check("store-dir = \"/s\"\nencrypt-to = {\"" RECIPIENT "\"}\n", &e), 0);
	assert_int_equal(check("store-dir = \"/s\"\nencrypt-to = {\"" RECIPIENT "\", \"age1x\"}\n",
			       &e),
			 -SHUNT_ECONF);
	assert_string_equal(e.text, "encrypt-to: \"age1x\" is no recipient (age1...)");
	/* a secret in the wrong place is not repeated in a log */
	assert_int_equal(check("store-dir = \"/s\"\nencrypt-to = {\"" SECRET "\"}\n", &e),
			 -SHUNT_ECONF);
	assert_non_null(strstr(e.text, "holds an identity, which is secret"));
	assert_null(strstr(e.text, "GFPYY"));
	assert_int_equal(check("fetch-dir = \"/s\"\nencrypt-to = {\"" RECIPIENT "\"}\n", &e),
			 -SHUNT_ECONF);
	assert_string_equal(e.text, "encrypt-to: needs store-dir to be set");
#define TWO "\"" RECIPIENT "\", \"" RECIPIENT "\""
	assert_int_equal(
		check("store-dir = \"/s\"\nencrypt-to = {" TWO "," TWO "," TWO "," TWO "}\n", &e),
		0);
	assert_int_equal(check("store-dir = \"/s\"\nencrypt-to = {" TWO "," TWO "," TWO "," TWO
			       "," TWO "}\n",
			       &e),
			 -SHUNT_ECONF);
	assert_string_equal(e.text, "encrypt-to: more than 8 recipients");
}

/* Well spelt, and yet a key that nobody can have: found at the start, not with the first file. */
static void a_recipient_of_no_use(void **state)
{
	struct age_recipient zero = { 0 };
	struct executor_conf conf = {
		.state_dir = "/tmp", .store_dir = "/tmp", .encrypt_to = &zero, .n_encrypt_to = 1
	};
	struct executor *ex;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(executor_new(NULL, &conf, &ex, &e), -SHUNT_ECONF);
	assert_string_equal(e.text, "encrypt-to: a recipient is no usable key");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients),
		cmocka_unit_test(a_recipient_of_no_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
