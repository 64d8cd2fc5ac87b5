/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * move: the paths of one delivery to an agent, and how a running job changes them (seed: #704-#709,
 * #808-#818).
 *
 * There are two legs, one through the tunnel and one on the direct connection; either may be shut.
 * When the device has connected and its agent has answered on the new path, which proves that it
 * works, the tunnel gets no more segments, finishes those in flight and is closed; the job never
 * pauses. The decider's event may ask for other ways:
 *
 *	split		tunnel and connection are used together, each as fast as it is, until a later
 *			event cuts the tunnel (claims 2-3)
 *	cut_early	the tunnel is drained and closed as soon as the device was asked to connect; the
 *			job then waits for it, and starts a new try if it does not come
 *	suspend		when nothing is in flight any more the device is told to hold the job (7L), and to
 *			go on by whichever path is left when the move has succeeded or failed
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
/* An event of action move, direct or split. */
void move_decided(struct delivery *d, const struct sapi_gateway_event *ev);
/* The device will not connect: on with the tunnel, or, where it was cut, a new try. */
void move_failed(struct delivery *d, const char *code, const char *text);
/* The delivery's timer fired while a move waits for the device. */
void move_timeout(struct delivery *d);
/* The try is over, and with it what was decided. */
void move_forget(struct delivery *d);
/* The tunnel is gone: does the job go on, directly or waiting for that? Then it has been seen to. */
bool move_without_tunnel(struct delivery *d);
/* The other leg is gone and @other, if it is open, goes on; what was in flight is asked for there.
 */
void move_carry_on(struct delivery *d, struct leg *other);

#endif
