// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt-cloud: command line, configuration, signals; the rest is in cloud.c. */
#include <stdio.h>

#include "cloud/cloud.h"
#include "cloud/credentials.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/opts.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/tls.h"

static const struct opts_about about = {
	.name = "shunt-cloud",
	.what = "accepts jobs and brings them to devices behind gateways",
};

static void on_stop(void *arg)
{
	log_notice("cloud: -: stopping");
	proc_notify("STOPPING=1");
	cloud_stop(arg);
}

static void on_reload(void *arg)
{
	cloud_reload(arg);
}

/* Each unfinished job has its content's file open, each connection its socket. */
static void allow_files(const struct cloud_conf *conf)
{
	uint64_t need = conf->max_jobs + PEER_MAX_CONNS, have = proc_open_files();

	if (have < need)
		log_warn("cloud: -: only %llu files may be open; %llu are needed for max-jobs = %u",
			 (unsigned long long)have, (unsigned long long)need, conf->max_jobs);
}

static int run(struct cloud *c)
{
	struct err e = { 0 };
	int status = EXIT_RUNTIME;

	log_init(about.name, (enum log_level)c->conf->log_level, LOG_TARGET_STDERR);
	allow_files(c->conf);
	if (loop_new(&c->loop)) {
		log_err("cloud: -: start: no event loop");
	} else if (cloud_start(c, &e) || loop_on_stop(c->loop, on_stop, on_reload, c)) {
		log_err("cloud: -: start: %s", err_text(&e));
	} else {
		log_notice("cloud: -: ready");
		proc_notify("READY=1");
		status = loop_run(c->loop);
	}
	cloud_fini(c);
	tls_ctx_free(c->tls);
	credentials_free(c->credentials);
	loop_free(c->loop);
	log_fini();
	return status < 0 ? EXIT_RUNTIME : status;
}

static int configured(const struct opts *opts)
{
	struct cloud_conf conf;
	struct cloud c = { .conf = &conf };
	struct err e = { 0 };
	int status = EXIT_STOPPED;

	if (conf_load(opts->config, cloud_conf_table, &conf, &e)) {
		fprintf(stderr, "%s: %s\n", about.name, err_text(&e));
		return EXIT_CONFIG;
	}
	if (cloud_conf_check(&conf, &e) || cloud_credentials(&conf, &c.tls, &e) ||
	    cloud_device_credentials(&conf, &c.credentials, &e)) {
		fprintf(stderr, "%s: %s: %s\n", about.name, opts->config, err_text(&e));
		tls_ctx_free(c.tls);
		status = EXIT_CONFIG;
	} else if (opts->check) {
		tls_ctx_free(c.tls);
		credentials_free(c.credentials);
	} else {
		status = run(&c);
	}
	conf_free(cloud_conf_table, &conf);
	return status;
}

int main(int argc, char **argv)
{
	struct buf text = BUF_INIT;
	struct opts opts;
	int status = EXIT_STOPPED;

	switch (opts_parse(argc, argv, &about, &opts, &text)) {
	case OPTS_WRONG:
		fputs(buf_str(&text), stderr);
		status = EXIT_CONFIG;
		break;
	case OPTS_PRINT:
		fputs(buf_str(&text), stdout);
		break;
	case OPTS_RUN:
		if (opts.print_config) {
			conf_print_defaults(cloud_conf_table, &text);
			fputs(buf_str(&text), stdout);
		} else {
			status = configured(&opts);
		}
	}
	buf_fini(&text);
	return status;
}
