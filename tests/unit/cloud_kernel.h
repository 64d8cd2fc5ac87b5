/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cloud_kernel: the kernel of cloud_fakes.h, at the seam of lib/link.h and lib/tunnel.h: tunnels
 * that exist on paper. For one test program, which it gives external functions to.
 */
#ifndef SHUNT_TESTS_CLOUD_KERNEL_H
#define SHUNT_TESTS_CLOUD_KERNEL_H

#include <errno.h>
#include <sys/eventfd.h>

#include "netkit.h"

#include "lib/link.h"
#include "lib/tunnel.h"

static struct {
	int fd;
	struct tunnel_spec live[16];
	size_t n;
	struct tunnel_spec announce[16]; /* endpoint events to come */
	size_t n_announce;
	bool mute; /* no packet ever arrives */
} kernel;

const struct enum_name tunnel_end_names[] = { { TUNNEL_END_USER, "user" }, { 0, NULL } };

int link_open(struct link_ctx **out, struct err *e)
{
	(void)e;
	*out = (struct link_ctx *)&kernel;
	return 0;
}

void link_close(struct link_ctx *ctx)
{
	(void)ctx;
}

int link_add(struct link_ctx *ctx, const struct link_conf *conf, struct err *e)
{
	(void)ctx;
	(void)conf;
	(void)e;
	return 0;
}

int link_get(struct link_ctx *ctx, const char *name, struct link_info *out, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)e;
	memset(out, 0, sizeof(*out));
	out->ifindex = 7;
	strcpy(out->kind, "shunt");
	return 0;
}

int link_set_up(struct link_ctx *ctx, const char *name, bool up, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)up;
	(void)e;
	return 0;
}

int link_addr_add(struct link_ctx *ctx, const char *name, const struct shunt_addr *addr,
		  uint8_t len, bool replace, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)addr;
	(void)len;
	(void)replace;
	(void)e;
	return 0;
}

int link_route_add(struct link_ctx *ctx, const char *name, const struct shunt_prefix *prefix,
		   bool replace, struct err *e)
{
	(void)ctx;
	(void)name;
	(void)prefix;
	(void)replace;
	(void)e;
	return 0;
}

int tunnel_open(struct tunnel_ctx **out, struct err *e)
{
	(void)e;
	*out = (struct tunnel_ctx *)&kernel;
	return 0;
}

void tunnel_close(struct tunnel_ctx *ctx)
{
	(void)ctx;
}

int tunnel_new(struct tunnel_ctx *ctx, struct tunnel_spec *spec, const uint8_t *key_in,
	       const uint8_t *key_out, struct err *e)
{
	(void)ctx;
	(void)e;
	assert_int_equal(spec->side, TUNNEL_FAR);
	assert_memory_not_equal(key_in, key_out, cipher_key_len(spec->cipher));
	kernel.live[kernel.n++] = *spec;
	if (!kernel.mute) {
		kernel.announce[kernel.n_announce++] = *spec;
		eventfd_write(kernel.fd, 1);
	}
	return 0;
}

int tunnel_del(struct tunnel_ctx *ctx, uint32_t ifindex, uint32_t spi_in, struct tunnel_info *last,
	       struct err *e)
{
	size_t i;

	(void)ctx;
	(void)ifindex;
	(void)last;
	(void)e;
	for (i = 0; i < kernel.n; i++)
		if (kernel.live[i].spi_in == spi_in) {
			kernel.live[i] = kernel.live[--kernel.n];
			return 0;
		}
	return -ENOENT;
}

int tunnel_dump(struct tunnel_ctx *ctx, uint32_t ifindex,
		int (*on_tunnel)(void *arg, const struct tunnel_info *info), void *arg,
		struct err *e)
{
	size_t i;

	(void)ctx;
	(void)ifindex;
	(void)e;
	for (i = 0; i < kernel.n; i++) {
		struct tunnel_info info = { .spec = kernel.live[i] };

		on_tunnel(arg, &info);
	}
	return 0;
}

int tunnel_events_open(unsigned int watch, struct tunnel_events **out, struct err *e)
{
	(void)watch;
	(void)e;
	kernel.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*out = (struct tunnel_events *)&kernel;
	return 0;
}

void tunnel_events_close(struct tunnel_events *ev)
{
	if (ev)
		close(kernel.fd);
}

int tunnel_events_fd(const struct tunnel_events *ev)
{
	(void)ev;
	return kernel.fd;
}

int tunnel_events_read(struct tunnel_events *ev,
		       int (*on_event)(void *arg, const struct tunnel_event *event), void *arg,
		       struct err *e)
{
	eventfd_t n;
	size_t i;

	(void)ev;
	(void)e;
	eventfd_read(kernel.fd, &n);
	for (i = 0; i < kernel.n_announce; i++) {
		struct tunnel_event event = { .type = TUNNEL_EVENT_ENDPOINT };

		event.tunnel.spec = kernel.announce[i];
		on_event(arg, &event);
	}
	kernel.n_announce = 0;
	return 0;
}

#endif
