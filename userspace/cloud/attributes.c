// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/attributes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloud/cloud.h"
#include "cloud/direct.h"
#include "cloud/jobs.h"
#include "cloud/share.h"
#include "lib/err.h"

/* ---- which service ---- */

/* Of the device's own, without its agent. */
static const struct sapi_service *own_service(const struct sapi_device *dev, enum job_kind kind)
{
	switch (kind) {
	case JOB_PRINT:
		return sapi_device_service(dev, SERVICE_IPP);
	case JOB_STORE:
	case JOB_FETCH:
		return share_service(dev);
	}
	return NULL;
}

static bool same(const struct sapi_service *a, const struct sapi_service *b)
{
	return a->port == b->port && a->tls == b->tls && !strcmp(a->path, b->path);
}

static unsigned int patience(const struct delivery *d)
{
	uint32_t attempts = d->cloud->conf->attempts;

	return attempts < ATTRIBUTES_ABSENT ? attempts : ATTRIBUTES_ABSENT;
}

/* Is the agent that was missing still the one to be looked for, and does it know nothing of the job? */
static bool is_absent(const struct delivery *d, const struct sapi_service *agent)
{
	return d->absent >= patience(d) && same(agent, &d->missing) && !job_row(d->job)->attempts &&
	       !directs_session(d->cloud->directs, job_row(d->job)->device);
}

/* A printer that has the job prints it, also when an agent is there by now. */
static const struct sapi_service *at_printer(const struct sapi_device *dev, const char **code,
					     char text[SAPI_TEXT_LEN])
{
	const struct sapi_service *service = sapi_device_service(dev, SERVICE_IPP);

	if (!service) {
		*code = "no-printer";
		snprintf(
			text, SAPI_TEXT_LEN,
			"the printer of %s that has the job is not in the registry any more; it goes nowhere else, as it could be printed twice",
			dev->code);
	}
	return service;
}

/* And so does an agent that was told of it. */
static const struct sapi_service *at_agent(const struct sapi_device *dev, const char **code,
					   char text[SAPI_TEXT_LEN])
{
	const struct sapi_service *service = sapi_device_service(dev, SERVICE_AGENT);

	if (!service) {
		*code = "no-agent";
		snprintf(
			text, SAPI_TEXT_LEN,
			"the agent of %s that has the job is not in the registry any more; it goes nowhere else, as it could be printed twice",
			dev->code);
	}
	return service;
}

const struct sapi_service *attributes_service(struct delivery *d, const struct sapi_device *dev,
					      const char **code, char text[SAPI_TEXT_LEN])
{
	const struct store_job *row = job_row(d->job);
	const struct sapi_service *agent = sapi_device_service(dev, SERVICE_AGENT);
	bool scan = row->kind == JOB_FETCH &&
		    !strncmp(row->path, SAPI_SCAN_PREFIX, strlen(SAPI_SCAN_PREFIX));
	/* No file server scans; it might have a file of that name. */
	const struct sapi_service *own = scan ? NULL : own_service(dev, row->kind);

	/* What an agent gives away by that name may be another file, or a scan, than what lies on the share. */
	d->has_own = own && row->kind != JOB_FETCH;
	if (row->printer_job || d->withdraw)
		return at_printer(dev, code, text);
	if (row->attempts && row->kind == JOB_PRINT)
		return at_agent(dev, code, text);
	if (agent && !(d->has_own && is_absent(d, agent)))
		return agent;
	if (!own) {
		*code = "unsupported-kind";
		snprintf(text, SAPI_TEXT_LEN, "the registry lists no service of %s for a %s job",
			 dev->code, job_kind_str(row->kind));
	}
	return own;
}

void attributes_agent_failed(struct delivery *d, int err)
{
	char address[ENDPOINT_STR_LEN];
	struct shunt_endpoint ep = { d->dev.address, d->service->port };

	if (!same(d->service, &d->missing))
		d->absent = 0;
	d->missing = *d->service;
	if (err == -SHUNT_EPEER || err == -SHUNT_ETLS) {
		d->absent = 0; /* somebody is there: another device, or one of another CA */
		return;
	}
	if (++d->absent != patience(d) || !d->has_own || job_row(d->job)->attempts)
		return;
	d->tries = 0; /* those of the service begin */
	job_event(d->job, "fallback", PATH_TUNNEL, "agent-absent",
		  "no agent answered at %s in %u tries; the job goes to the device's own service",
		  endpoint_print(&ep, address), d->absent);
}

/* ---- words ---- */

/* What a wrong gateway, address, kind, port, TLS or path leads to. */
static bool is_suspect(const char *code)
{
	static const char *const codes[] = {
		"agent-unreachable", "connect-failed", "no-answer",  "no-tls",
		"bad-certificate",   "bad-answer",     "not-told",   "not-found",
		"host-not-allowed",  "bad-address",    "no-printer", "login-refused",
		"not-allowed",
	};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(code, codes[i]))
			return true;
	return !strncmp(code, "http-4", 6) || !strncmp(code, "http-3", 6) ||
	       !strcmp(code, "http-501");
}

void attributes_explain(const struct delivery *d, const char *code, const char *why,
			char out[SAPI_TEXT_LEN])
{
	struct shunt_endpoint ep = { d->dev.address, 0 };
	char address[ENDPOINT_STR_LEN];
	const struct sapi_service *s = d->service;

	if (!strcmp(code, "gateway-unreachable") && s) {
		snprintf(out, SAPI_TEXT_LEN, "%.350s (the registry says that it is behind %s)", why,
			 d->dev.gateway);
		return;
	}
	if (!s || !is_suspect(code)) {
		snprintf(out, SAPI_TEXT_LEN, "%s", why);
		return;
	}
	ep.port = s->port;
	snprintf(out, SAPI_TEXT_LEN, "%.300s (the registry says %s %s at %s%s%.64s behind %s)", why,
		 service_kind_str(s->kind), s->tls ? "with TLS" : "without TLS",
		 endpoint_print(&ep, address), strcmp(s->path, "/") ? ", path " : "",
		 strcmp(s->path, "/") ? s->path : "", d->dev.gateway);
}
