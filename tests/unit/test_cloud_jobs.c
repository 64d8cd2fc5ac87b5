// SPDX-License-Identifier: GPL-2.0-or-later
/* Jobs: what was accepted is there again after a crash, and states go where they may. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "netkit.h"

#include "cloud/jobs.h"

struct kit {
	char *dir;
	struct loop *loop;
	struct store *store;
	struct spool *spool;
	struct jobs *jobs;
	int queued; /* calls of on_queued */
	size_t max;
	uint64_t upload_timeout;
	char seen[1024]; /* events of a watch */
	bool ended;
};

static void on_queued(void *arg)
{
	struct kit *k = arg;

	k->queued++;
}

static void up(struct kit *k)
{
	struct jobs_conf conf = { .loop = k->loop, .max = k->max, .on_queued = on_queued };
	struct err e = { 0 };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/jobs.db", k->dir);
	if (store_open(path, STORE_CLOUD, &k->store, &e))
		fail_msg("%s", err_text(&e));
	snprintf(path, sizeof(path), "%s/spool", k->dir);
	assert_int_equal(spool_open(path, &k->spool, &e), 0);
	conf.upload_timeout = k->upload_timeout;
	conf.store = k->store;
	conf.spool = k->spool;
	conf.arg = k;
	if (jobs_open(&conf, &k->jobs, &e))
		fail_msg("%s", err_text(&e));
}

static void down(struct kit *k)
{
	jobs_close(k->jobs);
	spool_close(k->spool);
	store_close(k->store);
}

static int setup(void **state)
{
	struct kit *k = calloc(1, sizeof(*k));

	k->dir = kit_dir_new();
	k->max = 3;
	assert_int_equal(loop_new(&k->loop), 0);
	up(k);
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kit *k = *state;
	char path[PATH_MAX + 16];

	down(k);
	loop_free(k->loop);
	snprintf(path, sizeof(path), "%s/spool", k->dir);
	kit_dir_free(strdup(path));
	kit_dir_free(k->dir);
	free(k);
	return 0;
}

static int submit(struct kit *k, uint64_t size, uint8_t priority, const char *key, const char *hash,
		  char id[ID_LEN])
{
	struct sapi_job_submit body = { .kind = JOB_PRINT, .size = size };
	struct job_order order = {
		.submit = &body,
		.owner = "alice",
		.priority = priority,
		.key = key,
		.key_hash = hash,
	};
	struct err e = { 0 };

	strcpy(body.device, "mfp-1");
	strcpy(body.name, "a");
	strcpy(body.media_type, "text/plain");
	return jobs_submit(k->jobs, &order, id, &e);
}

static struct job *queue(struct kit *k, uint8_t priority)
{
	char id[ID_LEN];
	struct job *job;

	assert_int_equal(submit(k, 3, priority, "", "", id), 0);
	job = jobs_find(k->jobs, id);
	assert_int_equal(job_upload(job, 0, "abc", 3), 0);
	assert_int_equal(job_upload_end(job), 0);
	KIT_UNTIL(k->loop, job_row(job)->state == JOB_QUEUED);
	return job;
}

static void on_event(const struct sapi_job_event *ev, void *arg)
{
	struct kit *k = arg;

	strcat(strcat(k->seen, ev->event), " ");
}

static void on_end(void *arg)
{
	struct kit *k = arg;

	k->ended = true;
}

static void is_queued_when_complete(void **state)
{
	struct kit *k = *state;
	struct sapi_job shown;
	struct job *job;
	char id[ID_LEN];

	assert_int_equal(submit(k, 6, 4, "", "", id), 0);
	job = jobs_find(k->jobs, id);
	assert_int_equal(job_upload(job, 3, "def", 3), 0);
	assert_int_equal(job_upload_end(job), 0);
	kit_settle(k->loop);
	assert_int_equal(job_row(job)->state, JOB_RECEIVING);
	assert_int_equal(jobs_show(k->jobs, id, true, &shown), 0);
	assert_int_equal(shown.uploaded, 3);
	sapi_job_fini(&shown);
	assert_int_equal(job_upload(job, 0, "abc", 3), 0);
	assert_int_equal(job_upload_end(job), 0);
	assert_int_equal(job_upload(job, 0, "xyz", 3), -EALREADY);
	KIT_UNTIL(k->loop, k->queued);
	assert_int_equal(job_row(job)->state, JOB_QUEUED);
	/* SHA-256 of "abcdef" */
	assert_string_equal(job_row(job)->sha256,
			    "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721");
}

static void empty_content_needs_no_upload(void **state)
{
	struct kit *k = *state;
	char id[ID_LEN];

	assert_int_equal(submit(k, 0, 4, "", "", id), 0);
	KIT_UNTIL(k->loop, k->queued);
}

static void goes_by_priority_then_age(void **state)
{
	struct kit *k = *state;
	struct job *low = queue(k, 1), *first = queue(k, 5), *second = queue(k, 5);

	assert_ptr_equal(jobs_next(k->jobs), first);
	job_set_delivery(first, k);
	assert_ptr_equal(jobs_next(k->jobs), second);
	job_set_delivery(second, k);
	assert_ptr_equal(jobs_next(k->jobs), low);
	job_set_delivery(low, k);
	assert_null(jobs_next(k->jobs));
}

static void has_a_bound(void **state)
{
	struct kit *k = *state;
	char id[ID_LEN];
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(submit(k, 1, 4, "", "", id), 0);
	assert_int_equal(submit(k, 1, 4, "", "", id), -EAGAIN);
	assert_int_equal(jobs_count(k->jobs), 3);
}

static void a_repeated_submission_is_one_job(void **state)
{
	static const char h1[] = "11111111111111111111111111111111"
				 "11111111111111111111111111111111";
	static const char h2[] = "22222222222222222222222222222222"
				 "22222222222222222222222222222222";
	struct kit *k = *state;
	char first[ID_LEN], again[ID_LEN];

	assert_int_equal(submit(k, 1, 4, "key", h1, first), 0);
	assert_int_equal(submit(k, 1, 4, "key", h1, again), 1);
	assert_string_equal(first, again);
	assert_int_equal(submit(k, 1, 4, "key", h2, again), -EEXIST);
	assert_int_equal(submit(k, 1, 4, "other", h2, again), 0);
	assert_string_not_equal(first, again);
	/* Also when it has ended meanwhile. */
	job_set_state(jobs_find(k->jobs, first), JOB_CANCELED, PATH_NONE, "canceled", "x");
	job_release(jobs_find(k->jobs, first));
	assert_int_equal(submit(k, 1, 4, "key", h1, again), 1);
	assert_string_equal(first, again);
}

static void final_states_stay(void **state)
{
	struct kit *k = *state;
	struct sapi_job shown;
	struct job *job = queue(k, 4);
	char id[ID_LEN];

	memcpy(id, job_row(job)->id, ID_LEN);
	job_set_state(job, JOB_FAILED, PATH_NONE, "device", "out of \033[1mpaper");
	job_set_state(job, JOB_COMPLETED, PATH_NONE, "", "no");
	assert_int_equal(job_row(job)->state, JOB_FAILED);
	assert_int_equal(jobs_ended(k->jobs, JOB_FAILED), 1);
	job_release(job);
	assert_null(jobs_find(k->jobs, id));
	assert_int_equal(jobs_show(k->jobs, id, true, &shown), 0);
	assert_int_equal(shown.state, JOB_FAILED);
	assert_string_equal(shown.reason, "out of \\x1b[1mpaper"); /* remote text is defused */
	assert_true(shown.finished >= shown.created);
	assert_int_equal(shown.uploaded, 3);
	sapi_job_fini(&shown);
}

static void survives_a_crash(void **state)
{
	struct kit *k = *state;
	struct job *running = queue(k, 4), *job;
	struct sapi_job shown;
	char partial[ID_LEN], id[ID_LEN];
	int idx;

	memcpy(id, job_row(running)->id, ID_LEN);
	job_set_state(running, JOB_RUNNING, PATH_TUNNEL, "", "sending");
	idx = job_path_open(running, PATH_TUNNEL, "gw1");
	job_path(running, idx)->state = PATH_ACTIVE;
	job_path_save(running, idx);
	assert_int_equal(submit(k, 6, 4, "", "", partial), 0);
	job = jobs_find(k->jobs, partial);
	assert_int_equal(job_upload(job, 0, "ab", 2), 0);
	assert_int_equal(job_upload_end(job), 0);
	assert_int_equal(job_upload(job, 2, "cd", 2), 0); /* never flushed, so not promised */
	k->queued = 0;
	down(k);
	up(k);
	KIT_UNTIL(k->loop, k->queued);
	assert_int_equal(jobs_count(k->jobs), 2);
	running = jobs_find(k->jobs, id);
	assert_int_equal(job_row(running)->state, JOB_QUEUED);
	assert_int_equal(job_path(running, 0)->state, PATH_CLOSED);
	assert_string_equal(job_path(running, 0)->reason, "cloud-restarted");
	assert_int_equal(strlen(job_row(running)->sha256), 64);
	job = jobs_find(k->jobs, partial);
	assert_int_equal(job_row(job)->state, JOB_RECEIVING);
	assert_int_equal(jobs_show(k->jobs, partial, true, &shown), 0);
	assert_int_equal(shown.uploaded, 2);
	sapi_job_fini(&shown);
	assert_int_equal(job_upload(job, 2, "cdef", 4), 0);
	assert_int_equal(job_upload_end(job), 0);
	KIT_UNTIL(k->loop, job_row(job)->state == JOB_QUEUED);
	assert_string_equal(job_row(job)->sha256,
			    "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721");
}

/* Small content is the store's; what the spool has of it may be lost with the machine. */
static void small_content_survives_the_spool(void **state)
{
	struct kit *k = *state;
	struct job *job = queue(k, 4);
	char id[ID_LEN], empty[ID_LEN], got[3];
	struct buf kept = BUF_INIT;

	memcpy(id, job_row(job)->id, ID_LEN);
	assert_int_equal(submit(k, 6, 4, "", "", empty), 0);
	kit_settle(k->loop);
	spool_remove(k->spool, id);
	spool_remove(k->spool, empty); /* nothing had come yet */
	down(k);
	up(k);
	job = jobs_find(k->jobs, id);
	assert_int_equal(job_row(job)->state, JOB_QUEUED);
	assert_int_equal(pread(spool_fd(job_content(job)), got, 3, 0), 3);
	assert_memory_equal(got, "abc", 3);
	assert_int_equal(job_row(jobs_find(k->jobs, empty))->state, JOB_RECEIVING);
	assert_int_equal(job_upload(jobs_find(k->jobs, empty), 0, "abcdef", 6), 0);
	/* It goes with the job's end. */
	assert_int_equal(store_content_get(k->store, id, &kept), 0);
	job_set_state(job, JOB_COMPLETED, PATH_NONE, "", "x");
	job_release(job);
	kit_settle(k->loop);
	assert_int_equal(store_content_get(k->store, id, &kept), -ENOENT);
	buf_fini(&kept);
}

static bool in_spool(const struct kit *k, const char *id)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/spool/%s", k->dir, id);
	return access(path, F_OK) == 0;
}

static void content_stays_until_the_end_is_stored(void **state)
{
	struct kit *k = *state;
	struct job *job = queue(k, 4);
	char id[ID_LEN];

	memcpy(id, job_row(job)->id, ID_LEN);
	job_set_state(job, JOB_COMPLETED, PATH_NONE, "", "x");
	job_release(job);
	assert_true(in_spool(k, id));
	kit_settle(k->loop);
	assert_false(in_spool(k, id));
}

struct outcome {
	struct group_wait wait;
	bool done;
	int err;
};

static void on_outcome(int err, void *arg)
{
	struct outcome *o = arg;

	o->done = true;
	o->err = err;
}

static void await(struct kit *k, struct outcome *o)
{
	*o = (struct outcome){ .wait = { .done = on_outcome, .arg = o } };
	jobs_wait(k->jobs, &o->wait);
	assert_false(o->done);
}

/* No file may grow beyond what the store's log has now. */
static void disk_is_full(struct kit *k, bool full)
{
	struct rlimit limit;
	char path[PATH_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/jobs.db-wal", k->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = full ? (rlim_t)st.st_size : limit.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_the_store_does_not_take_is_not_accepted(void **state)
{
	struct kit *k = *state;
	struct outcome good, bad, again;
	struct job *job;
	char kept[ID_LEN], id[ID_LEN];

	assert_int_equal(submit(k, 3, 4, "", "", kept), 0);
	await(k, &good);
	KIT_UNTIL(k->loop, good.done);
	assert_int_equal(good.err, 0);
	assert_int_equal(submit(k, 3, 4, "", "", id), 0);
	job = jobs_find(k->jobs, kept);
	assert_int_equal(job_upload(job, 0, "abc", 3), 0);
	assert_int_equal(job_upload_end(job), 0);
	await(k, &bad);
	disk_is_full(k, true);
	KIT_UNTIL(k->loop, bad.done);
	disk_is_full(k, false);
	assert_true(bad.err < 0);
	assert_null(jobs_find(k->jobs, id));
	assert_false(in_spool(k, id));
	/* A job from before is there, and its upload can be ended again. */
	assert_int_equal(job_row(job)->state, JOB_RECEIVING);
	assert_int_equal(job_upload_end(job), 0);
	await(k, &again);
	KIT_UNTIL(k->loop, again.done);
	assert_int_equal(again.err, 0);
	KIT_UNTIL(k->loop, job_row(job)->state == JOB_QUEUED);
	down(k);
	up(k);
	assert_int_equal(jobs_count(k->jobs), 1);
	assert_int_equal(job_row(jobs_find(k->jobs, kept))->state, JOB_QUEUED);
}

static enum job_state stored_state(struct kit *k, const char *id)
{
	struct sapi_job shown;
	enum job_state state;

	assert_int_equal(jobs_show(k->jobs, id, false, &shown), 0);
	state = shown.state;
	sapi_job_fini(&shown);
	return state;
}

/* A job's last word is repeated until the store takes it, whether the job is let go of at once or later. */
static void what_ends_on_a_full_disk_is_told_again(void **state)
{
	struct kit *k = *state;
	struct job *job;
	char id[ID_LEN];
	int later;

	for (later = 0; later < 3; later++) {
		job = queue(k, 4);
		memcpy(id, job_row(job)->id, ID_LEN);
		kit_settle(k->loop);
		disk_is_full(k, true);
		job_set_state(job, JOB_CANCELED, PATH_NONE, "canceled", "nobody wants it any more");
		if (later)
			kit_settle(k->loop);
		if (later == 2)
			disk_is_full(k, false);
		job_release(job);
		assert_null(jobs_find(k->jobs, id));
		if (later != 2) {
			kit_settle(k->loop);
			assert_int_equal(stored_state(k, id), JOB_QUEUED);
			disk_is_full(k, false);
		}
		KIT_UNTIL(k->loop, stored_state(k, id) == JOB_CANCELED);
		KIT_UNTIL(k->loop, !in_spool(k, id));
	}
	down(k);
	up(k);
	assert_null(jobs_find(k->jobs, id));
}

/* What the device may drop is known to the store, or a cloud that dies would have neither. */
static void fetched_content_is_here_when_the_store_knows(void **state)
{
	static const char sha256[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* of "abc" */
	struct sapi_job_submit body = { .kind = JOB_FETCH, .size = CONTENT_SIZE_UNKNOWN };
	struct job_order order = { .submit = &body, .owner = "alice", .key = "", .key_hash = "" };
	struct kit *k = *state;
	struct outcome checked = { 0 };
	char id[ID_LEN];
	struct err e = { 0 };
	struct job *job;

	strcpy(body.device, "mfp-1");
	strcpy(body.name, "a");
	strcpy(body.path, "a");
	assert_int_equal(jobs_submit(k->jobs, &order, id, &e), 0);
	job = jobs_find(k->jobs, id);
	assert_int_equal(job_told(job, 3, sha256), 0);
	assert_int_equal(job_fetched(job, 0, "abc", 3), 0);
	kit_settle(k->loop);
	disk_is_full(k, true);
	assert_int_equal(job_check(job, on_outcome, &checked), 0);
	kit_settle(k->loop);
	assert_false(checked.done);
	disk_is_full(k, false);
	KIT_UNTIL(k->loop, checked.done);
	assert_int_equal(checked.err, 0);
	down(k);
	up(k);
	assert_true(spool_complete(job_content(jobs_find(k->jobs, id))));
}

static void nobody_is_told_before_it_is_stored(void **state)
{
	struct kit *k = *state;
	struct job_watch watch = { .on_event = on_event, .on_end = on_end, .arg = k };
	struct job *job = queue(k, 4);
	struct sapi_job shown;

	kit_settle(k->loop);
	job_event(job, "a", PATH_NONE, "", "nobody watches");
	assert_false(loop_held(k->loop));
	assert_int_equal(jobs_show(k->jobs, job_row(job)->id, true, &shown), 0);
	sapi_job_fini(&shown);
	assert_true(loop_held(k->loop)); /* but somebody looks */
	kit_settle(k->loop);
	assert_false(loop_held(k->loop));
	job_watch(job, &watch);
	job_event(job, "b", PATH_NONE, "", "watched");
	assert_true(loop_held(k->loop));
	kit_settle(k->loop);
	assert_false(loop_held(k->loop));
	job_unwatch(&watch);
	job_set_state(job, JOB_CANCELED, PATH_NONE, "canceled", "the device is told");
	assert_true(loop_held(k->loop));
	kit_settle(k->loop);
	assert_false(loop_held(k->loop));
}

static void lost_content_is_a_failure(void **state)
{
	static char large[100000];
	struct kit *k = *state;
	struct sapi_job shown;
	struct job *job;
	char id[ID_LEN];

	assert_int_equal(submit(k, sizeof(large), 4, "", "", id), 0);
	job = jobs_find(k->jobs, id);
	assert_int_equal(job_upload(job, 0, large, sizeof(large)), 0);
	assert_int_equal(job_upload_end(job), 0);
	KIT_UNTIL(k->loop, job_row(job)->state == JOB_QUEUED);
	spool_remove(k->spool, id);
	down(k);
	up(k);
	assert_null(jobs_find(k->jobs, id));
	assert_int_equal(jobs_show(k->jobs, id, false, &shown), 0);
	assert_int_equal(shown.state, JOB_FAILED);
	sapi_job_fini(&shown);
}

static void an_abandoned_upload_fails(void **state)
{
	struct kit *k = *state;
	struct job *whole = queue(k, 4);
	struct sapi_job shown;
	char id[ID_LEN], kept[ID_LEN];

	memcpy(kept, job_row(whole)->id, ID_LEN);
	assert_int_equal(submit(k, 6, 4, "", "", id), 0);
	assert_int_equal(job_upload(jobs_find(k->jobs, id), 0, "ab", 2), 0);
	k->upload_timeout = 20;
	down(k);
	up(k);
	assert_non_null(jobs_find(k->jobs, id));
	KIT_UNTIL(k->loop, !jobs_find(k->jobs, id));
	assert_int_equal(jobs_show(k->jobs, id, true, &shown), 0);
	assert_int_equal(shown.state, JOB_FAILED);
	assert_string_equal(shown.timeline[shown.n_timeline - 1].reason, "upload-abandoned");
	sapi_job_fini(&shown);
	assert_non_null(jobs_find(k->jobs, kept)); /* not an upload any more */
}

static void can_be_watched(void **state)
{
	struct kit *k = *state;
	struct job_watch watch = { .on_event = on_event, .on_end = on_end, .arg = k };
	struct job_watch other = watch;
	struct job *job = queue(k, 4);

	job_watch(job, &watch);
	job_watch(job, &other);
	job_unwatch(&other);
	job_unwatch(&other);
	job_decision(job, "move", "tunnels-high", "2+1 > 2");
	job_set_state(job, JOB_RUNNING, PATH_TUNNEL, "", "x");
	job_set_state(job, JOB_RUNNING, PATH_TUNNEL, "", "x"); /* no change, no event */
	job_set_state(job, JOB_COMPLETED, PATH_NONE, "", "x");
	job_event(job, "path-closed", PATH_TUNNEL, "done", "x");
	assert_false(k->ended);
	job_release(job);
	assert_true(k->ended);
	assert_string_equal(k->seen, "decision running completed path-closed ");
	job_unwatch(&watch);
}

static void lists_by_owner_and_state(void **state)
{
	struct kit *k = *state;
	struct sapi_job_list list;

	queue(k, 4);
	job_set_state(queue(k, 4), JOB_RUNNING, PATH_NONE, "", "x");
	assert_int_equal(jobs_list(k->jobs, "alice", 0, &list), 0);
	assert_int_equal(list.n, 2);
	sapi_job_list_fini(&list);
	assert_int_equal(jobs_list(k->jobs, NULL, 1u << JOB_RUNNING, &list), 0);
	assert_int_equal(list.n, 1);
	sapi_job_list_fini(&list);
	assert_int_equal(jobs_list(k->jobs, "bob", 0, &list), 0);
	assert_int_equal(list.n, 0);
	sapi_job_list_fini(&list);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_queued_when_complete),
		TEST(empty_content_needs_no_upload),
		TEST(goes_by_priority_then_age),
		TEST(has_a_bound),
		TEST(a_repeated_submission_is_one_job),
		TEST(final_states_stay),
		TEST(survives_a_crash),
		TEST(small_content_survives_the_spool),
		TEST(content_stays_until_the_end_is_stored),
		TEST(what_the_store_does_not_take_is_not_accepted),
		TEST(what_ends_on_a_full_disk_is_told_again),
		TEST(fetched_content_is_here_when_the_store_knows),
		TEST(nobody_is_told_before_it_is_stored),
		TEST(lost_content_is_a_failure),
		TEST(an_abandoned_upload_fails),
		TEST(can_be_watched),
		TEST(lists_by_owner_and_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
