/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * printer: hands one document to a printer in IPP (RFC 8011) and follows the job until it is over. The only owner of libcups here,
 * which blocks.
 *
 * Create-Job and Send-Document, each once, so that nothing is printed twice: what the printer says of the job decides. It may
 * take its time over paper, but not over answers: each question has a time limit, and so has a printer that has stopped
 * answering. A document that it is reading slowly has none.
 */
#ifndef SHUNT_IPP_PRINTER_H
#define SHUNT_IPP_PRINTER_H

#include "ipp/order.h"
#include "lib/err.h"

/*
 * Print @fd's content. @on_news gets a line whenever the printer says something new. SIGTERM and SIGINT, which the caller has
 * blocked, cancel the job at the printer within 4 s. 0: printed; -ECANCELED, -errno or -SHUNT_EREMOTE with @e.
 */
int printer_run(const struct order *order, int fd, void (*on_news)(const char *text),
		struct err *e);

#endif
