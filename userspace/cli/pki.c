// SPDX-License-Identifier: GPL-2.0-or-later
/* shunt pki: the deployment's certificates. Works on files only. */
#include "lib/pki.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/param.h"
#include "lib/clock.h"

static const char usage_text[] =
	"Usage: shunt pki init DIR [ --name NAME ] [ --days DAYS ] [ --key KEY ]\n"
	"       shunt pki issue DIR --role ROLE --name NAME [ --days DAYS ] [ --out DIR ] [ --key KEY ]\n"
	"       shunt pki show FILE\n"
	"init makes DIR/ca.crt and DIR/ca.key; issue makes ROLE-NAME.crt and ROLE-NAME.key in DIR or --out.\n"
	"ROLE := { terminal | admin | cloud | manager | gateway | device }\n"
	"KEY := { ed25519 | p256 }, ed25519 unless given; DAYS: 3650 for a CA, 825 for others.\n"
	"Nothing that exists is overwritten. Keep ca.key away from the machines that run Shunt.\n";

#define DAY 86400
#define CLOCK_SKEW 300 /* seconds a peer's clock may be behind ours */
#define DAYS_MAX 36500

#define SEEN_ROLE 1u
#define SEEN_NAME 2u

static const struct enum_name alg_names[] = {
	{ PKI_ED25519, "ed25519" },
	{ PKI_P256, "p256" },
	{ 0, NULL },
};

struct pki_args {
	const char *place; /* the directory or file */
	const char *name, *out;
	enum role role;
	enum pki_alg alg;
	uint32_t days;
};

static const struct param init_params[] = {
	PARAM("--name", PARAM_STRING, struct pki_args, name, 1, NAME_LEN - 1, 0),
	PARAM("--days", PARAM_U32, struct pki_args, days, 1, DAYS_MAX, 0),
	PARAM_WORDS("--key", struct pki_args, alg, alg_names, 0),
	{ 0 },
};

static const struct param issue_params[] = {
	PARAM_WORDS("--role", struct pki_args, role, role_names, SEEN_ROLE),
	PARAM("--name", PARAM_STRING, struct pki_args, name, 1, NAME_LEN - 1, SEEN_NAME),
	PARAM("--days", PARAM_U32, struct pki_args, days, 1, DAYS_MAX, 0),
	PARAM("--out", PARAM_STRING, struct pki_args, out, 1, PATH_MAX - 1, 0),
	PARAM_WORDS("--key", struct pki_args, alg, alg_names, 0),
	{ 0 },
};

static const struct param show_params[] = { { 0 } };

static int take(struct cli *c, struct args *a, const struct param *table, uint32_t needed,
		const char *what, struct pki_args *args)
{
	uint32_t seen = 0;
	const char *missing;
	int status = params_parse(c, a, table, args, &seen, &args->place);

	if (status)
		return status;
	if (!args->place)
		return cli_usage(c, "%s is missing, try \"shunt pki help\"", what);
	missing = params_missing(table, needed, seen);
	if (missing)
		return cli_usage(c, "%s is missing, try \"shunt pki help\"", missing);
	return CLI_OK;
}

static struct pki_opts opts_of(const struct pki_args *args)
{
	return (struct pki_opts){
		.alg = args->alg,
		.not_before = -CLOCK_SKEW,
		.not_after = (int64_t)args->days * DAY,
	};
}

/* Files are this command's arguments, so what is wrong with them is a usage error. */
static int failed(struct cli *c, const struct err *e)
{
	return cli_usage(c, "%s", err_text(e));
}

static int pki_make(struct cli *c, struct args *a)
{
	struct pki_args args = { .days = PKI_CA_DAYS, .name = "shunt CA" };
	struct pki_opts opts;
	struct err e = { 0 };
	int status = take(c, a, init_params, 0, "the directory", &args);

	if (status)
		return status;
	opts = opts_of(&args);
	if (pki_init(args.place, args.name, &opts, &e) < 0)
		return failed(c, &e);
	out_obj_begin(c->out, NULL);
	out_str(c->out, "cert", "%s/ca.crt\n", args.place);
	out_obj_end(c->out);
	return CLI_OK;
}

static int pki_give(struct cli *c, struct args *a)
{
	struct pki_args args = { .days = PKI_CERT_DAYS };
	struct pki_paths paths;
	struct pki_opts opts;
	struct party party = { 0 };
	struct err e = { 0 };
	int status = take(c, a, issue_params, SEEN_ROLE | SEEN_NAME, "the CA's directory", &args);

	if (status)
		return status;
	opts = opts_of(&args);
	party.role = args.role;
	strcpy(party.name, args.name); /* its length was checked */
	if (pki_issue(args.place, &party, args.out, &opts, &paths, &e) < 0)
		return failed(c, &e);
	out_obj_begin(c->out, NULL);
	out_str(c->out, "cert", "%s\n", paths.cert);
	out_str(c->out, "key", "%s\n", paths.key);
	out_obj_end(c->out);
	return CLI_OK;
}

static int pki_print(struct cli *c, struct args *a)
{
	struct pki_args args = { 0 };
	struct pki_info info;
	struct err e = { 0 };
	char text[CLOCK_STR_LEN];
	char party[PARTY_STR_LEN];
	int status = take(c, a, show_params, 0, "the file", &args);

	if (status)
		return status;
	if (pki_show(args.place, &info, &e) < 0)
		return failed(c, &e);
	out_obj_begin(c->out, NULL);
	if (info.has_party)
		out_str(c->out, "identity", "identity:  %s\n", party_print(&info.party, party));
	else
		out_text(c->out, "identity:  none\n");
	out_bool(c->out, "ca", "CA:        %s\n", info.ca);
	out_str(c->out, "subject", "subject:   %s\n", info.subject);
	out_str(c->out, "issuer", "issuer:    %s\n", info.issuer);
	out_str(c->out, "serial", "serial:    %s\n", info.serial);
	out_str(c->out, "key", "key:       %s\n", info.algorithm);
	out_str(c->out, "sha256", "sha256:    %s\n", info.sha256);
	out_str(c->out, "not_before", "valid from %s\n",
		clock_print((int64_t)info.not_before * 1000, text));
	out_str(c->out, "not_after", "      to   %s\n",
		clock_print((int64_t)info.not_after * 1000, text));
	out_bool(c->out, "valid", "valid now: %s\n",
		 time(NULL) >= info.not_before && time(NULL) <= info.not_after);
	out_obj_end(c->out);
	return CLI_OK;
}

int cmd_pki(struct cli *c, struct args *a)
{
	static const struct cli_command commands[] = {
		{ "init", pki_make },
		{ "issue", pki_give },
		{ "show", pki_print },
		{ NULL, NULL },
	};

	return cli_dispatch(c, a, "pki", commands, NULL, usage_text);
}
