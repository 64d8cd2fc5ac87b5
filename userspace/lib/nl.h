/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nl: generic netlink, one socket bound to one family. The only owner of libmnl.
 *
 * A family is a table: its name, what to say when the kernel does not have it, and its attributes
 * with type, length and name. The same table bounds what is parsed and turns the kernel's extended
 * acknowledgement (offset of the attribute it objects to, type of one it misses) into the name a
 * person knows. Messages are encoded and decoded without a socket, so tests and fuzzers need no
 * kernel.
 *
 * Message and receive buffers are wiped after use: they may have held keys. Nothing here is
 * thread-safe.
 *
 * The prefix is gnl_ because libnl, which the same programs link, exports nl_*.
 */
#ifndef SHUNT_LIB_NL_H
#define SHUNT_LIB_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct nlattr;
struct nlmsghdr;

enum gnl_type {
	GNL_ANY, /* not one we know: skipped */
	GNL_FLAG, /* no payload */
	GNL_U8,
	GNL_U16,
	GNL_U32,
	GNL_U64, /* may be unaligned in the message */
	GNL_UINT, /* 4 or 8 octets, as the kernel's variable-width integers */
	GNL_STR, /* NUL-terminated; min and max count octets without the NUL */
	GNL_BIN, /* min..max octets */
	GNL_NEST, /* attributes of .nest */
};

/* One attribute of a set; the index in the table is the attribute's type. */
struct gnl_attr {
	const char *name; /* as in the netlink specification */
	enum gnl_type type;
	uint16_t min, max; /* GNL_STR, GNL_BIN: payload length in octets */
	const struct gnl_attr *nest; /* GNL_NEST: attributes inside, */
	uint16_t nest_max; /* and their highest type */
};

struct gnl_family {
	const char *name;
	const char *missing; /* error text when the kernel has no such family */
	uint8_t version;
	const struct gnl_attr *attrs; /* top level attribute set */
	uint16_t attr_max;
};

/* ---- messages ---- */

#define GNL_MSG_SIZE 8192

/*
 * A request under construction. A put that does not fit sets @error (-EMSGSIZE) and later puts do
 * nothing: check once, at the end; gnl_call() and gnl_dump() do.
 */
struct gnl_msg {
	int error;
	union {
		uint64_t align;
		uint8_t data[GNL_MSG_SIZE];
	} buf;
};

/* Start a request; gnl_msg_fini() wipes it. The family's number is filled in when it is sent. */
void gnl_msg_init(struct gnl_msg *m, const struct gnl_family *family, uint8_t cmd);
void gnl_msg_fini(struct gnl_msg *m);

void gnl_put_flag(struct gnl_msg *m, uint16_t type);
void gnl_put_u8(struct gnl_msg *m, uint16_t type, uint8_t v);
void gnl_put_u16(struct gnl_msg *m, uint16_t type, uint16_t v);
void gnl_put_u32(struct gnl_msg *m, uint16_t type, uint32_t v);
void gnl_put_u64(struct gnl_msg *m, uint16_t type, uint64_t v);
void gnl_put_str(struct gnl_msg *m, uint16_t type, const char *v);
void gnl_put_bin(struct gnl_msg *m, uint16_t type, const void *v, size_t len);
/*
 * Returns the nest's handle for gnl_nest_end(), NULL when the message is full (gnl_nest_end accepts
 * it).
 */
struct nlattr *gnl_nest_begin(struct gnl_msg *m, uint16_t type);
void gnl_nest_end(struct gnl_msg *m, struct nlattr *nest);

/* The attributes put so far, for tests and for decoding what was encoded. */
const void *gnl_msg_attrs(const struct gnl_msg *m, size_t *len);

/* ---- attributes ---- */

/*
 * Sort @len octets of attributes into @tb[0..@max] by type, NULL where absent. Types above @max are
 * skipped (a newer kernel); of a repeated type the last one counts. Returns 0 or -EBADMSG with the
 * attribute's name in @e when a header or a length does not fit @set. @e may be NULL.
 */
int gnl_parse(const void *attrs, size_t len, const struct gnl_attr *set, uint16_t max,
	      const struct nlattr **tb, struct err *e);
/* The same for the inside of @nest, which gnl_parse() returned for a GNL_NEST row. */
int gnl_parse_nest(const struct nlattr *nest, const struct gnl_attr *set, uint16_t max,
		   const struct nlattr **tb, struct err *e);

/*
 * Step through a list of equally meant attributes; NULL starts and ends. Stops at malformed octets.
 */
const struct nlattr *gnl_next(const struct nlattr *nest, const struct nlattr *prev);

/* Values of attributes that gnl_parse() accepted; @a must not be NULL. */
uint16_t gnl_attr_type(const struct nlattr *a);
uint8_t gnl_get_u8(const struct nlattr *a);
uint16_t gnl_get_u16(const struct nlattr *a);
uint32_t gnl_get_u32(const struct nlattr *a);
uint64_t gnl_get_u64(const struct nlattr *a); /* GNL_U64, GNL_UINT, and u32 */
const char *gnl_get_str(const struct nlattr *a);
const void *gnl_get_bin(const struct nlattr *a, size_t *len);

/* The value of an attribute of 1, 2, 4 or 8 octets, @absent when @a is NULL. */
uint64_t gnl_u64_or(const struct nlattr *a, uint64_t absent);

/* ---- socket ---- */

struct gnl;

/*
 * Open a socket in the current network namespace and find @family, which must outlive it. Returns
 * 0; -ENOENT with family->missing; -EPROTONOSUPPORT, -EMFILE etc.
 */
int gnl_open(const struct gnl_family *family, struct gnl **out, struct err *e);
void gnl_close(struct gnl *nl); /* NULL is allowed */

/*
 * Called once per message the kernel answers with. @attrs (@len octets) are valid during the call.
 * Returns 0 to go on; a negative value ends the exchange, which then returns it.
 */
struct gnl_reply {
	int (*on_msg)(void *arg, uint8_t cmd, const void *attrs, size_t len);
	void *arg;
};

/*
 * Send @m and wait for the kernel's verdict. @family names @m's attributes in errors: that of
 * gnl_open(), or one of the same name with the attribute set of this command. @reply may be NULL.
 * Returns 0, the kernel's -errno with its text and the attribute's name in @e, -EMSGSIZE when @m
 * overflowed, -EBADMSG for an answer that makes no sense. The socket stays usable after every
 * error.
 */
int gnl_call(struct gnl *nl, const struct gnl_family *family, struct gnl_msg *m,
	     const struct gnl_reply *reply, struct err *e);
/* The same for a dump. -EINTR: complete, but the kernel says that it changed meanwhile. */
int gnl_dump(struct gnl *nl, const struct gnl_family *family, struct gnl_msg *m,
	     const struct gnl_reply *reply, struct err *e);

/* ---- events: use a socket of its own ---- */

/* Subscribe to the family's group @name. -ENOENT when the family has none of that name. */
int gnl_join(struct gnl *nl, const char *name, struct err *e);
/* Readable when events wait; owned by @nl. */
int gnl_fd(const struct gnl *nl);
/*
 * Handle all waiting events without blocking. -ENOBUFS: the kernel had to drop some; look at the
 * present state by a dump, then go on. Malformed events are skipped.
 */
int gnl_read(struct gnl *nl, const struct gnl_reply *reply, struct err *e);

/*
 * Describe the error message @nlh (NLMSG_ERROR, or NLMSG_DONE with an error) that answers @request.
 * Returns the kernel's -errno, 0 for an acknowledgement, -EBADMSG. Exported for its tests and
 * fuzzer.
 */
int gnl_error(const struct nlmsghdr *nlh, const struct gnl_family *family,
	      const struct gnl_msg *request, struct err *e);

#endif
