/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * problem: why a request to another party failed, in one sentence and one word.
 */
#ifndef SHUNT_CLOUD_PROBLEM_H
#define SHUNT_CLOUD_PROBLEM_H

#include "lib/h2.h"
#include "lib/sapi.h"

struct problem {
	int status; /* HTTP status; 0: no answer came */
	char code[SAPI_REASON_LEN]; /* the party's word, or ours: "no-answer", "http-NNN" */
	char text[SAPI_TEXT_LEN]; /* "gateway gw1: ..." */
};

/*
 * 0 for an answer with a 2xx status; else -SHUNT_EREMOTE (it refused) or the transport's error,
 * with @p filled. @who names the party in the sentence.
 */
int problem_of_reply(const struct h2_reply *reply, const char *who, struct problem *p);

#endif
