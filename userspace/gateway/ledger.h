/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ledger: what the daemon must know of its tunnels after a restart, beyond what the kernel keeps:
 * whose they are, and where to dial those clouds. One small file each, replaced atomically:
 *
 *	DIR/tunnels/ID	the tunnel as the API shows it
 *	DIR/clouds/NAME	where that cloud is dialled
 *
 * Holds no secrets, therefore no tokens: an adopted tunnel stays where it is until its cloud has come
 * and told of the job again. Not synced to disk, because kernel tunnels do not survive what a sync
 * would protect from.
 */
#ifndef SHUNT_GATEWAY_LEDGER_H
#define SHUNT_GATEWAY_LEDGER_H

#include "lib/err.h"
#include "lib/sapi.h"

struct ledger;

/* Makes @dir and its parents (mode 0700) when missing. */
int ledger_open(const char *dir, struct ledger **out, struct err *e);
void ledger_close(struct ledger *l); /* NULL is allowed */

/* 0 or -errno; a failure has been logged. Removing what is not there is fine. */
int ledger_put_tunnel(struct ledger *l, const struct sapi_tunnel *t);
void ledger_del_tunnel(struct ledger *l, uint32_t id);
int ledger_put_cloud(struct ledger *l, const struct sapi_dial *cloud);
void ledger_del_cloud(struct ledger *l, const char *name);

/*
 * Files that cannot be read, or hold the entry of another name, are removed with a line in the log;
 * what a crash left half written is removed silently. The callbacks may change the ledger.
 */
int ledger_tunnels(struct ledger *l, void (*fn)(void *arg, const struct sapi_tunnel *t), void *arg);
int ledger_clouds(struct ledger *l, void (*fn)(void *arg, const struct sapi_dial *d), void *arg);

#endif
