/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smb: cloud/share.h over SMB 2 and 3, carried by shunt-smb (lib/smbmsg.h), one process (cloud/helper.h) for each call.
 *
 * The base is "/share" or "/share/dir"; the user may be "DOMAIN\NAME". What was put of a file before is gone on with. A
 * version is the file's size and time of change, which is what there is. Two things are not as with WebDAV, because of how
 * libsmbclient renames: where a file is replaced there is none of that name for one round trip; and where it must not be, one
 * that comes in the last round trip before the end is, all the same.
 */
#ifndef SHUNT_CLOUD_SMB_H
#define SHUNT_CLOUD_SMB_H

#include "cloud/share.h"

#define SMB_ABORT_MS 4000 /* for the temporary file to be taken away */

extern const struct share_protocol smb_protocol;

/* The path of shunt-smb where no other is configured: beside this program. 0 or -errno. */
int smb_default_helper(char *out, size_t size);

#endif
