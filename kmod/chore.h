/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the datapath and the timers find to do but must not do themselves, as it sleeps: announce
 * and delete. A chore that comes up again before it is done is done once, and moves of an endpoint
 * are announced once a second, so that no remote can flood the listeners.
 */
#ifndef SHUNT_CHORE_H
#define SHUNT_CHORE_H

#include "tunnel.h"

void shunt_chore(struct shunt_tunnel *t, enum shunt_chore chore);
void shunt_chore_work(struct work_struct *work);

#endif /* SHUNT_CHORE_H */
