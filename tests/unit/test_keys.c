// SPDX-License-Identifier: GPL-2.0-or-later
/* keys and opts: the exporter's context, octet by octet; the daemons' command line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/keys.h"
#include "lib/opts.h"

static void test_context(void **state)
{
	static const uint8_t expected[TUNNEL_KEYS_CONTEXT_LEN] = {
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89,
		0xab, 0xcd, 0xef, 0x00, 0x00, 0x20, 0x01, 0xff, 0xee, 0xdd, 0xcc, 0x01, 0x01,
	};
	struct tunnel_keys_id id = { .nonce = "0123456789abcdef0123456789abcdef",
				     .cloud_spi = 0x2001,
				     .gateway_spi = 0xffeeddcc,
				     .cipher = CIPHER_AES_GCM_256 };
	uint8_t out[TUNNEL_KEYS_CONTEXT_LEN];

	(void)state;
	assert_int_equal(tunnel_keys_context(&id, TUNNEL_TO_CLOUD, out), 0);
	assert_memory_equal(out, expected, sizeof(out));
	assert_int_equal(tunnel_keys_context(&id, TUNNEL_TO_GATEWAY, out), 0);
	assert_int_equal(out[25], 0);
	id.cipher = CIPHER_CHACHA20_POLY1305;
	assert_int_equal(tunnel_keys_context(&id, TUNNEL_TO_GATEWAY, out), 0);
	assert_int_equal(out[24], 2);
	id.cipher = (enum cipher)3;
	assert_int_equal(tunnel_keys_context(&id, TUNNEL_TO_GATEWAY, out), -EINVAL);
	id.cipher = CIPHER_AES_GCM_128;
	id.nonce = "0123";
	assert_int_equal(tunnel_keys_context(&id, TUNNEL_TO_GATEWAY, out), -EINVAL);
}

static enum opts_verdict parse(struct opts *out, struct buf *text, const char *a, const char *b)
{
	static const struct opts_about about = { "testd", "a daemon of the tests" };
	char *argv[4] = { "testd", (char *)a, (char *)b, NULL };

	buf_reset(text);
	return opts_parse(a ? b ? 3 : 2 : 1, argv, &about, out, text);
}

static void test_opts(void **state)
{
	struct buf text = BUF_INIT;
	struct opts o;

	(void)state;
	assert_int_equal(parse(&o, &text, NULL, NULL), OPTS_RUN);
	assert_string_equal(o.config, "/etc/shunt/testd.conf");
	assert_int_equal(parse(&o, &text, "-c", "x.conf"), OPTS_RUN);
	assert_string_equal(o.config, "x.conf");
	assert_int_equal(parse(&o, &text, "--config=y", "--check"), OPTS_RUN);
	assert_true(o.check && !o.print_config);
	assert_int_equal(parse(&o, &text, "--print-config", "--foreground"), OPTS_RUN);
	assert_true(o.print_config);
	assert_int_equal(parse(&o, &text, "--help", NULL), OPTS_PRINT);
	assert_non_null(strstr(buf_str(&text), "testd.conf"));
	assert_int_equal(parse(&o, &text, "--version", NULL), OPTS_PRINT);
	assert_int_equal(parse(&o, &text, "-c", NULL), OPTS_WRONG);
	assert_non_null(strstr(buf_str(&text), "-c"));
	assert_int_equal(parse(&o, &text, "--nonsense", NULL), OPTS_WRONG);
	assert_non_null(strstr(buf_str(&text), "--nonsense"));
	assert_int_equal(parse(&o, &text, "word", NULL), OPTS_WRONG);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_opts),
	};

	return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
