/* SPDX-License-Identifier: MIT
 *
 * measure/words.c - what the figures mean, in sentences. Each threshold is stated where it is used.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cost/cost.h"
#include "machine/host.h"
#include "measure/measure.h"
#include "report/format.h"
#include "x86/paging.h"

/* A fault of its own kernel's is two to three times an exception, a system call and the clearing together (6,700 for
 * 2,700 on Zen 3); where 33,000 cycles were seen the hypervisor had its hand in each. */
#define TRAPPED 5
#define NOISY   1.5 /* the upper quartile to the least, of a quarter of all figures */

struct words {
	char **sentence;
	unsigned nr;
};

static __attribute__((format(printf, 2, 3))) void say(struct words *w, const char *format, ...)
{
	va_list args;

	if (w->nr == MAX_SENTENCES)
		return;
	va_start(args, format);
	if (vasprintf(&w->sentence[w->nr], format, args) >= 0)
		w->nr++;
	va_end(args);
}

/* 0: it was not measured. */
static double least(const struct measure *m, enum figure_id id)
{
	return series_least(&m->figure[id]);
}

static u64 whole(double x)
{
	return x > 0 ? (u64)(x + 0.5) : 0;
}

static u64 nanoseconds(const struct measure *m, double cycles)
{
	return whole(cycles / m->clock.core_hz * 1e9);
}

static void say_kpti(struct words *w, const struct measure *m)
{
	const struct host *h = &m->host;
	double call = least(m, FIG_SYSCALL);

	if (h->kpti == TRI_YES)
		say(w, "KPTI is on: each way into the kernel and out loads CR3 twice.");
	else if (h->kpti == TRI_NO)
		say(w, "KPTI is off (Meltdown, says the kernel: %s).", h->meltdown[0] ? h->meltdown : "nothing");
	else if (call > 0 && call < 2.0 * (double)cost_common(COST_CR3)->least)
		say(w, "KPTI is off: a system call of %lu cycles has no room for its two loads of CR3.", whole(call));
	else
		say(w, "Whether KPTI is on is not known: /proc/cpuinfo and /sys do not say, and %s.",
		    call > 0 ? "a system call is slow enough for its two loads of CR3" : "no system call was timed");
	if (h->pcid != TRI_UNKNOWN)
		say(w, "PCID %s: a change of address space %s. INVPCID %s.",
		    h->pcid == TRI_YES ? "is there" : "is not there",
		    h->pcid == TRI_YES ? "keeps TLB entries" : "empties the TLBs",
		    h->invpcid == TRI_YES ? "is there too" : "is not there");
}

static void say_faults(struct words *w, const struct measure *m)
{
	double fault = least(m, FIG_FAULT_WRITE), clear = least(m, FIG_CLEAR_4K), call = least(m, FIG_SYSCALL),
	       parts = (double)cost_common(COST_EXCEPTION)->most + clear + call, huge = least(m, FIG_FAULT_THP);

	if (fault > 0 && clear > 0 && call > 0 && fault > TRAPPED * parts)
		say(w,
		    "A first write to a 4K page costs %s cycles (%s), %.0f times an exception, a system call and the "
		    "clearing "
		    "together: %s.",
		    fmt_count(whole(fault)).s, fmt_time(nanoseconds(m, fault)).s, fault / parts,
		    m->host.is_virtual == TRI_YES
			? "the hypervisor takes part in page faults or in changes of page tables"
			: "something slows faults down (a debugging kernel, an emulator)");
	else if (fault > 0 && clear > 0 && call > 0)
		say(w, "A first write to a 4K page costs %s cycles (%s), %s of them for clearing it: %s.",
		    fmt_count(whole(fault)).s, fmt_time(nanoseconds(m, fault)).s, fmt_count(whole(clear)).s,
		    m->host.is_virtual == TRI_YES ? "the kernel takes its faults itself, no hypervisor traps them"
						  : "as on a machine of its own");
	if (fault > 0 && huge > 0)
		say(w, "A 2M page at its first write costs as much as %.0f of 4K; it brings 512 times the memory.",
		    huge / fault);
	if (least(m, FIG_FORK_PAGE) > 0 && least(m, FIG_FORK_THP_PAGE) > 0)
		say(w, "fork takes %s for each GiB in 4K pages, %s in 2M pages.",
		    fmt_time(nanoseconds(m, least(m, FIG_FORK_PAGE) * 262144)).s,
		    fmt_time(nanoseconds(m, least(m, FIG_FORK_THP_PAGE) * 512)).s);
}

/* "64 to 96", "at least 64" */
static struct fmt reach_text(struct tlb_level l)
{
	struct fmt f;

	if (l.most)
		snprintf(f.s, sizeof(f.s), "%u to %u", l.least, l.most);
	else
		snprintf(f.s, sizeof(f.s), "at least %u", l.least);
	return f;
}

static void say_reach(struct words *w, const struct measure *m)
{
	const struct tlb_found *t = &m->tlb;

	if (t->l1.least)
		say(w, "The L1 data TLB holds %s pages of 4K%s%s.", reach_text(t->l1).s,
		    t->l2.least ? ", the second level " : "", t->l2.least ? reach_text(t->l2).s : "");
	if (t->l2.least)
		say(w,
		    "A load that only the second level serves costs %.1f cycles more, one that neither does %.0f (a "
		    "little "
		    "past their reach) to %.0f (%s of 4K pages).",
		    t->l2_hit, t->walk_near, t->walk_far, fmt_bytes(t->far_lines * PAGE_SIZE).s);
	if (t->huge_l1.least)
		say(w, "Of 2M pages the L1 data TLB holds %s%s%s.", reach_text(t->huge_l1).s,
		    t->huge_l2.least ? ", the second level " : "", t->huge_l2.least ? reach_text(t->huge_l2).s : "");
}

/* "72 (as measured)" */
static struct fmt model_text(const struct tlb_level_config *level, struct tlb_level found)
{
	u32 entries = model_entries(level);
	struct fmt f;

	snprintf(f.s, sizeof(f.s), "%u (%s)", entries,
		 found.least == 0               ? "not measured"
		 : model_agrees(entries, found) ? "as measured"
		 : entries < found.least        ? "more measured"
						: "fewer measured");
	return f;
}

static void say_model(struct words *w, const struct measure *m)
{
	const struct cpu_preset *p = machine_host_cpu();
	struct cost_table t;

	if (p == NULL) {
		say(w, "quire cpus has no model of this CPU.");
		return;
	}
	if (m->tlb.l1.least)
		say(w, "quire run --cpu %s is the model of this CPU. Its TLBs hold %s and %s 4K pages.%s", p->name,
		    model_text(&p->l1d, m->tlb.l1).s, model_text(&p->l2, m->tlb.l2).s,
		    m->host.is_virtual == TRI_YES
			? " (In a virtual machine the second holds what the hypervisor's walks leave there, too.)"
			: "");
	cost_table_make(&t, p->name, NULL);
	if (m->tlb.walk_near > 0)
		say(w,
		    "An L2 TLB hit costs up to %lu cycles there (measured: %.1f), a walk's step up to %lu from the L2 "
		    "cache and %lu from L3 (a walk just past the reach: %.0f%s). The file that --save writes replaces "
		    "these.",
		    t.at[COST_L2_TLB_HIT].most, m->tlb.l2_hit, t.at[COST_WALK_L2].most, t.at[COST_WALK_L3].most,
		    m->tlb.walk_near - m->tlb.l2_hit,
		    m->host.is_virtual == TRI_YES ? ", the hypervisor's part in it" : "");
}

static void say_huge_pages(struct words *w, const struct measure *m)
{
	const struct tlb_found *t = &m->tlb;

	if (t->thp_share < 0)
		return;
	if (t->thp_share > BROKEN_UP)
		say(w,
		    "Huge pages are broken up%s: just past the reach of 4K pages 2M pages leave %.0f %% of what "
		    "translation "
		    "costs, where they would leave nothing%s. They shorten walks here; they do not make the TLBs reach "
		    "farther. (Such a machine is --machine thp,host-page=4k.)",
		    m->host.is_virtual == TRI_YES ? " by the hypervisor, which backs them with 4K pages" : "",
		    t->thp_share * 100, m->host.is_virtual == TRI_YES ? " on a machine of their own" : "");
	else
		say(w,
		    "Huge pages work: just past the reach of 4K pages 2M pages take away %.0f %% of what translation "
		    "costs.",
		    (1 - t->thp_share) * 100 > 100 ? 100 : (1 - t->thp_share) * 100);
	if (t->far_saved > 0)
		say(w, "At %s they save %.0f cycles of each load that waits for the one before.",
		    fmt_bytes(t->far_lines * PAGE_SIZE).s, t->far_saved);
}

static void say_noise(struct words *w, const struct measure *m)
{
	unsigned noisy = 0, all = 0;

	for (unsigned id = 0; id < FIG_NR; id++) {
		const struct series *s = &m->figure[id];

		if (s->nr < 2)
			continue;
		all++;
		noisy += series_quantile(s, 0.75) > NOISY * series_least(s);
	}
	if (all > 0 && noisy * 4 > all)
		say(w,
		    "This machine was busy: %u of %u figures spread by more than half between their batches (load %.1f "
		    "on %u "
		    "CPUs%s). The least of each is nearest to a quiet machine's.",
		    noisy, all, m->host.load < 0 ? 0 : m->host.load, m->host.cpus_online,
		    m->steal_share > 0.01 ? ", and the hypervisor gave CPU time to others" : "");
}

unsigned measure_words(const struct measure *m, char *sentence[MAX_SENTENCES])
{
	struct words w = {sentence, 0};

	if (m->host.emulated)
		say(&w,
		    "This machine is emulated: all figures are the emulator's, no CPU's. What follows would be their "
		    "meaning on one.");
	say_faults(&w, m);
	say_huge_pages(&w, m);
	say_reach(&w, m);
	say_model(&w, m);
	say_kpti(&w, m);
	if (m->counters.walks >= 0)
		say(&w, "Hardware counters are there: the JSON has TLB misses a load beside each point of the chases.");
	else
		say(&w, "No hardware counters: %s. All figures come from the clock.", m->counters.missing);
	say_noise(&w, m);
	return w.nr;
}
