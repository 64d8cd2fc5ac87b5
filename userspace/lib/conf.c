// SPDX-License-Identifier: GPL-2.0-or-later
/* conf: configuration files, driven by a table. The only user of libconfuse. */
#include "lib/conf_value.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Appended to every text: in an unclosed section it is an unknown key, in an unclosed comment it is
 * never seen. libconfuse would accept both.
 */
#define SENTINEL "__end_of_file"

struct load {
	const char *name; /* of the file, for errors */
	const struct conf_row *table;
	void *out;
	struct err *e;
	int *line; /* per row: where it was set, 0 = not yet */
	int ret; /* first failure */
	bool end_seen;
};

/*
 * libconfuse's callbacks carry no argument and its scanner is global anyway, so the load in
 * progress is, too; set only while conf_parse() runs.
 */
static struct load *current;

static size_t table_size(const struct conf_row *table)
{
	size_t n = 0;

	while (table[n].key)
		n++;
	return n;
}

static bool same_section(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static const struct conf_row *row_find(const struct conf_row *table, const char *section,
				       const char *key)
{
	for (; table->key; table++) {
		if (same_section(table->section, section) && !strcmp(table->key, key))
			return table;
	}
	return NULL;
}

/* The first failure is the one that counts. */
__attribute__((format(printf, 4, 5))) static int load_fail(struct load *l, int code, int line,
							   const char *fmt, ...)
{
	va_list ap;

	if (l->ret)
		return l->ret;
	va_start(ap, fmt);
	err_vset(l->e, code, fmt, ap);
	va_end(ap);
	if (line > 0)
		err_prefix(l->e, "%s:%d", l->name, line);
	else
		err_prefix(l->e, "%s", l->name);
	l->ret = code;
	return code;
}

/* ---- near misses ---- */

/* Edit distance, for short keys; anything above 3 is as good as 3. */
static unsigned int distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned int row[65];

	if (la > 64 || lb > 64)
		return 3;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int diag = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int best = diag + (a[i - 1] != b[j - 1]);

			diag = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb] < 3 ? row[lb] : 3;
}

/* What may have been meant by an unknown key: ", did you mean x?" or nothing. */
static void suggest(const struct conf_row *table, const char *section, const char *key, char *out,
		    size_t n)
{
	const struct conf_row *best = NULL;
	unsigned int least = 3;

	*out = '\0';
	for (const struct conf_row *r = table; r->key; r++) {
		unsigned int d = distance(r->key, key);

		if (!strcmp(r->key, key)) {
			if (r->section)
				snprintf(out, n, ", it belongs in section %s", r->section);
			else
				snprintf(out, n, ", it belongs outside sections");
			return;
		}
		if (d < least && same_section(r->section, section)) {
			least = d;
			best = r;
		}
		if (!section && r->section && distance(r->section, key) < least) {
			snprintf(out, n, ", did you mean section %s?", r->section);
			least = distance(r->section, key);
			best = NULL;
		}
	}
	if (best)
		snprintf(out, n, ", did you mean %s?", best->key);
}

/* ---- libconfuse's callbacks ---- */

static const char *cfg_section(const cfg_t *cfg)
{
	return strcmp(cfg->name, "root") ? cfg->name : NULL;
}

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char unknown[] = "no such option '";
	struct load *l = current;
	char msg[256], hint[128];
	char *key, *end;

	if (!l)
		return;
	vsnprintf(msg, sizeof(msg), fmt, ap);
	if (strncmp(msg, unknown, sizeof(unknown) - 1)) {
		load_fail(l, -SHUNT_ECONF, cfg ? cfg->line : 0, "%s", msg);
		return;
	}
	key = msg + sizeof(unknown) - 1;
	end = strrchr(key, '\'');
	if (end)
		*end = '\0';
	if (!strcmp(key, SENTINEL)) {
		load_fail(l, -SHUNT_ECONF, 0, "section %s is not closed", cfg->name);
		return;
	}
	suggest(l->table, cfg_section(cfg), key, hint, sizeof(hint));
	load_fail(l, -SHUNT_ECONF, cfg->line, "%s: unknown key%s", key, hint);
}

/* Called for each value as it is read, which is when the line is known. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
	struct load *l = current;
	const struct conf_row *row;
	char fault[CONF_FAULT_MAX];
	int *line, ret;

	if (!strcmp(opt->name, SENTINEL)) {
		l->end_seen = true;
		return 0;
	}
	row = row_find(l->table, cfg_section(cfg), opt->name);
	if (!row)
		return load_fail(l, -SHUNT_ECONF, cfg->line, "%s: unknown key", opt->name);
	line = &l->line[row - l->table];
	if (conf_is_list(row)) { /* stored when all of it is there */
		*line = cfg->line;
		return 0;
	}
	if (*line)
		return load_fail(l, -SHUNT_ECONF, cfg->line, "%s: is set twice, first in line %d",
				 row->key, *line);
	*line = cfg->line;
	ret = conf_value_set(row, l->out, cfg_opt_getnstr(opt, 0), fault);
	if (ret == -ENOMEM)
		return load_fail(l, ret, 0, "out of memory");
	if (ret)
		return load_fail(l, ret, cfg->line, "%s: %s", row->key, fault);
	return 0;
}

/* ---- the table as libconfuse's options ---- */

struct opts {
	cfg_opt_t *opt; /* all arrays in one block, each ended by CFG_END() */
	cfg_t *cfg;
};

static cfg_opt_t value_opt(const struct conf_row *row)
{
	const cfg_opt_t one = CFG_STR(row->key, NULL, CFGF_NODEFAULT);
	const cfg_opt_t many = CFG_STR_LIST(row->key, NULL, CFGF_NODEFAULT);

	return conf_is_list(row) ? many : one;
}

/* Is @row the first of its section? */
static bool section_starts(const struct conf_row *table, const struct conf_row *row)
{
	for (; table < row; table++) {
		if (same_section(table->section, row->section))
			return false;
	}
	return true;
}

static int opts_build(const struct conf_row *table, struct opts *o)
{
	const cfg_opt_t end = CFG_END(), sentinel = CFG_STR(SENTINEL, NULL, CFGF_NODEFAULT);
	size_t n = table_size(table);
	cfg_opt_t *top, *next;
	char path[160];

	/* Per row at most: itself, its section, the end of its section; and the top's own two. */
	o->opt = calloc(3 * n + 2, sizeof(*o->opt));
	if (!o->opt)
		return -ENOMEM;
	top = o->opt;
	next = o->opt + 2 * n + 2;
	for (size_t i = 0; i < n; i++) {
		const struct conf_row *row = &table[i];

		if (!row->section) {
			*top++ = value_opt(row);
		} else if (section_starts(table, row)) {
			/* Sections' arrays follow the top's; cfg_init() copies all of them. */
			cfg_opt_t *first = next;
			const cfg_opt_t sec = CFG_SEC(row->section, first, CFGF_NONE);

			for (size_t j = i; j < n; j++) {
				if (same_section(table[j].section, row->section))
					*next++ = value_opt(&table[j]);
			}
			*next++ = end;
			*top++ = sec;
		}
	}
	*top++ = sentinel;
	*top = end;
	o->cfg = cfg_init(o->opt, CFGF_NONE);
	if (!o->cfg)
		return -ENOMEM;
	cfg_set_error_function(o->cfg, on_error);
	cfg_set_validate_func(o->cfg, SENTINEL, on_value);
	for (const struct conf_row *row = table; row->key; row++) {
		snprintf(path, sizeof(path), "%s%s%s", row->section ? row->section : "",
			 row->section ? "|" : "", row->key);
		cfg_set_validate_func(o->cfg, path, on_value);
	}
	return 0;
}

static void opts_free(struct opts *o)
{
	if (o->cfg)
		cfg_free(o->cfg);
	free(o->opt);
}

/* ---- loading ---- */

/* Replace the default of each list the file sets. */
static int lists_store(struct load *l, cfg_t *cfg)
{
	char fault[CONF_FAULT_MAX], path[160];

	for (const struct conf_row *row = l->table; row->key; row++) {
		cfg_opt_t *opt;
		int ret = 0;

		if (!conf_is_list(row))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", row->section ? row->section : "",
			 row->section ? "|" : "", row->key);
		opt = cfg_getopt(cfg, path);
		if (!opt || !(opt->flags & CFGF_MODIFIED))
			continue;
		conf_value_clear(row, l->out);
		for (unsigned int i = 0; !ret && i < cfg_opt_size(opt); i++)
			ret = conf_value_add(row, l->out, cfg_opt_getnstr(opt, i), fault);
		if (ret == -ENOMEM)
			return load_fail(l, ret, 0, "out of memory");
		if (ret)
			return load_fail(l, ret, l->line[row - l->table], "%s: %s", row->key,
					 fault);
		if (!l->line[row - l->table])
			l->line[row - l->table] = 1; /* an empty list is set, too */
	}
	return 0;
}

static int required_check(struct load *l)
{
	for (const struct conf_row *row = l->table; row->key; row++) {
		if (row->flags & CONF_REQUIRED && !l->line[row - l->table])
			return load_fail(l, -SHUNT_ECONF, 0, "%s%s%s: is required (%s)",
					 row->section ? row->section : "", row->section ? "." : "",
					 row->key, row->doc);
	}
	return 0;
}

/* The text with the sentinel as a stream; the caller frees *copy after closing. */
static FILE *text_stream(const char *text, size_t len, char **copy)
{
	struct buf b;

	buf_init(&b);
	buf_put(&b, text, len);
	buf_puts(&b, "\n" SENTINEL " = x\n");
	len = b.len;
	*copy = buf_steal(&b, NULL);
	return *copy ? fmemopen(*copy, len, "r") : NULL;
}

static void load_run(struct load *l, const char *text, size_t len)
{
	struct opts o = { 0 };
	char *copy = NULL;
	FILE *f = NULL;
	int rc;

	if (opts_build(l->table, &o) || !(f = text_stream(text, len, &copy))) {
		load_fail(l, -ENOMEM, 0, "out of memory");
		goto out;
	}
	current = l;
	rc = cfg_parse_fp(o.cfg, f);
	current = NULL;
	if (rc != CFG_SUCCESS && !l->ret)
		load_fail(l, -SHUNT_ECONF, o.cfg->line, "not a configuration file");
	if (!l->ret && !l->end_seen)
		load_fail(l, -SHUNT_ECONF, 0, "a comment is not closed");
	if (!l->ret && !lists_store(l, o.cfg))
		required_check(l);
out:
	if (f)
		fclose(f);
	free(copy);
	opts_free(&o);
}

int conf_parse(const char *name, const char *text, size_t len, const struct conf_row *table,
	       void *out, struct err *e)
{
	struct load l = { .name = name, .table = table, .out = out, .e = e };
	int ret = conf_defaults(table, out, e);

	if (ret)
		return ret;
	l.line = calloc(table_size(table) + 1, sizeof(*l.line));
	if (!l.line)
		load_fail(&l, -ENOMEM, 0, "out of memory");
	else if (len > CONF_FILE_MAX)
		load_fail(&l, -SHUNT_ECONF, 0, "longer than %zu bytes", CONF_FILE_MAX);
	else if (len && memchr(text, 0, len))
		load_fail(&l, -SHUNT_ECONF, 0, "holds NUL bytes, this is no configuration file");
	else
		load_run(&l, text, len);
	free(l.line);
	if (l.ret)
		conf_free(table, out);
	return l.ret;
}

/* Whole file into @b; -SHUNT_ECONF when it is no regular file or too long. */
static int file_read(const char *file, struct buf *b, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n = 0;
	int ret = 0;

	if (fd < 0 || fstat(fd, &st)) {
		ret = err_sys(e, -errno, "%s", file);
	} else if (!S_ISREG(st.st_mode)) {
		ret = err_set(e, -SHUNT_ECONF, "%s: is not a regular file", file);
	} else {
		uint8_t *at;

		while ((at = buf_reserve(b, 4096)) && (n = read(fd, at, 4096)) > 0)
			buf_commit(b, (size_t)n);
		if (n < 0)
			ret = err_sys(e, -errno, "%s", file);
		else if (b->error)
			ret = err_set(e, -SHUNT_ECONF, "%s: longer than %zu bytes", file,
				      CONF_FILE_MAX);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

int conf_load(const char *file, const struct conf_row *table, void *out, struct err *e)
{
	struct buf b;
	int ret;

	buf_init_secret(&b, CONF_FILE_MAX + 4096);
	ret = file_read(file, &b, e);
	if (!ret)
		ret = conf_parse(file, buf_str(&b), b.len, table, out, e);
	buf_fini(&b);
	return ret;
}

/* Comma-separated items, blanks around them ignored. */
static int list_set(const struct conf_row *row, void *out, const char *s, char *fault)
{
	char *copy = strdup(s), *save = NULL;
	int ret = copy ? 0 : -ENOMEM;

	conf_value_clear(row, out);
	for (char *p = copy ? strtok_r(copy, ", ", &save) : NULL; p && !ret;
	     p = strtok_r(NULL, ", ", &save))
		ret = conf_value_add(row, out, p, fault);
	free(copy);
	return ret;
}

static int row_set(const struct conf_row *row, void *out, const char *s, const char *what,
		   struct err *e)
{
	char fault[CONF_FAULT_MAX];
	int ret = conf_is_list(row) ? list_set(row, out, s, fault) :
				      conf_value_set(row, out, s, fault);

	if (ret == -ENOMEM)
		return err_set(e, ret, "%s: out of memory", what);
	return ret ? err_set(e, ret, "%s: %s", what, fault) : 0;
}

int conf_defaults(const struct conf_row *table, void *out, struct err *e)
{
	static const size_t sizes[] = {
		[CONF_STRING] = sizeof(char *),
		[CONF_PATH] = sizeof(char *),
		[CONF_NAME] = sizeof(char *),
		[CONF_U32] = sizeof(uint32_t),
		[CONF_DURATION] = sizeof(uint64_t),
		[CONF_SIZE] = sizeof(uint64_t),
		[CONF_RATE] = sizeof(uint64_t),
		[CONF_ADDR] = sizeof(struct shunt_addr),
		[CONF_ENDPOINT] = sizeof(struct shunt_endpoint),
		[CONF_PREFIX] = sizeof(struct shunt_prefix),
		[CONF_BOOL] = sizeof(bool),
		[CONF_ENUM] = sizeof(int),
		[CONF_LIST] = sizeof(struct conf_list),
		[CONF_PREFIXES] = sizeof(struct conf_prefixes),
	};

	/* The struct's size is not known here; zero each field. */
	for (const struct conf_row *row = table; row->key; row++)
		memset((char *)out + row->offset, 0, sizes[row->type]);
	for (const struct conf_row *row = table; row->key; row++) {
		int ret = row->def ? row_set(row, out, row->def, row->key, e) : 0;

		if (ret) {
			err_prefix(e, "built-in default");
			conf_free(table, out);
			return ret;
		}
	}
	return 0;
}

void conf_free(const struct conf_row *table, void *out)
{
	for (; table->key; table++) {
		char **text = (char **)((char *)out + table->offset);

		if (conf_is_list(table)) {
			conf_value_clear(table, out);
		} else if (table->type <= CONF_NAME) {
			if (*text && table->flags & CONF_SECRET)
				explicit_bzero(*text, strlen(*text));
			free(*text);
			*text = NULL;
		}
	}
}

int conf_set(const struct conf_row *table, void *out, const char *key, const char *value,
	     struct err *e)
{
	const char *dot = strchr(key, '.');
	const struct conf_row *row;
	char section[64] = "";

	if (dot)
		snprintf(section, sizeof(section), "%.*s", (int)(dot - key), key);
	row = row_find(table, dot ? section : NULL, dot ? dot + 1 : key);
	if (!row)
		return err_set(e, -SHUNT_ECONF, "%s: unknown key", key);
	return row_set(row, out, value, key, e);
}

/* ---- printing ---- */

static void print_row_default(const struct conf_row *row, const char *indent, struct buf *out)
{
	char what[256];

	conf_value_describe(row, what, sizeof(what));
	buf_printf(out, "%s# %s\n%s# %s%s\n", indent, row->doc, indent, what,
		   row->flags & CONF_REQUIRED ? "; required" : "");
	if (!row->def) {
		buf_printf(out, "%s#%s =\n\n", indent, row->key);
	} else {
		struct {
			_Alignas(max_align_t) char bytes[64];
		} field = { { 0 } };
		struct conf_row one = *row;

		/* Printed from a parsed field, so that it looks as conf_print() has it. */
		one.offset = 0;
		row_set(&one, &field, row->def, row->key, NULL);
		buf_printf(out, "%s#%s = ", indent, row->key);
		conf_value_print(&one, &field, out);
		buf_puts(out, "\n\n");
		one.flags = 0;
		conf_free((const struct conf_row[]){ one, { 0 } }, &field);
	}
}

static void print_row(const struct conf_row *row, const void *in, const char *indent,
		      struct buf *out)
{
	struct buf value;

	if (!in) {
		print_row_default(row, indent, out);
		return;
	}
	buf_init_secret(&value, BUF_MAX_DEFAULT);
	if (!(row->flags & CONF_SECRET) && conf_value_print(row, in, &value))
		buf_printf(out, "%s%s = %s\n", indent, row->key, buf_str(&value));
	if (value.error && !out->error)
		out->error = value.error;
	buf_fini(&value);
}

/* Top-level keys first, then each section with all of its rows. */
static int print_all(const struct conf_row *table, const void *in, struct buf *out)
{
	for (const struct conf_row *row = table; row->key; row++) {
		if (!row->section)
			print_row(row, in, "", out);
	}
	for (const struct conf_row *row = table; row->key; row++) {
		if (!row->section || !section_starts(table, row))
			continue;
		buf_printf(out, "%s {\n", row->section);
		for (const struct conf_row *r = row; r->key; r++) {
			if (same_section(r->section, row->section))
				print_row(r, in, "\t", out);
		}
		buf_puts(out, "}\n");
	}
	return out->error;
}

int conf_print_defaults(const struct conf_row *table, struct buf *out)
{
	return print_all(table, NULL, out);
}

int conf_print(const struct conf_row *table, const void *in, struct buf *out)
{
	return print_all(table, in, out);
}

/* ---- secret files ---- */

int conf_check_secret_file(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st))
		return err_sys(e, -errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -SHUNT_ESECRETFILE, "%s: is not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return err_set(e, -SHUNT_ESECRETFILE,
			       "%s: belongs to user %u; must belong to user %u or root", path,
			       st.st_uid, geteuid());
	if (st.st_mode & 077)
		return err_set(e, -SHUNT_ESECRETFILE,
			       "%s: mode %04o lets others in; run chmod 600 on it", path,
			       st.st_mode & 07777);
	return 0;
}
