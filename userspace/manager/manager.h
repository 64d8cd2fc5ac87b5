/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manager: the management server (24): registry of devices (7A), and the way to wake a gateway
 * (7D).
 */
#ifndef SHUNT_MANAGER_MANAGER_H
#define SHUNT_MANAGER_MANAGER_H

#include "lib/conf.h"
#include "lib/opts.h"

#include <stdint.h>

struct loop;
struct manager;

struct manager_conf {
	char *ca, *cert, *key; /* PEM files */
	char *user; /* to run as; NULL: whoever started it */
	char *state; /* directory of the registry */
	struct shunt_endpoint listen;
	int log_level; /* enum log_level */
	uint32_t max_connections;
};

extern const struct conf_row manager_conf_table[];
extern const struct opts_about manager_about;

/*
 * Open the registry, listen, give up privileges. @conf and @loop must outlive the manager. On error
 * @e says what failed; -SHUNT_ECONF and friends of credentials included.
 */
int manager_new(struct loop *loop, const struct manager_conf *conf, struct manager **out,
		struct err *e);
/* Close connections gracefully, then stop the loop with EXIT_STOPPED. */
void manager_stop(struct manager *m);
/* Read the credentials again; on error the old ones stay. */
int manager_reload(struct manager *m, struct err *e);
void manager_free(struct manager *m); /* NULL is allowed */

/* The bound port (for a configured port 0). */
uint16_t manager_port(const struct manager *m);

/* Are the credentials usable (--check)? */
int manager_check(const struct manager_conf *conf, struct err *e);

#endif
