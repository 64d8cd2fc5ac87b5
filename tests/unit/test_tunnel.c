// SPDX-License-Identifier: GPL-2.0-or-later
/* tunnel: messages of the family shunt without a kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/shunt.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/nl.h"
#include "lib/tunnel.h"

static const uint8_t key_a[TUNNEL_KEY_MAX] = { 1, 2, 3 };
static const uint8_t key_b[TUNNEL_KEY_MAX] = { 4, 5, 6 };

static void full_spec(struct tunnel_spec *s)
{
	memset(s, 0, sizeof(*s));
	s->ifindex = 7;
	s->spi_in = 0x1001;
	s->spi_out = 0xffffffff;
	s->side = TUNNEL_FAR;
	s->cipher = CIPHER_CHACHA20_POLY1305;
	assert_int_equal(endpoint_parse("192.0.2.1:4500", &s->endpoint), 0);
	assert_int_equal(addr_parse("100.64.0.5", &s->near), 0);
	assert_int_equal(addr_parse("100.64.0.1", &s->far), 0);
	assert_int_equal(addr_parse("192.168.1.10", &s->host), 0);
	assert_int_equal(addr_parse("100.65.0.1", &s->alias), 0);
	s->scope[0] = (struct tunnel_scope){ PROTO_TCP, 631 };
	s->scope[1] = (struct tunnel_scope){ PROTO_UDP, 65535 };
	s->scope[2] = (struct tunnel_scope){ PROTO_ICMP, 0 };
	s->scope_n = 3;
	s->priority = 5;
	strcpy(s->cookie, "0123456789abcdef0123456789abcdef");
	s->keepalive_ms = 20000;
	s->idle_s = 300;
}

static void encode(struct gnl_msg *m, const struct tunnel_spec *s)
{
	gnl_msg_init(m, &tunnel_family, SHUNT_CMD_TUNNEL_NEW);
	assert_int_equal(tunnel_new_encode(m, s, key_a, key_b, NULL), 0);
}

static void new_round_trip(void **state)
{
	struct tunnel_spec spec;
	struct tunnel_info info;
	struct gnl_msg m;
	const void *data;
	struct err e;
	size_t len;

	(void)state;
	full_spec(&spec);
	encode(&m, &spec);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_info_decode(data, len, &info, &e), 0);
	assert_memory_equal(&info.spec, &spec, sizeof(spec));
	assert_true(info.last_rx_ms == TUNNEL_NEVER);
	assert_true(info.last_tx_ms == TUNNEL_NEVER);
	assert_int_equal(info.end, TUNNEL_END_UNKNOWN);
	gnl_msg_fini(&m);
}

static void ipv6_and_defaults(void **state)
{
	const struct nlattr *tb[SHUNT_A_TUNNEL_MAX + 1];
	struct tunnel_spec spec = { .ifindex = 1, .spi_in = 256, .spi_out = 257 };
	struct tunnel_info info;
	struct gnl_msg m;
	const void *data;
	size_t len;

	(void)state;
	spec.cipher = CIPHER_AES_GCM_128;
	assert_int_equal(addr_parse("2001:db8::2", &spec.near), 0);
	assert_int_equal(addr_parse("2001:db8::1", &spec.far), 0);
	spec.scope[0] = (struct tunnel_scope){ PROTO_ICMP, 0 };
	spec.scope_n = 1;
	encode(&m, &spec);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_info_decode(data, len, &info, NULL), 0);
	assert_memory_equal(&info.spec, &spec, sizeof(spec));
	/* What is not set does not travel, and the keys have the cipher's length. */
	assert_int_equal(gnl_parse(data, len, tunnel_family.attrs, SHUNT_A_TUNNEL_MAX, tb, NULL),
			 0);
	assert_null(tb[SHUNT_A_TUNNEL_ENDPOINT]);
	assert_null(tb[SHUNT_A_TUNNEL_HOST]);
	assert_null(tb[SHUNT_A_TUNNEL_COOKIE]);
	assert_memory_equal(gnl_get_bin(tb[SHUNT_A_TUNNEL_KEY_IN], &len), key_a, 20);
	assert_int_equal(len, 20);
	assert_memory_equal(gnl_get_bin(tb[SHUNT_A_TUNNEL_KEY_OUT], &len), key_b, 20);
	assert_int_equal(len, 20);
}

static void no_spi_leaves_the_choice_to_the_kernel(void **state)
{
	const struct nlattr *tb[SHUNT_A_TUNNEL_MAX + 1];
	struct tunnel_spec spec;
	struct gnl_msg m;
	const void *data;
	size_t len;

	(void)state;
	full_spec(&spec);
	spec.spi_in = 0;
	encode(&m, &spec);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(gnl_parse(data, len, tunnel_family.attrs, SHUNT_A_TUNNEL_MAX, tb, NULL),
			 0);
	assert_null(tb[SHUNT_A_TUNNEL_SPI_IN]);
}

static void unusable_specs(void **state)
{
	struct tunnel_spec spec;
	struct gnl_msg m;
	struct err e;

	(void)state;
	full_spec(&spec);
	spec.scope_n = TUNNEL_SCOPE_MAX + 1;
	gnl_msg_init(&m, &tunnel_family, SHUNT_CMD_TUNNEL_NEW);
	assert_int_equal(tunnel_new_encode(&m, &spec, key_a, key_b, &e), -EINVAL);
	assert_string_equal(err_text(&e), "scope: more than 16 rules");
	full_spec(&spec);
	spec.cipher = (enum cipher)99;
	gnl_msg_init(&m, &tunnel_family, SHUNT_CMD_TUNNEL_NEW);
	assert_int_equal(tunnel_new_encode(&m, &spec, key_a, key_b, &e), -EINVAL);
}

/* ---- what the kernel sends ---- */

/* Where words cannot be read from anywhere, the kernel puts an empty attribute before those of 64 bits. */
static bool pads;

static void put_u64(struct gnl_msg *m, uint16_t type, uint64_t v, uint16_t pad)
{
	if (pads)
		gnl_put_bin(m, pad, "", 0);
	gnl_put_u64(m, type, v);
}

static void put_stats(struct gnl_msg *m, uint16_t type, uint64_t base)
{
	struct nlattr *stats, *drops;
	int i;

	stats = gnl_nest_begin(m, type);
	put_u64(m, SHUNT_A_STATS_PACKETS, base, SHUNT_A_STATS_PAD);
	put_u64(m, SHUNT_A_STATS_BYTES, base + 1, SHUNT_A_STATS_PAD);
	put_u64(m, SHUNT_A_STATS_CPU_NS, base + 2, SHUNT_A_STATS_PAD);
	drops = gnl_nest_begin(m, SHUNT_A_STATS_DROPS);
	for (i = 0; i < TUNNEL_DROP_COUNT; i++)
		put_u64(m, (uint16_t)(SHUNT_A_DROPS_AUTH + i), base + 10 + (uint64_t)i,
			SHUNT_A_DROPS_PAD);
	gnl_nest_end(m, drops);
	gnl_nest_end(m, stats);
}

static void check_stats(const struct tunnel_counters *c, uint64_t base)
{
	int i;

	assert_true(c->packets == base);
	assert_true(c->bytes == base + 1);
	assert_true(c->cpu_ns == base + 2);
	for (i = 0; i < TUNNEL_DROP_COUNT; i++)
		assert_true(c->drops[i] == base + 10 + (uint64_t)i);
}

static void make_del(struct gnl_msg *m, uint8_t reason)
{
	struct tunnel_spec spec;

	full_spec(&spec);
	encode(m, &spec);
	put_u64(m, SHUNT_A_TUNNEL_GENERATION, UINT64_MAX, SHUNT_A_TUNNEL_PAD);
	put_u64(m, SHUNT_A_TUNNEL_AGE, 1234, SHUNT_A_TUNNEL_PAD);
	put_u64(m, SHUNT_A_TUNNEL_LAST_RX, 5, SHUNT_A_TUNNEL_PAD);
	put_u64(m, SHUNT_A_TUNNEL_LAST_TX, 6, SHUNT_A_TUNNEL_PAD);
	gnl_put_u32(m, SHUNT_A_TUNNEL_SEQ_OUT, 99);
	put_stats(m, SHUNT_A_TUNNEL_RX, 100);
	put_stats(m, SHUNT_A_TUNNEL_TX, 1ull << 40);
	gnl_put_u8(m, SHUNT_A_TUNNEL_REASON, reason);
}

static void deletion_event(void **state)
{
	static const struct {
		uint8_t reason;
		enum tunnel_end end;
		const char *word;
	} rows[] = {
		{ SHUNT_DEL_REASON_USER, TUNNEL_END_USER, "user" },
		{ SHUNT_DEL_REASON_IDLE, TUNNEL_END_IDLE, "idle" },
		{ SHUNT_DEL_REASON_EXHAUSTED, TUNNEL_END_EXHAUSTED, "exhausted" },
		{ SHUNT_DEL_REASON_NETDEV, TUNNEL_END_NETDEV, "netdev" },
		{ SHUNT_DEL_REASON_DEAD, TUNNEL_END_DEAD, "dead" },
		{ 0, TUNNEL_END_UNKNOWN, "unknown" },
		{ 200, TUNNEL_END_UNKNOWN, "unknown" },
	};
	struct tunnel_event event;
	struct gnl_msg m;
	const void *data;
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_del(&m, rows[i].reason);
		data = gnl_msg_attrs(&m, &len);
		assert_int_equal(
			tunnel_event_decode(SHUNT_CMD_TUNNEL_DEL_NTF, data, len, &event, NULL), 0);
		assert_int_equal(event.type, TUNNEL_EVENT_DEL);
		assert_int_equal(event.tunnel.end, rows[i].end);
		assert_string_equal(enum_str(tunnel_end_names, event.tunnel.end), rows[i].word);
	}
	assert_true(event.tunnel.spec.generation == UINT64_MAX);
	assert_true(event.tunnel.age_ms == 1234);
	assert_true(event.tunnel.last_rx_ms == 5);
	assert_true(event.tunnel.last_tx_ms == 6);
	assert_int_equal(event.tunnel.seq_out, 99);
	check_stats(&event.tunnel.rx, 100);
	check_stats(&event.tunnel.tx, 1ull << 40);
}

static void deletion_event_with_padding(void **state)
{
	pads = true;
	deletion_event(state);
	pads = false;
}

static void event_kinds(void **state)
{
	static const struct {
		uint8_t cmd;
		enum tunnel_event_type type;
	} rows[] = {
		{ SHUNT_CMD_TUNNEL_NEW_NTF, TUNNEL_EVENT_NEW },
		{ SHUNT_CMD_TUNNEL_DEL_NTF, TUNNEL_EVENT_DEL },
		{ SHUNT_CMD_TUNNEL_ENDPOINT_NTF, TUNNEL_EVENT_ENDPOINT },
		{ SHUNT_CMD_TUNNEL_EXHAUST_NTF, TUNNEL_EVENT_EXHAUST },
	};
	struct tunnel_event event;
	struct gnl_msg m;
	const void *data;
	struct err e;
	size_t i, len;

	(void)state;
	make_del(&m, 1);
	data = gnl_msg_attrs(&m, &len);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(tunnel_event_decode(rows[i].cmd, data, len, &event, NULL), 0);
		assert_int_equal(event.type, rows[i].type);
		assert_int_equal(event.tunnel.spec.spi_in, 0x1001);
	}
	assert_int_equal(tunnel_event_decode(SHUNT_CMD_TUNNEL_GET, data, len, &event, &e),
			 -EOPNOTSUPP);
	assert_int_equal(tunnel_event_decode(255, data, len, &event, &e), -EOPNOTSUPP);
}

static void load_event(void **state)
{
	static const struct gnl_family any = { .name = "shunt", .version = 1 };
	struct tunnel_event event;
	struct gnl_msg m;
	const void *data;
	struct err e;
	size_t len;

	(void)state;
	gnl_msg_init(&m, &any, SHUNT_CMD_LOAD_NTF);
	gnl_put_u32(&m, SHUNT_A_LOAD_TUNNELS, 3);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_event_decode(SHUNT_CMD_LOAD_NTF, data, len, &event, &e), -EBADMSG);
	assert_string_equal(err_text(&e), "kernel message: ifindex: missing");
	gnl_put_u32(&m, SHUNT_A_LOAD_IFINDEX, 4);
	gnl_put_u32(&m, SHUNT_A_LOAD_BUSY, 1500);
	gnl_put_u32(&m, SHUNT_A_LOAD_PPS, 812);
	gnl_put_u32(&m, SHUNT_A_LOAD_TUNNELS_HIGH, 3);
	gnl_put_u32(&m, SHUNT_A_LOAD_TUNNELS_LOW, 2);
	gnl_put_u32(&m, SHUNT_A_LOAD_LOAD_HIGH, 900);
	gnl_put_u32(&m, SHUNT_A_LOAD_LOAD_LOW, 700);
	gnl_put_u32(&m, SHUNT_A_LOAD_ABOVE, SHUNT_ABOVE_LOAD);
	gnl_put_u8(&m, SHUNT_A_LOAD_CROSSED, SHUNT_THRESHOLD_LOAD_HIGH);
	put_stats(&m, SHUNT_A_LOAD_RX, 7);
	put_stats(&m, SHUNT_A_LOAD_TX, 8);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_event_decode(SHUNT_CMD_LOAD_NTF, data, len, &event, &e), 0);
	assert_int_equal(event.type, TUNNEL_EVENT_LOAD);
	assert_int_equal(event.load.crossing, TUNNEL_CROSS_LOAD_HIGH);
	assert_string_equal(enum_str(tunnel_crossing_names, event.load.crossing), "load-high");
	assert_int_equal(event.load.now.ifindex, 4);
	assert_int_equal(event.load.now.tunnels, 3);
	assert_int_equal(event.load.now.cpu_permille, 1500);
	assert_int_equal(event.load.now.pps, 812);
	assert_int_equal(event.load.now.thresholds.tunnels_high, 3);
	assert_int_equal(event.load.now.thresholds.tunnels_low, 2);
	assert_int_equal(event.load.now.thresholds.load_high, 900);
	assert_int_equal(event.load.now.thresholds.load_low, 700);
	assert_true(event.load.now.load_above);
	assert_false(event.load.now.tunnels_above);
	check_stats(&event.load.now.rx, 7);
	check_stats(&event.load.now.tx, 8);
}

static void nonsense_is_refused(void **state)
{
	struct tunnel_spec spec;
	struct tunnel_info info;
	struct nlattr *scope, *rule;
	struct gnl_msg m;
	const void *data;
	struct err e;
	size_t len;
	int i;

	(void)state;
	gnl_msg_init(&m, &tunnel_family, SHUNT_CMD_TUNNEL_GET);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_info_decode(data, len, &info, &e), -EBADMSG);
	assert_string_equal(err_text(&e), "kernel message: ifindex: missing");

	full_spec(&spec);
	encode(&m, &spec);
	gnl_put_bin(&m, SHUNT_A_TUNNEL_NEAR, "12345", 5);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_info_decode(data, len, &info, &e), -EBADMSG);
	assert_string_equal(err_text(&e), "kernel message: near: 5 octets are no address");

	encode(&m, &spec);
	gnl_put_bin(&m, SHUNT_A_TUNNEL_ENDPOINT, key_a, 16);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_info_decode(data, len, &info, &e), -EBADMSG);
	assert_string_equal(err_text(&e), "kernel message: endpoint: not a socket address");

	encode(&m, &spec);
	scope = gnl_nest_begin(&m, SHUNT_A_TUNNEL_SCOPE);
	for (i = 0; i <= TUNNEL_SCOPE_MAX; i++) {
		rule = gnl_nest_begin(&m, SHUNT_A_SCOPE_RULE);
		gnl_put_u8(&m, SHUNT_A_SCOPE_RULE_PROTO, PROTO_TCP);
		gnl_put_u16(&m, SHUNT_A_SCOPE_RULE_PORT, 80);
		gnl_nest_end(&m, rule);
	}
	gnl_nest_end(&m, scope);
	data = gnl_msg_attrs(&m, &len);
	assert_int_equal(tunnel_info_decode(data, len, &info, &e), -EBADMSG);
	assert_string_equal(err_text(&e), "kernel message: scope: too many rules");
}

/* Each octet of a deletion event changed in turn: a verdict, and no read outside the block. */
static void mutated(void **state)
{
	struct tunnel_event event;
	const uint8_t *data;
	struct gnl_msg m;
	uint8_t *copy;
	size_t i, len;
	int err;

	(void)state;
	make_del(&m, 1);
	data = gnl_msg_attrs(&m, &len);
	copy = malloc(len);
	assert_non_null(copy);
	for (i = 0; i < 2 * len; i++) {
		memcpy(copy, data, len);
		copy[i / 2] ^= i & 1 ? 0xff : 0x01;
		err = tunnel_event_decode(SHUNT_CMD_TUNNEL_DEL_NTF, copy, len, &event, NULL);
		assert_true(err == 0 || err == -EBADMSG);
	}
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_round_trip),
		cmocka_unit_test(ipv6_and_defaults),
		cmocka_unit_test(no_spi_leaves_the_choice_to_the_kernel),
		cmocka_unit_test(unusable_specs),
		cmocka_unit_test(deletion_event),
		cmocka_unit_test(deletion_event_with_padding),
		cmocka_unit_test(event_kinds),
		cmocka_unit_test(load_event),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
