/* SPDX-License-Identifier: MIT
 *
 * sim/host.c - machines need memory of the host: how much it can still give, and what is done before it has none, so
 * that the kernel's OOM killer need not choose.
 *
 *   at the start   what is known to be needed is more than there is: the run is refused
 *   later          less than HOST_RESERVE is left: the machine that takes most stops with a line, and its RAM is given
 *                  back; the others go on
 *
 * What is there: MemAvailable of /proc/meminfo, or what the memory controller leaves this process if that is less: of
 * its cgroup and each above it, the limit less what is used, file cache that is not in use apart.
 *
 * Sources: proc(5); Linux Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current, memory.stat), cgroup-v1
 * memory.rst.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/internal.h"

#define HOST_RESERVE   (256ull << 20)
#define RESERVE_SHARE  16            /* of a small host: this part of all it has */
#define WORTH_STOPPING (16ull << 20) /* a machine that takes less is not what fills the host */
#define LOOK_MS        50
#define POOL_BYTES     (PTRS_PER_TABLE * 32ull) /* each 2M page that is set aside, or broken up: its frames' entries */

/* ---- what the host has ---- */

/* The number after `key` ("" : at the start) in a file of lines; ~0: it is not there, or no number ("max"). */
static u64 number_in(const char *root, const char *folder, const char *file, const char *key)
{
	char name[PATH_MAX], line[256];
	u64 value = ~0ull;
	FILE *f;

	if (snprintf(name, sizeof(name), "%s%s/%s", root, folder, file) >= (int)sizeof(name))
		return value;
	f = fopen(name, "re");
	while (f && value == ~0ull && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%lu", &value) != 1)
			value = ~0ull;
	if (f)
		fclose(f);
	return value;
}

static void cgroup_limit(struct sim_host *h, const char *root, const char *folder, const char *const files[3])
{
	u64 most, used, cache;

	most = number_in(root, folder, files[0], "");
	used = number_in(root, folder, files[1], "");
	cache = number_in(root, folder, "memory.stat", files[2]);
	if (most >= h->total || used == ~0ull)
		return;
	used -= cache == ~0ull ? 0 : min(used, cache);
	h->total = most;
	h->available = min(h->available, most - min(most, used));
}

/* The cgroup at `path` below `mount`, and all above it. */
static void cgroup_limits(struct sim_host *h, const char *root, const char *mount, char *path,
			  const char *const files[3])
{
	char folder[PATH_MAX], *slash;

	do {
		snprintf(folder, sizeof(folder), "%s%s", mount, path);
		cgroup_limit(h, root, folder, files);
		slash = strrchr(path, '/');
		if (slash)
			*slash = '\0';
	} while (slash);
}

struct sim_host sim_host_memory(const char *root)
{
	static const char *const v2[3] = {"memory.max", "memory.current", "inactive_file "};
	static const char *const v1[3] = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};
	u64 total = number_in(root, "/proc", "meminfo", "MemTotal:"),
	    free = number_in(root, "/proc", "meminfo", "MemAvailable:");
	struct sim_host h = {total == ~0ull ? total : total << 10, free == ~0ull ? free : free << 10};
	char name[PATH_MAX], line[1024];
	FILE *f;

	snprintf(name, sizeof(name), "%s/proc/self/cgroup", root);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *path = strrchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			cgroup_limits(&h, root, "/sys/fs/cgroup", path + 1, v2);
		else if (strstr(line, ":memory:"))
			cgroup_limits(&h, root, "/sys/fs/cgroup/memory", path + 1, v1);
	}
	if (f)
		fclose(f);
	return h;
}

static u64 reserve(const struct sim_host *h)
{
	return min(HOST_RESERVE, h->total / RESERVE_SHARE);
}

/* ---- at the start ---- */

/* Bytes of the host that a machine takes before its program begins; the rest grows with what the program uses. */
static u64 known_bytes(const struct machine_config *cfg)
{
	u64 broken = cfg->ram_bytes / PMD_SIZE * cfg->fragmentation / 1000;

	return (cfg->hugepages + broken) * POOL_BYTES + cfg->ram_bytes / PUD_SIZE * PAGE_SIZE;
}

bool sim_host_fits(const struct machine_config *cfg, unsigned nr, const struct sim_host *h, char err[256])
{
	u64 known = 0, most = 0;
	unsigned largest = 0;

	for (unsigned i = 0; i < nr; i++) {
		u64 bytes = known_bytes(&cfg[i]);

		known += bytes;
		if (bytes > most)
			largest = i;
		most = max(most, bytes);
	}
	if (known == 0 || (known < h->available && h->available - known >= reserve(h)))
		return true;
	snprintf(err, 256,
		 "the machines take %llu MiB of this host before the program begins (%.40s: %llu), and it has %llu "
		 "MiB; less ram=, hugepages= or fragmentation= takes less",
		 (unsigned long long)(known >> 20), cfg[largest].name, (unsigned long long)(most >> 20),
		 (unsigned long long)(h->available >> 20));
	return false;
}

/* ---- while it runs ---- */

/* What it takes, nearly: an entry of each frame in use, its tables, its slots. */
static u64 taken_bytes(const struct machine *m)
{
	struct vm_meminfo i;

	vm_meminfo(m->vm, &i);
	return (i.total_frames - i.free_frames) * 32 + i.table_frames * PAGE_SIZE + i.swap_peak * 16;
}

static void stop(struct machine *m, const struct sim_host *h, u64 taken)
{
	snprintf(
	    m->error, sizeof(m->error),
	    "this host has %llu MiB of memory left, and the machine took about %llu for %llu MiB of the program; fewer "
	    "machines at once, or a smaller program, take less",
	    (unsigned long long)(h->available >> 20), (unsigned long long)(taken >> 20),
	    (unsigned long long)(m->rss_pages * PAGE_SIZE >> 20));
	machine_stop(m);
}

void sim_watch_host(struct sim *s, const struct sim_host *h)
{
	struct machine *largest = NULL;
	u64 most = WORTH_STOPPING;

	if (h->available >= reserve(h))
		return;
	for_each_machine(s, m)
	{
		u64 taken = taken_bytes(m);

		if (taken < most)
			continue;
		most = taken;
		largest = m;
	}
	if (largest)
		stop(largest, h, most);
}

void sim_look_at_host(struct sim *s)
{
	struct timespec now;
	struct sim_host h;
	u64 ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	ms = (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
	if (!s->looked_at_host_ms) /* the machines are new: they have taken nothing yet */
		s->looked_at_host_ms = ms;
	if (ms - s->looked_at_host_ms < LOOK_MS)
		return;
	s->looked_at_host_ms = ms;
	h = sim_host_memory("");
	sim_watch_host(s, &h);
}
