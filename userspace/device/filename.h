/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filename: is a name from outside fit to be a file in one directory?
 */
#ifndef SHUNT_DEVICE_FILENAME_H
#define SHUNT_DEVICE_FILENAME_H

/* A sentence that says what is wrong with @name, or NULL when it can be created in any directory:
 * not empty, at most 200 octets (room for a suffix below NAME_MAX), valid UTF-8, no '/', no control
 * characters (C0, DEL, C1), no '.' in front. Nothing is repaired: a changed name could collide.
 */
const char *filename_fault(const char *name);

#endif
