// SPDX-License-Identifier: GPL-2.0-or-later

#include "netkit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/proc.h"

static int setup(void **state)
{
	struct loop *loop = NULL;

	assert_int_equal(loop_new(&loop), 0);
	*state = loop;
	return 0;
}

static int teardown(void **state)
{
	loop_free(*state);
	return 0;
}

/* ---- timers ---- */

struct ticks {
	struct loop_timer *timer;
	int count;
	bool done;
};

static void on_tick(void *arg)
{
	struct ticks *ticks = arg;

	if (++ticks->count == 3) {
		ticks->done = true;
		/* its own handle, from its own callback */
		loop_timer_free(ticks->timer);
	}
}

static void timer_repeats_and_frees_itself(void **state)
{
	struct loop *loop = *state;
	struct ticks ticks = { 0 };

	assert_int_equal(loop_timer_new(loop, on_tick, &ticks, &ticks.timer), 0);
	assert_false(loop_timer_armed(ticks.timer));
	loop_timer_every(ticks.timer, 1);
	assert_true(loop_timer_armed(ticks.timer));
	kit_until(loop, &ticks.done);
	kit_settle(loop);
	assert_int_equal(ticks.count, 3);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void timer_once_and_stopped(void **state)
{
	struct loop *loop = *state;
	struct loop_timer *once, *never;
	bool fired = false, wrong = false;
	uint64_t start = loop_now(loop);

	assert_int_equal(loop_timer_new(loop, set_flag, &fired, &once), 0);
	assert_int_equal(loop_timer_new(loop, set_flag, &wrong, &never), 0);
	loop_timer_set(never, 1);
	loop_timer_stop(never);
	loop_timer_set(once, 30);
	kit_until(loop, &fired);
	/* The poll's clock is coarse: up to a jiffy early. */
	assert_true(loop_now(loop) - start >= 20);
	assert_false(wrong);
	assert_false(loop_timer_armed(once));
	loop_timer_free(once);
	loop_timer_free(never);
}

/* ---- deferred calls ---- */

struct chain {
	struct loop_defer *defer;
	struct loop_io *io;
	int left;
	bool io_seen;
};

static void on_chain(void *arg)
{
	struct chain *chain = arg;

	if (chain->left-- > 0)
		loop_defer_call(chain->defer);
}

static void on_chain_io(unsigned int events, void *arg)
{
	struct chain *chain = arg;

	assert_int_equal(events, LOOP_READ);
	chain->io_seen = true;
	loop_io_set(chain->io, 0);
}

static void deferred_calls_do_not_starve_io(void **state)
{
	struct loop *loop = *state;
	struct chain chain = { .left = 1000000 };
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_defer_new(loop, on_chain, &chain, &chain.defer), 0);
	assert_int_equal(loop_io_new(loop, fds[0], on_chain_io, &chain, &chain.io), 0);
	loop_defer_call(chain.defer);
	loop_defer_call(chain.defer);
	loop_io_set(chain.io, LOOP_READ);
	kit_until(loop, &chain.io_seen);
	assert_true(chain.left > 990000);
	loop_defer_cancel(chain.defer);
	kit_settle(loop);
	assert_true(chain.left > 990000);
	loop_defer_free(chain.defer);
	loop_io_free(chain.io);
	close(fds[0]);
	close(fds[1]);
}

/* ---- holding ---- */

struct held {
	struct loop *loop;
	struct loop_defer *defer;
	char *seen;
	char name;
	bool hold;
};

static void on_released(void *arg)
{
	struct held *h = arg;

	strncat(h->seen, &h->name, 1);
	if (h->hold)
		loop_hold(h->loop);
	h->hold = false;
}

static void what_is_put_off_runs_in_order_when_released(void **state)
{
	struct loop *loop = *state;
	char seen[16] = "";
	struct held v[4];
	int i;

	for (i = 0; i < 4; i++) {
		v[i] = (struct held){ .loop = loop, .seen = seen, .name = (char)('a' + i) };
		assert_int_equal(loop_defer_new(loop, on_released, &v[i], &v[i].defer), 0);
	}
	v[1].hold = true;
	loop_hold(loop);
	for (i = 0; i < 4; i++)
		loop_defer_held(v[i].defer);
	loop_defer_held(v[0].defer); /* once is enough */
	loop_defer_free(v[2].defer);
	kit_settle(loop);
	assert_string_equal(seen, "");
	loop_release(loop);
	assert_string_equal(seen, "ab");
	assert_true(loop_held(loop));
	loop_defer_cancel(v[3].defer);
	loop_defer_held(v[0].defer);
	loop_release(loop);
	assert_string_equal(seen, "aba");
	assert_false(loop_held(loop));
	for (i = 0; i < 4; i++)
		if (i != 2)
			loop_defer_free(v[i].defer);
}

/* ---- children ---- */

struct child {
	pid_t pid;
	int status;
	bool ended;
};

static void on_exit_status(pid_t pid, int status, void *arg)
{
	struct child *child = arg;

	assert_int_equal(pid, child->pid);
	child->status = status;
	child->ended = true;
}

static void child_status_arrives(void **state)
{
	struct loop *loop = *state;
	struct child normal = { 0 }, killed = { 0 };
	struct loop_child *handle = NULL;

	normal.pid = fork();
	if (!normal.pid)
		_exit(7);
	killed.pid = fork();
	if (!killed.pid) {
		pause();
		_exit(0);
	}
	assert_int_equal(loop_child_new(loop, normal.pid, on_exit_status, &normal, &handle), 0);
	assert_int_equal(loop_child_new(loop, killed.pid, on_exit_status, &killed, &handle), 0);
	kit_until(loop, &normal.ended);
	assert_true(WIFEXITED(normal.status));
	assert_int_equal(WEXITSTATUS(normal.status), 7);
	assert_int_equal(kill(killed.pid, SIGKILL), 0);
	kit_until(loop, &killed.ended);
	assert_int_equal(WTERMSIG(killed.status), SIGKILL);
	/* reaped: no such child any more */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void forgotten_child_is_reaped(void **state)
{
	struct loop *loop = *state;
	struct child child = { 0 };
	struct loop_child *handle = NULL;

	child.pid = fork();
	if (!child.pid)
		_exit(0);
	assert_int_equal(loop_child_new(loop, child.pid, on_exit_status, &child, &handle), 0);
	loop_child_free(handle);
	KIT_UNTIL(loop, kill(child.pid, 0) < 0 && errno == ESRCH);
	assert_false(child.ended);
}

/* ---- signals ---- */

struct stops {
	struct loop *loop;
	int stop, reload;
};

static void on_stop(void *arg)
{
	struct stops *stops = arg;

	stops->stop++;
	raise(SIGTERM);
}

static void on_reload(void *arg)
{
	struct stops *stops = arg;

	stops->reload++;
	raise(SIGINT);
}

static void signals_reload_stop_and_force(void **state)
{
	struct loop *loop = *state;
	struct stops stops = { .loop = loop };

	assert_int_equal(loop_on_stop(loop, on_stop, on_reload, &stops), 0);
	assert_int_equal(loop_on_stop(loop, NULL, NULL, NULL), -EALREADY);
	raise(SIGHUP);
	/* HUP reloads, its callback raises INT, whose callback raises TERM: the second one forces */
	assert_int_equal(loop_run(loop), 1);
	assert_int_equal(stops.reload, 1);
	assert_int_equal(stops.stop, 1);
}

static void stop_status_first_wins(void **state)
{
	struct loop *loop = *state;

	loop_stop(loop, 3);
	loop_stop(loop, 4);
	assert_int_equal(loop_run(loop), 3);
	assert_int_equal(loop_step(loop, 0), 1);
}

/* ---- names ---- */

struct lookup {
	bool done;
	int err;
	size_t count;
	struct sockaddr_storage first;
};

static void on_addr(int err, const struct sockaddr_storage *addrs, size_t count, const char *why,
		    void *arg)
{
	struct lookup *lookup = arg;

	(void)why;
	lookup->done = true;
	lookup->err = err;
	lookup->count = count;
	if (count)
		lookup->first = addrs[0];
}

static void resolve_numeric(void **state)
{
	struct loop *loop = *state;
	struct lookup v4 = { 0 }, v6 = { 0 };
	struct loop_resolve *res;

	assert_int_equal(loop_resolve(loop, "192.0.2.7:8443", on_addr, &v4, &res), 0);
	assert_false(v4.done);
	assert_int_equal(loop_resolve(loop, "[2001:db8::1]:1", on_addr, &v6, &res), 0);
	kit_until(loop, &v4.done);
	kit_until(loop, &v6.done);
	assert_int_equal(v4.err, 0);
	assert_int_equal(v4.count, 1);
	assert_int_equal(((struct sockaddr_in *)&v4.first)->sin_port, htons(8443));
	assert_int_equal(v6.first.ss_family, AF_INET6);
}

static void resolve_hosts_file(void **state)
{
	struct loop *loop = *state;
	struct lookup lookup = { 0 };
	struct loop_resolve *res;

	assert_int_equal(loop_resolve(loop, "localhost:80", on_addr, &lookup, &res), 0);
	assert_false(lookup.done);
	kit_until(loop, &lookup.done);
	assert_int_equal(lookup.err, 0);
	assert_true(lookup.count >= 1);
}

static void resolve_refuses_and_cancels(void **state)
{
	static const char *const bad[] = { "",		 "host",   "host:",	  ":80",   "host:0",
					   "host:65536", "a b:80", "2001:db8::1", "h/x:80" };
	struct loop *loop = *state;
	struct lookup lookup = { 0 };
	struct loop_resolve *res;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(loop_resolve(loop, bad[i], on_addr, &lookup, &res), -EINVAL);
	assert_int_equal(loop_resolve(loop, "192.0.2.7:1", on_addr, &lookup, &res), 0);
	loop_resolve_cancel(res);
	kit_settle(loop);
	assert_false(lookup.done);
}

/* ---- proc ---- */

static void notify_reaches_the_socket(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char *dir = kit_dir_new();
	char got[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(proc_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(proc_notify("READY=1"), -EINVAL);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/notify", dir);
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	assert_int_equal(proc_notify("READY=1"), -ENOENT);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(proc_notify("READY=1"), 1);
	assert_int_equal(recv(fd, got, sizeof(got) - 1, 0), 7);
	assert_string_equal(got, "READY=1");
	unsetenv("NOTIFY_SOCKET");
	close(fd);
	kit_dir_free(dir);
}

/* What a child that dropped its rights finds; 0 when all is as it should be. */
static int drop_in_child(const char *user, uint64_t keep)
{
	struct err e = { 0 };
	char line[128];
	unsigned long long caps = ~0ull;
	FILE *f;

	if (proc_drop(user, keep, &e) < 0)
		return 1;
	if (getuid() != 65534 || geteuid() != 65534 || getgid() != 65534)
		return 2;
	if (setuid(0) == 0)
		return 3;
	f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (f)
		fclose(f);
	return caps == keep ? 0 : 4;
}

static int drop_status(const char *user, uint64_t keep)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(drop_in_child(user, keep));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void drop_keeps_only_what_is_asked(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (getuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	assert_int_equal(drop_status("65534:65534", 0), 0);
	assert_int_equal(drop_status("65534:65534", PROC_CAP_NET_BIND_SERVICE), 0);
	assert_int_equal(drop_status("nobody", 0), 0);
	assert_int_equal(proc_drop("no-such-user-here", 0, &e), -ENOENT);
	assert_non_null(strstr(e.text, "no-such-user-here"));
	assert_int_equal(proc_drop("1:", 0, &e), -EINVAL);
	assert_int_equal(proc_drop("x:1", 0, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(timer_repeats_and_frees_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(timer_once_and_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(deferred_calls_do_not_starve_io, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_put_off_runs_in_order_when_released, setup,
						teardown),
		cmocka_unit_test_setup_teardown(child_status_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(forgotten_child_is_reaped, setup, teardown),
		cmocka_unit_test_setup_teardown(signals_reload_stop_and_force, setup, teardown),
		cmocka_unit_test_setup_teardown(stop_status_first_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(resolve_numeric, setup, teardown),
		cmocka_unit_test_setup_teardown(resolve_hosts_file, setup, teardown),
		cmocka_unit_test_setup_teardown(resolve_refuses_and_cancels, setup, teardown),
		cmocka_unit_test(notify_reaches_the_socket),
		cmocka_unit_test(drop_keeps_only_what_is_asked),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
