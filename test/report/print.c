/* SPDX-License-Identifier: MIT
 *
 * test/report/print.c - prints a made-up run whose every counter is 1: `print-report text`, `print-report json`.
 */
#include <string.h>

#include "report/report.h"
#include "test/report/synthetic.h"

int main(int argc, char **argv)
{
	static struct synthetic syn;

	synthetic_init(&syn);
	for (unsigned i = 0; i < SYN_MACHINES; i++)
		for (u64 *p = (u64 *)&syn.machine[i].count; p < (u64 *)(&syn.machine[i].count + 1); p++)
			*p = 1;
	if (argc == 2 && strcmp(argv[1], "json") == 0)
		return report_json(stdout, &syn.result) ? 1 : 0;
	report_text(stdout, &syn.result);
	return 0;
}
