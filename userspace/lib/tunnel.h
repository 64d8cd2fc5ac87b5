/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tunnel: the kernel's tunnels, load and thresholds (generic netlink family "shunt", see
 * Documentation/netlink/specs/shunt.yaml), as plain structs.
 *
 * A tunnel is named by its device and its inbound SPI. Structs hold no pointers except to the two
 * keys, which are only read during tunnel_new() and never come back from the kernel. All calls are
 * synchronous and quick. Errors are the kernel's -errno with its text and the attribute's name in
 * @e, e.g. -EEXIST "spi-in: in use on this device"; the module missing is -ENOENT.
 */
#ifndef SHUNT_LIB_TUNNEL_H
#define SHUNT_LIB_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "lib/types.h"

struct err;
struct tunnel_ctx;
struct tunnel_events;

/* ---- what a tunnel is ---- */

/* Which end this host is: near = the LAN's gateway, far = the cloud. */
enum tunnel_side { TUNNEL_NEAR, TUNNEL_FAR };
extern const struct enum_name tunnel_side_names[]; /* near far */

/* A protocol and, for tcp and udp, the device's port. */
struct tunnel_scope {
	enum ip_proto proto;
	uint16_t port; /* 1..65535; 0 with icmp, which in an IPv6 tunnel is ICMPv6 */
};

#define TUNNEL_SCOPE_MAX 16 /* entries */
#define TUNNEL_COOKIE_LEN 64 /* with NUL */
#define TUNNEL_KEY_MAX 36 /* octets, cipher key and salt; exact length: cipher_key_len() */
#define TUNNEL_SPI_MIN 256u /* lower ones are reserved (RFC 4303 2.1) */

/* Settings. Zero-initialised is the default of every member where the kernel has one. */
struct tunnel_spec {
	uint32_t ifindex; /* the shunt device */
	uint32_t spi_in; /* inbound SPI; 0 in tunnel_new(): the kernel picks a free one */
	uint32_t spi_out;
	enum tunnel_side side;
	enum cipher cipher;
	/*
	 * Outer address of the other end; none: learned (far side only). Follows authenticated
	 * packets.
	 */
	struct shunt_endpoint endpoint;
	struct shunt_addr near, far; /* inner addresses on the wire, same family */
	struct shunt_addr host, alias; /* translation on the LAN; both or none */
	struct tunnel_scope scope[TUNNEL_SCOPE_MAX]; /* none: any tcp, udp, icmp to the device */
	size_t scope_n;
	uint8_t priority; /* 0..7, higher = more important */
	char cookie[TUNNEL_COOKIE_LEN]; /* the control plane's job id; "": none */
	uint32_t keepalive_ms; /* 0: off, or 1000..3600000 */
	uint32_t idle_s; /* deleted after so long without an inner packet; 0: off */
	uint32_t dead_s; /* deleted after so long without an authenticated packet; 0: off */
	uint32_t seq_limit; /* last sequence number used; 0: the default, all of them */
	/*
	 * Number of the tunnel among all since boot, never reused. Set by the kernel in
	 * tunnel_new(); nonzero in tunnel_set() the tunnel must have it.
	 */
	uint64_t generation;
};

/* Drops by reason, in the order of the attributes of <linux/shunt.h>. */
enum tunnel_drop {
	TUNNEL_DROP_AUTH,
	TUNNEL_DROP_REPLAY,
	TUNNEL_DROP_SCOPE,
	TUNNEL_DROP_MALFORMED,
	TUNNEL_DROP_TOOBIG,
	TUNNEL_DROP_NOROUTE,
	TUNNEL_DROP_NOMEM,
	TUNNEL_DROP_STALE,
	TUNNEL_DROP_COUNT
};
extern const struct enum_name tunnel_drop_names[];

struct tunnel_counters {
	uint64_t packets;
	uint64_t bytes; /* of inner packets */
	uint64_t cpu_ns;
	uint64_t fragmented; /* of packets, sent only: the capsule did not fit the path */
	uint64_t drops[TUNNEL_DROP_COUNT];
};

#define TUNNEL_NEVER UINT64_MAX

/* Why a tunnel ended. */
enum tunnel_end {
	TUNNEL_END_USER, /* tunnel_del() */
	TUNNEL_END_IDLE, /* idle timeout */
	TUNNEL_END_EXHAUSTED, /* out of sequence numbers */
	TUNNEL_END_NETDEV, /* its device or namespace went away */
	TUNNEL_END_DEAD, /* the other end was silent for the dead timeout */
	TUNNEL_END_UNKNOWN /* a reason newer than this library */
};
extern const struct enum_name tunnel_end_names[];

struct tunnel_info {
	struct tunnel_spec spec; /* spec.endpoint: configured or learned */
	uint64_t age_ms;
	uint32_t seq_out; /* last sequence number used; at its end the tunnel ends */
	struct tunnel_counters rx, tx; /* rx = received from the other end */
	uint64_t last_rx_ms, last_tx_ms; /* ago, dummies included; TUNNEL_NEVER */
	enum tunnel_end end; /* in TUNNEL_EVENT_DEL only */
};

/* ---- requests ---- */

/* Opens in the current network namespace. -ENOENT: the module is not loaded. */
int tunnel_open(struct tunnel_ctx **out, struct err *e);
void tunnel_close(struct tunnel_ctx *ctx); /* NULL is allowed */

/*
 * Create a tunnel. @key_in and @key_out are cipher_key_len(@spec->cipher) octets each, salt last;
 * the caller wipes them, and never gives a key to a second tunnel. On success @spec->spi_in and
 * .generation are what the kernel says.
 */
int tunnel_new(struct tunnel_ctx *ctx, struct tunnel_spec *spec, const uint8_t *key_in,
	       const uint8_t *key_out, struct err *e);

/* Which members of a spec tunnel_set() changes. */
enum tunnel_change {
	TUNNEL_SET_ENDPOINT = 1 << 0,
	TUNNEL_SET_SCOPE = 1 << 1,
	TUNNEL_SET_PRIORITY = 1 << 2,
	TUNNEL_SET_COOKIE = 1 << 3,
	TUNNEL_SET_KEEPALIVE = 1 << 4,
	TUNNEL_SET_IDLE = 1 << 5,
	TUNNEL_SET_DEAD = 1 << 6,
};
/* Change the tunnel @spec->ifindex, @spec->spi_in; all of @changes or, on error, nothing. */
int tunnel_set(struct tunnel_ctx *ctx, const struct tunnel_spec *spec, unsigned int changes,
	       struct err *e);

/* -ENOENT when there is none. @last (may be NULL) gets the final counters. */
int tunnel_del(struct tunnel_ctx *ctx, uint32_t ifindex, uint32_t spi_in, struct tunnel_info *last,
	       struct err *e);
/*
 * All tunnels of the device with this cookie ("": any) and this endpoint (NULL: any; port 0: any port
 * of the address); -ENOENT when there is none. @count may be NULL.
 */
int tunnel_del_all(struct tunnel_ctx *ctx, uint32_t ifindex, const char *cookie,
		   const struct shunt_endpoint *endpoint, uint32_t *count, struct err *e);
int tunnel_get(struct tunnel_ctx *ctx, uint32_t ifindex, uint32_t spi_in, struct tunnel_info *out,
	       struct err *e);
/*
 * All tunnels of a device, or of all devices (@ifindex 0). A tunnel that lives throughout appears
 * exactly once. A negative value of @on_tunnel ends the dump and is returned. @ctx must not be used
 * inside.
 */
int tunnel_dump(struct tunnel_ctx *ctx, uint32_t ifindex,
		int (*on_tunnel)(void *arg, const struct tunnel_info *info), void *arg,
		struct err *e);

/* ---- load and thresholds of a device ---- */

/* A high mark of 0 is off; a low mark is below its high mark. */
struct tunnel_thresholds {
	uint32_t tunnels_high, tunnels_low; /* number of tunnels */
	uint32_t load_high, load_low; /* cpu_permille */
};

struct tunnel_load {
	uint32_t ifindex;
	uint32_t tunnels;
	/* Of one CPU, so more than 1000 is possible; moving average over about five seconds. */
	uint32_t cpu_permille;
	uint32_t pps; /* inner packets per second, both directions, averaged likewise */
	struct tunnel_thresholds thresholds;
	bool tunnels_above, load_above; /* high mark reached, low mark not yet */
	struct tunnel_counters rx, tx; /* of all tunnels, past ones too, and packets of none */
};

int tunnel_load_get(struct tunnel_ctx *ctx, uint32_t ifindex, struct tunnel_load *out,
		    struct err *e);
/* All devices; as tunnel_dump(). */
int tunnel_load_dump(struct tunnel_ctx *ctx,
		     int (*on_load)(void *arg, const struct tunnel_load *load), void *arg,
		     struct err *e);

#define TUNNEL_KEEP UINT32_MAX /* this mark stays as it is */

/*
 * Announce (TUNNEL_EVENT_LOAD) when a value reaches its high mark, at once when it is there
 * already, and then when it falls to its low mark. A new high mark puts a kept low mark that is not
 * below it just below.
 */
int tunnel_threshold_set(struct tunnel_ctx *ctx, uint32_t ifindex,
			 const struct tunnel_thresholds *t, struct err *e);

/* ---- events ---- */

enum tunnel_event_type {
	TUNNEL_EVENT_NEW,
	TUNNEL_EVENT_DEL, /* tunnel holds the final counters and .end */
	TUNNEL_EVENT_ENDPOINT, /* learned or moved: tunnel.spec.endpoint */
	TUNNEL_EVENT_EXHAUST, /* three quarters of the sequence numbers are used: replace it */
	TUNNEL_EVENT_LOAD,
};

enum tunnel_crossing {
	TUNNEL_CROSS_TUNNELS_HIGH,
	TUNNEL_CROSS_TUNNELS_LOW,
	TUNNEL_CROSS_LOAD_HIGH,
	TUNNEL_CROSS_LOAD_LOW,
	TUNNEL_CROSS_UNKNOWN
};
extern const struct enum_name tunnel_crossing_names[];

struct tunnel_event {
	enum tunnel_event_type type;
	union {
		struct tunnel_info tunnel;
		struct {
			enum tunnel_crossing crossing;
			struct tunnel_load now;
		} load;
	};
};

#define TUNNEL_WATCH_TUNNELS 1u
#define TUNNEL_WATCH_LOAD 2u

/*
 * Subscribe to the namespace's events. Open before looking at the present state, so that nothing
 * falls between.
 */
int tunnel_events_open(unsigned int watch, struct tunnel_events **out, struct err *e);
void tunnel_events_close(struct tunnel_events *ev); /* NULL is allowed; not inside on_event */
/* Becomes readable when tunnel_events_read() has something to do. */
int tunnel_events_fd(const struct tunnel_events *ev);
/*
 * Deliver what waits, without blocking. -ENOBUFS: the kernel dropped events because we were slow;
 * dump, then go on. A negative value of @on_event ends the reading and is returned.
 */
int tunnel_events_read(struct tunnel_events *ev,
		       int (*on_event)(void *arg, const struct tunnel_event *event), void *arg,
		       struct err *e);

/* ---- messages without a kernel: for tests and the fuzz target ---- */

/* Decode one message of the family; -EBADMSG when malformed, -EOPNOTSUPP when it is no event. */
int tunnel_event_decode(uint8_t cmd, const void *attrs, size_t len, struct tunnel_event *out,
			struct err *e);
int tunnel_info_decode(const void *attrs, size_t len, struct tunnel_info *out, struct err *e);
int tunnel_load_decode(const void *attrs, size_t len, struct tunnel_load *out, struct err *e);
/* Append the attributes of tunnel-new; -EINVAL when @spec cannot be one. @m is a struct gnl_msg. */
struct gnl_msg;
int tunnel_new_encode(struct gnl_msg *m, const struct tunnel_spec *spec, const uint8_t *key_in,
		      const uint8_t *key_out, struct err *e);
/* The family's tables, for gnl_msg_init(). */
struct gnl_family;
extern const struct gnl_family tunnel_family;

#endif
