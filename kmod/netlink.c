// SPDX-License-Identifier: GPL-2.0
#include "netlink.h"
#include "alive.h"
#include "compat.h"
#include "device.h"
#include "report.h"
#include "request.h"
#include "tunnel.h"

#include <linux/slab.h>

static struct netlink_range_validation tunnels_range = { .max = SHUNT_TUNNELS_MAX };

static const struct nla_policy load_policy[SHUNT_A_LOAD_MAX + 1] = {
	[SHUNT_A_LOAD_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[SHUNT_A_LOAD_TUNNELS_HIGH] = NLA_POLICY_FULL_RANGE(NLA_U32, &tunnels_range),
	[SHUNT_A_LOAD_TUNNELS_LOW] = NLA_POLICY_FULL_RANGE(NLA_U32, &tunnels_range),
	[SHUNT_A_LOAD_LOAD_HIGH] = { .type = NLA_U32 },
	[SHUNT_A_LOAD_LOAD_LOW] = { .type = NLA_U32 },
};

/* ---- tunnels ---- */

/* A reply to a command, begun. */
static struct sk_buff *reply_begin(struct genl_info *info, void **hdr)
{
	struct sk_buff *msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!msg)
		return NULL;
	*hdr = genlmsg_put_reply(msg, info, &shunt_family, 0, info->genlhdr->cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int reply_end(struct genl_info *info, struct sk_buff *msg, void *hdr, int err)
{
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

static int refuse_new(struct genl_info *info, int err, int clash)
{
	switch (err) {
	case -EEXIST:
		if (info->attrs[clash])
			NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[clash],
					    "another tunnel of the device has it");
		else
			GENL_SET_ERR_MSG(info, "no free SPI was found");
		break;
	case -ENOSPC:
		GENL_SET_ERR_MSG(info, "the device has all the tunnels it can have");
		break;
	case -ENOENT:
		GENL_SET_ERR_MSG(info, "this kernel does not have the cipher");
		break;
	case -ENODEV:
		GENL_SET_ERR_MSG(info, "the device is being deleted");
		break;
	case -EINVAL:
		GENL_SET_ERR_MSG(info, "the cipher refuses the key");
		break;
	case -ENOMEM:
		GENL_SET_ERR_MSG(info, "no memory");
		break;
	}
	return err;
}

/* Makes the tunnel and puts what the reply names into @msg. */
static int make_tunnel(struct genl_info *info, struct shunt_dev *shunt,
		       struct shunt_tunnel_conf *conf, struct sk_buff *msg)
{
	struct shunt_tunnel *t;
	int clash = 0;
	int err;

	t = shunt_tunnel_new(shunt, conf);
	if (IS_ERR(t)) {
		shunt_request_free(&conf->set);
		return refuse_new(info, PTR_ERR(t), 0);
	}
	mutex_lock(&shunt->lock);
	err = shunt_tunnel_add(t, &clash);
	/* an empty message has room for these three, so the tunnel is never made in vain */
	if (!err && (nla_put_u32(msg, SHUNT_A_TUNNEL_IFINDEX, shunt->dev->ifindex) ||
		     nla_put_u32(msg, SHUNT_A_TUNNEL_SPI_IN, t->spi_in) ||
		     nla_put_u64_64bit(msg, SHUNT_A_TUNNEL_GENERATION, t->generation,
				       SHUNT_A_TUNNEL_PAD)))
		WARN_ON_ONCE(1);
	mutex_unlock(&shunt->lock);
	if (err) {
		shunt_tunnel_put(t);
		return refuse_new(info, err, clash);
	}
	return 0;
}

static int tunnel_new(struct sk_buff *skb, struct genl_info *info)
{
	struct shunt_tunnel_conf conf;
	struct shunt_dev *shunt;
	struct sk_buff *msg;
	void *hdr;
	int err;

	shunt = shunt_request_dev(info, SHUNT_A_TUNNEL_IFINDEX);
	if (IS_ERR(shunt))
		return PTR_ERR(shunt);
	err = shunt_request_conf(info, &conf);
	if (err)
		goto put_device;
	msg = reply_begin(info, &hdr);
	if (!msg) {
		shunt_request_free(&conf.set);
		err = -ENOMEM;
		goto put_device;
	}
	err = reply_end(info, msg, hdr, make_tunnel(info, shunt, &conf, msg));
put_device:
	shunt_dev_put(shunt);
	return err;
}

static int cmd_tunnel_new(struct sk_buff *skb, struct genl_info *info)
{
	int err = tunnel_new(skb, info);

	shunt_request_wipe(info);
	return err;
}

static const int fixed_attrs[] = {
	SHUNT_A_TUNNEL_SIDE, SHUNT_A_TUNNEL_SPI_OUT, SHUNT_A_TUNNEL_CIPHER,
	SHUNT_A_TUNNEL_KEY_IN, SHUNT_A_TUNNEL_KEY_OUT, SHUNT_A_TUNNEL_NEAR,
	SHUNT_A_TUNNEL_FAR, SHUNT_A_TUNNEL_HOST, SHUNT_A_TUNNEL_ALIAS,
	SHUNT_A_TUNNEL_SEQ_LIMIT,
};

static int refuse_fixed(struct genl_info *info)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fixed_attrs); i++)
		if (info->attrs[fixed_attrs[i]])
			return shunt_refuse(info, fixed_attrs[i], "cannot be changed");
	return 0;
}

/* What was given replaces what the tunnel has, which is left in @set to be freed. */
static void change_tunnel(struct genl_info *info, struct shunt_tunnel *t,
			  struct shunt_settings *set, const struct shunt_endpoint *ep)
{
	struct mutex *lock = &t->shunt->lock;
	struct shunt_cookie *cookie;
	struct shunt_scope *scope;

	if (info->attrs[SHUNT_A_TUNNEL_SCOPE]) {
		scope = rcu_access_pointer(set->scope);
		RCU_INIT_POINTER(set->scope, rcu_dereference_protected(t->set.scope,
								       lockdep_is_held(lock)));
		rcu_assign_pointer(t->set.scope, scope);
	}
	if (info->attrs[SHUNT_A_TUNNEL_COOKIE]) {
		cookie = rcu_access_pointer(set->cookie);
		RCU_INIT_POINTER(set->cookie, rcu_dereference_protected(t->set.cookie,
									lockdep_is_held(lock)));
		rcu_assign_pointer(t->set.cookie, cookie);
	}
	if (info->attrs[SHUNT_A_TUNNEL_PRIORITY])
		WRITE_ONCE(t->set.priority, set->priority);
	if (info->attrs[SHUNT_A_TUNNEL_KEEPALIVE])
		WRITE_ONCE(t->set.keepalive, set->keepalive);
	if (info->attrs[SHUNT_A_TUNNEL_IDLE_TIMEOUT])
		WRITE_ONCE(t->set.idle, set->idle);
	if (info->attrs[SHUNT_A_TUNNEL_DEAD_TIMEOUT])
		WRITE_ONCE(t->set.dead, set->dead);
	if (ep->port && shunt_tunnel_move(t, ep, 0))
		shunt_report_tunnel(t, SHUNT_CMD_TUNNEL_ENDPOINT_NTF, 0);
	shunt_alive_start(t);
}

/* Readers may still look at them. */
static void free_settings_rcu(struct shunt_settings *set)
{
	struct shunt_cookie *cookie = rcu_access_pointer(set->cookie);
	struct shunt_scope *scope = rcu_access_pointer(set->scope);

	if (cookie)
		kfree_rcu(cookie, rcu);
	if (scope)
		kfree_rcu(scope, rcu);
}

static int set_tunnel(struct genl_info *info, struct shunt_dev *shunt)
{
	struct shunt_settings set;
	struct shunt_endpoint ep;
	struct shunt_tunnel *t;
	int err;

	err = refuse_fixed(info) ?: shunt_request_endpoint(info, &ep, false) ?:
	      shunt_request_settings(info, &set);
	if (err)
		return err;
	mutex_lock(&shunt->lock);
	t = shunt_request_find(info, shunt);
	err = PTR_ERR_OR_ZERO(t);
	if (!err)
		change_tunnel(info, t, &set, &ep);
	mutex_unlock(&shunt->lock);
	free_settings_rcu(&set);
	return err;
}

static int cmd_tunnel_set(struct sk_buff *skb, struct genl_info *info)
{
	struct shunt_dev *shunt = shunt_request_dev(info, SHUNT_A_TUNNEL_IFINDEX);
	int err;

	if (IS_ERR(shunt))
		return PTR_ERR(shunt);
	err = set_tunnel(info, shunt);
	shunt_request_wipe(info);
	shunt_dev_put(shunt);
	return err;
}

static bool has_cookie(struct shunt_tunnel *t, const struct nlattr *cookie)
{
	const struct shunt_cookie *has;

	has = rcu_dereference_protected(t->set.cookie, lockdep_is_held(&t->shunt->lock));
	return has && !nla_strcmp(cookie, has->text);
}

static bool has_endpoint(struct shunt_tunnel *t, const struct shunt_endpoint *ep)
{
	struct shunt_endpoint has;

	shunt_tunnel_endpoint(t, &has);
	return has.port && ipv6_addr_equal(&has.addr, &ep->addr) &&
	       (!ep->port || ep->port == has.port);
}

/* All that have the cookie, the endpoint, or both. The device's lock is held. */
static int del_all(struct genl_info *info, struct shunt_dev *shunt, struct sk_buff *msg)
{
	const struct nlattr *endpoint = info->attrs[SHUNT_A_TUNNEL_ENDPOINT];
	const struct nlattr *cookie = info->attrs[SHUNT_A_TUNNEL_COOKIE];
	struct shunt_endpoint ep;
	struct shunt_tunnel *t;
	unsigned long id;
	u32 count = 0;
	int err;

	err = shunt_request_endpoint(info, &ep, true);
	if (err)
		return err;
	xa_for_each(&shunt->tunnels, id, t) {
		if ((cookie && !has_cookie(t, cookie)) || (endpoint && !has_endpoint(t, &ep)))
			continue;
		shunt_tunnel_del(t, SHUNT_DEL_REASON_USER);
		count++;
	}
	if (!count) {
		NL_SET_ERR_MSG_ATTR(info->extack, cookie ?: endpoint, "no tunnel has this");
		return -ENOENT;
	}
	return nla_put_u32(msg, SHUNT_A_TUNNEL_COUNT, count);
}

/* The device's lock is held. */
static int del_by_spi(struct genl_info *info, struct shunt_dev *shunt, struct sk_buff *msg)
{
	struct shunt_tunnel *t = shunt_request_find(info, shunt);
	struct shunt_endpoint ep;
	int err;

	if (IS_ERR(t))
		return PTR_ERR(t);
	err = shunt_request_endpoint(info, &ep, true);
	if (err)
		return err;
	if (info->attrs[SHUNT_A_TUNNEL_ENDPOINT] && !has_endpoint(t, &ep)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[SHUNT_A_TUNNEL_ENDPOINT],
				    "the tunnel has another endpoint");
		return -ENOENT;
	}
	if (info->attrs[SHUNT_A_TUNNEL_COOKIE] &&
	    !has_cookie(t, info->attrs[SHUNT_A_TUNNEL_COOKIE])) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[SHUNT_A_TUNNEL_COOKIE],
				    "the tunnel has another cookie");
		return -ENOENT;
	}
	/* it is gone afterwards, but for us */
	rcu_read_lock();
	if (!shunt_tunnel_hold(t))
		t = NULL;
	rcu_read_unlock();
	if (WARN_ON_ONCE(!t))
		return -ENOENT;
	shunt_tunnel_del(t, SHUNT_DEL_REASON_USER);
	err = shunt_report_fill_tunnel(msg, t, SHUNT_DEL_REASON_USER) ?:
	      nla_put_u32(msg, SHUNT_A_TUNNEL_COUNT, 1);
	shunt_tunnel_put(t);
	return err;
}

static int cmd_tunnel_del(struct sk_buff *skb, struct genl_info *info)
{
	struct shunt_dev *shunt = shunt_request_dev(info, SHUNT_A_TUNNEL_IFINDEX);
	struct sk_buff *msg;
	void *hdr;
	int err;

	if (IS_ERR(shunt))
		return PTR_ERR(shunt);
	msg = reply_begin(info, &hdr);
	if (!msg) {
		err = -ENOMEM;
		goto put_device;
	}
	mutex_lock(&shunt->lock);
	if (info->attrs[SHUNT_A_TUNNEL_SPI_IN])
		err = del_by_spi(info, shunt, msg);
	else if (info->attrs[SHUNT_A_TUNNEL_COOKIE] || info->attrs[SHUNT_A_TUNNEL_ENDPOINT])
		err = del_all(info, shunt, msg);
	else
		err = shunt_missing(info, SHUNT_A_TUNNEL_SPI_IN,
				    "neither tunnel nor cookie nor endpoint given");
	mutex_unlock(&shunt->lock);
	err = reply_end(info, msg, hdr, err);
put_device:
	shunt_dev_put(shunt);
	return err;
}

static int cmd_tunnel_get(struct sk_buff *skb, struct genl_info *info)
{
	struct shunt_dev *shunt = shunt_request_dev(info, SHUNT_A_TUNNEL_IFINDEX);
	struct shunt_tunnel *t;
	struct sk_buff *msg;
	void *hdr;
	int err;

	if (IS_ERR(shunt))
		return PTR_ERR(shunt);
	msg = reply_begin(info, &hdr);
	if (!msg) {
		err = -ENOMEM;
		goto put_device;
	}
	mutex_lock(&shunt->lock);
	t = shunt_request_find(info, shunt);
	err = IS_ERR(t) ? PTR_ERR(t) : shunt_report_fill_tunnel(msg, t, 0);
	mutex_unlock(&shunt->lock);
	err = reply_end(info, msg, hdr, err);
put_device:
	shunt_dev_put(shunt);
	return err;
}

/* ---- dumps ---- */

/* Where a dump goes on: both cursors name what comes next, so that nothing is counted off. */
struct cursor {
	unsigned long device;
	unsigned long tunnel;
};

static struct cursor *cursor_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct cursor) > sizeof(cb->ctx));
	return (struct cursor *)cb->ctx;
}

/* Whether a device is to be in a dump, which has no rights over others than its own namespace. */
static bool dumped(const struct netlink_callback *cb, const struct shunt_dev *shunt, u32 ifindex)
{
	return net_eq(dev_net(shunt->dev), sock_net(cb->skb->sk)) &&
	       (!ifindex || shunt->dev->ifindex == ifindex) && shunt_dev_capable(shunt);
}

static void *dump_begin(struct sk_buff *msg, struct netlink_callback *cb)
{
	return genlmsg_put(msg, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &shunt_family,
			   NLM_F_MULTI, ((struct genlmsghdr *)nlmsg_data(cb->nlh))->cmd);
}

static int dump_end(struct sk_buff *msg, void *hdr, int err)
{
	if (err)
		genlmsg_cancel(msg, hdr);
	else
		genlmsg_end(msg, hdr);
	return err;
}

static int dump_tunnels(struct sk_buff *msg, struct netlink_callback *cb, struct shunt_dev *shunt)
{
	struct cursor *next = cursor_of(cb);
	struct shunt_tunnel *t;
	unsigned long id;
	void *hdr;
	int err;

	xa_for_each_start(&shunt->tunnels, id, t, next->tunnel) {
		next->tunnel = id;
		hdr = dump_begin(msg, cb);
		if (!hdr)
			return -EMSGSIZE;
		err = dump_end(msg, hdr, shunt_report_fill_tunnel(msg, t, 0));
		if (err)
			return err;
		next->tunnel = id + 1;
	}
	next->tunnel = 0;
	return 0;
}

static int dump_load(struct sk_buff *msg, struct netlink_callback *cb, struct shunt_dev *shunt)
{
	void *hdr = dump_begin(msg, cb);

	return hdr ? dump_end(msg, hdr, shunt_report_fill_load(msg, shunt, 0)) : -EMSGSIZE;
}

static int dump(struct sk_buff *msg, struct netlink_callback *cb, u32 ifindex,
		int (*one)(struct sk_buff *, struct netlink_callback *, struct shunt_dev *))
{
	struct cursor *next = cursor_of(cb);
	struct shunt_dev *shunt;
	unsigned long id;
	int err = 0;

	rcu_read_lock();
	xa_for_each_start(&shunt_devices, id, shunt, next->device) {
		/* the device where it stopped may be gone, and the tunnels with it */
		if (id != next->device)
			next->tunnel = 0;
		next->device = id;
		if (dumped(cb, shunt, ifindex))
			err = one(msg, cb, shunt);
		if (err)
			break;
		next->device = id + 1;
		next->tunnel = 0;
	}
	rcu_read_unlock();
	/* what did not fit comes first next time, unless nothing will ever fit */
	return err && !msg->len ? err : msg->len;
}

/* Whether what was asked for is there, before a dump of it begins. */
static int check_device(struct netlink_callback *cb, const struct nlattr *ifindex)
{
	struct shunt_dev *shunt;
	int err = 0;

	shunt = shunt_dev_get(sock_net(cb->skb->sk), nla_get_u32(ifindex));
	if (!shunt) {
		NL_SET_ERR_MSG_ATTR(cb->extack, ifindex, "no such shunt device");
		return -ENODEV;
	}
	if (!shunt_dev_capable(shunt)) {
		NL_SET_ERR_MSG_ATTR(cb->extack, ifindex,
				    "no rights over the namespace of the device's socket");
		err = -EPERM;
	}
	shunt_dev_put(shunt);
	return err;
}

static int cmd_tunnel_dump(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct nlattr **attrs = shunt_dump_attrs(cb);
	struct nlattr *ifindex = attrs[SHUNT_A_TUNNEL_IFINDEX];
	struct cursor *next = cursor_of(cb);
	int err;

	if (ifindex && !next->device && !next->tunnel) {
		err = check_device(cb, ifindex);
		if (err)
			return err;
	}
	return dump(msg, cb, ifindex ? nla_get_u32(ifindex) : 0, dump_tunnels);
}

static int cmd_load_dump(struct sk_buff *msg, struct netlink_callback *cb)
{
	return dump(msg, cb, 0, dump_load);
}

/* ---- load ---- */

static int cmd_load_get(struct sk_buff *skb, struct genl_info *info)
{
	struct shunt_dev *shunt = shunt_request_dev(info, SHUNT_A_LOAD_IFINDEX);
	struct sk_buff *msg;
	void *hdr;
	int err;

	if (IS_ERR(shunt))
		return PTR_ERR(shunt);
	msg = reply_begin(info, &hdr);
	if (!msg) {
		err = -ENOMEM;
		goto put_device;
	}
	mutex_lock(&shunt->lock);
	err = shunt_report_fill_load(msg, shunt, 0);
	mutex_unlock(&shunt->lock);
	err = reply_end(info, msg, hdr, err);
put_device:
	shunt_dev_put(shunt);
	return err;
}

/* Changes *@mark to what was given; the low mark follows a high mark that is given alone. */
static int parse_mark(struct genl_info *info, int high, int low, struct shunt_mark *mark)
{
	if (info->attrs[high])
		mark->high = nla_get_u32(info->attrs[high]);
	if (info->attrs[low])
		mark->low = nla_get_u32(info->attrs[low]);
	else if (mark->low >= mark->high)
		mark->low = mark->high ? mark->high - 1 : 0;
	if (mark->low && mark->low >= mark->high)
		return shunt_refuse(info, low, "the low mark is not below the high mark");
	return 0;
}

static int cmd_threshold_set(struct sk_buff *skb, struct genl_info *info)
{
	struct shunt_dev *shunt = shunt_request_dev(info, SHUNT_A_LOAD_IFINDEX);
	struct shunt_mark tunnels, busy;
	int err;

	if (IS_ERR(shunt))
		return PTR_ERR(shunt);
	mutex_lock(&shunt->lock);
	tunnels = shunt->load.tunnels;
	busy = shunt->load.busy_mark;
	err = parse_mark(info, SHUNT_A_LOAD_TUNNELS_HIGH, SHUNT_A_LOAD_TUNNELS_LOW, &tunnels) ?:
	      parse_mark(info, SHUNT_A_LOAD_LOAD_HIGH, SHUNT_A_LOAD_LOAD_LOW, &busy);
	if (!err)
		shunt_load_set(shunt, &tunnels, &busy);
	mutex_unlock(&shunt->lock);
	shunt_dev_put(shunt);
	return err;
}

/* ---- the family ---- */

#define TUNNEL_OP(command, do_it)				\
	.cmd = (command),					\
	.flags = GENL_UNS_ADMIN_PERM,				\
	.policy = shunt_tunnel_policy,				\
	.maxattr = SHUNT_A_TUNNEL_MAX,				\
	.doit = (do_it)

#define LOAD_OP(command, do_it)					\
	.cmd = (command),					\
	.flags = GENL_UNS_ADMIN_PERM,				\
	.policy = load_policy,					\
	.maxattr = SHUNT_A_LOAD_MAX,				\
	.doit = (do_it)

static const struct genl_ops ops[] = {
	{ TUNNEL_OP(SHUNT_CMD_TUNNEL_NEW, cmd_tunnel_new) },
	{ TUNNEL_OP(SHUNT_CMD_TUNNEL_SET, cmd_tunnel_set) },
	{ TUNNEL_OP(SHUNT_CMD_TUNNEL_DEL, cmd_tunnel_del) },
	{ TUNNEL_OP(SHUNT_CMD_TUNNEL_GET, cmd_tunnel_get), .dumpit = cmd_tunnel_dump },
	{ LOAD_OP(SHUNT_CMD_LOAD_GET, cmd_load_get), .dumpit = cmd_load_dump },
	{ LOAD_OP(SHUNT_CMD_THRESHOLD_SET, cmd_threshold_set) },
};

static const struct genl_multicast_group groups[] = {
	[SHUNT_GROUP_TUNNELS] = { SHUNT_MCGRP_TUNNELS, .flags = GENL_MCAST_CAP_NET_ADMIN },
	[SHUNT_GROUP_LOAD] = { SHUNT_MCGRP_LOAD, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

struct genl_family shunt_family __ro_after_init = {
	.name = SHUNT_FAMILY_NAME,
	.version = SHUNT_FAMILY_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true, /* each device has a lock of its own */
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.resv_start_op = SHUNT_CMD_MAX + 1,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int __init shunt_netlink_register(void)
{
	return genl_register_family(&shunt_family);
}

void shunt_netlink_unregister(void)
{
	genl_unregister_family(&shunt_family);
}
