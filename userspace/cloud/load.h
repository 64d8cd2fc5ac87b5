/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load: what gateways measure, for a cloud that decides (seed: second embodiment, "the usage rate
 * of the CPU 16a", "the speed of the communication line"; claims 4-5: relief).
 *
 * GET /v1/load tells how busy a gateway is, GET /v1/tunnels what each tunnel's packets have cost
 * there since it was opened, counted by its kernel; two of the latter give a tunnel's cost per
 * second. Nothing is asked unless somebody wants to know, and nothing is known of a gateway that
 * did not answer the last time.
 */
#ifndef SHUNT_CLOUD_LOAD_H
#define SHUNT_CLOUD_LOAD_H

#include <stdint.h>

struct h2;
struct loads;
struct loop;

#define LOAD_TIMEOUT_MS 5000

struct loads_conf {
	struct loop *loop;
	/* The usable connection of gateway @name, or NULL. */
	struct h2 *(*session)(const char *name, void *arg);
	/* Something about gateway @name is known that was not, or not any more. */
	void (*on_news)(const char *name, void *arg);
	void *arg;
};

enum loads_what {
	LOADS_GATEWAY = 1 << 0, /* CPU use and line */
	LOADS_TUNNELS = 1 << 1, /* each tunnel's cost */
};

int loads_new(const struct loads_conf *conf, struct loads **out); /* 0 or -ENOMEM */
void loads_free(struct loads *l); /* no callbacks; NULL is allowed */

/*
 * Ask gateway @name for @what (enum loads_what); on_news follows, never from within. A question
 * that is still open is not asked again.
 */
void loads_ask(struct loads *l, const char *name, unsigned int what);

/* Permille of all CPUs, or POLICY_CPU_UNKNOWN. */
uint32_t loads_cpu(const struct loads *l, const char *name);
/* CPUs that are online there; 0: not known. */
uint32_t loads_cpus(const struct loads *l, const char *name);
/* bit/s, or POLICY_LINE_UNKNOWN. */
uint64_t loads_line(const struct loads *l, const char *name);
/* CPU ns per second that tunnel @id costs gateway @name; 0: nothing, or not known yet. */
uint64_t loads_tunnel(const struct loads *l, const char *name, uint32_t id);

#endif
