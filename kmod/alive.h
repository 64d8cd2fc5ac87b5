/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a tunnel does by itself, on one timer:
 *
 * - Opening: the near side sends dummy packets (RFC 4303 section 2.6) until the first authenticated
 *   packet answers, so that its NAT lets the far side in and the far side learns where it is. The
 *   far side answers a dummy with a dummy unless it has just sent something.
 * - Keepalive: a dummy after so long without sending. The 0xFF octet of RFC 3948 section 2.3 would
 *   keep the NAT's mapping, but authenticates nothing, so that the far side would not learn of a
 *   mapping that has changed. The near side also sends one when nothing came for as long, or for a
 *   quarter of it after inner packets did: what ceases may have gone to where we are no more.
 * - Idle: the end of the tunnel after so long without an inner packet.
 * - Dead: its end after so long without anything authenticated. The near side asks at least twice
 *   in that time; the far side relies on that.
 *
 * It also gets to announcements that had to wait, see chore.h.
 */
#ifndef SHUNT_ALIVE_H
#define SHUNT_ALIVE_H

#include "tunnel.h"

void shunt_alive_init(struct shunt_tunnel *t);
void shunt_alive_start(struct shunt_tunnel *t);
void shunt_alive_stop(struct shunt_tunnel *t);
void shunt_alive_restart(struct shunt_dev *shunt);
bool shunt_alive_idle(const struct shunt_tunnel *t);
bool shunt_alive_dead(const struct shunt_tunnel *t);
void shunt_alive_answer(struct shunt_tunnel *t);

#endif /* SHUNT_ALIVE_H */
