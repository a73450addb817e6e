/* SPDX-License-Identifier: Apache-2.0
 *
 * hold.c - see hold.h.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "proto/limits.h"
#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/steer/hold.h"

/* Between two looks at the view: a 50th of what a promotion takes that is worth waiting for. A
 * shorter one would wake up more than 100 times a second. */
#define HOLD_SLICE_MS 10

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

__attribute__((noinline)) uint64_t hold_end_ms(int fd, uint32_t hold_ms, uint64_t now_ms)
{
    long flags = syscall(SYS_fcntl, fd, F_GETFL);
    uint64_t patience_ms;

    if (flags & O_NONBLOCK)
        return now_ms;
    if (hold_ms > HOMING_HOLD_MAX_MS)
        hold_ms = HOMING_HOLD_MAX_MS;
    patience_ms = socket_patience_ms(fd);
    return now_ms + (patience_ms && patience_ms < hold_ms ? patience_ms : hold_ms);
}

/* A signal whose handler was installed with SA_RESTART restarts a blocking connect, and any other
 * ends it. Of the system calls that wait for a time only futex_waitv() does the same. Where the
 * kernel does not have it, every signal ends the connect. */
static bool hold_rest(uint64_t now_ms, uint64_t end_ms)
{
    static const uint32_t word;
    struct {
        uint64_t value, at;
        uint32_t flags, reserved;
    } waiter = {0, (uintptr_t)&word, 2 /* 32 bits */ | 128 /* private */, 0};
    uint64_t left_ms = end_ms - now_ms < HOLD_SLICE_MS ? end_ms - now_ms : HOLD_SLICE_MS;
    uint64_t until_ms = now_ms + left_ms;
    int64_t until[2] = {(int64_t)(until_ms / 1000), (int64_t)(until_ms % 1000) * 1000000};
    struct timespec left = {.tv_nsec = (long)left_ms * 1000000};

    if (syscall(SYS_futex_waitv, &waiter, 1, 0, until, CLOCK_MONOTONIC) < 0 &&
        (errno == ETIMEDOUT || errno == EINTR))
        return errno == ETIMEDOUT;
    return syscall(SYS_ppoll, NULL, 0UL, &left, NULL, 0UL) == 0;
}

__attribute__((noinline)) bool hold_sleep(uint64_t now_ms, uint64_t end_ms)
{
    bool rested = hold_rest(now_ms, end_ms);

    libc_test_cancel();
    return rested;
}
