/* SPDX-License-Identifier: MIT
 *
 * trace/calls_touch.c - what the kernel reads and writes of user memory in a system call, by its row of syscalls.h.
 *
 * Told is what the kernel has touched: of a call that succeeded all of it; of one that failed what is read before the
 * error can be known: strings always, structures unless the error is about the arguments themselves; with EFAULT and
 * ENOSYS nothing, for then it is not known how far it came. What does not lie in user space was not touched.
 */
#include "trace/calls_internal.h"

#define VECTORS_AT_ONCE 16
#define MAX_REFUSED     65536         /* bytes: more than any call reads before it looks further */
#define MAX_BYTES       0x7ffff000ull /* of one read or write: Linux's MAX_RW_COUNT */

struct iovec_abi {
	u64 base, len;
};
struct msghdr_abi {
	u64 name;
	u32 name_len, pad;
	u64 iov, iov_len, control, control_len, flags;
};
#define MMSGHDR_BYTES (sizeof(struct msghdr_abi) + 8)

void touch(const struct telling *t, unsigned rwx, u64 start, u64 len)
{
	struct ev_touch e = {start, len};

	if (start && len && len <= MAX_BYTES && start < CALL_USER_END && len <= CALL_USER_END - start)
		t->ops->emit(t->thread, EV_TOUCH, rwx, &e, EV_PAYLOAD_WORDS(e), NULL);
}

void touch_vector(const struct telling *t, unsigned rwx, u64 iov, u64 n, u64 bytes)
{
	struct iovec_abi part[VECTORS_AT_ONCE];

	n = min(n, (u64)1024); /* UIO_MAXIOV */
	touch(t, EVR_READ, iov, n * sizeof(*part));
	for (u64 i = 0; i < n && bytes > 0; i++) {
		unsigned at = i % VECTORS_AT_ONCE;
		u64 len;

		if (at == 0 && !t->ops->read(t->thread, iov + i * sizeof(*part), part,
					     min(n - i, (u64)VECTORS_AT_ONCE) * sizeof(*part), true))
			return;
		len = min(part[at].len, bytes);
		touch(t, rwx, part[at].base, len);
		bytes -= len;
	}
}

static void touch_message(const struct telling *t, unsigned rwx, u64 va, u64 bytes)
{
	struct msghdr_abi msg;

	touch(t, EVR_READ, va, sizeof(msg));
	if (!t->ops->read(t->thread, va, &msg, sizeof(msg), true))
		return;
	touch(t, rwx, msg.name, msg.name_len);
	touch_vector(t, rwx, msg.iov, msg.iov_len, bytes);
	touch(t, rwx, msg.control, msg.control_len);
	if (rwx == EVR_WRITE)
		touch(t, EVR_WRITE, va, sizeof(msg));
}

/* struct mmsghdr: a message, then how long it was: known since the call returned. */
static void touch_messages(const struct telling *t, unsigned rwx, u64 va, u64 n)
{
	for (u64 i = 0; i < min(n, (u64)1024); i++, va += MMSGHDR_BYTES) {
		u32 len;

		if (!t->ops->read(t->thread, va + sizeof(struct msghdr_abi), &len, sizeof(len), true))
			return;
		touch_message(t, rwx, va, len);
		touch(t, EVR_WRITE, va + sizeof(struct msghdr_abi), sizeof(len));
	}
}

/* Bytes of the string at va, its end included; 0 when it cannot be read: a call may fail before it looks at it. Linux
 * reads at most a path of 4,096 bytes. */
static u64 string_bytes(const struct telling *t, u64 va)
{
	char part[256];
	u64 len = 0;

	while (len < 4096) {
		u64 n = min((u64)sizeof(part), 4096 - (va + len) % 4096);

		if (va + len >= CALL_USER_END || !t->ops->read(t->thread, va + len, part, n, false))
			return 0;
		for (u64 i = 0; i < n; i++)
			if (part[i] == 0)
				return len + i + 1;
		len += n;
	}
	return len;
}

static void touch_address(const struct telling *t, u64 va, u64 len_va)
{
	u32 len;

	if (!len_va || !t->ops->read(t->thread, len_va, &len, sizeof(len), true))
		return;
	touch(t, EVR_READ, len_va, sizeof(len));
	touch(t, EVR_WRITE, va, len);
	touch(t, EVR_WRITE, len_va, sizeof(len));
}

static u64 bits_bytes(u64 bits)
{
	return bits < 1 << 20 ? ALIGN_UP(bits, 64ull) / 8 : 0;
}

static void touch_entry(const struct telling *t, const struct touch *e)
{
	u64 va = t->call->arg[e->arg - 1], ret = (u64)t->ret;
	u64 n = e->length_arg ? t->call->arg[e->length_arg - 1] : ret;

	switch (e->kind) {
	case TOUCH_STRING:
		touch(t, e->rwx, va, string_bytes(t, va));
		break;
	case TOUCH_SIZE:
	case TOUCH_EINTR:
		touch(t, e->rwx, va, e->size);
		break;
	case TOUCH_LENGTH:
		touch(t, e->rwx, va, n);
		break;
	case TOUCH_RESULT:
		touch(t, e->rwx, va, min(ret, n));
		break;
	case TOUCH_ARRAY:
		touch(t, e->rwx, va, n < 1 << 20 ? n * e->size : 0);
		break;
	case TOUCH_VECTOR:
		touch_vector(t, e->rwx, va, n, ret);
		break;
	case TOUCH_MESSAGE:
		touch_message(t, e->rwx, va, ret);
		break;
	case TOUCH_MESSAGES:
		touch_messages(t, e->rwx, va, ret);
		break;
	case TOUCH_SOCKADDR:
		touch_address(t, va, n);
		break;
	case TOUCH_FDSET:
	case TOUCH_MASK:
		touch(t, e->rwx, va, bits_bytes(n));
		break;
	}
}

static bool input_was_read(const struct telling *t, const struct touch *e)
{
	if (e->rwx != EVR_READ || (e->kind >= TOUCH_VECTOR && e->kind <= TOUCH_SOCKADDR) || e->kind == TOUCH_RESULT)
		return false;
	if (e->kind == TOUCH_LENGTH && t->call->arg[e->length_arg - 1] > MAX_REFUSED)
		return false;
	return e->kind == TOUCH_STRING ||
	       (t->ret != -EBADF && t->ret != -EINVAL && t->ret != -ENOTSOCK && t->ret != -EPERM && t->ret != -E2BIG);
}

static bool was_touched(const struct telling *t, const struct touch *e)
{
	if (e->kind == TOUCH_EINTR)
		return t->ret == -EINTR;
	return !call_failed(t->ret) || input_was_read(t, e);
}

void touches_tell(const struct telling *t)
{
	const struct call_row *row = calls_row((u64)t->call->nr);

	if (!row || t->ret == -EFAULT || t->ret == -ENOSYS)
		return;
	for (const struct touch *e = row->touch; e->kind != TOUCH_NOTHING; e++) {
		if (e->kind == TOUCH_CODE)
			touch_by_code(t);
		else if (t->call->arg[e->arg - 1] && was_touched(t, e))
			touch_entry(t, e);
	}
}
