// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/cli.h"

#include "cli/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NETNS_DIR "/run/netns"
#define OUTPUT_BUFFER 65536 /* what a pipe takes */

static const char usage_text[] =
	"Usage: shunt [ OPTIONS ] OBJECT { COMMAND | help }\n"
	"       shunt [ OPTIONS ] -b[atch] FILE [ -force ]      commands from a file, - for standard input\n"
	"       shunt help | --help | --version\n"
	"\n"
	"Objects of this host's kernel (need CAP_NET_ADMIN):\n"
	"  link       shunt devices                        add | del | show\n"
	"  tunnel     encapsulated paths, one per job      show | add | set | del | flush\n"
	"  load       CPU time spent on tunnels            show\n"
	"  threshold  limits that raise events             set | show\n"
	"  monitor    events as they happen                [ all | tunnels | load ]\n"
	"Objects of the manager and the cloud:\n"
	"  device     the registry of devices              show | add | set | del\n"
	"  gateway    gateways that dialled in             show\n"
	"  job        print and store jobs                 submit | list | show | events | cancel\n"
	"Local files:\n"
	"  log        records of a gateway                 show\n"
	"  pki        the deployment's certificates        init | issue | show\n"
	"  key        pairs of keys for stored files       new | show\n"
	"  decrypt    a file that was stored encrypted     -i IDENTITY [ -o OUT ] [ FILE ]\n"
	"\n"
	"Options: -j[son] -p[retty] -s[tatistics] -d[etails] -n[etns] NAME\n"
	"         -c FILE (default $SHUNT_CONFIG or /etc/shunt/shunt.conf)\n"
	"         --cloud ADDRESS:PORT --manager ADDRESS:PORT --ca FILE --cert FILE --key FILE\n"
	"Exit status: 0 done, 1 usage, 2 refused by the kernel or a remote. Manual: man 8 shunt\n";

const char *args_peek(const struct args *a)
{
	return a->n ? a->v[0] : NULL;
}

const char *args_next(struct args *a)
{
	if (!a->n)
		return NULL;
	a->n--;
	return *a->v++;
}

/* ---- errors ---- */

int cli_usage(struct cli *c, const char *fmt, ...)
{
	struct err e = { 0 };
	va_list ap;

	va_start(ap, fmt);
	err_vset(&e, -EINVAL, fmt, ap);
	va_end(ap);
	fprintf(c->errors, "Error: %s\n", err_text(&e));
	return CLI_USAGE;
}

int cli_refused(struct cli *c, const struct err *e)
{
	fprintf(c->errors, "Error: %s\n", err_text(e));
	return CLI_REFUSED;
}

int cli_end(struct cli *c, struct args *a)
{
	int option;

	while (args_peek(a)) {
		option = cli_option(c, a);
		if (option < 0)
			return CLI_USAGE;
		if (!option)
			return cli_usage(c, "\"%s\" is not expected here", args_peek(a));
	}
	return CLI_OK;
}

/* ---- options ---- */

enum option {
	OPT_JSON,
	OPT_PRETTY,
	OPT_STATS,
	OPT_DETAILS,
	OPT_BRIEF,
	OPT_NETNS,
	OPT_CONFIG,
	OPT_CLOUD,
	OPT_MANAGER,
	OPT_CA,
	OPT_CERT,
	OPT_KEY,
	OPT_BATCH,
	OPT_FORCE,
};

/* One or two dashes before the long word; a short form where there is one. */
static const struct {
	const char *word;
	const char *brief;
	enum option option;
	bool value;
} options[] = {
	{ "json", "j", OPT_JSON, false },	 { "pretty", "p", OPT_PRETTY, false },
	{ "statistics", "s", OPT_STATS, false }, { "stats", NULL, OPT_STATS, false },
	{ "details", "d", OPT_DETAILS, false },	 { "netns", "n", OPT_NETNS, true },
	{ "config", "c", OPT_CONFIG, true },	 { "cloud", NULL, OPT_CLOUD, true },
	{ "manager", NULL, OPT_MANAGER, true },	 { "ca", NULL, OPT_CA, true },
	{ "cert", NULL, OPT_CERT, true },	 { "key", NULL, OPT_KEY, true },
	{ "batch", "b", OPT_BATCH, true },	 { "force", NULL, OPT_FORCE, false },
	{ "brief", "br", OPT_BRIEF, false },
};

/* Enter a namespace that `ip netns add` made; sockets opened from here on are in it. */
static int enter_netns(struct cli *c, const char *name)
{
	char path[256];
	int fd, err;

	if (!name[0] || strchr(name, '/') ||
	    snprintf(path, sizeof(path), NETNS_DIR "/%s", name) >= (int)sizeof(path))
		return cli_usage(c, "-netns \"%s\": not a name of ip netns", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cli_usage(c, "-netns %s: %s", name, strerror(errno));
	err = setns(fd, CLONE_NEWNET) ? errno : 0;
	close(fd);
	return err ? cli_usage(c, "-netns %s: %s", name, strerror(err)) : 0;
}

unsigned int cli_out_flags(const struct cli *c)
{
	return (c->json ? OUT_JSON : 0) | (c->pretty ? OUT_PRETTY : 0);
}

static int set_option(struct cli *c, enum option option, const char *value)
{
	if (c->begun && !c->batch && (option == OPT_BATCH || option == OPT_FORCE)) {
		cli_usage(c, "-batch and -force stand before any command");
		return -1;
	}
	if (c->batch && (option == OPT_NETNS || option == OPT_BATCH || option == OPT_FORCE)) {
		cli_usage(c, "a batch has one namespace and no other batch in it");
		return -1;
	}
	switch (option) {
	case OPT_JSON:
		c->json = true;
		break;
	case OPT_PRETTY:
		c->pretty = true;
		break;
	case OPT_STATS:
		c->stats = true;
		break;
	case OPT_DETAILS:
		c->details = true;
		break;
	case OPT_BRIEF:
		c->brief = true;
		break;
	case OPT_NETNS:
		return enter_netns(c, value) ? -1 : 1;
	case OPT_CONFIG:
		c->config = value;
		break;
	case OPT_CLOUD:
		c->cloud = value;
		break;
	case OPT_MANAGER:
		c->manager = value;
		break;
	case OPT_CA:
		c->ca = value;
		break;
	case OPT_CERT:
		c->cert = value;
		break;
	case OPT_KEY:
		c->key = value;
		break;
	case OPT_BATCH:
		c->batch_file = value;
		break;
	case OPT_FORCE:
		c->force = true;
		break;
	}
	out_set_flags(c->out, cli_out_flags(c));
	return 1;
}

int cli_option(struct cli *c, struct args *a)
{
	const char *word = args_peek(a), *value;
	size_t i, n, len;
	bool two;

	if (!word || word[0] != '-' || !word[1])
		return 0;
	two = word[1] == '-';
	word += two ? 2 : 1;
	len = strcspn(word, "=");
	value = two && word[len] ? word + len + 1 : NULL;
	n = sizeof(options) / sizeof(options[0]);
	for (i = 0; i < n; i++) {
		if (strlen(options[i].word) == len && !strncmp(options[i].word, word, len))
			break;
		if (!two && options[i].brief && !strcmp(options[i].brief, word))
			break;
	}
	if (i == n)
		return 0;
	args_next(a);
	if (options[i].value && !value)
		value = args_next(a);
	if (options[i].value != !!value) {
		cli_usage(c, "option %s%s", options[i].word,
			  options[i].value ? " needs a value" : " takes no value");
		return -1;
	}
	return set_option(c, options[i].option, value);
}

/* ---- dispatch ---- */

static const struct cli_command *find_command(const struct cli_command *table, const char *word)
{
	const struct cli_command *row;

	for (row = table; row->name; row++)
		if (!strcmp(row->name, word))
			return row;
	for (row = table; row->name; row++)
		if (!strncmp(row->name, word, strlen(word)))
			return row;
	return NULL;
}

int cli_dispatch(struct cli *c, struct args *a, const char *object, const struct cli_command *table,
		 int (*fallback)(struct cli *c, struct args *a), const char *usage)
{
	const struct cli_command *row;
	const char *word = args_peek(a);

	if (!word && fallback)
		return fallback(c, a);
	if (word && (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h"))) {
		fputs(usage, c->output);
		return CLI_OK;
	}
	if (!word || !word[0]) {
		fputs(usage, c->errors);
		return CLI_USAGE;
	}
	row = find_command(table, word);
	if (!row)
		return cli_usage(c, "%s \"%s\" is unknown, try \"shunt %s%shelp\"",
				 object[0] ? "command" : "object", word, object,
				 object[0] ? " " : "");
	args_next(a);
	return row->run(c, a);
}

/* In the order of the usage text: of several that a short form fits, the first one wins. */
static const struct cli_command objects[] = {
	{ "link", cmd_link },
	{ "tunnel", cmd_tunnel },
	{ "load", cmd_load },
	{ "threshold", cmd_threshold },
	{ "monitor", cmd_monitor },
	{ "device", cmd_device },
	{ "gateway", cmd_gateway },
	{ "job", cmd_job },
	{ "log", cmd_log },
	{ "pki", cmd_pki },
	{ "key", cmd_key },
	{ "decrypt", cmd_decrypt },
	{ NULL, NULL },
};

static int run_command(struct cli *c, struct args *a)
{
	return cli_dispatch(c, a, "", objects, NULL, usage_text);
}

static int run_batch(struct cli *c, struct args *a)
{
	if (args_peek(a))
		return cli_usage(c, "\"%s\" is not expected here", args_peek(a));
	return batch_run(c, c->batch_file, c->force, run_command);
}

static int run(struct cli *c, struct args *a)
{
	const char *word;
	int option;

	while ((option = cli_option(c, a)) > 0)
		;
	if (option < 0)
		return CLI_USAGE;
	c->begun = true;
	if (c->batch_file)
		return run_batch(c, a);
	if (c->force)
		return cli_usage(c, "-force is for -batch");
	word = args_peek(a);
	if (word &&
	    (!strcmp(word, "--version") || !strcmp(word, "-V") || !strcmp(word, "-Version"))) {
		fputs("shunt " SHUNT_VERSION "\n", c->output);
		return CLI_OK;
	}
	if (word && word[0] == '-' && strcmp(word, "--help") && strcmp(word, "-h"))
		return cli_usage(c, "option \"%s\" is unknown, try \"shunt help\"", word);
	return run_command(c, a);
}

int cli_main(int argc, char **argv)
{
	struct args a = { argv + 1, argc > 0 ? argc - 1 : 0 };
	struct dev_name dev = { 0 };
	struct cli c = { .output = stdout, .errors = stderr, .dev = &dev };
	int status, err;

	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
	c.out = out_new(c.output, 0);
	if (!c.out)
		return CLI_REFUSED;
	status = run(&c, &a);
	err = out_free(c.out);
	/* A reader that has seen enough (| head) is no failure worth words. */
	if (err && err != -EPIPE)
		fprintf(stderr, "Error: standard output: %s\n", strerror(-err));
	return err && !status ? CLI_REFUSED : status;
}
