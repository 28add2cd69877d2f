/* SPDX-License-Identifier: MIT
 *
 * test/machine/config.c - machines and sizes in words: what is right is understood, what is wrong is named.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/device.h"
#include "machine/host.h"
#include "sim/sim.h"

static void sizes(void **state)
{
	static const struct {
		const char *text;
		u64 bytes;
	} right[] = {
	    {"0", 0},
	    {"1048576", 1048576},
	    {"64K", 65536},
	    {"64M", 67108864},
	    {"4G", 4294967296},
	    {"4g", 4294967296},
	    {"1T", 1099511627776},
	    {"18446744073709551615", ~0ull},
	    {"16777215T", 16777215ull << 40},
	};
	static const char *const wrong[] = {
	    "", "M", "-1", "4GB", "4 G", " 4G", "0x10", "4.5G", "18446744073709551616", "16777216T", "1P", "1\v", "1@",
	};
	u64 bytes;

	for (unsigned i = 0; i < ARRAY_SIZE(right); i++) {
		assert_int_equal(machine_size_parse(right[i].text, &bytes), 0);
		assert_int_equal(bytes, right[i].bytes);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		bytes = 42;
		if (machine_size_parse(wrong[i], &bytes) == 0)
			fail_msg("'%s' was taken for a size", wrong[i]);
		assert_int_equal(bytes, 42);
	}
}

static struct machine_config parsed(const char *text)
{
	struct machine_config c;
	char err[256];

	if (machine_parse(text, NULL, &c, err) != 0)
		fail_msg("%s: %s", text, err);
	assert_string_equal(c.name, text);
	return c;
}

static void names(void **state)
{
	struct machine_config c = parsed("4k");

	assert_int_equal(c.thp, VM_THP_NEVER);
	assert_int_equal(c.anon_order, 0);
	assert_string_equal(c.preset->name, "zen3");
	assert_true(c.pcid && !c.pagecache_cold);
	assert_true(c.ram_bytes >= 1ull << 30 && c.ram_bytes <= 16ull << 30);
	assert_int_equal(parsed("thp").thp, VM_THP_ALWAYS);
	assert_int_equal(parsed("madvise").thp, VM_THP_MADVISE);
	assert_int_equal(parsed("2m").anon_order, 9);
	assert_int_equal(parsed("1g").anon_order, 18);
}

static void keys(void **state)
{
	struct machine_config c = parsed("4k,cpu=skylake,thp=madvise,ram=64M,pcid=off");

	assert_string_equal(c.preset->name, "skylake");
	assert_int_equal(c.thp, VM_THP_MADVISE);
	assert_int_equal(c.ram_bytes, 64 << 20);
	assert_false(c.pcid);
	assert_false(c.pagecache_cold);
	c = parsed("thp,page-cache=cold,check=3,oracle=1");
	assert_true(c.pagecache_cold);
	assert_int_equal(c.check, 3);
	assert_int_equal(c.oracle, 1);
	assert_true(parsed("4k,pcid=on").pcid);
	c = parsed("4k");
	assert_true(!c.kpti && c.kernel && c.cpus == 0);
	c = parsed("4k,kpti=on,kernel=off,cpus=64,hz=1000");
	assert_true(c.kpti && !c.kernel && c.cpus == 64 && c.hz == 1000);
	assert_true(parsed("4k,kpti=off,kernel=on").kernel);
	assert_int_equal(parsed("4k,ram=1G,ram=2G").ram_bytes, 2ull << 30);
	c = parsed("4k,ram=64M,swap=96M,swap-device=hdd,reclaim=clock");
	assert_int_equal(c.swap_bytes, 96 << 20);
	assert_string_equal(c.swap_device->name, "hdd");
	assert_int_equal(c.reclaim, VM_RECLAIM_CLOCK);
	c = parsed("4k,ram=4G");
	assert_int_equal(c.swap_bytes, 8ull << 30);
	assert_string_equal(c.swap_device->name, "nvme");
	assert_int_equal(c.reclaim, VM_RECLAIM_LRU2);
	assert_int_equal(parsed("4k,ram=256M").swap_bytes, 1ull << 30);
	assert_int_equal(parsed("4k,ram=16M").swap_bytes, 128 << 20);
	assert_int_equal(parsed("4k,swap=0").swap_bytes, 0);
	assert_int_equal(parsed("4k").hugepages, 0);
	assert_int_equal(parsed("4k,ram=1G,hugepages=256").hugepages, 256);
	assert_int_equal(parsed("thp").defrag, VM_DEFRAG_MADVISE);
	assert_int_equal(parsed("thp,defrag=always").defrag, VM_DEFRAG_ALWAYS);
	assert_int_equal(parsed("thp").fragmentation, 0);
	assert_int_equal(parsed("thp,fragmentation=1").fragmentation, 1000);
	assert_int_equal(parsed("thp,fragmentation=0.5").fragmentation, 500);
	assert_int_equal(parsed("thp,fragmentation=0.025").fragmentation, 25);
	assert_int_equal(parsed("thp,fragmentation=1.0").fragmentation, 1000);
}

/* Writes root/dir/file; text NULL: it goes. */
static void put(const char *root, const char *dir, const char *file, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "mkdir -p %s%s", root, dir);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "%s%s/%s", root, dir, file);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text ? text : "", f);
	fclose(f);
	if (text == NULL)
		remove(path);
}

/* A sys/ of a test's own: what Linux writes there in each state, and nothing at all. */
static void host_settings(void **state)
{
	static const struct {
		const char *thp, *meltdown;
		enum vm_thp is;
		bool kpti;
	} hosts[] = {
	    {"always [madvise] never\n", "Mitigation: PTI\n", VM_THP_MADVISE, true},
	    {"[always] madvise never\n", "Not affected\n", VM_THP_ALWAYS, false},
	    {"always madvise [never]\n", "Vulnerable\n", VM_THP_NEVER, false},
	    {"always madvise [never]\n", NULL, VM_THP_NEVER, false},
	};
	char root[] = "/tmp/quire-host-XXXXXX", command[200];

	assert_non_null(mkdtemp(root));
	assert_false(machine_host_read(root).known);
	for (unsigned i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		struct machine_host h;

		put(root, "/sys/kernel/mm/transparent_hugepage", "enabled", hosts[i].thp);
		put(root, "/sys/devices/system/cpu/vulnerabilities", "meltdown", hosts[i].meltdown);
		h = machine_host_read(root);
		assert_true(h.known);
		assert_int_equal(h.thp, hosts[i].is);
		assert_int_equal(h.kpti, hosts[i].kpti);
	}
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

/* "host" is one of the presets, or refused in words. */
static void cpu_of_this_computer(void **state)
{
	char err[MACHINE_ERR] = "";
	struct machine_config c;

	if (machine_host_cpu() != NULL)
		assert_ptr_equal(parsed("4k,cpu=host").preset, machine_host_cpu());
	else
		assert_int_equal(machine_parse("4k,cpu=host", NULL, &c, err), -1);
	assert_int_equal(err[0] != '\0', machine_host_cpu() == NULL);
}

/* Remedies are machines that one could have given, each the base but for one thing; those that the base has are left out. */
static void cures(void **state)
{
	const struct machine_config base = parsed("4k,cpu=skylake,kpti=on,pcid=off,ram=64M,swap=0");
	const struct machine_config well = parsed("4k,cpu=zen2,malloc-thp=on,pcid=off,ram=16T,swap=0");
	struct machine_config cure[CURE_NR], c;
	char err[MACHINE_ERR];

	assert_int_equal(machine_cures(&base, cure), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(cure[i].cure, i + 1);
		assert_int_equal(machine_parse(cure[i].name, &base, &c, err), 0);
		assert_int_equal(c.thp, cure[i].thp);
		assert_int_equal(c.malloc_thp, cure[i].malloc_thp);
		assert_int_equal(c.kpti, cure[i].kpti);
		assert_int_equal(c.pcid, cure[i].pcid);
		assert_int_equal(c.ram_bytes, cure[i].ram_bytes);
		assert_int_equal((cure[i].malloc_thp != 0) + (cure[i].kpti == 0) + (cure[i].pcid != 0) +
				     (cure[i].ram_bytes > base.ram_bytes),
				 1);
	}
	assert_int_equal(machine_cures(&well, cure), 0); /* Zen 2 has no PCIDs */
}

static void defaults(void **state)
{
	struct machine_config d = {.preset = cpu_preset_find("zen4"), .ram_bytes = 8 << 20, .check = 2}, c;
	char err[256];

	assert_int_equal(machine_parse("thp,check=1", &d, &c, err), 0);
	assert_string_equal(c.preset->name, "zen4");
	assert_int_equal(c.ram_bytes, 8 << 20);
	assert_int_equal(c.check, 1);
	assert_false(c.pcid);
}

/* Each error names the wrong word, and what would have been right. */
static void mistakes(void **state)
{
	static const struct {
		const char *text, *wrong, *right;
	} cases[] = {
	    {"", "''", "thp"},
	    {"8k", "8k", "4k"},
	    {"4k,", "''", "key=value"},
	    {"4k,cpu", "cpu", "key=value"},
	    {"4k,cpu=i386", "i386", "goldencove"},
	    {"4k,thp=sometimes", "sometimes", "madvise"},
	    {"4k,ram=1M", "1M", "4M"},
	    {"4k,ram=lots", "lots", "512M"},
	    {"4k,pcid=maybe", "maybe", "off, on"},
	    {"4k,page-cache=hot", "hot", "warm, cold"},
	    {"4k,check=4", "4", "3"},
	    {"4k,oracle=2", "2", "1"},
	    {"4k,tlb=big", "tlb", "kpti"},
	    {"4k,kpti=auto", "auto", "off, on"},
	    {"4k,cpus=0", "0", "1 to 64"},
	    {"4k,cpus=65", "65", "1 to 64"},
	    {"4k,hz=0", "0", "1 to 10000"},
	    {"4k,hugepages=8388609", "8388609", "0 to"},
	    {"4k,hz=4K", "4K", "1 to 10000"},
	    {"4k,ram=1G,hugepages=257", "hugepages", "half of the RAM"},
	    {"4k,defrag=defer", "defer", "madvise, always, never"},
	    {"4k,fragmentation=", "''", "0.25"},
	    {"4k,fragmentation=.5", ".5", "0.25"},
	    {"4k,fragmentation=1.", "1.", "0.25"},
	    {"4k,fragmentation=1.001", "1.001", "0.25"},
	    {"4k,fragmentation=2", "2", "0.25"},
	    {"4k,fragmentation=0.1234", "0.1234", "0.25"},
	    {"4k,fragmentation=25%", "25%", "0.25"},
	    {"4k,swap=big", "big", "8T"},
	    {"4k,swap=9T", "9T", "8T"},
	    {"4k,ram=64M,swap=1T", "swap", "128 times"},
	    {"4k,swap-device=tape", "tape", "nvme, sata, hdd, zram"},
	    {"4k,reclaim=lru", "lru", "lru2, mglru, clock, fifo, random"},
	    {"4k,hugepages="
	     "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	     "000000000000000000000000000000000000",
	     "longer", "127"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct machine_config c;
		char err[256] = "";

		assert_int_equal(machine_parse(cases[i].text, NULL, &c, err), -1);
		if (!strstr(err, cases[i].wrong) || !strstr(err, cases[i].right) || strchr(err, '\n'))
			fail_msg("'%s' got: %s", cases[i].text, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes),    cmocka_unit_test(names),         cmocka_unit_test(keys),
	    cmocka_unit_test(cures),    cmocka_unit_test(host_settings), cmocka_unit_test(cpu_of_this_computer),
	    cmocka_unit_test(defaults), cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
