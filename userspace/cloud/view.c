// SPDX-License-Identifier: GPL-2.0-or-later
/* view: the jobs as the API shows them, from the store and from what memory knows better. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/jobs_int.h"

/* What memory knows better than the store. */
static int overlay(const struct job *job, struct sapi_job *out)
{
	/* The newest, should a job ever have more than a body may hold. */
	size_t n = job->n_paths < SAPI_JOB_PATHS_MAX ? job->n_paths : SAPI_JOB_PATHS_MAX;
	struct sapi_job_path *paths = NULL;

	if (n) {
		paths = malloc(n * sizeof(*paths));
		if (!paths)
			return -ENOMEM;
		memcpy(paths, job->paths + job->n_paths - n, n * sizeof(*paths));
	}
	free(out->paths);
	out->paths = paths;
	out->n_paths = n;
	out->uploaded = job->content ? ranges_total(spool_held(job->content)) : 0;
	out->delivered = job->row.delivered;
	out->resent = job->row.resent;
	out->moved = job->row.moved;
	out->state = job->row.state;
	memcpy(out->reason, job->row.reason, sizeof(out->reason));
	out->finished = job->row.finished;
	return 0;
}

int jobs_show(struct jobs *jobs, const char *id, bool timeline, struct sapi_job *out)
{
	const struct job *job;
	int ret;

	if (!id_ok(id))
		return -ENOENT;
	group_tell(jobs->group);
	ret = store_job_full(jobs->conf.store, id, timeline, out);
	if (ret)
		return ret;
	job = jobs_find(jobs, id);
	ret = job ? overlay(job, out) : 0;
	if (ret)
		sapi_job_fini(out);
	return ret;
}

int jobs_collect(void *arg, const struct store_job *row)
{
	struct job_ids *l = arg;
	void *v;

	if (l->n == l->cap) {
		v = realloc(l->v, (l->cap ? 2 * l->cap : 64) * sizeof(*l->v));
		if (!v)
			return -ENOMEM;
		l->v = v;
		l->cap = l->cap ? 2 * l->cap : 64;
	}
	memcpy(l->v[l->n++], row->id, ID_LEN);
	return 0;
}

int jobs_list(struct jobs *jobs, const char *owner, uint32_t states, struct sapi_job_list *out)
{
	struct store_job_filter filter = { .owner = owner, .states = states };
	struct job_ids ids = { 0 };
	size_t i;
	int ret;

	memset(out, 0, sizeof(*out));
	group_tell(jobs->group);
	ret = store_job_list(jobs->conf.store, &filter, jobs_collect, &ids);
	if (!ret && ids.n) {
		out->jobs = calloc(ids.n, sizeof(*out->jobs));
		if (!out->jobs)
			ret = -ENOMEM;
	}
	for (i = 0; !ret && i < ids.n; i++) {
		ret = jobs_show(jobs, ids.v[i], false, &out->jobs[out->n]);
		if (!ret)
			out->n++;
		else if (ret == -ENOENT)
			ret = 0; /* purged meanwhile */
	}
	free(ids.v);
	if (ret)
		sapi_job_list_fini(out);
	return ret;
}
