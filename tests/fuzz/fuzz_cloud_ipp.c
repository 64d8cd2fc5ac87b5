// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a printer answers: read as the answer to each of our questions, and what follows from it. Whatever it is, it is
 * read in bounded memory, and nothing in it is more than it may be.
 */
#include <assert.h>
#include <string.h>

#include "cloud/ipp.h"
#include "cloud/ticket.h"
#include "cloud/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(const struct ipp_words *w)
{
	size_t i;

	assert(w->n <= IPP_WORDS_MAX);
	for (i = 0; i < w->n; i++)
		assert(w->v[i][0] && strlen(w->v[i]) < IPP_WORD_LEN && ipp_words_have(w, w->v[i]));
}

static void printer(const uint8_t *data, size_t size)
{
	static const struct sapi_print print = { 2, "a4", SIDES_LONG_EDGE, COLOR_MONOCHROME };
	struct ticket_refusal why;
	struct ipp_status status;
	struct ipp_printer p;
	struct ticket ticket;
	struct ipp_job job = { .state = 5 };
	char text[SAPI_TEXT_LEN];

	if (ipp_printer_read(data, size, &status, &p, NULL))
		return;
	words(&p.reasons);
	words(&p.formats);
	words(&p.media);
	words(&p.sides);
	words(&p.colors);
	if (!ticket_make(&p, "application/octet-stream", data, size, &print, &ticket, &why))
		assert(ipp_words_have(&p.formats, ticket.format) &&
		       ipp_words_have(&p.media, ticket.media));
	verdict_waits(NULL, &p);
	verdict_text(text, sizeof(text), &job, &p);
	assert(strlen(text) < sizeof(text));
	ipp_printer_fini(&p);
}

static void job(const uint8_t *data, size_t size, bool many)
{
	struct verdict_known known = { .size = 1 << 20 };
	struct ipp_status status;
	struct ipp_job job;
	char text[64];
	int bits;

	if (many ? ipp_jobs_read(data, size, ticket_is_ours, "0123456789abcdef", &status, &job,
				 NULL) :
		   ipp_job_read(data, size, &status, &job, NULL))
		return;
	assert(job.id >= 0 && (!many || !job.id || strstr(job.name, "[0123456789abcdef]")));
	words(&job.reasons);
	for (bits = 0; bits < 16; bits++) {
		known.accepted = bits & 1;
		known.all_sent = bits & 2;
		known.withdrawn = bits & 4;
		known.none_sent = bits & 8;
		/* Never again what the printer confirmed, or of which it says that some was printed. */
		if (verdict_of(&job, &known) == VERDICT_AGAIN)
			assert(!known.accepted && job.impressions <= 0 && job.sheets <= 0 &&
			       (!job.impressions || !job.sheets ||
				(known.none_sent && !job.documents)));
	}
	verdict_text(text, sizeof(text), &job, NULL);
	ipp_job_fini(&job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipp_status status;

	if (!ipp_status_read(data, size, &status, NULL))
		assert(strlen(status.text) < sizeof(status.text));
	printer(data, size);
	job(data, size, false);
	job(data, size, true);
	return 0;
}
