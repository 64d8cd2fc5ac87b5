/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop: one thread's event loop. The only owner of libevent.
 *
 * Every program has one loop and one thread; nothing here is thread-safe. Times are milliseconds on
 * the monotonic clock, so a clock that jumps changes nothing. A callback may free any handle,
 * its own included, and may create new ones. Handles must be freed before their loop.
 */
#ifndef SHUNT_LIB_LOOP_H
#define SHUNT_LIB_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;
struct loop_child;
struct loop_defer;
struct loop_resolve;

/* Create a loop. Ignores SIGPIPE for the process: a peer that went away is an error code, not a
 * signal. Returns 0, -ENOMEM or -errno.
 */
int loop_new(struct loop **out);

/* NULL is allowed. */
void loop_free(struct loop *loop);

/* Run until loop_stop(); returns the status given there (0..255), or -errno when the loop itself
 * failed.
 */
int loop_run(struct loop *loop);

/* Wait at most @timeout_ms (-1: for ever, 0: do not wait) for something to happen, handle it and
 * return: 0 when the loop goes on, 1 after loop_stop(), -errno. For tests and for command line
 * programs that await one thing.
 */
int loop_step(struct loop *loop, int timeout_ms);

/* Make loop_run() return @status after the current callback. Idempotent: the first status wins. */
void loop_stop(struct loop *loop, int status);

/* Milliseconds on the monotonic clock, never 0, comparable within this boot only. */
uint64_t loop_now(const struct loop *loop);

/* ---- timers: created disarmed ---- */

int loop_timer_new(struct loop *loop, void (*on_timer)(void *arg), void *arg,
		   struct loop_timer **out);
/* Fire once, @ms from now (0: in the next pass); replaces what was armed before. */
void loop_timer_set(struct loop_timer *timer, uint64_t ms);
/* Fire every @ms (>= 1) until stopped or set anew. */
void loop_timer_every(struct loop_timer *timer, uint64_t ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* ---- file descriptors: created watching nothing; level triggered; the caller owns @fd and frees
 * the watcher before closing it ----
 */

#define LOOP_READ 1u
#define LOOP_WRITE 2u

int loop_io_new(struct loop *loop, int fd, void (*on_io)(unsigned int events, void *arg), void *arg,
		struct loop_io **out);
/* @events: any of LOOP_READ | LOOP_WRITE, 0 to pause. Cheap when nothing changes. */
int loop_io_set(struct loop_io *io, unsigned int events);
void loop_io_free(struct loop_io *io);

/* ---- signals ---- */

int loop_signal_new(struct loop *loop, int signo, void (*on_signal)(int signo, void *arg),
		    void *arg, struct loop_signal **out);
void loop_signal_free(struct loop_signal *sig);

/* SIGTERM and SIGINT call @on_stop (NULL: loop_stop(loop, 0)); a second one of them stops the loop
 * at once with status 1, for a shutdown that hangs. SIGHUP calls @on_reload (NULL: ignored).
 * Belongs to the loop; call once.
 */
int loop_on_stop(struct loop *loop, void (*on_stop)(void *arg), void (*on_reload)(void *arg),
		 void *arg);

/* ---- children: call right after fork(); @on_exit gets the wait status of waitpid(2) once, also
 * when the child has exited already, and the handle is freed after it returns. The handle reaps the
 * child: do not call waitpid for it.
 */

int loop_child_new(struct loop *loop, pid_t pid, void (*on_exit)(pid_t pid, int status, void *arg),
		   void *arg, struct loop_child **out);
/* Forget the child without killing it (it is reaped when it ends). NULL is allowed. */
void loop_child_free(struct loop_child *child);

/* ---- deferred calls: run once in the loop's next pass, outside the caller's stack ---- */

int loop_defer_new(struct loop *loop, void (*fn)(void *arg), void *arg, struct loop_defer **out);
/* Schedule; does nothing when scheduled already. */
void loop_defer_call(struct loop_defer *defer);
void loop_defer_cancel(struct loop_defer *defer);
void loop_defer_free(struct loop_defer *defer);

/* ---- holding: whoever changes what others are about to be told, and makes many such changes
 * durable at once, holds the loop until that is done: sessions (lib/h2.h) go on reading but send nothing
 * meanwhile. A hold lasts for one pass or two, never longer.
 */

void loop_hold(struct loop *loop); /* does not nest */
bool loop_held(const struct loop *loop);
/* Ends the hold and runs, from here and in order, what loop_defer_held() has put off; should one of
 * those hold the loop again, the others stay put off.
 */
void loop_release(struct loop *loop);
/* Run when the loop is released; to be asked for while it is held only. */
void loop_defer_held(struct loop_defer *defer);

/* ---- names: "192.0.2.1:80", "[2001:db8::1]:80" or "host.example:80" to socket addresses, without
 * blocking (resolv.conf and hosts file are honoured). @on_addr is called exactly once, never from
 * within loop_resolve() itself, with err 0 and at least one address (valid during the call), or
 * -errno and @why; the handle is freed after it returns. Returns 0, -EINVAL (not host:port), -ENOMEM.
 */

#define LOOP_RESOLVE_MAX 8 /* addresses */

int loop_resolve(struct loop *loop, const char *host_port,
		 void (*on_addr)(int err, const struct sockaddr_storage *addrs, size_t count,
				 const char *why, void *arg),
		 void *arg, struct loop_resolve **out);
/* @on_addr will not be called any more. */
void loop_resolve_cancel(struct loop_resolve *resolve);

#endif
