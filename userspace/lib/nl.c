// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/nl.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/err.h"

#define HEAD_LEN (MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct genlmsghdr)))
#define RECV_SIZE 32768 /* the kernel fills dump messages up to this */
#define EVENT_BATCH 256 /* datagrams handled per gnl_read(), so that other fds get their turn */
#define EVENT_BUFFER (1 << 20)

struct gnl {
	struct mnl_socket *sock;
	const struct gnl_family *family;
	uint16_t id; /* of the family whose messages are delivered */
	uint16_t found; /* what the control family answered */
	uint32_t seq;
	uint8_t groups[512]; /* the family's CTRL_ATTR_MCAST_GROUPS, looked at by gnl_join() */
	size_t groups_len;
	uint8_t recv[RECV_SIZE] __attribute__((aligned(8)));
};

/* ---- messages ---- */

static struct nlmsghdr *msg_head(struct gnl_msg *m)
{
	return (struct nlmsghdr *)m->buf.data;
}

void gnl_msg_init(struct gnl_msg *m, const struct gnl_family *family, uint8_t cmd)
{
	struct genlmsghdr *genl;

	memset(m, 0, sizeof(*m));
	mnl_nlmsg_put_header(m->buf.data);
	msg_head(m)->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(msg_head(m), sizeof(*genl));
	genl->cmd = cmd;
	genl->version = family->version;
}

void gnl_msg_fini(struct gnl_msg *m)
{
	explicit_bzero(m, sizeof(*m));
}

static void put(struct gnl_msg *m, uint16_t type, const void *v, size_t len)
{
	if (m->error)
		return;
	if (len > UINT16_MAX - MNL_ATTR_HDRLEN ||
	    !mnl_attr_put_check(msg_head(m), sizeof(m->buf.data), type, len, v))
		m->error = -EMSGSIZE;
}

void gnl_put_flag(struct gnl_msg *m, uint16_t type)
{
	put(m, type, "", 0);
}

void gnl_put_u8(struct gnl_msg *m, uint16_t type, uint8_t v)
{
	put(m, type, &v, sizeof(v));
}

void gnl_put_u16(struct gnl_msg *m, uint16_t type, uint16_t v)
{
	put(m, type, &v, sizeof(v));
}

void gnl_put_u32(struct gnl_msg *m, uint16_t type, uint32_t v)
{
	put(m, type, &v, sizeof(v));
}

void gnl_put_u64(struct gnl_msg *m, uint16_t type, uint64_t v)
{
	put(m, type, &v, sizeof(v));
}

void gnl_put_str(struct gnl_msg *m, uint16_t type, const char *v)
{
	put(m, type, v, strlen(v) + 1);
}

void gnl_put_bin(struct gnl_msg *m, uint16_t type, const void *v, size_t len)
{
	put(m, type, v, len);
}

struct nlattr *gnl_nest_begin(struct gnl_msg *m, uint16_t type)
{
	struct nlattr *nest;

	if (m->error)
		return NULL;
	nest = mnl_attr_nest_start_check(msg_head(m), sizeof(m->buf.data), type);
	if (!nest)
		m->error = -EMSGSIZE;
	return nest;
}

void gnl_nest_end(struct gnl_msg *m, struct nlattr *nest)
{
	if (nest && !m->error)
		mnl_attr_nest_end(msg_head(m), nest);
}

const void *gnl_msg_attrs(const struct gnl_msg *m, size_t *len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)m->buf.data;

	*len = nlh->nlmsg_len - HEAD_LEN;
	return m->buf.data + HEAD_LEN;
}

/* ---- attributes ---- */

static size_t attr_room(const struct nlattr *a)
{
	return mnl_attr_get_payload_len(a);
}

static bool length_fits(const struct nlattr *a, const struct gnl_attr *row)
{
	size_t len = attr_room(a);

	switch (row->type) {
	case GNL_ANY:
		return true;
	case GNL_FLAG:
		return len == 0;
	case GNL_U8:
		return len == sizeof(uint8_t);
	case GNL_U16:
		return len == sizeof(uint16_t);
	case GNL_U32:
		return len == sizeof(uint32_t);
	case GNL_U64:
		return len == sizeof(uint64_t);
	case GNL_UINT:
		return len == sizeof(uint32_t) || len == sizeof(uint64_t);
	case GNL_STR:
		len = strnlen(mnl_attr_get_payload(a), len);
		return len < attr_room(a) && len >= row->min && len <= row->max;
	case GNL_BIN:
		return len >= row->min && len <= row->max;
	case GNL_NEST:
		return len == 0 || len >= MNL_ATTR_HDRLEN;
	}
	return false;
}

/*
 * The attribute at offset @at of @data, or NULL at the end (@at == @len or only padding left) and,
 * with @bad set, where the header does not fit.
 */
static const struct nlattr *attr_at(const uint8_t *data, size_t len, size_t at, bool *bad)
{
	const struct nlattr *a = (const struct nlattr *)(data + at);

	*bad = false;
	if (at >= len)
		return NULL;
	if (len - at < sizeof(*a) || a->nla_len < sizeof(*a) || a->nla_len > len - at) {
		*bad = true;
		return NULL;
	}
	return a;
}

int gnl_parse(const void *attrs, size_t len, const struct gnl_attr *set, uint16_t max,
	      const struct nlattr **tb, struct err *e)
{
	const struct nlattr *a;
	uint16_t type;
	size_t at = 0;
	bool bad;

	memset(tb, 0, (max + 1u) * sizeof(*tb));
	while ((a = attr_at(attrs, len, at, &bad))) {
		type = mnl_attr_get_type(a);
		if (type <= max && set[type].type != GNL_ANY) {
			if (!length_fits(a, &set[type]))
				return err_set(e, -EBADMSG,
					       "kernel message: %s: length %zu does not fit",
					       set[type].name, attr_room(a));
			tb[type] = a;
		}
		at += MNL_ALIGN(a->nla_len);
	}
	if (bad)
		return err_set(e, -EBADMSG,
			       "kernel message: attribute header at octet %zu does not fit", at);
	return 0;
}

int gnl_parse_nest(const struct nlattr *nest, const struct gnl_attr *set, uint16_t max,
		   const struct nlattr **tb, struct err *e)
{
	return gnl_parse(mnl_attr_get_payload(nest), attr_room(nest), set, max, tb, e);
}

const struct nlattr *gnl_next(const struct nlattr *nest, const struct nlattr *prev)
{
	const uint8_t *data = mnl_attr_get_payload(nest);
	size_t at = prev ? (size_t)((const uint8_t *)prev - data) + MNL_ALIGN(prev->nla_len) : 0;
	bool bad;

	return attr_at(data, attr_room(nest), at, &bad);
}

uint16_t gnl_attr_type(const struct nlattr *a)
{
	return mnl_attr_get_type(a);
}

uint8_t gnl_get_u8(const struct nlattr *a)
{
	return mnl_attr_get_u8(a);
}

uint16_t gnl_get_u16(const struct nlattr *a)
{
	return mnl_attr_get_u16(a);
}

uint32_t gnl_get_u32(const struct nlattr *a)
{
	return mnl_attr_get_u32(a);
}

uint64_t gnl_get_u64(const struct nlattr *a)
{
	return attr_room(a) == sizeof(uint32_t) ? mnl_attr_get_u32(a) : mnl_attr_get_u64(a);
}

const char *gnl_get_str(const struct nlattr *a)
{
	return mnl_attr_get_str(a);
}

uint64_t gnl_u64_or(const struct nlattr *a, uint64_t absent)
{
	if (!a)
		return absent;
	switch (attr_room(a)) {
	case sizeof(uint8_t):
		return mnl_attr_get_u8(a);
	case sizeof(uint16_t):
		return mnl_attr_get_u16(a);
	default:
		return gnl_get_u64(a);
	}
}

const void *gnl_get_bin(const struct nlattr *a, size_t *len)
{
	*len = attr_room(a);
	return mnl_attr_get_payload(a);
}

/* ---- the kernel's errors ---- */

struct place {
	char path[96]; /* "scope.port" */
	const struct gnl_attr *set; /* attributes inside the place */
	uint16_t max;
};

/*
 * Follow the request's attributes down to offset @offs, which the kernel counts from the message
 * header. A nest of a list is entered by its own number; then its parent's name is all there is to
 * say.
 */
static void place_find(struct place *p, const struct gnl_msg *request, uint32_t offs)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)request->buf.data;
	const uint8_t *base = request->buf.data;
	size_t at = HEAD_LEN, end = nlh->nlmsg_len, used;
	const struct gnl_attr *row;
	const struct nlattr *a;
	bool bad;

	while ((a = attr_at(base, end, at, &bad))) {
		if (offs >= at + a->nla_len) {
			at += MNL_ALIGN(a->nla_len);
			continue;
		}
		if (mnl_attr_get_type(a) > p->max)
			return;
		row = &p->set[mnl_attr_get_type(a)];
		if (!row->name)
			return;
		used = strlen(p->path);
		snprintf(p->path + used, sizeof(p->path) - used, "%s%s", used ? "." : "",
			 row->name);
		p->set = row->nest;
		p->max = row->nest ? row->nest_max : 0;
		if (offs <= at || !row->nest)
			return;
		end = at + a->nla_len;
		at += MNL_ATTR_HDRLEN;
	}
}

static const struct gnl_attr error_attrs[] = {
	[NLMSGERR_ATTR_MSG] = { "msg", GNL_STR, 0, 1024, NULL, 0 },
	[NLMSGERR_ATTR_OFFS] = { "offset", GNL_U32, 0, 0, NULL, 0 },
	[NLMSGERR_ATTR_MISS_TYPE] = { "missing type", GNL_U32, 0, 0, NULL, 0 },
	[NLMSGERR_ATTR_MISS_NEST] = { "missing nest", GNL_U32, 0, 0, NULL, 0 },
};

#define ERROR_MAX NLMSGERR_ATTR_MISS_NEST

static int error_describe(int code, const struct nlattr **tb, const struct gnl_family *family,
			  const struct gnl_msg *request, struct err *e)
{
	struct place at = { .set = family->attrs, .max = family->attr_max };
	const char *text = tb[NLMSGERR_ATTR_MSG] ? gnl_get_str(tb[NLMSGERR_ATTR_MSG]) : NULL;
	uint32_t type;

	if (tb[NLMSGERR_ATTR_MISS_TYPE]) {
		type = gnl_get_u32(tb[NLMSGERR_ATTR_MISS_TYPE]);
		if (tb[NLMSGERR_ATTR_MISS_NEST])
			place_find(&at, request, gnl_get_u32(tb[NLMSGERR_ATTR_MISS_NEST]));
		if (at.set && type <= at.max && at.set[type].name)
			return err_set(e, code, "%s%s%s: %s", at.path, at.path[0] ? "." : "",
				       at.set[type].name, text ? text : "missing");
	}
	if (tb[NLMSGERR_ATTR_OFFS])
		place_find(&at, request, gnl_get_u32(tb[NLMSGERR_ATTR_OFFS]));
	if (!text)
		text = code == -EPERM ? "not permitted (CAP_NET_ADMIN is needed)" : strerror(-code);
	return err_set(e, code, "%s%s%s", at.path, at.path[0] ? ": " : "", text);
}

int gnl_error(const struct nlmsghdr *nlh, const struct gnl_family *family,
	      const struct gnl_msg *request, struct err *e)
{
	const struct nlattr *tb[ERROR_MAX + 1] = { 0 };
	const uint8_t *payload = mnl_nlmsg_get_payload(nlh);
	size_t len = nlh->nlmsg_len - MNL_NLMSG_HDRLEN, skip = sizeof(int32_t);
	const struct nlmsgerr *report = (const struct nlmsgerr *)payload;
	int32_t code;

	if (len < sizeof(code))
		return nlh->nlmsg_type == NLMSG_DONE ?
			       0 :
			       err_set(e, -EBADMSG, "kernel message: short error");
	memcpy(&code, payload, sizeof(code));
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		if (len < sizeof(*report))
			return err_set(e, -EBADMSG, "kernel message: short error");
		/*
		 * Uncapped: the whole request is echoed between the header copy and the attributes.
		 */
		skip = sizeof(*report);
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED) &&
		    report->msg.nlmsg_len > sizeof(report->msg))
			skip += MNL_ALIGN(report->msg.nlmsg_len - sizeof(report->msg));
	}
	if (code > 0 || code < -4095)
		return err_set(e, -EBADMSG, "kernel message: error code %d", (int)code);
	if (!code)
		return 0;
	/* What cannot be parsed here only makes the description poorer. */
	if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) && skip < len &&
	    gnl_parse(payload + skip, len - skip, error_attrs, ERROR_MAX, tb, NULL))
		memset(tb, 0, sizeof(tb));
	return error_describe(code, tb, family, request, e);
}

/* ---- socket ---- */

/* One datagram from the kernel into nl->recv: its length, 0 for one to skip, -EAGAIN, -errno. */
static ssize_t receive(struct gnl *nl, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { nl->recv, sizeof(nl->recv) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do
		n = recvmsg(mnl_socket_get_fd(nl->sock), &msg, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC)
		return -EBADMSG;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0) /* a process, not the kernel */
		return 0;
	return n;
}

struct exchange {
	const struct gnl_family *family;
	const struct gnl_msg *request;
	const struct gnl_reply *reply;
	struct err *e;
	int result; /* first failure of the callback */
	bool interrupted;
	bool done;
};

static int deliver(struct gnl *nl, const struct nlmsghdr *nlh, const struct gnl_reply *reply)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type != nl->id || nlh->nlmsg_len < HEAD_LEN || !reply || !reply->on_msg)
		return 0;
	return reply->on_msg(reply->arg, genl->cmd, (const uint8_t *)nlh + HEAD_LEN,
			     nlh->nlmsg_len - HEAD_LEN);
}

static int exchange_message(struct gnl *nl, const struct nlmsghdr *nlh, struct exchange *x)
{
	if (nlh->nlmsg_seq != nl->seq) /* left over from an exchange that ended early */
		return 0;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		x->interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		return 0;
	case NLMSG_OVERRUN:
		return err_set(x->e, -ENOBUFS, "the kernel dropped part of its answer");
	case NLMSG_ERROR:
	case NLMSG_DONE:
		x->done = true;
		return gnl_error(nlh, x->family, x->request, x->e);
	}
	/*
	 * After a failed callback the rest is read and thrown away, so that the socket stays
	 * usable.
	 */
	if (!x->result)
		x->result = deliver(nl, nlh, x->reply);
	return 0;
}

static int exchange_datagram(struct gnl *nl, size_t n, struct exchange *x)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->recv;
	int left = (int)n;
	int err;

	for (; mnl_nlmsg_ok(nlh, left) && !x->done; nlh = mnl_nlmsg_next(nlh, &left)) {
		err = exchange_message(nl, nlh, x);
		if (err)
			return err;
	}
	return 0;
}

static int exchange(struct gnl *nl, const struct gnl_family *family, struct gnl_msg *m,
		    uint16_t flags, const struct gnl_reply *reply, struct err *e)
{
	struct exchange x = { .family = family, .request = m, .reply = reply, .e = e };
	struct nlmsghdr *nlh = msg_head(m);
	ssize_t n;
	int err = 0;

	if (m->error)
		return err_set(e, m->error, "request too large for one message");
	nlh->nlmsg_type = nl->id;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return err_sys(e, -errno, "netlink send");
	while (!x.done && !err) {
		n = receive(nl, 0);
		if (n < 0)
			err = err_sys(e, (int)n, "netlink receive");
		else
			err = exchange_datagram(nl, (size_t)n, &x);
	}
	explicit_bzero(nl->recv, sizeof(nl->recv));
	if (err || x.result)
		return err ? err : x.result;
	return x.interrupted ? err_set(e, -EINTR, "changed while it was read") : 0;
}

int gnl_call(struct gnl *nl, const struct gnl_family *family, struct gnl_msg *m,
	     const struct gnl_reply *reply, struct err *e)
{
	return exchange(nl, family, m, 0, reply, e);
}

int gnl_dump(struct gnl *nl, const struct gnl_family *family, struct gnl_msg *m,
	     const struct gnl_reply *reply, struct err *e)
{
	return exchange(nl, family, m, NLM_F_DUMP, reply, e);
}

/* ---- the family ---- */

static const struct gnl_attr group_attrs[] = {
	[CTRL_ATTR_MCAST_GRP_NAME] = { "name", GNL_STR, 1, GENL_NAMSIZ, NULL, 0 },
	[CTRL_ATTR_MCAST_GRP_ID] = { "id", GNL_U32, 0, 0, NULL, 0 },
};

static const struct gnl_attr control_attrs[] = {
	[CTRL_ATTR_FAMILY_ID] = { "family-id", GNL_U16, 0, 0, NULL, 0 },
	[CTRL_ATTR_FAMILY_NAME] = { "family-name", GNL_STR, 1, GENL_NAMSIZ, NULL, 0 },
	[CTRL_ATTR_MCAST_GROUPS] = { "mcast-groups", GNL_NEST, 0, 0, NULL, 0 },
};

#define CONTROL_MAX CTRL_ATTR_MCAST_GROUPS

static const struct gnl_family control = {
	.name = "nlctrl",
	.version = 1,
	.attrs = control_attrs,
	.attr_max = CONTROL_MAX,
};

static int on_family(void *arg, uint8_t cmd, const void *attrs, size_t len)
{
	const struct nlattr *tb[CONTROL_MAX + 1], *groups;
	struct gnl *nl = arg;
	int err;

	if (cmd != CTRL_CMD_NEWFAMILY)
		return 0;
	err = gnl_parse(attrs, len, control_attrs, CONTROL_MAX, tb, NULL);
	if (err || !tb[CTRL_ATTR_FAMILY_ID])
		return -EBADMSG;
	groups = tb[CTRL_ATTR_MCAST_GROUPS];
	if (groups && groups->nla_len <= sizeof(nl->groups)) {
		nl->groups_len = groups->nla_len;
		memcpy(nl->groups, groups, groups->nla_len);
	}
	nl->found = gnl_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	return 0;
}

static int find_family(struct gnl *nl, const struct gnl_family *family, struct err *e)
{
	struct gnl_reply reply = { on_family, nl };
	struct gnl_msg m;
	int err;

	nl->id = GENL_ID_CTRL;
	gnl_msg_init(&m, &control, CTRL_CMD_GETFAMILY);
	gnl_put_str(&m, CTRL_ATTR_FAMILY_NAME, family->name);
	err = gnl_call(nl, &control, &m, &reply, e);
	gnl_msg_fini(&m);
	nl->family = family;
	if (err == -ENOENT)
		return err_set(e, err, "%s", family->missing);
	nl->id = nl->found;
	if (!err && !nl->id)
		err = -EBADMSG;
	return err ? err_sys(e, err, "generic netlink: family %s", family->name) : 0;
}

int gnl_open(const struct gnl_family *family, struct gnl **out, struct err *e)
{
	static const int on = 1;
	struct gnl *nl;
	int err;

	*out = NULL;
	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return err_sys(e, -ENOMEM, "netlink");
	nl->sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = err_sys(e, -errno, "netlink socket");
		goto fail;
	}
	/* Answers carry the reason, and not a copy of the request, which may hold keys. */
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, (void *)&on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, (void *)&on, sizeof(on));
	err = find_family(nl, family, e);
	if (err)
		goto fail;
	*out = nl;
	return 0;
fail:
	gnl_close(nl);
	return err;
}

void gnl_close(struct gnl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		mnl_socket_close(nl->sock);
	explicit_bzero(nl->recv, sizeof(nl->recv));
	free(nl);
}

/* ---- events ---- */

int gnl_join(struct gnl *nl, const char *name, struct err *e)
{
	const struct nlattr *groups = (const struct nlattr *)nl->groups, *g = NULL;
	const struct nlattr *tb[CTRL_ATTR_MCAST_GRP_ID + 1];
	const int size = EVENT_BUFFER;
	uint32_t id = 0;

	while (nl->groups_len && (g = gnl_next(groups, g))) {
		if (gnl_parse_nest(g, group_attrs, CTRL_ATTR_MCAST_GRP_ID, tb, NULL) ||
		    !tb[CTRL_ATTR_MCAST_GRP_NAME] || !tb[CTRL_ATTR_MCAST_GRP_ID])
			continue;
		if (!strcmp(gnl_get_str(tb[CTRL_ATTR_MCAST_GRP_NAME]), name))
			id = gnl_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
	}
	if (!id)
		return err_set(e, -ENOENT, "family %s has no group %s", nl->family->name, name);
	if (setsockopt(gnl_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		(void)setsockopt(gnl_fd(nl), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_setsockopt(nl->sock, NETLINK_ADD_MEMBERSHIP, &id, sizeof(id)) < 0)
		return err_set(e, -errno, "group %s: %s", name,
			       errno == EPERM ? "not permitted (CAP_NET_ADMIN is needed)" :
						strerror(errno));
	return 0;
}

int gnl_fd(const struct gnl *nl)
{
	return mnl_socket_get_fd(nl->sock);
}

int gnl_read(struct gnl *nl, const struct gnl_reply *reply, struct err *e)
{
	const struct nlmsghdr *nlh;
	int left, err, i;
	ssize_t n;

	for (i = 0; i < EVENT_BATCH; i++) {
		n = receive(nl, MSG_DONTWAIT);
		if (n == -EAGAIN)
			return 0;
		if (n == -EBADMSG) /* larger than any event of ours */
			continue;
		if (n < 0)
			return err_sys(e, (int)n, "netlink events");
		nlh = (const struct nlmsghdr *)nl->recv;
		left = (int)n;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			err = deliver(nl, nlh, reply);
			if (err)
				return err;
		}
	}
	return 0;
}
