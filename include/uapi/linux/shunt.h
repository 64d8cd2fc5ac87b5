/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Shunt tunnels: what the kernel module and user space share.
 *
 * A device is a link of type "shunt" (rtnetlink, IFLA_SHUNT_* below), a tunnel an object of the
 * generic netlink family "shunt". Meaning, units and ranges of every attribute and command are in
 * Documentation/netlink/specs/shunt.yaml, whose enums and constants these are, in its order.
 *
 * On the wire a tunnel is ESP in UDP, RFC 4303 in tunnel mode and RFC 3948, 32-bit sequence
 * numbers, AEAD with an 8-octet IV and a 16-octet ICV.
 *
 * Integers are in host byte order but for IFLA_SHUNT_PORT; addresses are as in struct in_addr,
 * struct in6_addr, struct sockaddr_in and struct sockaddr_in6.
 */

#ifndef _UAPI_LINUX_SHUNT_H
#define _UAPI_LINUX_SHUNT_H

#define SHUNT_FAMILY_NAME	"shunt"
#define SHUNT_FAMILY_VERSION	1

#define SHUNT_KEY_SALT_LEN	4
#define SHUNT_KEY_MAX_LEN	36
#define SHUNT_COOKIE_MAX_LEN	63
#define SHUNT_SCOPE_MAX		16
#define SHUNT_SPI_MIN		256
#define SHUNT_TUNNELS_MAX	1048576
#define SHUNT_DEFAULT_PORT	4500
#define SHUNT_DSCP_INHERIT	64 /* that of the packet inside */

/**
 * enum shunt_side - Which end of the tunnel this host is.
 * @SHUNT_SIDE_NEAR: The gateway, on whose LAN the device is.
 * @SHUNT_SIDE_FAR: The cloud.
 */
enum shunt_side {
	SHUNT_SIDE_NEAR,
	SHUNT_SIDE_FAR,
};

/**
 * enum shunt_cipher - AEAD of both directions, as ESP uses it.
 * @SHUNT_CIPHER_AES_GCM_128: RFC 4106, 16-octet key and 4-octet salt, 16-octet
 *   ICV.
 * @SHUNT_CIPHER_AES_GCM_256: RFC 4106, 32-octet key and 4-octet salt, 16-octet
 *   ICV. Default.
 * @SHUNT_CIPHER_CHACHA20_POLY1305: RFC 7634, 32-octet key and 4-octet salt,
 *   16-octet ICV.
 */
enum shunt_cipher {
	SHUNT_CIPHER_AES_GCM_128,
	SHUNT_CIPHER_AES_GCM_256,
	SHUNT_CIPHER_CHACHA20_POLY1305,
};

/**
 * enum shunt_del_reason - Why a tunnel went away.
 * @SHUNT_DEL_REASON_USER: tunnel-del.
 * @SHUNT_DEL_REASON_IDLE: Nothing but dummies for idle-timeout
 *   seconds.
 * @SHUNT_DEL_REASON_EXHAUSTED: The sequence numbers of the outbound direction
 *   are used up, or as many of them as seq-limit allows.
 * @SHUNT_DEL_REASON_NETDEV: Its device was deleted.
 * @SHUNT_DEL_REASON_DEAD: Nothing authenticated came for dead-timeout seconds.
 */
enum shunt_del_reason {
	SHUNT_DEL_REASON_USER = 1,
	SHUNT_DEL_REASON_IDLE,
	SHUNT_DEL_REASON_EXHAUSTED,
	SHUNT_DEL_REASON_NETDEV,
	SHUNT_DEL_REASON_DEAD,
};

/**
 * enum shunt_threshold - Which threshold of a device was crossed.
 * @SHUNT_THRESHOLD_TUNNELS_HIGH: The number of tunnels reached tunnels-high.
 * @SHUNT_THRESHOLD_TUNNELS_LOW: The number of tunnels fell back to
 *   tunnels-low.
 * @SHUNT_THRESHOLD_LOAD_HIGH: busy reached load-high.
 * @SHUNT_THRESHOLD_LOAD_LOW: busy fell back to load-low.
 */
enum shunt_threshold {
	SHUNT_THRESHOLD_TUNNELS_HIGH = 1,
	SHUNT_THRESHOLD_TUNNELS_LOW,
	SHUNT_THRESHOLD_LOAD_HIGH,
	SHUNT_THRESHOLD_LOAD_LOW,
};

/**
 * enum shunt_above - Thresholds whose high mark was reached and whose low mark
 *   was not yet.
 */
enum shunt_above {
	SHUNT_ABOVE_TUNNELS = 1,
	SHUNT_ABOVE_LOAD = 2,
};

enum {
	SHUNT_A_DROPS_AUTH = 1,
	SHUNT_A_DROPS_REPLAY,
	SHUNT_A_DROPS_SCOPE,
	SHUNT_A_DROPS_MALFORMED,
	SHUNT_A_DROPS_TOOBIG,
	SHUNT_A_DROPS_NOROUTE,
	SHUNT_A_DROPS_NOMEM,
	SHUNT_A_DROPS_STALE,
	SHUNT_A_DROPS_PAD,

	__SHUNT_A_DROPS_MAX,
	SHUNT_A_DROPS_MAX = (__SHUNT_A_DROPS_MAX - 1)
};

enum {
	SHUNT_A_STATS_PACKETS = 1,
	SHUNT_A_STATS_BYTES,
	SHUNT_A_STATS_CPU_NS,
	SHUNT_A_STATS_DROPS,
	SHUNT_A_STATS_PAD,
	SHUNT_A_STATS_FRAGMENTED,

	__SHUNT_A_STATS_MAX,
	SHUNT_A_STATS_MAX = (__SHUNT_A_STATS_MAX - 1)
};

enum {
	SHUNT_A_SCOPE_RULE_PROTO = 1,
	SHUNT_A_SCOPE_RULE_PORT,

	__SHUNT_A_SCOPE_RULE_MAX,
	SHUNT_A_SCOPE_RULE_MAX = (__SHUNT_A_SCOPE_RULE_MAX - 1)
};

enum {
	SHUNT_A_SCOPE_RULE = 1,

	__SHUNT_A_SCOPE_MAX,
	SHUNT_A_SCOPE_MAX = (__SHUNT_A_SCOPE_MAX - 1)
};

enum {
	SHUNT_A_TUNNEL_IFINDEX = 1,
	SHUNT_A_TUNNEL_SIDE,
	SHUNT_A_TUNNEL_SPI_IN,
	SHUNT_A_TUNNEL_SPI_OUT,
	SHUNT_A_TUNNEL_CIPHER,
	SHUNT_A_TUNNEL_KEY_IN,
	SHUNT_A_TUNNEL_KEY_OUT,
	SHUNT_A_TUNNEL_ENDPOINT,
	SHUNT_A_TUNNEL_NEAR,
	SHUNT_A_TUNNEL_FAR,
	SHUNT_A_TUNNEL_HOST,
	SHUNT_A_TUNNEL_ALIAS,
	SHUNT_A_TUNNEL_SCOPE,
	SHUNT_A_TUNNEL_PRIORITY,
	SHUNT_A_TUNNEL_COOKIE,
	SHUNT_A_TUNNEL_KEEPALIVE,
	SHUNT_A_TUNNEL_IDLE_TIMEOUT,
	SHUNT_A_TUNNEL_GENERATION,
	SHUNT_A_TUNNEL_AGE,
	SHUNT_A_TUNNEL_LAST_RX,
	SHUNT_A_TUNNEL_LAST_TX,
	SHUNT_A_TUNNEL_SEQ_OUT,
	SHUNT_A_TUNNEL_RX,
	SHUNT_A_TUNNEL_TX,
	SHUNT_A_TUNNEL_REASON,
	SHUNT_A_TUNNEL_COUNT,
	SHUNT_A_TUNNEL_PAD,
	SHUNT_A_TUNNEL_DEAD_TIMEOUT,
	SHUNT_A_TUNNEL_SEQ_LIMIT,

	__SHUNT_A_TUNNEL_MAX,
	SHUNT_A_TUNNEL_MAX = (__SHUNT_A_TUNNEL_MAX - 1)
};

enum {
	SHUNT_A_LOAD_IFINDEX = 1,
	SHUNT_A_LOAD_TUNNELS,
	SHUNT_A_LOAD_BUSY,
	SHUNT_A_LOAD_PPS,
	SHUNT_A_LOAD_TUNNELS_HIGH,
	SHUNT_A_LOAD_TUNNELS_LOW,
	SHUNT_A_LOAD_LOAD_HIGH,
	SHUNT_A_LOAD_LOAD_LOW,
	SHUNT_A_LOAD_ABOVE,
	SHUNT_A_LOAD_CROSSED,
	SHUNT_A_LOAD_RX,
	SHUNT_A_LOAD_TX,
	SHUNT_A_LOAD_PAD,

	__SHUNT_A_LOAD_MAX,
	SHUNT_A_LOAD_MAX = (__SHUNT_A_LOAD_MAX - 1)
};

enum {
	SHUNT_CMD_TUNNEL_NEW = 1,
	SHUNT_CMD_TUNNEL_SET,
	SHUNT_CMD_TUNNEL_DEL,
	SHUNT_CMD_TUNNEL_GET,
	SHUNT_CMD_LOAD_GET,
	SHUNT_CMD_THRESHOLD_SET,
	SHUNT_CMD_TUNNEL_NEW_NTF,
	SHUNT_CMD_TUNNEL_DEL_NTF,
	SHUNT_CMD_TUNNEL_ENDPOINT_NTF,
	SHUNT_CMD_TUNNEL_EXHAUST_NTF,
	SHUNT_CMD_LOAD_NTF,

	__SHUNT_CMD_MAX,
	SHUNT_CMD_MAX = (__SHUNT_CMD_MAX - 1)
};

#define SHUNT_MCGRP_TUNNELS	"tunnels"
#define SHUNT_MCGRP_LOAD	"load"

/* Attributes in IFLA_INFO_DATA of a link of type "shunt"; all may be absent. */
enum {
	IFLA_SHUNT_UNSPEC,
	IFLA_SHUNT_PORT, /* be16: local UDP port, 4500 when absent, not 0; fixed once set */
	IFLA_SHUNT_FWMARK, /* u32: mark of the packets sent to the other end, 0 (default) none */
	IFLA_SHUNT_DSCP, /* u8: their DSCP, 0 (default) to 63, or SHUNT_DSCP_INHERIT */

	__IFLA_SHUNT_MAX,
	IFLA_SHUNT_MAX = (__IFLA_SHUNT_MAX - 1)
};

#define SHUNT_LINK_KIND	"shunt"

#endif /* _UAPI_LINUX_SHUNT_H */
