// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of shunt: what is refused before anything is tried, and the exact words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/param.h"

#define WORDS_MAX 40

/* Run @words on @run; what it wrote to standard error is in @errors. */
static int run(int (*command)(struct cli *c, struct args *a), const char *words, char *errors,
	       size_t size)
{
	char copy[512], *v[WORDS_MAX], *rest = copy, *word, *text = NULL;
	struct args a = { v, 0 };
	struct cli c = { 0 };
	size_t n = 0;
	int status;
	FILE *null;

	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, " ")))
		if (*word && a.n < WORDS_MAX)
			v[a.n++] = word;
	c.errors = open_memstream(&text, &n);
	null = fopen("/dev/null", "w");
	assert_non_null(c.errors);
	assert_non_null(null);
	c.output = null;
	c.out = out_new(null, 0);
	status = command(&c, &a);
	out_free(c.out);
	fclose(null);
	fclose(c.errors);
	snprintf(errors, size, "%s", text);
	free(text);
	return status;
}

#define ADD "add dev lo spi-out 0x2001 key-in file:/k1 key-out file:/k2 near 10.9.0.2 far 10.9.0.1"
#define SCOPE_ALLOWED "allowed is any, or tcp/PORT, udp/PORT, icmp separated by commas\n"

static void usage_errors(void **state)
{
	static const struct {
		int (*command)(struct cli *c, struct args *a);
		const char *words, *error;
	} rows[] = {
		{ cmd_tunnel, "frob",
		  "Error: command \"frob\" is unknown, try \"shunt tunnel help\"\n" },
		{ cmd_tunnel, "add", "Error: dev is missing, try \"shunt tunnel help\"\n" },
		{ cmd_tunnel, "add dev lo",
		  "Error: spi-out is missing, try \"shunt tunnel help\"\n" },
		{ cmd_tunnel, "add dev", "Error: dev needs a value\n" },
		{ cmd_tunnel, "add dev lo dev lo", "Error: dev is given twice\n" },
		{ cmd_tunnel, "add dev none-such", "Error: dev: no device \"none-such\" here\n" },
		{ cmd_tunnel, "del dev lo", "Error: id is missing, try \"shunt tunnel help\"\n" },
		{ cmd_tunnel, "del dev lo id 1001",
		  "Error: id: \"1001\" is not a tunnel id (8 hex digits)\n" },
		{ cmd_tunnel, "set dev lo id 00001001",
		  "Error: nothing to change, try \"shunt tunnel help\"\n" },
		{ cmd_tunnel, "show id 00001001",
		  "Error: dev is missing: an SPI names a tunnel of one device\n" },
		{ cmd_tunnel, "flush",
		  "Error: dev or cookie is missing: what is to be deleted?\n" },
		{ cmd_tunnel, ADD " spi-in 255",
		  "Error: spi-in \"255\": allowed is 256 to 4294967295\n" },
		{ cmd_tunnel, ADD " spi-in 0x100000000",
		  "Error: spi-in \"0x100000000\": allowed is 256 to 4294967295\n" },
		{ cmd_tunnel, ADD " spi-in -1",
		  "Error: spi-in \"-1\": allowed is 256 to 4294967295\n" },
		{ cmd_tunnel, ADD " cipher rot13",
		  "Error: cipher \"rot13\": allowed is aes-gcm-128, aes-gcm-256 or "
		  "chacha20-poly1305\n" },
		{ cmd_tunnel, ADD " side middle",
		  "Error: side \"middle\": allowed is near or far\n" },
		{ cmd_tunnel, ADD " endpoint 192.0.2.1",
		  "Error: endpoint \"192.0.2.1\": allowed is ADDRESS:PORT or [IPV6]:PORT\n" },
		{ cmd_tunnel, ADD " host 1.2.3",
		  "Error: host \"1.2.3\": allowed is an IPv4 or IPv6 address\n" },
		{ cmd_tunnel, ADD " host 192.168.1.10", "Error: host and alias belong together\n" },
		{ cmd_tunnel, ADD " priority 8", "Error: priority \"8\": allowed is 0 to 7\n" },
		{ cmd_tunnel, ADD " keepalive soon",
		  "Error: keepalive \"soon\": allowed is 0 to 1h, such as 250ms, 20s, 5m\n" },
		{ cmd_tunnel, ADD " idle 250ms",
		  "Error: idle \"250ms\": allowed is 0 to 365d, such as 250ms, 20s, 5m (whole "
		  "seconds)\n" },
		{ cmd_tunnel, ADD " allow tcp", "Error: allow: \"tcp\": " SCOPE_ALLOWED },
		{ cmd_tunnel, ADD " allow tcp/0", "Error: allow: \"tcp/0\": " SCOPE_ALLOWED },
		{ cmd_tunnel, ADD " allow tcp/65536",
		  "Error: allow: \"tcp/65536\": " SCOPE_ALLOWED },
		{ cmd_tunnel, ADD " allow icmp/1", "Error: allow: \"icmp/1\": " SCOPE_ALLOWED },
		{ cmd_tunnel, ADD " allow tcp/1,", "Error: allow: \"tcp/1,\": " SCOPE_ALLOWED },
		{ cmd_tunnel, ADD, "Error: key-in: /k1: " },
		{ cmd_tunnel, "add key-in 00112233",
		  "Error: key-in: a key comes from file:PATH or, with -, from standard input\n" },
		{ cmd_threshold, "set dev lo",
		  "Error: no threshold is named, try \"shunt threshold help\"\n" },
		{ cmd_threshold, "set tunnels-high 2",
		  "Error: dev is missing, try \"shunt threshold help\"\n" },
		{ cmd_monitor, "all extra", "Error: \"extra\" is not expected here\n" },
		{ cmd_link, "add", "Error: dev is missing, try \"shunt link help\"\n" },
		{ cmd_link, "add s0 port 0", "Error: port \"0\": allowed is 1 to 65535\n" },
		{ cmd_link, "add s0 address x",
		  "Error: address: \"x\": allowed is an IPv4 or IPv6 address\n" },
		{ cmd_device, "add",
		  "Error: the device's CODE is missing, try \"shunt device help\"\n" },
		{ cmd_device, "add a/b",
		  "Error: CODE \"a/b\": allowed are 1 to 63 of A-Z a-z 0-9 . _ -\n" },
		{ cmd_device, "add m", "Error: --gateway is missing, try \"shunt device help\"\n" },
		{ cmd_device, "add m --service ipp",
		  "Error: --service: \"ipp\": allowed is KIND:PORT[:tls][:/PATH] with KIND agent, "
		  "webdav, smb or ipp\n" },
		{ cmd_device, "add m --service=agent:1:tls:x",
		  "Error: --service: \"agent:1:tls:x\": " },
		{ cmd_device,
		  "add m --gateway g --address 192.168.1.15 --service webdav:80 --recipient age1x",
		  "Error: --recipient \"age1x\": allowed is a recipient of age, age1...\n" },
		{ cmd_device,
		  "add m --gateway g --address 192.168.1.15 --service ipp:631:tls --pin sha1//x",
		  "Error: --pin \"sha1//x\": allowed is sha256// and 44 digits of base64\n" },
		{ cmd_device,
		  "add m --gateway g --address 192.168.1.15 --service ipp:631 --pin sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE=",
		  "Error: --pin: is for a service ipp or webdav with tls, and there is none\n" },
		/* a secret is not repeated */
		{ cmd_device,
		  "add m --gateway g --address 192.168.1.15 --service webdav:80 --recipient AGE-SECRET-KEY-1X",
		  "Error: --recipient: this is an identity, which is secret; \"shunt key show\" prints "
		  "its recipient\n" },
		{ cmd_device, "probe", "Error: the device's CODE is missing" },
		{ cmd_device, "probe m --timeout 0", "Error: --timeout \"0\": " },
		{ cmd_device, "probe m --service lpd:515", "Error: --service: \"lpd:515\": " },
		{ cmd_device, "probe m --gateway a/b", "Error: --gateway \"a/b\": allowed are " },
		{ cmd_job, "submit", "Error: FILE is missing, try \"shunt job help\"\n" },
		{ cmd_job, "submit f", "Error: --device is missing, try \"shunt job help\"\n" },
		{ cmd_job, "submit f --device=d --wait=1", "Error: --wait takes no value\n" },
		{ cmd_job, "submit /nonexistent/f --device d",
		  "Error: /nonexistent/f: No such file or directory\n" },
		{ cmd_job, "submit /dev/null --device d",
		  "Error: /dev/null: not a regular file\n" },
		{ cmd_job, "submit f --device d --kind fax",
		  "Error: --kind \"fax\": allowed is print, store or fetch\n" },
		{ cmd_job, "submit f --device d --kind fetch --path a",
		  "Error: \"f\": a fetch job takes no FILE; what to fetch is --path\n" },
		{ cmd_job, "submit --device d --kind fetch",
		  "Error: --path is missing: what is to be fetched?\n" },
		{ cmd_job, "submit f --device d -o x", "Error: -o is for --kind fetch only\n" },
		{ cmd_job, "submit f g --device d",
		  "Error: \"g\" is not expected here; allowed: " },
		{ cmd_job, "show", "Error: the job's ID is missing, try \"shunt job help\"\n" },
		{ cmd_job, "show 12",
		  "Error: \"12\" is not a job's ID (32 lower-case hex digits)\n" },
		{ cmd_job, "list --cloud", "Error: option cloud needs a value\n" },
		{ cmd_job, "list --bogus",
		  "Error: \"--bogus\" is not expected here; allowed: --state\n" },
		{ cmd_log, "show /nonexistent/log",
		  "Error: /nonexistent/log: No such file or directory\n" },
	};
	char errors[1024];
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		status = run(rows[i].command, rows[i].words, errors, sizeof(errors));
		if (status != CLI_USAGE || strncmp(errors, rows[i].error, strlen(rows[i].error)))
			fail_msg("\"%s\": status %d, %s", rows[i].words, status, errors);
	}
}

/* Without servers or files named, the command says what is not set. */
static void settings(void **state)
{
	static const struct {
		int (*command)(struct cli *c, struct args *a);
		const char *words, *error;
	} rows[] = {
		{ cmd_job, "list", "Error: cloud is not set" },
		{ cmd_job, "list --cloud 127.0.0.1:1", "Error: ca is not set" },
		{ cmd_job, "list --cloud 127.0.0.1:1 --ca=/x", "Error: cert is not set" },
		{ cmd_device, "list --ca x", "Error: manager is not set" },
		{ cmd_gateway, "list --manager 127.0.0.1:1 --ca x --cert y",
		  "Error: key is not set" },
		{ cmd_job, "list -c /nonexistent/shunt.conf", "Error: /nonexistent/shunt.conf" },
	};
	char errors[1024];
	size_t i;

	(void)state;
	setenv("SHUNT_CONFIG", "", 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run(rows[i].command, rows[i].words, errors, sizeof(errors)),
				 CLI_REFUSED);
		if (strncmp(errors, rows[i].error, strlen(rows[i].error)))
			fail_msg("\"%s\": %s", rows[i].words, errors);
	}
}

static void help(void **state)
{
	char errors[1024];

	(void)state;
	assert_int_equal(run(cmd_tunnel, "help", errors, sizeof(errors)), CLI_OK);
	assert_int_equal(run(cmd_job, "--help", errors, sizeof(errors)), CLI_OK);
	assert_string_equal(errors, "");
}

static void numbers(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(number_parse("0", 10, &v), 0);
	assert_int_equal(number_parse("10", 10, &v), 0);
	assert_true(number_parse("11", 10, &v) < 0);
	assert_int_equal(number_parse("0xA", 10, &v), 0);
	assert_true(v == 10);
	assert_true(number_parse("0xB", 10, &v) < 0);
	assert_true(number_parse("0x", 10, &v) < 0);
	assert_true(number_parse("0x-1", UINT64_MAX, &v) < 0);
	assert_true(number_parse("0x1g", UINT64_MAX, &v) < 0);
	assert_true(number_parse("0xfffffffffffffffff", UINT64_MAX, &v) < 0);
	assert_int_equal(number_parse("0xffffffffffffffff", UINT64_MAX, &v), 0);
	assert_true(v == UINT64_MAX);
	assert_true(number_parse("", 10, &v) < 0);
	assert_true(number_parse(" 1", 10, &v) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_errors),
		cmocka_unit_test(settings),
		cmocka_unit_test(help),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
