// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/device.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/api.h"
#include "device/argv.h"
#include "device/connect.h"
#include "device/executor.h"
#include "device/jobs.h"
#include "device/printer.h"
#include "device/reach.h"
#include "device/report.h"
#include "lib/age.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/peer.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/tls.h"

#define CONNS_MAX 64
#define CLOSE_MS                                                                                   \
	2000 /* what is in flight when the agent stops is journaled and can be sent again */

struct device {
	struct loop *loop;
	const struct device_conf *conf;
	char name[NAME_LEN];
	struct tls_ctx *tls;
	struct executor *executor;
	struct jobs *jobs;
	struct reports *reports;
	struct connects *connects;
	struct api *api;
	struct peer_listener *listener;
	void (*on_stopped)(void *arg);
	void *stop_arg;
	unsigned int stopping; /* parts that have not come to rest yet */
};

/* ---- configuration ---- */

static const struct enum_name level_names[] = {
	{ LOG_LVL_ERR, "error" }, { LOG_LVL_WARNING, "warning" }, { LOG_LVL_NOTICE, "notice" },
	{ LOG_LVL_INFO, "info" }, { LOG_LVL_DEBUG, "debug" },	  { 0, NULL },
};

static const struct enum_name existing_names[] = {
	{ STORE_REPLACE, "replace" },
	{ STORE_REFUSE, "refuse" },
	{ 0, NULL },
};

#define ROW struct device_conf

const struct conf_row device_conf_table[] = {
	CONF_VALUE(CONF_PATH, "ca", ROW, ca, NULL, CONF_REQUIRED,
		   "certificate of the deployment's CA"),
	CONF_VALUE(CONF_PATH, "cert", ROW, cert, NULL, CONF_REQUIRED,
		   "own certificate, role device"),
	CONF_VALUE(CONF_PATH, "key", ROW, key, NULL, CONF_REQUIRED, "its private key"),
	CONF_WORD("log-level", ROW, log_level, "info", level_names, "how much is logged"),
	CONF_VALUE(CONF_STRING, "user", ROW, user, NULL, 0, "user to become; unset: stay"),
	CONF_VALUE(CONF_PATH, "state", ROW, state, "/var/lib/shunt-device", 0,
		   "directory of jobs being received"),
	CONF_ROW(NULL, "listen", CONF_ENDPOINT, ROW, listen, NULL, 0, 0, NULL, CONF_REQUIRED,
		 "LAN address and port for gateway and tunnels"),
	CONF_VALUE(CONF_LIST, "accept", ROW, accept, NULL, 0,
		   "kinds of jobs: print, store, fetch; unset: those configured below"),
	CONF_RANGE(CONF_STRING, "print-command", ROW, print_command, NULL, 1, 4096,
		   "run to print, without shell: %f content file, %n name, %j job id"),
	CONF_RANGE(CONF_STRING, "printer", ROW, printer, NULL, 1, 1024,
		   "instead of print-command: the printer that jobs go to, ipp://HOST[:PORT]/PATH"),
	CONF_VALUE(CONF_PATH, "store-dir", ROW, store_dir, NULL, 0, "directory of stored files"),
	CONF_WORD("store-existing", ROW, store_existing, "replace", existing_names,
		  "what a store job does to a file of its name"),
	CONF_RANGE(
		CONF_SIZE, "store-quota", ROW, store_quota, "0", 0, CONTENT_SIZE_MAX,
		"length of all files in store-dir together, with those being stored; 0: no limit"),
	CONF_VALUE(CONF_LIST, "encrypt-to", ROW, encrypt_to, NULL, 0,
		   "recipients (age1...) that files are encrypted to before they are stored"),
	CONF_VALUE(CONF_PATH, "key-dir", ROW, key_dir, NULL, 0,
		   "directory of the keys of files being stored encrypted; unset: state"),
	CONF_VALUE(
		CONF_BOOL, "sandbox", ROW, sandbox, "true", 0,
		"give up the rest of the file system, where the kernel can and no command is set"),
	CONF_VALUE(CONF_PATH, "fetch-dir", ROW, fetch_dir, NULL, 0,
		   "exported directory: files that may be fetched"),
	CONF_RANGE(CONF_STRING, "scan-command", ROW, scan_command, NULL, 1, 4096,
		   "run to scan, without shell: %f file to make, %n name of the scan, %j job id"),
	CONF_RANGE(CONF_SIZE, "max-bytes", ROW, max_bytes, "4G", 1, CONTENT_SIZE_MAX,
		   "content of unfinished jobs together"),
	CONF_RANGE(CONF_U32, "max-jobs", ROW, max_jobs, "64", 1, 1024, "unfinished jobs"),
	CONF_RANGE(CONF_U32, "max-running", ROW, max_running, "1", 1, 64,
		   "jobs executed at the same time"),
	CONF_RANGE(CONF_U32, "keep-finished", ROW, keep_finished, "4096", 64, 65536,
		   "finished jobs remembered, lest one be executed again"),
	CONF_VALUE(CONF_LIST, "clouds", ROW, clouds, NULL, 0,
		   "clouds that are served; unset: all that the CA vouches for"),
	CONF_VALUE(CONF_BOOL, "connect", ROW, connect, "true", 0,
		   "dial a cloud when asked to; off: jobs stay in their tunnels"),
	CONF_VALUE(CONF_PREFIXES, "cloud-networks", ROW, cloud_networks, NULL, 0,
		   "where clouds may be dialled; unset: outside of this device's own networks"),
	CONF_VALUE(CONF_PREFIXES, "gateway-networks", ROW, gateway_networks, NULL, 0,
		   "where connection logs may go; unset: into this device's own networks"),
	CONF_RANGE(CONF_DURATION, "linger", ROW, linger, "30s", 0, 24 * 3600 * 1000,
		   "how long an unused direct connection is kept"),
	CONF_RANGE(CONF_DURATION, "connect-timeout", ROW, connect_timeout, "10s", 100, 300 * 1000,
		   "time limit of dialling a cloud"),
	CONF_RANGE(CONF_SIZE, "pull-ahead", ROW, pull_ahead, "8M", 65536, 1 << 30,
		   "missing content asked for at a time, where the cloud lets the device ask"),
	CONF_END,
};

/* The kinds "accept" lists as bits, or a negative code. */
static int accept_bits(const struct device_conf *conf, uint32_t *out, struct err *e)
{
	static const char *const needs[] = {
		[JOB_PRINT] = "print-command or printer",
		[JOB_STORE] = "store-dir",
		[JOB_FETCH] = "fetch-dir or scan-command",
	};
	uint32_t can = (conf->print_command || conf->printer ? 1u << JOB_PRINT : 0) |
		       (conf->store_dir ? 1u << JOB_STORE : 0) |
		       (conf->fetch_dir || conf->scan_command ? 1u << JOB_FETCH : 0);
	enum job_kind kind;

	*out = conf->accept.n ? 0 : can;
	for (size_t i = 0; i < conf->accept.n; i++) {
		if (job_kind_parse(conf->accept.v[i], &kind))
			return err_set(e, -SHUNT_ECONF,
				       "accept: \"%s\": allowed are print, store and fetch",
				       conf->accept.v[i]);
		if (!(can & 1u << kind))
			return err_set(e, -SHUNT_ECONF, "accept: \"%s\" needs %s to be set",
				       conf->accept.v[i], needs[kind]);
		*out |= 1u << kind;
	}
	if (!*out)
		return err_set(
			e, -SHUNT_ECONF,
			"none of print-command, printer, store-dir, fetch-dir and scan-command is set");
	return 0;
}

/* The recipients of encrypt-to; more of them than there is room for are an error. */
static int recipients(const struct device_conf *conf, struct age_recipient out[AGE_RECIPIENTS_MAX],
		      struct err *e)
{
	if (conf->encrypt_to.n > AGE_RECIPIENTS_MAX)
		return err_set(e, -SHUNT_ECONF, "encrypt-to: more than %d recipients",
			       AGE_RECIPIENTS_MAX);
	for (size_t i = 0; i < conf->encrypt_to.n; i++) {
		/* Somebody may have put the secret there. */
		if (strncasecmp(conf->encrypt_to.v[i], "age-secret-key-", 15) == 0)
			return err_set(
				e, -SHUNT_ECONF,
				"encrypt-to: holds an identity, which is secret; its recipient (age1...) "
				"belongs there");
		if (age_recipient_parse(conf->encrypt_to.v[i], &out[i]))
			return err_set(e, -SHUNT_ECONF,
				       "encrypt-to: \"%s\" is no recipient (age1...)",
				       conf->encrypt_to.v[i]);
	}
	return 0;
}

int device_conf_check(const struct device_conf *conf, struct err *e)
{
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	struct argv argv = { 0 };
	uint32_t services;

	for (size_t i = 0; i < conf->clouds.n; i++)
		if (!name_ok(conf->clouds.v[i]))
			return err_set(e, -SHUNT_ECONF, "clouds: \"%s\" is not a name",
				       conf->clouds.v[i]);
	if (conf->print_command && argv_split(conf->print_command, &argv, e))
		return err_prefix(e, "print-command");
	argv_fini(&argv);
	if (conf->printer && conf->print_command)
		return err_set(e, -SHUNT_ECONF,
			       "printer: print-command is set, too; one of them prints");
	if (conf->printer && printer_uri_check(conf->printer, e))
		return -SHUNT_ECONF;
	if (conf->scan_command && argv_split(conf->scan_command, &argv, e))
		return err_prefix(e, "scan-command");
	argv_fini(&argv);
	if (conf->state[0] != '/')
		return err_set(e, -SHUNT_ECONF, "state: \"%s\" is not an absolute path",
			       conf->state);
	if (recipients(conf, to, e))
		return -SHUNT_ECONF;
	if (conf->encrypt_to.n && !conf->store_dir)
		return err_set(e, -SHUNT_ECONF, "encrypt-to: needs store-dir to be set");
	return accept_bits(conf, &services, e);
}

static int load_tls(const struct device_conf *conf, struct tls_ctx **out, struct err *e)
{
	struct tls_files files = {
		.ca = conf->ca, .cert = conf->cert, .key = conf->key, .roles = ROLE_BIT(ROLE_DEVICE)
	};

	int rc = tls_ctx_new(out, &files, e);

	return rc ? err_prefix(e, "credentials") : 0;
}

static int load_executor(struct loop *loop, const struct device_conf *conf, struct executor **out,
			 struct err *e)
{
	struct age_recipient to[AGE_RECIPIENTS_MAX];
	struct executor_conf ex = { .state_dir = conf->state,
				    .store_existing = conf->store_existing,
				    .store_quota = conf->store_quota,
				    .encrypt_to = to,
				    .n_encrypt_to = conf->encrypt_to.n };
	char helper[PATH_MAX];
	uint32_t services;
	int rc = accept_bits(conf, &services, e);

	if (!rc)
		rc = recipients(conf, to, e);
	if (rc)
		return rc;
	if (services & 1u << JOB_PRINT) {
		ex.print_command = conf->print_command;
		ex.printer = conf->printer;
		ex.printer_helper = helper;
		if (conf->printer && (rc = proc_beside(PRINTER_HELPER, helper, sizeof(helper))))
			return err_sys(e, rc, PRINTER_HELPER);
	}
	if (services & 1u << JOB_STORE)
		ex.store_dir = conf->store_dir;
	if (services & 1u << JOB_FETCH) {
		ex.fetch_dir = conf->fetch_dir;
		ex.scan_command = conf->scan_command;
	}
	return executor_new(loop, &ex, out, e);
}

int device_conf_probe(const struct device_conf *conf, struct err *e)
{
	struct tls_ctx *tls = NULL;
	struct executor *executor = NULL;
	int rc;

	rc = load_tls(conf, &tls, e);
	if (!rc)
		rc = proc_drop(conf->user, 0, e);
	if (!rc)
		rc = load_executor(NULL, conf, &executor, e);
	if (!rc && access(conf->state, R_OK | W_OK | X_OK) < 0)
		rc = err_sys(e, -errno, "state %s", conf->state);
	if (!rc && conf->key_dir && access(conf->key_dir, R_OK | W_OK | X_OK) < 0)
		rc = err_sys(e, -errno, "key-dir %s", conf->key_dir);
	executor_free(executor);
	tls_ctx_free(tls);
	return rc;
}

/* ---- the parts together ---- */

static void on_job_change(struct job *job, void *arg)
{
	struct device *d = arg;

	/* The log first: the cloud closes the connection once it has heard of the end. */
	if (job_state_final(job_state(job)))
		connects_job_over(d->connects, job);
	api_job_changed(d->api, job);
}

static void on_connects_change(void *arg)
{
	struct device *d = arg;

	api_connects_changed(d->api);
}

static void on_refused(const char *remote, int err, const char *why, void *arg)
{
	char host[PEER_HOST_LEN];

	(void)err;
	(void)arg;
	log_limited(peer_host(remote, host), LOG_LVL_WARNING, "listen: %s: refused: %s", remote,
		    why);
}

static int device_jobs(struct device *d, struct err *e)
{
	const struct device_conf *conf = d->conf;
	struct jobs_conf jobs = {
		.state_dir = conf->state,
		.key_dir = conf->key_dir,
		.max_bytes = conf->max_bytes,
		.max_jobs = conf->max_jobs,
		.max_running = conf->max_running,
		.keep_finished = conf->keep_finished,
		.on_change = on_job_change,
		.arg = d,
	};
	int rc = load_executor(d->loop, conf, &d->executor, e);

	return rc ? rc : jobs_new(d->loop, &jobs, d->executor, &d->jobs, e);
}

static int device_api(struct device *d, struct err *e)
{
	const struct device_conf *conf = d->conf;
	struct api_conf api = {
		.name = d->name,
		.clouds = (const char *const *)conf->clouds.v,
		.n_clouds = conf->clouds.n,
		.ahead = conf->pull_ahead,
		.connect = conf->connect,
		.reach = { .clouds = &conf->cloud_networks,
			   .gateways = &conf->gateway_networks,
			   .own = reach_own_network },
	};
	struct connects_conf connects = {
		.tls = d->tls,
		.device = d->name,
		.close_ms = CLOSE_MS,
		.linger_ms = conf->linger,
		.connect_ms = conf->connect_timeout,
		.on_change = on_connects_change,
		.arg = d,
	};
	int rc = accept_bits(conf, &api.services, e);

	if (rc)
		return rc;
	rc = reports_new(d->loop, d->tls, &d->reports);
	if (!rc)
		rc = api_new(d->loop, &api, &d->api);
	if (rc)
		return err_sys(e, rc, "api");
	connects.routes = api_router(d->api);
	connects.reports = d->reports;
	rc = connects_new(d->loop, &connects, &d->connects);
	if (rc)
		return err_sys(e, rc, "connections");
	api_bind(d->api, d->jobs, d->connects);
	return 0;
}

static int device_listen(struct device *d, struct err *e)
{
	char address[ENDPOINT_STR_LEN];
	struct peer_listen_conf conf = {
		.address = endpoint_print(&d->conf->listen, address),
		.tls = d->tls,
		.roles = ROLE_BIT(ROLE_CLOUD) | ROLE_BIT(ROLE_GATEWAY),
		.routes = api_router(d->api),
		.h2 = { .close_ms = CLOSE_MS },
		.max_conns = CONNS_MAX,
		.fast_open = true,
		.on_refused = on_refused,
	};
	int rc = peer_listen(d->loop, &conf, &d->listener, e);

	return rc ? err_prefix(e, "listen") : 0;
}

/* The directory that @file is in; @out is of PATH_MAX octets. NULL when there is no file. */
static const char *directory(const char *file, char *out)
{
	char *slash;

	if (!realpath(file, out))
		return NULL;
	slash = strrchr(out, '/');
	slash[slash == out] = '\0';
	return out;
}

/* Certificates may be replaced, by a rename or behind a link, so their directories have to stay readable. */
static int enter_sandbox(const struct device_conf *conf, struct err *e)
{
	char ca[PATH_MAX], cert[PATH_MAX], key[PATH_MAX];
	const struct sandbox_path paths[] = {
		{ conf->state, true },
		{ conf->key_dir, true },
		{ conf->store_dir, true },
		{ conf->fetch_dir, false },
		{ conf->ca, false },
		{ conf->cert, false },
		{ conf->key, false },
		{ directory(conf->ca, ca), false },
		{ directory(conf->cert, cert), false },
		{ directory(conf->key, key), false },
		{ "/proc/sys/kernel/random/boot_id", false },
		{ "/etc/localtime", false },
	};
	uint32_t services;
	int rc = accept_bits(conf, &services, e);

	if (rc || !conf->sandbox)
		return rc;
	if (((conf->print_command || conf->printer) && services & 1u << JOB_PRINT) ||
	    (conf->scan_command && services & 1u << JOB_FETCH))
		return 0; /* commands inherit it */
	rc = sandbox_enter(paths, sizeof(paths) / sizeof(paths[0]), e);
	if (rc == 0)
		log_info("agent: this kernel has no Landlock, the file system stays open");
	return rc < 0 ? rc : 0;
}

int device_new(struct loop *loop, const struct device_conf *conf, struct device **out,
	       struct err *e)
{
	struct device *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return err_set(e, -ENOMEM, "out of memory");
	d->loop = loop;
	d->conf = conf;
	rc = load_tls(conf, &d->tls, e);
	/* The key may be root's alone; the jobs' files are the user's. */
	if (!rc)
		rc = proc_drop(conf->user, 0, e);
	if (!rc)
		rc = enter_sandbox(conf, e);
	if (!rc) {
		snprintf(d->name, sizeof(d->name), "%s", tls_ctx_self(d->tls)->name);
		rc = device_jobs(d, e);
	}
	if (!rc)
		rc = device_api(d, e);
	if (!rc)
		rc = device_listen(d, e);
	if (rc)
		device_free(d);
	else
		*out = d;
	return rc;
}

int device_reload(struct device *d, struct err *e)
{
	struct tls_ctx *tls;
	int rc = load_tls(d->conf, &tls, e);

	if (rc)
		return rc;
	if (!party_equal(tls_ctx_self(tls), tls_ctx_self(d->tls))) {
		tls_ctx_free(tls);
		return err_set(e, -SHUNT_ECONF, "%s: is another identity; restart for that",
			       d->conf->cert);
	}
	peer_listener_set_tls(d->listener, tls);
	connects_set_tls(d->connects, tls);
	reports_set_tls(d->reports, tls);
	tls_ctx_free(d->tls);
	d->tls = tls;
	return 0;
}

static void on_part_stopped(void *arg)
{
	struct device *d = arg;

	if (--d->stopping == 0)
		d->on_stopped(d->stop_arg);
}

void device_stop(struct device *d, void (*done)(void *arg), void *arg)
{
	d->on_stopped = done;
	d->stop_arg = arg;
	d->stopping = 2;
	api_stop(d->api);
	connects_stop(d->connects, on_part_stopped, d);
	peer_listener_close(d->listener, on_part_stopped, d);
}

void device_free(struct device *d)
{
	if (!d)
		return;
	/* Sessions of both kinds end here, and uploads on them tell connects, which must last. */
	peer_listener_free(d->listener);
	connects_free(d->connects);
	reports_free(d->reports);
	jobs_free(d->jobs);
	executor_free(d->executor);
	api_free(d->api);
	tls_ctx_free(d->tls);
	free(d);
}

uint16_t device_port(const struct device *d)
{
	return peer_listener_port(d->listener);
}
