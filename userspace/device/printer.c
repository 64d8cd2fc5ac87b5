// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/printer.h"

#include <stdbool.h>
#include <string.h>

#define SCHEME "ipp://"
#define LETTERS_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* "", or ":PORT" with 1 to 65535. */
static bool port_ok(const char *text, size_t len)
{
	unsigned int port = 0;

	if (len == 0)
		return true;
	if (text[0] != ':' || len < 2 || len > 6)
		return false;
	for (size_t i = 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	return port > 0 && port <= 65535;
}

/* The length of the host that @text begins with, an address of IPv6 in brackets; 0: there is none. */
static size_t host_len(const char *text)
{
	size_t n;

	if (text[0] != '[')
		return strspn(text, LETTERS_DIGITS ".-_");
	n = strspn(text + 1, "0123456789abcdefABCDEF:.");
	return n > 0 && text[n + 1] == ']' ? n + 2 : 0;
}

int printer_uri_check(const char *uri, struct err *e)
{
	size_t authority, host;

	/* TLS would need to know whose certificate is the printer's; nobody says so yet. */
	if (strncmp(uri, SCHEME, strlen(SCHEME)) != 0)
		return err_set(e, -SHUNT_ECONF, "printer: it must begin with " SCHEME);
	uri += strlen(SCHEME);
	authority = strcspn(uri, "/?#");
	if (memchr(uri, '@', authority))
		return err_set(e, -SHUNT_ECONF, "printer: a user or password cannot be in it");
	host = host_len(uri);
	if (host == 0 || host > 255)
		return err_set(e, -SHUNT_ECONF, "printer: \"" SCHEME "%s\" names no host", uri);
	if (host > authority || !port_ok(uri + host, authority - host))
		return err_set(e, -SHUNT_ECONF,
			       "printer: \"" SCHEME "%s\": after the host comes :PORT or the path",
			       uri);
	uri += authority;
	if (uri[0] != '/' || uri[strcspn(uri, "?# \t\"")])
		return err_set(e, -SHUNT_ECONF,
			       "printer: \"%s\" is no path; most printers have /ipp/print", uri);
	return 0;
}
