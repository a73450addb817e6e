/* SPDX-License-Identifier: Apache-2.0
 *
 * place.c - see place.h.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/permit/place.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Before Linux 5.14 the kernel is given the page to read: no signal comes of that, and it refuses the rest
 * of the question. A page that can be read exists. */
static bool place_is_readable(const void *page)
{
    return syscall(SYS_rt_sigprocmask, -1L, page, NULL, sizeof(uint64_t)) == 0 ||
           libc_keep_errno().value != EFAULT;
}

__attribute__((noinline, cold)) bool place_exists(uint64_t place, uint32_t slot)
{
    void *page = (void *)(place_page(place, slot) & PLACE_ADDRESS);
    int error;

    if (syscall(SYS_madvise, page, (size_t)4096, MADV_POPULATE_WRITE) == 0)
        return true;
    error = libc_keep_errno().value;
    return error != EFAULT && error != ENOMEM && place_is_readable(page);
}

uint64_t place_map(uint64_t place, int fd, uint32_t slots)
{
    struct tag_memory *at = place_at(place);
    void *map = (void *)syscall(SYS_mmap, at, place_size(place), PROT_READ | PROT_WRITE,
                                MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0L);

    if (map == MAP_FAILED)
        return 0;
    if (!place_exists((uintptr_t)map, 0)) {
        if (!at)
            syscall(SYS_munmap, map, place_size(place));
        return 0;
    }
    at = map;
    atomic_store_explicit(&at->header.magic, TAG_MAGIC, memory_order_relaxed);
    atomic_store_explicit(&at->header.version, TAG_VERSION, memory_order_relaxed);
    atomic_store_explicit(&at->header.slots, slots, memory_order_relaxed);
    return place_of(map, place_steps(place), place_steps_for(slots));
}

/* A second mapping of the same memory, of more of it. An old size of 0 asks for that, and it needs no
 * descriptor. The first one stays: what a suspended thread writes there is in the same memory. Each
 * has twice the size of the one before, so all of them together are bounded. All that is mapped is
 * within the file; whether there is memory for it, place_exists() says. */
__attribute__((noinline, cold)) uint64_t place_grow(uint64_t place, uint32_t slots)
{
    unsigned steps = place_steps_for(slots), file_steps = place_file_steps(place);

    if (steps > file_steps)
        return 0;
    void *map = (void *)syscall(SYS_mremap, place_at(place), (size_t)0, PLACE_FIRST << steps,
                                MREMAP_MAYMOVE);

    return map == MAP_FAILED ? 0 : place_of(map, steps, file_steps) | (place & PLACE_NUMBER);
}
