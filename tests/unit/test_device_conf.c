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

static void assert_printer(const char *uri, const char *why)
{
	char text[256];
	struct err e = { 0 };
	int rc;

	snprintf(text, sizeof(text), "printer = \"%s\"\n", uri);
	rc = check(text, &e);
	if (rc != (why ? -SHUNT_ECONF : 0) || (why && !strstr(e.text, why)))
		fail_msg("%s: %d %s", uri, rc, e.text);
}

static void one_thing_prints(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(check("print-command = \"lp %f\"\nprinter = \"ipp://h/p\"\n", &e),
			 -SHUNT_ECONF);
	assert_string_equal(e.text, "printer: print-command is set, too; one of them prints");
	assert_int_equal(check("store-dir = \"/s\"\naccept = {\"print\"}\n", &e), -SHUNT_ECONF);
	assert_string_equal(e.text, "accept: \"print\" needs print-command or printer to be set");
	assert_int_equal(check("", &e), -SHUNT_ECONF);
	assert_non_null(strstr(e.text, "none of print-command, printer, store-dir"));
}

static void a_printer_is_named_by_its_uri(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_printer("ipp://localhost:631/ipp/print", NULL);
	assert_printer("ipp://192.168.1.15/", NULL);
	assert_printer("ipp://[fe80::1]:8631/printers/q%20a", NULL);
	assert_printer("localhost", "begin with ipp://");
	assert_printer("ipps://localhost/ipp/print", "begin with ipp://");
	assert_printer("http://localhost/ipp/print", "begin with ipp://");
	assert_printer("ipp:///ipp/print", "names no host");
	assert_printer("ipp://[::1/ipp/print", "names no host");
	assert_printer("ipp://host:0/ipp/print", "after the host");
	assert_printer("ipp://host:65536/ipp/print", "after the host");
	assert_printer("ipp://host:6x/ipp/print", "after the host");
	assert_printer("ipp://ho st/ipp/print", "after the host");
	assert_printer("ipp://host:631", "no path");
	assert_printer("ipp://host/ipp?waitjob=false", "no path");
	/* a secret in the wrong place is not repeated in a log */
	assert_int_equal(check("printer = \"ipp://me:secret@host/ipp/print\"\n", &e), -SHUNT_ECONF);
	assert_string_equal(e.text, "printer: a user or password cannot be in it");
}

/* Found at the start, not with the first job. */
static void a_printer_without_its_program(void **state)
{
	struct executor_conf conf = { .state_dir = "/tmp",
				      .printer = "ipp://h/p",
				      .printer_helper = "/nonexistent/shunt-ipp" };
	struct executor *ex;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(executor_new(NULL, &conf, &ex, &e), -ENOENT);
	assert_string_equal(e.text, "printer: /nonexistent/shunt-ipp: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recipients),
		cmocka_unit_test(a_recipient_of_no_use),
		cmocka_unit_test(one_thing_prints),
		cmocka_unit_test(a_printer_is_named_by_its_uri),
		cmocka_unit_test(a_printer_without_its_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
