/* SPDX-License-Identifier: GPL-2.0 */
/* Cutting a large packet into those that are carried, each where its capsule is to be. */
#ifndef SHUNT_SEGMENT_H
#define SHUNT_SEGMENT_H

struct shunt_flow;
struct sk_buff;

struct sk_buff *shunt_segment(struct sk_buff *skb, const struct shunt_flow *flow);

#endif /* SHUNT_SEGMENT_H */
