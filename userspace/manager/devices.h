/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices: the registry's resources, /v1/devices (data 7A; queries 7E and answers 7F).
 */
#ifndef SHUNT_MANAGER_DEVICES_H
#define SHUNT_MANAGER_DEVICES_H

struct h2_req;
struct store;

void devices_list(struct h2_req *req, struct store *store);
void devices_add(struct h2_req *req, struct store *store);
void devices_get(struct h2_req *req, struct store *store);
void devices_put(struct h2_req *req, struct store *store);
void devices_delete(struct h2_req *req, struct store *store);

#endif
