// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* the libc's tcp_info ends before tcpi_bytes_acked */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "lib/tls.h"

struct stream {
	int fd;
	struct tls_conn *tls;
	struct loop_io *io;
	struct loop_defer *kick;
	const struct stream_ops *ops;
	void *arg;
	/* What each direction waits for, as LOOP_* bits; 0: it waits for nothing. TLS may need the
	 * one to do the other.
	 */
	unsigned int read_wants;
	unsigned int write_wants;
	uint64_t acked; /* octets, at the last stream_progress() */
	int error;
};

static void watch(struct stream *s)
{
	int rc = loop_io_set(s->io, s->read_wants | s->write_wants);

	if (rc < 0 && !s->error)
		s->error = rc;
}

static void on_io(unsigned int events, void *arg)
{
	struct stream *s = arg;
	bool readable = s->read_wants & events;
	bool writable = s->write_wants & events;

	/* What was announced is not waited for any more: a level-triggered poll would otherwise
	 * spin while the owner does not want to read. The watcher itself is left as it is, because most
	 * owners go on until STREAM_AGAIN and would only have it set again.
	 */
	if (readable)
		s->read_wants = 0;
	if (writable)
		s->write_wants = 0;
	if (!readable && !writable) {
		watch(s);
		return;
	}
	s->ops->on_ready(readable, writable, s->arg);
}

static void on_kick(void *arg)
{
	struct stream *s = arg;

	s->ops->on_ready(true, true, s->arg);
}

int stream_new(struct loop *loop, int fd, struct tls_conn *tls, struct stream **out)
{
	int flags = fcntl(fd, F_GETFL);
	struct stream *s;
	int rc;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	rc = loop_io_new(loop, fd, on_io, s, &s->io);
	if (rc < 0)
		goto fail;
	rc = loop_defer_new(loop, on_kick, s, &s->kick);
	if (rc < 0)
		goto fail;
	s->fd = fd;
	s->tls = tls;
	*out = s;
	return 0;
fail:
	loop_io_free(s->io);
	free(s);
	return rc;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	loop_defer_free(s->kick);
	loop_io_free(s->io);
	tls_free(s->tls);
	close(s->fd);
	free(s);
}

int stream_start(struct stream *s, const struct stream_ops *ops, void *arg)
{
	s->ops = ops;
	s->arg = arg;
	loop_defer_call(s->kick);
	return 0;
}

static enum stream_status from_tls(struct stream *s, enum tls_status status, unsigned int *wants)
{
	switch (status) {
	case TLS_OK:
		return STREAM_OK;
	case TLS_WANT_READ:
		*wants = LOOP_READ;
		watch(s);
		return s->error ? STREAM_FAIL : STREAM_AGAIN;
	case TLS_WANT_WRITE:
		*wants = LOOP_WRITE;
		watch(s);
		return s->error ? STREAM_FAIL : STREAM_AGAIN;
	case TLS_EOF:
		return STREAM_EOF;
	default:
		s->error = tls_error(s->tls);
		return STREAM_FAIL;
	}
}

static enum stream_status from_errno(struct stream *s, unsigned int *wants, unsigned int what)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		*wants = what;
		watch(s);
		return s->error ? STREAM_FAIL : STREAM_AGAIN;
	}
	s->error = -errno;
	return STREAM_FAIL;
}

enum stream_status stream_read(struct stream *s, void *buf, size_t len, size_t *got)
{
	ssize_t n;

	if (s->error)
		return STREAM_FAIL;
	s->read_wants = 0;
	if (s->tls)
		return from_tls(s, tls_read(s->tls, buf, len, got), &s->read_wants);
	n = recv(s->fd, buf, len, 0);
	if (n < 0)
		return from_errno(s, &s->read_wants, LOOP_READ);
	*got = (size_t)n;
	return n ? STREAM_OK : STREAM_EOF;
}

enum stream_status stream_write(struct stream *s, const void *buf, size_t len, size_t *put)
{
	enum stream_status status;
	unsigned int before = s->write_wants;
	ssize_t n;

	if (s->error)
		return STREAM_FAIL;
	s->write_wants = 0;
	if (s->tls) {
		status = from_tls(s, tls_write(s->tls, buf, len, put), &s->write_wants);
	} else {
		n = send(s->fd, buf, len, MSG_NOSIGNAL);
		if (n < 0)
			return from_errno(s, &s->write_wants, LOOP_WRITE);
		*put = (size_t)n;
		status = STREAM_OK;
	}
	/* A socket is nearly always writable; a watch left over would spin. */
	if (status == STREAM_OK && before)
		watch(s);
	return status;
}

void stream_shutdown(struct stream *s)
{
	if (s->error)
		return;
	if (s->tls)
		tls_shutdown(s->tls);
	shutdown(s->fd, SHUT_WR);
}

int stream_error(const struct stream *s)
{
	return s->error;
}

const char *stream_reason(const struct stream *s)
{
	if (s->tls && tls_error(s->tls))
		return tls_reason(s->tls);
	return shunt_strerror(s->error);
}

bool stream_progress(struct stream *s)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	uint64_t before = s->acked;

	/* An old kernel fills in less and leaves the rest 0. */
	if (getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return false;
	s->acked = info.tcpi_bytes_acked;
	return s->acked > before;
}

struct tls_conn *stream_tls(const struct stream *s)
{
	return s->tls;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}
