/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printing: the part of a delivery whose device is a printer without agent (seed: #757-#777): a
 * printer (cloud/printer.h) lives in the job's tunnel and tells of the job; here the job's record is
 * kept, and the tunnel is held or given up.
 *
 * The tunnel is held while the document is on its way and while the printer works on it: a slot for as
 * long as that takes. When the printer waits for somebody, be it for paper, the slot goes to others after
 * `printer-patience`, and the printer is visited again in a tunnel of a second or so: after the same
 * time, then after twice, up to ten times as long while it has the job already.
 *
 * That a job is canceled of which the printer may have something is a notice (cloud/notice.h) until the printer
 * has agreed or says that it is over, also after a restart; or until the tries of one run of the cloud are used up
 * (`attempts`): then the job's timeline says so (printer-not-told), as does the log.
 * The same is said of a job that fails while the printer has it and does not say what became of it: not reached, or
 * it does not talk to us any more (its certificate, the password). That is tried again as often as a lost connection.
 */
#ifndef SHUNT_CLOUD_PRINTING_H
#define SHUNT_CLOUD_PRINTING_H

#include "cloud/delivery_int.h"

/* Does the job go to such a printer? Known once the device was looked up. */
bool printing_is(const struct delivery *d);
/* The tunnel carries packets. */
void printing_start(struct delivery *d);
/* The tunnel is being closed. */
void printing_shut(struct delivery *d);
/*
 * The job was canceled: the printer is told, in this tunnel or else in one that is asked for. False: it
 * has nothing of it, or that was tried already.
 */
bool printing_cancel(struct delivery *d);
/* The printer did not answer in time that the job is canceled: true if that is tried again. */
bool printing_unheard(struct delivery *d);
/* The same of a job that nobody delivers at the moment. */
bool printing_withdraw(struct deliveries *ds, struct job *job);
/* And of those of the last run. At most NOTICES_MAX, whatever room there is for others. */
void printing_recall(struct deliveries *ds);
/* Nothing of the delivery is open any more: should the printer not have heard, that is said. */
void printing_over(struct delivery *d);

#endif
