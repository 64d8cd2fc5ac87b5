/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move: the paths of one delivery to an agent, and how a running job changes them (seed: #704-#709,
 * #808-#818).
 *
 * There are two legs, one through the tunnel and one on the direct connection; either may be shut.
 * When the device has connected and its agent has answered on the new path, the tunnel gets no more
 * segments, finishes those in flight and is closed.
 */
#ifndef SHUNT_CLOUD_MOVE_H
#define SHUNT_CLOUD_MOVE_H

#include "cloud/delivery_int.h"
#include "lib/types.h"

#include <stdbool.h>

struct h2;

/* Open a path on @h2, whose number in the job's record is @idx. 0 or a negative code. */
int leg_open(struct leg *leg, struct delivery *d, struct h2 *h2, enum path_kind kind, int idx);
/* What is in flight goes back to the transfer; the tunnel or connection itself stays. */
void leg_drop(struct leg *leg);
/* Is it active or draining? */
bool leg_sends(const struct leg *leg);

/* Open the direct path; true when it is opening (or was). */
bool direct_start(struct delivery *d);
void direct_close(struct delivery *d, const char *reason, const char *text);
/* The other leg is gone and @other, if it is open, goes on; what was in flight is asked for there.
 */
void move_carry_on(struct delivery *d, struct leg *other);

#endif
