/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http: HTTP/1.1 (RFC 9112) with a device's own server, through a tunnel. The only owner of libcurl.
 *
 * A host is one server as one tunnel reaches it: tunnels' addresses are used again for other devices, so
 * connections are kept for later calls within a host and never beyond. No proxies, no redirects, no
 * content codings. What the server says is bounded in time and octets by each request.
 */
#ifndef SHUNT_CLOUD_HTTP_H
#define SHUNT_CLOUD_HTTP_H

#include "lib/addr.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct http;
struct http_call;
struct http_host;
struct loop;

#define HTTP_CONNECT_MS 15000

/*
 * @ca: PEM file, read now, that certificates of https servers must come from; their host names are not
 * checked, since a server is reached under an address of the tunnel. 0 or -errno.
 */
int http_new(struct loop *loop, const char *ca, struct http **out, struct err *e);
/* Read @ca again, for hosts that are made from now on; on failure the old one stays. 0 or -errno. */
int http_set_ca(struct http *h, const char *ca, struct err *e);
void http_free(struct http *h); /* after its hosts; NULL is allowed */

/*
 * A name and password go when the server asks for them, by Digest (RFC 7616), or by Basic (RFC 7617) over https only: the
 * tunnel ends at the gateway, so that over http whoever listens in the device's LAN would read the password.
 */
struct http_target {
	struct shunt_addr address;
	uint16_t port;
	bool tls;
	struct shunt_addr source; /* local address; unset: any */
	const char *name, *password; /* copied, wiped with the host; NULL: none */
	/*
	 * Whose server it is. A certificate of the CA that is a party's (SAN URI shunt:ROLE:NAME) must be this device's, as other
	 * devices and terminals have such, too; one that an administrator made for a server has none. NULL: nobody's will do.
	 */
	const char *device;
	/*
	 * "sha256//BASE64": of the public key of the server's certificate (pin_ok()), which then counts whoever
	 * signed it. NULL or "": it must come from the CA.
	 */
	const char *pin;
};

/* 0, -ENOMEM. */
int http_host_new(struct http *h, const struct http_target *target, struct http_host **out);
/* Its calls end without their done(). NULL is allowed. */
void http_host_free(struct http_host *host);

/* What an answer says of its body (RFC 9110 8). The strings are "" where it says nothing. */
struct http_head {
	int status;
	const char *type; /* media type */
	uint64_t length; /* of the body that follows; CONTENT_SIZE_UNKNOWN */
	const char *range; /* Content-Range */
	const char *etag;
	const char *modified; /* Last-Modified */
	const char *location;
};

struct http_request {
	const char *method;
	const char *path; /* as it goes on the wire, begins with "/" */
	const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
	/*
	 * The next octets of the body, at most @len of them: how many, or a negative code, which ends the
	 * call. NULL: there is no body.
	 */
	ssize_t (*read)(void *arg, void *buf, size_t len);
	void *read_arg;
	uint64_t size; /* of the body */
	/*
	 * Must not reach the server twice: sent on a connection of its own, so that a kept one that turns out
	 * to be dead is no reason to send it again.
	 */
	bool once;
	uint64_t timeout_ms; /* for all of it; 0: none, the caller watches over it */
	unsigned int stall_s; /* seconds in which nothing moves that end it; 0: any */
	size_t max_reply; /* octets of the answer's body that is kept; more end the call */
	/*
	 * Of an answer of status 2xx the head, once, then the body in pieces, which is not kept; both 0 or -errno, which
	 * ends the call. NULL, both: it is kept for done().
	 */
	int (*on_head)(void *arg, const struct http_head *head);
	int (*on_body)(void *arg, const void *data, size_t len);
	void *body_arg;
};

/* What a reply of status 401 (RFC 9110 15.5.2) means. */
enum http_login {
	HTTP_LOGIN_NONE, /* it is none */
	HTTP_LOGIN_WANTED, /* the host has no name and password */
	HTTP_LOGIN_CLEAR, /* the server wants it by Basic, and this is http */
	HTTP_LOGIN_AGAIN, /* how it wants it is known only now: the same call may pass, once */
	HTTP_LOGIN_REFUSED,
};

/* What follows in a sentence of what the server answered; "" if it is no login. */
const char *http_login_hint(enum http_login login);

/* Valid during done(). */
struct http_reply {
	/*
	 * 0: the server answered, with whatever status. -ECONNREFUSED (no connection, for whatever reason),
	 * -ETIMEDOUT, -EMSGSIZE, -SHUNT_ETLS (no TLS handshake), -SHUNT_EPEER (its certificate is of another CA, of another
	 * party, or not of the pinned key), -SHUNT_ECLOSED, others.
	 */
	int err;
	uint64_t left; /* octets of the request's body that have left this host, so that they may be there */
	const char *why; /* a sentence for people when err is not 0 */
	int status;
	enum http_login login;
	const char *type; /* media type, "" when there is none */
	const char *dav; /* DAV header (RFC 4918 10.1), "" when there is none */
	struct http_head head;
	const void *body;
	size_t len;
};

/* The word for jobs of such an @err: connect-failed, no-tls, bad-certificate, no-answer. */
const char *http_err_code(int err);

/*
 * Begin one; the strings are copied. @done is called once, from the loop, and the call is freed after it
 * returns; it may free the host, and may make new calls. 0 or -ENOMEM.
 */
int http_call_new(struct http_host *host, const struct http_request *req,
		  void (*done)(const struct http_reply *reply, void *arg), void *arg,
		  struct http_call **out);
/* End it without done(). NULL is allowed. */
void http_call_free(struct http_call *call);
/* Octets of the request's body that the server's TCP has acknowledged. */
uint64_t http_call_acked(const struct http_call *call);
/* And those that have left this host. */
uint64_t http_call_left(const struct http_call *call);

#endif
