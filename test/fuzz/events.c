/* SPDX-License-Identifier: MIT
 *
 * test/fuzz/events.c - events.h, done.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test/fuzz/events.h"
#include "trace/ring_internal.h"

#define A         0x7fff00000000ull
#define HEAP      0x555555560000ull
#define STACK_TOP 0x7ffffffff000ull
#define MIB       (1ull << 20)
#define STORM     20000
#define MAX_PAGES 512 /* that an input's events bring in */
#define MAX_RAM   (12 * MIB)

/* ---- events ---- */

static void put(struct events *f, unsigned i, unsigned type, u64 arg, const u64 *payload, unsigned n)
{
	u64 words[SIM_MAX_WORDS] = {ev_long_make(type, n, arg)};

	memcpy(words + 1, payload, n * sizeof(u64));
	if (!f->ring[i] || f->put[i] + n + 1 > WORDS)
		return;
	f->put[i] += n + 1;
	ring_put(f->ring[i], words, n + 1);
}

static void put_one(struct events *f, unsigned i, u64 word)
{
	if (!f->ring[i] || f->put[i] + 1 > WORDS)
		return;
	f->put[i]++;
	ring_put1(f->ring[i], word);
}

/* Of program number `which`. */
static void put_exec(struct events *f, unsigned i, u64 which)
{
	u64 exec[EV_PAYLOAD_WORDS(struct ev_exec) + 1] = {STACK_TOP, which & 1, which, which ? 'a' + which : 0};
	u64 stack[] = {STACK_TOP - 0x21000,
		       0x21000,
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
		       0,
		       0,
		       0,
		       0,
		       8 * MIB};
	u64 done[] = {STACK_TOP - 512, STACK_TOP - 512, 256, 0, 0, 0, 0, HEAP};

	put(f, i, EV_EXEC, 0, exec, ARRAY_SIZE(exec));
	put(f, i, EV_MAP, EVM_EXEC | EVM_STACK, stack, ARRAY_SIZE(stack));
	put(f, i, EV_EXEC_DONE, 0, done, ARRAY_SIZE(done));
}

/* Two threads of process 100, and its child 200. */
void events_begin(struct events *f)
{
	static const u64 who[3][3] = {{100, 100, 0}, {100, 101, 0}, {200, 200, 100}};
	u64 fork[] = {200, 0};

	for (unsigned i = 0; i < ARRAY_SIZE(who); i++)
		put(f, i, EV_THREAD, 0, who[i], 3);
	put_exec(f, 0, 0);
	put(f, 0, EV_FORK, 0, fork, 2);
}

static u64 address(struct events *f)
{
	u64 b = bytes_take(&f->in, 2);

	switch (b & 7) {
	case 0:
		return HEAP + (b >> 3 & 0xff) * PAGE_SIZE;
	case 1:
		return STACK_TOP - (1 + (b >> 3)) * PAGE_SIZE;
	case 2:
		return A + (b >> 3 & 15) * 2 * MIB;
	default:
		return A + (b >> 3 & 0xfff) * PAGE_SIZE;
	}
}

/* What an event may bring in of so many bytes: an input has a share of pages, since libFuzzer keeps what reaches something
 * new, and that is what works most. */
static u64 brought(struct events *f, u64 bytes)
{
	u64 pages = min(bytes >> PAGE_SHIFT, f->pages_left);

	f->pages_left -= pages;
	return pages << PAGE_SHIFT;
}

static u64 length(struct events *f)
{
	u64 b = bytes_take(&f->in, 1);

	return b >= 0xf0 ? (1 + (b & 1)) * 2 * MIB : (b & 0x3f) * PAGE_SIZE;
}

static void put_map(struct events *f, unsigned i)
{
	static const u64 offsets[] = {0,          0,         0, 4 * PAGE_SIZE, 1ull << 44, (1ull << 44) + PAGE_SIZE,
				      1ull << 62, 1ull << 63};
	u64 kind = bytes_take(&f->in, 1), name = 0x612f;
	bool file = kind & 2;
	u64 offset = file ? offsets[bytes_take(&f->in, 1) & 7] : 0;
	u64 p[10] = {address(f),
		     length(f),
		     kind >> 5,
		     (kind & 1 ? MAP_SHARED : MAP_PRIVATE) | (file ? 0 : MAP_ANONYMOUS) | (kind & 4 ? MAP_POPULATE : 0),
		     file,
		     file * (1 + (kind >> 3 & 3)),
		     offset,
		     file * (offset + length(f)),
		     0,
		     name};

	if (kind & 4)
		p[1] = brought(f, p[1]);
	put(f, i, EV_MAP, kind == 0xff ? EVM_EXEC : 0, p, file ? 10 : 9);
}

/* A clock, as a producer does it, or any: late, early, far off. */
static void put_clock(struct events *f, unsigned i)
{
	u64 b = bytes_take(&f->in, 1), tick = b & 0x80 ? bytes_take(&f->in, 8) : f->clock + (b & 7);

	if (b & 0x40)
		tick = ++f->clock;
	put(f, i, EV_CLOCK, 0, &tick, 1);
}

static void put_counts(struct events *f, unsigned i)
{
	struct ev_counts *c = &f->counts[i];

	c->instructions += bytes_take(&f->in, 2) << 8;
	c->data_accesses += bytes_take(&f->in, 1);
	put(f, i, EV_COUNTS, 0, (const u64 *)c, EV_PAYLOAD_WORDS(*c));
}

static void put_enters(struct events *f, unsigned i)
{
	static const u64 strides[] = {1, 1, 16, 512};
	u64 b = bytes_take(&f->in, 1), va = address(f);

	for (u64 k = 0; k <= (b & 15) && brought(f, PAGE_SIZE); k++, va += strides[b >> 4 & 3] * PAGE_SIZE)
		put_one(f, i,
			b >> 6 == 3 ? ev_enter_make(va >> PAGE_SHIFT, EV_WINDOW + k % 16, EVR_FETCH)
				    : ev_enter_make(va >> PAGE_SHIFT, k % 16, 1 + (b >> 6)));
}

static void put_range(struct events *f, unsigned i, unsigned type, u64 arg)
{
	u64 p[] = {address(f), length(f)};

	if (type == EV_TOUCH || type == EV_ADVISE || type == EV_LOCK)
		p[1] = brought(f, p[1]);
	put(f, i, type, arg, p, 2);
}

static void put_remap(struct events *f, unsigned i)
{
	u64 p[] = {address(f), length(f), address(f), length(f), bytes_take(&f->in, 1) & 7};

	put(f, i, EV_REMAP, 0, p, 5);
}

/* A system call in which the thread may sleep; after it, that it did, or anything else. */
static void put_wait(struct events *f, unsigned i)
{
	u64 b = bytes_take(&f->in, 1);

	if (b & 1)
		put(f, i, EV_SYSCALL, EVS_WAITS, (const u64[]){0}, 0);
	if (b & 2)
		put(f, i, EV_SLEPT, b << 16, (const u64[]){0}, 0);
	if (b & 4)
		put(f, i, EV_THP_DISABLE, b >> 5, (const u64[]){0}, 0);
	if (b & 8)
		put(f, i, EV_REFUSED, 0, (const u64[]){28, b, 22}, 3);
}

/* Somebody writes over counters, wills, states, words: once, or (a storm) again and again, with what was there in turn.
 * The hub's head is where that does most. */
static void poke(struct events *f)
{
	u64 at = bytes_take(&f->in, 2), value = bytes_take(&f->in, 1), was;
	unsigned times = f->storms && value & 0x40 ? STORM : 1, bytes = at & 0x8000 ? 8 : 4;

	if (value & 0x80)
		value = bytes_take(&f->in, 8);
	if (!f->pokes)
		return;
	at = ALIGN_DOWN(at & 0x8000 ? at * 8 % (f->poke_bytes - 8) : at * 4 % 4096, 4ull);
	memcpy(&was, f->poke + at, bytes);
	for (unsigned i = 0; i < times; i++) {
		memcpy(f->poke + at, i & 1 ? &was : &value, bytes);
		__asm__ volatile("" ::: "memory");
	}
}

static void close_ring(struct events *f, unsigned i)
{
	if (f->ring[i])
		ring_close(f->ring[i]);
	f->ring[i] = NULL;
}

static void who_event(struct events *f, unsigned i, u64 b)
{
	u64 p[] = {100 * (1 + (b & 3)), 100 + (b & 15), b & 0x40 ? 100 * (b >> 4 & 3) : 0};

	if (b & 0x80)
		put(f, i, EV_THREAD, 0, p, 3);
	else
		put(f, i, EV_FORK, 0, (const u64[]){p[0], b >> 5 & 1}, 2);
}

/* All at once is as many pages as there is memory: what is left of the input's share, and at least half of it. */
static void put_lock(struct events *f, unsigned i)
{
	u64 how = bytes_take(&f->in, 1) & 31;

	if (how & EVL_ALL && f->pages_left < MAX_PAGES / 2)
		how &= ~(u64)EVL_ALL;
	if (how & EVL_ALL)
		f->pages_left = 0;
	put_range(f, i, EV_LOCK, how);
}

bool events_next(struct events *f)
{
	u64 op = bytes_take(&f->in, 1);
	unsigned i = op >> 5 & (RINGS - 1);

	switch (op & 31) {
	case 0:
	case 1:
	case 2:
	case 3:
		put_enters(f, i);
		break;
	case 4:
	case 5:
		put_map(f, i);
		break;
	case 6:
		put_range(f, i, EV_UNMAP, 0);
		break;
	case 7:
		put_range(f, i, EV_PROTECT, bytes_take(&f->in, 1) & 15);
		break;
	case 8:
		put_range(f, i, EV_ADVISE, bytes_take(&f->in, 1) & 31);
		break;
	case 9:
		put_range(f, i, EV_TOUCH, bytes_take(&f->in, 1) & 3);
		break;
	case 10:
		put(f, i, EV_BRK, 0, (const u64[]){HEAP, length(f)}, 2);
		break;
	case 11:
		put_remap(f, i);
		break;
	case 12:
		who_event(f, i, bytes_take(&f->in, 1));
		break;
	case 13:
	case 14:
		put_clock(f, i);
		break;
	case 15:
		put_counts(f, i);
		break;
	case 16:
		put(f, i, EV_SYSCALL, bytes_take(&f->in, 1), (const u64[]){0}, 0);
		break;
	case 17:
		put(f, i, EV_EXIT, bytes_take(&f->in, 1) & 3, (const u64[]){0}, 1);
		break;
	case 18:
		put_exec(f, i, op >> 5);
		break;
	case 19:
		close_ring(f, i);
		break;
	case 20:
		poke(f);
		break;
	case 21:
		put_one(f, i, bytes_take(&f->in, 8));
		break;
	case 22:
		put_range(f, i, EV_SYNC, bytes_take(&f->in, 1) & 7);
		break;
	case 23:
		put(f, i, EV_FILE_SIZE, 0, (const u64[]){1, 1 + (op >> 7), length(f)}, 3);
		break;
	case 24:
		put(f, i, EV_FILE_HOLE, 0, (const u64[]){1, 1 + (op >> 7), length(f), length(f)}, 4);
		break;
	case 25:
		put_wait(f, i);
		break;
	case 26:
		put_lock(f, i);
		break;
	case 27:
		put(f, i, EV_HOLD, 0, (const u64[]){address(f), length(f), 1, 9}, 4);
		break;
	case 28:
		put(f, i, EV_DRAIN, 0, (const u64[]){1, 9, length(f)}, 3);
		break;
	default:
		return false;
	}
	return true;
}

/* ---- the hub ---- */

/* Made once: both sides have forgotten all when an input begins, as with a new one. */
void events_open(struct events *f)
{
	static struct ring_hub *hub, *producer;
	static u8 *fresh;
	int fd;

	if (!hub) {
		hub = ring_hub_create(RINGS, WORDS, &fd);
		MUST(hub);
		producer = ring_hub_attach(fd, NULL);
		MUST(producer);
		fresh = malloc(hub->bytes);
		MUST(fresh);
		memcpy(fresh, hub->shared, hub->bytes);
	}
	memcpy(hub->shared, fresh, hub->bytes);
	memset(hub->ring, 0, RINGS * sizeof(*hub->ring));
	f->hub = hub;
	f->producer = producer;
	f->poke = (u8 *)producer->shared;
	f->poke_bytes = producer->bytes;
	f->pages_left = MAX_PAGES;
	for (unsigned i = 0; i < RINGS; i++)
		f->ring[i] = ring_open(f->producer, getpid(), getpid());
}

void events_end(struct events *f)
{
	for (unsigned i = 0; i < RINGS; i++)
		close_ring(f, i);
}

/* ---- machines ---- */

#define B4K (1u << MMU_4K)
#define ALL (B4K | 1u << MMU_2M | 1u << MMU_1G)
#define ARRAY(sizes_, sets_, ways_, replace_)                                                                          \
	{                                                                                                              \
		.sizes = (sizes_), .sets = (sets_), .ways = (ways_), .replace = (replace_)                             \
	}

/* No CPU: so small that a flush costs a fuzzer nothing, and every array overflows. */
static const struct cpu_preset tiny = {
    .name = "tiny",
    .title = "for fuzzing",
    .l1i = {{ARRAY(ALL, 1, 4, MMU_LRU)}},
    .l1d = {{ARRAY(B4K, 2, 4, MMU_TREE_PLRU), ARRAY(ALL & ~B4K, 1, 4, MMU_LRU)}},
    .l2 = {{ARRAY(ALL, 4, 4, MMU_LRU)}},
    .psc = {.entries = {[2] = 4, [3] = 2, [4] = 2}},
    .pcid = true,
};

struct sim *events_sim(unsigned how)
{
	static const char *names[] = {"4k,ram=6M,swap=8M", "thp,ram=8M,swap=8M,reclaim=mglru,cpus=2",
				      "4k,ram=8M,swap=4M,kpti=on,pcid=off,cpus=1",
				      "2m,ram=12M,swap=4M,kpti=on,reclaim=clock"};
	static const char *const some[] = {"[b-e]"};
	unsigned nr = how & 16 ? 2 : 1;
	static _Alignas(PAGE_SIZE) u8 ram[2][MAX_RAM]; /* the last run's bytes are still in it */
	struct machine_config cfg[2];
	char err[256], text[128];
	struct sim *s;

	for (unsigned i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "%s,check=2,oracle=1", names[(how + i) % ARRAY_SIZE(names)]);
		MUST(machine_parse(text, NULL, &cfg[i], err) == 0);
		cfg[i].preset = &tiny;
		cfg[i].ram = ram[i];
	}
	s = sim_create(cfg, nr);
	MUST(s);
	if (how & 32)
		sim_select(s, some, 1, NULL, 0);
	return s;
}

void events_check(struct sim *s)
{
	struct sim_result r;

	sim_finish(s, &r);
	for (unsigned i = 0; i < s->nr_machines; i++) {
		struct machine *m = &s->machine[i];
		struct vm_meminfo info;

		vm_meminfo(m->vm, &info);
		MUST(m->error[0] || s->processes || (info.anon_frames == 0 && info.file_mapped == 0));
		MUST(info.swap_used <= info.swap_peak && info.swap_peak <= info.swap_slots);
	}
	if (s->nr_only == 0)
		return;
	sim_restart(s);
	sim_finish(s, &r);
	MUST(r.program.instructions == 0 && r.program.syscalls == 0 && r.nr_regions == 0);
}
