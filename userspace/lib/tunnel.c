// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/tunnel.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/shunt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/nl.h"

#define IPPROTO_ICMP_V6 58

_Static_assert(TUNNEL_SCOPE_MAX == SHUNT_SCOPE_MAX, "scope");
_Static_assert(TUNNEL_COOKIE_LEN == SHUNT_COOKIE_MAX_LEN + 1, "cookie");
_Static_assert(TUNNEL_KEY_MAX == SHUNT_KEY_MAX_LEN, "key");
_Static_assert(TUNNEL_SPI_MIN == SHUNT_SPI_MIN, "spi");
_Static_assert((int)TUNNEL_FAR == SHUNT_SIDE_FAR, "side");
_Static_assert((int)CIPHER_CHACHA20_POLY1305 == SHUNT_CIPHER_CHACHA20_POLY1305, "cipher");
_Static_assert(TUNNEL_DROP_STALE + 1 == SHUNT_A_DROPS_STALE, "drops");
_Static_assert(TUNNEL_END_DEAD + 1 == SHUNT_DEL_REASON_DEAD, "reason");
_Static_assert(TUNNEL_CROSS_LOAD_LOW + 1 == SHUNT_THRESHOLD_LOAD_LOW, "threshold");

/* ---- words ---- */

const struct enum_name tunnel_side_names[] = {
	{ TUNNEL_NEAR, "near" },
	{ TUNNEL_FAR, "far" },
	{ 0, NULL },
};

const struct enum_name tunnel_drop_names[] = {
	{ TUNNEL_DROP_AUTH, "auth" },
	{ TUNNEL_DROP_REPLAY, "replay" },
	{ TUNNEL_DROP_SCOPE, "scope" },
	{ TUNNEL_DROP_MALFORMED, "malformed" },
	{ TUNNEL_DROP_TOOBIG, "toobig" },
	{ TUNNEL_DROP_NOROUTE, "noroute" },
	{ TUNNEL_DROP_NOMEM, "nomem" },
	{ TUNNEL_DROP_STALE, "stale" },
	{ 0, NULL },
};

const struct enum_name tunnel_end_names[] = {
	{ TUNNEL_END_USER, "user" },
	{ TUNNEL_END_IDLE, "idle" },
	{ TUNNEL_END_EXHAUSTED, "exhausted" },
	{ TUNNEL_END_NETDEV, "netdev" },
	{ TUNNEL_END_DEAD, "dead" },
	{ TUNNEL_END_UNKNOWN, "unknown" },
	{ 0, NULL },
};

const struct enum_name tunnel_crossing_names[] = {
	{ TUNNEL_CROSS_TUNNELS_HIGH, "tunnels-high" }, { TUNNEL_CROSS_TUNNELS_LOW, "tunnels-low" },
	{ TUNNEL_CROSS_LOAD_HIGH, "load-high" },       { TUNNEL_CROSS_LOAD_LOW, "load-low" },
	{ TUNNEL_CROSS_UNKNOWN, "unknown" },	       { 0, NULL },
};

/* ---- the family's attributes, as in the specification ---- */

static const struct gnl_attr drops_attrs[SHUNT_A_DROPS_MAX + 1] = {
	[SHUNT_A_DROPS_AUTH] = { .name = "auth", .type = GNL_U64 },
	[SHUNT_A_DROPS_REPLAY] = { .name = "replay", .type = GNL_U64 },
	[SHUNT_A_DROPS_SCOPE] = { .name = "scope", .type = GNL_U64 },
	[SHUNT_A_DROPS_MALFORMED] = { .name = "malformed", .type = GNL_U64 },
	[SHUNT_A_DROPS_TOOBIG] = { .name = "toobig", .type = GNL_U64 },
	[SHUNT_A_DROPS_NOROUTE] = { .name = "noroute", .type = GNL_U64 },
	[SHUNT_A_DROPS_NOMEM] = { .name = "nomem", .type = GNL_U64 },
	[SHUNT_A_DROPS_STALE] = { .name = "stale", .type = GNL_U64 },
};

static const struct gnl_attr stats_attrs[SHUNT_A_STATS_MAX + 1] = {
	[SHUNT_A_STATS_PACKETS] = { .name = "packets", .type = GNL_U64 },
	[SHUNT_A_STATS_BYTES] = { .name = "bytes", .type = GNL_U64 },
	[SHUNT_A_STATS_CPU_NS] = { .name = "cpu-ns", .type = GNL_U64 },
	[SHUNT_A_STATS_DROPS] = { .name = "drops", .type = GNL_NEST },
	[SHUNT_A_STATS_FRAGMENTED] = { .name = "fragmented", .type = GNL_U64 },
};

static const struct gnl_attr rule_attrs[SHUNT_A_SCOPE_RULE_MAX + 1] = {
	[SHUNT_A_SCOPE_RULE_PROTO] = { .name = "proto", .type = GNL_U8 },
	[SHUNT_A_SCOPE_RULE_PORT] = { .name = "port", .type = GNL_U16 },
};

static const struct gnl_attr scope_attrs[SHUNT_A_SCOPE_MAX + 1] = {
	[SHUNT_A_SCOPE_RULE] = { .name = "rule",
				 .type = GNL_NEST,
				 .nest = rule_attrs,
				 .nest_max = SHUNT_A_SCOPE_RULE_MAX },
};

#define KEY_ROW(n)                                                                                 \
	{                                                                                          \
		.name = (n), .type = GNL_BIN, .min = 1, .max = SHUNT_KEY_MAX_LEN                   \
	}
#define ADDR_ROW(n)                                                                                \
	{                                                                                          \
		.name = (n), .type = GNL_BIN, .min = 4, .max = 16                                  \
	}
#define STATS_ROW(n)                                                                               \
	{                                                                                          \
		.name = (n), .type = GNL_NEST                                                      \
	}

static const struct gnl_attr tunnel_attrs[SHUNT_A_TUNNEL_MAX + 1] = {
	[SHUNT_A_TUNNEL_IFINDEX] = { .name = "ifindex", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_SIDE] = { .name = "side", .type = GNL_U8 },
	[SHUNT_A_TUNNEL_SPI_IN] = { .name = "spi-in", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_SPI_OUT] = { .name = "spi-out", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_CIPHER] = { .name = "cipher", .type = GNL_U8 },
	[SHUNT_A_TUNNEL_KEY_IN] = KEY_ROW("key-in"),
	[SHUNT_A_TUNNEL_KEY_OUT] = KEY_ROW("key-out"),
	[SHUNT_A_TUNNEL_ENDPOINT] = { .name = "endpoint",
				      .type = GNL_BIN,
				      .min = sizeof(struct sockaddr_in),
				      .max = sizeof(struct sockaddr_in6) },
	[SHUNT_A_TUNNEL_NEAR] = ADDR_ROW("near"),
	[SHUNT_A_TUNNEL_FAR] = ADDR_ROW("far"),
	[SHUNT_A_TUNNEL_HOST] = ADDR_ROW("host"),
	[SHUNT_A_TUNNEL_ALIAS] = ADDR_ROW("alias"),
	[SHUNT_A_TUNNEL_SCOPE] = { .name = "scope",
				   .type = GNL_NEST,
				   .nest = scope_attrs,
				   .nest_max = SHUNT_A_SCOPE_MAX },
	[SHUNT_A_TUNNEL_PRIORITY] = { .name = "priority", .type = GNL_U8 },
	[SHUNT_A_TUNNEL_COOKIE] = { .name = "cookie",
				    .type = GNL_STR,
				    .max = TUNNEL_COOKIE_LEN - 1 },
	[SHUNT_A_TUNNEL_KEEPALIVE] = { .name = "keepalive", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_IDLE_TIMEOUT] = { .name = "idle-timeout", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_DEAD_TIMEOUT] = { .name = "dead-timeout", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_SEQ_LIMIT] = { .name = "seq-limit", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_GENERATION] = { .name = "generation", .type = GNL_U64 },
	[SHUNT_A_TUNNEL_AGE] = { .name = "age", .type = GNL_U64 },
	[SHUNT_A_TUNNEL_LAST_RX] = { .name = "last-rx", .type = GNL_U64 },
	[SHUNT_A_TUNNEL_LAST_TX] = { .name = "last-tx", .type = GNL_U64 },
	[SHUNT_A_TUNNEL_SEQ_OUT] = { .name = "seq-out", .type = GNL_U32 },
	[SHUNT_A_TUNNEL_RX] = STATS_ROW("rx"),
	[SHUNT_A_TUNNEL_TX] = STATS_ROW("tx"),
	[SHUNT_A_TUNNEL_REASON] = { .name = "reason", .type = GNL_U8 },
	[SHUNT_A_TUNNEL_COUNT] = { .name = "count", .type = GNL_U32 },
};

static const struct gnl_attr load_attrs[SHUNT_A_LOAD_MAX + 1] = {
	[SHUNT_A_LOAD_IFINDEX] = { .name = "ifindex", .type = GNL_U32 },
	[SHUNT_A_LOAD_TUNNELS] = { .name = "tunnels", .type = GNL_U32 },
	[SHUNT_A_LOAD_BUSY] = { .name = "busy", .type = GNL_U32 },
	[SHUNT_A_LOAD_PPS] = { .name = "pps", .type = GNL_U32 },
	[SHUNT_A_LOAD_TUNNELS_HIGH] = { .name = "tunnels-high", .type = GNL_U32 },
	[SHUNT_A_LOAD_TUNNELS_LOW] = { .name = "tunnels-low", .type = GNL_U32 },
	[SHUNT_A_LOAD_LOAD_HIGH] = { .name = "load-high", .type = GNL_U32 },
	[SHUNT_A_LOAD_LOAD_LOW] = { .name = "load-low", .type = GNL_U32 },
	[SHUNT_A_LOAD_ABOVE] = { .name = "above", .type = GNL_U32 },
	[SHUNT_A_LOAD_CROSSED] = { .name = "crossed", .type = GNL_U8 },
	[SHUNT_A_LOAD_RX] = STATS_ROW("rx"),
	[SHUNT_A_LOAD_TX] = STATS_ROW("tx"),
};

#define MISSING_TEXT "the shunt module is not loaded (modprobe shunt)"

const struct gnl_family tunnel_family = {
	.name = SHUNT_FAMILY_NAME,
	.missing = MISSING_TEXT,
	.version = SHUNT_FAMILY_VERSION,
	.attrs = tunnel_attrs,
	.attr_max = SHUNT_A_TUNNEL_MAX,
};

/* The same family with the attribute set of load-get and threshold-set. */
static const struct gnl_family load_family = {
	.name = SHUNT_FAMILY_NAME,
	.missing = MISSING_TEXT,
	.version = SHUNT_FAMILY_VERSION,
	.attrs = load_attrs,
	.attr_max = SHUNT_A_LOAD_MAX,
};

/* ---- decoding ---- */

static int decode_counters(const struct nlattr *nest, struct tunnel_counters *out, struct err *e)
{
	const struct nlattr *tb[SHUNT_A_STATS_MAX + 1], *drops[SHUNT_A_DROPS_MAX + 1];
	int err, i;

	err = gnl_parse_nest(nest, stats_attrs, SHUNT_A_STATS_MAX, tb, e);
	if (err)
		return err;
	out->packets = gnl_u64_or(tb[SHUNT_A_STATS_PACKETS], 0);
	out->bytes = gnl_u64_or(tb[SHUNT_A_STATS_BYTES], 0);
	out->cpu_ns = gnl_u64_or(tb[SHUNT_A_STATS_CPU_NS], 0);
	out->fragmented = gnl_u64_or(tb[SHUNT_A_STATS_FRAGMENTED], 0);
	if (!tb[SHUNT_A_STATS_DROPS])
		return 0;
	err = gnl_parse_nest(tb[SHUNT_A_STATS_DROPS], drops_attrs, SHUNT_A_DROPS_MAX, drops, e);
	for (i = 0; !err && i < TUNNEL_DROP_COUNT; i++)
		out->drops[i] = gnl_u64_or(drops[i + 1], 0);
	return err;
}

static int decode_addr(const struct nlattr *a, const char *name, struct shunt_addr *out,
		       struct err *e)
{
	const void *bytes;
	size_t len;

	if (!a)
		return 0;
	bytes = gnl_get_bin(a, &len);
	if (addr_from_bytes(bytes, len, out))
		return err_set(e, -EBADMSG, "kernel message: %s: %zu octets are no address", name,
			       len);
	return 0;
}

static int decode_endpoint(const struct nlattr *a, struct shunt_endpoint *out, struct err *e)
{
	struct sockaddr_storage sa = { 0 };
	const void *bytes;
	size_t len;

	if (!a)
		return 0;
	bytes = gnl_get_bin(a, &len);
	memcpy(&sa, bytes, len); /* at most a sockaddr_in6, by the table; aligned from here on */
	if (endpoint_from_sockaddr((const struct sockaddr *)&sa, (socklen_t)len, out))
		return err_set(e, -EBADMSG, "kernel message: endpoint: not a socket address");
	return 0;
}

static int decode_rule(const struct nlattr *rule, struct tunnel_scope *out, struct err *e)
{
	const struct nlattr *tb[SHUNT_A_SCOPE_RULE_MAX + 1];
	uint8_t proto;
	int err;

	err = gnl_parse_nest(rule, rule_attrs, SHUNT_A_SCOPE_RULE_MAX, tb, e);
	if (err)
		return err;
	if (!tb[SHUNT_A_SCOPE_RULE_PROTO])
		return err_set(e, -EBADMSG, "kernel message: scope.rule.proto: missing");
	proto = gnl_get_u8(tb[SHUNT_A_SCOPE_RULE_PROTO]);
	out->proto = proto == IPPROTO_ICMP_V6 ? PROTO_ICMP : (enum ip_proto)proto;
	out->port = 0;
	if (tb[SHUNT_A_SCOPE_RULE_PORT])
		out->port = gnl_get_u16(tb[SHUNT_A_SCOPE_RULE_PORT]);
	return 0;
}

static int decode_scope(const struct nlattr *scope, struct tunnel_spec *out, struct err *e)
{
	const struct nlattr *rule = NULL;
	int err = 0;

	while (!err && scope && (rule = gnl_next(scope, rule))) {
		if (gnl_attr_type(rule) != SHUNT_A_SCOPE_RULE)
			continue;
		if (out->scope_n == TUNNEL_SCOPE_MAX)
			return err_set(e, -EBADMSG, "kernel message: scope: too many rules");
		err = decode_rule(rule, &out->scope[out->scope_n++], e);
	}
	return err;
}

static int decode_spec(const struct nlattr **tb, struct tunnel_spec *out, struct err *e)
{
	int err;

	out->ifindex = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_IFINDEX], 0);
	out->spi_in = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_SPI_IN], 0);
	out->spi_out = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_SPI_OUT], 0);
	out->side = (enum tunnel_side)gnl_u64_or(tb[SHUNT_A_TUNNEL_SIDE], TUNNEL_NEAR);
	out->cipher = (enum cipher)gnl_u64_or(tb[SHUNT_A_TUNNEL_CIPHER], CIPHER_AES_GCM_256);
	out->priority = (uint8_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_PRIORITY], 0);
	out->keepalive_ms = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_KEEPALIVE], 0);
	out->idle_s = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_IDLE_TIMEOUT], 0);
	out->dead_s = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_DEAD_TIMEOUT], 0);
	out->seq_limit = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_SEQ_LIMIT], 0);
	out->generation = gnl_u64_or(tb[SHUNT_A_TUNNEL_GENERATION], 0);
	if (tb[SHUNT_A_TUNNEL_COOKIE])
		snprintf(out->cookie, sizeof(out->cookie), "%s",
			 gnl_get_str(tb[SHUNT_A_TUNNEL_COOKIE]));
	err = decode_endpoint(tb[SHUNT_A_TUNNEL_ENDPOINT], &out->endpoint, e);
	if (!err)
		err = decode_addr(tb[SHUNT_A_TUNNEL_NEAR], "near", &out->near, e);
	if (!err)
		err = decode_addr(tb[SHUNT_A_TUNNEL_FAR], "far", &out->far, e);
	if (!err)
		err = decode_addr(tb[SHUNT_A_TUNNEL_HOST], "host", &out->host, e);
	if (!err)
		err = decode_addr(tb[SHUNT_A_TUNNEL_ALIAS], "alias", &out->alias, e);
	if (!err)
		err = decode_scope(tb[SHUNT_A_TUNNEL_SCOPE], out, e);
	return err;
}

int tunnel_info_decode(const void *attrs, size_t len, struct tunnel_info *out, struct err *e)
{
	const struct nlattr *tb[SHUNT_A_TUNNEL_MAX + 1];
	uint64_t reason;
	int err;

	memset(out, 0, sizeof(*out));
	err = gnl_parse(attrs, len, tunnel_attrs, SHUNT_A_TUNNEL_MAX, tb, e);
	if (err)
		return err;
	/* Without its name it is no tunnel. */
	if (!tb[SHUNT_A_TUNNEL_IFINDEX] || !tb[SHUNT_A_TUNNEL_SPI_IN])
		return err_set(e, -EBADMSG, "kernel message: %s: missing",
			       tb[SHUNT_A_TUNNEL_IFINDEX] ? "spi-in" : "ifindex");
	err = decode_spec(tb, &out->spec, e);
	if (!err && tb[SHUNT_A_TUNNEL_RX])
		err = decode_counters(tb[SHUNT_A_TUNNEL_RX], &out->rx, e);
	if (!err && tb[SHUNT_A_TUNNEL_TX])
		err = decode_counters(tb[SHUNT_A_TUNNEL_TX], &out->tx, e);
	if (err)
		return err;
	out->age_ms = gnl_u64_or(tb[SHUNT_A_TUNNEL_AGE], 0);
	out->seq_out = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_SEQ_OUT], 0);
	out->last_rx_ms = gnl_u64_or(tb[SHUNT_A_TUNNEL_LAST_RX], TUNNEL_NEVER);
	out->last_tx_ms = gnl_u64_or(tb[SHUNT_A_TUNNEL_LAST_TX], TUNNEL_NEVER);
	reason = gnl_u64_or(tb[SHUNT_A_TUNNEL_REASON], 0);
	out->end = reason >= SHUNT_DEL_REASON_USER && reason <= SHUNT_DEL_REASON_DEAD ?
			   (enum tunnel_end)(reason - 1) :
			   TUNNEL_END_UNKNOWN;
	return 0;
}

static int decode_load(const void *attrs, size_t len, struct tunnel_load *out,
		       enum tunnel_crossing *crossing, struct err *e)
{
	const struct nlattr *tb[SHUNT_A_LOAD_MAX + 1];
	uint64_t v;
	int err;

	memset(out, 0, sizeof(*out));
	err = gnl_parse(attrs, len, load_attrs, SHUNT_A_LOAD_MAX, tb, e);
	if (err)
		return err;
	if (!tb[SHUNT_A_LOAD_IFINDEX])
		return err_set(e, -EBADMSG, "kernel message: ifindex: missing");
	out->ifindex = gnl_get_u32(tb[SHUNT_A_LOAD_IFINDEX]);
	out->tunnels = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_TUNNELS], 0);
	out->cpu_permille = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_BUSY], 0);
	out->pps = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_PPS], 0);
	out->thresholds.tunnels_high = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_TUNNELS_HIGH], 0);
	out->thresholds.tunnels_low = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_TUNNELS_LOW], 0);
	out->thresholds.load_high = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_LOAD_HIGH], 0);
	out->thresholds.load_low = (uint32_t)gnl_u64_or(tb[SHUNT_A_LOAD_LOAD_LOW], 0);
	v = gnl_u64_or(tb[SHUNT_A_LOAD_ABOVE], 0);
	out->tunnels_above = v & SHUNT_ABOVE_TUNNELS;
	out->load_above = v & SHUNT_ABOVE_LOAD;
	v = gnl_u64_or(tb[SHUNT_A_LOAD_CROSSED], 0);
	*crossing = v >= SHUNT_THRESHOLD_TUNNELS_HIGH && v <= SHUNT_THRESHOLD_LOAD_LOW ?
			    (enum tunnel_crossing)(v - 1) :
			    TUNNEL_CROSS_UNKNOWN;
	if (tb[SHUNT_A_LOAD_RX])
		err = decode_counters(tb[SHUNT_A_LOAD_RX], &out->rx, e);
	if (!err && tb[SHUNT_A_LOAD_TX])
		err = decode_counters(tb[SHUNT_A_LOAD_TX], &out->tx, e);
	return err;
}

int tunnel_load_decode(const void *attrs, size_t len, struct tunnel_load *out, struct err *e)
{
	enum tunnel_crossing crossing;

	return decode_load(attrs, len, out, &crossing, e);
}

int tunnel_event_decode(uint8_t cmd, const void *attrs, size_t len, struct tunnel_event *out,
			struct err *e)
{
	switch (cmd) {
	case SHUNT_CMD_TUNNEL_NEW_NTF:
		out->type = TUNNEL_EVENT_NEW;
		break;
	case SHUNT_CMD_TUNNEL_DEL_NTF:
		out->type = TUNNEL_EVENT_DEL;
		break;
	case SHUNT_CMD_TUNNEL_ENDPOINT_NTF:
		out->type = TUNNEL_EVENT_ENDPOINT;
		break;
	case SHUNT_CMD_TUNNEL_EXHAUST_NTF:
		out->type = TUNNEL_EVENT_EXHAUST;
		break;
	case SHUNT_CMD_LOAD_NTF:
		out->type = TUNNEL_EVENT_LOAD;
		return decode_load(attrs, len, &out->load.now, &out->load.crossing, e);
	default:
		return err_set(e, -EOPNOTSUPP, "kernel message: command %u is no event", cmd);
	}
	return tunnel_info_decode(attrs, len, &out->tunnel, e);
}

/* ---- encoding ---- */

static void put_addr(struct gnl_msg *m, uint16_t type, const struct shunt_addr *a)
{
	if (addr_is_set(a))
		gnl_put_bin(m, type, a->bytes, addr_len(a));
}

static void put_endpoint(struct gnl_msg *m, const struct shunt_endpoint *ep)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(ep, &sa);

	if (len)
		gnl_put_bin(m, SHUNT_A_TUNNEL_ENDPOINT, &sa, len);
}

static void put_scope(struct gnl_msg *m, const struct tunnel_spec *s)
{
	struct nlattr *scope, *rule;
	uint8_t proto;
	size_t i;

	scope = gnl_nest_begin(m, SHUNT_A_TUNNEL_SCOPE);
	for (i = 0; i < s->scope_n; i++) {
		rule = gnl_nest_begin(m, SHUNT_A_SCOPE_RULE);
		proto = (uint8_t)s->scope[i].proto;
		if (proto == PROTO_ICMP && s->near.family == AF_INET6)
			proto = IPPROTO_ICMP_V6;
		gnl_put_u8(m, SHUNT_A_SCOPE_RULE_PROTO, proto);
		if (s->scope[i].port)
			gnl_put_u16(m, SHUNT_A_SCOPE_RULE_PORT, s->scope[i].port);
		gnl_nest_end(m, rule);
	}
	gnl_nest_end(m, scope);
}

int tunnel_new_encode(struct gnl_msg *m, const struct tunnel_spec *spec, const uint8_t *key_in,
		      const uint8_t *key_out, struct err *e)
{
	size_t key_len = cipher_key_len(spec->cipher);

	if (!key_len || spec->cipher > CIPHER_CHACHA20_POLY1305)
		return err_set(e, -EINVAL, "cipher: unknown");
	if (spec->scope_n > TUNNEL_SCOPE_MAX)
		return err_set(e, -EINVAL, "scope: more than %d rules", TUNNEL_SCOPE_MAX);
	gnl_put_u32(m, SHUNT_A_TUNNEL_IFINDEX, spec->ifindex);
	gnl_put_u8(m, SHUNT_A_TUNNEL_SIDE, (uint8_t)spec->side);
	if (spec->spi_in)
		gnl_put_u32(m, SHUNT_A_TUNNEL_SPI_IN, spec->spi_in);
	gnl_put_u32(m, SHUNT_A_TUNNEL_SPI_OUT, spec->spi_out);
	gnl_put_u8(m, SHUNT_A_TUNNEL_CIPHER, (uint8_t)spec->cipher);
	gnl_put_bin(m, SHUNT_A_TUNNEL_KEY_IN, key_in, key_len);
	gnl_put_bin(m, SHUNT_A_TUNNEL_KEY_OUT, key_out, key_len);
	put_endpoint(m, &spec->endpoint);
	put_addr(m, SHUNT_A_TUNNEL_NEAR, &spec->near);
	put_addr(m, SHUNT_A_TUNNEL_FAR, &spec->far);
	put_addr(m, SHUNT_A_TUNNEL_HOST, &spec->host);
	put_addr(m, SHUNT_A_TUNNEL_ALIAS, &spec->alias);
	if (spec->scope_n)
		put_scope(m, spec);
	gnl_put_u8(m, SHUNT_A_TUNNEL_PRIORITY, spec->priority);
	if (spec->cookie[0])
		gnl_put_str(m, SHUNT_A_TUNNEL_COOKIE, spec->cookie);
	gnl_put_u32(m, SHUNT_A_TUNNEL_KEEPALIVE, spec->keepalive_ms);
	gnl_put_u32(m, SHUNT_A_TUNNEL_IDLE_TIMEOUT, spec->idle_s);
	gnl_put_u32(m, SHUNT_A_TUNNEL_DEAD_TIMEOUT, spec->dead_s);
	if (spec->seq_limit)
		gnl_put_u32(m, SHUNT_A_TUNNEL_SEQ_LIMIT, spec->seq_limit);
	return m->error ? err_sys(e, m->error, "tunnel") : 0;
}

/* ---- requests ---- */

struct tunnel_ctx {
	struct gnl *nl;
	struct gnl_msg m; /* too large for some stacks, and one at a time is enough */
};

int tunnel_open(struct tunnel_ctx **out, struct err *e)
{
	struct tunnel_ctx *ctx;
	int err;

	*out = NULL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return err_sys(e, -ENOMEM, "tunnels");
	err = gnl_open(&tunnel_family, &ctx->nl, e);
	if (err) {
		tunnel_close(ctx);
		return err;
	}
	*out = ctx;
	return 0;
}

void tunnel_close(struct tunnel_ctx *ctx)
{
	if (!ctx)
		return;
	gnl_close(ctx->nl);
	gnl_msg_fini(&ctx->m);
	free(ctx);
}

/*
 * A reply that names a tunnel, whole or in part; what a callback fails with is kept with its text.
 */
struct one {
	struct tunnel_info *info;
	uint32_t count;
	bool seen;
	struct err *e;
};

static int on_one(void *arg, uint8_t cmd, const void *attrs, size_t len)
{
	const struct nlattr *tb[SHUNT_A_TUNNEL_MAX + 1];
	struct one *one = arg;
	int err = 0;

	(void)cmd;
	if (one->info)
		err = tunnel_info_decode(attrs, len, one->info, one->e);
	else if (!gnl_parse(attrs, len, tunnel_attrs, SHUNT_A_TUNNEL_MAX, tb, NULL))
		one->count = (uint32_t)gnl_u64_or(tb[SHUNT_A_TUNNEL_COUNT], 0);
	one->seen = true;
	return err;
}

static void name_tunnel(struct tunnel_ctx *ctx, uint8_t cmd, uint32_t ifindex, uint32_t spi_in)
{
	gnl_msg_init(&ctx->m, &tunnel_family, cmd);
	gnl_put_u32(&ctx->m, SHUNT_A_TUNNEL_IFINDEX, ifindex);
	if (spi_in)
		gnl_put_u32(&ctx->m, SHUNT_A_TUNNEL_SPI_IN, spi_in);
}

/* Send the message under construction; a reply that must come and did not is the kernel's fault. */
static int ask(struct tunnel_ctx *ctx, const struct gnl_family *family, struct gnl_reply *reply,
	       const bool *seen, struct err *e)
{
	int err = gnl_call(ctx->nl, family, &ctx->m, reply, e);

	gnl_msg_fini(&ctx->m);
	if (!err && seen && !*seen)
		err = err_set(e, -EBADMSG, "kernel message: no reply");
	return err;
}

int tunnel_new(struct tunnel_ctx *ctx, struct tunnel_spec *spec, const uint8_t *key_in,
	       const uint8_t *key_out, struct err *e)
{
	struct tunnel_info made;
	struct one one = { .info = &made, .e = e };
	struct gnl_reply reply = { on_one, &one };
	int err;

	gnl_msg_init(&ctx->m, &tunnel_family, SHUNT_CMD_TUNNEL_NEW);
	err = tunnel_new_encode(&ctx->m, spec, key_in, key_out, e);
	if (err) {
		gnl_msg_fini(&ctx->m);
		return err;
	}
	err = ask(ctx, &tunnel_family, &reply, &one.seen, e);
	if (err)
		return err;
	spec->spi_in = made.spec.spi_in;
	spec->generation = made.spec.generation;
	return 0;
}

int tunnel_set(struct tunnel_ctx *ctx, const struct tunnel_spec *spec, unsigned int changes,
	       struct err *e)
{
	if (spec->scope_n > TUNNEL_SCOPE_MAX)
		return err_set(e, -EINVAL, "scope: more than %d rules", TUNNEL_SCOPE_MAX);
	name_tunnel(ctx, SHUNT_CMD_TUNNEL_SET, spec->ifindex, spec->spi_in);
	if (spec->generation)
		gnl_put_u64(&ctx->m, SHUNT_A_TUNNEL_GENERATION, spec->generation);
	if (changes & TUNNEL_SET_ENDPOINT)
		put_endpoint(&ctx->m, &spec->endpoint);
	if (changes & TUNNEL_SET_SCOPE)
		put_scope(&ctx->m, spec);
	if (changes & TUNNEL_SET_PRIORITY)
		gnl_put_u8(&ctx->m, SHUNT_A_TUNNEL_PRIORITY, spec->priority);
	if (changes & TUNNEL_SET_COOKIE)
		gnl_put_str(&ctx->m, SHUNT_A_TUNNEL_COOKIE, spec->cookie);
	if (changes & TUNNEL_SET_KEEPALIVE)
		gnl_put_u32(&ctx->m, SHUNT_A_TUNNEL_KEEPALIVE, spec->keepalive_ms);
	if (changes & TUNNEL_SET_IDLE)
		gnl_put_u32(&ctx->m, SHUNT_A_TUNNEL_IDLE_TIMEOUT, spec->idle_s);
	if (changes & TUNNEL_SET_DEAD)
		gnl_put_u32(&ctx->m, SHUNT_A_TUNNEL_DEAD_TIMEOUT, spec->dead_s);
	return ask(ctx, &tunnel_family, NULL, NULL, e);
}

int tunnel_del(struct tunnel_ctx *ctx, uint32_t ifindex, uint32_t spi_in, struct tunnel_info *last,
	       struct err *e)
{
	struct one one = { .info = last, .e = e };
	struct gnl_reply reply = { on_one, &one };

	name_tunnel(ctx, SHUNT_CMD_TUNNEL_DEL, ifindex, spi_in);
	return ask(ctx, &tunnel_family, &reply, last ? &one.seen : NULL, e);
}

int tunnel_del_all(struct tunnel_ctx *ctx, uint32_t ifindex, const char *cookie,
		   const struct shunt_endpoint *endpoint, uint32_t *count, struct err *e)
{
	struct one one = { .e = e };
	struct gnl_reply reply = { on_one, &one };
	int err;

	name_tunnel(ctx, SHUNT_CMD_TUNNEL_DEL, ifindex, 0);
	if (cookie[0])
		gnl_put_str(&ctx->m, SHUNT_A_TUNNEL_COOKIE, cookie);
	if (endpoint)
		put_endpoint(&ctx->m, endpoint);
	err = ask(ctx, &tunnel_family, &reply, NULL, e);
	if (!err && count)
		*count = one.count;
	return err;
}

int tunnel_get(struct tunnel_ctx *ctx, uint32_t ifindex, uint32_t spi_in, struct tunnel_info *out,
	       struct err *e)
{
	struct one one = { .info = out, .e = e };
	struct gnl_reply reply = { on_one, &one };

	name_tunnel(ctx, SHUNT_CMD_TUNNEL_GET, ifindex, spi_in);
	return ask(ctx, &tunnel_family, &reply, &one.seen, e);
}

struct dump {
	int (*on_tunnel)(void *arg, const struct tunnel_info *info);
	int (*on_load)(void *arg, const struct tunnel_load *load);
	void *arg;
	struct err *e;
};

static int on_dumped(void *arg, uint8_t cmd, const void *attrs, size_t len)
{
	struct dump *dump = arg;
	struct tunnel_info info;
	struct tunnel_load load;
	int err;

	(void)cmd;
	if (dump->on_tunnel) {
		err = tunnel_info_decode(attrs, len, &info, dump->e);
		return err ? err : dump->on_tunnel(dump->arg, &info);
	}
	err = tunnel_load_decode(attrs, len, &load, dump->e);
	return err ? err : dump->on_load(dump->arg, &load);
}

int tunnel_dump(struct tunnel_ctx *ctx, uint32_t ifindex,
		int (*on_tunnel)(void *arg, const struct tunnel_info *info), void *arg,
		struct err *e)
{
	struct dump dump = { .on_tunnel = on_tunnel, .arg = arg, .e = e };
	struct gnl_reply reply = { on_dumped, &dump };

	gnl_msg_init(&ctx->m, &tunnel_family, SHUNT_CMD_TUNNEL_GET);
	if (ifindex)
		gnl_put_u32(&ctx->m, SHUNT_A_TUNNEL_IFINDEX, ifindex);
	return gnl_dump(ctx->nl, &tunnel_family, &ctx->m, &reply, e);
}

/* ---- load ---- */

struct one_load {
	struct tunnel_load *load;
	bool seen;
	struct err *e;
};

static int on_load(void *arg, uint8_t cmd, const void *attrs, size_t len)
{
	struct one_load *one = arg;

	(void)cmd;
	one->seen = true;
	return tunnel_load_decode(attrs, len, one->load, one->e);
}

int tunnel_load_get(struct tunnel_ctx *ctx, uint32_t ifindex, struct tunnel_load *out,
		    struct err *e)
{
	struct one_load one = { .load = out, .e = e };
	struct gnl_reply reply = { on_load, &one };

	gnl_msg_init(&ctx->m, &load_family, SHUNT_CMD_LOAD_GET);
	gnl_put_u32(&ctx->m, SHUNT_A_LOAD_IFINDEX, ifindex);
	return ask(ctx, &load_family, &reply, &one.seen, e);
}

int tunnel_load_dump(struct tunnel_ctx *ctx,
		     int (*on_device)(void *arg, const struct tunnel_load *load), void *arg,
		     struct err *e)
{
	struct dump dump = { .on_load = on_device, .arg = arg, .e = e };
	struct gnl_reply reply = { on_dumped, &dump };

	gnl_msg_init(&ctx->m, &load_family, SHUNT_CMD_LOAD_GET);
	return gnl_dump(ctx->nl, &load_family, &ctx->m, &reply, e);
}

static void put_mark(struct gnl_msg *m, uint16_t type, uint32_t v)
{
	if (v != TUNNEL_KEEP)
		gnl_put_u32(m, type, v);
}

int tunnel_threshold_set(struct tunnel_ctx *ctx, uint32_t ifindex,
			 const struct tunnel_thresholds *t, struct err *e)
{
	gnl_msg_init(&ctx->m, &load_family, SHUNT_CMD_THRESHOLD_SET);
	gnl_put_u32(&ctx->m, SHUNT_A_LOAD_IFINDEX, ifindex);
	put_mark(&ctx->m, SHUNT_A_LOAD_TUNNELS_HIGH, t->tunnels_high);
	put_mark(&ctx->m, SHUNT_A_LOAD_TUNNELS_LOW, t->tunnels_low);
	put_mark(&ctx->m, SHUNT_A_LOAD_LOAD_HIGH, t->load_high);
	put_mark(&ctx->m, SHUNT_A_LOAD_LOAD_LOW, t->load_low);
	return ask(ctx, &load_family, NULL, NULL, e);
}

/* ---- events ---- */

struct tunnel_events {
	struct gnl *nl;
	int (*on_event)(void *arg, const struct tunnel_event *event);
	void *arg;
};

int tunnel_events_open(unsigned int watch, struct tunnel_events **out, struct err *e)
{
	struct tunnel_events *ev;
	int err;

	*out = NULL;
	ev = calloc(1, sizeof(*ev));
	if (!ev)
		return err_sys(e, -ENOMEM, "events");
	err = gnl_open(&tunnel_family, &ev->nl, e);
	if (!err && (watch & TUNNEL_WATCH_TUNNELS))
		err = gnl_join(ev->nl, SHUNT_MCGRP_TUNNELS, e);
	if (!err && (watch & TUNNEL_WATCH_LOAD))
		err = gnl_join(ev->nl, SHUNT_MCGRP_LOAD, e);
	if (err) {
		tunnel_events_close(ev);
		return err;
	}
	*out = ev;
	return 0;
}

void tunnel_events_close(struct tunnel_events *ev)
{
	if (!ev)
		return;
	gnl_close(ev->nl);
	free(ev);
}

int tunnel_events_fd(const struct tunnel_events *ev)
{
	return gnl_fd(ev->nl);
}

/* An event that cannot be read is one of a newer kernel; the others still count. */
static int on_message(void *arg, uint8_t cmd, const void *attrs, size_t len)
{
	struct tunnel_events *ev = arg;
	struct tunnel_event event;

	if (tunnel_event_decode(cmd, attrs, len, &event, NULL))
		return 0;
	return ev->on_event(ev->arg, &event);
}

int tunnel_events_read(struct tunnel_events *ev,
		       int (*on_event)(void *arg, const struct tunnel_event *event), void *arg,
		       struct err *e)
{
	struct gnl_reply reply = { on_message, ev };

	ev->on_event = on_event;
	ev->arg = arg;
	return gnl_read(ev->nl, &reply, e);
}
