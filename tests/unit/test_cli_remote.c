// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The commands that talk to remotes, against a cloud and manager of the test's own: a child process that
 * serves over TLS on loopback. What is sent, what is printed, and every way to fail.
 */
#include "netkit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "lib/body.h"
#include "lib/digest.h"
#include "lib/h2.h"
#include "lib/peer.h"
#include "lib/sapi.h"

#define JOB "0123456789abcdef0123456789abcdef"
#define FETCHED "fedcba9876543210fedcba9876543210"
#define BROKEN "00000000000000000000000000000bad" /* the same content, but not that digest */
#define CONTENT_SIZE 300000
#define HALF 150000
#define WORDS_MAX 40

static char *dir, *other_dir, content[PATH_MAX + 32];
static uint16_t port;
static pid_t server;

/* ---- the server ---- */

static void fill_job(struct sapi_job *job, enum job_state state, uint64_t uploaded)
{
	memset(job, 0, sizeof(*job));
	strcpy(job->id, JOB);
	strcpy(job->device, "mfp-1");
	strcpy(job->name, "content.pdf");
	strcpy(job->media_type, "application/pdf");
	strcpy(job->owner, "alice");
	job->size = CONTENT_SIZE;
	job->priority = 4;
	job->state = state;
	job->uploaded = uploaded;
	job->created = 1000;
}

static void respond_job(struct h2_req *req, int status, enum job_state state, uint64_t uploaded)
{
	struct sapi_job job;

	fill_job(&job, state, uploaded);
	body_respond(req, status, &sapi_job_schema, &job);
}

/* What was fetched is what otherwise is submitted. */
static void respond_fetched(struct h2_req *req, int status, const char *id)
{
	uint8_t bytes[CONTENT_SIZE], digest[SHA256_LEN];
	struct sapi_job job;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	fill_job(&job, JOB_COMPLETED, CONTENT_SIZE);
	strcpy(job.id, id);
	job.kind = JOB_FETCH;
	bytes[CONTENT_SIZE - 1] ^= !strcmp(id, BROKEN);
	sha256_once(bytes, sizeof(bytes), digest);
	sha256_hex(digest, job.sha256);
	body_respond(req, status, &sapi_job_schema, &job);
}

static void get_content(struct h2_req *req, void *arg)
{
	struct body_content c = { .size = CONTENT_SIZE, .type = "a/b", .sha256 = "" };
	const char *if_range = h2_req_header(req, "if-range");
	char sha256[SHA256_STR_LEN];

	(void)arg;
	/* Whatever it is compared with is right. */
	if (if_range && strlen(if_range) == SHA256_STR_LEN + 1) {
		snprintf(sha256, sizeof(sha256), "%.64s", if_range + 1);
		c.sha256 = sha256;
	}
	c.fd = open(content, O_RDONLY | O_CLOEXEC);
	body_respond_content(req, &c, NULL);
	close(c.fd);
}

static bool half_there; /* of the content of the next PUT */

static void post_job(struct h2_req *req, void *arg)
{
	struct sapi_job_submit submit;

	(void)arg;
	if (body_decode(req, &sapi_job_submit_schema, &submit))
		return;
	half_there = !strcmp(h2_req_header(req, "idempotency-key"), "again") &&
		     submit.print.copies == 2 && submit.print.sides == SIDES_LONG_EDGE &&
		     submit.print.color == COLOR_AUTO && !strcmp(submit.print.media, "a4");
	if (half_there)
		respond_job(req, 201, JOB_RECEIVING, HALF);
	else if (submit.kind == JOB_FETCH && !strcmp(submit.path, "in/content.pdf"))
		respond_fetched(req, 201, FETCHED);
	else if (strcmp(submit.device, "mfp-1"))
		h2_problem(req, 404, "unknown-device", "device %s is not registered",
			   submit.device);
	else if (!id_ok(h2_req_header(req, "idempotency-key")) || submit.size != CONTENT_SIZE ||
		 submit.kind != JOB_PRINT || strcmp(submit.name, "content.pdf") ||
		 strcmp(submit.media_type, "application/pdf") || submit.priority != 2)
		h2_problem(req, 400, "bad-request", "not what was submitted");
	else
		respond_job(req, 201, JOB_RECEIVING, 0);
}

static void put_content(struct h2_req *req, void *arg)
{
	const uint8_t *body;
	size_t i, len;

	const char *range = h2_req_header(req, "content-range");
	struct content_range r = { 0, CONTENT_SIZE, CONTENT_SIZE };

	(void)arg;
	body = h2_req_body(req, &len);
	if (range && content_range_parse(range, &r))
		r.from = CONTENT_SIZE + 1;
	if (r.from != (half_there ? HALF : 0) || r.to != CONTENT_SIZE) {
		h2_problem(req, 400, "bad-range", "not what is missing: %s", range ? range : "-");
		return;
	}
	half_there = false;
	for (i = r.from; i < r.to && i - r.from < len; i++)
		if (body[i - r.from] != (uint8_t)(i * 7))
			break;
	if (i != CONTENT_SIZE || len != r.to - r.from)
		h2_problem(req, 400, "bad-content", "differs at %zu", i);
	else
		respond_job(req, 200, JOB_QUEUED, len);
}

static void get_job(struct h2_req *req, void *arg)
{
	(void)arg;
	if (!strcmp(h2_req_param(req, "id"), FETCHED) || !strcmp(h2_req_param(req, "id"), BROKEN))
		respond_fetched(req, 200, h2_req_param(req, "id"));
	else if (strcmp(h2_req_param(req, "id"), JOB))
		h2_problem(req, 404, "unknown-job", "no job %s", h2_req_param(req, "id"));
	else
		respond_job(req, 200, JOB_COMPLETED, CONTENT_SIZE);
}

/* A line of an event may arrive in pieces. */
static void get_events(struct h2_req *req, void *arg)
{
	static const char *const parts[] = {
		"{\"time\":\"1970-01-01T00:00:01.000Z\",\"event\":\"received\",\"text\":\"\",",
		"\"path\":\"\",\"reason\":\"\"}\n{\"time\":\"1970-01-01T00:00:02.000Z\",",
		"\"event\":\"decision\",\"text\":\"moved \\u001b[2J\",\"path\":\"tunnel\","
		"\"reason\":\"tunnel-limit\",\"more\":1}\n",
	};
	size_t i;

	(void)arg;
	h2_start(req, 200, "application/x-ndjson");
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		h2_write(req, parts[i], strlen(parts[i]));
	h2_finish(req);
}

static void get_gateways(struct h2_req *req, void *arg)
{
	static const char body[] = "{\"gateways\":[{\"name\":\"gw1\",\"connected\":true,"
				   "\"address\":\"192.0.2.1:40000\",\"since\":\"\",\"new\":[]}]}\n";

	(void)arg;
	h2_respond(req, 200, "application/json", body, sizeof(body) - 1);
}

static void get_jobs(struct h2_req *req, void *arg)
{
	const char *state = h2_req_query(req, "state");

	(void)arg;
	if (state && !strcmp(state, "failed"))
		h2_respond(req, 500, "text/html", "<b>oops", 7);
	else
		h2_respond(req, 200, "application/json", "no json", 7);
}

static const struct h2_route routes[] = {
	{ "POST", "/v1/jobs", 0, 65536, 0, post_job },
	{ "GET", "/v1/jobs", 0, 0, 0, get_jobs },
	{ "PUT", "/v1/jobs/{id}/content", 0, 1 << 20, 0, put_content },
	{ "GET", "/v1/jobs/{id}", 0, 0, 0, get_job },
	{ "GET", "/v1/jobs/{id}/content", 0, 0, 0, get_content },
	{ "GET", "/v1/jobs/{id}/events", 0, 0, 0, get_events },
	{ "GET", "/v1/gateways", 0, 0, 0, get_gateways },
};

static const struct h2_router router = { routes, sizeof(routes) / sizeof(routes[0]), NULL };

/* One listener is enough for both roles: its certificate is a cloud's. */
static void serve(int ready)
{
	struct peer_listen_conf conf = {
		.address = "127.0.0.1:0",
		.roles = ROLE_BIT(ROLE_TERMINAL) | ROLE_BIT(ROLE_ADMIN),
		.routes = &router,
	};
	struct peer_listener *listener;
	struct loop *loop;

	if (loop_new(&loop))
		_exit(1);
	conf.tls = kit_ctx(dir, ROLE_CLOUD, "cloud1");
	if (peer_listen(loop, &conf, &listener, NULL))
		_exit(1);
	port = peer_listener_port(listener);
	if (write(ready, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	loop_run(loop);
	_exit(0);
}

static int setup(void **state)
{
	FILE *f;
	int fds[2], i;

	(void)state;
	dir = kit_dir_new();
	other_dir = kit_dir_new();
	kit_ca(dir);
	kit_ca(other_dir);
	kit_cert(dir, ROLE_TERMINAL, "alice", 3600);
	kit_cert(dir, ROLE_DEVICE, "mfp-1", 3600);
	kit_cert(other_dir, ROLE_TERMINAL, "alice", 3600);
	snprintf(content, sizeof(content), "%s/content.pdf", dir);
	f = fopen(content, "w");
	assert_non_null(f);
	for (i = 0; i < CONTENT_SIZE; i++)
		fputc(i * 7, f);
	fclose(f);
	assert_int_equal(pipe(fds), 0);
	server = fork();
	assert_true(server >= 0);
	if (!server)
		serve(fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &port, sizeof(port)), sizeof(port));
	close(fds[0]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	kit_dir_free(dir);
	kit_dir_free(other_dir);
	return 0;
}

/* ---- the command ---- */

static char printed[4096], errors[4096];
static size_t printed_size; /* of all that was printed */

/* Run @words with the credentials of @who in @from against @address. */
static int run_as(const char *from, const char *who, const char *address, unsigned int flags,
		  int (*command)(struct cli *c, struct args *a), const char *words)
{
	char copy[PATH_MAX + 200], cert[PATH_MAX + 80], key[PATH_MAX + 80], ca[PATH_MAX + 80];
	char *v[WORDS_MAX], *rest = copy, *word, *out = NULL;
	struct cli c = { .json = flags & OUT_JSON };
	size_t out_size = 0, err_size = 0;
	struct args a = { v, 0 };
	int status;

	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, " ")))
		if (*word && a.n < WORDS_MAX)
			v[a.n++] = word;
	snprintf(ca, sizeof(ca), "%s/ca.crt", from);
	snprintf(cert, sizeof(cert), "%s/%s.crt", from, who);
	snprintf(key, sizeof(key), "%s/%s.key", from, who);
	c.ca = ca;
	c.cert = cert;
	c.key = key;
	c.cloud = c.manager = address;
	c.output = open_memstream(&out, &out_size);
	c.errors = tmpfile();
	assert_non_null(c.output);
	assert_non_null(c.errors);
	c.out = out_new(c.output, flags);
	status = command(&c, &a);
	assert_int_equal(out_free(c.out), 0);
	fclose(c.output);
	snprintf(printed, sizeof(printed), "%s", out);
	printed_size = out_size;
	free(out);
	rewind(c.errors);
	err_size = fread(errors, 1, sizeof(errors) - 1, c.errors);
	errors[err_size] = '\0';
	fclose(c.errors);
	return status;
}

static int run(unsigned int flags, int (*command)(struct cli *c, struct args *a), const char *words)
{
	char address[32];

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	return run_as(dir, "terminal-alice", address, flags, command, words);
}

static void expect_error(const char *text)
{
	if (!strstr(errors, text) || strncmp(errors, "Error: ", 7))
		fail_msg("expected \"%s\", got \"%s\"", text, errors);
}

/* Of a job that the cloud has begun to receive, only the rest is sent. */
static void submit_again(void **state)
{
	char words[PATH_MAX + 160];

	(void)state;
	snprintf(
		words, sizeof(words),
		"submit %s --device mfp-1 --copies 2 --media a4 --sides two-sided-long-edge --color auto --idempotency-key again",
		content);
	assert_int_equal(run(0, cmd_job, words), CLI_OK);
	assert_non_null(strstr(errors, "content.pdf: 100% of 293K sent"));
	snprintf(words, sizeof(words), "submit %s --device mfp-1 --copies 0", content);
	assert_int_equal(run(0, cmd_job, words), CLI_USAGE);
	expect_error("--copies");
	snprintf(words, sizeof(words), "submit %s --device mfp-1 --kind store --copies 2", content);
	assert_int_equal(run(0, cmd_job, words), CLI_USAGE);
	expect_error("are for --kind print only");
}

static void submit(void **state)
{
	char words[PATH_MAX + 100];

	(void)state;
	snprintf(words, sizeof(words), "submit %s --device mfp-1 --priority 2", content);
	assert_int_equal(run(0, cmd_job, words), CLI_OK);
	assert_string_equal(printed, JOB " print queued device mfp-1 size 300000 delivered 0 name "
					 "\"content.pdf\"\n");
	assert_non_null(strstr(errors, "content.pdf: 100% of 293K sent"));

	snprintf(words, sizeof(words), "submit %s --device mfp-1 --priority 2 --wait", content);
	assert_int_equal(run(0, cmd_job, words), CLI_OK);
	assert_string_equal(printed, "job " JOB "\n"
				     "1970-01-01T00:00:01.000Z received\n"
				     "1970-01-01T00:00:02.000Z decision tunnel: moved  [2J "
				     "(tunnel-limit)\n" JOB " print completed device mfp-1 size "
				     "300000 delivered 0 name \"content.pdf\"\n");

	assert_int_equal(run(OUT_JSON, cmd_job, words), CLI_OK);
	assert_non_null(strstr(printed, "{\"id\":\"" JOB "\""));
	assert_null(strchr(printed, '\n')[1] ? printed : NULL); /* one line */
	assert_string_equal(errors, "");
}

static void assert_same_file(const char *path)
{
	char command[2 * PATH_MAX + 100];

	snprintf(command, sizeof(command), "cmp %s %s", content, path);
	assert_int_equal(system(command), 0);
}

static void put_part(const char *path, const char *bytes, size_t len)
{
	char part[PATH_MAX + 100];
	FILE *f;

	snprintf(part, sizeof(part), "%s." FETCHED ".part", path);
	f = fopen(part, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
}

static void fetching(void **state)
{
	char words[PATH_MAX + 200], path[PATH_MAX + 32], begin[1000];
	size_t i;

	(void)state;
	snprintf(path, sizeof(path), "%s/fetched", dir);
	snprintf(words, sizeof(words),
		 "submit --kind fetch --path in/content.pdf --device mfp-1 -o %s", path);
	assert_int_equal(run(0, cmd_job, words), CLI_OK);
	assert_same_file(path);
	assert_non_null(strstr(printed, FETCHED " fetch completed"));
	assert_non_null(strstr(errors, "100% of 293K received"));
	unlink(path);
	/* What is there already is not asked for again. */
	for (i = 0; i < sizeof(begin); i++)
		begin[i] = (char)(i * 7);
	put_part(path, begin, sizeof(begin));
	snprintf(words, sizeof(words), "content " FETCHED " -o %s", path);
	assert_int_equal(run(0, cmd_job, words), CLI_OK);
	assert_same_file(path);
	unlink(path);
	/* And what came has to be right in the end. */
	begin[5]++;
	put_part(path, begin, sizeof(begin));
	assert_int_equal(run(0, cmd_job, words), CLI_REFUSED);
	assert_non_null(strstr(errors, "Error: "));
	assert_non_null(strstr(errors, "another SHA-256"));
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(run(0, cmd_job, words), CLI_OK);
	assert_same_file(path);
	unlink(path);
	assert_int_equal(run(0, cmd_job, "content " FETCHED), CLI_OK);
	assert_int_equal(printed_size, CONTENT_SIZE);
	/* A stream cannot be taken back; the status and one message tell. */
	assert_int_equal(run(0, cmd_job, "content " BROKEN), CLI_REFUSED);
	assert_int_equal(printed_size, CONTENT_SIZE);
	assert_non_null(strstr(errors, "Error: job " BROKEN
				       ": the content on standard output: it has another SHA-256"));
	/* Never in place of what is no file. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(run(0, cmd_job, words), CLI_REFUSED);
	expect_error("is there already, and not a regular file");
	unlink(path);
	/* Only fetch jobs have something to give. */
	assert_int_equal(run(0, cmd_job, "content 00000000000000000000000000000000"), CLI_REFUSED);
	expect_error("unknown-job");
}

static void refused_by_the_server(void **state)
{
	char words[PATH_MAX + 100];

	(void)state;
	snprintf(words, sizeof(words), "submit %s --device none", content);
	assert_int_equal(run(0, cmd_job, words), CLI_REFUSED);
	expect_error(": device none is not registered (unknown-device)");
	assert_int_equal(run(0, cmd_job, "show ffffffffffffffffffffffffffffffff"), CLI_REFUSED);
	expect_error(": no job ffffffffffffffffffffffffffffffff (unknown-job)");
	/* Not a problem document, and not the JSON it should be. */
	assert_int_equal(run(0, cmd_job, "list --state failed"), CLI_REFUSED);
	expect_error(": answered with status 500");
	assert_int_equal(run(0, cmd_job, "list"), CLI_REFUSED);
	assert_int_equal(run(OUT_JSON, cmd_job, "list"), CLI_REFUSED);
	assert_string_equal(printed, "");
	assert_int_equal(run(0, cmd_job, "cancel " JOB), CLI_REFUSED);
	expect_error("(method-not-allowed)");
}

static void events(void **state)
{
	(void)state;
	assert_int_equal(run(OUT_JSON, cmd_job, "events " JOB), CLI_OK);
	assert_string_equal(printed,
			    "{\"time\":\"1970-01-01T00:00:01.000Z\",\"event\":\"received\","
			    "\"text\":\"\",\"path\":\"\",\"reason\":\"\"}\n"
			    "{\"time\":\"1970-01-01T00:00:02.000Z\",\"event\":\"decision\","
			    "\"text\":\"moved \\u001b[2J\",\"path\":\"tunnel\","
			    "\"reason\":\"tunnel-limit\",\"more\":1}\n");
}

/* The test's server has a cloud's certificate: as a manager it is refused. */
static void wrong_role(void **state)
{
	(void)state;
	assert_int_equal(run(0, cmd_gateway, "list"), CLI_REFUSED);
	expect_error("manager 127.0.0.1:");
	expect_error("peer is cloud 'cloud1'");
}

static void wrong_certificates(void **state)
{
	char address[32];

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	assert_int_equal(run_as(other_dir, "terminal-alice", address, 0, cmd_job, "list"),
			 CLI_REFUSED);
	expect_error("CA");
	assert_int_equal(run_as(dir, "device-mfp-1", address, 0, cmd_job, "list"), CLI_REFUSED);
	expect_error("cloud 127.0.0.1:");
	assert_int_equal(run_as(dir, "terminal-bob", address, 0, cmd_job, "list"), CLI_REFUSED);
	expect_error("terminal-bob.crt");
}

static void nobody_there(void **state)
{
	(void)state;
	assert_int_equal(run_as(dir, "terminal-alice", "127.0.0.1:1", 0, cmd_job, "list"),
			 CLI_REFUSED);
	expect_error("cloud 127.0.0.1:1: ");
	expect_error("onnection refused");
	assert_int_equal(run_as(dir, "terminal-alice", "nonsense", 0, cmd_job, "list"),
			 CLI_REFUSED);
	expect_error("cloud nonsense: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submit),
		cmocka_unit_test(submit_again),
		cmocka_unit_test(fetching),
		cmocka_unit_test(refused_by_the_server),
		cmocka_unit_test(events),
		cmocka_unit_test(wrong_role),
		cmocka_unit_test(wrong_certificates),
		cmocka_unit_test(nobody_there),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
