// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/opts.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"

#ifndef SHUNT_VERSION
#define SHUNT_VERSION "unknown"
#endif

enum { OPT_CHECK = 256, OPT_PRINT_CONFIG, OPT_FOREGROUND, OPT_VERSION };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "print-config", no_argument, NULL, OPT_PRINT_CONFIG },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ 0 },
};

static void put_help(const struct opts_about *about, struct buf *text)
{
	buf_printf(text, "%s: %s\n\nUsage: %s [OPTION]...\n\n", about->name, about->what,
		   about->name);
	buf_printf(text, "  -c, --config FILE  read this instead of /etc/shunt/%s.conf\n",
		   about->name);
	buf_puts(text, "      --check        say whether configuration and credentials are good\n"
		       "      --print-config print a commented configuration with the defaults\n"
		       "      --foreground   stay in the foreground (always the case)\n"
		       "  -h, --help         this text\n"
		       "      --version      the version\n");
}

static enum opts_verdict wrong(const struct opts_about *about, struct buf *text, const char *what,
			       const char *arg)
{
	buf_printf(text, "%s: %s%s\nTry '%s --help'.\n", about->name, what, arg, about->name);
	return OPTS_WRONG;
}

enum opts_verdict opts_parse(int argc, char *const argv[], const struct opts_about *about,
			     struct opts *out, struct buf *text)
{
	int c;

	memset(out, 0, sizeof(*out));
	snprintf(out->config, sizeof(out->config), "/etc/shunt/%s.conf", about->name);
	optind = 0; /* glibc: start over, so that tests can call this again */
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (strlen(optarg) >= sizeof(out->config))
				return wrong(about, text, "the file's name is too long", "");
			strcpy(out->config, optarg);
			break;
		case OPT_CHECK:
			out->check = true;
			break;
		case OPT_PRINT_CONFIG:
			out->print_config = true;
			break;
		case OPT_FOREGROUND:
			break;
		case 'h':
			put_help(about, text);
			return OPTS_PRINT;
		case OPT_VERSION:
			buf_printf(text, "%s %s\n", about->name, SHUNT_VERSION);
			return OPTS_PRINT;
		case ':':
			return wrong(about, text, "no value for ", argv[optind - 1]);
		default:
			return wrong(about, text, "unknown option ", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return wrong(about, text, "unexpected argument ", argv[optind]);
	return OPTS_RUN;
}
