/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lan: the listener for the devices of the LAN: POST /v1/logs takes their connection logs (7J,
 * #736-#737).
 */
#ifndef SHUNT_GATEWAY_LAN_H
#define SHUNT_GATEWAY_LAN_H

#include "gateway/config.h"
#include "lib/err.h"

struct lan;
struct loop;
struct record;
struct tls_ctx;

int lan_new(struct loop *loop, const struct gateway_conf *conf, struct tls_ctx *tls,
	    struct lan **out, struct err *e);
void lan_free(struct lan *l); /* NULL is allowed */
/* The bound port, host order. */
uint16_t lan_port(const struct lan *l);
/* Where logs go; before this they are answered 503. */
void lan_set_record(struct lan *l, struct record *record);
void lan_set_tls(struct lan *l, struct tls_ctx *tls);
/* Accept no more, let requests finish, then @done (maybe at once). */
void lan_stop(struct lan *l, void (*done)(void *arg), void *arg);

#endif
