// SPDX-License-Identifier: GPL-2.0-or-later
/* nl: what is encoded is decoded again, bounds hold, and the kernel's errors get a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/nl.h"

enum { A_FLAG = 1, A_U8, A_U16, A_U32, A_U64, A_STR, A_BIN, A_NEST, A_UINT, A_MAX = A_UINT };
enum { N_PORT = 1, N_DEEP, N_MAX = N_DEEP };

static const struct gnl_attr deep_attrs[] = {
	[1] = { .name = "leaf", .type = GNL_U8 },
};

static const struct gnl_attr nest_attrs[] = {
	[N_PORT] = { .name = "port", .type = GNL_U16 },
	[N_DEEP] = { .name = "deep", .type = GNL_NEST, .nest = deep_attrs, .nest_max = 1 },
};

static const struct gnl_attr attrs[] = {
	[A_FLAG] = { .name = "flag", .type = GNL_FLAG },
	[A_U8] = { .name = "u8", .type = GNL_U8 },
	[A_U16] = { .name = "u16", .type = GNL_U16 },
	[A_U32] = { .name = "u32", .type = GNL_U32 },
	[A_U64] = { .name = "u64", .type = GNL_U64 },
	[A_STR] = { .name = "str", .type = GNL_STR, .min = 1, .max = 7 },
	[A_BIN] = { .name = "bin", .type = GNL_BIN, .min = 4, .max = 16 },
	[A_NEST] = { .name = "nest", .type = GNL_NEST, .nest = nest_attrs, .nest_max = N_MAX },
	[A_UINT] = { .name = "uint", .type = GNL_UINT },
};

static const struct gnl_family family = {
	.name = "none-such",
	.missing = "the module is missing",
	.version = 1,
	.attrs = attrs,
	.attr_max = A_MAX,
};

static void parse(const struct gnl_msg *m, const struct nlattr **tb)
{
	size_t len;
	const void *data = gnl_msg_attrs(m, &len);

	assert_int_equal(m->error, 0);
	assert_int_equal(gnl_parse(data, len, attrs, A_MAX, tb, NULL), 0);
}

static void round_trip(void **state)
{
	const struct nlattr *tb[A_MAX + 1], *in[N_MAX + 1];
	struct nlattr *nest;
	struct gnl_msg m;
	size_t len;

	(void)state;
	gnl_msg_init(&m, &family, 1);
	gnl_put_flag(&m, A_FLAG);
	gnl_put_u8(&m, A_U8, 0xfe);
	gnl_put_u16(&m, A_U16, 0xfedc);
	gnl_put_u32(&m, A_U32, 0xfedcba98);
	gnl_put_u64(&m, A_U64, 0xfedcba9876543210);
	gnl_put_str(&m, A_STR, "seven_7");
	gnl_put_bin(&m, A_BIN, "\x01\x02\x03\x04\x05", 5);
	nest = gnl_nest_begin(&m, A_NEST);
	gnl_put_u16(&m, N_PORT, 631);
	gnl_nest_end(&m, nest);
	gnl_put_u32(&m, A_UINT, 7);
	parse(&m, tb);
	assert_non_null(tb[A_FLAG]);
	assert_int_equal(gnl_get_u8(tb[A_U8]), 0xfe);
	assert_int_equal(gnl_get_u16(tb[A_U16]), 0xfedc);
	assert_int_equal(gnl_get_u32(tb[A_U32]), 0xfedcba98);
	assert_true(gnl_get_u64(tb[A_U64]) == 0xfedcba9876543210);
	assert_string_equal(gnl_get_str(tb[A_STR]), "seven_7");
	assert_memory_equal(gnl_get_bin(tb[A_BIN], &len), "\x01\x02\x03\x04\x05", 5);
	assert_int_equal(len, 5);
	assert_int_equal(gnl_parse_nest(tb[A_NEST], nest_attrs, N_MAX, in, NULL), 0);
	assert_int_equal(gnl_get_u16(in[N_PORT]), 631);
	assert_null(in[N_DEEP]);
	assert_true(gnl_get_u64(tb[A_UINT]) == 7);
	assert_true(gnl_u64_or(tb[A_U8], 1) == 0xfe);
	assert_true(gnl_u64_or(tb[A_U16], 1) == 0xfedc);
	assert_true(gnl_u64_or(NULL, 42) == 42);
	gnl_msg_fini(&m);
}

static void last_of_a_type_counts_and_unknown_is_skipped(void **state)
{
	const struct nlattr *tb[A_MAX + 1];
	struct gnl_msg m;

	(void)state;
	gnl_msg_init(&m, &family, 1);
	gnl_put_u32(&m, A_U32, 1);
	gnl_put_bin(&m, 999, "newer kernel", 12);
	gnl_put_u32(&m, A_U32, 2);
	parse(&m, tb);
	assert_int_equal(gnl_get_u32(tb[A_U32]), 2);
}

static void wrong_lengths_are_named(void **state)
{
	static const struct {
		uint16_t type;
		const char *data;
		size_t len;
		const char *text;
	} rows[] = {
		{ A_FLAG, "x", 1, "kernel message: flag: length 1 does not fit" },
		{ A_U8, "xx", 2, "kernel message: u8: length 2 does not fit" },
		{ A_U32, "xxx", 3, "kernel message: u32: length 3 does not fit" },
		{ A_U64, "xxxx", 4, "kernel message: u64: length 4 does not fit" },
		{ A_UINT, "xx", 2, "kernel message: uint: length 2 does not fit" },
		{ A_STR, "", 1, "kernel message: str: length 1 does not fit" },
		{ A_STR, "12345678", 9, "kernel message: str: length 9 does not fit" },
		{ A_STR, "noend", 5, "kernel message: str: length 5 does not fit" },
		{ A_BIN, "123", 3, "kernel message: bin: length 3 does not fit" },
		{ A_BIN, "12345678901234567", 17, "kernel message: bin: length 17 does not fit" },
		{ A_NEST, "123", 3, "kernel message: nest: length 3 does not fit" },
	};
	const struct nlattr *tb[A_MAX + 1];
	struct gnl_msg m;
	const void *data;
	struct err e;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err_clear(&e);
		gnl_msg_init(&m, &family, 1);
		gnl_put_bin(&m, rows[i].type, rows[i].data, rows[i].len);
		data = gnl_msg_attrs(&m, &len);
		assert_int_equal(gnl_parse(data, len, attrs, A_MAX, tb, &e), -EBADMSG);
		assert_string_equal(err_text(&e), rows[i].text);
	}
}

/* Every prefix of a message, in a block of exactly that size so that the sanitizer sees overreads. */
static void truncated(void **state)
{
	const struct nlattr *tb[A_MAX + 1];
	const uint8_t *data;
	struct gnl_msg m;
	size_t len, n;
	uint8_t *copy;
	int err, good = 0;

	(void)state;
	gnl_msg_init(&m, &family, 1);
	gnl_put_u32(&m, A_U32, 1);
	gnl_put_str(&m, A_STR, "abc");
	data = gnl_msg_attrs(&m, &len);
	for (n = 0; n <= len; n++) {
		copy = malloc(n ? n : 1);
		assert_non_null(copy);
		memcpy(copy, data, n);
		err = gnl_parse(copy, n, attrs, A_MAX, tb, NULL);
		assert_true(err == 0 || err == -EBADMSG);
		good += !err;
		free(copy);
	}
	assert_int_equal(good, 3); /* none, the first, both */
}

static void overflow_sticks(void **state)
{
	static const uint8_t block[4096];
	struct nlattr *nest;
	struct gnl_msg m;
	size_t before, after;

	(void)state;
	gnl_msg_init(&m, &family, 1);
	gnl_put_bin(&m, A_BIN, block, sizeof(block));
	gnl_msg_attrs(&m, &before);
	gnl_put_bin(&m, A_BIN, block, sizeof(block));
	assert_int_equal(m.error, -EMSGSIZE);
	gnl_put_u8(&m, A_U8, 1);
	nest = gnl_nest_begin(&m, A_NEST);
	assert_null(nest);
	gnl_nest_end(&m, nest);
	gnl_msg_attrs(&m, &after);
	assert_int_equal(before, after);
}

static void lists(void **state)
{
	const struct nlattr *tb[A_MAX + 1], *a = NULL;
	struct nlattr *nest;
	struct gnl_msg m;
	int n = 0;

	(void)state;
	gnl_msg_init(&m, &family, 1);
	nest = gnl_nest_begin(&m, A_NEST);
	gnl_put_u16(&m, N_PORT, 0);
	gnl_put_u16(&m, N_PORT, 1);
	gnl_put_u16(&m, N_PORT, 2);
	gnl_nest_end(&m, nest);
	parse(&m, tb);
	while ((a = gnl_next(tb[A_NEST], a))) {
		assert_int_equal(gnl_attr_type(a), N_PORT);
		assert_int_equal(gnl_get_u16(a), n++);
	}
	assert_int_equal(n, 3);
}

/* ---- the kernel's errors ---- */

struct report {
	struct nlmsghdr head;
	struct nlmsgerr err;
	uint8_t tlvs[256];
} __attribute__((aligned(8)));

static void report_init(struct report *r, int code)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_type = NLMSG_ERROR;
	r->head.nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
	r->head.nlmsg_len = sizeof(r->head) + sizeof(r->err);
	r->err.error = code;
}

static void report_put(struct report *r, uint16_t type, const void *data, uint16_t len)
{
	uint8_t *at = (uint8_t *)r + r->head.nlmsg_len;
	struct nlattr a = { (uint16_t)(sizeof(a) + len), type };

	memcpy(at, &a, sizeof(a));
	memcpy(at + sizeof(a), data, len);
	r->head.nlmsg_len += NLMSG_ALIGN(a.nla_len);
}

static void report_put_u32(struct report *r, uint16_t type, uint32_t v)
{
	report_put(r, type, &v, sizeof(v));
}

/* A request with nest.deep.leaf; *@leaf, *@port: offsets from the message's start. */
static void make_request(struct gnl_msg *m, uint32_t *nest_at, uint32_t *port, uint32_t *leaf)
{
	struct nlattr *nest, *deep;

	gnl_msg_init(m, &family, 1);
	gnl_put_u32(m, A_U32, 1);
	nest = gnl_nest_begin(m, A_NEST);
	*nest_at = (uint32_t)((uint8_t *)nest - m->buf.data);
	gnl_put_u16(m, N_PORT, 631);
	*port = *nest_at + 4;
	deep = gnl_nest_begin(m, N_DEEP);
	gnl_put_u8(m, 1, 9);
	*leaf = (uint32_t)((uint8_t *)deep - m->buf.data) + 4;
	gnl_nest_end(m, deep);
	gnl_nest_end(m, nest);
}

static void errors_name_the_attribute(void **state)
{
	static const char text[] = "out of range";
	uint32_t nest, port, leaf;
	struct gnl_msg m;
	struct report r;
	struct err e;

	(void)state;
	make_request(&m, &nest, &port, &leaf);

	report_init(&r, 0);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), 0);

	report_init(&r, -EINVAL);
	report_put(&r, NLMSGERR_ATTR_MSG, text, sizeof(text));
	report_put_u32(&r, NLMSGERR_ATTR_OFFS, 20);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -EINVAL);
	assert_string_equal(err_text(&e), "u32: out of range");

	report_init(&r, -ERANGE);
	report_put(&r, NLMSGERR_ATTR_MSG, text, sizeof(text));
	report_put_u32(&r, NLMSGERR_ATTR_OFFS, port);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -ERANGE);
	assert_string_equal(err_text(&e), "nest.port: out of range");

	report_init(&r, -ERANGE);
	report_put_u32(&r, NLMSGERR_ATTR_OFFS, leaf);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -ERANGE);
	assert_string_equal(err_text(&e), "nest.deep.leaf: Numerical result out of range");

	/* A missing attribute, at the top and in a nest. */
	report_init(&r, -EINVAL);
	report_put_u32(&r, NLMSGERR_ATTR_MISS_TYPE, A_STR);
	gnl_error(&r.head, &family, &m, &e);
	assert_string_equal(err_text(&e), "str: missing");
	report_put_u32(&r, NLMSGERR_ATTR_MISS_NEST, nest);
	report_put_u32(&r, NLMSGERR_ATTR_MISS_TYPE, N_DEEP);
	gnl_error(&r.head, &family, &m, &e);
	assert_string_equal(err_text(&e), "nest.deep: missing");

	/* Offsets and types that point nowhere leave the text alone. */
	report_init(&r, -EINVAL);
	report_put(&r, NLMSGERR_ATTR_MSG, text, sizeof(text));
	report_put_u32(&r, NLMSGERR_ATTR_OFFS, 100000);
	report_put_u32(&r, NLMSGERR_ATTR_MISS_TYPE, 77);
	gnl_error(&r.head, &family, &m, &e);
	assert_string_equal(err_text(&e), "out of range");
}

static void errors_without_words(void **state)
{
	uint32_t nest, port, leaf;
	struct gnl_msg m;
	struct report r;
	struct err e;

	(void)state;
	make_request(&m, &nest, &port, &leaf);
	report_init(&r, -EPERM);
	r.head.nlmsg_flags = NLM_F_CAPPED;
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -EPERM);
	assert_string_equal(err_text(&e), "not permitted (CAP_NET_ADMIN is needed)");

	/* The request is echoed when the kernel was not told to cap it. */
	report_init(&r, -EEXIST);
	r.head.nlmsg_flags = NLM_F_ACK_TLVS;
	r.err.msg.nlmsg_len = sizeof(struct nlmsghdr) + 8;
	r.head.nlmsg_len += 8;
	report_put(&r, NLMSGERR_ATTR_MSG, "taken", 6);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -EEXIST);
	assert_string_equal(err_text(&e), "taken");

	report_init(&r, -EINVAL);
	r.head.nlmsg_len = sizeof(r.head) + 2;
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -EBADMSG);
	report_init(&r, 5);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -EBADMSG);
	report_init(&r, INT32_MIN);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -EBADMSG);

	/* The end of a dump: with and without a code. */
	report_init(&r, -ENODEV);
	r.head.nlmsg_type = NLMSG_DONE;
	r.head.nlmsg_len = sizeof(r.head) + sizeof(int32_t);
	report_put(&r, NLMSGERR_ATTR_MSG, "gone", 5);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), -ENODEV);
	assert_string_equal(err_text(&e), "gone");
	r.head.nlmsg_len = sizeof(r.head);
	assert_int_equal(gnl_error(&r.head, &family, &m, &e), 0);
}

/* ---- a socket: the host's kernel has no such family, which is what is to be said ---- */

static void missing_family(void **state)
{
	struct gnl *nl;
	struct err e;

	(void)state;
	assert_int_equal(gnl_open(&family, &nl, &e), -ENOENT);
	assert_null(nl);
	assert_string_equal(err_text(&e), "the module is missing");
	gnl_close(NULL);
}

static int on_family(void *arg, uint8_t cmd, const void *data, size_t len)
{
	static const struct gnl_attr set[] = {
		[2] = { .name = "family-name", .type = GNL_STR, .min = 1, .max = 16 },
	};
	const struct nlattr *tb[3];
	int *seen = arg;

	(void)cmd;
	if (*seen < 0)
		return *seen;
	assert_int_equal(gnl_parse(data, len, set, 2, tb, NULL), 0);
	if (tb[2] && !strcmp(gnl_get_str(tb[2]), "nlctrl"))
		(*seen)++;
	return 0;
}

/* The control family is in every kernel: dump it, fail in a callback, and use the socket again. */
static void control_family(void **state)
{
	static const struct gnl_family control = { .name = "nlctrl", .missing = "?", .version = 1 };
	const uint8_t get_family = 3;
	int seen = 0;
	struct gnl_reply reply = { on_family, &seen };
	struct gnl_msg m;
	struct gnl *nl;
	struct err e;

	(void)state;
	assert_int_equal(gnl_open(&control, &nl, &e), 0);
	gnl_msg_init(&m, &control, get_family);
	assert_int_equal(gnl_dump(nl, &control, &m, &reply, &e), 0);
	assert_int_equal(seen, 1);
	seen = -EIO;
	gnl_msg_init(&m, &control, get_family);
	assert_int_equal(gnl_dump(nl, &control, &m, &reply, &e), -EIO);
	seen = 0;
	gnl_msg_init(&m, &control, get_family);
	assert_int_equal(gnl_dump(nl, &control, &m, &reply, &e), 0);
	assert_int_equal(seen, 1);
	gnl_msg_init(&m, &control, 200);
	assert_int_equal(gnl_call(nl, &control, &m, NULL, &e), -EOPNOTSUPP);
	assert_int_equal(gnl_join(nl, "none", &e), -ENOENT);
	assert_string_equal(err_text(&e), "family nlctrl has no group none");
	assert_int_equal(gnl_read(nl, &reply, &e), 0);
	gnl_close(nl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(last_of_a_type_counts_and_unknown_is_skipped),
		cmocka_unit_test(wrong_lengths_are_named),
		cmocka_unit_test(truncated),
		cmocka_unit_test(overflow_sticks),
		cmocka_unit_test(lists),
		cmocka_unit_test(errors_name_the_attribute),
		cmocka_unit_test(errors_without_words),
		cmocka_unit_test(missing_family),
		cmocka_unit_test(control_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
