// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load: terminals that submit many small jobs to one cloud and follow each to its end.
 *
 *	POST jobs ─▶ 201 ─▶ PUT content ─▶ 200 ─▶ GET events ─▶ ... ─▶ final state
 *
 * At most --window jobs are under way, spread over --conns connections; the next begins when one
 * has ended. A job that is refused with 503 is submitted again after Retry-After. The store jobs'
 * directories are watched, so that the arrival of the first content octet at the device is seen from outside;
 * contents are compared in the end. Results: one line of JSON on stdout. Exit status 0 only if every
 * accepted job completed and every file is as it was sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/h2.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/sapi.h"
#include "lib/tls.h"
#include "procs.h"
#include "stats.h"

#define CONNS_MAX 256
#define SIZE_MAX_OCTETS 16384 /* one DATA frame, so the agent writes it at once */
#define REQUEST_MS 120000

struct task {
	unsigned int n;
	struct conn *conn;
	char id[ID_LEN];
	uint8_t priority;
	bool accepted, completed;
	uint64_t submitted, accept, first, done; /* ns, monotonic; 0: not yet */
	int64_t queued, started; /* wall ms, from the timeline */
	/* Likewise: told to wait; given a tunnel's slot; given that, or its device connects or is connected. */
	int64_t waited, slot, placed;
	int64_t first_wall; /* the same moment as first */
	struct buf lines;
	struct h2_call *events;
	struct loop_timer *retry;
};

struct conn {
	struct h2 *h2;
	struct peer_dial *dial;
};

static struct {
	const char *ca, *cert, *key, *cloud, *stores, *prefix, *told;
	unsigned int jobs, conns, window, devices, size, first_number;
	bool priorities; /* of all kinds, else the default */
	bool print; /* print jobs, else store jobs */
	bool hold; /* leave them when their content is there */
} opt = { .jobs = 1000, .conns = 8, .window = 200, .devices = 1, .size = 4096 };

static struct loop *loop;
static struct conn conns[CONNS_MAX];
static struct task *tasks;
static unsigned int connected, started, ended, failed, refused;
static int watch_fd = -1;
static unsigned int overflows;
static uint64_t began; /* ns */
static struct task **slots; /* accepted jobs by id, open addressing */
static size_t n_slots;
#define GROUPS_MAX 8
static struct procs groups[GROUPS_MAX];
static unsigned int n_groups;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("load: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static FILE *told; /* what the cloud has promised, line by line and at once */

static void promise(const struct task *t, const char *word)
{
	if (told && fprintf(told, "%s %s job-%u\n", t->id, word, t->n) < 0)
		die("%s: %s", opt.told, strerror(errno));
}

static void task_start(struct task *t);
static void remember(struct task *t);

/* ---- content: each job's differs, and says which job it is of ---- */

static void fill(const struct task *t, char *out)
{
	char head[32];
	size_t i;

	for (i = 0; i < opt.size; i++)
		out[i] = (char)(t->n * 131 + i * 7);
	snprintf(head, sizeof(head), "job %u\n", t->n);
	memcpy(out, head, strlen(head) < opt.size ? strlen(head) : opt.size);
}

/* dev-000, dev-001, ..., or PREFIX1, PREFIX2, ... */
static const char *device_name(unsigned int i, char out[NAME_LEN])
{
	if (opt.prefix)
		snprintf(out, NAME_LEN, "%s%u", opt.prefix, i + 1);
	else
		snprintf(out, NAME_LEN, "dev-%03u", i);
	return out;
}

static unsigned int device_of(const struct task *t)
{
	return t->n % opt.devices;
}

static bool is_intact(const struct task *t)
{
	char path[4096], name[NAME_LEN], want[SIZE_MAX_OCTETS], got[SIZE_MAX_OCTETS + 1];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/store/job-%u", opt.stores,
		 device_name(device_of(t), name), t->n);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, got, sizeof(got));
	close(fd);
	fill(t, want);
	return n == (ssize_t)opt.size && !memcmp(got, want, opt.size);
}

/* ---- following ---- */

static void next_task(void)
{
	if (started < opt.jobs)
		task_start(&tasks[started++]);
	else if (ended == opt.jobs)
		loop_stop(loop, 0);
}

static void task_end(struct task *t, const char *why)
{
	t->done = clock_mono_ns();
	ended++;
	if (why) {
		if (failed++ < 5)
			fprintf(stderr, "load: job %u %s: %s\n", t->n, t->id, why);
	}
	buf_fini(&t->lines);
	next_task();
}

static void on_event(struct task *t, const struct sapi_job_event *ev)
{
	if (!t->queued && !strcmp(ev->event, "queued"))
		t->queued = ev->time;
	else if (!t->waited && !strcmp(ev->action, "wait"))
		t->waited = ev->time;
	else if (!strcmp(ev->action, "refuse"))
		t->waited = 0;
	else if (!strcmp(ev->action, "open"))
		t->slot = t->placed = ev->time;
	else if (!t->placed && (!strcmp(ev->action, "direct") ||
				(!strcmp(ev->event, "path-opening") && ev->path == PATH_DIRECT)))
		t->placed = ev->time;
	else if (!strcmp(ev->event, "running"))
		t->started = ev->time;
	else if (!strcmp(ev->event, "completed") && !t->completed) {
		t->completed = true;
		promise(t, "completed");
	}
}

static int on_events_data(struct h2_call *call, const void *data, size_t len, void *arg)
{
	struct task *t = arg;
	struct sapi_job_event ev;
	char *end;
	size_t n;

	(void)call;
	if (buf_put(&t->lines, data, len))
		return -ENOMEM;
	while (t->lines.len && (end = memchr(t->lines.data, '\n', t->lines.len))) {
		n = (size_t)(end - (char *)t->lines.data);
		if (!sapi_job_event_decode(t->lines.data, n, &ev, NULL))
			on_event(t, &ev);
		buf_consume(&t->lines, n + 1);
	}
	return 0;
}

static void on_events_close(struct h2_call *call, int err, const char *why, void *arg)
{
	struct task *t = arg;

	(void)call;
	t->events = NULL;
	task_end(t, t->completed ? NULL : err ? why : "the timeline ended without completion");
}

static void follow(struct task *t)
{
	static const struct h2_call_ops ops = { .on_data = on_events_data,
						.on_close = on_events_close };
	char path[96];
	struct h2_request req = { .method = "GET", .path = path };

	snprintf(path, sizeof(path), "/v1/jobs/%s/events", t->id);
	if (h2_call_start(t->conn->h2, &req, &ops, t, &t->events))
		task_end(t, "the timeline could not be asked for");
}

/* ---- submitting ---- */

static void on_uploaded(const struct h2_reply *reply, void *arg)
{
	struct task *t = arg;

	if (reply->err || reply->status != 200) {
		task_end(t, reply->err ? reply->why : (const char *)reply->body);
	} else if (opt.hold) {
		promise(t, "uploaded");
		t->completed = true;
		task_end(t, NULL);
	} else {
		promise(t, "uploaded");
		follow(t);
	}
}

static void upload(struct task *t)
{
	char path[96], body[SIZE_MAX_OCTETS];
	struct h2_request req = {
		.method = "PUT",
		.path = path,
		.type = "application/octet-stream",
		.body = body,
		.body_len = opt.size,
		.timeout_ms = REQUEST_MS,
		.max_reply = 1 << 20,
	};

	fill(t, body);
	snprintf(path, sizeof(path), "/v1/jobs/%s/content", t->id);
	if (h2_fetch(t->conn->h2, &req, on_uploaded, t, NULL))
		task_end(t, "the content could not be sent");
}

static void on_retry(void *arg)
{
	task_start(arg);
}

static void retry(struct task *t, const char *after)
{
	refused++;
	if (!t->retry && loop_timer_new(loop, on_retry, t, &t->retry))
		die("out of memory");
	if (!after)
		die("503 without Retry-After");
	loop_timer_set(t->retry, 1000 * strtoul(after, NULL, 10));
}

static void on_submitted(const struct h2_reply *reply, void *arg)
{
	struct task *t = arg;
	struct sapi_job job;
	struct err e = { 0 };

	if (!reply->err && reply->status == 503) {
		retry(t, h2_call_header(reply->call, "retry-after"));
		return;
	}
	if (reply->err || reply->status != 201) {
		task_end(t, reply->err ? reply->why : (const char *)reply->body);
		return;
	}
	if (sapi_job_decode(reply->body, reply->len, &job, &e)) {
		task_end(t, err_text(&e));
		return;
	}
	t->accept = clock_mono_ns();
	t->accepted = true;
	memcpy(t->id, job.id, ID_LEN);
	remember(t);
	promise(t, "accepted");
	sapi_job_fini(&job);
	upload(t);
}

static void task_start(struct task *t)
{
	struct sapi_job_submit submit = {
		.kind = opt.print ? JOB_PRINT : JOB_STORE,
		.size = opt.size,
		.priority = opt.priorities ? t->priority : SAPI_PRIORITY_UNSET,
	};
	struct h2_request req = {
		.method = "POST",
		.path = "/v1/jobs",
		.type = "application/json",
		.timeout_ms = REQUEST_MS,
		.max_reply = 1 << 20,
	};
	struct buf body = BUF_INIT;

	device_name(device_of(t), submit.device);
	snprintf(submit.name, sizeof(submit.name), "job-%u", t->n);
	snprintf(submit.media_type, sizeof(submit.media_type), "application/octet-stream");
	if (sapi_job_submit_encode(&submit, &body))
		die("the submission cannot be encoded");
	req.body = body.data;
	req.body_len = body.len;
	t->submitted = clock_mono_ns();
	if (h2_fetch(t->conn->h2, &req, on_submitted, t, NULL))
		task_end(t, "could not be submitted");
	buf_fini(&body);
}

/* ---- the first octet at the device ---- */

static size_t slot_of(const char *id)
{
	char digits[9] = { 0 };

	memcpy(digits, id, 8);
	return strtoul(digits, NULL, 16) % n_slots;
}

static void remember(struct task *t)
{
	size_t i = slot_of(t->id);

	while (slots[i])
		i = (i + 1) % n_slots;
	slots[i] = t;
}

static struct task *find(const char *id)
{
	size_t i = slot_of(id);

	while (slots[i] && memcmp(slots[i]->id, id, ID_LEN - 1))
		i = (i + 1) % n_slots;
	return slots[i];
}

/*
 * An agent's file is created with its size, which is a change too, and a small content is then
 * written at once: the last change under the temporary name is the content's arrival.
 */
static void on_watch(unsigned int events, void *arg)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	const size_t prefix = strlen(".shunt-");
	const struct inotify_event *ev;
	struct task *t;
	ssize_t n;
	char *p;

	(void)events;
	(void)arg;
	while ((n = read(watch_fd, buf, sizeof(buf))) > 0) {
		for (p = buf; p < buf + n; p += sizeof(*ev) + ev->len) {
			ev = (const struct inotify_event *)p;
			if (ev->mask & IN_Q_OVERFLOW)
				overflows++;
			if (ev->len < prefix + ID_LEN || strncmp(ev->name, ".shunt-", prefix))
				continue;
			t = find(ev->name + prefix);
			if (t) {
				t->first = clock_mono_ns();
				t->first_wall = clock_wall_ms();
			}
		}
	}
}

static void watch_stores(void)
{
	struct loop_io *io;
	char path[4096], name[NAME_LEN];
	unsigned int i;

	watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch_fd < 0)
		die("inotify: %s", strerror(errno));
	for (i = 0; i < opt.devices; i++) {
		snprintf(path, sizeof(path), "%s/%s/store", opt.stores, device_name(i, name));
		if (inotify_add_watch(watch_fd, path, IN_MODIFY) < 0)
			die("%s: %s", path, strerror(errno));
	}
	if (loop_io_new(loop, watch_fd, on_watch, NULL, &io) || loop_io_set(io, LOOP_READ))
		die("inotify cannot be watched");
}

/* ---- results ---- */

/*
 * How often a job began while one of higher priority had been queued for SLACK_MS already and
 * began SLACK_MS later or more: what no order of delivery explains.
 */
#define SLACK_MS 200

static unsigned int inversions(void)
{
	unsigned int i, k, n = 0;

	for (i = 0; i < opt.jobs; i++)
		for (k = 0; k < opt.jobs; k++)
			if (tasks[k].priority > tasks[i].priority &&
			    tasks[k].queued + SLACK_MS < tasks[i].started &&
			    tasks[k].started > tasks[i].started + SLACK_MS) {
				n++;
				break;
			}
	return n;
}

/*
 * How often a tunnel's slot was given to a job while one of higher priority was without one, and without a connection of
 * its device instead: though the gateway had said that it waits (@waits), or, being queued for LAG_MS, it was on its
 * way there.
 */
#define LAG_MS 2000

static bool was_without(const struct task *t, int64_t then, bool waits)
{
	return t->placed > then &&
	       (waits ? t->waited && t->waited < then : t->queued + LAG_MS < then);
}

static unsigned int overtaken(bool waits)
{
	unsigned int i, k, n = 0;

	for (i = 0; i < opt.jobs; i++) {
		for (k = 0; tasks[i].slot && k < opt.jobs; k++) {
			if (tasks[k].priority > tasks[i].priority &&
			    was_without(&tasks[k], tasks[i].slot, waits)) {
				n++;
				break;
			}
		}
	}
	return n;
}

static unsigned int slots_given(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < opt.jobs; i++)
		n += tasks[i].slot != 0;
	return n;
}

static void print_waits(void)
{
	unsigned int p, i, n;
	int64_t sum;

	printf(",\"queued_ms_by_priority\":[");
	for (p = 0; p <= SAPI_PRIORITY_MAX; p++) {
		for (sum = n = i = 0; i < opt.jobs; i++)
			if (tasks[i].priority == p && tasks[i].started) {
				sum += tasks[i].started - tasks[i].queued;
				n++;
			}
		printf("%s%lld", p ? "," : "", n ? (long long)(sum / n) : 0);
	}
	printf("],\"inversions\":%u", inversions());
	printf(",\"slots\":%u,\"slot_inversions\":%u,\"slot_late\":%u", slots_given(),
	       overtaken(true), overtaken(false));
}

static void print_latency(const char *name, size_t member)
{
	struct stats s;
	unsigned int i;
	uint64_t at;

	stats_init(&s, opt.jobs);
	for (i = 0; i < opt.jobs; i++) {
		memcpy(&at, (char *)&tasks[i] + member, sizeof(at));
		if (at > tasks[i].submitted)
			stats_add(&s, (double)(at - tasks[i].submitted) / 1e6);
	}
	stats_print(&s, stdout, name);
	stats_fini(&s);
}

/* The cloud's part of it; the clock is one as long as cloud and devices share a machine. */
static void print_queued_to_first(void)
{
	struct stats s;
	unsigned int i;

	stats_init(&s, opt.jobs);
	for (i = 0; i < opt.jobs; i++)
		if (tasks[i].queued && tasks[i].first_wall >= tasks[i].queued)
			stats_add(&s, (double)(tasks[i].first_wall - tasks[i].queued));
	stats_print(&s, stdout, "queued_to_first_byte_ms");
	stats_fini(&s);
}

static unsigned int broken_files(void)
{
	unsigned int i, n = 0;

	if (!opt.stores || opt.hold)
		return 0;
	for (i = 0; i < opt.jobs; i++)
		if (tasks[i].completed && !is_intact(&tasks[i])) {
			if (n++ < 5)
				fprintf(stderr,
					"load: job-%u is not at its device as it was sent\n",
					tasks[i].n);
		}
	return n;
}

static int report(uint64_t begin, uint64_t end)
{
	unsigned int broken = broken_files(), i;
	double s = (double)(end - begin) / 1e9;

	printf("{\"jobs\":%u,\"size\":%u,\"connections\":%u,\"window\":%u,\"devices\":%u,"
	       "\"seconds\":%.2f,\"jobs_per_s\":%.1f,\"failed\":%u,\"broken\":%u,\"refused_503\":%u",
	       opt.jobs, opt.size, opt.conns, opt.window, opt.devices, s, opt.jobs / s, failed,
	       broken, refused);
	print_latency("accepted_ms", offsetof(struct task, accept));
	if (opt.stores && !opt.hold)
		print_latency("first_byte_ms", offsetof(struct task, first));
	if (opt.stores && !opt.hold)
		print_queued_to_first();
	if (!opt.hold)
		print_latency("completed_ms", offsetof(struct task, done));
	if (opt.priorities)
		print_waits();
	for (i = 0; i < n_groups; i++)
		procs_print(&groups[i], stdout, opt.jobs);
	printf("}\n");
	if (overflows)
		fprintf(stderr, "load: %u arrivals may have been missed\n", overflows);
	return failed || broken ? 1 : 0;
}

/* ---- start ---- */

static void begin(void)
{
	unsigned int i, n = opt.window < opt.jobs ? opt.window : opt.jobs;

	for (i = 0; i < n_groups; i++)
		procs_begin(&groups[i]);
	began = clock_mono_ns();
	started = n;
	for (i = 0; i < n; i++)
		task_start(&tasks[i]);
}

static void on_close(struct h2 *h2, int err, const char *why, void *arg)
{
	(void)h2;
	(void)arg;
	if (ended < opt.jobs)
		die("the cloud ended a connection: %s", err ? why : "closed");
}

static void on_dialled(struct h2 *h2, int err, const char *why, void *arg)
{
	struct conn *c = arg;

	if (err)
		die("%s: %s", opt.cloud, why);
	c->h2 = h2;
	h2_on_close(h2, on_close, c);
	if (++connected == opt.conns)
		begin();
}

static void make_tasks(void)
{
	unsigned int i;

	n_slots = 4 * (size_t)opt.jobs;
	tasks = calloc(opt.jobs, sizeof(*tasks));
	slots = calloc(n_slots, sizeof(struct task *));
	if (!tasks || !slots)
		die("out of memory");
	for (i = 0; i < opt.jobs; i++) {
		tasks[i].n = opt.first_number + i;
		tasks[i].conn = &conns[i % opt.conns];
		/* in no order, and the same each time */
		tasks[i].priority = (uint8_t)(i * 2654435761u >> 29);
		buf_init_max(&tasks[i].lines, SAPI_MAX);
	}
}

static void dial_all(struct tls_ctx *tls)
{
	struct peer_dial_conf dial = {
		.address = opt.cloud,
		.tls = tls,
		.roles = ROLE_BIT(ROLE_CLOUD),
	};
	unsigned int i;

	for (i = 0; i < opt.conns; i++)
		if (peer_dial(loop, &dial, on_dialled, &conns[i], &conns[i].dial))
			die("%s cannot be dialled", opt.cloud);
}

static const struct option options[] = {
	{ "ca", required_argument, NULL, 'a' },	     { "cert", required_argument, NULL, 'c' },
	{ "key", required_argument, NULL, 'k' },     { "cloud", required_argument, NULL, 'u' },
	{ "stores", required_argument, NULL, 's' },  { "jobs", required_argument, NULL, 'j' },
	{ "conns", required_argument, NULL, 'C' },   { "window", required_argument, NULL, 'w' },
	{ "devices", required_argument, NULL, 'd' }, { "size", required_argument, NULL, 'z' },
	{ "first", required_argument, NULL, 'f' },   { "priorities", no_argument, NULL, 'p' },
	{ "hold", no_argument, NULL, 'H' },	     { "print", no_argument, NULL, 'r' },
	{ "prefix", required_argument, NULL, 'x' },  { "procs", required_argument, NULL, 'P' },
	{ "told", required_argument, NULL, 't' },    { NULL, 0, NULL, 0 },
};

static unsigned int number(const char *text, unsigned int max)
{
	uint64_t v;

	if (u64_parse(text, max, &v) || (!v && max != UINT32_MAX))
		die("%s: a number from 1 to %u is expected", text, max);
	return (unsigned int)v;
}

static void read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			opt.ca = optarg;
			break;
		case 'c':
			opt.cert = optarg;
			break;
		case 'k':
			opt.key = optarg;
			break;
		case 'u':
			opt.cloud = optarg;
			break;
		case 's':
			opt.stores = optarg;
			break;
		case 'j':
			opt.jobs = number(optarg, 1000000);
			break;
		case 'C':
			opt.conns = number(optarg, CONNS_MAX);
			break;
		case 'w':
			opt.window = number(optarg, 1000000);
			break;
		case 'd':
			opt.devices = number(optarg, 999);
			break;
		case 'z':
			opt.size = number(optarg, SIZE_MAX_OCTETS);
			break;
		case 'f':
			opt.first_number = number(optarg, UINT32_MAX);
			break;
		case 'p':
			opt.priorities = true;
			break;
		case 't':
			opt.told = optarg;
			break;
		case 'x':
			opt.prefix = optarg;
			break;
		case 'r':
			opt.print = true;
			break;
		case 'H':
			opt.hold = true;
			break;
		case 'P':
			if (n_groups == GROUPS_MAX || procs_parse(&groups[n_groups++], optarg))
				die("--procs NAME=PID[,PID]...: %s", optarg);
			break;
		default:
			exit(2);
		}
	}
	if (!opt.ca || !opt.cert || !opt.key || !opt.cloud || optind != argc)
		die("--ca, --cert, --key and --cloud are needed; the head of load.c explains the others");
}

int main(int argc, char **argv)
{
	struct tls_files files = { .roles = ROLE_BIT(ROLE_TERMINAL) | ROLE_BIT(ROLE_ADMIN) };
	struct tls_ctx *tls;
	struct err e = { 0 };
	int status;

	read_options(argc, argv);
	files.ca = opt.ca;
	files.cert = opt.cert;
	files.key = opt.key;
	if (loop_new(&loop))
		die("out of memory");
	if (tls_ctx_new(&tls, &files, &e))
		die("%s", err_text(&e));
	if (opt.told) {
		told = fopen(opt.told, "we");
		if (!told)
			die("%s: %s", opt.told, strerror(errno));
		setvbuf(told, NULL, _IOLBF, 0);
	}
	make_tasks();
	if (opt.stores)
		watch_stores();
	dial_all(tls);
	status = loop_run(loop);
	return status ? status : report(began, clock_mono_ns());
}
