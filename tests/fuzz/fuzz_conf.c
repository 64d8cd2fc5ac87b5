// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration files: what is accepted prints to a file that means the same. */
#include "lib/conf.h"
#include "lib/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct prog {
	char *path, *name, *text;
	uint32_t num;
	uint64_t rate;
	struct shunt_addr addr;
	struct shunt_endpoint listen;
	struct shunt_prefix pool;
	struct conf_list list;
	struct conf_prefixes lan;
	struct policy_settings policy;
};

static const struct conf_row table[] = {
	CONF_VALUE(CONF_PATH, "path", struct prog, path, NULL, 0, "a path"),
	CONF_VALUE(CONF_NAME, "name", struct prog, name, NULL, 0, "a name"),
	CONF_VALUE(CONF_STRING, "text", struct prog, text, NULL, 0, "a text"),
	CONF_VALUE(CONF_U32, "num", struct prog, num, "7", 0, "a number"),
	CONF_VALUE(CONF_RATE, "rate", struct prog, rate, "1gbit", 0, "a rate"),
	CONF_VALUE(CONF_ADDR, "addr", struct prog, addr, NULL, 0, "an address"),
	CONF_VALUE(CONF_ENDPOINT, "listen", struct prog, listen, NULL, 0, "an endpoint"),
	CONF_VALUE(CONF_PREFIX, "pool", struct prog, pool, NULL, 0, "a prefix"),
	CONF_VALUE(CONF_LIST, "list", struct prog, list, "a, b", 0, "a list"),
	CONF_VALUE(CONF_PREFIXES, "lan", struct prog, lan, NULL, 0, "prefixes"),
	POLICY_CONF(struct prog, policy),
	CONF_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct prog p, q;
	struct err e = { 0 };

	if (conf_parse("fuzz", (const char *)data, size, table, &p, &e)) {
		if (strncmp(e.text, "fuzz:", 5))
			abort(); /* an error that does not say where */
		return 0;
	}
	if (conf_print(table, &p, &first) ||
	    conf_parse("again", buf_str(&first), first.len, table, &q, &e) ||
	    conf_print(table, &q, &second) || strcmp(buf_str(&first), buf_str(&second)))
		abort();
	conf_free(table, &p);
	conf_free(table, &q);
	buf_fini(&first);
	buf_fini(&second);
	return 0;
}
