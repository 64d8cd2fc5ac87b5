// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt tunnel: the kernel's tunnels by hand. */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "cli/key.h"
#include "cli/param.h"
#include "cli/show.h"
#include "lib/tunnel.h"

static const char usage_text[] =
	"Usage: shunt tunnel [ show ] [ dev DEV ] [ id ID | spi-in SPI ] [ cookie COOKIE ]\n"
	"       shunt tunnel add dev DEV [ side { near | far } ] [ spi-in SPI ] spi-out SPI\n"
	"               [ cipher { aes-gcm-128 | aes-gcm-256 | chacha20-poly1305 } ]\n"
	"               key-in KEY key-out KEY [ endpoint ADDRESS:PORT ] near ADDRESS far ADDRESS\n"
	"               [ host ADDRESS alias ADDRESS ] [ seq-limit NUMBER ] [ OPTION ]...\n"
	"       shunt tunnel set dev DEV { id ID | spi-in SPI } [ endpoint ADDRESS:PORT ]\n"
	"               [ OPTION ]...\n"
	"       shunt tunnel del dev DEV { id ID | spi-in SPI }\n"
	"       shunt tunnel flush [ dev DEV ] [ cookie COOKIE ]\n"
	"       shunt tunnel flush dev DEV [ cookie COOKIE ] endpoint ADDRESS:PORT\n"
	"\n"
	"OPTION := { allow { any | SCOPE[,SCOPE]... } | priority 0..7 | cookie COOKIE |\n"
	"            keepalive TIME | idle TIME | dead TIME }\n"
	"SCOPE  := { tcp/PORT | udp/PORT | icmp }     the device's ports\n"
	"KEY    := { file:PATH | - }                  octets or hex digits: cipher key, salt\n"
	"SPI    := 256..4294967295, also 0xHEX        without spi-in the kernel picks a free one\n"
	"TIME   := 250ms, 20s, 5m; 0 is off\n"
	"near is the inner address of the LAN's side, far that of the cloud's; side says which\n"
	"one this host is.\n";

enum {
	HAS_DEV = 1 << 0,
	HAS_SPI_IN = 1 << 1,
	HAS_SPI_OUT = 1 << 2,
	HAS_KEY_IN = 1 << 3,
	HAS_KEY_OUT = 1 << 4,
	HAS_NEAR = 1 << 5,
	HAS_FAR = 1 << 6,
	HAS_ENDPOINT = 1 << 7,
	HAS_SCOPE = 1 << 8,
	HAS_PRIORITY = 1 << 9,
	HAS_COOKIE = 1 << 10,
	HAS_KEEPALIVE = 1 << 11,
	HAS_IDLE = 1 << 12,
	HAS_DEAD = 1 << 13,
};

struct tunnel_args {
	struct tunnel_spec spec;
	const char *key_in, *key_out;
};

/* ---- words ---- */

static int parse_dev(const char *value, void *field, struct err *e)
{
	uint32_t ifindex = if_nametoindex(value);

	if (!ifindex)
		return err_set(e, -ENODEV, "no device \"%s\" here", value);
	*(uint32_t *)field = ifindex;
	return 0;
}

static int parse_id(const char *value, void *field, struct err *e)
{
	if (tunnel_id_parse(value, field))
		return err_set(e, -EINVAL, "\"%s\" is not a tunnel id (8 hex digits)", value);
	return 0;
}

static int parse_key(const char *value, void *field, struct err *e)
{
	*(const char **)field = value;
	return key_source_check(value, e);
}

static int parse_cookie(const char *value, void *field, struct err *e)
{
	if (!value[0] || strlen(value) >= TUNNEL_COOKIE_LEN)
		return err_set(e, -EINVAL, "has 1 to %d octets", TUNNEL_COOKIE_LEN - 1);
	snprintf(field, TUNNEL_COOKIE_LEN, "%s", value);
	return 0;
}

static int parse_any_port(const char *value, void *field, struct err *e)
{
	if (endpoint_parse_any(value, field))
		return err_set(e, -EINVAL, "\"%s\" is not ADDRESS:PORT (port 0: any)", value);
	return 0;
}

static int parse_scope_one(char *word, struct tunnel_scope *out)
{
	char *slash = strchr(word, '/');
	uint64_t port = 0;

	if (slash)
		*slash++ = '\0';
	if (ip_proto_parse(word, &out->proto))
		return -EINVAL;
	if (out->proto == PROTO_ICMP)
		return slash ? -EINVAL : 0;
	if (!slash || u64_parse(slash, UINT16_MAX, &port) || !port)
		return -EINVAL;
	out->port = (uint16_t)port;
	return 0;
}

/* @field is the whole spec: the scope is an array and its length. */
static int parse_scope(const char *value, void *field, struct err *e)
{
	struct tunnel_spec *spec = field;
	char *words, *word, *rest;
	int err = 0;

	spec->scope_n = 0;
	if (!strcmp(value, "any"))
		return 0;
	words = strdup(value);
	if (!words)
		return err_sys(e, -ENOMEM, "scope");
	for (rest = words; !err && (word = strsep(&rest, ","));) {
		if (spec->scope_n == TUNNEL_SCOPE_MAX)
			err = err_set(e, -E2BIG, "more than %d entries", TUNNEL_SCOPE_MAX);
		else if (parse_scope_one(word, &spec->scope[spec->scope_n++]))
			err = err_set(e, -EINVAL,
				      "\"%s\": allowed is any, or tcp/PORT, udp/PORT, icmp "
				      "separated by commas",
				      value);
	}
	free(words);
	return err;
}

#define SPI_ROW(w, m, b) PARAM(w, PARAM_U32, struct tunnel_args, m, TUNNEL_SPI_MIN, UINT32_MAX, b)
#define DEV_ROW PARAM_FUNC("dev", struct tunnel_args, spec.ifindex, parse_dev, HAS_DEV)
#define ID_ROWS                                                                                    \
	PARAM_FUNC("id", struct tunnel_args, spec.spi_in, parse_id, HAS_SPI_IN),                   \
		SPI_ROW("spi-in", spec.spi_in, HAS_SPI_IN)
#define COOKIE_ROW PARAM_FUNC("cookie", struct tunnel_args, spec.cookie, parse_cookie, HAS_COOKIE)
#define SETTING_ROWS                                                                               \
	PARAM("endpoint", PARAM_ENDPOINT, struct tunnel_args, spec.endpoint, 0, 0, HAS_ENDPOINT),  \
		PARAM_FUNC("allow", struct tunnel_args, spec, parse_scope, HAS_SCOPE),             \
		PARAM("priority", PARAM_U8, struct tunnel_args, spec.priority, 0, 7,               \
		      HAS_PRIORITY),                                                               \
		COOKIE_ROW,                                                                        \
		PARAM("keepalive", PARAM_MS, struct tunnel_args, spec.keepalive_ms, 0, 3600000,    \
		      HAS_KEEPALIVE),                                                              \
		PARAM("idle", PARAM_SECONDS, struct tunnel_args, spec.idle_s, 0, 31536000,         \
		      HAS_IDLE),                                                                   \
		PARAM("dead", PARAM_SECONDS, struct tunnel_args, spec.dead_s, 0, 31536000,         \
		      HAS_DEAD)

static const struct param add_params[] = {
	DEV_ROW,
	PARAM_WORDS("side", struct tunnel_args, spec.side, tunnel_side_names, 0),
	SPI_ROW("spi-in", spec.spi_in, HAS_SPI_IN),
	SPI_ROW("spi-out", spec.spi_out, HAS_SPI_OUT),
	PARAM_WORDS("cipher", struct tunnel_args, spec.cipher, cipher_names, 0),
	PARAM_FUNC("key-in", struct tunnel_args, key_in, parse_key, HAS_KEY_IN),
	PARAM_FUNC("key-out", struct tunnel_args, key_out, parse_key, HAS_KEY_OUT),
	PARAM("near", PARAM_ADDR, struct tunnel_args, spec.near, 0, 0, HAS_NEAR),
	PARAM("far", PARAM_ADDR, struct tunnel_args, spec.far, 0, 0, HAS_FAR),
	PARAM("host", PARAM_ADDR, struct tunnel_args, spec.host, 0, 0, 0),
	PARAM("alias", PARAM_ADDR, struct tunnel_args, spec.alias, 0, 0, 0),
	PARAM("seq-limit", PARAM_U32, struct tunnel_args, spec.seq_limit, 1, UINT32_MAX, 0),
	SETTING_ROWS,
	{ 0 },
};

static const struct param set_params[] = { DEV_ROW, ID_ROWS, SETTING_ROWS, { 0 } };
static const struct param name_params[] = { DEV_ROW, ID_ROWS, { 0 } };
static const struct param show_params[] = { DEV_ROW, ID_ROWS, COOKIE_ROW, { 0 } };
static const struct param flush_params[] = {
	DEV_ROW,
	COOKIE_ROW,
	PARAM_FUNC("endpoint", struct tunnel_args, spec.endpoint, parse_any_port, HAS_ENDPOINT),
	{ 0 },
};

/* Parse, and require the words of @needed. */
static int take(struct cli *c, struct args *a, const struct param *table, uint32_t needed,
		struct tunnel_args *t, uint32_t *seen)
{
	const char *word;
	int status;

	memset(t, 0, sizeof(*t));
	t->spec.cipher = CIPHER_AES_GCM_256;
	status = params_parse(c, a, table, t, seen, NULL);
	if (status)
		return status;
	word = params_missing(table, needed, *seen);
	return word ? cli_usage(c, "%s is missing, try \"shunt tunnel help\"", word) : CLI_OK;
}

/* ---- commands ---- */

static int read_keys(const struct tunnel_args *t, uint8_t *in, uint8_t *out, struct err *e)
{
	size_t len = cipher_key_len(t->spec.cipher);
	int err = key_read(t->key_in, in, len, e);

	if (err) {
		err_prefix(e, "key-in");
		return err;
	}
	err = key_read(t->key_out, out, len, e);
	if (err)
		err_prefix(e, "key-out");
	else if (secret_equal(in, out, len))
		err = err_set(e, -EINVAL,
			      "key-in and key-out are the same: each direction needs its own");
	return err;
}

static int tunnel_add(struct cli *c, struct args *a)
{
	uint8_t key_in[TUNNEL_KEY_MAX] = { 0 }, key_out[TUNNEL_KEY_MAX] = { 0 };
	struct tunnel_ctx *ctx = NULL;
	struct tunnel_args t;
	struct err e = { 0 };
	char id[TUNNEL_ID_LEN];
	uint32_t seen;
	int status;

	status = take(c, a, add_params,
		      HAS_DEV | HAS_SPI_OUT | HAS_KEY_IN | HAS_KEY_OUT | HAS_NEAR | HAS_FAR, &t,
		      &seen);
	if (status)
		return status;
	if (addr_is_set(&t.spec.host) != addr_is_set(&t.spec.alias))
		return cli_usage(c, "host and alias belong together");
	if (read_keys(&t, key_in, key_out, &e)) {
		status = cli_usage(c, "%s", err_text(&e));
		goto out;
	}
	if (tunnel_open(&ctx, &e) || tunnel_new(ctx, &t.spec, key_in, key_out, &e)) {
		status = cli_refused(c, &e);
		goto out;
	}
	/* Otherwise the caller knows it. */
	if (!(seen & HAS_SPI_IN) || c->json) {
		out_obj_begin(c->out, NULL);
		out_str(c->out, "id", "%s\n", tunnel_id_print(t.spec.spi_in, id));
		out_uint(c->out, "spi_in", NULL, t.spec.spi_in);
		out_obj_end(c->out);
	}
out:
	explicit_bzero(key_in, sizeof(key_in));
	explicit_bzero(key_out, sizeof(key_out));
	tunnel_close(ctx);
	return status;
}

static int tunnel_change(struct cli *c, struct args *a)
{
	static const struct {
		uint32_t seen;
		unsigned int change;
	} map[] = {
		{ HAS_ENDPOINT, TUNNEL_SET_ENDPOINT },	 { HAS_SCOPE, TUNNEL_SET_SCOPE },
		{ HAS_PRIORITY, TUNNEL_SET_PRIORITY },	 { HAS_COOKIE, TUNNEL_SET_COOKIE },
		{ HAS_KEEPALIVE, TUNNEL_SET_KEEPALIVE }, { HAS_IDLE, TUNNEL_SET_IDLE },
		{ HAS_DEAD, TUNNEL_SET_DEAD },
	};
	struct tunnel_ctx *ctx = NULL;
	struct tunnel_args t;
	struct err e = { 0 };
	unsigned int changes = 0;
	uint32_t seen;
	size_t i;
	int status;

	status = take(c, a, set_params, HAS_DEV | HAS_SPI_IN, &t, &seen);
	if (status)
		return status;
	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (seen & map[i].seen)
			changes |= map[i].change;
	if (!changes)
		return cli_usage(c, "nothing to change, try \"shunt tunnel help\"");
	if (tunnel_open(&ctx, &e) || tunnel_set(ctx, &t.spec, changes, &e))
		status = cli_refused(c, &e);
	tunnel_close(ctx);
	return status;
}

static int tunnel_delete(struct cli *c, struct args *a)
{
	struct tunnel_ctx *ctx = NULL;
	struct tunnel_args t;
	struct err e = { 0 };
	uint32_t seen;
	int status;

	status = take(c, a, name_params, HAS_DEV | HAS_SPI_IN, &t, &seen);
	if (status)
		return status;
	if (tunnel_open(&ctx, &e) || tunnel_del(ctx, t.spec.ifindex, t.spec.spi_in, NULL, &e))
		status = cli_refused(c, &e);
	tunnel_close(ctx);
	return status;
}

struct show {
	const struct cli *c;
	const char *cookie; /* "": all */
};

static int on_tunnel(void *arg, const struct tunnel_info *t)
{
	const struct show *s = arg;

	if (s->cookie[0] && strcmp(s->cookie, t->spec.cookie))
		return 0;
	out_obj_begin(s->c->out, NULL);
	if (s->c->brief)
		show_tunnel_line(s->c, t);
	else
		show_tunnel(s->c, t, true);
	out_text(s->c->out, "\n");
	out_obj_end(s->c->out);
	return 0;
}

static int tunnel_show(struct cli *c, struct args *a)
{
	struct show show = { .c = c };
	struct tunnel_ctx *ctx = NULL;
	struct tunnel_info info;
	struct tunnel_args t;
	struct err e = { 0 };
	uint32_t seen;
	int status, err;

	status = take(c, a, show_params, 0, &t, &seen);
	if (status)
		return status;
	if ((seen & HAS_SPI_IN) && !(seen & HAS_DEV))
		return cli_usage(c, "dev is missing: an SPI names a tunnel of one device");
	show.cookie = t.spec.cookie;
	err = tunnel_open(&ctx, &e);
	if (!err && (seen & HAS_SPI_IN))
		err = tunnel_get(ctx, t.spec.ifindex, t.spec.spi_in, &info, &e);
	if (err) {
		status = cli_refused(c, &e);
		goto out;
	}
	out_list_begin(c->out, NULL);
	if (seen & HAS_SPI_IN)
		err = on_tunnel(&show, &info);
	else
		err = tunnel_dump(ctx, t.spec.ifindex, on_tunnel, &show, &e);
	out_list_end(c->out);
	if (err)
		status = cli_refused(c, &e);
out:
	tunnel_close(ctx);
	return status;
}

/* What flush deletes, collected first: the socket is busy during a dump. */
struct names {
	const char *cookie;
	struct {
		uint32_t ifindex, spi_in;
	} * v;
	size_t n, room;
};

static int on_flush(void *arg, const struct tunnel_info *t)
{
	struct names *names = arg;
	void *more;

	if (names->cookie[0] && strcmp(names->cookie, t->spec.cookie))
		return 0;
	if (names->n == names->room) {
		names->room = names->room ? 2 * names->room : 64;
		more = reallocarray(names->v, names->room, sizeof(*names->v));
		if (!more)
			return -ENOMEM;
		names->v = more;
	}
	names->v[names->n].ifindex = t->spec.ifindex;
	names->v[names->n++].spi_in = t->spec.spi_in;
	return 0;
}

static int tunnel_flush(struct cli *c, struct args *a)
{
	struct tunnel_ctx *ctx = NULL;
	struct names names = { 0 };
	struct tunnel_args t;
	struct err e = { 0 };
	uint32_t seen;
	size_t i;
	int status, err;

	status = take(c, a, flush_params, 0, &t, &seen);
	if (status)
		return status;
	if (!seen)
		return cli_usage(c, "dev or cookie is missing: what is to be deleted?");
	if ((seen & HAS_ENDPOINT) && !(seen & HAS_DEV))
		return cli_usage(c, "dev is missing: whose endpoint?");
	names.cookie = t.spec.cookie;
	err = tunnel_open(&ctx, &e);
	if (!err && (seen & HAS_DEV) && seen != HAS_DEV) {
		err = tunnel_del_all(ctx, t.spec.ifindex, t.spec.cookie,
				     seen & HAS_ENDPOINT ? &t.spec.endpoint : NULL, NULL, &e);
		if (err == -ENOENT) /* nothing left is what was asked for */
			err = 0;
	} else if (!err) {
		err = tunnel_dump(ctx, t.spec.ifindex, on_flush, &names, &e);
		if (err == -EINTR) /* changed meanwhile; what was seen is still to go */
			err = 0;
		else if (err && !e.code)
			err_sys(&e, err, "tunnels");
	}
	for (i = 0; i < names.n && !err; i++) {
		err = tunnel_del(ctx, names.v[i].ifindex, names.v[i].spi_in, NULL, &e);
		if (err == -ENOENT) /* it ended by itself */
			err = 0;
	}
	if (err)
		status = cli_refused(c, &e);
	free(names.v);
	tunnel_close(ctx);
	return status;
}

int cmd_tunnel(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "show", tunnel_show },  { "add", tunnel_add },       { "set", tunnel_change },
		{ "del", tunnel_delete }, { "delete", tunnel_delete }, { "flush", tunnel_flush },
		{ "list", tunnel_show },  { "lst", tunnel_show },      { NULL, NULL },
	};

	return cli_dispatch(c, a, "tunnel", commands, tunnel_show, usage_text);
}
