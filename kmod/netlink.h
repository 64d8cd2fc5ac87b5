/* SPDX-License-Identifier: GPL-2.0 */
/* The commands of the netlink family, Documentation/netlink/specs/shunt.yaml. */
#ifndef SHUNT_NETLINK_H
#define SHUNT_NETLINK_H

int shunt_netlink_register(void);
void shunt_netlink_unregister(void);

#endif /* SHUNT_NETLINK_H */
