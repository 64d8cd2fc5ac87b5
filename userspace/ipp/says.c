// SPDX-License-Identifier: GPL-2.0-or-later
#include "ipp/says.h"

#include <stdio.h>
#include <string.h>

/* RFC 8011 5.3.7; the enum of libcups stays with those who talk. */
enum { PENDING = 3, HELD, PROCESSING, STOPPED, CANCELED, ABORTED, COMPLETED };

static const char *const states[] = {
	[PENDING] = "waits for its turn",
	[HELD] = "is held",
	[PROCESSING] = "is printed",
	[STOPPED] = "stands still",
	[CANCELED] = "was canceled at the printer",
	[ABORTED] = "was aborted by the printer",
	[COMPLETED] = "was printed",
};

/* What is seen most; others are understood as they are (RFC 8011 5.4.12, PWG 5100.9). */
static const struct {
	const char *keyword, *words;
} common[] = {
	{ "media-empty", "out of paper" },
	{ "media-needed", "paper is needed" },
	{ "media-jam", "paper jam" },
	{ "toner-empty", "out of toner" },
	{ "marker-supply-empty", "out of ink or toner" },
	{ "cover-open", "a cover is open" },
	{ "door-open", "a door is open" },
	{ "output-area-full", "the output tray is full" },
	{ "paused", "the printer is paused" },
};

static size_t without(const char *keyword, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && memcmp(keyword + len - n, suffix, n) == 0 ? len - n : len;
}

void says_add(struct says *says, const char *keyword)
{
	size_t len = strlen(keyword), used = strlen(says->reasons);
	const char *words = keyword;

	if (!strcmp(keyword, "none") || without(keyword, len, "-report") < len)
		return;
	len = without(keyword, without(keyword, len, "-error"), "-warning");
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		if (strlen(common[i].keyword) == len && !memcmp(common[i].keyword, keyword, len)) {
			words = common[i].words;
			len = strlen(words);
			break;
		}
	}
	snprintf(says->reasons + used, sizeof(says->reasons) - used, "%s%.*s", used ? ", " : "",
		 (int)len, words);
}

enum says_end says_end(const struct says *job)
{
	switch (job->state) {
	case CANCELED:
		return SAYS_CANCELED;
	case ABORTED:
		return SAYS_ABORTED;
	case COMPLETED:
		return SAYS_PRINTED;
	default:
		return SAYS_GOES_ON;
	}
}

void says_text(int number, const struct says *job, const struct says *printer, char *out,
	       size_t size)
{
	const char *state = job->state >= PENDING && job->state <= COMPLETED ?
				    states[job->state] :
				    "is in no known state";
	const struct says *who[] = { job, says_end(job) == SAYS_GOES_ON ? printer : NULL };
	int n = snprintf(out, size, "job %d %s", number, state);

	for (size_t i = 0; i < 2; i++) {
		const char *parts[] = { who[i] ? who[i]->reasons : "",
					who[i] ? who[i]->message : "" };

		for (size_t j = 0; j < 2; j++)
			if (parts[j][0] && n >= 0 && (size_t)n < size)
				n += snprintf(out + n, size - (size_t)n, ": %s", parts[j]);
	}
}
