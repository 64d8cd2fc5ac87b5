// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt link: devices of kind shunt. `ip link` does the same and more. */
#include "lib/link.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/param.h"

static const char usage_text[] =
	"Usage: shunt link add dev DEV [ port PORT ] [ mtu OCTETS ] [ fwmark MARK ]\n"
	"               [ dscp { 0..63 | inherit } ] [ up ] [ address ADDRESS ]...\n"
	"       shunt link del dev DEV\n"
	"       shunt link [ show ] [ dev DEV ]\n"
	"PORT, MARK and dscp are of the outer packets: 4500, none and 0 unless given.\n";

#define ADDRESS_MAX 16

struct addresses {
	size_t n;
	struct shunt_addr v[ADDRESS_MAX];
};

struct link_args {
	struct link_conf conf;
	bool up;
	struct addresses addresses;
};

static int parse_address(const char *value, void *field, struct err *e)
{
	struct addresses *list = field;

	if (list->n == ADDRESS_MAX)
		return err_set(e, -E2BIG, "more than %d", ADDRESS_MAX);
	if (addr_parse(value, &list->v[list->n]))
		return err_set(e, -EINVAL, "\"%s\": allowed is an IPv4 or IPv6 address", value);
	list->n++;
	return 0;
}

static int parse_dscp(const char *value, void *field, struct err *e)
{
	uint64_t number = LINK_DSCP_INHERIT;

	if (strcmp(value, "inherit") && u64_parse(value, LINK_DSCP_INHERIT - 1, &number))
		return err_set(e, -EINVAL, "\"%s\": allowed is 0 to 63, or inherit", value);
	*(uint8_t *)field = (uint8_t)number;
	return 0;
}

#define DEV_ROW PARAM("dev", PARAM_STRING, struct link_args, conf.name, 1, IF_NAMESIZE - 1, 0)

static const struct param add_params[] = {
	DEV_ROW,
	PARAM("port", PARAM_U16, struct link_args, conf.port, 1, UINT16_MAX, 0),
	PARAM("mtu", PARAM_U32, struct link_args, conf.mtu, 68, 65535, 0),
	PARAM("fwmark", PARAM_U32, struct link_args, conf.fwmark, 0, UINT32_MAX, 0),
	PARAM_FUNC("dscp", struct link_args, conf.dscp, parse_dscp, 0),
	PARAM("up", PARAM_FLAG, struct link_args, up, 0, 0, 0),
	{ .word = "address",
	  .type = PARAM_CUSTOM,
	  .offset = offsetof(struct link_args, addresses),
	  .parse = parse_address,
	  .repeat = true },
	{ 0 },
};

static const struct param name_params[] = { DEV_ROW, { 0 } };

/* Parse; a device may also be named without "dev", as ip link does. */
static int take(struct cli *c, struct args *a, const struct param *table, bool needed,
		struct link_args *args)
{
	const char *bare = NULL;
	int status = params_parse(c, a, table, args, NULL, &bare);

	if (status)
		return status;
	if (bare && args->conf.name)
		return cli_usage(c, "\"%s\" is not expected here", bare);
	if (bare)
		args->conf.name = bare;
	if (needed && !args->conf.name)
		return cli_usage(c, "dev is missing, try \"shunt link help\"");
	return CLI_OK;
}

static int link_make(struct cli *c, struct args *a)
{
	struct link_args args = { 0 };
	struct link_ctx *ctx = NULL;
	const struct shunt_addr *addr;
	struct err e = { 0 }, ignored;
	bool made = false;
	size_t i;
	int status, err;

	status = take(c, a, add_params, true, &args);
	if (status)
		return status;
	err = link_open(&ctx, &e);
	if (!err)
		err = link_add(ctx, &args.conf, &e);
	made = !err;
	for (i = 0; i < args.addresses.n && !err; i++) {
		addr = &args.addresses.v[i];
		err = link_addr_add(ctx, args.conf.name, addr, (uint8_t)(8 * addr_len(addr)), false,
				    &e);
	}
	if (!err && args.up)
		err = link_set_up(ctx, args.conf.name, true, &e);
	/* All or nothing. */
	if (err && made)
		(void)link_del(ctx, args.conf.name, &ignored);
	if (err)
		status = cli_refused(c, &e);
	link_close(ctx);
	return status;
}

static int link_remove(struct cli *c, struct args *a)
{
	struct link_args args = { 0 };
	struct link_ctx *ctx = NULL;
	struct err e = { 0 };
	int status;

	status = take(c, a, name_params, true, &args);
	if (status)
		return status;
	if (link_open(&ctx, &e) || link_del(ctx, args.conf.name, &e))
		status = cli_refused(c, &e);
	link_close(ctx);
	return status;
}

static void show_counts(struct out *o, const char *key, uint64_t packets, uint64_t bytes,
			uint64_t errors, uint64_t dropped)
{
	out_obj_begin(o, key);
	out_text(o, "\n    %s", key);
	out_uint(o, "packets", " packets %" PRIu64, packets);
	out_uint(o, "bytes", " bytes %" PRIu64, bytes);
	out_uint(o, "errors", " errors %" PRIu64, errors);
	out_uint(o, "dropped", " dropped %" PRIu64, dropped);
	out_obj_end(o);
}

static int on_link(void *arg, const struct link_info *l)
{
	const struct cli *c = arg;

	out_obj_begin(c->out, NULL);
	out_uint(c->out, "ifindex", "%" PRIu64 ":", l->ifindex);
	out_str(c->out, "dev", " %s", l->name);
	out_str(c->out, "kind", NULL, l->kind);
	out_bool(c->out, "up", NULL, l->up);
	out_text(c->out, " %s", l->up ? "up" : "down");
	out_uint(c->out, "mtu", " mtu %" PRIu64, l->mtu);
	if (c->stats || c->json) {
		show_counts(c->out, "rx", l->rx_packets, l->rx_bytes, l->rx_errors, l->rx_dropped);
		show_counts(c->out, "tx", l->tx_packets, l->tx_bytes, l->tx_errors, l->tx_dropped);
	}
	out_text(c->out, "\n");
	out_obj_end(c->out);
	return 0;
}

static int link_show(struct cli *c, struct args *a)
{
	struct link_args args = { 0 };
	struct link_ctx *ctx = NULL;
	struct link_info info;
	struct err e = { 0 };
	int status, err;

	status = take(c, a, name_params, false, &args);
	if (status)
		return status;
	err = link_open(&ctx, &e);
	if (!err && args.conf.name)
		err = link_get(ctx, args.conf.name, &info, &e);
	if (!err) {
		out_list_begin(c->out, NULL);
		err = args.conf.name ? on_link(c, &info) : link_list(ctx, "shunt", on_link, c, &e);
		out_list_end(c->out);
	}
	if (err)
		status = cli_refused(c, &e);
	link_close(ctx);
	return status;
}

int cmd_link(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "show", link_show },	   { "add", link_make },  { "del", link_remove },
		{ "delete", link_remove }, { "list", link_show }, { NULL, NULL },
	};

	return cli_dispatch(c, a, "link", commands, link_show, usage_text);
}
