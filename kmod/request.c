// SPDX-License-Identifier: GPL-2.0
#include "request.h"
#include "device.h"
#include "esp.h"
#include "tunnel.h"

#include <crypto/algapi.h>
#include <linux/in.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#define KEEPALIVE_MIN_MS	1000 /* unless it is 0 */
#define PRIORITY_MAX		7

static struct netlink_range_validation keepalive_range = { .max = 3600000 }; /* ms */
static struct netlink_range_validation timeout_range = { .max = 31536000 }; /* s */

static const struct nla_policy rule_policy[SHUNT_A_SCOPE_RULE_MAX + 1] = {
	[SHUNT_A_SCOPE_RULE_PROTO] = { .type = NLA_U8 },
	[SHUNT_A_SCOPE_RULE_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
};

static const struct nla_policy scope_policy[SHUNT_A_SCOPE_MAX + 1] = {
	[SHUNT_A_SCOPE_RULE] = NLA_POLICY_NESTED(rule_policy),
};

const struct nla_policy shunt_tunnel_policy[SHUNT_A_TUNNEL_MAX + 1] = {
	[SHUNT_A_TUNNEL_IFINDEX] = NLA_POLICY_MIN(NLA_U32, 1),
	[SHUNT_A_TUNNEL_SIDE] = NLA_POLICY_MAX(NLA_U8, SHUNT_SIDE_FAR),
	[SHUNT_A_TUNNEL_SPI_IN] = { .type = NLA_U32 },
	[SHUNT_A_TUNNEL_SPI_OUT] = NLA_POLICY_MIN(NLA_U32, SHUNT_SPI_MIN),
	[SHUNT_A_TUNNEL_CIPHER] = NLA_POLICY_MAX(NLA_U8, SHUNT_CIPHER_CHACHA20_POLY1305),
	[SHUNT_A_TUNNEL_KEY_IN] = { .type = NLA_BINARY, .len = SHUNT_KEY_MAX_LEN },
	[SHUNT_A_TUNNEL_KEY_OUT] = { .type = NLA_BINARY, .len = SHUNT_KEY_MAX_LEN },
	[SHUNT_A_TUNNEL_ENDPOINT] = {
		.type = NLA_BINARY, .len = sizeof(struct sockaddr_in6),
	},
	[SHUNT_A_TUNNEL_NEAR] = { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[SHUNT_A_TUNNEL_FAR] = { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[SHUNT_A_TUNNEL_HOST] = { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[SHUNT_A_TUNNEL_ALIAS] = { .type = NLA_BINARY, .len = sizeof(struct in6_addr) },
	[SHUNT_A_TUNNEL_SCOPE] = NLA_POLICY_NESTED(scope_policy),
	[SHUNT_A_TUNNEL_PRIORITY] = NLA_POLICY_MAX(NLA_U8, PRIORITY_MAX),
	[SHUNT_A_TUNNEL_COOKIE] = { .type = NLA_NUL_STRING, .len = SHUNT_COOKIE_MAX_LEN },
	[SHUNT_A_TUNNEL_KEEPALIVE] = NLA_POLICY_FULL_RANGE(NLA_U32, &keepalive_range),
	[SHUNT_A_TUNNEL_IDLE_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &timeout_range),
	[SHUNT_A_TUNNEL_GENERATION] = { .type = NLA_U64 },
	[SHUNT_A_TUNNEL_DEAD_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32, &timeout_range),
	[SHUNT_A_TUNNEL_SEQ_LIMIT] = NLA_POLICY_MIN(NLA_U32, 1),
};

/* The text of NL_SET_ERR_MSG() must be a literal, which keeps it out of functions. */
static int explain(struct genl_info *info, const char *msg)
{
	if (info->extack)
		info->extack->_msg = msg;
	return -EINVAL;
}

/**
 * shunt_refuse() - explain what is wrong with an attribute
 * @info: command
 * @attr: attribute, which may be absent
 * @msg: explanation, a constant
 *
 * Return: -EINVAL.
 */
int shunt_refuse(struct genl_info *info, int attr, const char *msg)
{
	if (info->attrs[attr])
		NL_SET_BAD_ATTR(info->extack, info->attrs[attr]);
	return explain(info, msg);
}

/**
 * shunt_missing() - explain that an attribute is missing
 * @info: command
 * @attr: attribute
 * @msg: explanation, a constant
 *
 * Return: -EINVAL.
 */
int shunt_missing(struct genl_info *info, int attr, const char *msg)
{
	NL_SET_ERR_ATTR_MISS(info->extack, NULL, attr);
	return explain(info, msg);
}

/**
 * shunt_request_dev() - find the device a command is for
 * @info: command
 * @attr: its attribute with the interface index
 *
 * Return: the device with a reference for shunt_dev_put(); or an error pointer, explained.
 */
struct shunt_dev *shunt_request_dev(struct genl_info *info, int attr)
{
	struct shunt_dev *shunt;

	if (!info->attrs[attr])
		return ERR_PTR(shunt_missing(info, attr, "no device given"));
	shunt = shunt_dev_get(genl_info_net(info), nla_get_u32(info->attrs[attr]));
	if (!shunt) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr], "no such shunt device");
		return ERR_PTR(-ENODEV);
	}
	if (!shunt_dev_capable(shunt)) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[attr],
				    "no rights over the namespace of the device's socket");
		shunt_dev_put(shunt);
		return ERR_PTR(-EPERM);
	}
	return shunt;
}

/**
 * shunt_request_find() - find the tunnel a command is for
 * @info: command
 * @shunt: device; its lock is held
 *
 * Return: the tunnel, without a reference; or an error pointer, explained.
 */
struct shunt_tunnel *shunt_request_find(struct genl_info *info, struct shunt_dev *shunt)
{
	const struct nlattr *spi = info->attrs[SHUNT_A_TUNNEL_SPI_IN];
	const struct nlattr *generation = info->attrs[SHUNT_A_TUNNEL_GENERATION];
	struct shunt_tunnel *t;

	if (!spi)
		return ERR_PTR(shunt_missing(info, SHUNT_A_TUNNEL_SPI_IN, "no tunnel given"));
	t = shunt_tunnel_by_spi(shunt, nla_get_u32(spi));
	if (!t) {
		NL_SET_ERR_MSG_ATTR(info->extack, spi, "no such tunnel");
		return ERR_PTR(-ENOENT);
	}
	if (generation && nla_get_u64(generation) != t->generation) {
		NL_SET_ERR_MSG_ATTR(info->extack, generation,
				    "the tunnel was replaced by another one");
		return ERR_PTR(-ENOENT);
	}
	return t;
}

static bool is_host_addr(u8 family, const struct in6_addr *addr)
{
	__be32 v4 = addr->s6_addr32[3];

	if (family == AF_INET)
		return !ipv4_is_zeronet(v4) && !ipv4_is_loopback(v4) && !ipv4_is_multicast(v4) &&
		       !ipv4_is_lbcast(v4);
	return ipv6_addr_type(addr) & IPV6_ADDR_UNICAST && !ipv6_addr_loopback(addr) &&
	       !ipv6_addr_v4mapped(addr);
}

/* An inner address; the first one fixes *@family, which is 0 before. */
static int parse_addr(struct genl_info *info, int attr, u8 *family, struct in6_addr *addr)
{
	const struct nlattr *nla = info->attrs[attr];
	u8 is;

	if (!nla)
		return shunt_missing(info, attr, "an inner address is missing");
	switch (nla_len(nla)) {
	case sizeof(struct in_addr):
		is = AF_INET;
		shunt_addr_v4(addr, nla_get_in_addr(nla));
		break;
	case sizeof(struct in6_addr):
		is = AF_INET6;
		*addr = nla_get_in6_addr(nla);
		break;
	default:
		return shunt_refuse(info, attr, "an address has 4 or 16 octets");
	}
	if (*family && *family != is)
		return shunt_refuse(info, attr, "all inner addresses must be of one family");
	if (!is_host_addr(is, addr))
		return shunt_refuse(info, attr, "not the address of a host");
	*family = is;
	return 0;
}

static int parse_addresses(struct genl_info *info, struct shunt_tunnel_conf *conf)
{
	bool host = info->attrs[SHUNT_A_TUNNEL_HOST];
	bool alias = info->attrs[SHUNT_A_TUNNEL_ALIAS];
	int err;

	err = parse_addr(info, SHUNT_A_TUNNEL_NEAR, &conf->family, &conf->near) ?:
	      parse_addr(info, SHUNT_A_TUNNEL_FAR, &conf->family, &conf->far);
	if (err)
		return err;
	if (ipv6_addr_equal(&conf->near, &conf->far))
		return shunt_refuse(info, SHUNT_A_TUNNEL_FAR, "near and far are the same");
	conf->host = conf->near;
	conf->alias = conf->far;
	if (!host && !alias)
		return 0;

	if (conf->side == SHUNT_SIDE_FAR)
		return shunt_refuse(info, host ? SHUNT_A_TUNNEL_HOST : SHUNT_A_TUNNEL_ALIAS,
			      "only the near side translates");
	if (!host)
		return shunt_missing(info, SHUNT_A_TUNNEL_HOST, "alias is given without host");
	if (!alias)
		return shunt_missing(info, SHUNT_A_TUNNEL_ALIAS, "host is given without alias");
	err = parse_addr(info, SHUNT_A_TUNNEL_HOST, &conf->family, &conf->host) ?:
	      parse_addr(info, SHUNT_A_TUNNEL_ALIAS, &conf->family, &conf->alias);
	if (!err && ipv6_addr_equal(&conf->host, &conf->alias))
		return shunt_refuse(info, SHUNT_A_TUNNEL_ALIAS, "host and alias are the same");
	return err;
}

static int parse_endpoint4(struct genl_info *info, struct shunt_endpoint *ep)
{
	struct sockaddr_in sin;
	__be32 addr;

	nla_memcpy(&sin, info->attrs[SHUNT_A_TUNNEL_ENDPOINT], sizeof(sin));
	addr = sin.sin_addr.s_addr;
	if (sin.sin_family != AF_INET)
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT, "not a struct sockaddr_in");
	if (ipv4_is_zeronet(addr) || ipv4_is_multicast(addr) || ipv4_is_lbcast(addr))
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT, "not the address of a host");
	shunt_addr_v4(&ep->addr, addr);
	ep->port = sin.sin_port;
	return 0;
}

static int parse_endpoint6(struct genl_info *info, struct shunt_endpoint *ep)
{
	struct sockaddr_in6 sin6;
	int type;

	nla_memcpy(&sin6, info->attrs[SHUNT_A_TUNNEL_ENDPOINT], sizeof(sin6));
	if (sin6.sin6_family != AF_INET6)
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT, "not a struct sockaddr_in6");
	type = ipv6_addr_type(&sin6.sin6_addr);
	if (!(type & IPV6_ADDR_UNICAST) || type & IPV6_ADDR_MAPPED)
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT, "not the address of a host");
	if (type & IPV6_ADDR_LINKLOCAL)
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT, "a link-local address");
	ep->addr = sin6.sin6_addr;
	ep->port = sin6.sin6_port;
	return 0;
}

/**
 * shunt_request_endpoint() - what a command says of the endpoint
 * @info: command
 * @ep: result; port 0 when it says nothing
 * @any_port: port 0 may be given, too
 *
 * Return: 0, or -errno, explained.
 */
int shunt_request_endpoint(struct genl_info *info, struct shunt_endpoint *ep, bool any_port)
{
	const struct nlattr *nla = info->attrs[SHUNT_A_TUNNEL_ENDPOINT];
	int err;

	memset(ep, 0, sizeof(*ep));
	if (!nla)
		return 0;
	switch (nla_len(nla)) {
	case sizeof(struct sockaddr_in):
		err = parse_endpoint4(info, ep);
		break;
	case sizeof(struct sockaddr_in6):
		err = parse_endpoint6(info, ep);
		break;
	default:
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT,
				    "neither struct sockaddr_in nor struct sockaddr_in6");
	}
	if (!err && !ep->port && !any_port)
		return shunt_refuse(info, SHUNT_A_TUNNEL_ENDPOINT, "an endpoint needs a port");
	return err;
}

static int parse_rule(struct genl_info *info, const struct nlattr *nla, struct shunt_rule *rule)
{
	struct nlattr *tb[SHUNT_A_SCOPE_RULE_MAX + 1];
	int err;

	err = nla_parse_nested(tb, SHUNT_A_SCOPE_RULE_MAX, nla, rule_policy, info->extack);
	if (err)
		return err;
	if (!tb[SHUNT_A_SCOPE_RULE_PROTO]) {
		NL_SET_ERR_MSG_ATTR(info->extack, nla, "a scope rule without a protocol");
		return -EINVAL;
	}
	rule->proto = nla_get_u8(tb[SHUNT_A_SCOPE_RULE_PROTO]);
	rule->port = 0;
	if (tb[SHUNT_A_SCOPE_RULE_PORT])
		rule->port = htons(nla_get_u16(tb[SHUNT_A_SCOPE_RULE_PORT]));
	switch (rule->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		if (rule->port)
			return 0;
		NL_SET_ERR_MSG_ATTR(info->extack, nla, "a scope rule without a port");
		return -EINVAL;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (!rule->port)
			return 0;
		NL_SET_ERR_MSG_ATTR(info->extack, nla, "ICMP has no ports");
		return -EINVAL;
	default:
		NL_SET_ERR_MSG_ATTR(info->extack, nla, "a scope knows TCP, UDP and ICMP only");
		return -EINVAL;
	}
}

/* The scope, which the caller frees; NULL for one without rules, or an error pointer. */
static struct shunt_scope *parse_scope(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[SHUNT_A_TUNNEL_SCOPE];
	struct shunt_scope *scope;
	const struct nlattr *nla;
	int count = 0;
	int rem, err;

	if (!attr)
		return NULL;
	nla_for_each_nested(nla, attr, rem)
		count++;
	if (!count)
		return NULL;
	if (count > SHUNT_SCOPE_MAX)
		return ERR_PTR(shunt_refuse(info, SHUNT_A_TUNNEL_SCOPE, "too many scope rules"));
	scope = kzalloc(struct_size(scope, rules, count), GFP_KERNEL);
	if (!scope)
		return ERR_PTR(-ENOMEM);
	nla_for_each_nested(nla, attr, rem) {
		err = parse_rule(info, nla, &scope->rules[scope->count]);
		if (err) {
			kfree(scope);
			return ERR_PTR(err);
		}
		scope->count++;
	}
	return scope;
}

/* The cookie, which the caller frees; NULL for none, or an error pointer. */
static struct shunt_cookie *parse_cookie(struct genl_info *info)
{
	const struct nlattr *attr = info->attrs[SHUNT_A_TUNNEL_COOKIE];
	struct shunt_cookie *cookie;
	size_t len;

	if (!attr)
		return NULL;
	len = strnlen(nla_data(attr), nla_len(attr));
	if (!len)
		return NULL;
	cookie = kmalloc(struct_size(cookie, text, len + 1), GFP_KERNEL);
	if (!cookie)
		return ERR_PTR(-ENOMEM);
	memcpy(cookie->text, nla_data(attr), len);
	cookie->text[len] = '\0';
	return cookie;
}

/**
 * shunt_request_free() - free settings that no tunnel took
 * @set: settings
 */
void shunt_request_free(struct shunt_settings *set)
{
	kfree(rcu_access_pointer(set->scope));
	kfree(rcu_access_pointer(set->cookie));
}

/**
 * shunt_request_settings() - what a command says of what can be changed
 * @info: command
 * @set: result, for shunt_request_free() on success unless a tunnel takes it; absent ones are 0
 *
 * Return: 0, or -errno, explained.
 */
int shunt_request_settings(struct genl_info *info, struct shunt_settings *set)
{
	struct shunt_cookie *cookie;
	struct shunt_scope *scope;

	memset(set, 0, sizeof(*set));
	if (info->attrs[SHUNT_A_TUNNEL_KEEPALIVE])
		set->keepalive = nla_get_u32(info->attrs[SHUNT_A_TUNNEL_KEEPALIVE]);
	if (set->keepalive && set->keepalive < KEEPALIVE_MIN_MS)
		return shunt_refuse(info, SHUNT_A_TUNNEL_KEEPALIVE, "less than 1000 ms");
	if (info->attrs[SHUNT_A_TUNNEL_IDLE_TIMEOUT])
		set->idle = nla_get_u32(info->attrs[SHUNT_A_TUNNEL_IDLE_TIMEOUT]);
	if (info->attrs[SHUNT_A_TUNNEL_DEAD_TIMEOUT])
		set->dead = nla_get_u32(info->attrs[SHUNT_A_TUNNEL_DEAD_TIMEOUT]);
	if (info->attrs[SHUNT_A_TUNNEL_PRIORITY])
		set->priority = nla_get_u8(info->attrs[SHUNT_A_TUNNEL_PRIORITY]);

	scope = parse_scope(info);
	if (IS_ERR(scope))
		return PTR_ERR(scope);
	cookie = parse_cookie(info);
	if (IS_ERR(cookie)) {
		kfree(scope);
		return PTR_ERR(cookie);
	}
	RCU_INIT_POINTER(set->scope, scope);
	RCU_INIT_POINTER(set->cookie, cookie);
	return 0;
}

static int parse_key(struct genl_info *info, int attr, u8 cipher, const u8 **key)
{
	if (!info->attrs[attr])
		return shunt_missing(info, attr, "a key is missing");
	if (nla_len(info->attrs[attr]) != shunt_esp_key_len(cipher))
		return shunt_refuse(info, attr, "not the length of this cipher's key and salt");
	*key = nla_data(info->attrs[attr]);
	return 0;
}

static int parse_keys(struct genl_info *info, struct shunt_tunnel_conf *conf)
{
	int err;

	conf->cipher = SHUNT_CIPHER_AES_GCM_256;
	if (info->attrs[SHUNT_A_TUNNEL_CIPHER])
		conf->cipher = nla_get_u8(info->attrs[SHUNT_A_TUNNEL_CIPHER]);
	err = parse_key(info, SHUNT_A_TUNNEL_KEY_IN, conf->cipher, &conf->key_in) ?:
	      parse_key(info, SHUNT_A_TUNNEL_KEY_OUT, conf->cipher, &conf->key_out);
	if (err)
		return err;
	/* both directions count from one, so one key would give each nonce twice */
	if (!crypto_memneq(conf->key_in, conf->key_out, shunt_esp_key_len(conf->cipher)))
		return shunt_refuse(info, SHUNT_A_TUNNEL_KEY_OUT,
				    "both directions have the same key");
	return 0;
}

static int parse_spis(struct genl_info *info, struct shunt_tunnel_conf *conf)
{
	if (info->attrs[SHUNT_A_TUNNEL_SPI_IN])
		conf->spi_in = nla_get_u32(info->attrs[SHUNT_A_TUNNEL_SPI_IN]);
	if (conf->spi_in && conf->spi_in < SHUNT_SPI_MIN)
		return shunt_refuse(info, SHUNT_A_TUNNEL_SPI_IN, "SPIs below 256 are reserved");
	if (!info->attrs[SHUNT_A_TUNNEL_SPI_OUT])
		return shunt_missing(info, SHUNT_A_TUNNEL_SPI_OUT, "the outbound SPI is missing");
	conf->spi_out = nla_get_u32(info->attrs[SHUNT_A_TUNNEL_SPI_OUT]);
	return 0;
}

/**
 * shunt_request_conf() - what a command says a new tunnel shall be
 * @info: command
 * @conf: result; its keys are the command's memory, and its settings for shunt_request_free() on
 *	success unless a tunnel takes them
 *
 * Return: 0, or -errno, explained.
 */
int shunt_request_conf(struct genl_info *info, struct shunt_tunnel_conf *conf)
{
	int err;

	memset(conf, 0, sizeof(*conf));
	conf->side = SHUNT_SIDE_NEAR;
	conf->seq_limit = U32_MAX;
	if (info->attrs[SHUNT_A_TUNNEL_SEQ_LIMIT])
		conf->seq_limit = nla_get_u32(info->attrs[SHUNT_A_TUNNEL_SEQ_LIMIT]);
	if (info->attrs[SHUNT_A_TUNNEL_SIDE])
		conf->side = nla_get_u8(info->attrs[SHUNT_A_TUNNEL_SIDE]);
	err = parse_spis(info, conf) ?: parse_keys(info, conf) ?: parse_addresses(info, conf) ?:
	      shunt_request_endpoint(info, &conf->endpoint, false);
	if (err)
		return err;
	if (conf->side == SHUNT_SIDE_NEAR && !conf->endpoint.port)
		return shunt_missing(info, SHUNT_A_TUNNEL_ENDPOINT,
			       "the near side opens the tunnel and needs an endpoint");
	return shunt_request_settings(info, &conf->set);
}

/**
 * shunt_request_wipe() - overwrite a command's keys, so that they are not found in freed memory
 * @info: command, done with
 */
void shunt_request_wipe(struct genl_info *info)
{
	static const int keys[] = { SHUNT_A_TUNNEL_KEY_IN, SHUNT_A_TUNNEL_KEY_OUT };
	int i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (info->attrs[keys[i]])
			memzero_explicit(nla_data(info->attrs[keys[i]]),
					 nla_len(info->attrs[keys[i]]));
}
