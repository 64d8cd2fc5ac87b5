// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/share.h"

#include <string.h>

#include "cloud/smb.h"
#include "cloud/webdav.h"
#include "lib/sapi.h"

static const struct share_protocol *const protocols[] = {
	&webdav_protocol,
	&smb_protocol,
};
#define N_PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

const struct share_protocol *share_protocol(enum service_kind kind)
{
	for (size_t i = 0; i < N_PROTOCOLS; i++)
		if (protocols[i]->kind == kind)
			return protocols[i];
	return NULL;
}

const struct sapi_service *share_service(const struct sapi_device *dev)
{
	for (size_t i = 0; i < dev->n_services; i++)
		if (share_protocol(dev->services[i].kind))
			return &dev->services[i];
	return NULL;
}

bool share_name_ok(const char *name)
{
	const char *p, *end;
	size_t len;

	if (!*name || !utf8_ok(name, strlen(name)))
		return false;
	/* The servers of some systems take "\\" for "/", so that "..\\.." would lead out of the base. */
	for (p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return false;
	for (p = name;; p = end + 1) {
		end = strchrnul(p, '/');
		len = (size_t)(end - p);
		if (!len || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!*end)
			return true;
	}
}

void share_abort(struct share_call *call)
{
	call->protocol->abort(call);
}

void share_free(struct share_call *call)
{
	if (call)
		call->protocol->free(call);
}
