/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy: which tunnels to move, and what to do with an arriving job, each with its reason.
 *
 * A pure function: no clock, no I/O, same input, same answer; it serves whoever decides (gateway or
 * cloud). Sources: JP6536050B2 first embodiment (move whenever the device is connectable,
 * #704-#709: `when always`), second embodiment (#804, #806-#810: `when threshold`; a job for a
 * device that cannot connect counts before its tunnel exists, #809), claims 4-5 and paragraphs on
 * priorities (lowest priority first), claims 2-3 (`split`: tunnel and connection together until the
 * tunnel's slot is needed), variants (CPU use, line speed, who counts).
 */
#ifndef SHUNT_LIB_POLICY_H
#define SHUNT_LIB_POLICY_H

#include "lib/conf.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum policy_decide { DECIDE_GATEWAY, DECIDE_CLOUD };
enum policy_when { WHEN_THRESHOLD, WHEN_ALWAYS };
enum policy_select { SELECT_PRIORITY, SELECT_RELIEF };
enum policy_cut { CUT_AFTER_CONNECT, CUT_AFTER_REQUEST };
enum policy_delivery { DELIVERY_PUSH, DELIVERY_PULL };
enum policy_count { COUNT_ALL, COUNT_PAIR };

extern const struct enum_name policy_decide_names[]; /* gateway, cloud */
extern const struct enum_name policy_when_names[]; /* threshold, always */
extern const struct enum_name policy_select_names[]; /* priority, relief */
extern const struct enum_name policy_cut_names[]; /* after-connect, after-request */
extern const struct enum_name policy_delivery_names[]; /* push, pull */
extern const struct enum_name policy_count_names[]; /* all, pair */

/* The `policy { }` section. Loadable with POLICY_CONF(); zero limits are off. */
struct policy_settings {
	int decide; /* enum policy_decide */
	int when; /* enum policy_when */
	uint32_t tunnels_high; /* the most tunnels that may exist; 0 = no limit */
	uint32_t tunnels_low; /* once above high, move until this many are left; <= high */
	uint32_t cpu_high; /* permille of all CPUs; 0 = off */
	uint32_t cpu_low; /* once above high, move until below this; <= high */
	uint64_t line_speed_low; /* bit/s; move when the line is at or below it; 0 = off */
	uint64_t line_speed_high; /* bit/s; once at low, move until the line is above this; >= low */
	/*
	 * enum policy_count: which tunnels count against the limits. pair: those between one gateway
	 * and one cloud; all: all of the decider's, so at a gateway those of all clouds and at a cloud
	 * those of all gateways. Who decides feeds the policy accordingly.
	 */
	int count;
	int select; /* enum policy_select: priority then relief, or relief alone */
	int cut; /* enum policy_cut */
	bool split; /* use tunnel and connection together until the cut */
	int delivery; /* enum policy_delivery */
	bool suspend; /* the device holds the job during the move (7L) */
	uint64_t min_remaining; /* bytes; a job with less left is not worth moving, nor with none */
	uint64_t connect_timeout; /* ms for a device to be connected after the request */
};

/* Rows for a program's conf table: POLICY_CONF(struct gateway_conf, policy). */
#define POLICY_CONF(type, member)                                                                  \
	CONF_SEC_ENUM("policy", "decide", type, member.decide, "gateway", policy_decide_names,     \
		      "who decides about moves"),                                                  \
		CONF_SEC_ENUM("policy", "when", type, member.when, "threshold", policy_when_names, \
			      "move at a threshold, or whenever the device can connect"),          \
		CONF_SEC_U32("policy", "tunnels-high", type, member.tunnels_high, "16", 0,         \
			     1048576, "most tunnels that may exist; 0 = no limit"),                \
		CONF_SEC_U32("policy", "tunnels-low", type, member.tunnels_low, "0", 0, 1048576,   \
			     "tunnels to keep once the limit was passed; 0 = tunnels-high"),       \
		CONF_SEC_U32("policy", "cpu-high", type, member.cpu_high, "0", 0, 1000,            \
			     "CPU use in permille that starts moves; 0 = off"),                    \
		CONF_SEC_U32("policy", "cpu-low", type, member.cpu_low, "0", 0, 1000,              \
			     "CPU use in permille that ends them; 0 = cpu-high"),                  \
		CONF_SEC_RATE("policy", "line-speed-low", type, member.line_speed_low, "0",        \
			      "move when the line's speed is at or below this; 0 = off"),          \
		CONF_SEC_RATE("policy", "line-speed-high", type, member.line_speed_high, "0",      \
			      "... until it is above this; 0 = line-speed-low"),                   \
		CONF_SEC_ENUM("policy", "count", type, member.count, "all", policy_count_names,    \
			      "tunnels that count: of gateway and cloud, or all of the decider"),  \
		CONF_SEC_ENUM("policy", "select", type, member.select, "priority",                 \
			      policy_select_names,                                                 \
			      "which tunnel first: lowest priority, or greatest relief"),          \
		CONF_SEC_ENUM("policy", "cut", type, member.cut, "after-connect",                  \
			      policy_cut_names, "when the tunnel is cut"),                         \
		CONF_SEC_BOOL("policy", "split", type, member.split, "false",                      \
			      "use both paths until the tunnel is cut"),                           \
		CONF_SEC_ENUM("policy", "delivery", type, member.delivery, "push",                 \
			      policy_delivery_names, "who asks for the content"),                  \
		CONF_SEC_BOOL("policy", "suspend", type, member.suspend, "false",                  \
			      "the device holds the job during the move"),                         \
		CONF_SEC_SIZE("policy", "min-remaining", type, member.min_remaining, "1M",         \
			      "a job with fewer bytes left is not moved"),                         \
		CONF_SEC_DURATION("policy", "connect-timeout", type, member.connect_timeout,       \
				  "10s", 100, 3600000, "how long a device may take to connect")

/*
 * Fill in what "0 = the other one" means and check what the table cannot: low <= high, and that the
 * settings are the business of @whose configuration they stand in. 0 or -SHUNT_ECONF.
 */
int policy_settings_check(struct policy_settings *s, enum policy_decide whose, struct err *e);

#define POLICY_REMAINING_UNKNOWN UINT64_MAX

/* One tunnel that exists, as the decider knows it. */
struct policy_tunnel {
	uint32_t id; /* SPI */
	const char *job; /* job id; only for texts, may be NULL */
	const char *device; /* device code, not NULL */
	uint8_t priority; /* 0..7, higher = more important */
	bool connectable; /* 7A: the device can dial out */
	bool moving; /* a move was requested and is in flight */
	bool splitting; /* a split was requested: its device is not connected yet */
	bool closing; /* drains or is being deleted: its slot will be free soon */
	bool beside; /* the device is connected and the job uses both: cutting it costs nothing */
	bool failed; /* a move failed lately: leave it alone for now */
	uint64_t remaining; /* content bytes, or POLICY_REMAINING_UNKNOWN */
	uint64_t load_ns; /* CPU ns per second its packets cost: the relief of moving it */
	uint64_t age_ms; /* since it was opened */
};

/* The job that asks for a tunnel. */
struct policy_arrival {
	const char *job;
	const char *device;
	uint8_t priority;
	bool connectable;
	bool direct; /* its device has a live direct connection to that cloud already */
	uint64_t remaining; /* content bytes, or POLICY_REMAINING_UNKNOWN */
	uint32_t ahead; /* waiting jobs that get a slot before this one */
};

#define POLICY_CPU_UNKNOWN UINT32_MAX
#define POLICY_LINE_UNKNOWN UINT64_MAX
/*
 * Nobody can say how much faster a line gets by a move, so a slow line moves one tunnel at a time,
 * and not before the last one had so many ms to show its effect.
 */
#define POLICY_LINE_INTERVAL 3000

/* Limits that were passed and are being relieved, until their low mark is reached (hysteresis). */
enum policy_relieving {
	POLICY_RELIEVING_TUNNELS = 1 << 0,
	POLICY_RELIEVING_CPU = 1 << 1,
	POLICY_RELIEVING_LINE = 1 << 2,
};

/* What is measured at the decider. */
struct policy_totals {
	uint32_t tunnels; /* all that count; may exceed the array (other clouds, other gateways) */
	uint32_t waiting; /* jobs waiting for a slot, this arrival not included */
	uint32_t waiting_max; /* refuse an arrival when so many wait; 0 = no bound */
	uint32_t cpu_permille; /* of all CPUs, or POLICY_CPU_UNKNOWN */
	uint32_t cpus; /* online CPUs, to weigh load_ns; 0 counts as 1 */
	uint64_t line_speed; /* bit/s that the line gives, or POLICY_LINE_UNKNOWN */
	bool line_settling; /* less than POLICY_LINE_INTERVAL since the last move for the line */
	unsigned int relieving; /* policy_result.relieving of the last run, 0 at first */
};

struct policy_input {
	const struct policy_settings *settings;
	const struct policy_tunnel *tunnels;
	size_t n;
	struct policy_totals totals;
	const struct policy_arrival *arrival; /* NULL when a threshold fired or a tunnel ended */
	/* Devices that are being asked to connect for a job that has no tunnel among these. */
	const char *const *busy;
	size_t n_busy;
};

enum policy_action {
	POLICY_OPEN, /* arrival: open its tunnel now */
	POLICY_WAIT, /* arrival: wait for a slot (moves that free one may be in the list) */
	/*
	 * arrival: no tunnel. With reason direct-connection its device is connected; with any other
	 * reason (a limit) ask the device to connect, as for a move, and fall back to waiting.
	 */
	POLICY_DIRECT,
	POLICY_REFUSE, /* arrival: too many wait already */
	POLICY_MOVE, /* tunnel: ask its device to connect unless it is beside, and cut the tunnel */
	POLICY_KEEP, /* tunnel: stays */
	POLICY_SPLIT, /* tunnel: ask its device to connect, and use both until it is moved */
};
extern const struct enum_name policy_action_names[]; /* open wait direct refuse move keep split */
const char *policy_action_str(enum policy_action a);

enum policy_reason {
	POLICY_R_BELOW_LIMIT, /* below-limit: nothing to relieve */
	POLICY_R_ALWAYS, /* always: `when always` and the device can connect */
	POLICY_R_TUNNEL_LIMIT, /* tunnel-limit */
	POLICY_R_CPU_LIMIT, /* cpu-limit */
	POLICY_R_NOT_CONNECTABLE, /* not-connectable: the device cannot dial out */
	POLICY_R_MOVE_IN_FLIGHT, /* move-in-flight: this tunnel, or another of this device, moves */
	POLICY_R_CLOSING, /* closing: ends by itself */
	POLICY_R_NEARLY_DONE, /* nearly-done: fewer than min-remaining bytes left, or none */
	POLICY_R_MOVE_FAILED, /* move-failed: the last attempt failed */
	POLICY_R_ENOUGH, /* enough: others were chosen */
	POLICY_R_DIRECT, /* direct-connection: the device is connected already */
	POLICY_R_NO_RELIEF, /* no-relief: limit reached, and moving (this, any) would not help */
	POLICY_R_QUEUE_FULL, /* queue-full */
	POLICY_R_LINE_SPEED, /* line-speed: the line is at or below line-speed-low */
	POLICY_R_BESIDE, /* beside: split, and its slot is not needed */
};
extern const struct enum_name policy_reason_names[];
const char *policy_reason_str(enum policy_reason r);

#define POLICY_TEXT_MAX 160

struct policy_decision {
	uint32_t tunnel; /* id; 0 for the arrival's decision */
	size_t index; /* into input->tunnels; SIZE_MAX for the arrival's */
	enum policy_action action;
	enum policy_reason reason;
	char text[POLICY_TEXT_MAX]; /* "tunnels 2+1 > limit 2; lowest priority 1 ..." */
};

struct policy_result {
	struct policy_decision *v; /* moves and splits first (in order); one for each tunnel */
	size_t n;
	struct policy_decision arrival; /* valid when the input had one */
	unsigned int relieving; /* feed back into the next run's totals */
};

/* 0 or -ENOMEM. policy_result_fini() releases; safe on a zeroed result. */
int policy_run(const struct policy_input *in, struct policy_result *out);
void policy_result_fini(struct policy_result *r);

#endif
