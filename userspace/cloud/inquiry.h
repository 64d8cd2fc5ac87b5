/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inquiry: what one service of a device is, found by asking it through a tunnel: an agent its hello, a printer
 * Get-Printer-Attributes (RFC 8011 4.2.5), a file server OPTIONS and PROPFIND (RFC 4918 10.1, RFC 4331), an SMB share
 * what is in it.
 *
 * What is said of the service beforehand is a guess: TLS and none, the path and the usual ones are tried in turn; but whoever
 * is known to do TLS (`tls_only`, a pin) is asked with it only, as anybody in its LAN could break that and answer in clear. Nothing
 * there is changed. Each request (but for SMB's) ends within INQUIRY_MS, its answer is bounded in octets, and there are at most two for
 * each of both ways and four paths.
 */
#ifndef SHUNT_CLOUD_INQUIRY_H
#define SHUNT_CLOUD_INQUIRY_H

#include "lib/addr.h"
#include "lib/sapi.h"

#include <stdbool.h>

struct credentials;
struct http;
struct inquiry;
struct loop;
struct tls_ctx;

#define INQUIRY_MS 4000
#define INQUIRY_REPLY_MAX ((size_t)64 << 10) /* octets of a file server's answer */

struct inquiry_conf {
	struct loop *loop;
	struct http *http;
	struct tls_ctx *tls; /* for an agent */
	const char *smb_helper; /* for a share; as in share.h */
	const char *
		device; /* an agent's certificate must have that name, a server's none or that; outlives the inquiry */
	struct shunt_addr address, source;
	/* Where those that a file server or printer may be given are at any time; NULL: it is given none. */
	struct credentials *const *credentials;
	bool clear_login; /* they may go without TLS, too (by Digest) */
	bool tls_only; /* a printer or file server is not asked without TLS */
	const char *
		pin; /* see struct http_target; outlives the inquiry; NULL: none; else it is tls_only, too */
};

/*
 * Ask for the service @answer->at, whose path "" means the usual ones. @answer outlives the inquiry and is filled when @done
 * is called, from the loop: found or not, with a reason. The inquiry is then over, and still to be freed. 0 or -ENOMEM.
 */
int inquiry_new(const struct inquiry_conf *conf, struct sapi_probe_service *answer,
		void (*done)(struct inquiry *q, void *arg), void *arg, struct inquiry **out);
/* Ends it without @done; not from within a callback of its own but @done. NULL is allowed. */
void inquiry_free(struct inquiry *q);

#endif
