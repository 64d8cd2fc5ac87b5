/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: lines of the form `subsystem: peer: what: why`.
 *
 * One process-wide sink, set by main() with log_init(). It is the only global of the library, kept
 * because passing a logger to every callback would buy nothing. Before log_init() all is silent, so
 * library code and unit tests never print. Messages are escaped (see err_escape()), one line each.
 * Not for use in signal handlers; a line is written with one write(2), so threads do not mix.
 */
#ifndef SHUNT_LIB_LOG_H
#define SHUNT_LIB_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { /* syslog's numbers */
		 LOG_LVL_ERR = 3,
		 LOG_LVL_WARNING = 4,
		 LOG_LVL_NOTICE = 5,
		 LOG_LVL_INFO = 6,
		 LOG_LVL_DEBUG = 7,
};

enum log_target {
	LOG_TARGET_NONE,
	LOG_TARGET_STDERR, /* "<N>" priority prefixes when stderr is the journal's stream */
	LOG_TARGET_SYSLOG,
};

#define LOG_LINE_MAX 1024

/*
 * Choose the sink. @ident is copied (31 characters). May be called again (level change on SIGHUP).
 */
void log_init(const char *ident, enum log_level level, enum log_target target);

/* Close syslog, free the rate-limit table; silent again afterwards. */
void log_fini(void);

/* Divert finished lines to @fn (tests, `shunt` CLI); NULL restores the target. */
void log_set_sink(void (*fn)(void *arg, enum log_level level, const char *line), void *arg);

bool log_enabled(enum log_level level);

/* "error", "warning", "notice", "info", "debug" -> level. Returns 0 or -SHUNT_EPARSE. */
int log_level_parse(const char *s, enum log_level *out);
const char *log_level_str(enum log_level level);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_vmsg(enum log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/*
 * For anything a remote can provoke: at most LOG_LIMIT_BURST lines per @key in LOG_LIMIT_MS, the
 * rest is counted and reported with the key's next line. @key names remote and fault
 * ("tls:192.0.2.1"). The table holds LOG_LIMIT_KEYS keys; the key idle longest makes room, and a
 * global ceiling of LOG_LIMIT_ALL lines per LOG_LIMIT_MS bounds what many keys can do together.
 */
#define LOG_LIMIT_BURST 5
#define LOG_LIMIT_MS 10000
#define LOG_LIMIT_KEYS 256
#define LOG_LIMIT_ALL 200
void log_limited(const char *key, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(...) log_msg(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LVL_WARNING, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_LVL_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LVL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LVL_DEBUG, __VA_ARGS__)

#endif
