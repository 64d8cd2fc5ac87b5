/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream: a connected socket in the loop, plain or TLS, as HTTP/2 sees it.
 *
 * Reads and writes never block. Readiness is announced once: after STREAM_AGAIN the owner is called
 * back when trying again makes sense, and must then read (write) until STREAM_AGAIN comes again or
 * it has had enough; not reading is backpressure.
 */
#ifndef SHUNT_LIB_STREAM_H
#define SHUNT_LIB_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct loop;
struct stream;
struct tls_conn;

enum stream_status {
	STREAM_OK,
	STREAM_AGAIN, /* the owner will be called */
	STREAM_EOF, /* orderly end */
	STREAM_FAIL, /* stream_error() and stream_reason() say why */
};

struct stream_ops {
	/* Reading, writing (or both) can go on. May free the stream. */
	void (*on_ready)(bool readable, bool writable, void *arg);
};

/* Takes over @fd (connected, made non-blocking) and @tls (NULL: plain; handshake done) on success
 * only. Callbacks start after stream_start().
 */
int stream_new(struct loop *loop, int fd, struct tls_conn *tls, struct stream **out);
/* Frees TLS and closes the socket without ceremony. NULL is allowed. */
void stream_free(struct stream *s);

/* Set the owner; both directions are announced as ready in the loop's next pass. */
int stream_start(struct stream *s, const struct stream_ops *ops, void *arg);

enum stream_status stream_read(struct stream *s, void *buf, size_t len, size_t *got);
enum stream_status stream_write(struct stream *s, const void *buf, size_t len, size_t *put);
/* close_notify and end of our direction; best effort. */
void stream_shutdown(struct stream *s);

int stream_error(const struct stream *s);
const char *stream_reason(const struct stream *s);

/* Has the other host acknowledged octets of ours since the last call? Tells a slow way out from a
 * dead one. Always false where TCP cannot say (a socket pair).
 */
bool stream_progress(struct stream *s);

/* NULL on a plain stream. */
struct tls_conn *stream_tls(const struct stream *s);
int stream_fd(const struct stream *s);

#endif
