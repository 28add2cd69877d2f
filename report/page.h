/* SPDX-License-Identifier: MIT
 *
 * report/page.h - data in a page that shows it: one file that needs nothing else.
 */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include <stdio.h>

#include "lib/types.h"

enum page { PAGE_RUN, PAGE_PLAY };

/* This quire was built with the pages. */
bool page_there(void);
/* data: JSON. Returns 0 or -1 with errno. */
int page_write(FILE *out, enum page page, const char *data, size_t bytes);

#endif
