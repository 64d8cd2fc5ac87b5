/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attributes: what the registry says of a device (7A), where the device is not so. A job is never stuck on that: it goes
 * another way that the registry names, or ends with words that say which attribute was gone by.
 *
 * The other way: an agent that does not answer, so often that it is not just being started again, is done without where the
 * device has a service of its own for the job, unless the job is known to an agent already: what that has may be printed
 * yet. Nor is it done without where somebody else answers in its place: whoever that is may have the other service, too.
 */
#ifndef SHUNT_CLOUD_ATTRIBUTES_H
#define SHUNT_CLOUD_ATTRIBUTES_H

#include "cloud/delivery_int.h"

#define ATTRIBUTES_ABSENT                                                                          \
	5 /* tries in a row in which the agent did not answer; or `attempts`, if those are fewer */

/*
 * The service of @dev that the job goes to; NULL when there is none, or none that it may go to without being printed twice,
 * which @code and @text tell.
 */
const struct sapi_service *attributes_service(struct delivery *d, const struct sapi_device *dev,
					      const char **code, char text[SAPI_TEXT_LEN]);
/* The agent did not answer through the tunnel, as @err says: the next try may do without. */
void attributes_agent_failed(struct delivery *d, int err);
/*
 * @why and, where @code is what a wrong attribute leads to, what the registry says: "... (the registry says ipp without TLS
 * at 192.168.1.20:631 behind gw1)". Before the first answer of the registry it is just @why.
 */
void attributes_explain(const struct delivery *d, const char *code, const char *why,
			char out[SAPI_TEXT_LEN]);

#endif
