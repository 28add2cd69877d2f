/* SPDX-License-Identifier: MIT
 *
 * test/report/said.c - made-up runs for the tests of the advice.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "report/report.h"
#include "test/report/said.h"

struct synthetic syn;
char advice[6000];
static char answer[2048];

static void say(void)
{
	synthetic_price(&syn);
	report_advice(advice, sizeof(advice), &syn.result);
	report_answer(answer, sizeof(answer), &syn.result);
}

void expect(const char *wanted)
{
	say();
	if (strstr(advice, wanted) == NULL)
		fail_msg("\"%s\" is not in: %s", wanted, advice);
}

void expect_not(const char *unwanted)
{
	say();
	if (strstr(advice, unwanted) != NULL)
		fail_msg("\"%s\" is in: %s", unwanted, advice);
}

void answers(const char *wanted)
{
	say();
	if (strstr(answer, wanted) == NULL)
		fail_msg("\"%s\" is not in: %s", wanted, answer);
}

void first(const char *wanted)
{
	say();
	if (strncmp(advice, wanted, strlen(wanted)) != 0)
		fail_msg("it does not begin with \"%s\": %s", wanted, advice);
}

void library(const char *path)
{
	snprintf(syn.region[REGION_FILE_TEXT].name, sizeof(syn.region[0].name), "%s", path);
}

void walks_in(unsigned region, u64 thp, u64 reserved)
{
	synthetic_init(&syn);
	if (region != REGION_FILE_TEXT)
		library("/lib/x86_64-linux-gnu/libc.so.6");
	synthetic_walks(&syn, SYN_4K, region, 10000000, 40);
	synthetic_walks(&syn, SYN_THP, region, thp, 40);
	synthetic_walks(&syn, SYN_2M, region, reserved, 40);
	synthetic_walks(&syn, SYN_1G, region, reserved, 40);
}

void zero_faults_in(unsigned region, u64 faults, u64 thp)
{
	synthetic_init(&syn);
	library("/lib/x86_64-linux-gnu/libc.so.6");
	for (unsigned i = 0; i < 4; i++) {
		u64 n = i == SYN_THP ? thp : faults;

		syn.machine[i].count.os.faults[VM_FAULT_ZERO_WRITE] = n;
		syn.machine[i].count.os.frames_cleared = faults;
		syn.machine[i].count.os.huge_cleared[0] = i == SYN_THP ? faults / 512 : 0;
		syn.region_result[i][region].faults = n;
	}
}

struct sim_machine_result *cure(enum machine_cure what)
{
	struct sim_machine_result *m = &syn.machine[syn.result.nr_machines + syn.result.nr_cures++];
	const struct cost_table costs = m->cost;
	struct sim_region_result *region = m->region;

	*m = syn.machine[SYN_4K];
	m->cost = costs;
	m->region = region;
	memcpy(region, syn.region_result[SYN_4K], sizeof(syn.region_result[0]));
	m->cfg.cure = (u8)what;
	return m;
}
