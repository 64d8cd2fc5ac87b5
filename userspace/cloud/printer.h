/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printer: one job's life at a printer without agent (RFC 8011), through a tunnel.
 *
 *	look at the printer ─▶ does it have the job already? ─▶ Create-Job ─▶ its number is durable ─▶
 *	Send-Document ─▶ follow the job until it is completed, canceled or aborted
 *
 * Never printed twice. Create-Job prints nothing and may be repeated; Send-Document begins only when
 * whoever owns the job has the printer's number of it on disk. When it breaks off, the printer is asked
 * under that number, also after a restart, and what it says decides (cloud/verdict.h): it has all of
 * it, so it is followed; it has none, or a part of which it says that nothing was printed, so that job is canceled
 * there and another made; or it cannot say, and then the job fails. The number counts only with the
 * job's name, which begins with our id: a printer that was switched off may give its numbers again.
 *
 * The document itself is sent by cloud/document.h.
 *
 * A printer that waits for somebody (out of paper, stopped, busy) is asked at growing intervals, at
 * most every PRINTER_ASK_MAX_MS, and each such question is two round trips. After `patience` the
 * owner is told (PRINTER_WAITS) and may give the tunnel up and come back later; only a document that
 * a printer takes no further, because it prints while it reads, keeps its tunnel until it does.
 */
#ifndef SHUNT_CLOUD_PRINTER_H
#define SHUNT_CLOUD_PRINTER_H

#include "cloud/ipp.h"
#include "lib/addr.h"
#include "lib/sapi.h"

#include <stdbool.h>
#include <stdint.h>

struct http;
struct loop;
struct printer;

#define PRINTER_REQUEST_MS 30000 /* anything but a document */
#define PRINTER_ASK_MIN_MS 100 /* between two questions, at first and after each change */
#define PRINTER_ASK_MAX_MS 10000
#define PRINTER_STALL_MS                                                                           \
	300000 /* a document that does not move for so long, and nobody knows why */
#define PRINTER_FAILURES 3 /* questions in a row without answer */
#define PRINTER_AGAIN 3 /* documents that may break off before anything of them is printed */

struct printer_conf {
	struct loop *loop;
	struct http *http;
	struct shunt_addr address, source;
	uint16_t port;
	bool tls;
	const char *path; /* of the printer: "/ipp/print" */
	const char *device; /* whose it is */
	const char *user, *password, *pin; /* see struct http_target; NULL: none */
	const char *job; /* our id */
	const char *name; /* of the document */
	const char *type; /* its media type */
	const char *owner; /* on whose behalf */
	const struct sapi_print *print;
	int fd; /* content, open until the end */
	uint64_t size;
	uint32_t number; /* the printer's, from an earlier try; 0: none */
	bool told; /* there was an earlier try: it may have a job of ours whose number we never learnt */
	bool accepted; /* it confirmed that it has the whole document */
	bool partial; /* not all of the document can have reached it: on_partial() told in an earlier try */
	bool withdrawn; /* on_withdrawn() told in an earlier try */
	bool unremembered; /* how much of it was sent, or whether it was withdrawn, nobody remembers: @number is from before a restart */
	uint64_t patience; /* ms that it may wait for somebody before PRINTER_WAITS; 0: for ever */
}; /* strings and @print live as long as the printer */

enum printer_end {
	PRINTER_COMPLETED,
	PRINTER_CANCELED, /* by somebody at the printer */
	PRINTER_ABORTED, /* the printer gave the job up */
	PRINTER_REFUSED, /* it does not take such a job */
	PRINTER_UNSURE, /* some of it may be printed, and nobody can say */
	PRINTER_LOST, /* no answer, or it lets nobody ask of the job that it has: to be tried again */
	PRINTER_WAITS, /* it waits for somebody: to be looked at again later */
	PRINTER_WITHDRAWN, /* after printer_cancel() */
};

struct printer_ops {
	/* Bytes [from, to) of the content are being sent. */
	void (*on_wire)(uint64_t from, uint64_t to, void *arg);
	/* So many have arrived; all of them only when the printer has confirmed the document. */
	void (*on_progress)(uint64_t bytes, void *arg);
	/* Its number there (0: none any more): to be made durable, then printer_kept(). */
	void (*on_number)(uint32_t number, void *arg);
	/* It has the whole document; or not all of it left this host before that ended, also by printer_free(). */
	void (*on_accepted)(void *arg);
	void (*on_partial)(void *arg);
	/* Its incomplete job is being canceled there, by us. */
	void (*on_withdrawn)(void *arg);
	/* What the printer says of the job, when it changes; @waits: it goes no further by itself. */
	void (*on_state)(bool waits, const char *text, void *arg);
	/* Over; the printer is freed after this returns. @code: kebab-case word, @text for people. */
	void (*on_done)(enum printer_end end, const char *code, const char *text, void *arg);
};

/* Callbacks come from the loop only. 0 or a negative code. */
int printer_new(const struct printer_conf *conf, const struct printer_ops *ops, void *arg,
		struct printer **out);
/* What on_number() told is on disk; @err: it is not, and nothing is sent. */
void printer_kept(struct printer *p, int err);
/* Cancel the job there, if it has it; on_done follows: PRINTER_LOST when it did not agree to that. */
void printer_cancel(struct printer *p);
/* Forget it at once, leaving things at the printer as they are. NULL is allowed. */
void printer_free(struct printer *p);

#endif
