// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt decrypt: files that were stored encrypted (lib/age.h). Works on files only. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/param.h"
#include "lib/age.h"
#include "lib/digest.h"
#include "lib/file.h"

static const char usage_text[] =
	"Usage: shunt decrypt -i IDENTITY [ -o OUT ] [ --range FIRST-LAST ] [ FILE ]\n"
	"Decrypts a file that was stored encrypted (format age v1) with an identity of \"shunt key new\"\n"
	"or age-keygen. Without FILE, or with -, from standard input; without -o to standard output.\n"
	"OUT appears when all of it was verified, and is replaced if it exists; standard output gets each\n"
	"64 KiB when they were, so there the exit status tells whether they were all.\n"
	"--range gives octets FIRST to LAST (counted from 0) of a FILE without reading what is before them.\n"
	"Exit status: 0 done; 1 usage, identity unusable, or OUT cannot be written; 2 the file is damaged,\n"
	"cut off, or not for this identity.\n";

#define FILE_IN (AGE_SEALED + 1) /* one octet of the next chunk tells that this is not the last */

struct decrypt_args {
	const char *identity, *output, *range, *file;
	uint64_t from, to; /* of @range; [from, to) */
};

#define SEEN_IDENTITY 1u

static const struct param decrypt_params[] = {
	PARAM("-i", PARAM_STRING, struct decrypt_args, identity, 1, PATH_MAX - 1, SEEN_IDENTITY),
	PARAM("--identity", PARAM_STRING, struct decrypt_args, identity, 1, PATH_MAX - 1,
	      SEEN_IDENTITY),
	PARAM("-o", PARAM_STRING, struct decrypt_args, output, 1, PATH_MAX - 1, 0),
	PARAM("--output", PARAM_STRING, struct decrypt_args, output, 1, PATH_MAX - 1, 0),
	PARAM("--range", PARAM_STRING, struct decrypt_args, range, 3, 41, 0),
	{ 0 },
};

/* ---- where it goes ---- */

struct sink {
	const char *name; /* for messages */
	const char *final; /* NULL: standard output */
	char part[PATH_MAX];
	int fd;
	bool failed; /* the trouble is here, not with the file that is decrypted */
};

/* Taken away on a signal, so that nothing is left behind that somebody takes for a result. */
static char doomed[PATH_MAX];

static void on_signal(int signo)
{
	unlink(doomed);
	signal(signo, SIG_DFL);
	raise(signo);
}

static void doom(const char *path)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

	snprintf(doomed, sizeof(doomed), "%s", path);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], path[0] ? on_signal : SIG_DFL);
}

static int sink_open(struct sink *s, struct cli *c, const char *output, struct err *e)
{
	struct stat st;

	s->final = output && strcmp(output, "-") ? output : NULL;
	s->name = s->final ? s->final : "standard output";
	if (!s->final) {
		s->fd = fileno(c->output);
		return 0;
	}
	if (stat(output, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s: is there already, and not a regular file", output);
	if ((size_t)snprintf(s->part, sizeof(s->part), "%s.XXXXXX.part", output) >= sizeof(s->part))
		return err_sys(e, -ENAMETOOLONG, "%s", output);
	s->fd = mkostemps(s->part, (int)strlen(".part"), O_CLOEXEC);
	if (s->fd < 0)
		return err_sys(e, -errno, "%s", output);
	doom(s->part);
	return 0;
}

static int sink_put(struct sink *s, const void *data, size_t len, struct err *e)
{
	int rc = file_write(s->fd, data, len);

	s->failed = rc;
	return rc ? err_sys(e, rc, "%s", s->name) : 0;
}

/* The file appears, or nothing is left of it. */
static int sink_close(struct sink *s, int rc, struct err *e)
{
	if (!s->final || s->fd < 0)
		return rc;
	if (!rc && (fsync(s->fd) < 0 || rename(s->part, s->final) < 0)) {
		rc = err_sys(e, -errno, "%s", s->name);
		s->failed = true;
	}
	if (rc)
		unlink(s->part);
	close(s->fd);
	doom("");
	return rc;
}

/* ---- what it is made from ---- */

/* Fill @buf up to @want octets, of which *@have are there, as far as the file goes. */
static int fill(int fd, uint8_t *buf, size_t want, size_t *have, const char *name, struct err *e)
{
	ssize_t n;

	while (*have < want) {
		n = read(fd, buf + *have, want - *have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, -errno, "%s", name);
		if (!n)
			break;
		*have += (size_t)n;
	}
	return 0;
}

static int damage(int rc, const char *name, uint64_t index, bool last, struct err *e)
{
	if (rc == -EBADMSG && last)
		return err_set(e, rc, "%s: cut off or damaged behind octet %llu of its plaintext",
			       name, (unsigned long long)index * AGE_CHUNK);
	if (rc == -EBADMSG)
		return err_set(e, rc,
			       "%s: damaged within the 64 KiB at octet %llu of its plaintext", name,
			       (unsigned long long)index * AGE_CHUNK);
	return err_sys(e, rc, "%s", name);
}

/* Chunk after chunk from the @have octets in @in and what follows them. */
static int all_chunks(struct age *age, int fd, const char *name, uint8_t *in, size_t have,
		      struct sink *sink, struct err *e)
{
	uint64_t index;
	bool last = false;
	size_t len;
	int rc = 0;

	for (index = 0; !rc && !last; index++) {
		rc = fill(fd, in, FILE_IN, &have, name, e);
		if (rc)
			break;
		last = have < FILE_IN;
		len = last ? have : AGE_SEALED;
		/* Only an empty plaintext ends with an empty chunk. */
		rc = last && index && len <= AGE_TAG ? -EBADMSG :
						       age_unseal(age, index, last, in, len, in);
		if (rc)
			return damage(rc, name, index, last, e);
		rc = sink_put(sink, in, len - AGE_TAG, e);
		in[0] = in[AGE_SEALED];
		have -= len;
	}
	return rc;
}

static int range_of(struct age *age, int fd, const struct decrypt_args *args, struct sink *sink,
		    struct err *e)
{
	uint8_t buf[AGE_CHUNK / 4];
	struct age_stream *s = NULL;
	uint64_t at = args->from;
	struct stat st;
	ssize_t n = 0;
	int rc = fstat(fd, &st) < 0 ? -errno : 0;

	if (!rc && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s: --range needs a regular file", args->file);
	if (!rc)
		rc = age_stream_open(age, fd, (uint64_t)st.st_size, &s);
	if (rc)
		return damage(rc, args->file, 0, true, e);
	while (!rc && at < args->to) {
		n = age_stream_read(s, at, buf,
				    args->to - at < sizeof(buf) ? args->to - at : sizeof(buf));
		if (n < 0)
			rc = damage((int)n, args->file, at / AGE_CHUNK, false, e);
		if (n <= 0)
			break;
		rc = sink_put(sink, buf, (size_t)n, e);
		at += (uint64_t)n;
	}
	secret_wipe(buf, sizeof(buf));
	age_stream_free(s);
	return rc;
}

/* Read header and nonce to @in; *@used of the *@have octets there are theirs. */
static int open_age(int fd, const char *name, const struct age_identity *ids, size_t n, uint8_t *in,
		    size_t *have, size_t *used, struct age **out, struct err *e)
{
	size_t len;
	int rc;

	*have = 0;
	/* Any header is far shorter; a chunk's worth holds it with the beginning of what follows. */
	rc = fill(fd, in, AGE_PREFIX_MAX, have, name, e);
	if (rc)
		return rc;
	rc = age_open(in, *have, ids, n, out, e);
	if (rc)
		return err_prefix(e, "%s", name), rc;
	age_prefix_of(*out, &len);
	*used = len;
	return 0;
}

/* ---- command ---- */

static int decrypt(struct cli *c, const struct decrypt_args *args, int fd,
		   const struct age_identity *ids, size_t n, struct err *e)
{
	uint8_t *in = malloc(FILE_IN);
	struct sink sink = { .fd = -1 };
	struct age *age = NULL;
	size_t have, used;
	int rc;

	if (!in)
		return err_sys(e, -ENOMEM, "%s", args->file), CLI_REFUSED;
	rc = open_age(fd, args->file, ids, n, in, &have, &used, &age, e);
	if (!rc) {
		rc = sink_open(&sink, c, args->output, e);
		sink.failed = rc;
	}
	if (!rc && args->range) {
		rc = range_of(age, fd, args, &sink, e);
	} else if (!rc) {
		memmove(in, in + used, have - used);
		rc = all_chunks(age, fd, args->file, in, have - used, &sink, e);
	}
	rc = sink_close(&sink, rc, e);
	age_free(age);
	secret_wipe(in, FILE_IN);
	free(in);
	return !rc ? CLI_OK : sink.failed ? CLI_USAGE : CLI_REFUSED;
}

static int parse_range(struct decrypt_args *args)
{
	char text[64], *dash;

	snprintf(text, sizeof(text), "%s", args->range);
	dash = strchr(text, '-');
	if (!dash)
		return -EINVAL;
	*dash = '\0';
	if (u64_parse(text, INT64_MAX, &args->from) || u64_parse(dash + 1, INT64_MAX, &args->to) ||
	    args->from > args->to)
		return -EINVAL;
	args->to++;
	return 0;
}

static int take(struct cli *c, struct args *a, struct decrypt_args *args)
{
	uint32_t seen;
	int status = params_parse(c, a, decrypt_params, args, &seen, &args->file);

	if (status)
		return status;
	if (!(seen & SEEN_IDENTITY))
		return cli_usage(c, "-i is missing, try \"shunt decrypt help\"");
	if (args->range && parse_range(args))
		return cli_usage(c, "--range \"%s\": allowed is FIRST-LAST, octets counted from 0",
				 args->range);
	if (!args->file)
		args->file = "-";
	if (args->range && !strcmp(args->file, "-"))
		return cli_usage(c, "--range needs a FILE, not standard input");
	return CLI_OK;
}

int cmd_decrypt(struct cli *c, struct args *a)
{
	struct age_identity ids[AGE_IDENTITIES_MAX];
	struct decrypt_args args = { 0 };
	struct err e = { 0 };
	const char *word = args_peek(a);
	int fd = STDIN_FILENO, status;
	size_t n;

	if (word && (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))) {
		fputs(usage_text, c->output);
		return CLI_OK;
	}
	status = take(c, a, &args);
	if (status)
		return status;
	if (age_identities_read(args.identity, ids, &n, &e))
		return cli_usage(c, "%s", err_text(&e));
	if (strcmp(args.file, "-"))
		fd = open(args.file, O_RDONLY | O_CLOEXEC);
	else
		args.file = "standard input";
	if (fd < 0) {
		status = cli_usage(c, "%s: %s", args.file, shunt_strerror(errno));
	} else {
		fflush(c->output);
		status = decrypt(c, &args, fd, ids, n, &e);
		if (status)
			fprintf(c->errors, "Error: %s\n", err_text(&e));
	}
	secret_wipe(ids, sizeof(ids));
	if (fd > STDIN_FILENO)
		close(fd);
	return status;
}
