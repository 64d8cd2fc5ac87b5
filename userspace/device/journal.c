// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/wire.h"

#define MAGIC "SHNTJNL1"
#define MAGIC_LEN 8
#define HEAD_LEN 8 /* length and checksum */
#define PAYLOAD_MAX 4096 /* META with every string at its longest is below 2100 */
#define FILE_MAX_LEN (16u << 20)
#define BLOATED_LEN (1u << 20)

/* These numbers are in files that outlive an upgrade. */
_Static_assert(JOB_PRINT == 0 && JOB_STORE == 1 && JOB_FETCH == 2, "kinds are in journals");
_Static_assert(JOB_RECEIVING == 0 && JOB_RUNNING == 3 && JOB_SUSPENDED == 4 && JOB_EXECUTING == 5 &&
		       JOB_COMPLETED == 6 && JOB_FAILED == 7 && JOB_INTERRUPTED == 8 &&
		       JOB_CANCELED == 9,
	       "states are in journals");

enum record {
	RECORD_META = 1,
	RECORD_BOOT = 2,
	RECORD_RANGE = 3,
	RECORD_SYNC = 4,
	RECORD_STATE = 5,
	RECORD_CONTENT = 6, /* of a fetch job: what the device has to offer */
};

struct journal {
	int dirfd; /* not owned */
	int fd;
	uint64_t size;
	uint8_t boot[JOURNAL_BOOT_LEN];
	char file[NAME_LEN + ID_LEN + 32];
};

/* CRC-32C (Castagnoli, reflected), as in RFC 3720 B.4; records are short, so bit by bit will do. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
	}
	return ~crc;
}

/* ---- encoding ---- */

static void put_str(struct wire *w, const char *s)
{
	size_t n = strlen(s);

	wire_put_be16(w, (uint16_t)n);
	wire_put(w, s, n);
}

/* Start a record in @w over @bytes; the head is filled in by record_end(). */
static void record_begin(struct wire *w, uint8_t *bytes, size_t size, enum record type)
{
	wire_writer(w, bytes, size);
	wire_put_be32(w, 0);
	wire_put_be32(w, 0);
	wire_put_u8(w, type);
}

/* Octets of the finished record, or a negative code. */
static ssize_t record_end(struct wire *w, uint8_t *bytes)
{
	size_t n = wire_used(w);
	struct wire head;
	uint32_t crc;

	if (wire_error(w))
		return wire_error(w);
	wire_writer(&head, bytes, HEAD_LEN);
	wire_put_be32(&head, (uint32_t)(n - HEAD_LEN));
	crc = crc32c(0, bytes, 4);
	crc = crc32c(crc, bytes + HEAD_LEN, n - HEAD_LEN);
	wire_put_be32(&head, crc);
	return (ssize_t)n;
}

/* Absent where nobody asked for anything, as in the journals of versions that knew none of it. */
static void put_print(struct wire *w, const struct sapi_print *p)
{
	if (!sapi_print_is_set(p))
		return;
	wire_put_be32(w, p->copies);
	put_str(w, p->media);
	wire_put_u8(w, (uint8_t)p->sides);
	wire_put_u8(w, (uint8_t)p->color);
}

static ssize_t encode_meta(uint8_t *bytes, size_t size, const struct job_meta *meta,
			   int64_t wall_ms)
{
	struct wire w;

	record_begin(&w, bytes, size, RECORD_META);
	put_str(&w, meta->id);
	put_str(&w, meta->cloud);
	wire_put_u8(&w, (uint8_t)meta->job.kind);
	put_str(&w, meta->job.name);
	put_str(&w, meta->job.media_type);
	wire_put_be64(&w, meta->job.size);
	put_str(&w, meta->job.sha256);
	wire_put_be64(&w, (uint64_t)wall_ms);
	if (meta->job.kind == JOB_FETCH)
		put_str(&w, meta->job.path);
	else if (meta->job.kind == JOB_PRINT)
		put_print(&w, &meta->job.print);
	else if (meta->job.no_clobber)
		wire_put_u8(&w, 1); /* absent otherwise, as with versions that knew none of it */
	return record_end(&w, bytes);
}

static ssize_t encode_boot(uint8_t *bytes, size_t size, const uint8_t boot[JOURNAL_BOOT_LEN])
{
	struct wire w;

	record_begin(&w, bytes, size, RECORD_BOOT);
	wire_put(&w, boot, JOURNAL_BOOT_LEN);
	return record_end(&w, bytes);
}

static ssize_t encode_range(uint8_t *bytes, size_t size, uint64_t from, uint64_t to)
{
	struct wire w;

	record_begin(&w, bytes, size, RECORD_RANGE);
	wire_put_be64(&w, from);
	wire_put_be64(&w, to);
	return record_end(&w, bytes);
}

static ssize_t encode_sync(uint8_t *bytes, size_t size)
{
	struct wire w;

	record_begin(&w, bytes, size, RECORD_SYNC);
	return record_end(&w, bytes);
}

static ssize_t encode_state(uint8_t *bytes, size_t size, enum job_state state, const char *reason,
			    int64_t wall_ms)
{
	struct wire w;

	record_begin(&w, bytes, size, RECORD_STATE);
	wire_put_u8(&w, (uint8_t)state);
	wire_put_be64(&w, (uint64_t)wall_ms);
	put_str(&w, reason);
	return record_end(&w, bytes);
}

static ssize_t encode_content(uint8_t *bytes, size_t size, uint64_t octets, const char *sha256)
{
	struct wire w;

	record_begin(&w, bytes, size, RECORD_CONTENT);
	wire_put_be64(&w, octets);
	put_str(&w, sha256);
	return record_end(&w, bytes);
}

/* ---- decoding ---- */

static void get_str(struct wire *w, char *out, size_t size)
{
	size_t n = wire_get_be16(w);
	const uint8_t *p;

	out[0] = '\0';
	if (n >= size) {
		wire_fail(w, -SHUNT_EPARSE);
		return;
	}
	p = wire_get_ptr(w, n);
	if (!p)
		return;
	if (memchr(p, 0, n)) {
		wire_fail(w, -SHUNT_EPARSE);
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

/* A sound checksum over a payload of the wrong length is as little a record as any other noise. */
static int decoded(struct wire *w)
{
	return wire_done(w) ? -SHUNT_EPARSE : 0;
}

static bool content_ok(uint64_t size, const char *sha256)
{
	return size <= CONTENT_SIZE_MAX && sha256_str_ok(sha256);
}

static void get_print(struct wire *w, struct sapi_print *p)
{
	if (!wire_left(w))
		return;
	p->copies = wire_get_be32(w);
	get_str(w, p->media, sizeof(p->media));
	p->sides = wire_get_u8(w);
	p->color = wire_get_u8(w);
	if (p->copies > SAPI_COPIES_MAX || p->sides > SIDES_SHORT_EDGE ||
	    p->color > COLOR_MONOCHROME || !utf8_ok(p->media, strlen(p->media)))
		wire_fail(w, -SHUNT_EPARSE);
}

static int decode_meta(struct wire *w, struct journal_replay *out)
{
	struct job_meta *m = &out->meta;

	get_str(w, m->id, sizeof(m->id));
	get_str(w, m->cloud, sizeof(m->cloud));
	m->job.kind = wire_get_u8(w);
	get_str(w, m->job.name, sizeof(m->job.name));
	get_str(w, m->job.media_type, sizeof(m->job.media_type));
	m->job.size = wire_get_be64(w);
	get_str(w, m->job.sha256, sizeof(m->job.sha256));
	out->changed = (int64_t)wire_get_be64(w);
	if (m->job.kind == JOB_FETCH)
		get_str(w, m->job.path, sizeof(m->job.path));
	else if (m->job.kind == JOB_PRINT)
		get_print(w, &m->job.print);
	else
		m->job.no_clobber = wire_left(w) && wire_get_u8(w);
	if (decoded(w) || !id_ok(m->id) || !name_ok(m->cloud))
		return -SHUNT_EPARSE;
	if (m->job.kind == JOB_FETCH && m->job.size == CONTENT_SIZE_UNKNOWN && !m->job.sha256[0])
		return 0;
	return content_ok(m->job.size, m->job.sha256) && m->job.kind <= JOB_FETCH ? 0 :
										    -SHUNT_EPARSE;
}

static int decode_content(struct wire *w, struct journal_replay *out)
{
	uint64_t size = wire_get_be64(w);
	char sha256[SHA256_STR_LEN];

	get_str(w, sha256, sizeof(sha256));
	if (decoded(w) || out->meta.job.kind != JOB_FETCH || !content_ok(size, sha256))
		return -SHUNT_EPARSE;
	out->meta.job.size = size;
	memcpy(out->meta.job.sha256, sha256, sizeof(sha256));
	return 0;
}

static int decode_state(struct wire *w, struct journal_replay *out)
{
	enum job_state state = wire_get_u8(w);
	int64_t changed = (int64_t)wire_get_be64(w);
	char reason[JOB_REASON_LEN];

	get_str(w, reason, sizeof(reason));
	if (decoded(w))
		return -SHUNT_EPARSE;
	if (state != JOB_RECEIVING && state != JOB_SUSPENDED && state != JOB_EXECUTING &&
	    !job_state_final(state) &&
	    (state != JOB_RUNNING || out->meta.job.kind != JOB_FETCH ||
	     !sha256_str_ok(out->meta.job.sha256)))
		return -SHUNT_EPARSE;
	out->state = state;
	out->changed = changed;
	memcpy(out->reason, reason, sizeof(reason));
	return 0;
}

/* What decoding has gathered besides the result. */
struct replaying {
	struct journal_replay *out;
	struct ranges unsynced; /* since the last SYNC */
	bool has_meta;
	bool has_boot;
};

static int decode_boot(struct wire *w, struct replaying *r)
{
	uint8_t boot[JOURNAL_BOOT_LEN];

	wire_get(w, boot, sizeof(boot));
	if (decoded(w))
		return -SHUNT_EPARSE;
	/* The machine went down before these were synced. */
	if (r->has_boot && memcmp(boot, r->out->boot, sizeof(boot)) != 0)
		ranges_clear(&r->unsynced);
	memcpy(r->out->boot, boot, sizeof(boot));
	r->has_boot = true;
	return 0;
}

static int decode_range(struct wire *w, struct replaying *r)
{
	uint64_t from = wire_get_be64(w);
	uint64_t to = wire_get_be64(w);

	if (decoded(w))
		return -SHUNT_EPARSE;
	if (from >= to || to > r->out->meta.job.size || r->out->meta.job.kind == JOB_FETCH)
		return -SHUNT_EPARSE;
	return ranges_add(&r->unsynced, from, to, NULL);
}

static int decode_sync(struct wire *w, struct replaying *r)
{
	int rc = decoded(w);

	if (!rc)
		rc = ranges_add_all(&r->out->received, &r->unsynced);
	if (!rc)
		ranges_clear(&r->unsynced);
	return rc;
}

static int decode_payload(const uint8_t *payload, size_t len, struct replaying *r)
{
	struct wire w;
	uint8_t type;

	wire_reader(&w, payload, len);
	type = wire_get_u8(&w);
	if (wire_error(&w) || (type == RECORD_META) == r->has_meta)
		return -SHUNT_EPARSE;
	switch (type) {
	case RECORD_META:
		r->has_meta = true;
		return decode_meta(&w, r->out);
	case RECORD_BOOT:
		return decode_boot(&w, r);
	case RECORD_RANGE:
		return decode_range(&w, r);
	case RECORD_SYNC:
		return decode_sync(&w, r);
	case RECORD_STATE:
		return decode_state(&w, r->out);
	case RECORD_CONTENT:
		return decode_content(&w, r->out);
	default:
		return -SHUNT_EPARSE;
	}
}

/* One record at *@pos; advances it past a sound one. -SHUNT_EPARSE: it is not sound; anything else
 * says nothing about the record.
 */
static int decode_record(const uint8_t *bytes, size_t len, size_t *pos, struct replaying *r)
{
	struct wire w;
	uint32_t n, crc, sum;
	const uint8_t *payload;
	int rc;

	wire_reader(&w, bytes + *pos, len - *pos);
	n = wire_get_be32(&w);
	crc = wire_get_be32(&w);
	if (wire_error(&w) || n > PAYLOAD_MAX)
		return -SHUNT_EPARSE;
	payload = wire_get_ptr(&w, n);
	if (!payload)
		return -SHUNT_EPARSE;
	sum = crc32c(0, bytes + *pos, 4);
	if (crc32c(sum, payload, n) != crc)
		return -SHUNT_EPARSE;
	rc = decode_payload(payload, n, r);
	if (!rc)
		*pos += HEAD_LEN + n;
	return rc;
}

int journal_decode(const void *bytes, size_t len, const uint8_t boot[JOURNAL_BOOT_LEN],
		   struct journal_replay *out, size_t *good)
{
	struct replaying r = { .out = out };
	size_t pos = MAGIC_LEN;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	ranges_init(&out->received);
	/* Bounded by the file. The cap on a content's ranges does not hold for what lies between:
	 * RANGE records lag behind the writes that close gaps, and SYNC adds in another order.
	 */
	out->received.max = SIZE_MAX;
	out->state = JOB_RECEIVING;
	ranges_init(&r.unsynced);
	r.unsynced.max = SIZE_MAX;
	*good = 0;
	if (len < MAGIC_LEN || memcmp(bytes, MAGIC, MAGIC_LEN) != 0)
		return -SHUNT_EPARSE;
	while (!rc && pos < len) {
		rc = decode_record(bytes, len, &pos, &r);
		if (!rc)
			*good = pos;
	}
	/* A META record whose content was refused leaves *good at 0. */
	if (*good == 0)
		rc = -SHUNT_EPARSE;
	else if (rc == -SHUNT_EPARSE)
		rc = 0; /* a torn tail */
	if (!rc && r.has_boot && memcmp(out->boot, boot, JOURNAL_BOOT_LEN) == 0)
		rc = ranges_add_all(&out->received, &r.unsynced);
	ranges_fini(&r.unsynced);
	return rc;
}

void journal_replay_fini(struct journal_replay *replay)
{
	ranges_fini(&replay->received);
}

int journal_boot_id(uint8_t boot[JOURNAL_BOOT_LEN])
{
	char text[64], hex[2 * JOURNAL_BOOT_LEN + 1];
	size_t n = 0;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int rc = -EIO;

	if (!f)
		return -errno;
	if (fgets(text, sizeof(text), f)) {
		for (const char *p = text; *p && *p != '\n' && n < sizeof(hex) - 1; p++)
			if (*p != '-')
				hex[n++] = *p;
		hex[n] = '\0';
		rc = hex_decode(hex, boot, JOURNAL_BOOT_LEN);
	}
	fclose(f);
	return rc;
}

/* ---- the file ---- */

/* All of it or an error; a record cut short by a full disk is taken back, or a later one would
 * follow the torn one and be lost with it.
 */
static int append(struct journal *j, const uint8_t *bytes, ssize_t len)
{
	ssize_t n;
	int rc;

	if (len < 0)
		return (int)len;
	do
		n = pwrite(j->fd, bytes, (size_t)len, (off_t)j->size);
	while (n < 0 && errno == EINTR);
	if (n == len) {
		j->size += (uint64_t)len;
		return 0;
	}
	rc = n < 0 ? -errno : -ENOSPC;
	if (n > 0 && ftruncate(j->fd, (off_t)j->size) < 0)
		rc = -EIO;
	return rc;
}

static int flush(struct journal *j)
{
	return fdatasync(j->fd) < 0 ? -errno : 0;
}

static int put_boot(struct journal *j)
{
	uint8_t bytes[PAYLOAD_MAX];

	return append(j, bytes, encode_boot(bytes, sizeof(bytes), j->boot));
}

static struct journal *journal_alloc(int dirfd, const char *file)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->dirfd = dirfd;
	j->fd = -1;
	snprintf(j->file, sizeof(j->file), "%s", file);
	return j;
}

/* Magic, META and BOOT at the beginning of an empty file. */
static int put_beginning(struct journal *j, const struct job_meta *meta, int64_t created)
{
	uint8_t bytes[PAYLOAD_MAX];
	int rc;

	rc = append(j, (const uint8_t *)MAGIC, MAGIC_LEN);
	if (!rc)
		rc = append(j, bytes, encode_meta(bytes, sizeof(bytes), meta, created));
	if (!rc)
		rc = put_boot(j);
	return rc;
}

int journal_create(int dirfd, const char *file, const struct job_meta *meta, struct journal **out)
{
	struct journal *j = journal_alloc(dirfd, file);
	int rc;

	if (!j)
		return -ENOMEM;
	rc = journal_boot_id(j->boot);
	if (rc)
		goto fail;
	j->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (j->fd < 0) {
		rc = -errno;
		goto fail;
	}
	rc = put_beginning(j, meta, clock_wall_ms());
	if (!rc)
		rc = flush(j);
	if (!rc && fsync(dirfd) < 0)
		rc = -errno;
	if (rc) {
		unlinkat(dirfd, file, 0);
		goto fail;
	}
	*out = j;
	return 0;
fail:
	journal_close(j);
	return rc;
}

static int read_all(int fd, uint8_t **bytes, size_t *len)
{
	struct stat st;
	uint8_t *p;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_LEN)
		return -EFBIG;
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return -ENOMEM;
	n = pread(fd, p, (size_t)st.st_size, 0);
	if (n != st.st_size) {
		free(p);
		return n < 0 ? -errno : -EIO;
	}
	*bytes = p;
	*len = (size_t)n;
	return 0;
}

/* Cut what is not sound and note a restart of the machine. */
static int journal_mend(struct journal *j, size_t len, size_t good,
			const struct journal_replay *replay)
{
	int rc = 0;

	if (good < len && ftruncate(j->fd, (off_t)good) < 0)
		return -errno;
	j->size = good;
	if (memcmp(replay->boot, j->boot, JOURNAL_BOOT_LEN) != 0)
		rc = put_boot(j);
	return rc ? rc : flush(j);
}

int journal_open(int dirfd, const char *file, struct journal_replay *replay, struct journal **out,
		 struct err *e)
{
	struct journal *j = journal_alloc(dirfd, file);
	uint8_t *bytes = NULL;
	size_t len = 0, good;
	int rc;

	memset(replay, 0, sizeof(*replay));
	if (!j)
		return err_set(e, -ENOMEM, "%s: out of memory", file);
	rc = journal_boot_id(j->boot);
	if (rc) {
		err_sys(e, rc, "boot id");
		goto out;
	}
	j->fd = openat(dirfd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	rc = j->fd < 0 ? -errno : read_all(j->fd, &bytes, &len);
	if (rc) {
		err_sys(e, rc, "%s", file);
		goto out;
	}
	rc = journal_decode(bytes, len, j->boot, replay, &good);
	if (rc) {
		/* Only what is known to be noise may be cut: behind it could lie the state. */
		if (rc == -SHUNT_EPARSE)
			err_set(e, rc, "%s: not a job journal (%zu octets)", file, len);
		else
			err_sys(e, rc, "%s", file);
		goto out;
	}
	rc = journal_mend(j, len, good, replay);
	if (rc)
		err_sys(e, rc, "%s: cannot mend", file);
out:
	free(bytes);
	if (rc)
		journal_close(j);
	else
		*out = j;
	return rc;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}

int journal_range(struct journal *j, uint64_t from, uint64_t to)
{
	uint8_t bytes[PAYLOAD_MAX];

	return append(j, bytes, encode_range(bytes, sizeof(bytes), from, to));
}

int journal_sync(struct journal *j)
{
	uint8_t bytes[PAYLOAD_MAX];
	int rc;

	rc = append(j, bytes, encode_sync(bytes, sizeof(bytes)));
	return rc ? rc : flush(j);
}

int journal_content(struct journal *j, uint64_t size, const char *sha256)
{
	uint8_t bytes[PAYLOAD_MAX];
	int rc;

	rc = append(j, bytes, encode_content(bytes, sizeof(bytes), size, sha256));
	return rc ? rc : flush(j);
}

int journal_state(struct journal *j, enum job_state state, const char *reason, int64_t wall_ms)
{
	uint8_t bytes[PAYLOAD_MAX];
	int rc;

	rc = append(j, bytes, encode_state(bytes, sizeof(bytes), state, reason, wall_ms));
	return rc ? rc : flush(j);
}

bool journal_bloated(const struct journal *j)
{
	return j->size > BLOATED_LEN;
}

static int put_replay(struct journal *j, const struct journal_replay *now)
{
	uint8_t bytes[PAYLOAD_MAX];
	int rc;

	rc = put_beginning(j, &now->meta, now->changed);
	for (size_t i = 0; !rc && i < now->received.n; i++)
		rc = journal_range(j, now->received.v[i].from, now->received.v[i].to);
	if (!rc)
		rc = append(j, bytes,
			    encode_state(bytes, sizeof(bytes), now->state, now->reason,
					 now->changed));
	return rc ? rc : journal_sync(j);
}

int journal_compact(struct journal *j, const struct journal_replay *now)
{
	struct journal fresh = *j;
	char temp[sizeof(j->file) + 8];
	int rc;

	snprintf(temp, sizeof(temp), "%s.new", j->file);
	fresh.size = 0;
	fresh.fd =
		openat(j->dirfd, temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fresh.fd < 0)
		return -errno;
	rc = put_replay(&fresh, now);
	if (!rc && renameat(j->dirfd, temp, j->dirfd, j->file) < 0)
		rc = -errno;
	if (rc) {
		close(fresh.fd);
		unlinkat(j->dirfd, temp, 0);
		return rc;
	}
	close(j->fd);
	*j = fresh;
	return fsync(j->dirfd) < 0 ? -errno : 0;
}
