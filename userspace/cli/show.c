// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/show.h"

#include <inttypes.h>
#include <net/if.h>

#include "lib/conf.h"

static const char *dev_name(const struct cli *c, uint32_t ifindex)
{
	struct dev_name *dev = c->dev;

	/* asking takes three system calls, and most of ten thousand tunnels are one device's */
	if (dev->ifindex != ifindex) {
		if (!if_indextoname(ifindex, dev->name))
			snprintf(dev->name, sizeof(dev->name), "if%" PRIu32, ifindex);
		dev->ifindex = ifindex;
	}
	return dev->name;
}

void show_dev(const struct cli *c, uint32_t ifindex)
{
	out_str(c->out, "dev", " dev %s", dev_name(c, ifindex));
}

static void show_addr(const struct cli *c, const char *key, const char *fmt,
		      const struct shunt_addr *a)
{
	char text[ADDR_STR_LEN];

	if (addr_is_set(a))
		out_str(c->out, key, fmt, addr_print(a, text));
}

static void show_endpoint(const struct cli *c, const struct shunt_endpoint *ep)
{
	char text[ENDPOINT_STR_LEN];

	if (addr_is_set(&ep->addr))
		out_str(c->out, "endpoint", " endpoint %s", endpoint_print(ep, text));
	else
		out_text(c->out, " endpoint unknown");
}

/* tcp/631,icmp in text, [{"proto":"tcp","port":631},{"proto":"icmp"}] in JSON. */
static void show_scope(const struct cli *c, const struct tunnel_spec *s)
{
	size_t i;

	out_list_begin(c->out, "scope");
	for (i = 0; i < s->scope_n; i++) {
		out_obj_begin(c->out, NULL);
		out_text(c->out, "%s", i ? "," : "\n    allow ");
		out_str(c->out, "proto", "%s", ip_proto_str(s->scope[i].proto));
		if (s->scope[i].port)
			out_uint(c->out, "port", "/%" PRIu64, s->scope[i].port);
		out_obj_end(c->out);
	}
	out_list_end(c->out);
	if (!s->scope_n)
		out_text(c->out, "\n    allow any");
}

static void show_spec(const struct cli *c, const struct tunnel_spec *s)
{
	bool text_only = !out_is_json(c->out);
	char text[32];

	out_str(c->out, "side", " side %s", enum_str(tunnel_side_names, s->side));
	out_str(c->out, "cipher", " cipher %s", cipher_str(s->cipher));
	if (s->cookie[0] || !text_only)
		out_str(c->out, "cookie", " cookie %s", s->cookie);
	out_text(c->out, "\n    spi-in 0x%08" PRIx32, s->spi_in);
	out_uint(c->out, "spi_in", NULL, s->spi_in);
	out_text(c->out, " spi-out 0x%08" PRIx32, s->spi_out);
	out_uint(c->out, "spi_out", NULL, s->spi_out);
	show_endpoint(c, &s->endpoint);
	out_text(c->out, "\n   ");
	show_addr(c, "near", " near %s", &s->near);
	show_addr(c, "far", " far %s", &s->far);
	show_addr(c, "host", " host %s", &s->host);
	show_addr(c, "alias", " alias %s", &s->alias);
	show_scope(c, s);
	out_uint(c->out, "priority", " priority %" PRIu64, s->priority);
	out_uint(c->out, "keepalive_ms", NULL, s->keepalive_ms);
	out_uint(c->out, "idle_s", NULL, s->idle_s);
	out_uint(c->out, "dead_s", NULL, s->dead_s);
	if (text_only && s->keepalive_ms)
		out_str(c->out, NULL, " keepalive %s",
			duration_print(s->keepalive_ms, text, sizeof(text)));
	if (text_only && s->idle_s)
		out_str(c->out, NULL, " idle %s",
			duration_print((uint64_t)s->idle_s * 1000, text, sizeof(text)));
	if (text_only && s->dead_s)
		out_str(c->out, NULL, " dead %s",
			duration_print((uint64_t)s->dead_s * 1000, text, sizeof(text)));
}

static void show_counters(const struct cli *c, const char *key, const struct tunnel_counters *n,
			  uint64_t last_ms)
{
	bool all = c->stats || out_is_json(c->out);
	char text[32];
	int i;

	out_obj_begin(c->out, key);
	out_text(c->out, "\n    %s", key);
	out_uint(c->out, "packets", " packets %" PRIu64, n->packets);
	out_uint(c->out, "bytes", " bytes %" PRIu64, n->bytes);
	out_text(c->out, " cpu %.3fms", (double)n->cpu_ns / 1e6);
	out_uint(c->out, "cpu_ns", NULL, n->cpu_ns);
	out_uint(c->out, "fragmented", n->fragmented ? " fragmented %" PRIu64 : NULL,
		 n->fragmented);
	if (last_ms != TUNNEL_NEVER) {
		out_uint(c->out, "last_ms", NULL, last_ms);
		out_text(c->out, " last %s ago", duration_print(last_ms, text, sizeof(text)));
	}
	out_obj_begin(c->out, "drops");
	for (i = 0; i < TUNNEL_DROP_COUNT; i++) {
		if (!all && !n->drops[i])
			continue;
		out_text(c->out, " drop-%s", enum_str(tunnel_drop_names, i));
		out_uint(c->out, enum_str(tunnel_drop_names, i), " %" PRIu64, n->drops[i]);
	}
	out_obj_end(c->out);
	out_obj_end(c->out);
}

void show_tunnel(const struct cli *c, const struct tunnel_info *t, bool counters)
{
	char id[TUNNEL_ID_LEN];

	out_str(c->out, "id", "%s:", tunnel_id_print(t->spec.spi_in, id));
	show_dev(c, t->spec.ifindex);
	show_spec(c, &t->spec);
	out_uint(c->out, "generation", c->details ? " generation %" PRIu64 : NULL,
		 t->spec.generation);
	out_uint(c->out, "age_ms", c->details ? " age %" PRIu64 "ms" : NULL, t->age_ms);
	out_uint(c->out, "seq_out", c->details ? " seq-out %" PRIu64 : NULL, t->seq_out);
	out_uint(c->out, "seq_limit", c->details ? " seq-limit %" PRIu64 : NULL, t->spec.seq_limit);
	if (!counters)
		return;
	show_counters(c, "rx", &t->rx, t->last_rx_ms);
	show_counters(c, "tx", &t->tx, t->last_tx_ms);
}

void show_tunnel_brief(const struct cli *c, const struct tunnel_info *t)
{
	char id[TUNNEL_ID_LEN];

	out_str(c->out, "id", " %s", tunnel_id_print(t->spec.spi_in, id));
	show_dev(c, t->spec.ifindex);
	if (addr_is_set(&t->spec.endpoint.addr))
		show_endpoint(c, &t->spec.endpoint);
	if (t->spec.cookie[0])
		out_str(c->out, "cookie", " cookie %s", t->spec.cookie);
}

static uint64_t dropped(const struct tunnel_info *t)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < TUNNEL_DROP_COUNT; i++)
		sum += t->rx.drops[i] + t->tx.drops[i];
	return sum;
}

/* What is not known is "-" in text, and absent in JSON. */
static void show_column(const struct cli *c, const char *key, const char *value)
{
	out_str(c->out, value ? key : NULL, " %s", value ? value : "-");
}

void show_tunnel_line(const struct cli *c, const struct tunnel_info *t)
{
	const struct tunnel_spec *s = &t->spec;
	char text[ENDPOINT_STR_LEN], id[TUNNEL_ID_LEN];

	out_str(c->out, "id", "%s", tunnel_id_print(s->spi_in, id));
	show_column(c, "dev", dev_name(c, s->ifindex));
	show_column(c, "endpoint",
		    addr_is_set(&s->endpoint.addr) ? endpoint_print(&s->endpoint, text) : NULL);
	show_column(c, "near", addr_print(&s->near, text));
	show_column(c, "far", addr_print(&s->far, text));
	if (t->last_rx_ms == TUNNEL_NEVER)
		show_column(c, "last_rx_ms", NULL);
	else
		out_uint(c->out, "last_rx_ms", " %" PRIu64, t->last_rx_ms);
	out_uint(c->out, "rx_bytes", " %" PRIu64, t->rx.bytes);
	out_uint(c->out, "tx_bytes", " %" PRIu64, t->tx.bytes);
	out_uint(c->out, "drops", " %" PRIu64, dropped(t));
	show_column(c, "cookie", s->cookie[0] ? s->cookie : NULL);
}

void show_load(const struct cli *c, const struct tunnel_load *l)
{
	const struct tunnel_thresholds *t = &l->thresholds;

	show_dev(c, l->ifindex);
	out_uint(c->out, "tunnels", " tunnels %" PRIu64, l->tunnels);
	out_text(c->out, "%s", l->tunnels_above ? " (above)" : "");
	out_uint(c->out, "cpu_permille", " load %" PRIu64, l->cpu_permille);
	out_text(c->out, "%s", l->load_above ? " (above)" : "");
	out_uint(c->out, "pps", " pps %" PRIu64, l->pps);
	out_text(c->out, "\n   ");
	out_obj_begin(c->out, "thresholds");
	out_uint(c->out, "tunnels_high", " tunnels-high %" PRIu64, t->tunnels_high);
	out_uint(c->out, "tunnels_low", " tunnels-low %" PRIu64, t->tunnels_low);
	out_uint(c->out, "load_high", " load-high %" PRIu64, t->load_high);
	out_uint(c->out, "load_low", " load-low %" PRIu64, t->load_low);
	out_obj_end(c->out);
	out_bool(c->out, "tunnels_above", NULL, l->tunnels_above);
	out_bool(c->out, "load_above", NULL, l->load_above);
	if (!c->stats && !c->json)
		return;
	show_counters(c, "rx", &l->rx, TUNNEL_NEVER);
	show_counters(c, "tx", &l->tx, TUNNEL_NEVER);
}
