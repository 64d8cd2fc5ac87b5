// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/webdav.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/loop.h"

#define URL_MAX 4096
#define REPLY_MAX ((size_t)64 << 10) /* octets of an answer's body that are borne */
#define UPLOAD_BUFFER (256L << 10)
#define CA_MAX ((size_t)1 << 20)

enum step {
	STEP_PUT,
	STEP_MOVE,
	STEP_DELETE, /* of the temporary file, after a refusal or an abort */
	STEP_DONE,
};

struct webdav {
	struct loop *loop;
	char *ca; /* the file's text, as whoever the program becomes may not be able to read it */
	size_t ca_len;
};

/*
 * Each put has a multi handle, and so a cache of connections, of its own: tunnels' addresses are
 * used again for other devices, and a connection must not be.
 */

struct webdav_put {
	struct webdav *webdav;
	struct webdav_ops ops;
	void *arg;
	enum step step;
	CURLM *multi;
	CURL *easy;
	struct watch *watches;
	struct loop_timer *timer; /* libcurl's */
	struct curl_slist *headers;
	char final[URL_MAX], temporary[URL_MAX];
	char source[ADDR_STR_LEN + 8]; /* "host!ADDRESS" */
	int fd;
	uint64_t size, pos;
	size_t reply; /* octets of the answer so far */
	curl_socket_t socket;
	struct loop_timer *progress; /* while PUT is under way; then for on_done */
	char curl_why[CURL_ERROR_SIZE];
	int err; /* the result, once it is known */
	bool fatal;
	char code[64];
	char text[512];
};

/* ---- names ---- */

bool webdav_name_ok(const char *name)
{
	const char *p, *end;
	size_t len;

	if (!*name || !utf8_ok(name, strlen(name)))
		return false;
	for (p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	for (p = name;; p = end + 1) {
		end = strchrnul(p, '/');
		len = (size_t)(end - p);
		if (!len || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!*end)
			return true;
	}
}

/* RFC 3986 2.3: what needs no percent-encoding in a path; "/" separates segments here. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~/", c);
}

static int put_encoded(char *out, size_t size, size_t *len, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p; p++) {
		if (*len + 4 > size)
			return -ENAMETOOLONG;
		if (is_plain(*p)) {
			out[(*len)++] = (char)*p;
			continue;
		}
		out[(*len)++] = '%';
		out[(*len)++] = digits[*p >> 4];
		out[(*len)++] = digits[*p & 15];
	}
	out[*len] = '\0';
	return 0;
}

/*
 * Without the scheme's own port, as libcurl puts it into Host: servers compare that with the
 * Destination of a MOVE (RFC 4918 9.9.4) and take another spelling for another host.
 */
static const char *authority(const struct webdav_target *target, char out[ENDPOINT_STR_LEN])
{
	struct shunt_endpoint ep = { target->address, target->port };

	endpoint_print(&ep, out);
	if (target->port == (target->tls ? 443 : 80))
		*strrchr(out, ':') = '\0';
	return out;
}

int webdav_url(const struct webdav_target *target, bool temporary, char *out, size_t size)
{
	char host[ENDPOINT_STR_LEN], name[URL_MAX];
	const char *slash;
	size_t len;
	int n;

	n = snprintf(out, size, "%s://%s", target->tls ? "https" : "http", authority(target, host));
	if (n < 0 || (size_t)n + 1 >= size)
		return -ENAMETOOLONG;
	len = (size_t)n;
	if (put_encoded(out, size, &len, target->base))
		return -ENAMETOOLONG;
	if (out[len - 1] != '/') {
		out[len++] = '/';
		out[len] = '\0';
	}
	if (!temporary)
		return put_encoded(out, size, &len, target->name);
	slash = strrchr(target->name, '/');
	n = snprintf(name, sizeof(name), "%.*s.shunt-%s.part",
		     slash ? (int)(slash + 1 - target->name) : 0, target->name, target->tag);
	if (n < 0 || (size_t)n >= sizeof(name))
		return -ENAMETOOLONG;
	return put_encoded(out, size, &len, name);
}

/* ---- libcurl in the loop ---- */

static void collect(struct webdav_put *put);

static void on_timer(void *arg)
{
	struct webdav_put *put = arg;
	int running;

	curl_multi_socket_action(put->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(put);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	struct webdav_put *put = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_stop(put->timer);
	else
		loop_timer_set(put->timer, (uint64_t)ms);
	return 0;
}

/* One socket of libcurl's. */
struct watch {
	struct webdav_put *put;
	struct loop_io *io;
	curl_socket_t fd;
	struct watch *next;
};

static void on_io(unsigned int events, void *arg)
{
	struct watch *watch = arg;
	struct webdav_put *put = watch->put;
	int running, mask = 0;

	if (events & LOOP_READ)
		mask |= CURL_CSELECT_IN;
	if (events & LOOP_WRITE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(put->multi, watch->fd, mask, &running);
	/* watch may be gone now */
	collect(put);
}

static void watch_free(struct watch *watch)
{
	struct watch **p;

	for (p = &watch->put->watches; *p != watch; p = &(*p)->next)
		;
	*p = watch->next;
	loop_io_free(watch->io);
	free(watch);
}

static struct watch *watch_new(struct webdav_put *put, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->put = put;
	watch->fd = fd;
	if (loop_io_new(put->webdav->loop, fd, on_io, watch, &watch->io)) {
		free(watch);
		return NULL;
	}
	watch->next = put->watches;
	put->watches = watch;
	curl_multi_assign(put->multi, fd, watch);
	return watch;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *data)
{
	struct webdav_put *put = arg;
	struct watch *watch = data;
	unsigned int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (put->socket == fd)
			put->socket = CURL_SOCKET_BAD;
		if (watch)
			watch_free(watch);
		return 0;
	}
	put->socket = fd;
	if (!watch)
		watch = watch_new(put, fd);
	if (!watch)
		return -1;
	if (what & CURL_POLL_IN)
		events |= LOOP_READ;
	if (what & CURL_POLL_OUT)
		events |= LOOP_WRITE;
	return loop_io_set(watch->io, events) ? -1 : 0;
}

/* ---- one request ---- */

static size_t read_content(char *buf, size_t size, size_t n, void *arg)
{
	struct webdav_put *put = arg;
	uint64_t left = put->size - put->pos;
	size_t len = size * n;
	ssize_t got;

	if (len > left)
		len = left;
	if (!len)
		return 0;
	if (put->ops.read) {
		got = put->ops.read(put->pos, buf, len, put->arg);
	} else {
		do {
			got = pread(put->fd, buf, len, (off_t)put->pos);
		} while (got < 0 && errno == EINTR);
	}
	if (got <= 0)
		return CURL_READFUNC_ABORT;
	if (put->ops.on_wire)
		put->ops.on_wire(put->pos, put->pos + (uint64_t)got, put->arg);
	put->pos += (uint64_t)got;
	return (size_t)got;
}

/* libcurl rewinds when a reused connection turns out to be dead after the first bytes. */
static int seek_content(void *arg, curl_off_t offset, int origin)
{
	struct webdav_put *put = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > put->size)
		return CURL_SEEKFUNC_CANTSEEK;
	put->pos = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
	struct webdav_put *put = arg;

	(void)data;
	put->reply += size * n;
	return put->reply > REPLY_MAX ? 0 : size * n;
}

#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (curl_easy_setopt(put->easy, option, value) != CURLE_OK)                        \
			return -ENOMEM;                                                            \
	} while (0)

static int set_common(struct webdav_put *put)
{
	struct curl_blob ca = { put->webdav->ca, put->webdav->ca_len, CURL_BLOB_COPY };

	SET(CURLOPT_ERRORBUFFER, put->curl_why);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)WEBDAV_CONNECT_MS);
	SET(CURLOPT_WRITEFUNCTION, discard);
	SET(CURLOPT_WRITEDATA, put);
	SET(CURLOPT_SSL_VERIFYHOST, 0L);
	if (put->webdav->ca)
		SET(CURLOPT_CAINFO_BLOB, &ca);
	/* Else the directory that libcurl was built with is trusted beside the file. */
	SET(CURLOPT_CAPATH, (char *)NULL);
	if (put->source[0])
		SET(CURLOPT_INTERFACE, put->source);
	return 0;
}

static int set_put(struct webdav_put *put)
{
	SET(CURLOPT_URL, put->temporary);
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, read_content);
	SET(CURLOPT_READDATA, put);
	SET(CURLOPT_SEEKFUNCTION, seek_content);
	SET(CURLOPT_SEEKDATA, put);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)put->size);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)WEBDAV_STALL_S);
	return 0;
}

static int set_move(struct webdav_put *put)
{
	struct curl_slist *list;
	char destination[URL_MAX + 16];

	/* RFC 4918 10.3, 10.6: as with a plain PUT, a file of that name is replaced. */
	snprintf(destination, sizeof(destination), "Destination: %s", put->final);
	list = curl_slist_append(NULL, destination);
	if (!list)
		return -ENOMEM;
	put->headers = list;
	if (!curl_slist_append(list, "Overwrite: T"))
		return -ENOMEM;
	SET(CURLOPT_URL, put->temporary);
	SET(CURLOPT_CUSTOMREQUEST, "MOVE");
	SET(CURLOPT_HTTPHEADER, list);
	SET(CURLOPT_TIMEOUT_MS, (long)WEBDAV_REQUEST_MS);
	return 0;
}

static int set_delete(struct webdav_put *put)
{
	SET(CURLOPT_URL, put->temporary);
	SET(CURLOPT_CUSTOMREQUEST, "DELETE");
	SET(CURLOPT_TIMEOUT_MS, (long)WEBDAV_REQUEST_MS);
	return 0;
}

/* Between steps the handle keeps its connection but none of its options. */
static int begin(struct webdav_put *put, enum step step)
{
	int ret;

	put->step = step;
	put->reply = 0;
	curl_easy_reset(put->easy);
	curl_slist_free_all(put->headers);
	put->headers = NULL;
	ret = set_common(put);
	if (!ret)
		ret = step == STEP_PUT	? set_put(put) :
		      step == STEP_MOVE ? set_move(put) :
					  set_delete(put);
	if (!ret && curl_multi_add_handle(put->multi, put->easy) != CURLM_OK)
		ret = -ENOMEM;
	return ret;
}

/* ---- results ---- */

static void set_result(struct webdav_put *put, int err, bool fatal, const char *code,
		       const char *text)
{
	put->err = err;
	put->fatal = fatal;
	snprintf(put->code, sizeof(put->code), "%s", code);
	snprintf(put->text, sizeof(put->text), "%s", text);
}

static void done(struct webdav_put *put)
{
	put->step = STEP_DONE;
	loop_timer_set(put->progress, 0); /* on_done outside of libcurl's and the caller's stack */
}

static const char *step_name(enum step step)
{
	return step == STEP_PUT ? "PUT" : step == STEP_MOVE ? "MOVE" : "DELETE";
}

/* RFC 4918 9.9.4 and 11, RFC 9110 15: which refusals stand. */
static bool status_fatal(enum step step, long status)
{
	if (step == STEP_MOVE && status == 502)
		return true; /* the destination is taken for another server's */
	return status >= 300 && status != 408 && status != 423 && status != 429 &&
	       (status < 500 || status == 501 || status == 505 || status == 507);
}

static void refused(struct webdav_put *put, long status)
{
	char code[32], text[256];
	const char *hint = "";

	if (status == 401 || status == 403)
		hint = ": not allowed";
	else if (status == 404 || status == 409)
		hint = ": the directory does not exist";
	else if (status == 405 || status == 501)
		hint = ": the server does not do WebDAV there";
	else if (status == 507)
		hint = ": no space left";
	snprintf(code, sizeof(code), "http-%ld", status);
	snprintf(text, sizeof(text), "the file server answered %s with status %ld%s",
		 step_name(put->step), status, hint);
	set_result(put, -SHUNT_EREMOTE, status_fatal(put->step, status), code, text);
	/* Another try overwrites the temporary file; without one nobody would remove it. */
	if (!put->fatal || begin(put, STEP_DELETE))
		done(put);
}

static void broken(struct webdav_put *put, CURLcode result)
{
	char text[512];

	snprintf(text, sizeof(text), "file server: %s: %.400s", step_name(put->step),
		 put->curl_why[0] ? put->curl_why : curl_easy_strerror(result));
	set_result(put, result == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -SHUNT_ECLOSED, false,
		   result == CURLE_COULDNT_CONNECT ? "connect-failed" : "no-answer", text);
	done(put);
}

static void finished(struct webdav_put *put, CURLcode result)
{
	long status = 0;

	curl_easy_getinfo(put->easy, CURLINFO_RESPONSE_CODE, &status);
	if (put->step == STEP_DELETE) {
		done(put); /* the result is known already; this was tidying up */
	} else if (result != CURLE_OK) {
		broken(put, result);
	} else if (status < 200 || status >= 300) {
		refused(put, status);
	} else if (put->step == STEP_PUT) {
		loop_timer_stop(put->progress);
		if (begin(put, STEP_MOVE)) {
			set_result(put, -ENOMEM, false, "out-of-memory", "out of memory");
			done(put);
		}
	} else {
		set_result(put, 0, false, "", "");
		done(put);
	}
}

static void collect(struct webdav_put *put)
{
	CURLMsg *msg;
	CURLcode result;
	int left;

	while ((msg = curl_multi_info_read(put->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		result = msg->data.result; /* msg does not outlive the next call */
		curl_multi_remove_handle(put->multi, put->easy);
		finished(put, result);
	}
}

/* What the server's TCP has acknowledged of what was written to the socket (tcp(7), SIOCOUTQ). */
static void tell_progress(struct webdav_put *put)
{
	curl_off_t sent = 0;
	int queued = 0;

	curl_easy_getinfo(put->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (put->socket != CURL_SOCKET_BAD)
		ioctl(put->socket, SIOCOUTQ, &queued);
	if (sent > queued && put->ops.on_progress)
		put->ops.on_progress((uint64_t)(sent - queued), put->arg);
}

static void on_progress(void *arg)
{
	struct webdav_put *put = arg;

	if (put->step != STEP_DONE) {
		tell_progress(put);
		return;
	}
	put->ops.on_done(put->err, put->fatal, put->code, put->text, put->arg);
	webdav_put_free(put);
}

/* ---- puts ---- */

static int put_init(struct webdav_put *put, const struct webdav_target *target)
{
	char source[ADDR_STR_LEN];
	int ret;

	ret = webdav_url(target, false, put->final, sizeof(put->final));
	if (!ret)
		ret = webdav_url(target, true, put->temporary, sizeof(put->temporary));
	if (ret)
		return ret;
	if (addr_is_set(&target->source))
		snprintf(put->source, sizeof(put->source), "host!%s",
			 addr_print(&target->source, source));
	put->easy = curl_easy_init();
	put->multi = curl_multi_init();
	if (!put->easy || !put->multi)
		return -ENOMEM;
	curl_multi_setopt(put->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(put->multi, CURLMOPT_SOCKETDATA, put);
	curl_multi_setopt(put->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(put->multi, CURLMOPT_TIMERDATA, put);
	return 0;
}

int webdav_put(struct webdav *w, const struct webdav_target *target, int fd, uint64_t size,
	       const struct webdav_ops *ops, void *arg, struct webdav_put **out)
{
	struct webdav_put *put;
	int ret;

	if (!webdav_name_ok(target->name) || target->base[0] != '/')
		return -EINVAL;
	put = calloc(1, sizeof(*put));
	if (!put)
		return -ENOMEM;
	put->webdav = w;
	put->ops = *ops;
	put->arg = arg;
	put->fd = fd;
	put->size = size;
	put->socket = CURL_SOCKET_BAD;
	put->step = STEP_DONE;
	ret = loop_timer_new(w->loop, on_timer, put, &put->timer);
	if (!ret)
		ret = loop_timer_new(w->loop, on_progress, put, &put->progress);
	if (!ret)
		ret = put_init(put, target);
	if (!ret)
		ret = begin(put, STEP_PUT);
	if (ret) {
		webdav_put_free(put);
		return ret;
	}
	loop_timer_every(put->progress, WEBDAV_PROGRESS_MS);
	*out = put;
	return 0;
}

void webdav_put_abort(struct webdav_put *put)
{
	if (put->step == STEP_DONE || put->step == STEP_DELETE)
		return;
	curl_multi_remove_handle(put->multi, put->easy);
	loop_timer_stop(put->progress);
	set_result(put, -ECANCELED, false, "canceled", "canceled");
	if (begin(put, STEP_DELETE))
		done(put);
}

void webdav_put_free(struct webdav_put *put)
{
	if (!put)
		return;
	if (put->easy) {
		curl_multi_remove_handle(put->multi, put->easy);
		curl_easy_cleanup(put->easy);
	}
	curl_multi_cleanup(put->multi);
	while (put->watches)
		watch_free(put->watches);
	curl_slist_free_all(put->headers);
	loop_timer_free(put->timer);
	loop_timer_free(put->progress);
	free(put);
}

/* ---- all of it ---- */

int webdav_set_ca(struct webdav *w, const char *file, struct err *e)
{
	FILE *in = fopen(file, "re");
	char *ca = NULL;
	size_t len = 0;
	int ret = 0;

	if (!in)
		return err_sys(e, -errno, "%s", file);
	ca = malloc(CA_MAX);
	if (!ca)
		ret = err_sys(e, -ENOMEM, "%s", file);
	else
		len = fread(ca, 1, CA_MAX, in);
	if (!ret && ferror(in))
		ret = err_sys(e, -EIO, "%s", file);
	else if (!ret && len == CA_MAX)
		ret = err_sys(e, -EFBIG, "%s", file);
	fclose(in);
	if (ret) {
		free(ca);
		return ret;
	}
	free(w->ca);
	w->ca = ca;
	w->ca_len = len;
	return 0;
}

int webdav_new(struct loop *loop, const char *ca, struct webdav **out, struct err *e)
{
	struct webdav *w = calloc(1, sizeof(*w));
	int ret = 0;

	if (!w)
		return err_sys(e, -ENOMEM, "webdav");
	w->loop = loop;
	if (ca)
		ret = webdav_set_ca(w, ca, e);
	/* Counted by libcurl; undone by webdav_free(). */
	if (!ret && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ret = err_sys(e, -ENOMEM, "webdav");
	if (ret) {
		free(w->ca);
		free(w);
		return ret;
	}
	*out = w;
	return 0;
}

void webdav_free(struct webdav *w)
{
	if (!w)
		return;
	curl_global_cleanup();
	free(w->ca);
	free(w);
}
