/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a netlink command asks for, checked as a whole before anything is done. What is wrong is
 * explained in the answer, which names the attribute.
 */
#ifndef SHUNT_REQUEST_H
#define SHUNT_REQUEST_H

#include <linux/shunt.h>
#include <net/genetlink.h>

struct shunt_dev;
struct shunt_endpoint;
struct shunt_settings;
struct shunt_tunnel;
struct shunt_tunnel_conf;

extern const struct nla_policy shunt_tunnel_policy[SHUNT_A_TUNNEL_MAX + 1];

int shunt_refuse(struct genl_info *info, int attr, const char *msg);
int shunt_missing(struct genl_info *info, int attr, const char *msg);
struct shunt_dev *shunt_request_dev(struct genl_info *info, int attr);
struct shunt_tunnel *shunt_request_find(struct genl_info *info, struct shunt_dev *shunt);
int shunt_request_conf(struct genl_info *info, struct shunt_tunnel_conf *conf);
int shunt_request_settings(struct genl_info *info, struct shunt_settings *set);
int shunt_request_endpoint(struct genl_info *info, struct shunt_endpoint *ep, bool any_port);
void shunt_request_free(struct shunt_settings *set);
void shunt_request_wipe(struct genl_info *info);

#endif /* SHUNT_REQUEST_H */
