// SPDX-License-Identifier: GPL-2.0-or-later
#include "smb/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/proc.h"
#include "lib/sandbox.h"

#define NOBODY "65534:65534"
#define FILES 32 /* descriptors: those of the start, libsmbclient's connection, an epoll */

static int limit(int resource, rlim_t max, const char *what, struct err *e)
{
	const struct rlimit rlim = { max, max };

	return setrlimit((__rlimit_resource_t)resource, &rlim) ?
		       err_sys(e, -errno, "limit %s", what) :
		       0;
}

int confine_begin(struct err *e)
{
	int ret = proc_drop(getuid() ? NULL : NOBODY, 0, e);

	if (!ret)
		ret = proc_keep_caps(0);
	if (!ret)
		ret = limit(RLIMIT_CORE, 0, "core dumps", e);
#ifndef __SANITIZE_ADDRESS__ /* which has reserved more than any limit */
	if (!ret)
		ret = limit(RLIMIT_AS, CONFINE_MEMORY, "memory", e);
#endif
	if (!ret)
		ret = limit(RLIMIT_NOFILE, FILES, "open files", e);
	/* After the change of the user, which takes both back. Should the cloud be gone already, its end of the pair is closed. */
	if (!ret && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL)))
		ret = err_sys(e, -errno, "prctl");
	return ret;
}

/* All of them fail with EPERM but these, and those of some[]. */
static const int calls[] = {
	/* what is open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(shutdown),
	SCMP_SYS(dup),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(lseek),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(futex),
	SCMP_SYS(restart_syscall),
	/* memory; what is mapped stays as it is but for data */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* itself */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* An argument that the kernel takes for an int: a register has more, which does not count. */
#define IS(nth, value) SCMP_CMP64(nth, SCMP_CMP_MASKED_EQ, UINT32_MAX, value)
#define WITHOUT(nth, flag) SCMP_CMP64(nth, SCMP_CMP_MASKED_EQ, flag, 0)

/* Those that could do more than move octets, with the arguments that cannot. Several of one call: any of them. */
static const struct {
	int call;
	unsigned int n;
	struct scmp_arg_cmp args[2];
} some[] = {
	/* With that flag they connect a socket that is not, or no more, to whomever they name. */
	{ SCMP_SYS(sendto), 2, { WITHOUT(3, MSG_FASTOPEN), SCMP_CMP64(4, SCMP_CMP_EQ, 0) } },
	{ SCMP_SYS(sendmsg), 1, { WITHOUT(2, MSG_FASTOPEN) } },
	{ SCMP_SYS(send), 1, { WITHOUT(3, MSG_FASTOPEN) } },
	/* Not whom to signal when something comes, nor that anybody is: the cloud has the same user. */
	{ SCMP_SYS(fcntl), 1, { IS(1, F_GETFD) } },
	{ SCMP_SYS(fcntl), 1, { IS(1, F_SETFD) } },
	{ SCMP_SYS(fcntl), 1, { IS(1, F_GETFL) } },
	{ SCMP_SYS(fcntl), 2, { IS(1, F_SETFL), WITHOUT(2, O_ASYNC) } },
	{ SCMP_SYS(fcntl), 1, { IS(1, F_DUPFD) } },
	{ SCMP_SYS(fcntl), 1, { IS(1, F_DUPFD_CLOEXEC) } },
	{ SCMP_SYS(ioctl), 1, { IS(1, FIONREAD) } },
	{ SCMP_SYS(ioctl), 1, { IS(1, FIONBIO) } },
	/* What libsmbclient says of its connection (its "socket options"). */
	{ SCMP_SYS(setsockopt), 2, { IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY) } },
	/* Memory, but none that is executed. */
	{ SCMP_SYS(mmap), 1, { WITHOUT(2, PROT_EXEC) } },
	{ SCMP_SYS(mprotect), 1, { WITHOUT(2, PROT_EXEC) } },
};

static int filter_calls(struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	size_t i;
	int ret = filter ? 0 : -ENOMEM;

	for (i = 0; !ret && i < sizeof(calls) / sizeof(calls[0]); i++)
		ret = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	for (i = 0; !ret && i < sizeof(some) / sizeof(some[0]); i++)
		ret = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, some[i].call, some[i].n,
					     some[i].args);
	if (!ret)
		ret = seccomp_load(filter);
	seccomp_release(filter);
	return ret ? err_sys(e, ret, "seccomp") : 0;
}

int confine_end(struct err *e)
{
	int ret = sandbox_enter(NULL, 0, e);

	return ret < 0 ? ret : filter_calls(e);
}
