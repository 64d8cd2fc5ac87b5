/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: what `shunt device` and its parts share: the registry's entries on the command line and in print.
 */
#ifndef SHUNT_CLI_DEVICE_H
#define SHUNT_CLI_DEVICE_H

#include "cli/cli.h"
#include "lib/buf.h"
#include "lib/sapi.h"

/* Is it a device's code? CLI_OK, or CLI_USAGE when that was said. */
int device_check_code(struct cli *c, const char *code);
/* KIND:PORT[:tls][:/PATH] behind the @n services of @v. 0, -E2BIG or -EINVAL with the reason in @e. */
int device_parse_service(const char *value, struct sapi_service v[SAPI_SERVICES_MAX], size_t *n,
			 struct err *e);

/* "ipp:631:tls:/ipp/print" */
#define DEVICE_SERVICE_LEN (SAPI_SERVICE_PATH_LEN + 32)
char *device_service_str(const struct sapi_service *s, char out[DEVICE_SERVICE_LEN]);

/* shunt device probe */
int device_probe(struct cli *c, struct args *a);
/* shunt device files */
int device_files(struct cli *c, struct args *a);

#endif
