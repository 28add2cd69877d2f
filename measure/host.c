/* SPDX-License-Identifier: MIT
 *
 * measure/host.c - what the machine says of itself: /proc/cpuinfo, /sys, uname. Nothing of it must be there.
 */
#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/cpuid.h"
#include "measure/measure.h"

/* The first line of a file, without its end; "": there is none. */
static void first_line(const char *file, char *out, size_t n)
{
	FILE *f = fopen(file, "re");

	out[0] = '\0';
	if (f == NULL)
		return;
	if (fgets(out, (int)n, f) == NULL)
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

static bool has_word(const char *line, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = line; (at = strstr(at, word)) != NULL; at += n)
		if ((at == line || isspace((unsigned char)at[-1])) && (at[n] == '\0' || isspace((unsigned char)at[n])))
			return true;
	return false;
}

static enum tri tri(bool yes)
{
	return yes ? TRI_YES : TRI_NO;
}

static void take_flags(struct host *h, const char *flags)
{
	h->pcid = tri(has_word(flags, "pcid"));
	h->invpcid = tri(has_word(flags, "invpcid"));
	h->gbpages = tri(has_word(flags, "pdpe1gb"));
	h->tsc_constant = tri(has_word(flags, "constant_tsc"));
	h->is_virtual = tri(has_word(flags, "hypervisor"));
	h->kpti = tri(has_word(flags, "pti"));
}

/* The first processor's paragraph of /proc/cpuinfo. */
static void read_cpuinfo(struct host *h)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char *line = NULL, *value;
	size_t size = 0;

	h->kpti = h->pcid = h->invpcid = h->gbpages = h->tsc_constant = h->is_virtual = TRI_UNKNOWN;
	while (f && getline(&line, &size, f) > 1) {
		line[strcspn(line, "\n")] = '\0';
		value = strchr(line, ':');
		if (value == NULL)
			continue;
		value += strspn(value, ": \t");
		if (strncmp(line, "model name", 10) == 0)
			snprintf(h->cpu, sizeof(h->cpu), "%s", value);
		else if (strncmp(line, "vendor_id", 9) == 0)
			snprintf(h->vendor, sizeof(h->vendor), "%s", value);
		else if (strncmp(line, "flags", 5) == 0)
			take_flags(h, value);
	}
	free(line);
	if (f)
		fclose(f);
}

/* CPUID leaf 0x40000000: twelve characters of the hypervisor's name. They are only there when leaf 1 says so. */
static void read_hypervisor(struct host *h)
{
	static const struct {
		const char *signature, *name;
	} known[] = {{"KVMKVMKVM", "KVM"},
		     {"Microsoft Hv", "Hyper-V"},
		     {"VMwareVMware", "VMware"},
		     {"XenVMMXenVMM", "Xen"},
		     {"TCGTCGTCGTCG", "QEMU's emulation (TCG)"},
		     {"bhyve bhyve ", "bhyve"},
		     {"VBoxVBoxVBox", "VirtualBox"}};
	char signature[13] = "";
	struct cpuid who;

	if (!(cpuid(1, 0).ecx >> 31 & 1))
		return;
	h->is_virtual = TRI_YES;
	who = cpuid(0x40000000, 0);
	memcpy(signature, (u32[]){who.ebx, who.ecx, who.edx}, 12);
	snprintf(h->hypervisor, sizeof(h->hypervisor), "a hypervisor without a known name");
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(signature, known[i].signature) == 0)
			snprintf(h->hypervisor, sizeof(h->hypervisor), "%s", known[i].name);
	h->emulated = strcmp(signature, "TCGTCGTCGTCG") == 0;
}

static void read_thp(struct host *h)
{
	char line[64], *from;

	first_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line));
	from = strchr(line, '[');
	if (from != NULL && strchr(from, ']') != NULL)
		snprintf(h->thp, sizeof(h->thp), "%.*s", (int)strcspn(from + 1, "]"), from + 1);
	h->thp_off_here = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1;
}

/* Meltdown's file is the kernel's own word: "Mitigation: PTI", "Not affected", "Vulnerable". A guest of Xen's
 * paravirtual kind says "Unknown (XEN PV detected, hypervisor mitigation required)". */
static void read_meltdown(struct host *h)
{
	first_line("/sys/devices/system/cpu/vulnerabilities/meltdown", h->meltdown, sizeof(h->meltdown));
	if (strstr(h->meltdown, "PTI") != NULL)
		h->kpti = TRI_YES;
	else if (strncmp(h->meltdown, "Not affected", 12) == 0 && h->kpti == TRI_UNKNOWN)
		h->kpti = TRI_NO;
}

void host_read(struct host *h)
{
	struct utsname name;
	cpu_set_t set;
	char line[64];
	double load;

	read_cpuinfo(h);
	read_hypervisor(h);
	read_meltdown(h);
	read_thp(h);
	if (uname(&name) == 0)
		snprintf(h->kernel, sizeof(h->kernel), "%.64s", name.release);
	h->cpus_online = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	h->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : h->cpus_online;
	first_line("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", line, sizeof(line));
	h->pool_pages = (unsigned)strtoul(line, NULL, 10);
	h->load = getloadavg(&load, 1) == 1 ? load : -1;
}
