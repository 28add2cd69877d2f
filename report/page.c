/* SPDX-License-Identifier: MIT
 *
 * report/page.c - pages are made of report/html/ when this is built, where node and the packages are.
 *
 *   run_head, play_head   all of the page up to its data
 *   data
 *   run_tail, play_tail   the script that draws it
 *
 * The data stands in a <script>, whose end is looked for without regard to what JSON is: so no '<' gets there. In JSON one
 * can only be in a text, where \u003c means the same.
 */
#include "report/page.h"

#include <errno.h>

#ifdef QUIRE_PAGE

#include "pages.h"

static const struct {
	const char *head, *tail;
	size_t head_bytes, tail_bytes;
} pages[] = {
    [PAGE_RUN] = {run_head, run_tail, sizeof(run_head), sizeof(run_tail)},
    [PAGE_PLAY] = {play_head, play_tail, sizeof(play_head), sizeof(play_tail)},
};

bool page_there(void)
{
	return true;
}

int page_write(FILE *out, enum page page, const char *data, size_t bytes)
{
	fwrite(pages[page].head, 1, pages[page].head_bytes, out);
	for (size_t i = 0; i < bytes; i++)
		if (data[i] == '<')
			fputs("\\u003c", out);
		else
			fputc(data[i], out);
	fwrite(pages[page].tail, 1, pages[page].tail_bytes, out);
	return fflush(out) == 0 && !ferror(out) ? 0 : -1;
}

#else

bool page_there(void)
{
	return false;
}

int page_write(FILE *out, enum page page, const char *data, size_t bytes)
{
	errno = ENOSYS;
	return -1;
}

#endif
