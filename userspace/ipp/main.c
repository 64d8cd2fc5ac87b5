// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shunt-ipp: prints one document at an IPP printer; what shunt-device runs where `printer` is set, but a print command like any
 * other: the last line says why it was not printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipp/order.h"
#include "ipp/printer.h"
#include "lib/opts.h"
#include "lib/sandbox.h"

static int fail(const struct err *e, int status)
{
	fflush(stdout);
	fprintf(stderr, "printer: %s\n", err_text(e));
	return status;
}

static void on_news(const char *text)
{
	struct err e = { 0 };

	err_set(&e, 0, "%s", text); /* escaped */
	printf("printer: %s\n", err_text(&e));
	fflush(stdout);
}

/* The document is open already: what is left to read is how names become addresses, and nothing is to be written or executed. */
static int confine(struct err *e)
{
	/* Not /etc as a whole: the agent's key may be there, and is its user's. */
	static const struct sandbox_path paths[] = {
		{ "/etc/hosts", false },
		{ "/etc/host.conf", false },
		{ "/etc/resolv.conf", false },
		{ "/run/systemd/resolve", false },
		{ "/etc/nsswitch.conf", false },
		{ "/etc/gai.conf", false },
		{ "/etc/services", false },
		{ "/etc/passwd", false },
		{ "/etc/ld.so.cache", false },
		{ "/etc/cups/client.conf", false },
		{ "/lib", false },
		{ "/usr/lib", false },
		{ "/usr/share/locale", false },
		{ "/etc/localtime", false },
	};
	int rc = sandbox_enter(paths, sizeof(paths) / sizeof(paths[0]), e);

	return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
	struct order order;
	struct err e = { 0 };
	sigset_t ends;
	int fd;

	/* Nobody is interrupted: printer_run() looks for them where it waits. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (order_parse(argc, argv, &order, &e))
		return fail(&e, EXIT_CONFIG);
	fd = open(order.file, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_sys(&e, -errno, "%s", order.file);
		return fail(&e, EXIT_RUNTIME);
	}
	if (confine(&e) || printer_run(&order, fd, on_news, &e))
		return fail(&e, EXIT_RUNTIME);
	return EXIT_STOPPED;
}
