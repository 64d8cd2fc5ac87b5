// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What gateways and agents send the cloud on their event streams: lines, cut anywhere, decoded as
 * either kind of event. The first octet says how the rest is cut.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cloud/ndjson.h"
#include "lib/sapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_line(const char *line, size_t len, void *arg)
{
	struct sapi_gateway_event gateway;
	struct sapi_state_event state;
	size_t *lines = arg;

	assert(len && len <= NDJSON_LINE_MAX && !memchr(line, '\n', len));
	(*lines)++;
	if (!sapi_gateway_event_decode(line, len, &gateway, NULL))
		sapi_gateway_event_fini(&gateway);
	if (!sapi_state_event_decode(line, len, &state, NULL))
		sapi_state_event_fini(&state);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ndjson n;
	size_t lines = 0, step, i, newlines = 0;

	if (!size)
		return 0;
	step = data[0] + 1u;
	ndjson_init(&n, on_line, &lines);
	for (i = 1; i < size; i += step)
		if (ndjson_feed(&n, data + i, size - i < step ? size - i : step))
			break;
	ndjson_fini(&n);
	for (i = 1; i < size; i++)
		newlines += data[i] == '\n';
	assert(lines <= newlines);
	return 0;
}
