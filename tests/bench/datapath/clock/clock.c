// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clock: the processor time that a User-mode Linux kernel has used, as /proc/bench_clock, in
 * nanoseconds. The kernel is a program of the machine below, which keeps that account: what the
 * neighbours do there and what is waited for is not in it, nor is the own time of the programs in
 * the machine, which are processes of their own below.
 */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/time64.h>
#include <uapi/linux/time.h>

#define HOST_CLOCK_GETTIME 228 /* x86-64's number of the call */

static int show(struct seq_file *s, void *v)
{
	struct __kernel_timespec ts = {};
	long ret;

	/* a call of the machine below, made by the program that this kernel is */
	asm volatile("syscall"
		     : "=a"(ret)
		     : "0"((long)HOST_CLOCK_GETTIME), "D"((long)CLOCK_PROCESS_CPUTIME_ID), "S"(&ts)
		     : "rcx", "r11", "memory");
	if (ret)
		return -EIO;
	seq_printf(s, "%lld\n", (long long)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec);
	return 0;
}

static int __init clock_init(void)
{
	return proc_create_single("bench_clock", 0444, NULL, show) ? 0 : -ENOMEM;
}

static void __exit clock_exit(void)
{
	remove_proc_entry("bench_clock", NULL);
}

module_init(clock_init);
module_exit(clock_exit);

MODULE_DESCRIPTION("Processor time of a User-mode Linux kernel, for tests/bench/datapath");
MODULE_LICENSE("GPL");
