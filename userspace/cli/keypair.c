// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt key: pairs of keys for what devices store. Works on files only. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/param.h"
#include "lib/age.h"
#include "lib/buf.h"
#include "lib/digest.h"
#include "lib/file.h"

static const char usage_text[] =
	"Usage: shunt key new FILE\n"
	"       shunt key show FILE\n"
	"new makes a pair of keys: FILE gets the identity (secret, mode 0600), standard output the recipient.\n"
	"show prints the recipient of each identity in FILE.\n"
	"Whoever has the recipient can encrypt: the device's encrypt-to, or shunt device add --recipient.\n"
	"Only the identity reads: shunt decrypt -i FILE, or age -d -i FILE. Nothing that exists is overwritten.\n";

static const struct param no_params[] = { { 0 } };

static int take(struct cli *c, struct args *a, const char **file)
{
	int status;

	*file = NULL;
	status = params_parse(c, a, no_params, NULL, NULL, file);
	if (!status && !*file)
		status = cli_usage(c, "the file is missing, try \"shunt key help\"");
	return status;
}

/* In the form of age-keygen. */
static int write_identity(const char *file, const struct age_identity *id, const char *public,
			  struct err *e)
{
	char secret[AGE_IDENTITY_STR_LEN];
	struct buf text;
	int fd, rc;

	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, -errno, "%s", file);
	buf_init_secret(&text, 1024);
	rc = buf_printf(&text, "# public key: %s\n%s\n", public, age_identity_print(id, secret));
	if (!rc)
		rc = file_write(fd, text.data, text.len);
	if (!rc && fsync(fd))
		rc = -errno;
	close(fd);
	buf_fini(&text);
	secret_wipe(secret, sizeof(secret));
	if (rc) {
		unlink(file);
		return err_sys(e, rc, "%s", file);
	}
	return 0;
}

static int key_new(struct cli *c, struct args *a)
{
	char public[AGE_RECIPIENT_STR_LEN];
	struct age_recipient recipient;
	struct age_identity id;
	struct err e = { 0 };
	const char *file;
	int status, rc;

	status = take(c, a, &file);
	if (status)
		return status;
	rc = age_identity_new(&id);
	if (!rc)
		rc = age_identity_recipient(&id, &recipient);
	if (rc)
		err_sys(&e, rc, "a pair of keys");
	else
		rc = write_identity(file, &id, age_recipient_print(&recipient, public), &e);
	secret_wipe(&id, sizeof(id));
	if (rc)
		return cli_usage(c, "%s", err_text(&e));
	out_obj_begin(c->out, NULL);
	out_str(c->out, "recipient", "%s\n", public);
	out_obj_end(c->out);
	return CLI_OK;
}

static int key_show(struct cli *c, struct args *a)
{
	struct age_identity ids[AGE_IDENTITIES_MAX];
	char public[AGE_RECIPIENT_STR_LEN];
	struct age_recipient recipient;
	struct err e = { 0 };
	const char *file;
	size_t n = 0;
	int status;

	status = take(c, a, &file);
	if (status)
		return status;
	if (age_identities_read(file, ids, &n, &e))
		return cli_usage(c, "%s", err_text(&e));
	out_list_begin(c->out, NULL);
	for (size_t i = 0; i < n && !status; i++) {
		if (age_identity_recipient(&ids[i], &recipient)) {
			status = cli_usage(c, "%s: the recipient cannot be computed", file);
			break;
		}
		out_obj_begin(c->out, NULL);
		out_str(c->out, "recipient", "%s\n", age_recipient_print(&recipient, public));
		out_obj_end(c->out);
	}
	out_list_end(c->out);
	secret_wipe(ids, sizeof(ids));
	return status;
}

int cmd_key(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "new", key_new },
		{ "show", key_show },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "key", commands, NULL, usage_text);
}
