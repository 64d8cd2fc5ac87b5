// SPDX-License-Identifier: GPL-2.0-or-later
#include "smb/share.h"

#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/smbmsg.h"

/*
 * Of the server only the connection counts (outlet.h). This is an address, so that nobody is asked for it, of a network that
 * nobody has (RFC 5737).
 */
#define HOST "smb://192.0.2.1:445/"
#define URL_MAX (3 * 2 * SMB_NAME_MAX + sizeof(HOST)) /* all of share and path encoded */
#define NETBIOS_NAME "SHUNT-SMB"
#define DOMAIN "WORKGROUP" /* of a user who has none */

struct share {
	SMBCCTX *ctx;
	char name[SMB_WORD_MAX];
	char domain[SMB_WORD_MAX], user[SMB_WORD_MAX], password[SMB_WORD_MAX];
};

struct share_file {
	struct share *share;
	SMBCFILE *file;
	uint64_t pos; /* where libsmbclient is */
};

/* ---- names ---- */

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~/", c);
}

static char *put_encoded(char *out, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	const unsigned char *p;

	for (p = (const unsigned char *)text; *p; p++) {
		if (is_plain(*p)) {
			*out++ = (char)*p;
			continue;
		}
		*out++ = '%';
		*out++ = digits[*p >> 4];
		*out++ = digits[*p & 15];
	}
	*out = '\0';
	return out;
}

static const char *url_of(const struct share *s, const char *path, char out[URL_MAX])
{
	char *p = put_encoded(stpcpy(out, HOST), s->name);

	if (*path) {
		*p++ = '/';
		put_encoded(p, path);
	}
	return out;
}

/* ---- setting up ---- */

/*
 * All that decides about what is said to a server, or that would have something looked up elsewhere; beside what is said for this
 * context below. Names of directories are of none that will exist.
 */
static int write_conf(FILE *out, const char *dir, bool password)
{
	fprintf(out, "[global]\n"
		     "netbios name = " NETBIOS_NAME "\n"
		     "workgroup = " DOMAIN "\n"
		     "client min protocol = SMB2_02\n"
		     "client NTLMv2 auth = yes\n"
		     "client lanman auth = no\n"
		     "client plaintext auth = no\n"
		     "client use spnego = yes\n"
		     "client use kerberos = off\n"
		     "disable netbios = yes\n"
		     "name resolve order = host\n"
		     "unix charset = UTF-8\n"
		     "dos charset = ASCII\n"
		     "log level = 0\n"
		     "log file = /dev/null\n"
		     "max log size = 0\n");
	/*
	 * Nobody's session has no key; a server that wants all sessions of SMB 3 encrypted would have libsmbclient encrypt that one, too,
	 * which fails.
	 */
	fprintf(out, "client max protocol = %s\n", password ? "SMB3" : "SMB2_10");
	fprintf(out, "client signing = %s\n", password ? "required" : "auto");
	fprintf(out, "client smb encrypt = %s\n", password ? "desired" : "off");
	fprintf(out,
		"lock directory = %s\nstate directory = %s\ncache directory = %s\nprivate dir = %s\n",
		dir, dir, dir, dir);
	return ferror(out) ? -EIO : 0;
}

/* Where libsmbclient looks for its user's configuration: if there is one it does not read the system's. */
static int make_home(const char *home, bool password)
{
	char path[128];
	FILE *out;
	int ret;

	snprintf(path, sizeof(path), "%s/.smb", home);
	if (mkdir(path, 0700))
		return -errno;
	snprintf(path, sizeof(path), "%s/.smb/smb.conf", home);
	out = fopen(path, "wxe");
	if (!out)
		return -errno;
	ret = write_conf(out, home, password);
	if (fclose(out) && !ret)
		ret = -errno;
	return ret ? ret : setenv("HOME", home, 1) ? -errno : 0;
}

static void remove_home(const char *home)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/.smb/smb.conf", home);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.smb", home);
	rmdir(path);
	rmdir(home);
}

/* Asked by libsmbclient whenever it begins a session. */
static void on_auth(SMBCCTX *ctx, const char *server, const char *share, char *domain,
		    int domain_size, char *user, int user_size, char *password, int password_size)
{
	const struct share *s = smbc_getOptionUserData(ctx);

	(void)server;
	(void)share;
	snprintf(domain, (size_t)domain_size, "%s", s->domain);
	snprintf(user, (size_t)user_size, "%s", s->user);
	snprintf(password, (size_t)password_size, "%s", s->password);
}

static int set_up(struct share *s, struct err *e)
{
	bool password = s->password[0];

	s->ctx = smbc_new_context();
	if (!s->ctx)
		return err_sys(e, -errno, "libsmbclient");
	smbc_setOptionUserData(s->ctx, s);
	smbc_setFunctionAuthDataWithContext(s->ctx, on_auth);
	smbc_setTimeout(s->ctx, SHARE_TIMEOUT_MS);
	smbc_setOptionNoAutoAnonymousLogin(s->ctx, 1);
	smbc_setOptionUseKerberos(s->ctx, 0);
	smbc_setOptionFallbackAfterKerberos(s->ctx, 0);
	smbc_setOptionUseCCache(s->ctx, 0);
	smbc_setOptionCaseSensitive(s->ctx, 1);
	/* A level other than none is what makes it sign; with this one it encrypts if the server can. */
	smbc_setOptionSmbEncryptionLevel(s->ctx, password ? SMBC_ENCRYPTLEVEL_REQUEST :
							    SMBC_ENCRYPTLEVEL_NONE);
	if (!smbc_init_context(s->ctx))
		return err_sys(e, -errno, "libsmbclient");
	if (strcmp(smbc_getNetbiosName(s->ctx), NETBIOS_NAME))
		return err_set(e, -SHUNT_ECONF, "libsmbclient has taken another configuration");
	return 0;
}

static void take_user(struct share *s, const char *user)
{
	const char *name = strchr(user, '\\');

	snprintf(s->domain, sizeof(s->domain), "%.*s", name ? (int)(name - user) : 255,
		 name ? user : DOMAIN);
	snprintf(s->user, sizeof(s->user), "%s", name ? name + 1 : user);
}

int share_new(const char *name, const char *user, const char *password, struct share **out,
	      struct err *e)
{
	char home[] = "/tmp/shunt-smb.XXXXXX";
	struct share *s;
	int ret;

	s = calloc(1, sizeof(*s));
	if (!s)
		return err_sys(e, -ENOMEM, "share");
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->password, sizeof(s->password), "%s", password);
	take_user(s, user);
	if (!mkdtemp(home)) {
		ret = err_sys(e, -errno, "%s", home);
	} else {
		ret = make_home(home, s->password[0]);
		ret = ret ? err_sys(e, ret, "%s", home) : set_up(s, e);
		remove_home(home);
	}
	if (ret)
		share_free(s);
	else
		*out = s;
	return ret;
}

void share_free(struct share *s)
{
	if (!s)
		return;
	if (s->ctx)
		smbc_free_context(s->ctx, 1);
	explicit_bzero(s->password, sizeof(s->password));
	free(s);
}

/* ---- names on the share ---- */

static int failed(void)
{
	return errno ? -errno : -EIO;
}

static void take_stat(struct share_stat *out, bool dir, uint64_t size, struct timespec mtime)
{
	out->dir = dir;
	out->size = size;
	/* It is the server's, who may say what it likes. */
	if (__builtin_mul_overflow((int64_t)mtime.tv_sec, (int64_t)1000000000, &out->mtime) ||
	    __builtin_add_overflow(out->mtime, (int64_t)mtime.tv_nsec, &out->mtime))
		out->mtime = mtime.tv_sec < 0 ? INT64_MIN : INT64_MAX;
}

int share_stat(struct share *s, const char *path, struct share_stat *out)
{
	char url[URL_MAX];
	struct stat st = { 0 };

	if (smbc_getFunctionStat(s->ctx)(s->ctx, url_of(s, path, url), &st))
		return failed();
	take_stat(out, S_ISDIR(st.st_mode), (uint64_t)st.st_size, st.st_mtim);
	return 0;
}

int share_login(struct share *s)
{
	struct share_stat st;

	return share_stat(s, "", &st);
}

int share_room(struct share *s, const char *path, uint64_t *out)
{
	char url[URL_MAX];
	struct statvfs st = { 0 };
	uint64_t unit;

	if (smbc_getFunctionStatVFS(s->ctx)(s->ctx, (char *)url_of(s, path, url), &st))
		return failed();
	/* Without Unix extensions f_frsize is how many of f_bsize make a block. */
	if (__builtin_mul_overflow((uint64_t)st.f_bsize,
				   st.f_frsize && st.f_frsize < 512 ? st.f_frsize : 1, &unit) ||
	    __builtin_mul_overflow((uint64_t)st.f_bavail, unit, out) || !st.f_blocks)
		*out = SHARE_ROOM_UNKNOWN;
	return 0;
}

int share_mkdir(struct share *s, const char *path)
{
	char url[URL_MAX];

	return smbc_getFunctionMkdir(s->ctx)(s->ctx, url_of(s, path, url), 0777) ? failed() : 0;
}

int share_unlink(struct share *s, const char *path)
{
	char url[URL_MAX];

	return smbc_getFunctionUnlink(s->ctx)(s->ctx, url_of(s, path, url)) ? failed() : 0;
}

int share_rename(struct share *s, const char *from, const char *to)
{
	char old_url[URL_MAX], new_url[URL_MAX];

	return smbc_getFunctionRename(s->ctx)(s->ctx, url_of(s, from, old_url), s->ctx,
					      url_of(s, to, new_url)) ?
		       failed() :
		       0;
}

int share_list(struct share *s, const char *path,
	       int (*entry)(const char *name, const struct share_stat *st, void *arg), void *arg)
{
	const struct libsmb_file_info *info;
	char url[URL_MAX];
	struct share_stat st;
	SMBCFILE *dir;
	int ret = 0;

	dir = smbc_getFunctionOpendir(s->ctx)(s->ctx, url_of(s, path, url));
	if (!dir)
		return failed();
	while (!ret && (info = smbc_getFunctionReaddirPlus(s->ctx)(s->ctx, dir))) {
		take_stat(&st, info->attrs & SMBC_DOS_MODE_DIRECTORY, info->size, info->mtime_ts);
		ret = entry(info->name, &st, arg);
	}
	smbc_getFunctionClosedir(s->ctx)(s->ctx, dir);
	return ret;
}

/* ---- files ---- */

static int open_file(struct share *s, const char *path, int flags, smbc_share_mode mode,
		     struct share_file **out)
{
	struct share_file *f = calloc(1, sizeof(*f));
	char url[URL_MAX];

	if (!f)
		return -ENOMEM;
	f->share = s;
	errno = 0;
	smbc_setOptionOpenShareMode(s->ctx, mode);
	f->file = smbc_getFunctionOpen(s->ctx)(s->ctx, url_of(s, path, url), flags, 0666);
	if (!f->file) {
		free(f);
		return failed();
	}
	*out = f;
	return 0;
}

int share_open(struct share *s, const char *path, enum share_use use, struct share_file **out)
{
	int ret;

	if (use != SHARE_WRITE)
		return open_file(s, path, O_RDONLY,
				 use == SHARE_READ ? SMBC_SHAREMODE_DENY_WRITE :
						     SMBC_SHAREMODE_DENY_NONE,
				 out);
	/* To see whether it is held; it itself must not be so that others cannot empty it, should its connection be lost. */
	ret = open_file(s, path, O_RDWR | O_CREAT, SMBC_SHAREMODE_DENY_WRITE, out);
	if (!ret)
		ret = share_close(*out);
	return ret ? ret : open_file(s, path, O_RDWR | O_CREAT, SMBC_SHAREMODE_DENY_NONE, out);
}

int share_empty(struct share *s, const char *path)
{
	struct share_file *f;
	int ret = open_file(s, path, O_WRONLY, SMBC_SHAREMODE_DENY_NONE, &f), closed;

	if (ret)
		return ret;
	ret = share_truncate(f, 0);
	closed = share_close(f);
	return ret ? ret : closed;
}

int share_close(struct share_file *f)
{
	int ret = smbc_getFunctionClose(f->share->ctx)(f->share->ctx, f->file) ? failed() : 0;

	free(f);
	return ret;
}

int share_fstat(struct share_file *f, struct share_stat *out)
{
	struct stat st = { 0 };

	if (smbc_getFunctionFstat(f->share->ctx)(f->share->ctx, f->file, &st))
		return failed();
	take_stat(out, S_ISDIR(st.st_mode), (uint64_t)st.st_size, st.st_mtim);
	return 0;
}

int share_truncate(struct share_file *f, uint64_t size)
{
	return smbc_getFunctionFtruncate(f->share->ctx)(f->share->ctx, f->file, (off_t)size) ?
		       failed() :
		       0;
}

struct copying {
	int (*progress)(uint64_t octets, void *arg);
	void *arg;
	int ret;
};

/* libsmbclient goes on unless this gives 0. */
static int on_copied(off_t octets, void *arg)
{
	struct copying *c = arg;

	c->ret = c->progress((uint64_t)octets, c->arg);
	return !c->ret;
}

int share_copy(struct share_file *from, struct share_file *to, uint64_t len,
	       int (*progress)(uint64_t octets, void *arg), void *arg)
{
	SMBCCTX *ctx = from->share->ctx;
	struct copying c = { progress, arg, 0 };
	off_t done;

	errno = 0;
	done = smbc_getFunctionSplice(ctx)(ctx, from->file, to->file, (off_t)len, on_copied, &c);
	/* Both stand elsewhere now. */
	from->pos = to->pos = UINT64_MAX;
	if (c.ret)
		return c.ret;
	return done < 0 ? failed() : (uint64_t)done == len ? 0 : -EIO;
}

static int go_to(struct share_file *f, uint64_t offset)
{
	if (f->pos == offset)
		return 0;
	if (smbc_getFunctionLseek(f->share->ctx)(f->share->ctx, f->file, (off_t)offset, SEEK_SET) <
	    0)
		return failed();
	f->pos = offset;
	return 0;
}

ssize_t share_read(struct share_file *f, uint64_t offset, void *buf, size_t len)
{
	size_t have = 0;
	ssize_t got;
	int ret = go_to(f, offset);

	if (ret)
		return ret;
	while (have < len) {
		got = smbc_getFunctionRead(f->share->ctx)(f->share->ctx, f->file,
							  (char *)buf + have, len - have);
		if (got < 0)
			return failed();
		if (!got)
			break;
		have += (size_t)got;
		f->pos += (uint64_t)got;
	}
	return (ssize_t)have;
}

int share_write(struct share_file *f, uint64_t offset, const void *buf, size_t len)
{
	size_t done = 0;
	ssize_t put;
	int ret = go_to(f, offset);

	if (ret)
		return ret;
	while (done < len) {
		put = smbc_getFunctionWrite(f->share->ctx)(f->share->ctx, f->file,
							   (const char *)buf + done, len - done);
		if (put <= 0)
			return failed();
		done += (size_t)put;
		f->pos += (uint64_t)put;
	}
	return 0;
}
