// SPDX-License-Identifier: GPL-2.0
#include "scope.h"

#include <linux/in.h>

static bool is_icmp(u8 proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool rule_allows(const struct shunt_rule *rule, const struct shunt_hdr *h, bool to_device)
{
	/* the device is asked, it does not ask */
	if (is_icmp(h->proto))
		return is_icmp(rule->proto) && h->request == to_device;
	return rule->proto == h->proto && rule->port == (to_device ? h->dport : h->sport);
}

/**
 * shunt_scope_allows() - whether a packet is within a tunnel's scope
 * @scope: the scope, or NULL for one without rules
 * @flow: the packet
 * @to_device: it travels towards the LAN device
 *
 * An ICMP error is allowed when the packet it quotes, which travelled the other way, was. That its
 * addresses are the tunnel's is for the caller to check.
 *
 * Return: true if it is.
 */
bool shunt_scope_allows(const struct shunt_scope *scope, const struct shunt_flow *flow,
			bool to_device)
{
	const struct shunt_hdr *h = flow->error ? &flow->quoted : &flow->packet;
	int i;

	if (!scope || !scope->count)
		return true;
	if (flow->error)
		to_device = !to_device;
	for (i = 0; i < scope->count; i++)
		if (rule_allows(&scope->rules[i], h, to_device))
			return true;
	return false;
}
