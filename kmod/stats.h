/* SPDX-License-Identifier: GPL-2.0 */
/* Counters of a tunnel and of a device: per CPU, written with bottom halves off, without locks. */
#ifndef SHUNT_STATS_H
#define SHUNT_STATS_H

#include <linux/types.h>
#include <linux/percpu.h>
#include <linux/shunt.h>
#include <linux/u64_stats_sync.h>

enum shunt_dir {
	SHUNT_RX, /* out of the tunnel */
	SHUNT_TX, /* into the tunnel */
	SHUNT_DIRS
};

/* What became of a packet; the reasons are numbered as netlink reports them. */
enum shunt_drop {
	SHUNT_PASS,
	SHUNT_DROP_AUTH = SHUNT_A_DROPS_AUTH,
	SHUNT_DROP_REPLAY = SHUNT_A_DROPS_REPLAY,
	SHUNT_DROP_SCOPE = SHUNT_A_DROPS_SCOPE,
	SHUNT_DROP_MALFORMED = SHUNT_A_DROPS_MALFORMED,
	SHUNT_DROP_TOOBIG = SHUNT_A_DROPS_TOOBIG,
	SHUNT_DROP_NOROUTE = SHUNT_A_DROPS_NOROUTE,
	SHUNT_DROP_NOMEM = SHUNT_A_DROPS_NOMEM,
	SHUNT_DROP_STALE = SHUNT_A_DROPS_STALE,
	SHUNT_DROPS
};

/* One direction's counters of one CPU. */
struct shunt_count {
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t cpu_ns;
	u64_stats_t fragmented;
	u64_stats_t drops[SHUNT_DROPS];
};

struct shunt_stats {
	struct shunt_count dir[SHUNT_DIRS];
	struct u64_stats_sync syncp;
};

/* The sum over all CPUs of one direction. */
struct shunt_sum {
	u64 packets;
	u64 bytes; /* inner, from the IP header on */
	u64 cpu_ns;
	u64 fragmented; /* of @packets, those whose capsule was too big to leave whole */
	u64 drops[SHUNT_DROPS]; /* [SHUNT_PASS] is unused */
};

const char *shunt_drop_str(enum shunt_drop why);
struct shunt_stats __percpu *shunt_stats_alloc(void);
void shunt_stats_packets(struct shunt_stats __percpu *stats, enum shunt_dir dir,
			 unsigned int packets, unsigned int bytes);
void shunt_stats_drop(struct shunt_stats __percpu *stats, enum shunt_dir dir,
		      enum shunt_drop why, unsigned int packets);
void shunt_stats_fragmented(struct shunt_stats __percpu *stats, enum shunt_dir dir);
void shunt_stats_cpu(struct shunt_stats __percpu *stats, enum shunt_dir dir, u64 ns);
void shunt_stats_sum(const struct shunt_stats __percpu *stats, enum shunt_dir dir,
		     struct shunt_sum *sum);

#endif /* SHUNT_STATS_H */
