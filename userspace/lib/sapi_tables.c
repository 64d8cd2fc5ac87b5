// SPDX-License-Identifier: GPL-2.0-or-later
/* sapi_tables: the JSON bodies of Documentation/api.md as tables (see sapi.h for the structs). */
#include "lib/sapi_schema.h"

#include <stdio.h>
#include <string.h>

#include "lib/bech32.h"
#include "lib/smbmsg.h"

#define SIZEOF(st, m) sizeof(((struct st *)0)->m)

/* One row: JSON name, C member, type, flags, then named extras. */
#define ROW(json, st, m, ty, fl, ...)                                                              \
	{                                                                                          \
		.name = (json), .type = (ty), .flags = (fl), .offset = offsetof(struct st, m),     \
		.size = SIZEOF(st, m), __VA_ARGS__                                                 \
	}
/* An unsigned integer within lo..hi; a size in bytes. */
#define INT(json, st, m, lo, hi) ROW(json, st, m, F_INT, 0, .min = (lo), .max = (hi))
#define BYTES(json, st, m) INT(json, st, m, 0, CONTENT_SIZE_MAX)
/* The same, absent as long as nobody knows. */
#define BYTES_KNOWN(json, st, m, ...)                                                              \
	ROW(json, st, m, F_INT, F_OPT | F_OMIT, .max = CONTENT_SIZE_MAX,                           \
	    .def = (int64_t)CONTENT_SIZE_UNKNOWN, __VA_ARGS__)
/* Only in bodies of these kinds; `kind` must come before. */
#define FOR_KIND(st, mask)                                                                         \
	.cond = offsetof(struct st, kind), .cond_size = SIZEOF(st, kind), .cond_mask = (mask)
#define INWARD (1u << JOB_PRINT | 1u << JOB_STORE) /* content flows to the device */
#define OUTWARD (1u << JOB_FETCH)
#define WORD(json, st, m, table) ROW(json, st, m, F_ENUM, 0, .names = (table))
#define OBJECT(json, st, m, s) ROW(json, st, m, F_OBJECT, 0, .sub = &sapi_##s##_schema)
#define FLAT(st, m, s) ROW("", st, m, F_FLAT, 0, .sub = &(s))
#define ITEMS(json, st, m, n, ty, lo, hi, s)                                                       \
	ROW(json, st, m, ty, 0, .count = offsetof(struct st, n), .min = (lo), .max = (hi),         \
	    .sub = &(s))
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

#define SCHEMA(x, cap, fn)                                                                         \
	const struct sapi_schema sapi_##x##_schema = {                                             \
		.fields = x##_fields,                                                              \
		.size = sizeof(struct sapi_##x),                                                   \
		.limit = (cap),                                                                    \
		.check = (fn),                                                                     \
	}
/* For parts that never travel alone. */
#define PART(x, st, fn)                                                                            \
	static const struct sapi_schema x##_schema = {                                             \
		.fields = x##_fields,                                                              \
		.size = sizeof(struct st),                                                         \
		.limit = SAPI_MAX,                                                                 \
		.check = (fn),                                                                     \
	}

/* ---- problem ---- */

static const struct field problem_fields[] = {
	/* RFC 9457 3.1: every member is optional; we need the status at least. */
	INT("status", sapi_problem, status, 100, 599),
	ROW("title", sapi_problem, title, F_TEXT, F_OPT),
	ROW("code", sapi_problem, code, F_TEXT, F_OPT),
	ROW("detail", sapi_problem, detail, F_TEXT, F_OPT),
	END,
};
SCHEMA(problem, SAPI_MAX, NULL);

/* ---- manager ---- */

static const struct field service_fields[] = {
	WORD("kind", sapi_service, kind, service_kind_names),
	INT("port", sapi_service, port, 1, 65535),
	ROW("tls", sapi_service, tls, F_BOOL, F_OPT),
	ROW("path", sapi_service, path, F_ABSPATH, F_OPT, .word = "/"),
	END,
};
PART(service, sapi_service, NULL);

/* [MS-SMB2] 2.2.9: a tree is \\server\share. Its encryption is its own. */
static int smb_check(const struct sapi_service *s, size_t i, struct err *e)
{
	char share[SMB_WORD_MAX];
	const char *dir;

	if (s->tls)
		return err_set(e, -SHUNT_EFIELD, "services[%zu].tls: smb has none", i);
	if (!smb_path_split(s->path, share, &dir))
		return err_set(
			e, -SHUNT_EFIELD,
			"services[%zu].path: must name a share for smb: /SHARE[/DIRECTORY...]", i);
	return 0;
}

static int device_check(const void *x, struct err *e)
{
	const struct sapi_device *d = x;
	uint8_t key[32];

	if (!addr_is_unicast(&d->address))
		return err_set(e, -SHUNT_EFIELD, "address: must be a host's unicast address");
	for (size_t i = 0; i < d->n_services; i++) {
		if (sapi_device_service(d, d->services[i].kind) != &d->services[i])
			return err_set(e, -SHUNT_EFIELD, "services[%zu].kind: %s is there twice", i,
				       service_kind_str(d->services[i].kind));
		if (d->services[i].kind == SERVICE_SMB && smb_check(&d->services[i], i, e))
			return -SHUNT_EFIELD;
	}
	if (d->recipient[0] && bech32_decode("age", d->recipient, key, sizeof(key)))
		return err_set(e, -SHUNT_EFIELD, "recipient: must be a recipient of age (age1...)");
	if (d->pin[0] && !pin_ok(d->pin))
		return err_set(e, -SHUNT_EFIELD, "pin: must be sha256// and 44 digits of base64");
	if (d->pin[0] && !sapi_device_own_tls(d))
		return err_set(e, -SHUNT_EFIELD,
			       "pin: is for a service ipp or webdav with tls, and there is none");
	return 0;
}

static const struct field device_fields[] = {
	ROW("code", sapi_device, code, F_NAME, 0),
	ROW("connectable", sapi_device, connectable, F_BOOL, 0),
	ROW("gateway", sapi_device, gateway, F_NAME, 0),
	ROW("address", sapi_device, address, F_ADDR, 0),
	ROW("priority", sapi_device, priority, F_INT, F_OPT, .max = SAPI_PRIORITY_MAX,
	    .def = SAPI_PRIORITY_DEFAULT),
	ITEMS("services", sapi_device, services, n_services, F_ARRAY, 1, SAPI_SERVICES_MAX,
	      service_schema),
	ROW("spec", sapi_device, spec, F_STR, F_OPT | F_EMPTY | F_OMIT),
	ROW("recipient", sapi_device, recipient, F_STR, F_OPT | F_EMPTY | F_OMIT),
	ROW("pin", sapi_device, pin, F_STR, F_OPT | F_EMPTY | F_OMIT),
	END,
};
SCHEMA(device, SAPI_MAX, device_check);

const struct sapi_service *sapi_device_service(const struct sapi_device *d, enum service_kind kind)
{
	for (size_t i = 0; i < d->n_services; i++) {
		if (d->services[i].kind == kind)
			return &d->services[i];
	}
	return NULL;
}

bool sapi_device_own_tls(const struct sapi_device *d)
{
	for (size_t i = 0; i < d->n_services; i++) {
		if (d->services[i].tls &&
		    (d->services[i].kind == SERVICE_IPP || d->services[i].kind == SERVICE_WEBDAV))
			return true;
	}
	return false;
}

static const struct field device_list_fields[] = {
	ITEMS("devices", sapi_device_list, devices, n, F_LIST, 0, SAPI_ITEMS_MAX,
	      sapi_device_schema),
	END,
};
SCHEMA(device_list, SAPI_LIST_MAX, NULL);

static const struct field gateway_fields[] = {
	ROW("name", sapi_gateway, name, F_NAME, 0),
	ROW("connected", sapi_gateway, connected, F_BOOL, 0),
	ROW("address", sapi_gateway, address, F_ENDPOINT, F_EMPTY),
	ROW("since", sapi_gateway, since, F_TIME, F_EMPTY),
	END,
};
SCHEMA(gateway, SAPI_MAX, NULL);

static const struct field gateway_list_fields[] = {
	ITEMS("gateways", sapi_gateway_list, gateways, n, F_LIST, 0, SAPI_ITEMS_MAX,
	      sapi_gateway_schema),
	END,
};
SCHEMA(gateway_list, SAPI_LIST_MAX, NULL);

static const struct field dial_fields[] = {
	ROW("cloud", sapi_dial, cloud, F_NAME, 0),
	ROW("address", sapi_dial, address, F_ENDPOINT, 0),
	END,
};
SCHEMA(dial, SAPI_MAX, NULL);

static const struct field dial_reply_fields[] = {
	ROW("cloud", sapi_dial_reply, cloud, F_NAME, 0),
	ROW("connected", sapi_dial_reply, connected, F_BOOL, 0),
	END,
};
SCHEMA(dial_reply, SAPI_MAX, NULL);

/* ---- gateway ---- */

static int scope_check(const void *x, struct err *e)
{
	const struct sapi_scope *s = x;

	if ((s->proto == PROTO_ICMP) != !s->port)
		return err_set(e, -SHUNT_EFIELD,
			       "port: tcp and udp need one of 1..65535, icmp has none");
	return 0;
}

static const struct field scope_fields[] = {
	WORD("proto", sapi_scope, proto, ip_proto_names),
	ROW("port", sapi_scope, port, F_INT, F_OPT | F_OMIT, .max = 65535),
	END,
};
PART(scope, sapi_scope, scope_check);

static int tunnel_open_check(const void *x, struct err *e)
{
	const struct sapi_tunnel_open *t = x;

	if (!addr_is_unicast(&t->host))
		return err_set(e, -SHUNT_EFIELD, "host: must be a host's unicast address");
	if (!addr_is_unicast(&t->near) || !addr_is_unicast(&t->far) ||
	    t->near.family != t->far.family || addr_equal(&t->near, &t->far))
		return err_set(e, -SHUNT_EFIELD,
			       "near: must be a unicast address of far's family, other than far");
	if (t->host.family != t->near.family)
		return err_set(e, -SHUNT_EFIELD, "host: must be of the family of near and far");
	return 0;
}

static const struct field tunnel_connect_fields[] = {
	ROW("address", sapi_tunnel_connect, address, F_ENDPOINT, 0),
	INT("agent_port", sapi_tunnel_connect, agent_port, 1, 65535),
	ROW("token", sapi_tunnel_connect, token, F_ID, F_SECRET),
	END,
};
PART(tunnel_connect, sapi_tunnel_connect, NULL);
/* Present if and only if the device is connectable. */
#define CONNECT(st)                                                                                \
	ROW("connect", st, connect, F_OBJECT, 0, .sub = &tunnel_connect_schema,                    \
	    .cond = offsetof(struct st, connectable), .cond_size = sizeof(bool),                   \
	    .cond_mask = 1u << true)

static const struct field tunnel_open_fields[] = {
	ROW("job", sapi_tunnel_open, job, F_ID, 0),
	ROW("device", sapi_tunnel_open, device, F_NAME, 0),
	WORD("kind", sapi_tunnel_open, kind, job_kind_names),
	ROW("host", sapi_tunnel_open, host, F_ADDR, 0),
	ITEMS("scope", sapi_tunnel_open, scope, n_scope, F_ARRAY, 1, SAPI_SCOPE_MAX, scope_schema),
	WORD("cipher", sapi_tunnel_open, cipher, cipher_names),
	INT("spi", sapi_tunnel_open, spi, 256, UINT32_MAX),
	ROW("nonce", sapi_tunnel_open, nonce, F_ID, 0),
	ROW("near", sapi_tunnel_open, near, F_ADDR, 0),
	ROW("far", sapi_tunnel_open, far, F_ADDR, 0),
	ROW("endpoint", sapi_tunnel_open, endpoint, F_ENDPOINT, 0),
	INT("priority", sapi_tunnel_open, priority, 0, SAPI_PRIORITY_MAX),
	BYTES_KNOWN("remaining", sapi_tunnel_open, remaining),
	ROW("connectable", sapi_tunnel_open, connectable, F_BOOL, 0),
	CONNECT(sapi_tunnel_open),
	END,
};
SCHEMA(tunnel_open, SAPI_MAX, tunnel_open_check);

static const struct field tunnel_job_fields[] = {
	WORD("kind", sapi_tunnel_job, kind, job_kind_names),
	BYTES_KNOWN("remaining", sapi_tunnel_job, remaining),
	ROW("connectable", sapi_tunnel_job, connectable, F_BOOL, 0),
	CONNECT(sapi_tunnel_job),
	END,
};
SCHEMA(tunnel_job, SAPI_MAX, NULL);

static const struct field drops_fields[] = {
	BYTES("auth", sapi_drops, auth),
	BYTES("replay", sapi_drops, replay),
	BYTES("scope", sapi_drops, scope),
	BYTES("malformed", sapi_drops, malformed),
	BYTES("toobig", sapi_drops, toobig),
	BYTES("noroute", sapi_drops, noroute),
	BYTES("nomem", sapi_drops, nomem),
	BYTES("stale", sapi_drops, stale),
	END,
};
PART(drops, sapi_drops, NULL);

static const struct field counters_fields[] = {
	BYTES("packets", sapi_counters, packets),
	BYTES("bytes", sapi_counters, bytes),
	BYTES("cpu_ns", sapi_counters, cpu_ns),
	ROW("drops", sapi_counters, drops, F_OBJECT, 0, .sub = &drops_schema),
	END,
};
PART(counters, sapi_counters, NULL);

static const struct enum_name open_names[] = { { true, "open" }, { false, "closed" }, { 0, NULL } };

static int tunnel_check(const void *x, struct err *e)
{
	const struct sapi_tunnel *t = x;

	if (t->id != t->spi)
		return err_set(e, -SHUNT_EFIELD, "spi: must be id as a number");
	return 0;
}

static const struct field tunnel_fields[] = {
	ROW("id", sapi_tunnel, id, F_TUNNEL, 0),
	/* A tunnel that was adopted after a restart may have lost these. */
	ROW("job", sapi_tunnel, job, F_ID, F_EMPTY),
	ROW("device", sapi_tunnel, device, F_NAME, F_EMPTY),
	ROW("cloud", sapi_tunnel, cloud, F_NAME, F_EMPTY),
	INT("spi", sapi_tunnel, spi, 256, UINT32_MAX),
	ROW("host", sapi_tunnel, host, F_ADDR, F_EMPTY),
	ROW("alias", sapi_tunnel, alias, F_ADDR, F_EMPTY),
	ROW("near", sapi_tunnel, near, F_ADDR, 0),
	ROW("far", sapi_tunnel, far, F_ADDR, 0),
	ROW("endpoint", sapi_tunnel, endpoint, F_ENDPOINT, F_EMPTY),
	INT("priority", sapi_tunnel, priority, 0, SAPI_PRIORITY_MAX),
	ROW("opened", sapi_tunnel, opened, F_TIME, F_EMPTY),
	WORD("state", sapi_tunnel, open, open_names),
	ROW("reason", sapi_tunnel, reason, F_TEXT, F_OPT),
	ROW("log", sapi_tunnel, log, F_ENDPOINT, F_OPT | F_OMIT),
	ROW("adopted", sapi_tunnel, adopted, F_BOOL, F_OPT | F_OMIT),
	ROW("rx", sapi_tunnel, rx, F_OBJECT, 0, .sub = &counters_schema),
	ROW("tx", sapi_tunnel, tx, F_OBJECT, 0, .sub = &counters_schema),
	END,
};
SCHEMA(tunnel, SAPI_MAX, tunnel_check);

static const struct field tunnel_list_fields[] = {
	ITEMS("tunnels", sapi_tunnel_list, tunnels, n, F_LIST, 0, SAPI_ITEMS_MAX,
	      sapi_tunnel_schema),
	END,
};
SCHEMA(tunnel_list, SAPI_LIST_MAX, NULL);

static const struct field load_fields[] = {
	INT("tunnels", sapi_load, tunnels, 0, UINT32_MAX),
	INT("tunnels_high", sapi_load, tunnels_high, 0, UINT32_MAX),
	ROW("cpus", sapi_load, cpus, F_INT, F_OPT, .min = 1, .max = UINT32_MAX, .def = 1),
	INT("cpu_permille", sapi_load, cpu_permille, 0, 1000),
	INT("datapath_permille", sapi_load, datapath_permille, 0, 1000),
	BYTES("pps", sapi_load, pps),
	ROW("line_speed", sapi_load, line_speed, F_INT, F_OPT | F_OMIT, .max = CONTENT_SIZE_MAX,
	    .def = -1),
	END,
};
SCHEMA(load, SAPI_MAX, NULL);

static const struct enum_name gateway_action_names[] = {
	{ SAPI_GW_OPEN, "open" },     { SAPI_GW_WAIT, "wait" },
	{ SAPI_GW_DIRECT, "direct" }, { SAPI_GW_REFUSE, "refuse" },
	{ SAPI_GW_MOVE, "move" },     { SAPI_GW_KEEP, "keep" },
	{ SAPI_GW_SPLIT, "split" },   { 0, NULL },
};

const char *sapi_gateway_action_str(enum sapi_gateway_action a)
{
	return enum_str(gateway_action_names, (int)a);
}

static const struct enum_name gateway_event_names[] = {
	{ SAPI_GW_DECISION, "decision" },
	{ SAPI_GW_MOVE_FAILED, "move-failed" },
	{ SAPI_GW_TUNNEL_CLOSED, "tunnel-closed" },
	{ 0, NULL },
};

#define ON_EVENT(mask)                                                                             \
	.cond = offsetof(struct sapi_gateway_event, event),                                        \
	.cond_size = SIZEOF(sapi_gateway_event, event), .cond_mask = (mask)
static const struct field gateway_event_fields[] = {
	ROW("time", sapi_gateway_event, time, F_TIME, 0),
	WORD("event", sapi_gateway_event, event, gateway_event_names),
	ROW("tunnel", sapi_gateway_event, tunnel, F_TUNNEL, F_EMPTY),
	ROW("job", sapi_gateway_event, job, F_ID, F_EMPTY),
	ROW("action", sapi_gateway_event, action, F_ENUM, 0, .names = gateway_action_names,
	    ON_EVENT(1u << SAPI_GW_DECISION)),
	ROW("reason", sapi_gateway_event, reason, F_TEXT, 0,
	    ON_EVENT(1u << SAPI_GW_DECISION | 1u << SAPI_GW_TUNNEL_CLOSED)),
	ROW("text", sapi_gateway_event, text, F_TEXT, 0,
	    ON_EVENT(1u << SAPI_GW_DECISION | 1u << SAPI_GW_MOVE_FAILED)),
	ROW("cut_early", sapi_gateway_event, cut_early, F_BOOL, F_OPT | F_OMIT),
	ROW("suspend", sapi_gateway_event, suspend, F_BOOL, F_OPT | F_OMIT),
	END,
};
SCHEMA(gateway_event, SAPI_MAX, NULL);

static const struct field conn_log_fields[] = {
	ROW("device", sapi_conn_log, device, F_NAME, 0),
	ROW("job", sapi_conn_log, job, F_ID, 0),
	ROW("cloud", sapi_conn_log, cloud, F_NAME, 0),
	ROW("address", sapi_conn_log, address, F_ENDPOINT, 0),
	ROW("connected", sapi_conn_log, connected, F_TIME, 0),
	ROW("closed", sapi_conn_log, closed, F_TIME, F_EMPTY),
	BYTES("bytes_in", sapi_conn_log, bytes_in),
	BYTES("bytes_out", sapi_conn_log, bytes_out),
	ROW("result", sapi_conn_log, result, F_TEXT, 0),
	ROW("text", sapi_conn_log, text, F_TEXT, F_OPT),
	END,
};
SCHEMA(conn_log, SAPI_MAX, NULL);

#define RECORD(w)                                                                                  \
	{                                                                                          \
		.name = "record", .type = F_CONST, .word = (w)                                     \
	}

static const struct field record_7k_fields[] = {
	RECORD("7K"),
	ROW("time", sapi_record_7k, time, F_TIME, 0),
	ROW("tunnel", sapi_record_7k, tunnel, F_TUNNEL, 0),
	ROW("job", sapi_record_7k, job, F_ID, F_EMPTY),
	ROW("device", sapi_record_7k, device, F_NAME, F_EMPTY),
	ROW("cloud", sapi_record_7k, cloud, F_NAME, F_EMPTY),
	ROW("opened", sapi_record_7k, opened, F_TIME, F_EMPTY),
	ROW("closed", sapi_record_7k, closed, F_TIME, F_EMPTY),
	ROW("reason", sapi_record_7k, reason, F_TEXT, 0),
	ROW("rx", sapi_record_7k, rx, F_OBJECT, 0, .sub = &counters_schema),
	ROW("tx", sapi_record_7k, tx, F_OBJECT, 0, .sub = &counters_schema),
	END,
};
SCHEMA(record_7k, SAPI_MAX, NULL);

static const struct field record_7j_fields[] = {
	RECORD("7J"),
	ROW("time", sapi_record_7j, time, F_TIME, 0),
	FLAT(sapi_record_7j, log, sapi_conn_log_schema),
	END,
};
SCHEMA(record_7j, SAPI_MAX, NULL);

static const struct field record_decision_fields[] = {
	RECORD("decision"),
	ROW("time", sapi_record_decision, time, F_TIME, 0),
	ROW("tunnel", sapi_record_decision, tunnel, F_TUNNEL, F_EMPTY),
	ROW("job", sapi_record_decision, job, F_ID, F_EMPTY),
	WORD("action", sapi_record_decision, action, gateway_action_names),
	ROW("reason", sapi_record_decision, reason, F_TEXT, 0),
	ROW("text", sapi_record_decision, text, F_TEXT, 0),
	END,
};
SCHEMA(record_decision, SAPI_MAX, NULL);

/* ---- how a document is to be printed ---- */

bool sapi_print_is_set(const struct sapi_print *p)
{
	return p->copies || p->media[0] || p->sides != SIDES_UNSET || p->color != COLOR_UNSET;
}

bool sapi_print_equal(const struct sapi_print *a, const struct sapi_print *b)
{
	return a->copies == b->copies && !strcmp(a->media, b->media) && a->sides == b->sides &&
	       a->color == b->color;
}

static const struct field print_fields[] = {
	ROW("copies", sapi_print, copies, F_INT, F_OPT | F_OMIT, .min = 1, .max = SAPI_COPIES_MAX),
	ROW("media", sapi_print, media, F_STR, F_OPT | F_EMPTY | F_OMIT),
	ROW("sides", sapi_print, sides, F_ENUM, F_OPT | F_OMIT, .names = print_sides_names),
	ROW("color", sapi_print, color, F_ENUM, F_OPT | F_OMIT, .names = print_color_names),
	END,
};
SCHEMA(print, SAPI_MAX, NULL);

static int print_only(enum job_kind kind, const struct sapi_print *p, struct err *e)
{
	if (kind == JOB_PRINT || !sapi_print_is_set(p))
		return 0;
	return err_set(e, -SHUNT_EFIELD, "copies, media, sides, color: only print jobs have them");
}

/* ---- what a device is ---- */

static const struct field probe_ask_fields[] = {
	ROW("gateway", sapi_probe_ask, gateway, F_NAME, F_OPT | F_EMPTY | F_OMIT),
	ROW("address", sapi_probe_ask, address, F_ADDR, F_OPT | F_EMPTY | F_OMIT),
	ROW("timeout", sapi_probe_ask, timeout, F_INT, F_OPT, .min = 1, .max = SAPI_PROBE_MAX_S,
	    .def = SAPI_PROBE_S),
	ROW("services", sapi_probe_ask, services, F_ARRAY, F_OPT,
	    .count = offsetof(struct sapi_probe_ask, n_services), .max = SAPI_SERVICES_MAX,
	    .sub = &service_schema),
	END,
};
SCHEMA(probe_ask, SAPI_MAX, NULL);

#define WORDS(json, st, m, ...)                                                                    \
	{                                                                                          \
		.name = (json), .type = F_WORDS, .flags = F_OPT | F_OMIT,                          \
		.offset = offsetof(struct st, m.v), .size = SAPI_WORD_LEN,                         \
		.count = offsetof(struct st, m.n), .max = SAPI_WORDS_MAX, __VA_ARGS__              \
	}
#define OF(service)                                                                                \
	.cond = offsetof(struct sapi_probe_service, at.kind),                                      \
	.cond_size = SIZEOF(sapi_probe_service, at.kind), .cond_mask = 1u << (service)

static const struct field probe_service_fields[] = {
	FLAT(sapi_probe_service, at, service_schema),
	ROW("found", sapi_probe_service, found, F_BOOL, 0),
	ROW("reason", sapi_probe_service, reason, F_TEXT, F_OPT),
	ROW("text", sapi_probe_service, text, F_TEXT, F_OPT),
	ROW("version", sapi_probe_service, version, F_TEXT, F_OPT | F_OMIT, OF(SERVICE_AGENT)),
	ROW("jobs", sapi_probe_service, jobs, F_BITS, F_OPT | F_OMIT, .names = job_kind_names,
	    OF(SERVICE_AGENT)),
	ROW("connectable", sapi_probe_service, connectable, F_BOOL, F_OPT, OF(SERVICE_AGENT)),
	ROW("model", sapi_probe_service, model, F_TEXT, F_OPT | F_OMIT, OF(SERVICE_IPP)),
	WORDS("formats", sapi_probe_service, formats, OF(SERVICE_IPP)),
	WORDS("media", sapi_probe_service, media, OF(SERVICE_IPP)),
	WORDS("sides", sapi_probe_service, sides, OF(SERVICE_IPP)),
	WORDS("colors", sapi_probe_service, colors, OF(SERVICE_IPP)),
	ROW("dav", sapi_probe_service, dav, F_TEXT, F_OPT | F_OMIT, OF(SERVICE_WEBDAV)),
	BYTES_KNOWN("room", sapi_probe_service, room, OF(SERVICE_WEBDAV)),
	END,
};
PART(probe_service, sapi_probe_service, NULL);

static const struct field probe_fields[] = {
	ROW("id", sapi_probe, id, F_ID, 0),
	ROW("device", sapi_probe, device, F_NAME, 0),
	ROW("gateway", sapi_probe, gateway, F_NAME, 0),
	ROW("address", sapi_probe, address, F_ADDR, 0),
	ITEMS("services", sapi_probe, services, n_services, F_LIST, 0, SAPI_SCOPE_MAX,
	      probe_service_schema),
	END,
};
SCHEMA(probe, SAPI_LIST_MAX, NULL);

/* ---- device ---- */

static const struct field token_fields[] = {
	ROW("job", sapi_token, job, F_ID, 0),
	ROW("token", sapi_token, token, F_ID, F_SECRET),
	END,
};
PART(token, sapi_token, NULL);

static const struct field hello_fields[] = {
	ROW("name", sapi_hello, name, F_NAME, 0),
	ROW("version", sapi_hello, version, F_TEXT, F_OPT),
	ROW("services", sapi_hello, services, F_BITS, 0, .names = job_kind_names),
	ROW("connectable", sapi_hello, connectable, F_BOOL, F_OPT, .def = true),
	ITEMS("tokens", sapi_hello, tokens, n_tokens, F_LIST, 0, SAPI_TOKENS_MAX, token_schema),
	END,
};
SCHEMA(hello, SAPI_MAX, NULL);

static int device_job_check(const void *x, struct err *e)
{
	const struct sapi_device_job *job = x;

	return print_only(job->kind, &job->print, e);
}

static const struct field device_job_fields[] = {
	WORD("kind", sapi_device_job, kind, job_kind_names),
	ROW("name", sapi_device_job, name, F_STR, 0, .min = 1),
	ROW("media_type", sapi_device_job, media_type, F_MEDIA, 0),
	ROW("size", sapi_device_job, size, F_INT, 0, .max = CONTENT_SIZE_MAX,
	    FOR_KIND(sapi_device_job, INWARD)),
	BYTES_KNOWN("size", sapi_device_job, size, FOR_KIND(sapi_device_job, OUTWARD)),
	ROW("sha256", sapi_device_job, sha256, F_SHA256, 0, FOR_KIND(sapi_device_job, INWARD)),
	ROW("sha256", sapi_device_job, sha256, F_SHA256, F_OPT | F_EMPTY | F_OMIT,
	    FOR_KIND(sapi_device_job, OUTWARD)),
	ROW("pull", sapi_device_job, pull, F_BOOL, F_OPT | F_OMIT),
	ROW("path", sapi_device_job, path, F_STR, 0, .min = 1, FOR_KIND(sapi_device_job, OUTWARD)),
	ROW("no_clobber", sapi_device_job, no_clobber, F_BOOL, F_OPT | F_OMIT,
	    FOR_KIND(sapi_device_job, 1u << JOB_STORE)),
	FLAT(sapi_device_job, print, sapi_print_schema),
	END,
};
SCHEMA(device_job, SAPI_MAX, device_job_check);

static const struct enum_name device_state_names[] = {
	{ JOB_RECEIVING, "receiving" },
	{ JOB_RUNNING, "running" },
	{ JOB_SUSPENDED, "suspended" },
	{ JOB_EXECUTING, "executing" },
	{ JOB_COMPLETED, "completed" },
	{ JOB_FAILED, "failed" },
	{ JOB_INTERRUPTED, "interrupted" },
	{ JOB_CANCELED, "canceled" },
	{ 0, NULL },
};

static int device_job_status_check(const void *x, struct err *e)
{
	const struct sapi_device_job_status *s = x;

	if (s->received.n && s->received.v[s->received.n - 1].to > s->job.size)
		return err_set(e, -SHUNT_EFIELD, "received: reaches beyond size");
	return 0;
}

static const struct field device_job_status_fields[] = {
	FLAT(sapi_device_job_status, job, sapi_device_job_schema),
	ROW("id", sapi_device_job_status, id, F_ID, 0),
	WORD("state", sapi_device_job_status, state, device_state_names),
	ROW("reason", sapi_device_job_status, reason, F_TEXT, F_OPT),
	ROW("received", sapi_device_job_status, received, F_RANGES, 0),
	END,
};
SCHEMA(device_job_status, SAPI_LIST_MAX, device_job_status_check);

static const struct field content_reply_fields[] = {
	BYTES("duplicate", sapi_content_reply, duplicate),
	END,
};
SCHEMA(content_reply, SAPI_MAX, NULL);

static const struct field state_event_fields[] = {
	ROW("time", sapi_state_event, time, F_TIME, 0),
	WORD("state", sapi_state_event, state, device_state_names),
	ROW("reason", sapi_state_event, reason, F_TEXT, F_OPT),
	ROW("want_from", sapi_state_event, want_from, F_INT, F_OPT | F_OMIT,
	    .max = CONTENT_SIZE_MAX),
	ROW("want_to", sapi_state_event, want_to, F_INT, F_OPT | F_OMIT, .max = CONTENT_SIZE_MAX),
	END,
};
SCHEMA(state_event, SAPI_MAX, NULL);

static const struct field connect_fields[] = {
	ROW("job", sapi_connect, job, F_ID, 0),
	ROW("cloud", sapi_connect, cloud, F_NAME, 0),
	ROW("address", sapi_connect, address, F_ENDPOINT, 0),
	ROW("token", sapi_connect, token, F_ID, F_SECRET),
	ROW("log", sapi_connect, log, F_ENDPOINT, F_EMPTY),
	END,
};
SCHEMA(connect, SAPI_MAX, NULL);

static const struct field connect_reply_fields[] = {
	ROW("connected", sapi_connect_reply, connected, F_BOOL, 0),
	ROW("reused", sapi_connect_reply, reused, F_BOOL, 0),
	END,
};
SCHEMA(connect_reply, SAPI_MAX, NULL);

/* ---- cloud ---- */

static int job_submit_check(const void *x, struct err *e)
{
	const struct sapi_job_submit *s = x;

	if (s->kind == JOB_FETCH && s->size != CONTENT_SIZE_UNKNOWN)
		return err_set(e, -SHUNT_EFIELD,
			       "size: only the device knows what a fetch job's is");
	return print_only(s->kind, &s->print, e);
}

static const struct field job_submit_fields[] = {
	WORD("kind", sapi_job_submit, kind, job_kind_names),
	ROW("device", sapi_job_submit, device, F_NAME, 0),
	ROW("name", sapi_job_submit, name, F_STR, 0, .min = 1, FOR_KIND(sapi_job_submit, INWARD)),
	ROW("name", sapi_job_submit, name, F_STR, F_OPT | F_EMPTY | F_OMIT,
	    FOR_KIND(sapi_job_submit, OUTWARD)),
	ROW("media_type", sapi_job_submit, media_type, F_MEDIA, 0,
	    FOR_KIND(sapi_job_submit, INWARD)),
	ROW("media_type", sapi_job_submit, media_type, F_MEDIA, F_OPT | F_EMPTY | F_OMIT,
	    FOR_KIND(sapi_job_submit, OUTWARD)),
	ROW("size", sapi_job_submit, size, F_INT, 0, .max = CONTENT_SIZE_MAX,
	    FOR_KIND(sapi_job_submit, INWARD)),
	BYTES_KNOWN("size", sapi_job_submit, size, FOR_KIND(sapi_job_submit, OUTWARD)),
	ROW("priority", sapi_job_submit, priority, F_INT, F_OPT | F_OMIT, .max = SAPI_PRIORITY_MAX,
	    .def = SAPI_PRIORITY_UNSET),
	ROW("path", sapi_job_submit, path, F_STR, F_OPT | F_EMPTY | F_OMIT,
	    FOR_KIND(sapi_job_submit, INWARD)),
	ROW("path", sapi_job_submit, path, F_STR, 0, .min = 1, FOR_KIND(sapi_job_submit, OUTWARD)),
	ROW("no_clobber", sapi_job_submit, no_clobber, F_BOOL, F_OPT | F_OMIT,
	    FOR_KIND(sapi_job_submit, 1u << JOB_STORE)),
	FLAT(sapi_job_submit, print, sapi_print_schema),
	END,
};
SCHEMA(job_submit, SAPI_MAX, job_submit_check);

static const struct field job_path_fields[] = {
	WORD("kind", sapi_job_path, kind, path_kind_names),
	WORD("state", sapi_job_path, state, path_state_names),
	ROW("gateway", sapi_job_path, gateway, F_NAME, F_EMPTY),
	ROW("tunnel", sapi_job_path, tunnel, F_TUNNEL, F_EMPTY),
	BYTES("bytes", sapi_job_path, bytes),
	ROW("opened", sapi_job_path, opened, F_TIME, F_EMPTY),
	ROW("closed", sapi_job_path, closed, F_TIME, F_EMPTY),
	ROW("reason", sapi_job_path, reason, F_TEXT, F_OPT),
	BYTES("rx_cpu_ns", sapi_job_path, rx_cpu_ns),
	BYTES("tx_cpu_ns", sapi_job_path, tx_cpu_ns),
	BYTES("packets", sapi_job_path, packets),
	END,
};
PART(job_path, sapi_job_path, NULL);

static const struct enum_name entry_type_names[] = {
	{ false, "file" },
	{ true, "directory" },
	{ 0, NULL },
};

static const struct field entry_fields[] = {
	ROW("name", sapi_entry, name, F_STR, 0, .min = 1),
	ROW("type", sapi_entry, directory, F_ENUM, 0, .names = entry_type_names),
	BYTES_KNOWN("size", sapi_entry, size),
	ROW("modified", sapi_entry, modified, F_TIME, F_OPT | F_EMPTY | F_OMIT),
	ROW("etag", sapi_entry, version, F_STR, F_OPT | F_EMPTY | F_OMIT),
	END,
};
SCHEMA(entry, SAPI_MAX, NULL);

static const struct field job_event_fields[] = {
	ROW("time", sapi_job_event, time, F_TIME, 0),
	ROW("event", sapi_job_event, event, F_TEXT, 0),
	ROW("text", sapi_job_event, text, F_TEXT, F_OPT),
	ROW("path", sapi_job_event, path, F_ENUM, F_OPT, .names = path_kind_names),
	ROW("reason", sapi_job_event, reason, F_TEXT, F_OPT),
	ROW("action", sapi_job_event, action, F_TEXT, F_OPT | F_OMIT),
	END,
};
SCHEMA(job_event, SAPI_MAX, NULL);

static const struct field job_brief_fields[] = {
	ROW("id", sapi_job, id, F_ID, 0),
	WORD("kind", sapi_job, kind, job_kind_names),
	ROW("device", sapi_job, device, F_NAME, 0),
	ROW("name", sapi_job, name, F_STR, 0, .min = 1),
	ROW("media_type", sapi_job, media_type, F_MEDIA, 0),
	BYTES_KNOWN("size", sapi_job, size),
	ROW("sha256", sapi_job, sha256, F_SHA256, F_OPT | F_EMPTY | F_OMIT),
	INT("priority", sapi_job, priority, 0, SAPI_PRIORITY_MAX),
	ROW("owner", sapi_job, owner, F_NAME, 0),
	ROW("no_clobber", sapi_job, no_clobber, F_BOOL, F_OPT | F_OMIT,
	    FOR_KIND(sapi_job, 1u << JOB_STORE)),
	FLAT(sapi_job, print, sapi_print_schema),
	WORD("state", sapi_job, state, job_state_names),
	ROW("reason", sapi_job, reason, F_TEXT, F_OPT),
	BYTES("uploaded", sapi_job, uploaded),
	BYTES("delivered", sapi_job, delivered),
	BYTES("resent", sapi_job, resent),
	ROW("moved", sapi_job, moved, F_BOOL, 0),
	ROW("created", sapi_job, created, F_TIME, 0),
	ROW("finished", sapi_job, finished, F_TIME, F_EMPTY),
	ITEMS("paths", sapi_job, paths, n_paths, F_LIST, 0, SAPI_JOB_PATHS_MAX, job_path_schema),
	END,
};
PART(job_brief, sapi_job, NULL);

static const struct field job_fields[] = {
	/* The whole struct again, at offset 0: a job in a list is the same without a timeline. */
	{ .name = "", .type = F_FLAT, .size = sizeof(struct sapi_job), .sub = &job_brief_schema },
	ROW("timeline", sapi_job, timeline, F_LIST, F_OPT,
	    .count = offsetof(struct sapi_job, n_timeline), .max = SAPI_TIMELINE_MAX,
	    .sub = &sapi_job_event_schema),
	END,
};
SCHEMA(job, SAPI_LIST_MAX, NULL);

static const struct field job_list_fields[] = {
	ITEMS("jobs", sapi_job_list, jobs, n, F_LIST, 0, SAPI_ITEMS_MAX, job_brief_schema),
	END,
};
SCHEMA(job_list, SAPI_LIST_MAX, NULL);
