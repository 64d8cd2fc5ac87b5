/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: the one transfer that this process is there for, as lib/smbmsg.h says it.
 *
 * A put goes to a temporary name beside its place, made with the directories that lead there, and from there into place when
 * it is whole. What of it is there from a try before is gone on with, up to where the cloud knows that the server had it, if two
 * blocks of it (SESSION_TAIL) are what the content has there: its end, as a server that had lost power may have kept the length and lost
 * octets; and one that is elsewhere for each job, as the end may be zeros, and the file one that the server made as long as it was to be,
 * with a hole. A server that does not know yet that the connection of that try is no more holds its file open, so that it can be read,
 * but not moved: then the server copies it, and the copy is gone on with.
 * Of the other nothing is left but, if it can still not be removed at the end, its name.
 */
#ifndef SHUNT_SMB_SESSION_H
#define SHUNT_SMB_SESSION_H

#include "lib/err.h"
#include "lib/smbmsg.h"

#define SESSION_TRIES 8 /* whose files may be held so */
#define SESSION_TAIL ((size_t)64 << 10)
#define SESSION_PIECE_MIN                                                                          \
	((size_t)64 << 10) /* octets of one request; between these, about one in a second */
#define SESSION_PIECE_MAX ((size_t)SMB_WANT_MAX)

/* All of it, with START read from @control and DONE written. 0, or a negative code with @e when the cloud went away or made no sense. */
int session_run(int control, int server, struct err *e);

#endif
