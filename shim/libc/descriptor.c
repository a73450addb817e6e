/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor.c - see descriptor.h.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"

void descriptor_close(int fd)
{
    syscall(SYS_close, fd);
}

int descriptor_poll(struct pollfd *at, int ms)
{
#ifdef SYS_poll
    return (int)syscall(SYS_poll, at, at ? 1UL : 0UL, ms);
#else
    struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    return (int)syscall(SYS_ppoll, at, at ? 1UL : 0UL, &timeout, NULL, 0UL);
#endif
}

int descriptor_stat(int fd, struct stat *ret_status)
{
    return (int)syscall(SYS_newfstatat, fd, "", ret_status, AT_EMPTY_PATH);
}

int descriptor_lift(int fd, int number)
{
    int moved;

    if (fd < 0 || fd >= number)
        return fd;
    moved = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, number);
    if (moved < 0 && number > DESCRIPTOR_LOWEST)
        return descriptor_lift(fd, DESCRIPTOR_LOWEST);
    descriptor_close(fd);
    return moved;
}
