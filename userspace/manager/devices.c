// SPDX-License-Identifier: GPL-2.0-or-later

#include "manager/devices.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/body.h"
#include "lib/log.h"
#include "lib/store.h"

/* What the store says is for the log; a client only learns that we failed. */
static void store_failed(struct h2_req *req, struct store *store, int rc)
{
	log_err("devices: store: %s", err_text(store_err(store)));
	if (rc == -ENOSPC)
		h2_problem(req, 507, "no-space", "the registry's disk is full");
	else
		h2_problem(req, 500, "internal-error", "the registry failed");
}

static void unknown(struct h2_req *req, const char *code)
{
	h2_problem(req, 404, "unknown-device", "no device %s is registered", code);
}

/* {code} of the path, NULL (and @req answered) when no device can have that name. */
static const char *path_code(struct h2_req *req)
{
	const char *code = h2_req_param(req, "code");

	if (code && name_ok(code))
		return code;
	h2_problem(req, 404, "unknown-device", "not a device code");
	return NULL;
}

struct listing {
	struct sapi_device_list list;
	size_t room;
};

static int list_one(void *arg, const struct sapi_device *d)
{
	struct listing *l = arg;
	struct sapi_device *grown;

	if (l->list.n == SAPI_ITEMS_MAX)
		return -E2BIG;
	if (l->list.n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		grown = realloc(l->list.devices, l->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->list.devices = grown;
	}
	l->list.devices[l->list.n++] = *d;
	return 0;
}

void devices_list(struct h2_req *req, struct store *store)
{
	struct listing l = { 0 };
	int rc = store_device_list(store, list_one, &l);

	if (rc == -E2BIG || rc == -ENOMEM)
		h2_problem(req, 500, "internal-error", "the list is too long");
	else if (rc < 0)
		store_failed(req, store, rc);
	else
		body_respond(req, 200, &sapi_device_list_schema, &l.list);
	free(l.list.devices);
}

/* Another device than those listed: more could be stored, but never be listed again. */
static int check_room(struct store *store, const char *code)
{
	struct sapi_device known;
	size_t n = 0;
	int rc = store_device_count(store, &n);

	if (rc < 0 || n < SAPI_ITEMS_MAX)
		return rc;
	rc = store_device_get(store, code, &known);
	if (rc == 0)
		sapi_device_fini(&known);
	return rc == -ENOENT ? -EDQUOT : rc;
}

static void full(struct h2_req *req)
{
	h2_problem(req, 507, "too-many-devices",
		   "the registry holds %d devices, which is its limit", SAPI_ITEMS_MAX);
}

void devices_add(struct h2_req *req, struct store *store)
{
	char location[NAME_LEN + 16];
	struct sapi_device d;
	int rc;

	if (body_decode(req, &sapi_device_schema, &d) < 0)
		return;
	rc = check_room(store, d.code);
	if (rc == 0)
		rc = store_device_add(store, &d);
	if (rc == -EEXIST) {
		h2_problem(req, 409, "device-exists", "device %s is registered already", d.code);
	} else if (rc == -EDQUOT) {
		full(req);
	} else if (rc < 0) {
		store_failed(req, store, rc);
	} else {
		log_info("devices: %s: registered by %s", d.code, h2_req_peer(req)->name);
		snprintf(location, sizeof(location), "/v1/devices/%s", d.code);
		h2_req_set_header(req, "location", location);
		body_respond(req, 201, &sapi_device_schema, &d);
	}
	sapi_device_fini(&d);
}

void devices_get(struct h2_req *req, struct store *store)
{
	const char *code = path_code(req);
	struct sapi_device d;
	int rc;

	if (!code)
		return;
	rc = store_device_get(store, code, &d);
	if (rc == -ENOENT) {
		unknown(req, code);
	} else if (rc < 0) {
		store_failed(req, store, rc);
	} else {
		body_respond(req, 200, &sapi_device_schema, &d);
		sapi_device_fini(&d);
	}
}

void devices_put(struct h2_req *req, struct store *store)
{
	const char *code = path_code(req);
	struct sapi_device d;
	bool created;
	int rc;

	if (!code || body_decode(req, &sapi_device_schema, &d) < 0)
		return;
	if (strcmp(code, d.code) != 0) {
		h2_problem(req, 400, "bad-request", "code: is %s, but the path says %s", d.code,
			   code);
		goto out;
	}
	rc = check_room(store, d.code);
	if (rc == 0)
		rc = store_device_put(store, &d, &created);
	if (rc == -EDQUOT) {
		full(req);
		goto out;
	}
	if (rc < 0) {
		store_failed(req, store, rc);
		goto out;
	}
	log_info("devices: %s: %s by %s", d.code, created ? "registered" : "changed",
		 h2_req_peer(req)->name);
	body_respond(req, created ? 201 : 200, &sapi_device_schema, &d);
out:
	sapi_device_fini(&d);
}

void devices_delete(struct h2_req *req, struct store *store)
{
	const char *code = path_code(req);
	int rc;

	if (!code)
		return;
	rc = store_device_del(store, code);
	if (rc == -ENOENT) {
		unknown(req, code);
	} else if (rc < 0) {
		store_failed(req, store, rc);
	} else {
		log_info("devices: %s: removed by %s", code, h2_req_peer(req)->name);
		h2_respond(req, 204, NULL, NULL, 0);
	}
}
