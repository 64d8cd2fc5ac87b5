// SPDX-License-Identifier: GPL-2.0-or-later
/* shuntd: command line, configuration, signals; the rest is in gateway.c. */

#include <stdio.h>

#include "gateway/gateway.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/proc.h"

struct program {
	struct loop *loop;
	struct gateway *gateway;
};

static void on_stop(void *arg)
{
	struct program *p = arg;

	log_notice("gateway: stopping");
	proc_notify("STOPPING=1");
	gateway_stop(p->gateway);
}

static void on_reload(void *arg)
{
	struct program *p = arg;
	struct err e = { 0 };

	if (gateway_reload(p->gateway, &e) < 0)
		log_err("gateway: reload: %s", err_text(&e));
	else
		log_notice("gateway: credentials reloaded");
}

static int run(const struct gateway_conf *conf)
{
	struct program p = { 0 };
	struct err e = { 0 };
	int status = EXIT_RUNTIME;

	log_init(gateway_about.name, (enum log_level)conf->log_level, LOG_TARGET_STDERR);
	if (loop_new(&p.loop) < 0 || gateway_new(p.loop, conf, &p.gateway, &e) < 0) {
		log_err("gateway: start: %s", err_text(&e));
		goto out;
	}
	if (loop_on_stop(p.loop, on_stop, on_reload, &p) < 0)
		goto out;
	log_notice("gateway: started");
	proc_notify("READY=1");
	status = loop_run(p.loop);
out:
	gateway_free(p.gateway);
	loop_free(p.loop);
	log_fini();
	return status < 0 ? EXIT_RUNTIME : status;
}

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT;
	struct gateway_conf conf;
	struct err e = { 0 };
	struct opts opts;
	int status = EXIT_STOPPED;

	switch (opts_parse(argc, argv, &gateway_about, &opts, &text)) {
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
		conf_print_defaults(gateway_conf_table, &text);
		fputs(buf_str(&text), stdout);
		goto out;
	}
	if (conf_load(opts.config, gateway_conf_table, &conf, &e) < 0) {
		fprintf(stderr, "%s: %s\n", gateway_about.name, err_text(&e));
		status = EXIT_CONFIG;
		goto out;
	}
	if (gateway_conf_check(&conf, &e) < 0)
		err_prefix(&e, "%s", opts.config);
	else
		gateway_check(&conf, &e);
	if (e.code < 0) {
		fprintf(stderr, "%s: %s\n", gateway_about.name, err_text(&e));
		status = EXIT_CONFIG;
	} else if (!opts.check) {
		status = run(&conf);
	}
	conf_free(gateway_conf_table, &conf);
out:
	buf_fini(&text);
	return status;
}
