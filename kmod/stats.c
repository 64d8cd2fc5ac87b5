// SPDX-License-Identifier: GPL-2.0
#include "stats.h"
#include "compat.h"

/**
 * shunt_drop_str() - name a reason, for debug messages
 * @why: the reason
 *
 * Return: its name, as netlink's specification has it.
 */
const char *shunt_drop_str(enum shunt_drop why)
{
	static const char *const names[SHUNT_DROPS] = {
		[SHUNT_DROP_AUTH] = "auth",
		[SHUNT_DROP_REPLAY] = "replay",
		[SHUNT_DROP_SCOPE] = "scope",
		[SHUNT_DROP_MALFORMED] = "malformed",
		[SHUNT_DROP_TOOBIG] = "toobig",
		[SHUNT_DROP_NOROUTE] = "noroute",
		[SHUNT_DROP_NOMEM] = "nomem",
		[SHUNT_DROP_STALE] = "stale",
	};

	return names[why];
}

/**
 * shunt_stats_alloc() - make counters, all zero
 *
 * Return: counters for free_percpu(), or NULL.
 */
struct shunt_stats __percpu *shunt_stats_alloc(void)
{
	return netdev_alloc_pcpu_stats(struct shunt_stats);
}

/**
 * shunt_stats_packets() - count packets carried
 * @stats: counters; bottom halves are off
 * @dir: direction
 * @packets: number of inner packets
 * @bytes: their octets
 */
void shunt_stats_packets(struct shunt_stats __percpu *stats, enum shunt_dir dir,
			 unsigned int packets, unsigned int bytes)
{
	struct shunt_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->dir[dir].packets, packets);
	u64_stats_add(&s->dir[dir].bytes, bytes);
	u64_stats_update_end(&s->syncp);
}

/**
 * shunt_stats_drop() - count packets dropped
 * @stats: counters; bottom halves are off
 * @dir: direction
 * @why: the reason, not SHUNT_PASS
 * @packets: number of packets
 */
void shunt_stats_drop(struct shunt_stats __percpu *stats, enum shunt_dir dir,
		      enum shunt_drop why, unsigned int packets)
{
	struct shunt_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->dir[dir].drops[why], packets);
	u64_stats_update_end(&s->syncp);
}

/**
 * shunt_stats_fragmented() - count a packet whose capsule is fragmented
 * @stats: counters; bottom halves are off
 * @dir: direction
 */
void shunt_stats_fragmented(struct shunt_stats __percpu *stats, enum shunt_dir dir)
{
	struct shunt_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_inc(&s->dir[dir].fragmented);
	u64_stats_update_end(&s->syncp);
}

/**
 * shunt_stats_cpu() - count CPU time
 * @stats: counters; bottom halves are off
 * @dir: direction
 * @ns: nanoseconds spent
 */
void shunt_stats_cpu(struct shunt_stats __percpu *stats, enum shunt_dir dir, u64 ns)
{
	struct shunt_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->dir[dir].cpu_ns, ns);
	u64_stats_update_end(&s->syncp);
}

static void sum_add(struct shunt_sum *sum, const struct shunt_count *c)
{
	int i;

	sum->packets += u64_stats_read(&c->packets);
	sum->bytes += u64_stats_read(&c->bytes);
	sum->cpu_ns += u64_stats_read(&c->cpu_ns);
	sum->fragmented += u64_stats_read(&c->fragmented);
	for (i = 0; i < SHUNT_DROPS; i++)
		sum->drops[i] += u64_stats_read(&c->drops[i]);
}

/**
 * shunt_stats_sum() - add up the CPUs' counters
 * @stats: counters
 * @dir: direction
 * @sum: result; each CPU's part is consistent in itself
 */
void shunt_stats_sum(const struct shunt_stats __percpu *stats, enum shunt_dir dir,
		     struct shunt_sum *sum)
{
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		const struct shunt_stats *s = per_cpu_ptr(stats, cpu);
		struct shunt_sum before = *sum;
		unsigned int start;

		do {
			*sum = before;
			start = shunt_stats_begin(&s->syncp);
			sum_add(sum, &s->dir[dir]);
		} while (shunt_stats_retry(&s->syncp, start));
	}
}
