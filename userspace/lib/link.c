// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/shunt.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

struct link_ctx {
	struct nl_sock *sock;
	int code; /* -errno of the last exchange's refusal, 0: none */
	char text[256]; /* the kernel's words for it, "" when it had none */
};

/*
 * libnl maps errno onto fewer codes of its own; keep the original and the extended acknowledgement.
 */
static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *report, void *arg)
{
	const struct nlmsghdr *nlh = (const void *)((const char *)report - NLMSG_HDRLEN);
	size_t skip = sizeof(*report), len = nlh->nlmsg_len - NLMSG_HDRLEN;
	struct link_ctx *ctx = arg;
	const struct nlattr *msg;

	(void)from;
	ctx->code = report->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return NL_STOP;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(report->msg.nlmsg_len) - sizeof(report->msg);
	if (skip >= len)
		return NL_STOP;
	msg = nla_find((const struct nlattr *)((const char *)report + skip), (int)(len - skip),
		       NLMSGERR_ATTR_MSG);
	if (msg)
		nla_strlcpy(ctx->text, msg, sizeof(ctx->text));
	return NL_STOP;
}

int link_open(struct link_ctx **out, struct err *e)
{
	static const int on = 1;
	struct link_ctx *ctx;
	int err;

	*out = NULL;
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return err_sys(e, -ENOMEM, "rtnetlink");
	ctx->sock = nl_socket_alloc();
	if (!ctx->sock) {
		err = err_sys(e, -ENOMEM, "rtnetlink");
		goto fail;
	}
	errno = 0;
	if (nl_connect(ctx->sock, NETLINK_ROUTE) < 0) {
		err = err_sys(e, errno ? -errno : -EIO, "rtnetlink socket");
		goto fail;
	}
	(void)setsockopt(nl_socket_get_fd(ctx->sock), SOL_NETLINK, NETLINK_EXT_ACK, &on,
			 sizeof(on));
	nl_socket_modify_err_cb(ctx->sock, NL_CB_CUSTOM, on_refusal, ctx);
	*out = ctx;
	return 0;
fail:
	link_close(ctx);
	return err;
}

void link_close(struct link_ctx *ctx)
{
	if (!ctx)
		return;
	nl_socket_free(ctx->sock);
	free(ctx);
}

static void begin(struct link_ctx *ctx)
{
	ctx->code = 0;
	ctx->text[0] = '\0';
}

/* Turn a libnl result @err of an exchange about @name into our convention. */
static int finish(struct link_ctx *ctx, int err, const char *name, struct err *e)
{
	if (err >= 0)
		return 0;
	if (ctx->code == -EPERM && !ctx->text[0])
		return err_set(e, -EPERM, "%s: not permitted (CAP_NET_ADMIN is needed)", name);
	if (ctx->code && ctx->text[0])
		return err_set(e, ctx->code, "%s: %s", name, ctx->text);
	if (ctx->code)
		return err_sys(e, ctx->code, "%s", name);
	if (err == -NLE_OBJ_NOTFOUND || err == -NLE_NODEV)
		return err_sys(e, -ENODEV, "%s", name);
	if (err == -NLE_NOMEM)
		return err_sys(e, -ENOMEM, "%s", name);
	return err_set(e, -EIO, "%s: %s", name, nl_geterror(err));
}

static int name_check(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (!n || n >= IF_NAMESIZE || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return err_set(e, -EINVAL, "\"%s\" is not a device name (1 to %d characters)", name,
			       IF_NAMESIZE - 1);
	return 0;
}

static int find(struct link_ctx *ctx, const char *name, struct rtnl_link **out, struct err *e)
{
	int err = name_check(name, e);

	if (err)
		return err;
	begin(ctx);
	return finish(ctx, rtnl_link_get_kernel(ctx->sock, 0, name, out), name, e);
}

/* ---- devices ---- */

/*
 * libnl writes the kind's own attributes only for kinds it was compiled with, so IFLA_LINKINFO is
 * ours.
 */
static int put_kind(struct nl_msg *msg, const struct link_conf *conf)
{
	struct nlattr *info, *data;

	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (!info || nla_put_string(msg, IFLA_INFO_KIND, SHUNT_LINK_KIND))
		return -NLE_NOMEM;
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (!data || (conf->port && nla_put_u16(msg, IFLA_SHUNT_PORT, htons(conf->port))) ||
	    (conf->fwmark && nla_put_u32(msg, IFLA_SHUNT_FWMARK, conf->fwmark)) ||
	    (conf->dscp && nla_put_u8(msg, IFLA_SHUNT_DSCP, conf->dscp)))
		return -NLE_NOMEM;
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return 0;
}

int link_add(struct link_ctx *ctx, const struct link_conf *conf, struct err *e)
{
	struct rtnl_link *link;
	struct nl_msg *msg = NULL;
	int err = name_check(conf->name, e);

	if (err)
		return err;
	link = rtnl_link_alloc();
	if (!link)
		return err_sys(e, -ENOMEM, "%s", conf->name);
	rtnl_link_set_name(link, conf->name);
	if (conf->mtu)
		rtnl_link_set_mtu(link, conf->mtu);
	begin(ctx);
	err = rtnl_link_build_add_request(link, NLM_F_CREATE | NLM_F_EXCL, &msg);
	if (!err)
		err = put_kind(msg, conf);
	if (!err) {
		err = nl_send_sync(ctx->sock, msg); /* frees msg */
		msg = NULL;
	}
	nlmsg_free(msg);
	rtnl_link_put(link);
	if (ctx->code == -EOPNOTSUPP && (!ctx->text[0] || strstr(ctx->text, "device type")))
		return err_set(e, -EOPNOTSUPP, "the shunt module is not loaded (modprobe shunt)");
	return finish(ctx, err, conf->name, e);
}

int link_del(struct link_ctx *ctx, const char *name, struct err *e)
{
	struct rtnl_link *link;
	const char *kind;
	int err = find(ctx, name, &link, e);

	if (err)
		return err;
	kind = rtnl_link_get_type(link);
	if (!kind || strcmp(kind, SHUNT_LINK_KIND)) {
		rtnl_link_put(link);
		return err_set(e, -EINVAL, "%s: not a shunt device", name);
	}
	err = finish(ctx, rtnl_link_delete(ctx->sock, link), name, e);
	rtnl_link_put(link);
	return err;
}

static int change(struct link_ctx *ctx, const char *name,
		  void (*set)(struct rtnl_link *to, uint32_t v), uint32_t v, struct err *e)
{
	struct rtnl_link *link, *to;
	int err = find(ctx, name, &link, e);

	if (err)
		return err;
	to = rtnl_link_alloc();
	if (!to) {
		rtnl_link_put(link);
		return err_sys(e, -ENOMEM, "%s", name);
	}
	set(to, v);
	err = finish(ctx, rtnl_link_change(ctx->sock, link, to, 0), name, e);
	rtnl_link_put(to);
	rtnl_link_put(link);
	return err;
}

static void set_up(struct rtnl_link *to, uint32_t up)
{
	if (up)
		rtnl_link_set_flags(to, IFF_UP);
	else
		rtnl_link_unset_flags(to, IFF_UP);
}

int link_set_up(struct link_ctx *ctx, const char *name, bool up, struct err *e)
{
	return change(ctx, name, set_up, up, e);
}

int link_set_mtu(struct link_ctx *ctx, const char *name, uint32_t mtu, struct err *e)
{
	return change(ctx, name, rtnl_link_set_mtu, mtu, e);
}

/* ---- addresses and routes ---- */

static struct nl_addr *addr_make(const struct shunt_addr *a, unsigned int len)
{
	struct nl_addr *out = nl_addr_build(a->family, a->bytes, addr_len(a));

	if (out)
		nl_addr_set_prefixlen(out, (int)len);
	return out;
}

/* @flags: NLM_F_* of an addition; @add false deletes. */
static int addr_change(struct link_ctx *ctx, const char *name, const struct shunt_addr *addr,
		       uint8_t len, bool add, int flags, struct err *e)
{
	struct rtnl_link *link = NULL;
	struct rtnl_addr *request = NULL;
	struct nl_addr *local = NULL;
	char text[ADDR_STR_LEN];
	int err;

	if (!addr_is_set(addr) || len > 8 * addr_len(addr))
		return err_set(e, -EINVAL, "%s: not an address", name);
	err = find(ctx, name, &link, e);
	if (err)
		return err;
	request = rtnl_addr_alloc();
	local = addr_make(addr, len);
	if (!request || !local) {
		err = err_sys(e, -ENOMEM, "%s", name);
		goto out;
	}
	rtnl_addr_set_ifindex(request, rtnl_link_get_ifindex(link));
	err = rtnl_addr_set_local(request, local);
	if (!err)
		err = add ? rtnl_addr_add(ctx->sock, request, flags) :
			    rtnl_addr_delete(ctx->sock, request, 0);
	err = finish(ctx, err, name, e);
	if (err)
		err_prefix(e, "address %s", addr_print(addr, text));
out:
	nl_addr_put(local);
	rtnl_addr_put(request);
	rtnl_link_put(link);
	return err;
}

int link_addr_add(struct link_ctx *ctx, const char *name, const struct shunt_addr *addr,
		  uint8_t len, bool replace, struct err *e)
{
	return addr_change(ctx, name, addr, len, true,
			   NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), e);
}

int link_addr_del(struct link_ctx *ctx, const char *name, const struct shunt_addr *addr,
		  uint8_t len, struct err *e)
{
	return addr_change(ctx, name, addr, len, false, 0, e);
}

static int route_change(struct link_ctx *ctx, const char *name, const struct shunt_prefix *prefix,
			bool add, int flags, struct err *e)
{
	struct rtnl_link *link = NULL;
	struct rtnl_route *route = NULL;
	struct rtnl_nexthop *hop = NULL;
	struct nl_addr *dst = NULL;
	char text[PREFIX_STR_LEN];
	int err;

	if (!addr_is_set(&prefix->addr))
		return err_set(e, -EINVAL, "%s: not a prefix", name);
	err = find(ctx, name, &link, e);
	if (err)
		return err;
	route = rtnl_route_alloc();
	hop = rtnl_route_nh_alloc();
	dst = addr_make(&prefix->addr, prefix->len);
	if (!route || !hop || !dst) {
		err = err_sys(e, -ENOMEM, "%s", name);
		goto out;
	}
	err = rtnl_route_set_dst(route, dst);
	rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
	rtnl_route_add_nexthop(route, hop); /* owns it */
	hop = NULL;
	if (!err)
		err = add ? rtnl_route_add(ctx->sock, route, flags) :
			    rtnl_route_delete(ctx->sock, route, 0);
	err = finish(ctx, err, name, e);
	if (err)
		err_prefix(e, "route %s", prefix_print(prefix, text));
out:
	nl_addr_put(dst);
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(route);
	rtnl_link_put(link);
	return err;
}

int link_route_add(struct link_ctx *ctx, const char *name, const struct shunt_prefix *prefix,
		   bool replace, struct err *e)
{
	return route_change(ctx, name, prefix, true,
			    NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), e);
}

int link_route_del(struct link_ctx *ctx, const char *name, const struct shunt_prefix *prefix,
		   struct err *e)
{
	return route_change(ctx, name, prefix, false, 0, e);
}

/* ---- state ---- */

static void info_fill(struct link_info *info, struct rtnl_link *link)
{
	const char *kind = rtnl_link_get_type(link);

	memset(info, 0, sizeof(*info));
	info->ifindex = (uint32_t)rtnl_link_get_ifindex(link);
	snprintf(info->name, sizeof(info->name), "%s", rtnl_link_get_name(link));
	snprintf(info->kind, sizeof(info->kind), "%s", kind ? kind : "");
	info->up = rtnl_link_get_flags(link) & IFF_UP;
	info->running = rtnl_link_get_flags(link) & IFF_RUNNING;
	info->mtu = rtnl_link_get_mtu(link);
	info->rx_packets = rtnl_link_get_stat(link, RTNL_LINK_RX_PACKETS);
	info->rx_bytes = rtnl_link_get_stat(link, RTNL_LINK_RX_BYTES);
	info->rx_errors = rtnl_link_get_stat(link, RTNL_LINK_RX_ERRORS);
	info->rx_dropped = rtnl_link_get_stat(link, RTNL_LINK_RX_DROPPED);
	info->tx_packets = rtnl_link_get_stat(link, RTNL_LINK_TX_PACKETS);
	info->tx_bytes = rtnl_link_get_stat(link, RTNL_LINK_TX_BYTES);
	info->tx_errors = rtnl_link_get_stat(link, RTNL_LINK_TX_ERRORS);
	info->tx_dropped = rtnl_link_get_stat(link, RTNL_LINK_TX_DROPPED);
}

int link_get(struct link_ctx *ctx, const char *name, struct link_info *out, struct err *e)
{
	struct rtnl_link *link;
	int err = find(ctx, name, &link, e);

	if (err)
		return err;
	info_fill(out, link);
	rtnl_link_put(link);
	return 0;
}

int link_towards(struct link_ctx *ctx, const struct shunt_addr *to, struct link_info *out,
		 struct err *e)
{
	char text[ADDR_STR_LEN];
	struct nl_addr *dst = addr_make(to, 8 * addr_len(to));
	struct rtnl_route *route = NULL;
	struct rtnl_link *link = NULL;
	struct rtnl_nexthop *hop;
	int err;

	if (!dst)
		return err_sys(e, -ENOMEM, "route");
	addr_print(to, text);
	begin(ctx);
	err = finish(ctx, rtnl_route_lookup(ctx->sock, dst, &route), text, e);
	if (err)
		goto out;
	hop = rtnl_route_nexthop_n(route, 0);
	if (!hop) {
		err = err_sys(e, -ENETUNREACH, "%s", text);
		goto out;
	}
	begin(ctx);
	err = finish(ctx,
		     rtnl_link_get_kernel(ctx->sock, rtnl_route_nh_get_ifindex(hop), NULL, &link),
		     text, e);
	if (err)
		goto out;
	info_fill(out, link);
	rtnl_link_put(link);
out:
	rtnl_route_put(route);
	nl_addr_put(dst);
	return err;
}

int link_list(struct link_ctx *ctx, const char *kind,
	      int (*on_link)(void *arg, const struct link_info *info), void *arg, struct err *e)
{
	struct nl_cache *cache;
	struct nl_object *obj;
	struct link_info info;
	int err;

	begin(ctx);
	err = finish(ctx, rtnl_link_alloc_cache(ctx->sock, AF_UNSPEC, &cache), "devices", e);
	if (err)
		return err;
	for (obj = nl_cache_get_first(cache); obj && !err; obj = nl_cache_get_next(obj)) {
		info_fill(&info, (struct rtnl_link *)obj);
		if (!kind || !strcmp(kind, info.kind))
			err = on_link(arg, &info);
	}
	nl_cache_free(cache);
	return err < 0 ? err : 0;
}
