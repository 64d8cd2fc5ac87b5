// SPDX-License-Identifier: GPL-2.0-or-later
/* What a file server answers to the question for its quota. */
#include <stdint.h>

#include "cloud/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	quota_available((const char *)data, size);
	return 0;
}
