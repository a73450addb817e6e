/* SPDX-License-Identifier: Apache-2.0
 *
 * descriptor.c - see descriptor.h.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"

void descriptor_close(int fd)
{
    syscall(SYS_close, fd);
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
