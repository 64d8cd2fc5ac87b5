// SPDX-License-Identifier: GPL-2.0-or-later
#include "cloud/token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"

struct token {
	char job[ID_LEN];
	char device[NAME_LEN];
	char secret[ID_LEN];
};

/* Only jobs in a tunnel have one, so the array stays as short as the list of tunnels. */
struct tokens {
	struct token *v;
	size_t n, cap;
};

int tokens_new(struct tokens **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void tokens_free(struct tokens *t)
{
	if (!t)
		return;
	if (t->v)
		secret_wipe(t->v, t->cap * sizeof(*t->v));
	free(t->v);
	free(t);
}

static struct token *find(const struct tokens *t, const char *job)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (!strcmp(t->v[i].job, job))
			return &t->v[i];
	return NULL;
}

static void drop(struct tokens *t, struct token *tok)
{
	*tok = t->v[--t->n];
	secret_wipe(&t->v[t->n], sizeof(*tok));
}

/* realloc() would leave the old copy of the secrets behind. */
static int grow(struct tokens *t)
{
	size_t cap = t->cap ? 2 * t->cap : 16;
	struct token *v;

	v = calloc(cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (t->v) {
		memcpy(v, t->v, t->n * sizeof(*v));
		secret_wipe(t->v, t->cap * sizeof(*t->v));
		free(t->v);
	}
	t->v = v;
	t->cap = cap;
	return 0;
}

int tokens_issue(struct tokens *t, const char *job, const char *device, char out[ID_LEN])
{
	struct token *tok;
	int ret;

	if (!id_ok(job) || !name_ok(device))
		return -EINVAL;
	tokens_revoke(t, job);
	if (t->n == t->cap) {
		ret = grow(t);
		if (ret)
			return ret;
	}
	tok = &t->v[t->n];
	ret = id_random(tok->secret);
	if (ret)
		return ret;
	memcpy(tok->job, job, ID_LEN);
	strcpy(tok->device, device);
	memcpy(out, tok->secret, ID_LEN);
	t->n++;
	return 0;
}

bool tokens_take(struct tokens *t, const char *job, const char *device, const char *token)
{
	struct token *tok = find(t, job);
	bool ok;

	if (!tok || strcmp(tok->device, device) || strlen(token) != ID_LEN - 1)
		return false;
	ok = secret_equal(tok->secret, token, ID_LEN - 1);
	if (ok)
		drop(t, tok);
	return ok;
}

void tokens_revoke(struct tokens *t, const char *job)
{
	struct token *tok = find(t, job);

	if (tok)
		drop(t, tok);
}

size_t tokens_count(const struct tokens *t)
{
	return t->n;
}
