/* SPDX-License-Identifier: MIT
 *
 * test/mm/caught.h - for tests that break an invariant of vm_check() (mm/check.c) on purpose. After <cmocka.h>.
 */
#ifndef TEST_MM_CAUGHT_H
#define TEST_MM_CAUGHT_H

#include <stdio.h>
#include <string.h>

#include "test/mm/flat_hw.h"

/* vm_check() panics, with this number. */
static inline void assert_caught(int invariant, struct vm *vm)
{
	char want[40];
	jmp_buf jmp;

	snprintf(want, sizeof(want), "invariant %d:", invariant);
	flat_panic_jmp = &jmp;
	if (setjmp(jmp) == 0) {
		vm_check(vm);
		fail_msg("vm_check is content; wanted %s", want);
	}
	flat_panic_jmp = NULL;
	if (!strstr(flat_panic_text, want))
		fail_msg("wanted %s got: %s", want, flat_panic_text);
}

#endif
