/* SPDX-License-Identifier: Apache-2.0
 *
 * meddler.c - another preload, which stands in for what the shim needs of libc: it refuses each
 * system call, as torsocks does with those that it does not know, and gives another time, as libfaketime does. It
 * needs no libc.
 */
#include <time.h>

long syscall(long number, ...);
long syscall(long number, ...)
{
    (void)number;
    return -1;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    (void)id;
    *ret = (struct timespec){.tv_sec = 1 << 30};
    return 0;
}
