/* SPDX-License-Identifier: Apache-2.0
 *
 * no_passrights.c - preloaded by a test into homingd or homing-sever, makes the kernel one before
 * Linux 6.16, which has no SO_PASSRIGHTS: whoever is connected can send descriptors.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    int (*next)(int, int, int, const void *, socklen_t) =
        (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");

    if (level == SOL_SOCKET && option == SO_PASSRIGHTS) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return next(fd, level, option, value, len);
}
