// SPDX-License-Identifier: GPL-2.0-or-later
/* What a process says that a hostile file server may have taken over: a message has one encoding, and that is what it was. */
#include "lib/smbmsg.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[SMB_MSG_MAX];
	const char *text = (const char *)data;
	char share[SMB_WORD_MAX];
	struct smb_msg msg;

	if (!smb_msg_decode(data, size, &msg) &&
	    (smb_msg_encode(&msg, again, sizeof(again)) != (ssize_t)size ||
	     memcmp(data, again, size)))
		abort();
	if (size && !data[size - 1] && smb_path_split(text, share, &text) && *text &&
	    !smb_name_ok(text))
		abort();
	return 0;
}
