/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * delivery_int: what delivery.c (one delivery), move.c (its paths), outward.c (what is particular to
 * fetch jobs) and deliveries.c (all of them) share.
 */
#ifndef SHUNT_CLOUD_DELIVERY_INT_H
#define SHUNT_CLOUD_DELIVERY_INT_H

#include <stdbool.h>
#include <sys/queue.h>

#include "cloud/decider.h"
#include "cloud/delivery.h"
#include "cloud/group.h"
#include "cloud/path.h"

enum step {
	STEP_LOOKUP, /* asking the manager */
	STEP_GATEWAY, /* waiting for the decider's leave, then for the gateway's connection */
	STEP_TUNNEL, /* waiting for the tunnel */
	STEP_AGENT, /* dialling the agent through it */
	STEP_CONNECT, /* the tunnel was cut early, the device is to connect */
	STEP_SENDING, /* paths are opening or active, or the file server is being written to */
	STEP_PAUSE, /* before the next try */
	STEP_CLOSING, /* the job is in a final state; what was opened is being closed */
};

/* A path to the agent and its number in the job's record. */
struct leg {
	struct delivery *delivery;
	struct path *path;
	int idx;
};

/* What the decider wants of the job's paths. */
enum way {
	WAY_NONE, /* nothing was said: off the tunnel if the device joins */
	WAY_SPLIT,
	WAY_MOVE,
};

/* How far the device is with holding the job (7L). But for HOLD_NONE no segment is given out. */
enum hold {
	HOLD_NONE,
	HOLD_QUIET, /* those in flight are being acknowledged */
	HOLD_ASKED, /* it was told to, through the tunnel */
	HOLD_HELD,
	HOLD_RESUME, /* it was told to go on */
};

struct move {
	enum way way;
	enum hold hold;
	bool awaited; /* the device must connect before the timer fires */
	bool cut_early, suspend; /* as the event says */
	bool called_off; /* HOLD_ASKED: resume as soon as it is held */
	bool was_cut; /* a tunnel that carried content was cut early */
	bool counted; /* as moved */
};

/* Of a fetch job: how far its content is. */
enum outward {
	OUTWARD_COMING,
	OUTWARD_CHECKING, /* all of it is here, its digest is being made */
	OUTWARD_HERE, /* and is right */
};

struct delivery {
	struct deliveries *all;
	struct cloud *cloud;
	struct job *job;
	enum step step;
	struct { /* of the registry's entry, which is far larger: what a try needs */
		char gateway[NAME_LEN];
		struct shunt_addr address;
		bool connectable;
		struct sapi_service service;
		char recipient[SAPI_RECIPIENT_LEN];
		char pin[PIN_LEN];
	} dev;
	const struct sapi_service *service; /* dev.service; NULL before the first answer */
	/* attributes.c's: */
	struct sapi_service missing; /* the agent that did not answer, */
	unsigned int absent; /* in so many tries in a row */
	bool has_own; /* the device has a service for the job beside its agent */
	struct sapi_device_job device_job;
	struct transfer *transfer;
	uint64_t resent; /* of the job, before this delivery */
	struct registry_ask *lookup;
	struct gateways_want *want;
	struct place *place; /* at this cloud's decider, if there is one */
	struct ctun *tunnel;
	int tunnel_idx; /* the tunnel's path in the job's record */
	char tunnel_reason[SAPI_REASON_LEN];
	struct peer_dial *dial;
	struct h2 *agent; /* session through the tunnel */
	struct share_call *share; /* at a file server without agent; of fileserver.c */
	struct fetching *fetching; /* fetching.c's, of a fetch job there */
	struct wrap *wrap; /* of what is put, if it is stored encrypted */
	struct printer *printer; /* of printing.c, as are the nine below */
	bool numbered; /* the job's number there was told here, and not read from the disk */
	bool withdrawn; /* its incomplete job was canceled there, by us */
	bool partial; /* it cannot have all of the document */
	struct group_wait kept;
	unsigned int rests; /* in a row, since the printer waits for somebody */
	bool settled; /* the printer has said what became of the job */
	bool unheard; /* it was canceled, and the printer given up before it had answered */
	bool withdraw; /* the job is over, and the printer to hear of it */
	bool noted; /* that is a notice in the store */
	uint64_t put_high; /* bytes of the file that were on the wire at least once */
	uint64_t put_base; /* octets that this PUT found there; UINT64_MAX: not known yet */
	uint64_t put_best; /* most that a PUT got acknowledged */
	bool put_whole; /* its server takes no pieces */
	struct leg via_tunnel, via_direct;
	struct move move;
	struct path_want asked; /* of an agent that pulls */
	bool pulls; /* the agent asked, or said why it does not, on a path that is no more */
	enum outward outward;
	bool using_direct; /* counted with directs_use() */
	struct loop_timer *timer;
	bool parked; /* waits for a slot or for its next try: does not count as running */
	bool busy; /* STEP_PAUSE: its gateway had no room */
	bool returning; /* STEP_CLOSING: not the job is over, only this delivery of it */
	unsigned int tries; /* in a row without progress */
	uint64_t active_at; /* loop time at which a path of this try became active; 0: none did */
	/*
	 * Most bytes the receiver was seen to hold when a try began or a path became active. Never less,
	 * or one that forgets what it acknowledged would make progress for ever.
	 */
	uint64_t held;
	enum job_state ending; /* final state that waits for the last acknowledgements; 0: none */
	char ending_text[SAPI_TEXT_LEN];
	LIST_ENTRY(delivery) link;
};

struct deliveries {
	struct cloud *cloud;
	size_t count;
	size_t parked; /* of them */
	size_t returning; /* of them */
	size_t vacant; /* places of those that have returned */
	bool behind; /* some wait for a slot although their devices are connected: no room to run */
	bool stopped;
	struct delivery_totals totals;
	LIST_HEAD(, delivery) list;
	struct loop_defer *kick;
};

/*
 * It waits for others (a slot, the time of its next try) or no longer does. While it does, another
 * job may run in its place, so that many jobs for one busy or lost gateway hold up no other's.
 */
void delivery_park(struct delivery *d, bool parked);
/*
 * The job is over without its device having said so, and that may keep something for it: it is told, @now
 * over its connection if it has one, else as soon as there is a way.
 */
void deliveries_note_end(struct cloud *c, const struct job *job, bool now);
/* A place in the queue of @gateway is free: for whoever found none. */
void deliveries_gateway_room(struct deliveries *ds, const char *gateway);
/*
 * Does it hold nothing that another could not have as well? It asks for a slot or for leave to, or waits for
 * its gateway to have room; and no try has failed.
 */
bool delivery_only_waits(const struct delivery *d);
/* Withdraw what one that only waits has asked for, and queue its job again: one of @priority goes first. */
void delivery_put_back(struct delivery *d, uint8_t priority);
/* Take @job; its first try begins. 0 or a negative code. */
int delivery_new(struct deliveries *ds, struct job *job);
/* Without callbacks; a tunnel that is still there must be freed by tunnels_free(). */
void delivery_free(struct delivery *d);
/* The job is canceled already; see to it that the device and the tunnel hear of it. */
void delivery_cancel(struct delivery *d);
/* The device is connected: cut the pause between two tries short, or leave the queue for it. */
void delivery_hurry(struct delivery *d);
/* What was decided about the job, be it by its gateway or by this cloud; not of a tunnel's end. */
void delivery_event(struct delivery *d, const struct sapi_gateway_event *ev);
/* The device is connected: open the direct path, unless the delivery is between two tries. */
void delivery_join(struct delivery *d);

/* ---- delivery.c to fileserver.c and printing.c ---- */

/* Bytes [from, to) of a content that is sent as a whole are on the wire; so many have arrived. @arg: the delivery. */
void delivery_put_wire(uint64_t from, uint64_t to, void *arg);
void delivery_put_progress(uint64_t bytes, void *arg);
/* Give everything up that is open and begin again after @ms, which is no failure; the state stays. */
void delivery_rest(struct delivery *d, uint64_t ms, const char *code, const char *text);

/* ---- delivery.c to move.c ---- */

const char *delivery_job_id(const struct delivery *d);
/* Does the job go to an agent, not to a file server? */
bool delivery_is_agent(const struct delivery *d);
/* To the job's record of path @idx. */
void delivery_path_state(struct delivery *d, int idx, enum path_state state, const char *reason);
/* The path has @bytes acknowledged in all. */
void delivery_add_bytes(struct delivery *d, int idx, uint64_t bytes);
void delivery_note_progress(struct delivery *d);
/* From here on more than the receiver holds now is progress, if it never held more. */
void delivery_mark_progress(struct delivery *d);
/* No tunnel is asked for any more; one that exists stays. */
void delivery_stop_asking(struct delivery *d);
/* Close everything inside the tunnel, then the tunnel, whose end arrives later. */
void delivery_tunnel_shut(struct delivery *d, const char *reason);
/* End this try; another follows, unless @fatal or tried often enough. */
void delivery_try_failed(struct delivery *d, bool fatal, const char *code, const char *why);
/* The job ends as the device said, which is to be believed only of content that it can have. */
void delivery_finish_told(struct delivery *d);
/* The job ends in @state; what is open is closed. */
void delivery_finish(struct delivery *d, enum job_state state, const char *reason, const char *why);

#endif
