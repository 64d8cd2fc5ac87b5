// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt-manager: command line, configuration, signals; the rest is in manager.c. */

#include <stdio.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "manager/manager.h"

struct program {
	struct loop *loop;
	struct manager *manager;
};

static void on_stop(void *arg)
{
	struct program *p = arg;

	log_notice("manager: stopping");
	proc_notify("STOPPING=1");
	manager_stop(p->manager);
}

static void on_reload(void *arg)
{
	struct program *p = arg;
	struct err e = { 0 };

	if (manager_reload(p->manager, &e) < 0)
		log_err("manager: reload: %s", err_text(&e));
	else
		log_notice("manager: credentials reloaded");
}

static int run(const struct manager_conf *conf)
{
	struct program p = { 0 };
	struct err e = { 0 };
	int status = EXIT_RUNTIME;

	log_init(manager_about.name, (enum log_level)conf->log_level, LOG_TARGET_STDERR);
	proc_open_files(); /* max-connections may be as many */
	if (loop_new(&p.loop) < 0 || manager_new(p.loop, conf, &p.manager, &e) < 0) {
		log_err("manager: start: %s", err_text(&e));
		goto out;
	}
	if (loop_on_stop(p.loop, on_stop, on_reload, &p) < 0)
		goto out;
	log_notice("manager: listening on port %u", manager_port(p.manager));
	proc_notify("READY=1");
	status = loop_run(p.loop);
out:
	manager_free(p.manager);
	loop_free(p.loop);
	log_fini();
	return status < 0 ? EXIT_RUNTIME : status;
}

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT;
	struct manager_conf conf;
	struct err e = { 0 };
	struct opts opts;
	int status = EXIT_STOPPED;

	switch (opts_parse(argc, argv, &manager_about, &opts, &text)) {
	case OPTS_WRONG:
		fputs(buf_str(&text), stderr);
		status = EXIT_CONFIG;
		goto out;
	case OPTS_PRINT:
		fputs(buf_str(&text), stdout);
		goto out;
	case OPTS_RUN:
		break;
	}
	if (opts.print_config) {
		conf_print_defaults(manager_conf_table, &text);
		fputs(buf_str(&text), stdout);
		goto out;
	}
	if (conf_load(opts.config, manager_conf_table, &conf, &e) < 0) {
		fprintf(stderr, "%s: %s\n", manager_about.name, err_text(&e));
		status = EXIT_CONFIG;
		goto out;
	}
	if (manager_check(&conf, &e) < 0) {
		fprintf(stderr, "%s: %s\n", manager_about.name, err_text(&e));
		status = EXIT_CONFIG;
	} else if (!opts.check) {
		status = run(&conf);
	}
	conf_free(manager_conf_table, &conf);
out:
	buf_fini(&text);
	return status;
}
