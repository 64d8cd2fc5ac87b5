// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/probed.h"

#include <stdio.h>
#include <string.h>

#include "cli/device.h"

/* ---- what was found ---- */

static const struct sapi_probe_service *best_of(const struct sapi_probe *p, enum service_kind kind,
						bool tls)
{
	size_t i;

	for (i = 0; i < p->n_services; i++)
		if (p->services[i].found && p->services[i].at.kind == kind &&
		    (p->services[i].at.tls || !tls))
			return &p->services[i];
	return NULL;
}

static const struct sapi_probe_service *best(const struct sapi_probe *p, enum service_kind kind)
{
	return best_of(p, kind, false);
}

bool probed_any(const struct sapi_probe *p)
{
	size_t i;

	for (i = 0; i < p->n_services; i++)
		if (p->services[i].found)
			return true;
	return false;
}

/* The answer for a service of the registry, wherever it is by now; NULL: it was not asked for. */
static const struct sapi_probe_service *asked(const struct sapi_probe *p,
					      const struct sapi_service *s)
{
	size_t i;

	for (i = 0; i < p->n_services; i++)
		if (p->services[i].at.kind == s->kind && p->services[i].at.port == s->port)
			return &p->services[i];
	return NULL;
}

/* ---- services ---- */

static struct sapi_service *own(struct sapi_device *d, enum service_kind kind)
{
	size_t i;

	for (i = 0; i < d->n_services; i++)
		if (d->services[i].kind == kind)
			return &d->services[i];
	return NULL;
}

static void drop(struct sapi_device *d, struct sapi_service *s)
{
	size_t i = (size_t)(s - d->services);

	d->n_services--;
	memmove(s, s + 1, (d->n_services - i) * sizeof(*s));
}

/* Somebody is there who does not talk to us, as without a password: that says nothing against the entry. */
static bool is_shy(const struct sapi_probe_service *s)
{
	static const char *const reasons[] = {
		"http-401",  "login-refused",	"not-allowed", "no-tls",
		"not-asked", "bad-certificate", "other-key",
	};
	size_t i;

	for (i = 0; s && i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (!strcmp(s->reason, reasons[i]))
			return true;
	return false;
}

static bool is_named(const struct probed_leave *leave, const struct sapi_service *s)
{
	size_t i;

	for (i = 0; i < leave->n_named; i++)
		if (leave->named[i].kind == s->kind && leave->named[i].port == s->port)
			return true;
	return false;
}

/* @beside: there is an agent, so that nothing comes to it by itself. */
static void take_service(const struct sapi_probe *p, enum service_kind kind,
			 const struct probed_leave *leave, bool beside, struct sapi_device *d)
{
	struct sapi_service *s = own(d, kind);
	bool tls = s && s->tls && kind != SERVICE_AGENT && !leave->clear;
	const struct sapi_probe_service *found = best_of(p, kind, tls);

	if (!found) {
		if (s && leave->prune && !best(p, kind) && !is_shy(asked(p, s)))
			drop(d, s);
		return;
	}
	if (!s && (d->n_services == SAPI_SERVICES_MAX ||
		   (beside && kind != SERVICE_AGENT && !is_named(leave, &found->at))))
		return;
	if (!s)
		s = &d->services[d->n_services++];
	*s = found->at;
}

/* ---- spec ---- */

/* All of it, or nothing: a name that is cut in the middle of a character could not be stored. */
static void add(char spec[SAPI_SPEC_LEN], const char *before, const char *text)
{
	size_t len = strlen(spec);

	if (text[0] && len + strlen(before) + strlen(text) < SAPI_SPEC_LEN)
		sprintf(spec + len, "%s%s", before, text);
}

static void add_words(char spec[SAPI_SPEC_LEN], const char *what, const struct sapi_words *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		add(spec, i ? " " : what, w->v[i]);
}

static void make_spec(const struct sapi_probe *p, char spec[SAPI_SPEC_LEN])
{
	const struct sapi_probe_service *agent = best(p, SERVICE_AGENT);
	const struct sapi_probe_service *printer = best(p, SERVICE_IPP);
	const struct sapi_probe_service *server = best(p, SERVICE_WEBDAV);

	strcpy(spec, PROBED_SPEC);
	if (printer) {
		add(spec, "", printer->model[0] ? printer->model : "printer");
		add_words(spec, "; formats ", &printer->formats);
		add_words(spec, "; sides ", &printer->sides);
		add_words(spec, "; colors ", &printer->colors);
		add_words(spec, "; media ", &printer->media);
	}
	if (server)
		add(spec, printer ? "; WebDAV " : "WebDAV ", server->dav);
	if (best(p, SERVICE_SMB))
		add(spec, printer || server ? "; " : "", "SMB");
	if (agent)
		add(spec, printer || server || best(p, SERVICE_SMB) ? "; agent " : "agent ",
		    agent->version);
}

void probed_apply(const struct sapi_probe *p, const struct probed_leave *leave,
		  struct sapi_device *d)
{
	const struct sapi_probe_service *agent = best(p, SERVICE_AGENT);
	bool beside = agent || own(d, SERVICE_AGENT);
	const struct enum_name *kind;

	if (!d->code[0]) {
		memcpy(d->code, p->device, sizeof(d->code));
		d->priority = SAPI_PRIORITY_DEFAULT;
	}
	memcpy(d->gateway, p->gateway, sizeof(d->gateway));
	d->address = p->address;
	for (kind = service_kind_names; kind->name; kind++)
		take_service(p, (enum service_kind)kind->value, leave, beside, d);
	if (agent)
		d->connectable = agent->connectable;
	else if (!own(d, SERVICE_AGENT))
		d->connectable = false; /* there is nobody to be asked to */
	if (probed_any(p) &&
	    (!d->spec[0] || !strncmp(d->spec, PROBED_SPEC, sizeof(PROBED_SPEC) - 1)))
		make_spec(p, d->spec);
}

/* ---- differences ---- */

static bool same(const struct sapi_service *a, const struct sapi_service *b)
{
	return a && b && a->kind == b->kind && a->port == b->port && a->tls == b->tls &&
	       !strcmp(a->path, b->path);
}

static void diff_services(const struct sapi_device *from, const struct sapi_device *to, char sign,
			  struct buf *out)
{
	char text[DEVICE_SERVICE_LEN];
	const struct sapi_service *s;
	size_t i;

	for (i = 0; i < from->n_services; i++) {
		s = &from->services[i];
		if (!same(s, sapi_device_service(to, s->kind)))
			buf_printf(out, "%c service %s\n", sign, device_service_str(s, text));
	}
}

static void diff_text(const char *what, const char *from, const char *to, struct buf *out)
{
	if (strcmp(from, to))
		buf_printf(out, "%s %s -> %s\n", what, from[0] ? from : "-", to[0] ? to : "-");
}

int probed_diff(const struct sapi_device *from, const struct sapi_device *to, struct buf *out)
{
	char a[ADDR_STR_LEN], b[ADDR_STR_LEN];

	diff_text("gateway", from->gateway, to->gateway, out);
	diff_text("address", addr_is_set(&from->address) ? addr_print(&from->address, a) : "",
		  addr_is_set(&to->address) ? addr_print(&to->address, b) : "", out);
	diff_services(from, to, '-', out);
	diff_services(to, from, '+', out);
	diff_text("connectable", from->connectable ? "yes" : "no", to->connectable ? "yes" : "no",
		  out);
	diff_text("spec", from->spec, to->spec, out);
	return out->error;
}

/* ---- what may not be meant so ---- */

int probed_odd(const struct sapi_device *d, struct buf *out)
{
	if (d->connectable && !sapi_device_service(d, SERVICE_AGENT))
		buf_printf(out, "connectable: means nothing without a service agent\n");
	if (d->recipient[0] && !sapi_device_service(d, SERVICE_WEBDAV) &&
	    !sapi_device_service(d, SERVICE_SMB))
		buf_printf(
			out,
			"recipient: is for files on a webdav or smb service, and there is none%s\n",
			sapi_device_service(d, SERVICE_AGENT) ?
				"; an agent encrypts by itself (its encrypt-to)" :
				"");
	return out->error;
}

/* What was found and is not in the entry, for the best of each kind. */
static void warn_left(const struct sapi_probe *p, const struct sapi_device *d, struct buf *out)
{
	const struct sapi_probe_service *found;
	char text[DEVICE_SERVICE_LEN];
	const struct sapi_service *s;
	const struct enum_name *kind;

	for (kind = service_kind_names; kind->name; kind++) {
		found = best(p, (enum service_kind)kind->value);
		s = sapi_device_service(d, (enum service_kind)kind->value);
		if (!found)
			continue;
		device_service_str(&found->at, text);
		if (!s && sapi_device_service(d, SERVICE_AGENT))
			buf_printf(
				out,
				"service %s: was found beside the agent, and is added only with --service\n",
				text);
		else if (s && s->tls && !found->at.tls)
			buf_printf(
				out,
				"service %s: was found without TLS, which the entry says that it has: it stays, unless with --allow-clear\n",
				text);
	}
}

int probed_warn(const struct sapi_probe *p, const struct sapi_device *d, struct buf *out)
{
	const struct sapi_probe_service *s;
	char text[DEVICE_SERVICE_LEN];
	size_t i;

	for (i = 0; i < d->n_services; i++) {
		s = asked(p, &d->services[i]);
		if (s && !s->found)
			buf_printf(out, "service %s: was not found (%s), and stays\n",
				   device_service_str(&d->services[i], text), s->reason);
	}
	warn_left(p, d, out);
	return probed_odd(d, out);
}
