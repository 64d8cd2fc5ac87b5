// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt-device: the agent on a printer or file server. */
#include <stdio.h>
#include <string.h>

#include "device/device.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/opts.h"
#include "lib/proc.h"

static const struct opts_about about = {
	.name = "shunt-device",
	.what = "agent on a printer or file server: receives jobs through tunnels and connections",
};

struct agent {
	struct loop *loop;
	struct device *device;
};

static void on_stopped(void *arg)
{
	struct agent *agent = arg;

	loop_stop(agent->loop, EXIT_STOPPED);
}

static void on_stop(void *arg)
{
	struct agent *agent = arg;

	log_notice("agent: stopping");
	proc_notify("STOPPING=1");
	device_stop(agent->device, on_stopped, agent);
}

static void on_reload(void *arg)
{
	struct agent *agent = arg;
	struct err e = { 0 };

	if (device_reload(agent->device, &e))
		log_err("agent: reload: %s", err_text(&e));
	else
		log_notice("agent: certificates read again");
}

static int run(const struct device_conf *conf, struct err *e)
{
	struct agent agent = { 0 };
	char where[ENDPOINT_STR_LEN];
	int rc;

	rc = loop_new(&agent.loop);
	if (!rc)
		rc = loop_on_stop(agent.loop, on_stop, on_reload, &agent);
	if (!rc)
		rc = device_new(agent.loop, conf, &agent.device, e);
	if (!rc) {
		log_notice("agent: listening on %s", endpoint_print(&conf->listen, where));
		proc_notify("READY=1");
		rc = loop_run(agent.loop);
	}
	device_free(agent.device);
	loop_free(agent.loop);
	return rc;
}

static int fail(const struct err *e, int status)
{
	fprintf(stderr, "shunt-device: %s\n", err_text(e));
	return status;
}

static int start(const struct opts *opts)
{
	struct device_conf conf;
	struct err e = { 0 };
	int rc;

	rc = conf_load(opts->config, device_conf_table, &conf, &e);
	if (rc)
		return fail(&e, EXIT_CONFIG);
	rc = device_conf_check(&conf, &e);
	if (rc) {
		err_prefix(&e, "%s", opts->config);
	} else if (opts->check) {
		rc = device_conf_probe(&conf, &e);
	}
	if (rc || opts->check) {
		conf_free(device_conf_table, &conf);
		return rc ? fail(&e, EXIT_CONFIG) : EXIT_STOPPED;
	}
	log_init(about.name, (enum log_level)conf.log_level, LOG_TARGET_STDERR);
	rc = run(&conf, &e);
	conf_free(device_conf_table, &conf);
	log_fini();
	return rc < 0 ? fail(&e, EXIT_RUNTIME) : rc;
}

int main(int argc, char **argv)
{
	enum opts_verdict verdict;
	struct opts opts;
	struct buf text;
	int status = EXIT_STOPPED;

	buf_init(&text);
	verdict = opts_parse(argc, argv, &about, &opts, &text);
	if (verdict == OPTS_RUN && !opts.print_config) {
		status = start(&opts);
	} else {
		if (verdict == OPTS_RUN)
			conf_print_defaults(device_conf_table, &text);
		fputs(buf_str(&text), verdict == OPTS_WRONG ? stderr : stdout);
		status = verdict == OPTS_WRONG ? EXIT_CONFIG : EXIT_STOPPED;
	}
	buf_fini(&text);
	return status;
}
