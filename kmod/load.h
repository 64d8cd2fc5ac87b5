/* SPDX-License-Identifier: GPL-2.0 */
/* How busy a device is, and the thresholds that announce it. */
#ifndef SHUNT_LOAD_H
#define SHUNT_LOAD_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct shunt_dev;

/* A pair of marks with hysteresis: high is announced, then low, then high again. */
struct shunt_mark {
	u32 high; /* 0: off */
	u32 low; /* below @high */
};

/* All of it under the device's lock. */
struct shunt_load {
	struct shunt_mark tunnels; /* number */
	struct shunt_mark busy_mark; /* permille of one CPU */
	u32 above; /* enum shunt_above */

	/* moving averages in 1/256; readable without the lock */
	u32 busy; /* permille of one CPU */
	u32 pps; /* packets per second */
	u64 last_time; /* ns, monotonic; 0 before the first interval */
	u64 last_cpu; /* ns */
	u64 last_packets;
	struct delayed_work work;
};

void shunt_load_init(struct shunt_dev *shunt);
void shunt_load_start(struct shunt_dev *shunt);
void shunt_load_stop(struct shunt_dev *shunt);
void shunt_load_count(struct shunt_dev *shunt);
void shunt_load_set(struct shunt_dev *shunt, const struct shunt_mark *tunnels,
		    const struct shunt_mark *busy);
u32 shunt_load_busy(const struct shunt_load *load);
u32 shunt_load_pps(const struct shunt_load *load);

#endif /* SHUNT_LOAD_H */
