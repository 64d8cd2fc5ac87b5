/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: the agent as a whole: its configuration, and the parts put together.
 */
#ifndef SHUNT_DEVICE_DEVICE_H
#define SHUNT_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/err.h"
#include "lib/types.h"

struct device;
struct loop;

/* What shunt-device.conf says; see device_conf_table for meaning and units. */
struct device_conf {
	char *ca, *cert, *key;
	int log_level;
	char *user;
	char *state;
	struct shunt_endpoint listen;
	struct conf_list accept;
	char *print_command;
	char *printer;
	char *store_dir;
	int store_existing;
	uint64_t store_quota;
	struct conf_list encrypt_to;
	char *key_dir;
	bool sandbox;
	char *fetch_dir;
	char *scan_command;
	uint64_t max_bytes;
	uint32_t max_jobs;
	uint32_t max_running;
	uint32_t keep_finished;
	struct conf_list clouds;
	bool connect;
	struct conf_prefixes cloud_networks, gateway_networks;
	uint64_t linger;
	uint64_t connect_timeout;
	uint64_t pull_ahead;
};

extern const struct conf_row device_conf_table[];

/* What the table cannot say: do the keys fit together? 0 or -SHUNT_ECONF with @e. */
int device_conf_check(const struct device_conf *conf, struct err *e);
/* With --check: are the certificates and, for conf->user, the directories usable, too? Becomes that user. */
int device_conf_probe(const struct device_conf *conf, struct err *e);

/* Load credentials, become conf->user, recover jobs, listen. @conf must outlive the device. -errno or a private code with @e.
 */
int device_new(struct loop *loop, const struct device_conf *conf, struct device **out,
	       struct err *e);
/* Read the certificates again, for connections to come. Keeps the old ones on error. */
int device_reload(struct device *d, struct err *e);
/* Accept no more, close connections in order, then @done. */
void device_stop(struct device *d, void (*done)(void *arg), void *arg);
/* NULL is allowed. */
void device_free(struct device *d);
/* The bound port of the listener. */
uint16_t device_port(const struct device *d);

#endif
