/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printer_world: what tests of cloud/printer.h share: one job at a printer that does what the test wants (ippkit.h), and what
 * came of it.
 */
#ifndef SHUNT_TESTS_PRINTER_WORLD_H
#define SHUNT_TESTS_PRINTER_WORLD_H

#include <errno.h>
#include <fcntl.h>

#include "ippkit.h"

#include "cloud/http.h"
#include "cloud/printer.h"

#define SIZE (3u << 20)

struct world {
	struct loop *loop;
	struct http *http;
	struct ippkit kit;
	struct printer *printer;
	struct printer_conf conf;
	struct sapi_print print;
	int fd;
	bool done, waited, accepted, partial, withdrawn;
	enum printer_end end;
	char code[64], text[512], state[512];
	uint32_t number, numbers; /* last told, how often */
	uint64_t progress, wired;
	bool forget; /* do not keep numbers: the test does */
};

static void on_wire(uint64_t from, uint64_t to, void *arg)
{
	struct world *w = arg;

	assert_true(from < to && to <= SIZE);
	w->wired += to - from;
}

static void on_progress(uint64_t bytes, void *arg)
{
	struct world *w = arg;

	assert_true(bytes <= SIZE);
	w->progress = bytes;
}

static void on_number(uint32_t number, void *arg)
{
	struct world *w = arg;

	/* Nothing may be sent before it is on disk. */
	assert_int_equal(w->kit.fault.silent, 0);
	w->number = number;
	w->numbers++;
	if (!w->forget)
		printer_kept(w->printer, 0);
}

static void on_accepted(void *arg)
{
	struct world *w = arg;

	w->accepted = true;
}

static void on_partial(void *arg)
{
	struct world *w = arg;

	w->partial = true;
}

static void on_withdrawn(void *arg)
{
	struct world *w = arg;

	w->withdrawn = true;
}

static void on_state(bool waits, const char *text, void *arg)
{
	struct world *w = arg;

	w->waited = w->waited || waits;
	snprintf(w->state, sizeof(w->state), "%s", text);
}

static void on_done(enum printer_end end, const char *code, const char *text, void *arg)
{
	struct world *w = arg;

	w->done = true;
	w->end = end;
	w->printer = NULL;
	snprintf(w->code, sizeof(w->code), "%s", code);
	snprintf(w->text, sizeof(w->text), "%s", text);
}

static const struct printer_ops ops = {
	.on_wire = on_wire,
	.on_progress = on_progress,
	.on_number = on_number,
	.on_accepted = on_accepted,
	.on_partial = on_partial,
	.on_withdrawn = on_withdrawn,
	.on_state = on_state,
	.on_done = on_done,
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	FILE *f = tmpfile();
	struct err e = { 0 };
	size_t i;

	assert_int_equal(loop_new(&w->loop), 0);
	assert_int_equal(http_new(w->loop, NULL, &w->http, &e), 0);
	ippkit_start(&w->kit, w->loop);
	fputs("%PDF-1.7\n", f);
	for (i = 9; i < SIZE; i++)
		fputc((int)(i * 31 % 251), f);
	fflush(f);
	w->fd = dup(fileno(f));
	fclose(f);
	w->conf = (struct printer_conf){
		.loop = w->loop,
		.http = w->http,
		.port = w->kit.port,
		.path = "/ipp/print",
		.job = "0123456789abcdef0123456789abcdef",
		.name = "report.pdf",
		.type = "application/pdf",
		.owner = "alice",
		.print = &w->print,
		.fd = w->fd,
		.size = SIZE,
	};
	addr_parse("127.0.0.1", &w->conf.address);
	addr_parse("127.0.0.1", &w->conf.source);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	printer_free(w->printer);
	ippkit_stop(&w->kit);
	http_free(w->http);
	loop_free(w->loop);
	close(w->fd);
	free(w);
	return 0;
}

static void begin(struct world *w)
{
	w->done = false;
	assert_int_equal(printer_new(&w->conf, &ops, w, &w->printer), 0);
}

static void run(struct world *w)
{
	begin(w);
	kit_until(w->loop, &w->done);
}

static inline void assert_printed(const struct world *w)
{
	uint8_t *want = malloc(SIZE);

	assert_int_equal(w->kit.printed, 1);
	assert_int_equal(w->kit.page_len, SIZE);
	assert_int_equal(pread(w->fd, want, SIZE, 0), SIZE);
	assert_memory_equal(w->kit.page, want, SIZE);
	free(want);
}

static inline void assert_completed(const struct world *w)
{
	assert_int_equal(w->end, PRINTER_COMPLETED);
	assert_int_equal(w->progress, SIZE);
	assert_printed(w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
