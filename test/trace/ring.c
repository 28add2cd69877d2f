/* SPDX-License-Identifier: MIT
 *
 * test/trace/ring.c - the ring: order and wholeness of units through a small ring, a full ring that waits, writers that
 * are killed or exec, a consumer that goes away, and garbage where the head should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace/ring.h"

#define WORDS 256
#define TOTAL 300000u

static struct ring_hub *make_hub(unsigned nr, int *fd)
{
	struct ring_hub *hub = ring_hub_create(nr, WORDS, fd);

	assert_non_null(hub);
	return hub;
}

/* Words 0, 1, 2... in units of random size. */
static void produce(struct ring *r, unsigned seed)
{
	u64 next = 0, unit[64];

	while (next < TOTAL) {
		unsigned n = 1 + (unsigned)rand_r(&seed) % ARRAY_SIZE(unit);

		for (unsigned i = 0; i < n; i++)
			unit[i] = next++;
		if (n == 1)
			ring_put1(r, unit[0]);
		else
			ring_put(r, unit, n);
	}
	ring_close(r);
}

static pid_t start_producer(int fd, unsigned seed)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct ring_hub *hub = ring_hub_attach(fd, NULL);

		if (hub)
			produce(ring_open(hub, getpid(), gettid()), seed);
		_exit(hub ? 0 : 1);
	}
	return pid;
}

/* Reads all rings to their ends; next[i]: the word that ring i must give next. Returns the sum of all ends. */
static u64 consume_all(struct ring_hub *hub, unsigned rings, u64 *next)
{
	unsigned ended = 0;
	u64 sum = 0;

	while (ended < rings) {
		size_t got = 0;

		for (unsigned i = 0; i < ring_count(hub); i++) {
			struct ring *r = ring_get(hub, i);
			const volatile u64 *w;
			size_t n = r ? ring_peek(r, &w) : 0;

			for (size_t k = 0; k < n; k++)
				assert_int_equal(w[k], next[i]++);
			if (n)
				ring_consume(r, n);
			got += n;
			if (r && ring_at_end(r)) {
				ring_free(r);
				sum += next[i];
				next[i] = 0;
				ended++;
			}
		}
		if (!got)
			ring_wait(hub, 10);
	}
	return sum;
}

/* More producers than rings: some wait for a ring, all wait for room, every word arrives once and in order. */
static void order(void **state)
{
	u64 next[2] = {0};
	int fd;
	struct ring_hub *hub = make_hub(2, &fd);
	pid_t pid[4];

	for (unsigned i = 0; i < 4; i++)
		pid[i] = start_producer(fd, i + 1);
	assert_true(consume_all(hub, 4, next) >= 4ull * TOTAL);
	for (unsigned i = 0; i < 4; i++) {
		int status;

		waitpid(pid[i], &status, 0);
		assert_int_equal(status, 0);
	}
	close(fd);
	ring_hub_destroy(hub);
}

/* Reads ring 0 until its end (at most 3 seconds) into out; returns how many words. */
static unsigned drain(struct ring_hub *hub, u64 *out, unsigned max)
{
	unsigned n = 0;

	for (unsigned tries = 0; tries < 300; tries++) {
		struct ring *r = ring_get(hub, 0);
		const volatile u64 *w;
		size_t k = r ? ring_peek(r, &w) : 0;

		for (size_t i = 0; i < k && n < max; i++)
			out[n++] = w[i];
		if (r)
			ring_consume(r, k);
		if (r && ring_at_end(r)) {
			ring_free(r);
			return n;
		}
		if (!k)
			ring_wait(hub, 10);
	}
	fail_msg("the ring does not end");
	return n;
}

enum end { KILLED, EXECS, EXEC_FAILS };

static void writer(int fd, enum end end)
{
	static const u64 will[] = {70, 71};
	struct ring_hub *hub = ring_hub_attach(fd, NULL);
	struct ring *r = ring_open(hub, getpid(), gettid());

	ring_put1(r, 1);
	ring_will(r, will, 2);
	ring_will_words(r)[1] = 72;
	ring_put1(r, 2);
	if (end == KILLED)
		kill(getpid(), SIGKILL);
	ring_watch_exec(r, true);
	if (end == EXECS)
		execl("/bin/sleep", "sleep", "5", (char *)NULL);
	ring_watch_exec(r, false);
	usleep(100000);
	ring_put1(r, 3);
	ring_close(r);
	_exit(0);
}

static void ends_with(enum end end, const u64 *want, unsigned nr)
{
	int fd;
	struct ring_hub *hub = make_hub(1, &fd);
	pid_t pid = fork();
	u64 got[16];

	if (pid == 0)
		writer(fd, end);
	assert_int_equal(drain(hub, got, ARRAY_SIZE(got)), nr);
	assert_memory_equal(got, want, nr * sizeof(u64));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	ring_hub_destroy(hub);
}

static void will_of_killed(void **state)
{
	ends_with(KILLED, (u64[]){1, 2, 70, 72}, 4);
}

static void will_of_exec(void **state)
{
	ends_with(EXECS, (u64[]){1, 2, 70, 72}, 4);
}

static void exec_that_fails(void **state)
{
	ends_with(EXEC_FAILS, (u64[]){1, 2, 3}, 3);
}

/* The consumer goes while the producer waits for room: it runs on, into nothing. */
static void consumer_goes(void **state)
{
	int fd, status;
	struct ring_hub *hub = make_hub(1, &fd);
	pid_t pid = start_producer(fd, 1);

	while (!ring_get(hub, 0))
		ring_wait(hub, 1);
	close(fd);
	ring_hub_destroy(hub);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static u8 *map_hub(int fd, size_t *bytes)
{
	u8 *raw;

	*bytes = (size_t)lseek(fd, 0, SEEK_END);
	raw = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(raw != MAP_FAILED);
	return raw;
}

/* The first word of the hub that holds the value. */
static u64 *find_word(u8 *raw, size_t bytes, u64 value)
{
	for (u64 *word = (u64 *)raw; word < (u64 *)(raw + bytes); word++)
		if (*word == value)
			return word;
	fail_msg("no word of the hub holds %llu", (unsigned long long)value);
	return NULL;
}

/* Whatever a wild program writes into the hub: the consumer reads within it, and comes to an end. */
static void garbage(void **state)
{
	unsigned seed = 7;

	for (unsigned round = 0; round < 200; round++) {
		int fd;
		struct ring_hub *hub = make_hub(4, &fd), *producer = ring_hub_attach(fd, NULL);
		struct ring *written = ring_open(producer, getpid(), gettid());
		size_t bytes;
		u8 *raw = map_hub(fd, &bytes);
		u64 sum = 0;

		ring_put1(written, 5);
		for (unsigned i = 0; i < 100000 && i < bytes; i++)
			if (rand_r(&seed) % (round % 10 + 1) == 0)
				raw[i] = (u8)rand_r(&seed);
		for (unsigned i = 0; i < 20; i++) {
			for (unsigned k = 0; k < ring_count(hub) && k < 4; k++) {
				struct ring *r = ring_get(hub, k);
				const volatile u64 *w;
				size_t n = r ? ring_peek(r, &w) : 0;

				assert_true(n <= WORDS);
				for (size_t j = 0; j < n; j++)
					sum += w[j];
				if (r)
					ring_consume(r, n);
				if (r && ring_at_end(r))
					ring_free(r);
			}
		}
		munmap(raw, bytes);
		ring_close(written);
		ring_hub_destroy(producer);
		ring_hub_destroy(hub);
		close(fd);
		(void)sum;
	}
}

/* A head that no producer can have reached: the stream is over, and nothing more is read. */
static void impossible_head(void **state)
{
	int fd;
	struct ring_hub *hub = make_hub(1, &fd), *producer = ring_hub_attach(fd, NULL);
	struct ring *r = ring_open(producer, getpid(), gettid()), *reader;
	const volatile u64 *w;
	size_t bytes;
	u8 *raw = map_hub(fd, &bytes);
	u64 *head;

	for (unsigned i = 0; i < 77; i++)
		ring_put1(r, 1000);
	head = find_word(raw, bytes, 77);
	reader = ring_get(hub, 0);
	assert_int_equal(ring_peek(reader, &w), 77);
	assert_false(ring_at_end(reader));
	*head = 1ull << 40;
	assert_int_equal(ring_peek(reader, &w), 0);
	assert_true(ring_at_end(reader));
	munmap(raw, bytes);
	ring_close(r);
	ring_hub_destroy(producer);
	ring_hub_destroy(hub);
	close(fd);
}

/* The head goes back between the consumer's looks, to where it was read up to: the words that were handed out were the
 * ring's, not the will's, and when the writer dies no more than the will follows, nor anything twice. */
static void head_goes_back(void **state)
{
	static const u64 will[] = {7, 8, 9};
	int fd, status;
	struct ring_hub *hub = make_hub(1, &fd);
	pid_t pid = fork();
	const volatile u64 *w;
	struct ring *reader;
	size_t bytes;
	u8 *raw;

	if (pid == 0) {
		struct ring *r = ring_open(ring_hub_attach(fd, NULL), getpid(), gettid());

		ring_will(r, will, 3);
		for (unsigned i = 0; i < 77; i++)
			ring_put1(r, 1000);
		pause();
	}
	while (!(reader = ring_get(hub, 0)) || ring_peek(reader, &w) != 77)
		ring_wait(hub, 1);
	raw = map_hub(fd, &bytes);
	*find_word(raw, bytes, 77) = 0;
	ring_consume(reader, 77);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	for (unsigned i = 0; i < 50; i++) {
		size_t n = ring_peek(reader, &w);

		assert_true(n <= ARRAY_SIZE(will));
		for (size_t k = 0; k < n; k++)
			assert_int_equal(w[k], will[k]);
		ring_consume(reader, n);
		ring_wait(hub, 2);
	}
	assert_true(ring_at_end(reader));
	munmap(raw, bytes);
	ring_hub_destroy(hub);
	close(fd);
}

static void attach_refuses(void **state)
{
	int fd = memfd_create("not a hub", 0);

	assert_null(ring_hub_attach(fd, NULL));
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_null(ring_hub_attach(fd, NULL));
	assert_null(ring_hub_attach(-1, NULL));
	close(fd);
	assert_null(ring_hub_create(1, 1000, &fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order),           cmocka_unit_test(will_of_killed),  cmocka_unit_test(will_of_exec),
	    cmocka_unit_test(exec_that_fails), cmocka_unit_test(consumer_goes),   cmocka_unit_test(garbage),
	    cmocka_unit_test(attach_refuses),  cmocka_unit_test(impossible_head), cmocka_unit_test(head_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
