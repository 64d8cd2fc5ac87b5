// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/loop.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/types.h"

struct loop {
	struct event_base *base;
	struct evdns_base *dns; /* made when the first name is looked up */
	struct event *wakeup; /* bounds loop_step() */
	struct loop_signal *term, *intr, *hup;
	void (*on_stop)(void *arg);
	void (*on_reload)(void *arg);
	void *stop_arg;
	bool stop_asked;
	bool stopped;
	int status;
	LIST_HEAD(, loop_child) children;
	bool held;
	TAILQ_HEAD(, loop_defer) put_off; /* until the loop is released */
};

struct loop_timer {
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
	uint64_t every; /* 0: one shot */
};

struct loop_io {
	struct loop *loop;
	struct event *ev;
	int fd;
	unsigned int events;
	void (*fn)(unsigned int events, void *arg);
	void *arg;
};

struct loop_signal {
	struct event *ev;
	int signo;
	void (*fn)(int signo, void *arg);
	void *arg;
};

struct loop_child {
	LIST_ENTRY(loop_child) link;
	struct loop_io *io;
	int pidfd;
	pid_t pid;
	void (*fn)(pid_t pid, int status, void *arg); /* NULL: only reap */
	void *arg;
};

struct loop_defer {
	struct loop *loop;
	struct event *ev;
	void (*fn)(void *arg);
	void *arg;
	bool is_put_off; /* in loop->put_off */
	TAILQ_ENTRY(loop_defer) link;
};

struct loop_resolve {
	struct loop_defer *defer;
	struct evdns_getaddrinfo_request *request;
	void (*fn)(int err, const struct sockaddr_storage *addrs, size_t count, const char *why,
		   void *arg);
	void *arg;
	struct sockaddr_storage addrs[LOOP_RESOLVE_MAX];
	size_t count;
	int err;
	const char *why; /* static */
	bool orphan; /* cancelled; evdns still owes us a call */
};

static struct timeval to_timeval(uint64_t ms)
{
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
				 .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

int loop_new(struct loop **out)
{
	struct event_config *conf = event_config_new();
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!conf || !loop)
		goto fail;
	/* A timer armed late in a long callback must count from then, not from the poll before. */
	event_config_set_flag(conf, EVENT_BASE_FLAG_NO_CACHE_TIME);
	event_config_set_flag(conf, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(conf);
	if (!loop->base)
		goto fail;
	loop->wakeup = evtimer_new(loop->base, on_wakeup, NULL);
	if (!loop->wakeup)
		goto fail;
	LIST_INIT(&loop->children);
	TAILQ_INIT(&loop->put_off);
	event_config_free(conf);
	signal(SIGPIPE, SIG_IGN);
	*out = loop;
	return 0;
fail:
	if (loop && loop->base)
		event_base_free(loop->base);
	if (conf)
		event_config_free(conf);
	free(loop);
	return -ENOMEM;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (!LIST_EMPTY(&loop->children)) {
		struct loop_child *child = LIST_FIRST(&loop->children);

		LIST_REMOVE(child, link);
		loop_io_free(child->io);
		close(child->pidfd);
		free(child);
	}
	loop_signal_free(loop->term);
	loop_signal_free(loop->intr);
	loop_signal_free(loop->hup);
	if (loop->dns)
		evdns_base_free(loop->dns, 0);
	event_free(loop->wakeup);
	event_base_free(loop->base);
	free(loop);
}

int loop_run(struct loop *loop)
{
	if (!loop->stopped && event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return -EIO;
	return loop->status;
}

int loop_step(struct loop *loop, int timeout_ms)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
	int rc;

	if (loop->stopped)
		return 1;
	if (timeout_ms == 0)
		flags |= EVLOOP_NONBLOCK;
	if (timeout_ms > 0) {
		struct timeval tv = to_timeval((uint64_t)timeout_ms);

		event_add(loop->wakeup, &tv);
	}
	rc = event_base_loop(loop->base, flags);
	event_del(loop->wakeup);
	if (rc < 0)
		return -EIO;
	return loop->stopped ? 1 : 0;
}

void loop_stop(struct loop *loop, int status)
{
	if (loop->stopped)
		return;
	loop->stopped = true;
	loop->status = status;
	event_base_loopbreak(loop->base);
}

uint64_t loop_now(const struct loop *loop)
{
	uint64_t now = clock_mono_ms();

	(void)loop;
	return now ? now : 1;
}

/* ---- timers ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	if (timer->every) {
		struct timeval tv = to_timeval(timer->every);

		/* Armed anew rather than persistent: after a stall there is no burst to catch up.
		 */
		event_add(timer->ev, &tv);
	}
	timer->fn(timer->arg);
}

int loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg, struct loop_timer **out)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->fn = fn;
	timer->arg = arg;
	timer->ev = evtimer_new(loop->base, on_timer, timer);
	if (!timer->ev) {
		free(timer);
		return -ENOMEM;
	}
	*out = timer;
	return 0;
}

static void timer_arm(struct loop_timer *timer, uint64_t ms, uint64_t every)
{
	struct timeval tv = to_timeval(ms);

	timer->every = every;
	event_add(timer->ev, &tv);
}

void loop_timer_set(struct loop_timer *timer, uint64_t ms)
{
	timer_arm(timer, ms, 0);
}

void loop_timer_every(struct loop_timer *timer, uint64_t ms)
{
	timer_arm(timer, ms, ms ? ms : 1);
}

void loop_timer_stop(struct loop_timer *timer)
{
	timer->every = 0;
	event_del(timer->ev);
}

bool loop_timer_armed(const struct loop_timer *timer)
{
	return event_pending(timer->ev, EV_TIMEOUT, NULL);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	event_free(timer->ev);
	free(timer);
}

/* ---- file descriptors ---- */

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	unsigned int events = 0;

	(void)fd;
	if (what & EV_READ)
		events |= LOOP_READ;
	if (what & EV_WRITE)
		events |= LOOP_WRITE;
	io->fn(events, io->arg);
}

int loop_io_new(struct loop *loop, int fd, void (*fn)(unsigned int events, void *arg), void *arg,
		struct loop_io **out)
{
	struct loop_io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->loop = loop;
	io->fd = fd;
	io->fn = fn;
	io->arg = arg;
	io->ev = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_io, io);
	if (!io->ev) {
		free(io);
		return -ENOMEM;
	}
	*out = io;
	return 0;
}

int loop_io_set(struct loop_io *io, unsigned int events)
{
	short what = EV_PERSIST;

	if (io->events == events)
		return 0;
	event_del(io->ev);
	io->events = 0;
	if (!events)
		return 0;
	if (events & LOOP_READ)
		what |= EV_READ;
	if (events & LOOP_WRITE)
		what |= EV_WRITE;
	if (event_assign(io->ev, io->loop->base, io->fd, what, on_io, io) < 0)
		return -EINVAL;
	if (event_add(io->ev, NULL) < 0)
		return errno ? -errno : -EIO;
	io->events = events;
	return 0;
}

void loop_io_free(struct loop_io *io)
{
	if (!io)
		return;
	event_free(io->ev);
	free(io);
}

/* ---- signals ---- */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *sig = arg;

	(void)fd;
	(void)what;
	sig->fn(sig->signo, sig->arg);
}

int loop_signal_new(struct loop *loop, int signo, void (*fn)(int signo, void *arg), void *arg,
		    struct loop_signal **out)
{
	struct loop_signal *sig = calloc(1, sizeof(*sig));

	if (!sig)
		return -ENOMEM;
	sig->signo = signo;
	sig->fn = fn;
	sig->arg = arg;
	sig->ev = evsignal_new(loop->base, signo, on_signal, sig);
	if (!sig->ev || event_add(sig->ev, NULL) < 0) {
		if (sig->ev)
			event_free(sig->ev);
		free(sig);
		return -ENOMEM;
	}
	*out = sig;
	return 0;
}

void loop_signal_free(struct loop_signal *sig)
{
	if (!sig)
		return;
	event_free(sig->ev);
	free(sig);
}

static void on_stop_signal(int signo, void *arg)
{
	struct loop *loop = arg;

	(void)signo;
	if (loop->stop_asked) {
		loop_stop(loop, 1);
		return;
	}
	loop->stop_asked = true;
	if (loop->on_stop)
		loop->on_stop(loop->stop_arg);
	else
		loop_stop(loop, 0);
}

static void on_reload_signal(int signo, void *arg)
{
	struct loop *loop = arg;

	(void)signo;
	if (loop->on_reload)
		loop->on_reload(loop->stop_arg);
}

int loop_on_stop(struct loop *loop, void (*on_stop)(void *arg), void (*on_reload)(void *arg),
		 void *arg)
{
	int rc;

	if (loop->term)
		return -EALREADY;
	loop->on_stop = on_stop;
	loop->on_reload = on_reload;
	loop->stop_arg = arg;
	rc = loop_signal_new(loop, SIGTERM, on_stop_signal, loop, &loop->term);
	if (rc == 0)
		rc = loop_signal_new(loop, SIGINT, on_stop_signal, loop, &loop->intr);
	if (rc == 0)
		rc = loop_signal_new(loop, SIGHUP, on_reload_signal, loop, &loop->hup);
	return rc;
}

/* ---- children ---- */

static void on_pidfd(unsigned int events, void *arg)
{
	struct loop_child *child = arg;
	int status = 0;
	pid_t got;

	(void)events;
	do {
		got = waitpid(child->pid, &status, WNOHANG);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return;
	LIST_REMOVE(child, link);
	loop_io_free(child->io);
	close(child->pidfd);
	/* got < 0 means that somebody else reaped it; its status is lost, so report a failure. */
	if (child->fn)
		child->fn(child->pid, got < 0 ? 0xff00 : status, child->arg);
	free(child);
}

int loop_child_new(struct loop *loop, pid_t pid, void (*on_exit)(pid_t pid, int status, void *arg),
		   void *arg, struct loop_child **out)
{
	struct loop_child *child = calloc(1, sizeof(*child));
	int rc;

	if (!child)
		return -ENOMEM;
	child->pid = pid;
	child->fn = on_exit;
	child->arg = arg;
	/* A pidfd, not SIGCHLD: it names this child only and needs no handler in the process. */
	child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (child->pidfd < 0) {
		rc = -errno;
		goto fail;
	}
	rc = loop_io_new(loop, child->pidfd, on_pidfd, child, &child->io);
	if (rc < 0)
		goto fail_fd;
	rc = loop_io_set(child->io, LOOP_READ);
	if (rc < 0)
		goto fail_io;
	LIST_INSERT_HEAD(&loop->children, child, link);
	if (out)
		*out = child;
	return 0;
fail_io:
	loop_io_free(child->io);
fail_fd:
	close(child->pidfd);
fail:
	free(child);
	return rc;
}

void loop_child_free(struct loop_child *child)
{
	if (child)
		child->fn = NULL;
}

/* ---- deferred calls ---- */

static void on_defer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_defer *defer = arg;

	(void)fd;
	(void)what;
	defer->fn(defer->arg);
}

int loop_defer_new(struct loop *loop, void (*fn)(void *arg), void *arg, struct loop_defer **out)
{
	struct loop_defer *defer = calloc(1, sizeof(*defer));

	if (!defer)
		return -ENOMEM;
	defer->loop = loop;
	defer->fn = fn;
	defer->arg = arg;
	defer->ev = evtimer_new(loop->base, on_defer, defer);
	if (!defer->ev) {
		free(defer);
		return -ENOMEM;
	}
	*out = defer;
	return 0;
}

void loop_defer_call(struct loop_defer *defer)
{
	/* A timer of length 0 and not event_active(): that would run in the same pass, and a chain
	 * of deferred calls would starve the sockets.
	 */
	struct timeval now = { 0, 0 };

	if (!event_pending(defer->ev, EV_TIMEOUT, NULL))
		event_add(defer->ev, &now);
}

static void put_off_end(struct loop_defer *defer)
{
	if (defer->is_put_off)
		TAILQ_REMOVE(&defer->loop->put_off, defer, link);
	defer->is_put_off = false;
}

void loop_defer_cancel(struct loop_defer *defer)
{
	put_off_end(defer);
	event_del(defer->ev);
}

void loop_defer_free(struct loop_defer *defer)
{
	if (!defer)
		return;
	put_off_end(defer);
	event_free(defer->ev);
	free(defer);
}

/* ---- holding ---- */

void loop_hold(struct loop *loop)
{
	loop->held = true;
}

bool loop_held(const struct loop *loop)
{
	return loop->held;
}

void loop_defer_held(struct loop_defer *defer)
{
	if (defer->is_put_off)
		return;
	defer->is_put_off = true;
	TAILQ_INSERT_TAIL(&defer->loop->put_off, defer, link);
}

/* From here and not in the next pass, whose first callback might hold the loop again. */
void loop_release(struct loop *loop)
{
	struct loop_defer *defer;

	loop->held = false;
	while (!loop->held && (defer = TAILQ_FIRST(&loop->put_off))) {
		put_off_end(defer);
		defer->fn(defer->arg);
	}
}

/* ---- names ---- */

static void resolve_free(struct loop_resolve *res)
{
	loop_defer_free(res->defer);
	free(res);
}

static void resolve_report(void *arg)
{
	struct loop_resolve *res = arg;

	res->fn(res->err, res->err ? NULL : res->addrs, res->err ? 0 : res->count, res->why,
		res->arg);
	resolve_free(res);
}

static int resolve_errno(int eai)
{
	switch (eai) {
	case EVUTIL_EAI_MEMORY:
		return -ENOMEM;
	case EVUTIL_EAI_AGAIN:
		return -EAGAIN;
	default:
		return -ENOENT;
	}
}

static void on_resolved(int eai, struct evutil_addrinfo *list, void *arg)
{
	struct loop_resolve *res = arg;
	struct evutil_addrinfo *ai;

	res->request = NULL;
	for (ai = list; ai && res->count < LOOP_RESOLVE_MAX; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(res->addrs[0]))
			continue;
		memcpy(&res->addrs[res->count++], ai->ai_addr, ai->ai_addrlen);
	}
	if (list)
		evutil_freeaddrinfo(list);
	if (res->orphan) {
		resolve_free(res);
		return;
	}
	if (eai || !res->count) {
		res->err = eai ? resolve_errno(eai) : -ENOENT;
		res->why = eai ? evutil_gai_strerror(eai) : "no address";
	}
	loop_defer_call(res->defer);
}

/* Split at the last colon; brackets around IPv6 were handled by endpoint_parse(). */
static int split_host_port(const char *s, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(s, ':');
	uint64_t number;

	if (!colon || colon == s || (size_t)(colon - s) >= size)
		return -EINVAL;
	if (u64_parse(colon + 1, 65535, &number) < 0 || number == 0)
		return -EINVAL;
	memcpy(host, s, (size_t)(colon - s));
	host[colon - s] = '\0';
	if (strpbrk(host, ":[] \t/"))
		return -EINVAL;
	*port = colon + 1;
	return 0;
}

static int resolve_name(struct loop *loop, struct loop_resolve *res, const char *host,
			const char *port)
{
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
	};

	if (!loop->dns) {
		loop->dns = evdns_base_new(loop->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							       EVDNS_BASE_DISABLE_WHEN_INACTIVE);
		/* No usable resolv.conf: the hosts file alone. */
		if (!loop->dns) {
			loop->dns = evdns_base_new(loop->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
			if (loop->dns)
				evdns_base_load_hosts(loop->dns, "/etc/hosts");
		}
	}
	if (!loop->dns)
		return -ENOMEM;
	res->request = evdns_getaddrinfo(loop->dns, host, port, &hints, on_resolved, res);
	return 0;
}

int loop_resolve(struct loop *loop, const char *host_port,
		 void (*on_addr)(int err, const struct sockaddr_storage *addrs, size_t count,
				 const char *why, void *arg),
		 void *arg, struct loop_resolve **out)
{
	struct loop_resolve *res;
	struct shunt_endpoint ep;
	const char *port = NULL;
	char host[256] = "";
	bool numeric = endpoint_parse(host_port, &ep) == 0;
	int rc;

	if (!numeric && split_host_port(host_port, host, sizeof(host), &port) < 0)
		return -EINVAL;
	res = calloc(1, sizeof(*res));
	if (!res)
		return -ENOMEM;
	res->fn = on_addr;
	res->arg = arg;
	res->why = "";
	rc = loop_defer_new(loop, resolve_report, res, &res->defer);
	if (rc < 0)
		goto fail;
	if (numeric) {
		endpoint_to_sockaddr(&ep, &res->addrs[0]);
		res->count = 1;
		loop_defer_call(res->defer);
	} else {
		rc = resolve_name(loop, res, host, port);
		if (rc < 0)
			goto fail;
	}
	*out = res;
	return 0;
fail:
	resolve_free(res);
	return rc;
}

void loop_resolve_cancel(struct loop_resolve *res)
{
	if (!res)
		return;
	if (!res->request) {
		resolve_free(res);
		return;
	}
	/* evdns calls back once more, with "cancelled", now or in the next pass. */
	res->orphan = true;
	evdns_getaddrinfo_cancel(res->request);
}
