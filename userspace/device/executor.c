// SPDX-License-Identifier: GPL-2.0-or-later
#include "device/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/argv.h"
#include "device/export.h"
#include "device/filename.h"
#include "device/printer.h"
#include "device/quota.h"
#include "lib/age.h"
#include "lib/log.h"
#include "lib/loop.h"

#define OUTPUT_KEEP 1024 /* the last octets a command printed, for the reason */
#define TERM_GRACE_MS 5000

struct executor {
	struct loop *loop;
	char *state_dir;
	struct argv print; /* n == 0: no printing */
	bool ipp; /* that is shunt-ipp, whose last line is a whole sentence */
	struct argv scan; /* n == 0: no scanning */
	int store_fd; /* -1: no storing */
	int fetch_fd; /* -1: no files to fetch */
	enum store_existing store_existing;
	struct quota *quota; /* NULL: no storing */
	struct age_recipient encrypt_to[AGE_RECIPIENTS_MAX];
	size_t n_encrypt_to;
};

struct execution {
	struct executor *ex;
	void (*on_done)(enum job_state state, const char *reason, void *arg);
	void *arg;
	struct loop_defer *defer; /* a result that is known at once is reported from the loop */
	enum job_state state;
	char reason[JOB_REASON_LEN];
	/* of a command */
	pid_t pid; /* its process group too; 0: none */
	struct loop_child *child;
	struct loop_io *io;
	struct loop_timer *kill_timer;
	int out_fd;
	bool exited;
	bool canceled;
	int status;
	const char *what; /* "print", "scan" or the program */
	bool scan;
	bool sentence; /* its last line says all there is to say */
	char output[OUTPUT_KEEP];
	size_t output_len;
};

/* ---- executor ---- */

static int open_store(struct executor *ex, const char *dir, struct err *e)
{
	ex->store_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ex->store_fd >= 0) {
		/* fsync() needs a descriptor that is not O_PATH. */
		int fd = openat(ex->store_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int saved = errno;

		close(ex->store_fd);
		ex->store_fd = fd;
		errno = saved;
	}
	if (ex->store_fd < 0)
		return err_sys(e, -errno, "store-dir %s", dir);
	if (faccessat(ex->store_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, -errno, "store-dir %s: cannot write", dir);
	return 0;
}

/* Would a content for them be readable for somebody? A key of no use is to be found now, not with the first job. */
static int set_recipients(struct executor *ex, const struct executor_conf *conf, struct err *e)
{
	struct age *age = NULL;
	int rc;

	if (conf->n_encrypt_to > AGE_RECIPIENTS_MAX)
		return err_set(e, -SHUNT_ECONF, "encrypt-to: more than %d recipients",
			       AGE_RECIPIENTS_MAX);
	ex->n_encrypt_to = conf->n_encrypt_to;
	for (size_t i = 0; i < conf->n_encrypt_to; i++)
		ex->encrypt_to[i] = conf->encrypt_to[i];
	rc = ex->n_encrypt_to ? age_new(ex->encrypt_to, ex->n_encrypt_to, &age) : 0;
	age_free(age);
	return rc == -EINVAL ?
		       err_set(e, -SHUNT_ECONF, "encrypt-to: a recipient is no usable key") :
	       rc ? err_sys(e, rc, "encrypt-to") :
		    0;
}

static int open_fetch(struct executor *ex, const char *dir, struct err *e)
{
	ex->fetch_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ex->fetch_fd < 0)
		return err_sys(e, -errno, "fetch-dir %s", dir);
	if (faccessat(ex->fetch_fd, ".", R_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, -errno, "fetch-dir %s: cannot read", dir);
	return 0;
}

static int split_command(const char *text, const char *key, struct argv *out, struct err *e)
{
	int rc = text ? argv_split(text, out, e) : 0;

	return rc ? err_prefix(e, "%s", key) : 0;
}

/* How shunt-ipp is started; what else it has to know is in its environment. */
static int printer_command(struct executor *ex, const struct executor_conf *conf, struct err *e)
{
	int rc;

	ex->ipp = true;
	rc = argv_add(&ex->print, conf->printer_helper, true);
	if (!rc)
		rc = argv_add(&ex->print, conf->printer, true);
	if (!rc)
		rc = argv_add(&ex->print, "%f", false);
	if (!rc)
		rc = argv_add(&ex->print, "%n", false);
	if (rc)
		return err_sys(e, rc, "printer");
	return access(conf->printer_helper, X_OK) < 0 ?
		       err_sys(e, -errno, "printer: %s", conf->printer_helper) :
		       0;
}

int executor_new(struct loop *loop, const struct executor_conf *conf, struct executor **out,
		 struct err *e)
{
	struct executor *ex = calloc(1, sizeof(*ex));
	int rc = 0;

	if (!ex)
		return err_set(e, -ENOMEM, "out of memory");
	ex->loop = loop;
	ex->store_fd = -1;
	ex->fetch_fd = -1;
	ex->store_existing = conf->store_existing;
	ex->state_dir = strdup(conf->state_dir);
	if (!ex->state_dir)
		rc = err_set(e, -ENOMEM, "out of memory");
	if (!rc)
		rc = split_command(conf->print_command, "print-command", &ex->print, e);
	if (!rc && conf->printer)
		rc = printer_command(ex, conf, e);
	if (!rc)
		rc = split_command(conf->scan_command, "scan-command", &ex->scan, e);
	if (!rc && conf->store_dir)
		rc = open_store(ex, conf->store_dir, e);
	if (!rc && conf->store_dir && quota_new(ex->store_fd, conf->store_quota, &ex->quota))
		rc = err_set(e, -ENOMEM, "out of memory");
	if (!rc)
		rc = set_recipients(ex, conf, e);
	if (!rc && conf->fetch_dir)
		rc = open_fetch(ex, conf->fetch_dir, e);
	if (rc)
		executor_free(ex);
	else
		*out = ex;
	return rc;
}

void executor_free(struct executor *ex)
{
	if (!ex)
		return;
	argv_fini(&ex->print);
	argv_fini(&ex->scan);
	quota_free(ex->quota);
	if (ex->store_fd >= 0)
		close(ex->store_fd);
	if (ex->fetch_fd >= 0)
		close(ex->fetch_fd);
	free(ex->state_dir);
	free(ex);
}

bool executor_does(const struct executor *ex, enum job_kind kind)
{
	return (kind == JOB_PRINT && ex->print.n > 0) || (kind == JOB_STORE && ex->store_fd >= 0) ||
	       (kind == JOB_FETCH && (ex->scan.n > 0 || ex->fetch_fd >= 0));
}

static const char *fetch_refusal(const struct executor *ex, const char *path)
{
	const char *scan = export_scan(path);

	if (!scan)
		return ex->fetch_fd < 0 ? "this device exports no files" : NULL;
	if (ex->scan.n == 0)
		return "this device does not scan";
	return filename_fault(scan); /* a command tends to make something of it */
}

/* The name under which a content is stored; filename_fault() has left room for the suffix. */
static const char *stored_name(const char *name, bool sealed, char out[NAME_MAX + 1])
{
	snprintf(out, NAME_MAX + 1, "%.*s%s", NAME_MAX - (int)strlen(STORE_SEALED_SUFFIX), name,
		 sealed ? STORE_SEALED_SUFFIX : "");
	return out;
}

const char *executor_refusal(const struct executor *ex, const struct sapi_device_job *job)
{
	char name[NAME_MAX + 1];
	struct stat st;

	if (!executor_does(ex, job->kind))
		return "this device does not take jobs of that kind";
	if (job->kind == JOB_FETCH)
		return fetch_refusal(ex, job->path);
	if (job->kind != JOB_STORE)
		return NULL; /* the name is only an argument then */
	if (filename_fault(job->name))
		return filename_fault(job->name);
	if ((job->no_clobber || ex->store_existing == STORE_REFUSE) &&
	    fstatat(ex->store_fd, stored_name(job->name, ex->n_encrypt_to > 0, name), &st,
		    AT_SYMLINK_NOFOLLOW) == 0)
		return "a file of that name exists";
	return NULL;
}

int executor_open(const struct executor *ex, const struct sapi_device_job *job)
{
	return export_scan(job->path) ? -EINVAL : export_open(ex->fetch_fd, job->path);
}

int executor_content_dir(const struct executor *ex, enum job_kind kind, int state_dirfd)
{
	return kind == JOB_STORE ? ex->store_fd : state_dirfd;
}

const struct age_recipient *executor_recipients(const struct executor *ex, enum job_kind kind,
						size_t *n)
{
	*n = kind == JOB_STORE ? ex->n_encrypt_to : 0;
	return ex->encrypt_to;
}

struct quota *executor_quota(const struct executor *ex)
{
	return ex->quota;
}

/* ---- end of an execution ---- */

static void execution_free(struct execution *x)
{
	if (!x)
		return;
	loop_defer_free(x->defer);
	loop_io_free(x->io);
	loop_timer_free(x->kill_timer);
	loop_child_free(x->child);
	if (x->out_fd >= 0)
		close(x->out_fd);
	free(x);
}

static void on_deferred(void *arg)
{
	struct execution *x = arg;

	x->on_done(x->state, x->reason, x->arg);
	execution_free(x);
}

/* ---- storing ---- */

int executor_store_done(const struct executor *ex, const char *file)
{
	struct stat st;

	if (fstatat(ex->store_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? 1 : -errno;
}

/* The content is on stable storage already; the rename is atomic and then made durable too. */
static int store(struct executor *ex, const char *file, const char *name, bool no_clobber)
{
	unsigned int flags = no_clobber || ex->store_existing == STORE_REFUSE ? RENAME_NOREPLACE :
										0;

	if (fchmodat(ex->store_fd, file, 0644, 0) < 0)
		return -errno;
	if (renameat2(ex->store_fd, file, ex->store_fd, name, flags) < 0)
		return -errno;
	return fsync(ex->store_fd) < 0 ? -errno : 0;
}

static void start_store(struct execution *x, const struct job_meta *meta, const char *file,
			bool sealed)
{
	char name[NAME_MAX + 1];
	struct stat st = { 0 };
	int rc;

	/* Sealed it is longer than the job's content. */
	rc = fstatat(x->ex->store_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (!rc)
		rc = store(x->ex, file, stored_name(meta->job.name, sealed, name),
			   meta->job.no_clobber);
	x->state = rc ? JOB_FAILED : JOB_COMPLETED;
	if (!rc)
		quota_stored(x->ex->quota, (uint64_t)st.st_size);
	if (!rc && sealed)
		snprintf(x->reason, sizeof(x->reason), "stored encrypted, as %s", name);
	if (rc == -EEXIST)
		snprintf(x->reason, sizeof(x->reason), "a file of that name exists");
	else if (rc)
		snprintf(x->reason, sizeof(x->reason), "cannot store: %s", shunt_strerror(rc));
	loop_defer_call(x->defer);
}

/* ---- printing and scanning: a command ---- */

/* Keep the last OUTPUT_KEEP octets. */
static void output_add(struct execution *x, const char *data, size_t len)
{
	size_t drop;

	if (len > OUTPUT_KEEP) {
		data += len - OUTPUT_KEEP;
		len = OUTPUT_KEEP;
	}
	if (x->output_len + len > OUTPUT_KEEP) {
		drop = x->output_len + len - OUTPUT_KEEP;
		memmove(x->output, x->output + drop, x->output_len - drop);
		x->output_len -= drop;
	}
	memcpy(x->output + x->output_len, data, len);
	x->output_len += len;
}

/* Returns whether more may come. */
static bool output_read(struct execution *x)
{
	char chunk[4096];
	ssize_t n;

	for (;;) {
		n = read(x->out_fd, chunk, sizeof(chunk));
		if (n > 0)
			output_add(x, chunk, (size_t)n);
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			return false;
		else if (errno == EAGAIN)
			return true;
	}
}

/* The last line that says something, escaped, behind what happened. */
static void output_reason(struct execution *x, const char *what)
{
	char text[JOB_REASON_LEN - 128];
	size_t end = x->output_len, begin;

	while (end > 0 && strchr(" \t\r\n", x->output[end - 1]))
		end--;
	for (begin = end; begin > 0 && x->output[begin - 1] != '\n'; begin--)
		;
	err_escape(text, sizeof(text), x->output + begin, end - begin);
	if (x->sentence && text[0]) {
		snprintf(x->reason, sizeof(x->reason), "%s", text);
		return;
	}
	snprintf(x->reason, sizeof(x->reason), "%.120s%s%s", what, text[0] ? ": " : "", text);
}

static void command_over(struct execution *x)
{
	char what[64];

	if (WIFEXITED(x->status) && WEXITSTATUS(x->status) == 0 && !(x->canceled && x->scan)) {
		/* It won the race against a cancellation: it is done, and saying otherwise would
		 * lie. A scan is not done by that: its content is still to be taken, and nobody
		 * will come for it.
		 */
		x->state = JOB_COMPLETED;
	} else if (x->canceled) {
		x->state = JOB_CANCELED;
		snprintf(x->reason, sizeof(x->reason), "canceled while it was being executed");
	} else {
		x->state = JOB_FAILED;
		if (WIFSIGNALED(x->status))
			snprintf(what, sizeof(what), "the %s command was killed by signal %d",
				 x->what, WTERMSIG(x->status));
		else
			snprintf(what, sizeof(what), "the %s command failed with status %d",
				 x->what, WEXITSTATUS(x->status));
		output_reason(x, what);
	}
	on_deferred(x);
}

static void on_exit_status(pid_t pid, int status, void *arg)
{
	struct execution *x = arg;

	(void)pid;
	x->child = NULL;
	x->exited = true;
	x->status = status;
	/* What it has left in the pipe; a grandchild that keeps the pipe open is not waited for. */
	output_read(x);
	command_over(x);
}

static void on_output(unsigned int events, void *arg)
{
	struct execution *x = arg;

	(void)events;
	if (!output_read(x))
		loop_io_set(x->io, 0);
}

static void on_kill_timer(void *arg)
{
	struct execution *x = arg;

	kill(-x->pid, SIGKILL);
}

/* The handlers inherited write to the agent's own socket pair: a signal to the child would be taken
 * for one to the agent. Comes before any signal is let through.
 */
static void child_signals(void)
{
	struct sigaction action;
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		if (sigaction(signo, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			signal(signo, SIG_DFL);
	signal(SIGPIPE, SIG_DFL); /* ignored by the agent only */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

#define ENV_MAX 6

/* Variables for a print command. Made before fork(), as memory cannot be had after it. */
struct environment {
	char words[ENV_MAX][SAPI_MEDIA_LEN + 32];
	size_t n;
	char **all; /* with those of the agent; owned, the strings are not */
};

static void env_add(struct environment *env, const char *name, const char *value)
{
	if (value[0])
		snprintf(env->words[env->n++], sizeof(env->words[0]), "%s=%s", name, value);
}

/*
 * Those that commands of CUPS's ippeveprinter(1) get, so that they serve here as well; what was not asked
 * for is not there.
 */
static int env_make(struct environment *env, const struct sapi_device_job *job)
{
	const struct sapi_print *p = &job->print;
	char copies[12] = "";
	size_t n = 0, i;

	memset(env, 0, sizeof(*env));
	if (job->kind == JOB_PRINT) {
		if (p->copies)
			snprintf(copies, sizeof(copies), "%u", p->copies);
		env_add(env, "CONTENT_TYPE", job->media_type);
		env_add(env, "IPP_COPIES", copies);
		env_add(env, "IPP_MEDIA", p->media);
		env_add(env, "IPP_SIDES", print_sides_str(p->sides));
		env_add(env, "IPP_PRINT_COLOR_MODE", print_color_str(p->color));
	}
	while (environ[n])
		n++;
	env->all = calloc(n + env->n + 1, sizeof(*env->all));
	if (!env->all)
		return -ENOMEM;
	for (i = 0; i < env->n; i++)
		env->all[i] = env->words[i];
	memcpy(env->all + env->n, environ, n * sizeof(*environ));
	return 0;
}

/* In the child, with all signals blocked: only async-signal-safe calls. */
static void child_exec(char **argv, char **env, int out_fd, pid_t parent)
{
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	/* Should the agent be killed, the job is reported as interrupted; nobody would watch the
	 * rest.
	 */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	child_signals();
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out_fd, STDOUT_FILENO) < 0 ||
	    dup2(out_fd, STDERR_FILENO) < 0)
		_exit(127);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	umask(077);
	execvpe(argv[0], argv, env);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Start the command in a process group of its own. Returns its pid or -errno. */
static pid_t command_fork(char **argv, char **env, int out_fd)
{
	pid_t parent = getpid(), pid;
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_exec(argv, env, out_fd, parent);
	rc = pid < 0 ? -errno : pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (rc > 0)
		setpgid(pid, pid); /* whoever comes first, parent or child */
	return rc;
}

static int command_watch(struct execution *x)
{
	struct loop *loop = x->ex->loop;
	int rc;

	rc = loop_timer_new(loop, on_kill_timer, x, &x->kill_timer);
	if (!rc)
		rc = loop_io_new(loop, x->out_fd, on_output, x, &x->io);
	if (!rc)
		rc = loop_io_set(x->io, LOOP_READ);
	return rc;
}

static int command_spawn(struct execution *x, char **argv, char **env, const char *job)
{
	int fds[2], rc;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	x->out_fd = fds[0];
	rc = command_watch(x);
	if (!rc) {
		pid = command_fork(argv, env, fds[1]);
		if (pid < 0)
			rc = pid;
		else
			x->pid = pid;
	}
	close(fds[1]);
	if (rc)
		return rc;
	rc = loop_child_new(x->ex->loop, x->pid, on_exit_status, x, &x->child);
	if (rc) {
		/* It runs already; ending it is the only way not to lose sight of it. */
		kill(x->pid, SIGKILL);
		waitpid(x->pid, NULL, 0);
		return rc;
	}
	log_info("executor: %s: %s runs as %d", job, argv[0], (int)x->pid);
	return 0;
}

static int start_command(struct execution *x, const struct job_meta *meta, const char *file)
{
	bool print = meta->job.kind == JOB_PRINT;
	struct argv_values values = {
		.name = print ? meta->job.name : export_scan(meta->job.path),
		.job = meta->id,
	};
	struct environment env = { .n = 0 };
	struct argv argv = { 0 };
	char *path = NULL;
	int rc = 0;

	if (asprintf(&path, "%s/%s", x->ex->state_dir, file) < 0)
		return -ENOMEM;
	values.file = path;
	x->sentence = print && x->ex->ipp;
	x->what = x->sentence ? PRINTER_HELPER : print ? "print" : "scan";
	x->scan = !print;
	rc = argv_expand(print ? &x->ex->print : &x->ex->scan, &values, &argv);
	if (!rc)
		rc = env_make(&env, &meta->job);
	if (!rc)
		rc = command_spawn(x, argv.v, env.all, meta->id);
	free(env.all);
	argv_fini(&argv);
	free(path);
	return rc;
}

/* ---- execution ---- */

int executor_start(struct executor *ex, const struct job_meta *meta, const char *file, bool sealed,
		   void (*on_done)(enum job_state state, const char *reason, void *arg), void *arg,
		   struct execution **out)
{
	struct execution *x = calloc(1, sizeof(*x));
	int rc;

	if (!x)
		return -ENOMEM;
	x->ex = ex;
	x->on_done = on_done;
	x->arg = arg;
	x->out_fd = -1;
	rc = loop_defer_new(ex->loop, on_deferred, x, &x->defer);
	if (!rc && meta->job.kind == JOB_STORE)
		start_store(x, meta, file, sealed);
	else if (!rc)
		rc = start_command(x, meta, file);
	if (rc)
		execution_free(x);
	else
		*out = x;
	return rc;
}

void execution_cancel(struct execution *x)
{
	if (!x->pid || x->canceled)
		return;
	x->canceled = true;
	kill(-x->pid, SIGTERM);
	loop_timer_set(x->kill_timer, TERM_GRACE_MS);
}

void execution_abandon(struct execution *x)
{
	if (!x)
		return;
	if (x->pid)
		kill(-x->pid, SIGTERM);
	execution_free(x);
}
