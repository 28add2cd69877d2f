/* SPDX-License-Identifier: MIT
 *
 * lib/errno.h - Linux's error numbers, for code that has no libc. The values are the ABI's
 * (include/uapi/asm-generic/errno-base.h), so a host's <errno.h> agrees with them.
 */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

#ifndef EPERM
#define EPERM      1
#define ENOENT     2
#define EINTR      4
#define EIO        5
#define E2BIG      7
#define EBADF      9
#define EAGAIN     11
#define ENOMEM     12
#define EACCES     13
#define EFAULT     14
#define EBUSY      16
#define EEXIST     17
#define ENODEV     19
#define EINVAL     22
#define ENOSPC     28
#define ENOSYS     38
#define EOVERFLOW  75
#define ENOTSOCK   88
#define EOPNOTSUPP 95
#define ETIMEDOUT  110
#endif

#endif
