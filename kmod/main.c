// SPDX-License-Identifier: GPL-2.0
/* Shunt: tunnels for jobs between the devices behind a gateway and a cloud. */
#include "device.h"
#include "netlink.h"
#include "tunnel.h"

#include <linux/module.h>
#include <linux/shunt.h>
#include <net/genetlink.h>
#include <net/rtnetlink.h>

static int __init shunt_init(void)
{
	int err;

	err = shunt_tunnel_init();
	if (err)
		return err;
	err = shunt_netlink_register();
	if (err)
		goto tunnel_exit;
	err = shunt_dev_register();
	if (err)
		goto netlink_unregister;
	return 0;

netlink_unregister:
	shunt_netlink_unregister();
tunnel_exit:
	shunt_tunnel_exit();
	return err;
}

/* The devices go first: they announce the end of their tunnels, and wait for it. */
static void __exit shunt_exit(void)
{
	shunt_dev_unregister();
	shunt_netlink_unregister();
	shunt_tunnel_exit();
}

module_init(shunt_init);
module_exit(shunt_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Tunnels for jobs between the devices behind a gateway and a cloud");
MODULE_ALIAS_RTNL_LINK(SHUNT_LINK_KIND);
MODULE_ALIAS_GENL_FAMILY(SHUNT_FAMILY_NAME);
