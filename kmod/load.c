// SPDX-License-Identifier: GPL-2.0
#include "load.h"
#include "device.h"
#include "report.h"

#include <linux/math64.h>
#include <linux/timekeeping.h>

#define INTERVAL	HZ

/* Weight of a new second in the averages, in 1/16: they follow within about five seconds. */
#define WEIGHT		3

#define SCALE		256

/* Announces what @value has come to, once per crossing. */
static void evaluate(struct shunt_dev *shunt, const struct shunt_mark *mark, u32 value, u32 flag,
		     u8 on_high, u8 on_low)
{
	struct shunt_load *load = &shunt->load;

	if (!mark->high) {
		load->above &= ~flag;
	} else if (!(load->above & flag) && value >= mark->high) {
		load->above |= flag;
		shunt_report_load(shunt, on_high);
	} else if ((load->above & flag) && value <= mark->low) {
		load->above &= ~flag;
		shunt_report_load(shunt, on_low);
	}
}

static void evaluate_busy(struct shunt_dev *shunt)
{
	evaluate(shunt, &shunt->load.busy_mark, shunt_load_busy(&shunt->load), SHUNT_ABOVE_LOAD,
		 SHUNT_THRESHOLD_LOAD_HIGH, SHUNT_THRESHOLD_LOAD_LOW);
}

/**
 * shunt_load_count() - the number of tunnels changed
 * @shunt: device; its lock is held
 */
void shunt_load_count(struct shunt_dev *shunt)
{
	evaluate(shunt, &shunt->load.tunnels, shunt->count, SHUNT_ABOVE_TUNNELS,
		 SHUNT_THRESHOLD_TUNNELS_HIGH, SHUNT_THRESHOLD_TUNNELS_LOW);
}

static void average(u32 *avg, u64 sample)
{
	u64 sum = (u64)*avg * (16 - WEIGHT) + min_t(u64, sample, U32_MAX / SCALE) * SCALE * WEIGHT;

	WRITE_ONCE(*avg, sum / 16);
}

static void measure(struct shunt_dev *shunt)
{
	struct shunt_load *load = &shunt->load;
	struct shunt_sum rx, tx;
	u64 now, time, cpu, packets;

	shunt_stats_sum(shunt->stats, SHUNT_RX, &rx);
	shunt_stats_sum(shunt->stats, SHUNT_TX, &tx);
	now = ktime_get_ns();
	cpu = rx.cpu_ns + tx.cpu_ns;
	packets = rx.packets + tx.packets;
	time = now - load->last_time;
	if (load->last_time && time) {
		average(&load->busy, div64_u64((cpu - load->last_cpu) * 1000, time));
		average(&load->pps, mul_u64_u64_div_u64(packets - load->last_packets,
							NSEC_PER_SEC, time));
	}
	load->last_time = now;
	load->last_cpu = cpu;
	load->last_packets = packets;
}

static void work(struct work_struct *w)
{
	struct shunt_dev *shunt = container_of(w, struct shunt_dev, load.work.work);

	mutex_lock(&shunt->lock);
	measure(shunt);
	evaluate_busy(shunt);
	mutex_unlock(&shunt->lock);
	schedule_delayed_work(&shunt->load.work, INTERVAL);
}

/**
 * shunt_load_init() - prepare a new device
 * @shunt: device
 */
void shunt_load_init(struct shunt_dev *shunt)
{
	INIT_DELAYED_WORK(&shunt->load.work, work);
}

/**
 * shunt_load_start() - begin measuring, as the device comes up
 * @shunt: device
 */
void shunt_load_start(struct shunt_dev *shunt)
{
	schedule_delayed_work(&shunt->load.work, 0);
}

/**
 * shunt_load_stop() - stop measuring, as the device goes down
 * @shunt: device; its lock is not held. It is not busy any more
 */
void shunt_load_stop(struct shunt_dev *shunt)
{
	cancel_delayed_work_sync(&shunt->load.work);
	mutex_lock(&shunt->lock);
	WRITE_ONCE(shunt->load.busy, 0);
	WRITE_ONCE(shunt->load.pps, 0);
	shunt->load.last_time = 0;
	evaluate_busy(shunt);
	mutex_unlock(&shunt->lock);
}

/**
 * shunt_load_set() - set thresholds, and announce what they are crossed by already
 * @shunt: device; its lock is held
 * @tunnels: number of tunnels
 * @busy: permille of one CPU
 */
void shunt_load_set(struct shunt_dev *shunt, const struct shunt_mark *tunnels,
		    const struct shunt_mark *busy)
{
	shunt->load.tunnels = *tunnels;
	shunt->load.busy_mark = *busy;
	shunt_load_count(shunt);
	evaluate_busy(shunt);
}

/**
 * shunt_load_busy() - how busy the device is
 * @load: of the device
 *
 * Return: CPU time in permille of one CPU, moving average.
 */
u32 shunt_load_busy(const struct shunt_load *load)
{
	return READ_ONCE(load->busy) / SCALE;
}

/**
 * shunt_load_pps() - how many packets the device carries
 * @load: of the device
 *
 * Return: inner packets of both directions per second, moving average.
 */
u32 shunt_load_pps(const struct shunt_load *load)
{
	return READ_ONCE(load->pps) / SCALE;
}
