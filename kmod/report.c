// SPDX-License-Identifier: GPL-2.0
#include "report.h"
#include "device.h"
#include "tunnel.h"

#include <linux/in.h>

static int put_u64(struct sk_buff *msg, int attr, u64 value, int pad)
{
	return nla_put_u64_64bit(msg, attr, value, pad);
}

/* Of what nearly never happens nothing is said; as it is absent, it is 0. */
static int put_rare(struct sk_buff *msg, int attr, u64 value, int pad)
{
	return value ? put_u64(msg, attr, value, pad) : 0;
}

static int put_drops(struct sk_buff *msg, const struct shunt_sum *sum)
{
	struct nlattr *nest;
	int i;

	if (!memchr_inv(sum->drops, 0, sizeof(sum->drops)))
		return 0;
	nest = nla_nest_start(msg, SHUNT_A_STATS_DROPS);
	if (!nest)
		return -EMSGSIZE;
	for (i = SHUNT_PASS + 1; i < SHUNT_DROPS; i++)
		if (put_rare(msg, i, sum->drops[i], SHUNT_A_DROPS_PAD))
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_stats(struct sk_buff *msg, int attr, const struct shunt_stats __percpu *stats,
		     enum shunt_dir dir)
{
	struct nlattr *nest = nla_nest_start(msg, attr);
	struct shunt_sum sum;

	if (!nest)
		return -EMSGSIZE;
	shunt_stats_sum(stats, dir, &sum);
	if (put_u64(msg, SHUNT_A_STATS_PACKETS, sum.packets, SHUNT_A_STATS_PAD) ||
	    put_u64(msg, SHUNT_A_STATS_BYTES, sum.bytes, SHUNT_A_STATS_PAD) ||
	    put_u64(msg, SHUNT_A_STATS_CPU_NS, sum.cpu_ns, SHUNT_A_STATS_PAD) ||
	    put_rare(msg, SHUNT_A_STATS_FRAGMENTED, sum.fragmented, SHUNT_A_STATS_PAD) ||
	    put_drops(msg, &sum))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_addr(struct sk_buff *msg, int attr, u8 family, const struct in6_addr *addr)
{
	if (family == AF_INET)
		return nla_put_in_addr(msg, attr, addr->s6_addr32[3]);
	return nla_put_in6_addr(msg, attr, addr);
}

static int put_addresses(struct sk_buff *msg, const struct shunt_tunnel *t)
{
	bool near = t->side == SHUNT_SIDE_NEAR;
	u8 family = t->family;

	if (put_addr(msg, SHUNT_A_TUNNEL_NEAR, family, near ? &t->wire.src : &t->wire.dst) ||
	    put_addr(msg, SHUNT_A_TUNNEL_FAR, family, near ? &t->wire.dst : &t->wire.src))
		return -EMSGSIZE;
	if (!t->translated)
		return 0;
	return put_addr(msg, SHUNT_A_TUNNEL_HOST, family, &t->real.src) ?:
	       put_addr(msg, SHUNT_A_TUNNEL_ALIAS, family, &t->real.dst);
}

static int put_endpoint(struct sk_buff *msg, struct shunt_tunnel *t)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct shunt_endpoint ep;

	shunt_tunnel_endpoint(t, &ep);
	if (!ep.port)
		return 0;
	if (ipv6_addr_v4mapped(&ep.addr)) {
		sin.sin_addr.s_addr = ep.addr.s6_addr32[3];
		sin.sin_port = ep.port;
		return nla_put(msg, SHUNT_A_TUNNEL_ENDPOINT, sizeof(sin), &sin);
	}
	sin6.sin6_addr = ep.addr;
	sin6.sin6_port = ep.port;
	return nla_put(msg, SHUNT_A_TUNNEL_ENDPOINT, sizeof(sin6), &sin6);
}

static int put_rule(struct sk_buff *msg, const struct shunt_rule *rule)
{
	struct nlattr *nest = nla_nest_start(msg, SHUNT_A_SCOPE_RULE);

	if (!nest || nla_put_u8(msg, SHUNT_A_SCOPE_RULE_PROTO, rule->proto))
		return -EMSGSIZE;
	if (rule->port && nla_put_u16(msg, SHUNT_A_SCOPE_RULE_PORT, ntohs(rule->port)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_scope(struct sk_buff *msg, const struct shunt_scope *scope)
{
	struct nlattr *nest;
	int i;

	nest = nla_nest_start(msg, SHUNT_A_TUNNEL_SCOPE);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; scope && i < scope->count; i++)
		if (put_rule(msg, &scope->rules[i]))
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int put_settings(struct sk_buff *msg, const struct shunt_settings *set)
{
	const struct shunt_cookie *cookie;
	int err;

	rcu_read_lock();
	cookie = rcu_dereference(set->cookie);
	err = put_scope(msg, rcu_dereference(set->scope));
	if (!err && cookie)
		err = nla_put_string(msg, SHUNT_A_TUNNEL_COOKIE, cookie->text);
	rcu_read_unlock();
	if (err || nla_put_u8(msg, SHUNT_A_TUNNEL_PRIORITY, READ_ONCE(set->priority)) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_KEEPALIVE, READ_ONCE(set->keepalive)) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_IDLE_TIMEOUT, READ_ONCE(set->idle)) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_DEAD_TIMEOUT, READ_ONCE(set->dead)))
		return -EMSGSIZE;
	return 0;
}

/* How long ago, in ms; nothing for what never was. */
static int put_ago(struct sk_buff *msg, int attr, u64 when)
{
	u64 now = shunt_now();

	if (!when)
		return 0;
	return put_u64(msg, attr, now > when ? div_u64(now - when, NSEC_PER_MSEC) : 0,
		       SHUNT_A_TUNNEL_PAD);
}

static int put_activity(struct sk_buff *msg, const struct shunt_tunnel *t)
{
	u32 seq = min_t(u64, atomic64_read(&t->seq), t->seq_limit);

	if (put_ago(msg, SHUNT_A_TUNNEL_AGE, t->born) ||
	    put_ago(msg, SHUNT_A_TUNNEL_LAST_RX, atomic64_read(&t->last_rx)) ||
	    put_ago(msg, SHUNT_A_TUNNEL_LAST_TX, atomic64_read(&t->last_tx)) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_SEQ_OUT, seq) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_SEQ_LIMIT, t->seq_limit) ||
	    put_stats(msg, SHUNT_A_TUNNEL_RX, t->stats, SHUNT_RX) ||
	    put_stats(msg, SHUNT_A_TUNNEL_TX, t->stats, SHUNT_TX))
		return -EMSGSIZE;
	return 0;
}

/**
 * shunt_report_fill_tunnel() - put all about a tunnel but its keys into a message
 * @msg: message
 * @t: tunnel; RCU, a reference or its device's lock is held
 * @reason: enum shunt_del_reason of one that is gone, else 0
 *
 * Return: 0, or -EMSGSIZE with part of it in the message.
 */
int shunt_report_fill_tunnel(struct sk_buff *msg, struct shunt_tunnel *t, u8 reason)
{
	if (nla_put_u32(msg, SHUNT_A_TUNNEL_IFINDEX, t->shunt->dev->ifindex) ||
	    nla_put_u8(msg, SHUNT_A_TUNNEL_SIDE, t->side) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_SPI_IN, t->spi_in) ||
	    nla_put_u32(msg, SHUNT_A_TUNNEL_SPI_OUT, ntohl(t->spi_out)) ||
	    nla_put_u8(msg, SHUNT_A_TUNNEL_CIPHER, t->cipher) ||
	    put_u64(msg, SHUNT_A_TUNNEL_GENERATION, t->generation, SHUNT_A_TUNNEL_PAD) ||
	    put_endpoint(msg, t) || put_addresses(msg, t) || put_settings(msg, &t->set) ||
	    put_activity(msg, t))
		return -EMSGSIZE;
	return reason ? nla_put_u8(msg, SHUNT_A_TUNNEL_REASON, reason) : 0;
}

/**
 * shunt_report_fill_load() - put a device's load and thresholds into a message
 * @msg: message
 * @shunt: device; its lock or RCU is held
 * @crossed: enum shunt_threshold of one just crossed, else 0
 *
 * Return: 0, or -EMSGSIZE with part of it in the message.
 */
int shunt_report_fill_load(struct sk_buff *msg, struct shunt_dev *shunt, u8 crossed)
{
	const struct shunt_load *load = &shunt->load;

	if (nla_put_u32(msg, SHUNT_A_LOAD_IFINDEX, shunt->dev->ifindex) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_TUNNELS, READ_ONCE(shunt->count)) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_BUSY, shunt_load_busy(load)) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_PPS, shunt_load_pps(load)) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_TUNNELS_HIGH, load->tunnels.high) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_TUNNELS_LOW, load->tunnels.low) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_LOAD_HIGH, load->busy_mark.high) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_LOAD_LOW, load->busy_mark.low) ||
	    nla_put_u32(msg, SHUNT_A_LOAD_ABOVE, load->above) ||
	    put_stats(msg, SHUNT_A_LOAD_RX, shunt->stats, SHUNT_RX) ||
	    put_stats(msg, SHUNT_A_LOAD_TX, shunt->stats, SHUNT_TX))
		return -EMSGSIZE;
	return crossed ? nla_put_u8(msg, SHUNT_A_LOAD_CROSSED, crossed) : 0;
}

/*
 * The namespace whose listeners are told, with a reference: the device may leave it meanwhile, and
 * then it may go. NULL when it is going already, and nobody is left in it.
 */
static struct net *get_listeners(const struct shunt_dev *shunt)
{
	struct net *net;

	rcu_read_lock();
	net = maybe_get_net(dev_net(shunt->dev));
	rcu_read_unlock();
	return net;
}

/* Listeners learn that they missed something, as they do when their own buffers are full. */
static void missed(struct net *net, enum shunt_group group)
{
	genl_set_err(&shunt_family, net, 0, group, -ENOBUFS);
}

/* A message for a group, begun; NULL when nobody listens or there is no memory. */
static struct sk_buff *begin(struct net *net, enum shunt_group group, u8 cmd, void **hdr)
{
	struct sk_buff *msg;

	if (!genl_has_listeners(&shunt_family, net, group))
		return NULL;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg) {
		missed(net, group);
		return NULL;
	}
	*hdr = genlmsg_put(msg, 0, 0, &shunt_family, 0, cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static void end(struct net *net, enum shunt_group group, struct sk_buff *msg, void *hdr, int err)
{
	if (err) {
		nlmsg_free(msg);
		missed(net, group);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast_netns(&shunt_family, net, msg, 0, group, GFP_KERNEL);
}

/**
 * shunt_report_tunnel() - announce what happened to a tunnel
 * @t: tunnel; its device's lock is held
 * @cmd: SHUNT_CMD_TUNNEL_*_NTF
 * @reason: enum shunt_del_reason, with SHUNT_CMD_TUNNEL_DEL_NTF, else 0
 */
void shunt_report_tunnel(struct shunt_tunnel *t, u8 cmd, u8 reason)
{
	struct net *net = get_listeners(t->shunt);
	struct sk_buff *msg;
	void *hdr;

	if (!net)
		return;
	msg = begin(net, SHUNT_GROUP_TUNNELS, cmd, &hdr);
	if (msg)
		end(net, SHUNT_GROUP_TUNNELS, msg, hdr, shunt_report_fill_tunnel(msg, t, reason));
	put_net(net);
}

/**
 * shunt_report_load() - announce that a threshold was crossed
 * @shunt: device; its lock is held
 * @crossed: enum shunt_threshold
 */
void shunt_report_load(struct shunt_dev *shunt, u8 crossed)
{
	struct net *net = get_listeners(shunt);
	struct sk_buff *msg;
	void *hdr;

	if (!net)
		return;
	msg = begin(net, SHUNT_GROUP_LOAD, SHUNT_CMD_LOAD_NTF, &hdr);
	if (msg)
		end(net, SHUNT_GROUP_LOAD, msg, hdr, shunt_report_fill_load(msg, shunt, crossed));
	put_net(net);
}
