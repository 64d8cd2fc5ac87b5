// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/loop.h"
#include "lib/smbmsg.h"

#define QUIET_S 60 /* TCP keepalive: a server that is gone is noticed after some three times that */
#define LOW_FDS 10 /* those that the child gets are below; those they are made from are not */
#define TURNS 32 /* messages in one go, so that others have theirs */

struct helper {
	struct helper_ops ops;
	void *arg;
	struct loop *loop;
	char *program;
	int fd; /* while connecting the server's socket, then our end of the pair; -1: neither */
	struct sockaddr_storage server;
	socklen_t server_len;
	struct loop_io *io;
	struct loop_timer *timer; /* for connecting; and to say what went wrong at once */
	bool running;
	int error; /* for on_end */
	pid_t pid;
	struct loop_child *child;
	bool *freed; /* to be told, where a callback may free it */
	unsigned char in[SMB_MSG_MAX];
};

static void end(struct helper *h, int err)
{
	loop_io_free(h->io);
	h->io = NULL;
	loop_timer_stop(h->timer);
	h->ops.on_end(err, h->arg); /* may free it */
}

/* ---- the child ---- */

static void on_exit_status(pid_t pid, int status, void *arg)
{
	struct helper *h = arg;

	(void)pid;
	(void)status; /* what it had to say it has said, or the end of the pair tells */
	h->pid = 0;
	h->child = NULL;
}

static int spawn(const struct helper *h, int control, int server, pid_t *pid)
{
	static char name[] = "shunt-helper";
	char *const argv[] = { name, NULL }, *const env[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, pipe;
	int ret;

	ret = posix_spawn_file_actions_init(&files);
	if (ret)
		return -ret;
	ret = posix_spawnattr_init(&attr);
	if (ret) {
		posix_spawn_file_actions_destroy(&files);
		return -ret;
	}
	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawn_file_actions_adddup2(&files, control, SMB_FD_CONTROL);
	if (!ret)
		ret = posix_spawn_file_actions_adddup2(&files, server, SMB_FD_SERVER);
	if (!ret)
		ret = posix_spawn_file_actions_addclosefrom_np(&files, SMB_FD_SERVER + 1);
	if (!ret)
		ret = posix_spawn(pid, h->program, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -ret;
}

/* Where the child's descriptors cannot be in each other's way. */
static int move_up(int fd)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, LOW_FDS);

	close(fd);
	return up < 0 ? -errno : up;
}

static int start_child(struct helper *h, int control)
{
	int server = fcntl(h->fd, F_DUPFD_CLOEXEC, LOW_FDS), ret;

	if (server < 0)
		return -errno;
	ret = spawn(h, control, server, &h->pid);
	close(server);
	if (ret) {
		h->pid = 0;
		return ret;
	}
	ret = loop_child_new(h->loop, h->pid, on_exit_status, h, &h->child);
	if (ret) {
		kill(h->pid, SIGKILL);
		waitpid(h->pid, NULL, 0);
		h->pid = 0;
	}
	return ret;
}

/* ---- messages ---- */

static void on_messages(struct helper *h)
{
	bool freed = false;
	ssize_t n = 1;
	int turns;

	h->freed = &freed;
	for (turns = 0; turns < TURNS && n > 0; turns++) {
		n = recv(h->fd, h->in, sizeof(h->in), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n > 0 && (size_t)n <= sizeof(h->in)) {
			h->ops.on_message(h->in, (size_t)n, h->arg);
		} else {
			end(h, n > 0 ? -EMSGSIZE : -EPIPE);
			n = 0;
		}
		if (freed)
			return;
	}
	h->freed = NULL;
}

static void on_pair(unsigned int events, void *arg)
{
	struct helper *h = arg;
	bool freed = false;

	if (events & LOOP_WRITE) {
		loop_io_set(h->io, LOOP_READ);
		h->freed = &freed;
		h->ops.on_ready(h->arg);
		if (freed)
			return;
		h->freed = NULL;
	}
	if ((events & LOOP_READ) && h->io)
		on_messages(h);
}

int helper_send(struct helper *h, const void *p, size_t len)
{
	if (!h->running)
		return -EAGAIN;
	if (send(h->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
		return 0;
	if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
		return -EPIPE; /* reading tells it, too */
	loop_io_set(h->io, LOOP_READ | LOOP_WRITE);
	return -EAGAIN;
}

/* ---- the connection ---- */

/* It is there: the child takes it over, and our end of the pair its place. */
static int run(struct helper *h)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pair[1] = move_up(pair[1]);
	ret = pair[1] < 0 ? pair[1] : start_child(h, pair[1]);
	if (pair[1] >= 0)
		close(pair[1]);
	if (ret) {
		close(pair[0]);
		return ret;
	}
	loop_io_free(h->io);
	h->io = NULL;
	close(h->fd);
	h->fd = pair[0];
	h->running = true;
	loop_timer_stop(h->timer);
	ret = loop_io_new(h->loop, h->fd, on_pair, h, &h->io);
	return ret ? ret : loop_io_set(h->io, LOOP_READ | LOOP_WRITE);
}

static void on_connected(unsigned int events, void *arg)
{
	struct helper *h = arg;
	int ret;

	(void)events;
	/*
	 * Not SO_ERROR: only a second connect() has the kernel take the socket for connected. One that it takes for connecting, the
	 * child could connect elsewhere once the server has reset it.
	 */
	ret = connect(h->fd, (struct sockaddr *)&h->server, h->server_len) && errno != EISCONN ?
		      -errno :
		      0;
	/* The child's library has no patience with a socket that does not block, or sets that itself. */
	if (!ret && fcntl(h->fd, F_SETFL, 0))
		ret = -errno;
	if (!ret)
		ret = run(h);
	if (ret)
		end(h, ret);
}

static void on_timer(void *arg)
{
	struct helper *h = arg;

	end(h, h->error ? h->error : -ETIMEDOUT);
}

static int set_options(int fd)
{
	const struct linger none = { 1, 0 };
	int on = 1, quiet = QUIET_S;

	/*
	 * Whatever is on its way when it is closed is of no use any more, and the server is to know at once, before the tunnel goes:
	 * an RST is not held up by what was to be sent.
	 */
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) ||
			       setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) ||
			       setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &quiet, sizeof(quiet)) ||
			       setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &quiet, sizeof(quiet)) ||
			       setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 2 }, sizeof(int)) ?
		       -errno :
		       0;
}

static int dial(struct helper *h, const struct helper_conf *conf)
{
	struct shunt_endpoint to = { conf->address, conf->port }, from = { conf->source, 0 };
	struct sockaddr_storage own;
	socklen_t own_len = endpoint_to_sockaddr(&from, &own);
	int ret;

	h->server_len = endpoint_to_sockaddr(&to, &h->server);
	h->fd = socket(h->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->fd < 0)
		return -errno;
	ret = set_options(h->fd);
	if (!ret)
		ret = loop_io_new(h->loop, h->fd, on_connected, h, &h->io);
	if (ret)
		return ret;
	if (own_len && bind(h->fd, (struct sockaddr *)&own, own_len))
		return -errno;
	if (connect(h->fd, (struct sockaddr *)&h->server, h->server_len) && errno != EINPROGRESS)
		return -errno;
	return loop_io_set(h->io, LOOP_WRITE);
}

int helper_new(const struct helper_conf *conf, const struct helper_ops *ops, void *arg,
	       struct helper **out)
{
	struct helper *h = calloc(1, sizeof(*h));
	int ret;

	if (!h)
		return -ENOMEM;
	h->ops = *ops;
	h->arg = arg;
	h->loop = conf->loop;
	h->fd = -1;
	h->program = strdup(conf->program);
	ret = h->program ? loop_timer_new(h->loop, on_timer, h, &h->timer) : -ENOMEM;
	if (ret) {
		helper_free(h);
		return ret;
	}
	h->error = dial(h, conf);
	loop_timer_set(h->timer, h->error ? 0 : HELPER_CONNECT_MS);
	*out = h;
	return 0;
}

void helper_free(struct helper *h)
{
	if (!h)
		return;
	if (h->freed)
		*h->freed = true;
	loop_io_free(h->io);
	loop_timer_free(h->timer);
	if (h->fd >= 0)
		close(h->fd);
	if (h->pid > 0)
		kill(h->pid, SIGKILL);
	loop_child_free(h->child);
	free(h->program);
	free(h);
}
