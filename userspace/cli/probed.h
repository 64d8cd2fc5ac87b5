/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probed: what a device's entry in the registry becomes by what was found at the device. Pure.
 */
#ifndef SHUNT_CLI_PROBED_H
#define SHUNT_CLI_PROBED_H

#include "lib/buf.h"
#include "lib/sapi.h"

#include <stdbool.h>

#define PROBED_SPEC "probe: " /* how a spec begins that was made here, and may be made anew */

/*
 * Change @d, which may be all zero, to what @p tells: gateway and address, the best service of each kind in place of
 * the one there was, connectable if the agent answered, and spec if there is none of somebody's own. A service that did not
 * answer stays as it is; with @prune it goes, unless somebody was there who wanted a password or the like, and with the
 * agent connectable. Priority and recipient stay.
 */
void probed_apply(const struct sapi_probe *p, bool prune, struct sapi_device *d);
/* Was any service found? */
bool probed_any(const struct sapi_probe *p);

/*
 * A line for each difference, "+ service ipp:631:/ipp/print", "connectable no -> yes", appended to @out with a newline; and one
 * for each thing that may not be meant so. 0 or the buffer's error.
 */
int probed_diff(const struct sapi_device *from, const struct sapi_device *to, struct buf *out);
int probed_warn(const struct sapi_probe *p, const struct sapi_device *d, struct buf *out);
/* What is odd about an entry by itself; probed_warn() has it, too. */
int probed_odd(const struct sapi_device *d, struct buf *out);

#endif
