// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages of the kernel's family "shunt". The first octet is the command, three more pad (netlink
 * aligns to four), the rest are attributes. Also as an error report about a request.
 */
#include <linux/netlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/nl.h"
#include "lib/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_report(const uint8_t *data, size_t size)
{
	struct tunnel_spec spec = { .ifindex = 1, .spi_out = 256, .scope_n = 1 };
	static const uint8_t key[TUNNEL_KEY_MAX];
	struct nlmsghdr *nlh;
	struct gnl_msg m;
	struct err e;

	nlh = malloc(sizeof(*nlh) + size);
	if (!nlh)
		return;
	memset(nlh, 0, sizeof(*nlh));
	memcpy(nlh + 1, data, size);
	nlh->nlmsg_len = (uint32_t)(sizeof(*nlh) + size);
	nlh->nlmsg_type = size & 1 ? NLMSG_ERROR : NLMSG_DONE;
	nlh->nlmsg_flags = NLM_F_ACK_TLVS | (size & 2 ? NLM_F_CAPPED : 0);
	spec.scope[0] = (struct tunnel_scope){ PROTO_TCP, 631 };
	gnl_msg_init(&m, &tunnel_family, 1);
	if (!tunnel_new_encode(&m, &spec, key, key, NULL))
		(void)gnl_error(nlh, &tunnel_family, &m, &e);
	free(nlh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tunnel_event event;
	struct tunnel_info info;
	struct tunnel_load load;
	uint8_t *attrs;
	struct err e;

	if (size < 4)
		return 0;
	attrs = malloc(size > 4 ? size - 4 : 1);
	if (!attrs)
		return 0;
	memcpy(attrs, data + 4, size - 4);
	(void)tunnel_event_decode(data[0], attrs, size - 4, &event, &e);
	(void)tunnel_info_decode(attrs, size - 4, &info, &e);
	(void)tunnel_load_decode(attrs, size - 4, &load, &e);
	free(attrs);
	decode_report(data, size);
	return 0;
}
