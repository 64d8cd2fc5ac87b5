/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err: the one error convention.
 *
 * Functions return 0 (or a non-negative count) or a negative code: -errno, or one of the private
 * codes below, negated. A struct err additionally carries one precise sentence that names what
 * failed and where; handles embed one, parsers take a pointer to one. The text never contains a
 * secret: whoever calls err_set() sees to that.
 */
#ifndef SHUNT_LIB_ERR_H
#define SHUNT_LIB_ERR_H

#include <stdarg.h>
#include <stddef.h>

/* Private range, above every errno (the kernel's MAX_ERRNO is 4095). Used negated. */
enum shunt_errno {
	SHUNT_EPARSE = 5000, /* text or JSON is not well-formed */
	SHUNT_EFIELD, /* a member is missing, ill-typed or out of its range */
	SHUNT_ECONF, /* a configuration is not acceptable */
	SHUNT_EPROTO, /* a peer broke the protocol */
	SHUNT_ETLS, /* TLS failed (handshake, certificate, exporter) */
	SHUNT_EPEER, /* the peer is not who it should be, or its role may not do this */
	SHUNT_EREMOTE, /* the peer answered with an error */
	SHUNT_ECLOSED, /* the connection ended */
	SHUNT_EDB, /* the database refused or is damaged */
	SHUNT_ENOTSUP, /* understood, but not supported yet */
	SHUNT_ESECRETFILE, /* a secret file can be read or changed by others */
	SHUNT_ELAST
};

#define ERR_TEXT_MAX 512

/* Last error with its context. Zero-initialised = no error. */
struct err {
	int code; /* 0, -errno or -SHUNT_E* */
	char text[ERR_TEXT_MAX]; /* one sentence, NUL-terminated, no newline */
};

/*
 * Short English text for a code of either sign ("Connection refused", "TLS failure").
 * Thread-safe; never NULL. Unknown codes give "Unknown error".
 */
const char *shunt_strerror(int code);

/*
 * Set code and text; control characters in the result are escaped, overlong text is cut.
 * @e may be NULL (then only the code is passed through). Returns @code, so that
 * `return err_set(e, -SHUNT_EPARSE, "...")` works.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *e, int code, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

/* As err_set(), with ": " and shunt_strerror(@code) appended: for failed system calls. */
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "context: " in front of the text. Returns the code held; @e may be NULL (returns 0). */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text if there is one, else shunt_strerror() of the code. @e may be NULL. */
const char *err_text(const struct err *e);

void err_clear(struct err *e);

/*
 * Copy @in to @out (at most @size - 1 bytes) with control characters, DEL and backslash written as
 * \xNN, so that remote text cannot forge log lines or drive a terminal. Bytes >= 0x80 are kept when
 * they form valid UTF-8 (other than C1 controls), else escaped. Always NUL-terminates if @size > 0.
 * Returns the length written.
 */
size_t err_escape(char *out, size_t size, const char *in, size_t len);

#endif
