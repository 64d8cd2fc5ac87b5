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

/* What an administrator allows beyond what is safe whoever it was that answered. */
struct probed_leave {
	bool prune; /* what did not answer may go */
	bool clear; /* a service with TLS may become one without */
	const struct sapi_service *named; /* those that were asked for by name: kind and port count */
	size_t n_named;
};

/*
 * Change @d, which may be all zero, to what @p tells: gateway and address, the best service of each kind in place of
 * the one there was, connectable if the agent answered, and spec if there is none of somebody's own. A service that did not
 * answer stays as it is; with leave to prune it goes, unless somebody was there who wanted a password or the like, and with the
 * agent connectable. Priority and recipient stay.
 *
 * Whoever is in the device's LAN can answer for it where there is no TLS, and see to it that TLS fails. So TLS stays without
 * leave; and beside an agent, registered or found, a service of the device's own is added only if it was named, as content would go
 * there whenever the agent does not answer.
 */
void probed_apply(const struct sapi_probe *p, const struct probed_leave *leave,
		  struct sapi_device *d);
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
