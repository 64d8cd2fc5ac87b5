/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * export: what a fetch job may ask for: a file in the exported directory, or a scan (seed: variant
 * "transmitting a file stored in the image forming apparatus 10 to an external device").
 *
 * The path comes from outside, and whoever can write into the directory may put links there, so the
 * kernel does the walking: openat2() with RESOLVE_BENEATH, and no links of any kind. Only regular
 * files are opened: to open a FIFO wakes who writes into it, and some devices begin to move. Opening
 * never waits. Where files are stored into the same directory, those that are not complete do not exist.
 */
#ifndef SHUNT_DEVICE_EXPORT_H
#define SHUNT_DEVICE_EXPORT_H

/* What the names of files begin with that are being stored (jobs.c). */
#define EXPORT_RESERVED ".shunt-"

/* The NAME of "scan:NAME", or NULL when @path asks for a file. */
const char *export_scan(const char *path);

/* Open @path beneath @dirfd for reading. Returns the descriptor, or -errno: -ENOENT, -EACCES,
 * -EXDEV (leads out), -EAGAIN (renamed all the time, or leased to another program), -ELOOP (a link is in the way), -EINVAL (no regular file, or not relative), and
 * those that do not speak about the file (-EMFILE, -ENOMEM).
 */
int export_open(int dirfd, const char *path);
/* What such a code says about the file, as the end of a sentence; NULL when it says nothing. */
const char *export_fault(int code);

#endif
