// SPDX-License-Identifier: GPL-2.0-or-later
/* log: one process-wide sink, escaped lines, rate limit per key. */
#include "lib/log.h"

#include "lib/clock.h"
#include "lib/err.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

struct limit_key {
	uint32_t hash;
	unsigned int lines; /* in the present window */
	unsigned int dropped;
	uint64_t window; /* start, boot ms */
	uint64_t last; /* last use, boot ms; 0 = free */
	char key[64];
};

/* The documented exception to "no globals": see log.h. */
static struct {
	pthread_mutex_t lock;
	char ident[32]; /* openlog() keeps the pointer */
	enum log_level level;
	enum log_target target;
	bool journal; /* stderr goes to the journal, which wants "<N>" and has its own clock */
	void (*sink)(void *arg, enum log_level level, const char *line);
	void *sink_arg;
	struct limit_key *keys; /* LOG_LIMIT_KEYS of them, on first use */
	struct limit_key all; /* the ceiling over all keys */
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_LVL_INFO };

static const char *const level_names[] = {
	[LOG_LVL_ERR] = "error", [LOG_LVL_WARNING] = "warning", [LOG_LVL_NOTICE] = "notice",
	[LOG_LVL_INFO] = "info", [LOG_LVL_DEBUG] = "debug",
};

const char *log_level_str(enum log_level level)
{
	return level >= LOG_LVL_ERR && level <= LOG_LVL_DEBUG ? level_names[level] : "?";
}

int log_level_parse(const char *s, enum log_level *out)
{
	for (int i = LOG_LVL_ERR; i <= LOG_LVL_DEBUG; i++) {
		if (!strcmp(s, level_names[i])) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -SHUNT_EPARSE;
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream it connected. */
static bool stderr_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return s && sscanf(s, "%llu:%llu", &dev, &ino) == 2 && !fstat(STDERR_FILENO, &st) &&
	       st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *ident, enum log_level level, enum log_target target)
{
	pthread_mutex_lock(&log_state.lock);
	if (log_state.target == LOG_TARGET_SYSLOG)
		closelog();
	snprintf(log_state.ident, sizeof(log_state.ident), "%s", ident);
	log_state.level = level;
	log_state.target = target;
	log_state.journal = target == LOG_TARGET_STDERR && stderr_is_journal();
	if (target == LOG_TARGET_SYSLOG)
		openlog(log_state.ident, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	pthread_mutex_unlock(&log_state.lock);
}

void log_fini(void)
{
	pthread_mutex_lock(&log_state.lock);
	if (log_state.target == LOG_TARGET_SYSLOG)
		closelog();
	log_state.target = LOG_TARGET_NONE;
	log_state.sink = NULL;
	free(log_state.keys);
	log_state.keys = NULL;
	memset(&log_state.all, 0, sizeof(log_state.all));
	pthread_mutex_unlock(&log_state.lock);
}

void log_set_sink(void (*fn)(void *arg, enum log_level level, const char *line), void *arg)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.sink = fn;
	log_state.sink_arg = arg;
	pthread_mutex_unlock(&log_state.lock);
}

bool log_enabled(enum log_level level)
{
	return level <= log_state.level && (log_state.sink || log_state.target != LOG_TARGET_NONE);
}

/* One write(2), so that lines of several threads or processes do not mix. */
static void write_stderr(enum log_level level, const char *line)
{
	char out[LOG_LINE_MAX + 64], when[CLOCK_STR_LEN];
	ssize_t done;
	int n;

	if (log_state.journal)
		n = snprintf(out, sizeof(out), "<%d>%s\n", level, line);
	else
		n = snprintf(out, sizeof(out), "%s %s %s\n", clock_print(clock_wall_ms(), when),
			     log_level_str(level), line);
	if (n >= (int)sizeof(out)) {
		n = sizeof(out);
		out[n - 1] = '\n';
	}
	do
		done = write(STDERR_FILENO, out, (size_t)n);
	while (done < 0 && errno == EINTR);
}

static void emit(enum log_level level, const char *raw)
{
	char line[LOG_LINE_MAX];
	size_t len = strlen(raw);

	/* Where a caller escaped remote text already, its backslashes become \x5c: harmless. */
	while (len && raw[len - 1] == '\n')
		len--;
	err_escape(line, sizeof(line), raw, len);
	if (log_state.sink)
		log_state.sink(log_state.sink_arg, level, line);
	else if (log_state.target == LOG_TARGET_STDERR)
		write_stderr(level, line);
	else if (log_state.target == LOG_TARGET_SYSLOG)
		syslog(level, "%s", line);
}

void log_vmsg(enum log_level level, const char *fmt, va_list ap)
{
	char raw[LOG_LINE_MAX];
	int saved = errno;

	if (log_enabled(level)) {
		vsnprintf(raw, sizeof(raw), fmt, ap);
		emit(level, raw);
	}
	errno = saved;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}

/* FNV-1a; only to make the search cheap. */
static uint32_t key_hash(const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h;
}

/* The key's entry; the one idle longest makes room for a new key. */
static struct limit_key *key_find(const char *key, uint64_t now)
{
	struct limit_key *oldest, *k;
	uint32_t hash = key_hash(key);

	if (!log_state.keys)
		log_state.keys = calloc(LOG_LIMIT_KEYS, sizeof(*log_state.keys));
	if (!log_state.keys)
		return NULL;
	oldest = &log_state.keys[0];
	for (k = log_state.keys; k < log_state.keys + LOG_LIMIT_KEYS; k++) {
		if (k->last && k->hash == hash && !strncmp(k->key, key, sizeof(k->key) - 1))
			return k;
		if (k->last < oldest->last)
			oldest = k;
	}
	*oldest = (struct limit_key){ .hash = hash, .window = now };
	snprintf(oldest->key, sizeof(oldest->key), "%s", key);
	return oldest;
}

/* Count one line; true when it may be written. *dropped: lines suppressed before it. */
static bool key_admit(struct limit_key *k, uint64_t now, unsigned int burst, unsigned int *dropped)
{
	*dropped = 0;
	k->last = now ? now : 1;
	if (now - k->window >= LOG_LIMIT_MS) {
		k->window = now;
		k->lines = 0;
	}
	if (k->lines >= burst) {
		k->dropped++;
		return false;
	}
	k->lines++;
	*dropped = k->dropped;
	k->dropped = 0;
	return true;
}

void log_limited(const char *key, enum log_level level, const char *fmt, ...)
{
	unsigned int dropped = 0, dropped_all = 0;
	uint64_t now = clock_boot_ms();
	struct limit_key *k;
	bool admit;
	va_list ap;

	if (!log_enabled(level))
		return;
	pthread_mutex_lock(&log_state.lock);
	k = key_find(key, now);
	/* Without memory for the table the ceiling still holds. */
	admit = (!k || key_admit(k, now, LOG_LIMIT_BURST, &dropped)) &&
		key_admit(&log_state.all, now, LOG_LIMIT_ALL, &dropped_all);
	pthread_mutex_unlock(&log_state.lock);
	if (!admit)
		return;
	if (dropped)
		log_msg(level, "log: %s: %u similar messages suppressed", key, dropped);
	if (dropped_all)
		log_msg(level, "log: %u messages suppressed in all", dropped_all);
	va_start(ap, fmt);
	log_vmsg(level, fmt, ap);
	va_end(ap);
}
