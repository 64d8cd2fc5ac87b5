// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/problem.h"

#include <stdio.h>
#include <string.h>

#include "lib/err.h"

int problem_of_reply(const struct h2_reply *reply, const char *who, struct problem *p)
{
	struct sapi_problem remote;

	memset(p, 0, sizeof(*p));
	p->status = reply->status;
	if (reply->err) {
		snprintf(p->code, sizeof(p->code), "no-answer");
		snprintf(p->text, sizeof(p->text), "%s: %s", who, reply->why ? reply->why : "?");
		return reply->err;
	}
	if (reply->status >= 200 && reply->status < 300)
		return 0;
	snprintf(p->code, sizeof(p->code), "http-%d", reply->status);
	snprintf(p->text, sizeof(p->text), "%s: HTTP status %d", who, reply->status);
	if (reply->type && !strncmp(reply->type, "application/problem+json", 24) &&
	    !sapi_problem_decode(reply->body, reply->len, &remote, NULL)) {
		if (remote.code[0])
			memcpy(p->code, remote.code, sizeof(p->code));
		if (remote.detail[0])
			snprintf(p->text, sizeof(p->text), "%.63s: %.440s", who, remote.detail);
		sapi_problem_fini(&remote);
	}
	return -SHUNT_EREMOTE;
}
