/* SPDX-License-Identifier: MIT
 *
 * machine/host.c - which preset the CPU that runs this is, and how this Linux is set.
 *
 * Only CPUs whose CPUID dumps the presets cite are taken for them: InstLatx64's 0050654 and 0050657 (Skylake-SP, Cascade
 * Lake), 00606A6 (Ice Lake-SP), 00806F8 and 00C06F2 (Sapphire, Emerald Rapids), 0830F10 (Rome), 0A00F11 (Milan), 0A10F11
 * (Genoa), 0B00F21 (Turin). Of those the stepping is left open. A hypervisor may show another signature (seen: a Granite Rapids that says
 * it is a Rocket Lake), but a CPU with AMX is Sapphire Rapids or one of its successors, which have its TLBs (Granite
 * Rapids' CPUID 00A06D1).
 */
#include "machine/host.h"

#include <stdio.h>
#include <string.h>

#include "lib/cpuid.h"

#define CPUID_PCID       (1u << 17) /* leaf 1, ECX */
#define CPUID_HYPERVISOR (1u << 31)
#define CPUID_AMX_TILE   (1u << 24) /* leaf 7, EDX */

static const struct {
	u32 signature; /* CPUID leaf 1 EAX, stepping 0 */
	const char *preset;
} cpus[] = {
    {0x50650, "skylake"}, {0x606a0, "icelake"}, {0x806f0, "goldencove"}, {0xc06f0, "goldencove"},
    {0x830f10, "zen2"},   {0xa00f10, "zen3"},   {0xa10f10, "zen4"},      {0xb00f20, "zen5"},
};

const struct cpu_preset *machine_host_cpu(void)
{
	u32 signature = cpuid(1, 0).eax & ~15u;

	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++)
		if (signature == cpus[i].signature)
			return cpu_preset_find(cpus[i].preset);
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).edx & CPUID_AMX_TILE ? cpu_preset_find("goldencove") : NULL;
}

/* The first line of root's file; false: there is none. */
static bool read_line(const char *root, const char *file, char line[128])
{
	char path[4096];
	FILE *f;
	bool got;

	snprintf(path, sizeof(path), "%s%s", root, file);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	got = fgets(line, 128, f) != NULL;
	fclose(f);
	return got;
}

/* Meltdown's file is missing where Linux is older than the bug, which then does nothing about it. */
struct machine_host machine_host_read(const char *root)
{
	struct machine_host h = {0};
	char line[128];
	u32 ecx = cpuid(1, 0).ecx;

	h.pcid = ecx & CPUID_PCID;
	h.is_virtual = ecx & CPUID_HYPERVISOR;
	h.kpti =
	    read_line(root, "/sys/devices/system/cpu/vulnerabilities/meltdown", line) && strstr(line, "PTI") != NULL;
	h.known = read_line(root, "/sys/kernel/mm/transparent_hugepage/enabled", line);
	if (!h.known)
		return h;
	h.thp = strstr(line, "[always]") ? VM_THP_ALWAYS : strstr(line, "[madvise]") ? VM_THP_MADVISE : VM_THP_NEVER;
	return h;
}
