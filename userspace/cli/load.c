// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt load and shunt threshold: what tunnels cost, and when the kernel is to say so. */
#include <net/if.h>
#include <stdlib.h>

#include "cli/param.h"
#include "cli/show.h"
#include "lib/tunnel.h"

static const char load_usage[] =
	"Usage: shunt load [ show ] [ dev DEV ]\n"
	"load is the CPU time spent on tunnels in thousandths of one CPU, averaged over seconds.\n";

static const char threshold_usage[] =
	"Usage: shunt threshold set dev DEV [ tunnels-high N [ tunnels-low N ] ]\n"
	"                                   [ load-high PERMILLE [ load-low PERMILLE ] ]\n"
	"       shunt threshold [ show ] [ dev DEV ]\n"
	"An event is raised when a value reaches its high mark and, after that, its low mark.\n"
	"high 0: off. Marks that are not named stay, but low is always below high.\n";

#define TUNNELS_MAX (1u << 20)
#define PERMILLE_MAX 1000000 /* a thousand CPUs */

#define HAS_DEV 1u
#define HAS_MARK 2u

struct load_args {
	const char *dev;
	struct tunnel_thresholds t;
};

#define DEV_ROW PARAM("dev", PARAM_STRING, struct load_args, dev, 1, IF_NAMESIZE - 1, HAS_DEV)

static const struct param show_params[] = { DEV_ROW, { 0 } };

#define MARK_ROW(w, m, hi) PARAM(w, PARAM_U32, struct load_args, t.m, 0, hi, HAS_MARK)

static const struct param set_params[] = {
	DEV_ROW,
	MARK_ROW("tunnels-high", tunnels_high, TUNNELS_MAX),
	MARK_ROW("tunnels-low", tunnels_low, TUNNELS_MAX),
	MARK_ROW("load-high", load_high, PERMILLE_MAX),
	MARK_ROW("load-low", load_low, PERMILLE_MAX),
	{ 0 },
};

static int on_load(void *arg, const struct tunnel_load *load)
{
	const struct cli *c = arg;

	out_obj_begin(c->out, NULL);
	out_text(c->out, "load");
	show_load(c, load);
	out_text(c->out, "\n");
	out_obj_end(c->out);
	return 0;
}

/* The index of @name; 0 after an error was reported. */
static uint32_t find_dev(struct cli *c, const char *name)
{
	uint32_t ifindex = if_nametoindex(name);

	if (!ifindex)
		cli_usage(c, "dev: no device \"%s\" here", name);
	return ifindex;
}

static int load_show(struct cli *c, struct args *a)
{
	struct tunnel_ctx *ctx = NULL;
	struct load_args args = { 0 };
	struct tunnel_load load;
	struct err e = { 0 };
	uint32_t ifindex = 0;
	int status, err;

	status = params_parse(c, a, show_params, &args, NULL, NULL);
	if (status)
		return status;
	if (args.dev && !(ifindex = find_dev(c, args.dev)))
		return CLI_USAGE;
	err = tunnel_open(&ctx, &e);
	if (!err && ifindex)
		err = tunnel_load_get(ctx, ifindex, &load, &e);
	if (!err) {
		out_list_begin(c->out, NULL);
		err = ifindex ? on_load(c, &load) : tunnel_load_dump(ctx, on_load, c, &e);
		out_list_end(c->out);
	}
	if (err)
		status = cli_refused(c, &e);
	tunnel_close(ctx);
	return status;
}

static int threshold_set(struct cli *c, struct args *a)
{
	struct load_args args = {
		.t = { TUNNEL_KEEP, TUNNEL_KEEP, TUNNEL_KEEP, TUNNEL_KEEP },
	};
	struct tunnel_ctx *ctx = NULL;
	struct err e = { 0 };
	uint32_t seen, ifindex;
	int status;

	status = params_parse(c, a, set_params, &args, &seen, NULL);
	if (status)
		return status;
	if (!args.dev)
		return cli_usage(c, "dev is missing, try \"shunt threshold help\"");
	if (seen == HAS_DEV)
		return cli_usage(c, "no threshold is named, try \"shunt threshold help\"");
	ifindex = find_dev(c, args.dev);
	if (!ifindex)
		return CLI_USAGE;
	if (tunnel_open(&ctx, &e) || tunnel_threshold_set(ctx, ifindex, &args.t, &e))
		status = cli_refused(c, &e);
	tunnel_close(ctx);
	return status;
}

int cmd_load(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "show", load_show },
		{ "list", load_show },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "load", commands, load_show, load_usage);
}

int cmd_threshold(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "set", threshold_set },
		{ "show", load_show },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "threshold", commands, load_show, threshold_usage);
}
