/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sapi: the JSON bodies the programs exchange (Documentation/api.md), as C structs.
 *
 * For each body X there are
 *	int sapi_X_decode(const void *json, size_t len, struct sapi_X *out, struct err *e);
 *	int sapi_X_encode(const struct sapi_X *in, struct buf *out);
 *	void sapi_X_fini(struct sapi_X *x);
 * decode fills @out completely (no need to clear it) or fails with @out holding nothing:
 * -SHUNT_EPARSE not JSON, too deep or longer than SAPI_MAX; -SHUNT_EFIELD a member is missing,
 * ill-typed or out of range, and @e names its path ("services[0].port: ..."); -ENOMEM. Members that
 * are not known are ignored. encode appends one line of JSON without a newline; it fails with the
 * buffer's error, or -EINVAL when a value could not be decoded again. fini frees the arrays a
 * struct owns and is safe on a zeroed one; structs without arrays need none.
 *
 * In structs: times are ms since 1970 (0 = "" = not yet), sizes bytes below 2^53, an unset address
 * is "", an unset string is "", a size that nobody knows yet is CONTENT_SIZE_UNKNOWN (absent in
 * JSON). Texts meant for people (reason, text, detail, title) are never a
 * reason to refuse a body: they are cut to their field and control characters become blanks.
 * jansson is known to sapi.c only.
 */
#ifndef SHUNT_LIB_SAPI_H
#define SHUNT_LIB_SAPI_H

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/ranges.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SAPI_MAX ((size_t)64 << 10) /* bytes of a body */
#define SAPI_LIST_MAX ((size_t)16 << 20) /* of the answers marked "list" below */
#define SAPI_ITEMS_MAX 16384 /* devices, gateways, tunnels or jobs in a list */
#define SAPI_DEPTH_MAX 8

#define SAPI_FILE_NAME_LEN 256 /* "name" of content: UTF-8, no control characters */
#define SAPI_PATH_LEN 1024
#define SAPI_SERVICE_PATH_LEN 256
#define SAPI_RECIPIENT_LEN 63 /* AGE_RECIPIENT_STR_LEN */
#define SAPI_SPEC_LEN 1024
#define SAPI_REASON_LEN 64
#define SAPI_TEXT_LEN 512
#define SAPI_VERSION_LEN 32
#define SAPI_TIME_NONE 0

#define SAPI_PRIORITY_MAX 7
#define SAPI_PRIORITY_DEFAULT 4
#define SAPI_PRIORITY_UNSET (-1) /* in sapi_job_submit: take the device's */

struct sapi_schema;
int sapi_decode(const struct sapi_schema *s, const void *json, size_t len, void *out,
		struct err *e);
int sapi_encode(const struct sapi_schema *s, const void *in, struct buf *out);
void sapi_fini(const struct sapi_schema *s, void *x);

#define SAPI_BODY(x)                                                                               \
	extern const struct sapi_schema sapi_##x##_schema;                                         \
	static inline int sapi_##x##_decode(const void *json, size_t len, struct sapi_##x *out,    \
					    struct err *e)                                         \
	{                                                                                          \
		return sapi_decode(&sapi_##x##_schema, json, len, out, e);                         \
	}                                                                                          \
	static inline int sapi_##x##_encode(const struct sapi_##x *in, struct buf *out)            \
	{                                                                                          \
		return sapi_encode(&sapi_##x##_schema, in, out);                                   \
	}                                                                                          \
	static inline void sapi_##x##_fini(struct sapi_##x *x)                                     \
	{                                                                                          \
		sapi_fini(&sapi_##x##_schema, x);                                                  \
	}

/* ---- errors: application/problem+json (RFC 9457) ---- */

struct sapi_problem {
	uint32_t status; /* 400..599 */
	char title[SAPI_REASON_LEN]; /* may be "" */
	char code[SAPI_REASON_LEN]; /* stable kebab-case word; "" when the peer gave none */
	char detail[SAPI_TEXT_LEN];
};
SAPI_BODY(problem)

/* ---- manager ---- */

#define SAPI_SERVICES_MAX 8
struct sapi_service {
	enum service_kind kind;
	uint16_t port; /* 1..65535 */
	bool tls; /* optional, default false */
	char path[SAPI_SERVICE_PATH_LEN]; /* begins with "/"; optional, default "/" */
};

/* Data 7A. */
struct sapi_device {
	char code[NAME_LEN];
	bool connectable;
	char gateway[NAME_LEN];
	struct shunt_addr address;
	uint8_t priority; /* of its jobs, 0..7; default 4 */
	struct sapi_service services[SAPI_SERVICES_MAX];
	size_t n_services; /* at least 1 */
	char spec[SAPI_SPEC_LEN];
	/* "age1..." (age.h) that the cloud encrypts to what it stores on a file server; "": stored as it is */
	char recipient[SAPI_RECIPIENT_LEN];
	char pin[PIN_LEN]; /* of its own servers' key, which speak TLS; "": they have a certificate of the CA */
};
SAPI_BODY(device)

struct sapi_device_list { /* list */
	struct sapi_device *devices; /* owned */
	size_t n;
};
SAPI_BODY(device_list)

/* The service of @kind, NULL if it has none. */
const struct sapi_service *sapi_device_service(const struct sapi_device *d, enum service_kind kind);
/* Has it a server of its own that speaks TLS (ipp, webdav)? Without one there is nothing that a pin is of. */
bool sapi_device_own_tls(const struct sapi_device *d);

struct sapi_gateway {
	char name[NAME_LEN];
	bool connected;
	struct shunt_endpoint address; /* unset when never seen */
	int64_t since;
};
SAPI_BODY(gateway)

struct sapi_gateway_list { /* list */
	struct sapi_gateway *gateways; /* owned */
	size_t n;
};
SAPI_BODY(gateway_list)

/* Data 7D. */
struct sapi_dial {
	char cloud[NAME_LEN];
	struct shunt_endpoint address;
};
SAPI_BODY(dial)

struct sapi_dial_reply {
	char cloud[NAME_LEN];
	bool connected;
};
SAPI_BODY(dial_reply)

/* ---- gateway ---- */

#define SAPI_SCOPE_MAX 16
struct sapi_scope {
	enum ip_proto proto;
	uint16_t port; /* the device's; 0 (and absent in JSON) for icmp */
};

/* How the gateway asks the device to connect for the job (7G). */
struct sapi_tunnel_connect {
	struct shunt_endpoint address; /* the cloud's, to be dialled */
	uint16_t agent_port;
	char token[ID_LEN]; /* secret: wipe the struct after use */
};

struct sapi_tunnel_open {
	char job[ID_LEN];
	char device[NAME_LEN];
	enum job_kind kind;
	struct shunt_addr host; /* the device on its LAN */
	struct sapi_scope scope[SAPI_SCOPE_MAX];
	size_t n_scope; /* at least 1 */
	enum cipher cipher;
	uint32_t spi; /* the cloud's inbound SPI, >= 256 */
	char nonce[ID_LEN];
	struct shunt_addr near, far; /* of one family */
	struct shunt_endpoint endpoint; /* the cloud's UDP endpoint */
	uint8_t priority;
	uint64_t remaining; /* content bytes still to carry; of a fetch job maybe unknown */
	bool connectable;
	struct sapi_tunnel_connect connect; /* present if and only if connectable */
};
SAPI_BODY(tunnel_open)

/*
 * What a gateway that has restarted does not know any more of the job in a tunnel that it adopted: it
 * keeps no secrets on disk, and the job went on meanwhile.
 */
struct sapi_tunnel_job {
	enum job_kind kind;
	uint64_t remaining; /* as in sapi_tunnel_open, from now on */
	bool connectable;
	struct sapi_tunnel_connect connect; /* present if and only if connectable */
};
SAPI_BODY(tunnel_job)

struct sapi_drops {
	uint64_t auth, replay, scope, malformed, toobig, noroute, nomem, stale;
};

struct sapi_counters {
	uint64_t packets, bytes, cpu_ns;
	struct sapi_drops drops;
};

struct sapi_tunnel {
	uint32_t id; /* gateway's inbound SPI; a string of 8 hex digits in JSON */
	char job[ID_LEN];
	char device[NAME_LEN];
	char cloud[NAME_LEN];
	uint32_t spi; /* the same as a number */
	struct shunt_addr host, alias, near, far;
	struct shunt_endpoint endpoint;
	uint8_t priority;
	int64_t opened;
	bool open; /* "state": "open" or "closed" */
	char reason[SAPI_REASON_LEN]; /* why closed, or "" */
	/* In the answer to a request for it: where devices deliver 7J; optional, unset = nowhere. */
	struct shunt_endpoint log;
	bool adopted; /* the gateway waits to be told of the job again (sapi_tunnel_job); optional */
	struct sapi_counters rx, tx; /* rx = from the cloud */
};
SAPI_BODY(tunnel)

struct sapi_tunnel_list { /* list */
	struct sapi_tunnel *tunnels; /* owned */
	size_t n;
};
SAPI_BODY(tunnel_list)

#define SAPI_LINE_UNKNOWN UINT64_MAX /* POLICY_LINE_UNKNOWN */

struct sapi_load {
	uint32_t tunnels, tunnels_high;
	uint32_t cpus; /* online; optional, default 1 */
	uint32_t cpu_permille; /* of the gateway's CPUs, all work */
	uint32_t datapath_permille; /* of that, spent in shunt.ko */
	uint64_t pps;
	uint64_t line_speed; /* bit/s under load; optional, default SAPI_LINE_UNKNOWN */
};
SAPI_BODY(load)

enum sapi_gateway_event_kind { SAPI_GW_DECISION, SAPI_GW_MOVE_FAILED, SAPI_GW_TUNNEL_CLOSED };
enum sapi_gateway_action {
	SAPI_GW_OPEN,
	SAPI_GW_WAIT,
	SAPI_GW_DIRECT, /* the arriving job's device was asked to connect instead */
	SAPI_GW_REFUSE,
	SAPI_GW_MOVE, /* its tunnel is to be cut */
	SAPI_GW_KEEP,
	/*
	 * The device was asked to connect, and the job uses tunnel and connection together until a
	 * move is decided (claims 2-3).
	 */
	SAPI_GW_SPLIT,
};
const char *sapi_gateway_action_str(enum sapi_gateway_action a);

struct sapi_gateway_event {
	int64_t time;
	enum sapi_gateway_event_kind event;
	uint32_t tunnel; /* 0 = "" */
	char job[ID_LEN];
	enum sapi_gateway_action action; /* decisions only */
	char reason[SAPI_REASON_LEN]; /* decisions and tunnel-closed */
	char text[SAPI_TEXT_LEN]; /* decisions and move-failed */
	/* How a move is to be done; optional, default false; meaningless for other actions. */
	bool cut_early; /* cut the tunnel when the request is out, not when the device connected */
	bool suspend; /* have the device hold the job meanwhile (7L, #811) */
};
SAPI_BODY(gateway_event)

/* Data 7J as a device reports it. */
struct sapi_conn_log {
	char device[NAME_LEN];
	char job[ID_LEN];
	char cloud[NAME_LEN];
	struct shunt_endpoint address; /* the cloud's */
	int64_t connected, closed; /* closed 0 while the connection lives on */
	uint64_t bytes_in, bytes_out;
	char result[SAPI_REASON_LEN]; /* the job's final state */
	char text[SAPI_TEXT_LEN];
};
SAPI_BODY(conn_log)

/* Lines of the gateway's record log. "record" is "7K", "7J" or "decision". */
struct sapi_record_7k {
	int64_t time;
	uint32_t tunnel;
	char job[ID_LEN]; /* "" for a tunnel nobody can name any more */
	char device[NAME_LEN];
	char cloud[NAME_LEN];
	int64_t opened, closed;
	char reason[SAPI_REASON_LEN];
	struct sapi_counters rx, tx;
};
SAPI_BODY(record_7k)

struct sapi_record_7j {
	int64_t time;
	struct sapi_conn_log log; /* its members stand beside record and time */
};
SAPI_BODY(record_7j)

struct sapi_record_decision {
	int64_t time;
	uint32_t tunnel; /* 0 = "" */
	char job[ID_LEN];
	enum sapi_gateway_action action;
	char reason[SAPI_REASON_LEN];
	char text[SAPI_TEXT_LEN];
};
SAPI_BODY(record_decision)

/* ---- how a document is to be printed ---- */

#define SAPI_COPIES_MAX 9999
#define SAPI_MEDIA_LEN 128
/* Its members stand among those of print jobs; what is unset is the printer's choice. */
struct sapi_print {
	uint32_t copies; /* 1..SAPI_COPIES_MAX; 0: unset */
	char media[SAPI_MEDIA_LEN]; /* IPP keyword or a common name; "": unset */
	enum print_sides sides;
	enum print_color color;
};
SAPI_BODY(print)
bool sapi_print_is_set(const struct sapi_print *p);
bool sapi_print_equal(const struct sapi_print *a, const struct sapi_print *b);

/* ---- what a device is, found by asking it (POST devices/{code}/probe at a cloud) ---- */

#define SAPI_PROBE_S 30 /* default of sapi_probe_ask.timeout */
#define SAPI_PROBE_MAX_S 600
struct sapi_probe_ask {
	char gateway[NAME_LEN]; /* "": the registry's */
	struct shunt_addr address; /* unset: the registry's */
	uint32_t timeout; /* s, to wait for a tunnel; optional */
	struct sapi_service services[SAPI_SERVICES_MAX]; /* to be asked before others; optional */
	size_t n_services;
};
SAPI_BODY(probe_ask)

#define SAPI_WORD_LEN 128
#define SAPI_WORDS_MAX 64 /* more are left out */
struct sapi_words {
	char v[SAPI_WORDS_MAX][SAPI_WORD_LEN]; /* none is "" */
	size_t n;
};

/* One service that was asked for. What follows `text` is of one that was found, each of its kind. */
struct sapi_probe_service {
	struct sapi_service at; /* its members stand beside the others */
	bool found;
	char reason[SAPI_REASON_LEN]; /* why not, or why it will not do: a word, */
	char text[SAPI_TEXT_LEN]; /* and a sentence */
	/* agent */
	char version[SAPI_VERSION_LEN];
	uint32_t jobs; /* 1u << enum job_kind */
	bool connectable;
	/* ipp */
	char model[SAPI_WORD_LEN];
	struct sapi_words formats, media, sides, colors;
	/* webdav */
	char dav[SAPI_WORD_LEN]; /* classes of RFC 4918 18 */
	uint64_t room; /* bytes; CONTENT_SIZE_UNKNOWN: it does not tell */
};

struct sapi_probe { /* list */
	char id[ID_LEN]; /* stands for a job's in the gateway's records */
	char device[NAME_LEN];
	char gateway[NAME_LEN];
	struct shunt_addr address;
	struct sapi_probe_service *services; /* owned; of each kind the best first */
	size_t n_services;
};
SAPI_BODY(probe)

/* ---- device ---- */

#define SAPI_TOKENS_MAX 256
struct sapi_token {
	char job[ID_LEN];
	char token[ID_LEN]; /* secret */
};

struct sapi_hello {
	char name[NAME_LEN];
	char version[SAPI_VERSION_LEN];
	uint32_t services; /* 1u << enum job_kind */
	bool connectable; /* has the connection establishment function (7A); optional, default true */
	struct sapi_token *tokens; /* owned; secret: wiped by fini */
	size_t n_tokens;
};
SAPI_BODY(hello)

#define SAPI_SCAN_PREFIX "scan:" /* before the name of a scan in the path of a fetch job */
/* A fetch job's path that ends in "/" asks for the list of a directory: a sapi_entry a line. */
static inline bool sapi_path_lists(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/';
}

/* One entry of a directory. */
#define SAPI_ENTRY_NAME_LEN 1025
#define SAPI_ENTRY_VERSION_LEN 256
struct sapi_entry {
	char name[SAPI_ENTRY_NAME_LEN]; /* one segment of a path */
	bool directory; /* "type" */
	uint64_t size; /* CONTENT_SIZE_UNKNOWN: not told; never told of a directory */
	int64_t modified; /* wall ms, 0: not told */
	char version[SAPI_ENTRY_VERSION_LEN]; /* names the content, "" */
};
SAPI_BODY(entry)

struct sapi_device_job {
	enum job_kind kind;
	char name[SAPI_FILE_NAME_LEN];
	char media_type[MEDIA_TYPE_LEN];
	/* Of a fetch job the device tells these two, once it has fixed the content. */
	uint64_t size;
	char sha256[SHA256_STR_LEN];
	bool pull; /* the device asks for the content (FIG. 18-19); optional, default false */
	char path[SAPI_PATH_LEN]; /* fetch only: what to fetch, a relative path or scan:NAME */
	struct sapi_print print; /* print only */
	bool no_clobber; /* store only */
};
SAPI_BODY(device_job)

struct sapi_device_job_status { /* list */
	struct sapi_device_job job; /* its members stand beside the others */
	char id[ID_LEN];
	enum job_state state; /* not queued, waiting; running: a fetch job's content is ready */
	char reason[SAPI_TEXT_LEN];
	struct ranges received; /* within [0, size); of a fetch job empty */
};
SAPI_BODY(device_job_status)

struct sapi_content_reply {
	uint64_t duplicate; /* bytes of the range that were held already */
};
SAPI_BODY(content_reply)

struct sapi_state_event { /* GET jobs/{id}/events at a device; completed is data 7H */
	int64_t time;
	enum job_state state;
	char reason[SAPI_TEXT_LEN];
	/* With `pull`: the device asks for bytes [want_from, want_to) (#645); both 0: it does not. */
	uint64_t want_from, want_to;
};
SAPI_BODY(state_event)

/* Data 7G. */
struct sapi_connect {
	char job[ID_LEN];
	char cloud[NAME_LEN];
	struct shunt_endpoint address;
	char token[ID_LEN]; /* secret */
	struct shunt_endpoint log; /* where 7J goes; unset = nowhere */
};
SAPI_BODY(connect)

struct sapi_connect_reply {
	bool connected, reused;
};
SAPI_BODY(connect_reply)

/* ---- cloud ---- */

struct sapi_job_submit {
	enum job_kind kind;
	char device[NAME_LEN];
	char name[SAPI_FILE_NAME_LEN]; /* fetch: optional */
	char media_type[MEDIA_TYPE_LEN]; /* fetch: optional */
	uint64_t size; /* fetch: CONTENT_SIZE_UNKNOWN */
	int priority; /* 0..7 or SAPI_PRIORITY_UNSET */
	/* store: destination, "" = by name; fetch: what to fetch, never "" */
	char path[SAPI_PATH_LEN];
	struct sapi_print print; /* print only */
	bool no_clobber; /* store only: not in place of a file that is there */
};
SAPI_BODY(job_submit)

struct sapi_job_path {
	enum path_kind kind;
	enum path_state state;
	char gateway[NAME_LEN]; /* "" for direct */
	uint32_t tunnel; /* 0 = "" */
	uint64_t bytes; /* of content, acknowledged */
	int64_t opened, closed;
	char reason[SAPI_REASON_LEN];
	uint64_t rx_cpu_ns, tx_cpu_ns, packets; /* gateway's final counters, 0 before */
};

struct sapi_job_event {
	int64_t time;
	char event[SAPI_REASON_LEN]; /* received, queued, path-opening, decision, ... */
	char text[SAPI_TEXT_LEN];
	enum path_kind path; /* PATH_NONE = "" */
	char reason[SAPI_REASON_LEN];
	char action[SAPI_REASON_LEN]; /* of a decision: the gateway's word; else "" */
};
SAPI_BODY(job_event)

#define SAPI_JOB_PATHS_MAX 1024
#define SAPI_TIMELINE_MAX 4096
struct sapi_job { /* list */
	char id[ID_LEN];
	enum job_kind kind;
	char device[NAME_LEN];
	char name[SAPI_FILE_NAME_LEN];
	char media_type[MEDIA_TYPE_LEN];
	uint64_t size;
	char sha256[SHA256_STR_LEN]; /* "" until it is known */
	uint8_t priority;
	char owner[NAME_LEN];
	enum job_state state;
	char reason[SAPI_TEXT_LEN];
	struct sapi_print print; /* print only */
	bool no_clobber;
	uint64_t uploaded; /* bytes of content that are at the cloud */
	uint64_t delivered; /* bytes that have crossed, from or to the device */
	uint64_t resent;
	bool moved;
	int64_t created, finished;
	struct sapi_job_path *paths; /* owned */
	size_t n_paths;
	struct sapi_job_event *timeline; /* owned; left out of lists */
	size_t n_timeline;
};
SAPI_BODY(job)

struct sapi_job_list { /* list */
	struct sapi_job *jobs; /* owned */
	size_t n;
};
SAPI_BODY(job_list)

/*
 * Pretty-print any JSON of at most @max bytes with 2-space indent and members in their order (CLI
 * -p). 0, -SHUNT_EPARSE, or the buffer's error.
 */
int sapi_pretty(const void *json, size_t len, size_t max, struct buf *out, struct err *e);

#endif
