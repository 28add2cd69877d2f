/* SPDX-License-Identifier: MIT
 *
 * test/trace/place.c - the placement rule against this host's kernel: random mmap and munmap calls in this process,
 * whose address each was foretold. Runs itself again without randomisation first.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "play/probe.h"
#include "plugin/place.h"

#define TOP     0x7ffffffff000ull
#define MAX_MAP 300
#define OPS     20000

static struct place place;
static struct {
	u64 start, len;
} map[MAX_MAP];
static unsigned nr_maps;
static unsigned seed = 1;

static void read_own_maps(void)
{
	static char text[1 << 16];
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	for (char *line = text; *line; line++) {
		u64 start, end;

		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && end <= TOP)
			place_add(&place, start, end);
		while (*line != '\n')
			line++;
	}
}

static u64 random_len(void)
{
	static const u64 unit[] = {4096, 4096, 1 << 20, 2 << 20};

	return (1 + (u64)(rand_r(&seed) % 9)) * unit[rand_r(&seed) % 4];
}

/* Near something that is mapped, or anywhere: free or taken. */
static u64 random_hint(void)
{
	if (rand_r(&seed) % 3 || !nr_maps)
		return 0;
	return map[rand_r(&seed) % nr_maps].start + (u64)(rand_r(&seed) % 1024) * 4096;
}

static bool file_is_aligned(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == 0xef53 || fs.f_type == 0x58465342);
}

static void one_map(int fd)
{
	unsigned kind = rand_r(&seed) % 4; /* 0: file, 1: shared, else: private */
	struct place_request r = {.hint = random_hint(), .len = random_len()};
	int flags = kind == 1 ? MAP_SHARED : MAP_PRIVATE;
	void *got;

	r.anonymous = kind > 1;
	if (kind == 0) {
		r.offset = (u64)(rand_r(&seed) % 1024) * 4096;
		r.huge_file = file_is_aligned(fd);
	}
	got =
	    mmap((void *)r.hint, r.len, PROT_NONE, flags | (kind ? MAP_ANONYMOUS : 0), kind ? -1 : fd, (off_t)r.offset);
	assert_ptr_not_equal(got, MAP_FAILED);
	if ((u64)got != place_find(&place, &r))
		fail_msg("hint %#lx len %#lx offset %#lx kind %u: %#lx, foretold %#lx", r.hint, r.len, r.offset, kind,
			 (u64)got, place_find(&place, &r));
	place_add(&place, (u64)got, (u64)got + r.len);
	map[nr_maps].start = (u64)got;
	map[nr_maps++].len = r.len;
}

/* All of a map, or a part of it. */
static void one_unmap(void)
{
	unsigned i = (unsigned)rand_r(&seed) % nr_maps;
	u64 pages = map[i].len / 4096, from = 0, n = pages;

	if (rand_r(&seed) % 3 == 0) {
		from = (u64)rand_r(&seed) % pages;
		n = 1 + (u64)rand_r(&seed) % (pages - from);
	}
	assert_int_equal(munmap((void *)(map[i].start + from * 4096), n * 4096), 0);
	place_remove(&place, map[i].start + from * 4096, map[i].start + (from + n) * 4096);
	if (n == pages)
		map[i] = map[--nr_maps];
}

static void kernel_agrees(void **state)
{
	char name[] = "/tmp/quire-place-XXXXXX";
	int fd;

	if (host_has(PROBE_PLACE_2M_ANY))
		skip(); /* some Linuxes between 6.7 and 6.12 */
	fd = mkstemp(name);
	assert_true(fd >= 0);
	unlink(name);
	place_init(&place, 0x10000, TOP - (128ull << 20), TOP);
	place.huge_files = host_has(PROBE_THP);
	place.huge_anonymous = host_has(PROBE_PLACE_2M);
	read_own_maps();
	for (unsigned i = 0; i < OPS; i++) {
		if (nr_maps < MAX_MAP && (nr_maps == 0 || rand_r(&seed) % 5 < 3))
			one_map(fd);
		else
			one_unmap();
		if (i % 100 == 0)
			assert_true(gap_valid(&place.used));
	}
	place_destroy(&place);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(kernel_agrees)};
	struct rlimit stack;

	getrlimit(RLIMIT_STACK, &stack);
	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
		stack.rlim_cur = 8 << 20;
		setrlimit(RLIMIT_STACK, &stack);
		if (personality(ADDR_NO_RANDOMIZE) != -1 && (personality(0xffffffff) & ADDR_NO_RANDOMIZE))
			execv("/proc/self/exe", argv);
		puts("personality() is not allowed here: skipped");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
