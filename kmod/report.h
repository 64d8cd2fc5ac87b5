/* SPDX-License-Identifier: GPL-2.0 */
/* What netlink is told: replies, dumps and announcements, all with the same contents. */
#ifndef SHUNT_REPORT_H
#define SHUNT_REPORT_H

#include <linux/types.h>
#include <net/genetlink.h>

struct shunt_dev;
struct shunt_tunnel;

/* Multicast groups, as the family lists them. */
enum shunt_group {
	SHUNT_GROUP_TUNNELS,
	SHUNT_GROUP_LOAD,
};

extern struct genl_family shunt_family;

int shunt_report_fill_tunnel(struct sk_buff *msg, struct shunt_tunnel *t, u8 reason);
int shunt_report_fill_load(struct sk_buff *msg, struct shunt_dev *shunt, u8 crossed);
void shunt_report_tunnel(struct shunt_tunnel *t, u8 cmd, u8 reason);
void shunt_report_load(struct shunt_dev *shunt, u8 crossed);

#endif /* SHUNT_REPORT_H */
