/* SPDX-License-Identifier: Apache-2.0
 *
 * memfd.h - a file in memory that nobody can execute, where the kernel knows that.
 */
#ifndef HOMING_AGENT_BASE_MEMFD_H
#define HOMING_AGENT_BASE_MEMFD_H

#include <errno.h>
#include <sys/mman.h>

/* Of <linux/memfd.h>, which older kernels' headers lack. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* `flags`: MFD_ALLOW_SEALING, or 0, in addition to MFD_CLOEXEC. The caller's; -1 and errno. Kernels from 6.3 on can be
 * told to refuse memfds that may be executed; older ones do not know the flag. */
static inline int memfd_new(const char *name, unsigned flags)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL | flags);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | flags);
    return fd;
}

#endif
