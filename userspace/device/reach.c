// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/reach.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

static bool in_network(const struct ifaddrs *ifa, const struct shunt_addr *addr)
{
	struct shunt_endpoint ours, mask;
	size_t i, n = addr_len(addr);

	if (!ifa->ifa_addr || !ifa->ifa_netmask || ifa->ifa_addr->sa_family != addr->family)
		return false;
	/* The system gives the mask no family of its own to speak of. */
	ifa->ifa_netmask->sa_family = addr->family;
	if (endpoint_from_sockaddr(ifa->ifa_addr, sizeof(struct sockaddr_storage), &ours) ||
	    endpoint_from_sockaddr(ifa->ifa_netmask, sizeof(struct sockaddr_storage), &mask))
		return false;
	for (i = 0; i < n; i++)
		if ((ours.addr.bytes[i] ^ addr->bytes[i]) & mask.addr.bytes[i])
			return false;
	return true;
}

int reach_own_network(const struct shunt_addr *addr)
{
	struct ifaddrs *list, *ifa;
	int found = 0;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (ifa = list; ifa && !found; ifa = ifa->ifa_next)
		found = in_network(ifa, addr);
	freeifaddrs(list);
	return found;
}

static bool listed(const struct conf_prefixes *p, const struct shunt_addr *addr)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (prefix_contains(&p->v[i], addr))
			return true;
	return false;
}

static int refuse(struct reach_refusal *why, const char *code, const struct shunt_addr *addr,
		  const char *text)
{
	char s[ADDR_STR_LEN];

	why->code = code;
	snprintf(why->text, sizeof(why->text), "%s %s", addr_print(addr, s), text);
	return -EPERM;
}

/* Is @addr ours, as far as that can be told? Says itself when it cannot. */
static int is_own(const struct reach_conf *conf, const struct shunt_addr *addr,
		  struct reach_refusal *why)
{
	int rc = conf->own(addr);

	if (rc < 0) {
		why->code = "internal";
		snprintf(why->text, sizeof(why->text), "own addresses: %s", shunt_strerror(rc));
	}
	return rc;
}

static int check_cloud(const struct reach_conf *conf, enum role caller,
		       const struct shunt_addr *addr, struct reach_refusal *why)
{
	int rc;

	if (conf->clouds->n)
		return listed(conf->clouds, addr) ? 0 :
						    refuse(why, "address-not-allowed", addr,
							   "is not inside cloud-networks");
	if (caller != ROLE_CLOUD)
		return 0;
	if (!addr_is_unicast(addr))
		return refuse(why, "address-not-allowed", addr, "is no address of a cloud");
	rc = is_own(conf, addr, why);
	return rc <= 0 ? rc :
			 refuse(why, "address-not-allowed", addr,
				"is in a network of this device, and not inside cloud-networks");
}

static int check_log(const struct reach_conf *conf, enum role caller, const struct shunt_addr *addr,
		     struct reach_refusal *why)
{
	int rc;

	if (!addr_is_set(addr))
		return 0;
	if (conf->gateways->n)
		return listed(conf->gateways, addr) ? 0 :
						      refuse(why, "log-not-allowed", addr,
							     "is not inside gateway-networks");
	if (caller != ROLE_CLOUD)
		return 0;
	if (!addr_is_unicast(addr))
		return refuse(why, "log-not-allowed", addr, "is no address of a gateway");
	rc = is_own(conf, addr, why);
	if (rc)
		return rc < 0 ? rc : 0;
	return refuse(why, "log-not-allowed", addr,
		      "is in no network of this device, nor inside gateway-networks");
}

int reach_check(const struct reach_conf *conf, enum role caller, const struct sapi_connect *ask,
		struct reach_refusal *why)
{
	int rc = check_cloud(conf, caller, &ask->address.addr, why);

	return rc ? rc : check_log(conf, caller, &ask->log.addr, why);
}
