// SPDX-License-Identifier: GPL-2.0-or-later

#include "gateway/datapath.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#include "lib/link.h"
#include "lib/log.h"
#include "lib/loop.h"

struct datapath {
	struct tunnel_ctx *tunnels;
	struct tunnel_events *events;
	struct loop_io *io;
	uint32_t ifindex;
	struct datapath_ops ops;
	void *arg;
};

/* ---- device ---- */

static int make_device(struct link_ctx *link, const struct datapath_conf *conf, struct err *e)
{
	const struct link_conf lc = { .name = conf->device, .port = conf->port };
	int rc = link_add(link, &lc, e);

	if (rc == 0)
		log_notice("datapath: %s: made, UDP port %u", conf->device, conf->port);
	return rc;
}

static int set_up_device(struct datapath *dp, const struct datapath_conf *conf, struct err *e)
{
	struct link_ctx *link = NULL;
	struct link_info info;
	int rc = link_open(&link, e);

	if (rc < 0)
		return rc;
	rc = link_get(link, conf->device, &info, e);
	if (rc == -ENODEV) {
		rc = make_device(link, conf, e);
		if (rc == 0)
			rc = link_get(link, conf->device, &info, e);
	}
	if (rc < 0)
		goto out;
	if (strcmp(info.kind, "shunt") != 0) {
		rc = err_set(e, -EINVAL, "device %s: is not of type shunt", conf->device);
		goto out;
	}
	dp->ifindex = info.ifindex;
	rc = link_set_up(link, conf->device, true, e);
	if (rc == 0)
		rc = link_route_add(link, conf->device, &conf->alias_pool, true, e);
out:
	link_close(link);
	return rc;
}

/* ---- events ---- */

static int on_event(void *arg, const struct tunnel_event *event)
{
	struct datapath *dp = arg;

	switch (event->type) {
	case TUNNEL_EVENT_DEL:
		if (event->tunnel.spec.ifindex == dp->ifindex)
			dp->ops.on_deleted(&event->tunnel, dp->arg);
		break;
	case TUNNEL_EVENT_LOAD:
		if (event->load.now.ifindex == dp->ifindex)
			dp->ops.on_load(event->load.crossing, &event->load.now, dp->arg);
		break;
	case TUNNEL_EVENT_EXHAUST:
		log_warn("datapath: tunnel %08x: is running out of sequence numbers",
			 event->tunnel.spec.spi_in);
		break;
	case TUNNEL_EVENT_NEW:
	case TUNNEL_EVENT_ENDPOINT:
		break;
	}
	return 0;
}

static void on_readable(unsigned int events, void *arg)
{
	struct datapath *dp = arg;
	struct err e = { 0 };
	int rc = tunnel_events_read(dp->events, on_event, dp, &e);

	(void)events;
	if (rc == -ENOBUFS) {
		log_warn("datapath: events: some were lost");
		dp->ops.on_missed(dp->arg);
	} else if (rc < 0) {
		loop_io_set(dp->io, 0);
		dp->ops.on_failed(err_text(&e), dp->arg);
	}
}

/* ---- life ---- */

int datapath_open(struct loop *loop, const struct datapath_conf *conf,
		  const struct datapath_ops *ops, void *arg, struct datapath **out, struct err *e)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	int rc;

	if (!dp)
		return err_sys(e, -ENOMEM, "datapath");
	dp->ops = *ops;
	dp->arg = arg;
	/* The device first: making it may load the module by its alias. */
	rc = set_up_device(dp, conf, e);
	if (rc < 0)
		goto err;
	rc = tunnel_open(&dp->tunnels, e);
	if (rc < 0)
		goto err;
	rc = tunnel_events_open(TUNNEL_WATCH_TUNNELS | TUNNEL_WATCH_LOAD, &dp->events, e);
	if (rc < 0)
		goto err;
	rc = tunnel_threshold_set(dp->tunnels, dp->ifindex, &conf->thresholds, e);
	if (rc < 0)
		goto err;
	rc = loop_io_new(loop, tunnel_events_fd(dp->events), on_readable, dp, &dp->io);
	if (rc == 0)
		rc = loop_io_set(dp->io, LOOP_READ);
	if (rc < 0) {
		err_sys(e, rc, "kernel events");
		goto err;
	}
	*out = dp;
	return 0;
err:
	datapath_close(dp);
	return rc;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	loop_io_free(dp->io);
	tunnel_events_close(dp->events);
	tunnel_close(dp->tunnels);
	free(dp);
}

/* ---- requests ---- */

int datapath_new(struct datapath *dp, struct tunnel_spec *spec, const uint8_t *key_in,
		 const uint8_t *key_out, struct err *e)
{
	spec->ifindex = dp->ifindex;
	return tunnel_new(dp->tunnels, spec, key_in, key_out, e);
}

int datapath_del(struct datapath *dp, uint32_t spi, struct tunnel_info *last, struct err *e)
{
	return tunnel_del(dp->tunnels, dp->ifindex, spi, last, e);
}

int datapath_dump(struct datapath *dp, int (*on_tunnel)(void *arg, const struct tunnel_info *info),
		  void *arg, struct err *e)
{
	return tunnel_dump(dp->tunnels, dp->ifindex, on_tunnel, arg, e);
}

int datapath_load(struct datapath *dp, struct tunnel_load *out, struct err *e)
{
	return tunnel_load_get(dp->tunnels, dp->ifindex, out, e);
}

bool datapath_is_local(const struct shunt_addr *addr)
{
	struct shunt_endpoint ours;
	struct ifaddrs *list, *ifa;
	bool found = false;

	if (getifaddrs(&list) < 0) {
		log_err("datapath: addresses: %s", shunt_strerror(-errno));
		return true;
	}
	for (ifa = list; ifa && !found; ifa = ifa->ifa_next) {
		if (!ifa->ifa_addr)
			continue;
		found = endpoint_from_sockaddr(ifa->ifa_addr, sizeof(struct sockaddr_storage),
					       &ours) == 0 &&
			addr_equal(&ours.addr, addr);
	}
	freeifaddrs(list);
	return found;
}
