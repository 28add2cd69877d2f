# Quire: a thin front to Meson. On a fresh Debian: `make demo` shows the main job, `make check` runs the tests.
# Variables: PREFIX (/usr/local), DESTDIR, BUILD (build), CC.
PREFIX ?= /usr/local
BUILD ?= build
QUIRE = $(BUILD)/cli/quire
DEMO_LINES = 300000

TORTURE_SECONDS = 3600

.PHONY: all setup check check-kernels check-programs docs torture demo demo-pressure demo-fork bench validate answers fuzz install clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja: | setup
	meson setup $(BUILD) --prefix $(abspath $(PREFIX))

# Installs what is missing of Debian's packages; nothing when all is there.
setup:
	@tools/setup.sh

check: all
	@tools/check.sh $(BUILD)

# What is compared with Linux, on stock kernels of these Debians, under QEMU (tools/setup.sh --kernels): docs/hosts.md.
KERNELS = bookworm trixie sid
check-kernels: all
	@tools/kernels.sh $(BUILD) $(KERNELS)

# Programs of many Debian packages under the engine, against native runs: docs/programs.md. What is not installed is skipped.
check-programs: all
	@tools/programs/run.sh $(BUILD)

# The parts of the documents that are made from the tables of keys and counters.
docs: all
	$(BUILD)/tools/docs docs/json.md docs/quire.1 docs/scripts.md

# Random programs for an hour: on the simulated computer, against this Linux, and by the engine against this CPU. Other
# seeds each day.
torture: all
	$(BUILD)/test/torture/test-torture --seconds $(TORTURE_SECONDS) --seed $$(date +%Y%m%d0000)
	$(BUILD)/test/torture/test-torture --seconds $(TORTURE_SECONDS) --seed $$(date +%Y%m%d0000) --host
	test/engine/torture.sh $(BUILD) $(TORTURE_SECONDS)

# sort(1) on lines in no order: its own work is small, so what virtual memory costs is easy to see.
$(BUILD)/demo.txt:
	seq $(DEMO_LINES) | awk '{ print ($$1 * 7919) % 1000003, "line", $$1 }' > $@.new
	mv $@.new $@

demo: all
	@$(MAKE) --no-print-directory $(BUILD)/demo.txt
	@if [ -f $(BUILD)/report/html/pages.h ]; then html="--html $(BUILD)/demo.html"; fi; \
	echo $(QUIRE) run $$html -- sort -n $(BUILD)/demo.txt; \
	$(QUIRE) run $$html -- sort -n $(BUILD)/demo.txt > /dev/null && \
	if [ "$$html" ]; then echo "The same with charts, for a browser: $(abspath $(BUILD))/demo.html"; \
	else echo 'The same with charts, for a browser: tools/setup.sh --html, then make demo'; fi

# docs/demos.md tells what these two show. The first: 1 GiB in 256 MiB of RAM. The second: copy-on-write, natively too.
demo-pressure: all
	$(QUIRE) run --ram 256M -m 4k,reclaim=lru2 -m 4k,reclaim=mglru -m 4k,reclaim=clock -- \
		$(BUILD)/test/programs/random 1024 2000000

demo-fork: all
	$(QUIRE) run -m 4k -m thp -- $(BUILD)/test/programs/server
	$(BUILD)/test/programs/server -f
	$(BUILD)/test/programs/server -h -f

# Every bench/NAME.c but the machine that they share is the program bench-NAME, whose table is kept beside it; every
# bench/NAME.sh takes the build folder. plot.sh draws the tables when gnuplot is there: tools/setup.sh --bench.
BENCHES = $(patsubst bench/%.c,bench/bench-%,$(filter-out bench/null_hw.c,$(wildcard bench/*.c)))
bench: all
	ninja -C $(BUILD) $(BENCHES)
	for b in $(BENCHES); do echo "== $$b"; $(BUILD)/$$b > $(BUILD)/$$b.txt || exit; cat $(BUILD)/$$b.txt; done
	for b in $(wildcard bench/*.sh); do echo "== $$b"; $$b $(BUILD) || exit; done

# The three questions, docs/answers.md, with this machine's figures beside the simulated ones; on a quiet machine.
answers: all
	tools/answers.py $(BUILD) docs/answers.svg > $(BUILD)/answers.md
	mv $(BUILD)/answers.md docs/

# What virtual memory costs here, measured and predicted: docs/validation.md.
validate: all
	tools/validate.py $(BUILD)

# Each fuzzer for so long, one after the other, with a corpus of its own that begins as the committed one (needs clang).
# What is freed is used again soon: giving it back to the host took half of an execution where page faults are dear.
FUZZ_SECONDS = 600
FUZZERS = play stream race ops
fuzz: export ASAN_OPTIONS = allocator_release_to_os_interval_ms=-1:quarantine_size_mb=8
fuzz:
	[ -d $(BUILD)-fuzz ] || CC=clang meson setup -Dfuzz=true -Db_lundef=false $(BUILD)-fuzz
	ninja -C $(BUILD)-fuzz $(FUZZERS:%=test/fuzz/fuzz-%)
	for f in $(FUZZERS); do mkdir -p $(BUILD)-fuzz/corpus/$$f && $(BUILD)-fuzz/test/fuzz/fuzz-$$f -entropic=0 \
		-max_len=$$(case $$f in play) echo 4096 ;; ops) echo 256 ;; *) echo 128 ;; esac) \
		-max_total_time=$(FUZZ_SECONDS) -timeout=20 -print_final_stats=1 -artifact_prefix=$(BUILD)-fuzz/$$f- \
		$(BUILD)-fuzz/corpus/$$f test/fuzz/corpus/$$f || exit; done

install: all
	meson configure $(BUILD) --prefix $(abspath $(PREFIX))
	$(if $(DESTDIR),DESTDIR=$(abspath $(DESTDIR))) meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)
