// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipp/order.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *env(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && value[0] ? value : otherwise;
}

int order_parse(int argc, char *const argv[], struct order *out, struct err *e)
{
	const char *copies = env("IPP_COPIES", "");
	char *end;
	long n;

	if (argc != 4)
		return err_set(e, -SHUNT_EPARSE, "usage: shunt-ipp URI FILE NAME");
	errno = 0;
	n = strtol(copies, &end, 10);
	if (errno || *end || n > INT_MAX || (copies[0] && n < 1))
		return err_set(e, -SHUNT_EPARSE, "IPP_COPIES: \"%s\" is no number of copies",
			       copies);
	*out = (struct order){
		.uri = argv[1],
		.file = argv[2],
		.name = argv[3],
		.format = env("CONTENT_TYPE", "application/octet-stream"),
		.media = env("IPP_MEDIA", ""),
		.sides = env("IPP_SIDES", ""),
		.color = env("IPP_PRINT_COLOR_MODE", ""),
		.copies = (int)n,
	};
	return 0;
}
