/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - see tags.h. The memory of this process, and what is written into it.
 */
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/permit/tags.h"
#include "shim/view/process.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* ---- making memory ---- */

/* What there is now fits into the next memory, and so does what did not fit. */
static unsigned tags_steps_needed(struct tags *tags)
{
    uint64_t place = atomic_load_explicit(&tags->place, memory_order_acquire);
    uint32_t slots = place ? place_slots(place) : 0, wanted = atomic_load(&tags->wanted);

    return place_steps_for(slots < wanted ? wanted : slots);
}

/* The hard limit counts, because the program may raise the other one up to it at any time. A process
 * that makes a file larger than its RLIMIT_FSIZE is killed (SIGXFSZ). 0: it cannot be so large as
 * is needed. */
static size_t tags_file_size(struct tags *tags)
{
    unsigned steps = place_steps_for(process_limit(RLIMIT_NOFILE).rlim_max),
             needed = tags_steps_needed(tags);
    uint64_t most = process_limit(RLIMIT_FSIZE).rlim_cur;

    if (steps < needed)
        steps = needed;
    while (steps > needed && PLACE_FIRST << steps > most)
        steps--;
    return PLACE_FIRST << steps > most ? 0 : PLACE_FIRST << steps;
}

static int tags_memfd(void)
{
    int fd = (int)syscall(SYS_memfd_create, "homing-tags",
                          MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0) /* a kernel before 6.3 */
        fd = (int)syscall(SYS_memfd_create, "homing-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return descriptor_lift(fd, DESCRIPTOR_LOWEST);
}

int tags_open(struct tags *tags, uint32_t *ret_slots)
{
    size_t size = tags_file_size(tags);
    int fd = size ? tags_memfd() : -1;

    if (fd < 0)
        return -1;
    *ret_slots = place_slots_in(size);
    if (syscall(SYS_ftruncate, fd, size) == 0 &&
        syscall(SYS_fcntl, fd, F_ADD_SEALS, PERMIT_TAG_SEALS) == 0)
        return fd;
    descriptor_close(fd);
    return -1;
}

/* Puts `mine` in the place of *was, or gives it back: nobody has seen it. False: another thread was
 * first, and *was is what it has put there. */
static bool tags_show(struct tags *tags, uint64_t *was, uint64_t mine)
{
    if (atomic_compare_exchange_strong(&tags->place, was, mine))
        return true;
    syscall(SYS_munmap, place_at(mine), place_size(mine));
    return false;
}

/* As much is mapped as the parent had. A thread that comes late may copy from where a move has mapped
 * another memory by then, but what it copies is not shown. */
bool tags_begin(struct tags *tags, int fd, uint32_t slots)
{
    uint64_t from = tags->parents ? atomic_load(&tags->parents->place) : 0, none = 0;
    uint64_t mine = place_map(place_of(NULL, place_steps(from), 0), fd, slots);

    if (mine && from && !tags_copy_inherited(tags->parents, from, mine)) {
        syscall(SYS_munmap, place_at(mine), place_size(mine));
        return false;
    }
    return mine && tags_show(tags, &none, mine);
}

/* Not inlined, because most connects need none of its stack. */
__attribute__((noinline, cold)) static uint64_t tags_make(struct tags *tags)
{
    uint32_t slots;
    int fd = tags_open(tags, &slots);

    if (fd >= 0) {
        tags_begin(tags, fd, slots);
        descriptor_close(fd);
    }
    return atomic_load_explicit(&tags->place, memory_order_acquire);
}

/* Where the memory is, which is made if need be. 0: there is none. */
static uint64_t tags_place(struct tags *tags)
{
    /* Pairs with the exchanges in tags_show() and mover_exchange(). */
    uint64_t place = atomic_load_explicit(&tags->place, memory_order_acquire);

    return place ? place : tags_make(tags);
}

bool tags_ready(struct tags *tags)
{
    return tags_place(tags);
}

/* Where the slot of descriptor `fd` is mapped, too. 0: it cannot be. */
static uint64_t tags_reach(struct tags *tags, int fd)
{
    uint64_t place = tags_place(tags), more;
    uint32_t needed = (uint32_t)fd + 1;

    while (place && place_slots_in(place_size(place)) < needed) {
        if (place_slots(place) < needed) {
            atomic_store(&tags->wanted, needed);
            return 0;
        }
        more = place_grow(place, needed);
        if (!more || tags_show(tags, &place, more))
            return more;
    }
    return place;
}

bool tags_outgrown(const struct tags *tags)
{
    uint64_t place = atomic_load_explicit(&tags->place, memory_order_acquire);

    return place && atomic_load_explicit(&tags->wanted, memory_order_relaxed) > place_slots(place);
}

/* ---- tags and counts ---- */

/* place_exists(), without a call for a page that was asked about of late. A thread that does not run between this
 * and what it writes may find another memory there; that one had to be moved into twice meanwhile. */
__attribute__((noinline)) static bool tags_holds(struct tags *tags, uint64_t place, int fd)
{
    uint64_t page = place_page(place, (uint32_t)fd);
    _Atomic uint64_t *known = &tags->known[(page >> 12) % TAGS_KNOWN];

    if (atomic_load_explicit(known, memory_order_relaxed) == page)
        return true;
    if (!place_exists(place, (uint32_t)fd))
        return false;
    atomic_store_explicit(known, page, memory_order_relaxed);
    return true;
}

uint64_t tags_cookie(struct tags *tags, int fd)
{
    uint64_t place = atomic_load_explicit(&tags->place, memory_order_acquire);

    if (!place || (unsigned)fd >= place_slots_in(place_size(place)) || !tags_holds(tags, place, fd))
        return 0;
    return place_word(&place_at(place)->slots[fd].cookie);
}

/* Slots that follow each other are mostly of one endpoint, about which is asked once. */
static bool tags_any_in(const struct tag *slot, uint32_t count, tags_wanted_fn *wanted,
                        const void *arg, uint64_t *last)
{
    for (; count > 0; slot++, count--) {
        uint64_t endpoint = place_word(&slot->cookie) ? place_word(&slot->endpoint) : *last;

        if (endpoint != *last && wanted(arg, endpoint))
            return true;
        *last = endpoint;
    }
    return false;
}

bool tags_any(const struct tags *tags, tags_wanted_fn *wanted, const void *arg)
{
    uint64_t place = atomic_load_explicit(&tags->place, memory_order_acquire), last = 0;
    uint32_t end = place ? tags_end(tags, place) : 0, next;

    for (uint32_t i = 0; i < end; i = next) {
        next = place_next_page(i);
        if (place_exists(place, i) &&
            tags_any_in(&place_at(place)->slots[i], (next < end ? next : end) - i, wanted, arg,
                        &last))
            return true;
    }
    return false;
}

/* The end is raised before the slot is filled. The mover looks at the end after it has said where it
 * moves the tags to. So either it finds the slot, or who fills it sees where to. */
static void tags_raise_end(struct tags *tags, uint32_t end)
{
    uint32_t was = atomic_load_explicit(&tags->end, memory_order_relaxed);

    while (was < end && !atomic_compare_exchange_weak(&tags->end, &was, end))
        ;
}

/* Before it is written: if the process forks meanwhile, its child has the socket, too. */
static void tags_note_last(struct tags *tags, const struct tags_tag *tag)
{
    uint32_t at = atomic_fetch_add_explicit(&tags->writes, 1, memory_order_relaxed) % TAGS_LAST;

    atomic_store_explicit(&tags->last[at], tag->cookie, memory_order_relaxed);
    if (atomic_load_explicit(&tags->newest_ms, memory_order_relaxed) < tag->since_ms)
        atomic_store_explicit(&tags->newest_ms, tag->since_ms, memory_order_relaxed);
}

static bool tags_put(struct tags *tags, uint64_t place, int fd, const struct tags_tag *tag)
{
    if (!tags_holds(tags, place, fd))
        return false;
    place_fill(&place_at(place)->slots[fd], tag);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with what mover_announce() exchanges */
    return true;
}

static bool tags_has(uint64_t place, int fd)
{
    return place_at(place) && (uint32_t)fd < place_slots_in(place_size(place));
}

bool tags_write(struct tags *tags, int fd, const struct tags_tag *tag)
{
    uint64_t place = (unsigned)fd < TAG_SLOTS_MAX ? tags_reach(tags, fd) : 0, then, to;

    if (!place || !tags_holds(tags, place, fd))
        return false;
    tags_raise_end(tags, (uint32_t)fd + 1);
    if (tag->cookie)
        tags_note_last(tags, tag);
    do {
        then = place;
        if (!tags_put(tags, place, fd, tag))
            return false;
        to = atomic_load(&tags->to);
        if (place_at(to) != place_at(place) && tags_has(to, fd) && !tags_put(tags, to, fd, tag))
            return false; /* the tags may be there in a moment */
        place = tags_reach(tags, fd);
    } while (place && place != then);
    return place;
}

/* If the memory was exchanged meanwhile, the mover has taken the count along or has come before it.
 * Then it is taken along here. */
void tags_count(struct tags *tags, enum tag_count what)
{
    uint64_t place = tags ? atomic_load_explicit(&tags->place, memory_order_acquire) : 0, then;

    if (!place)
        return;
    /* Pairs with the exchange in mover_exchange(). */
    atomic_fetch_add(&place_at(place)->header.counts[what], 1);
    while (then = place, place_at(place = atomic_load(&tags->place)) != place_at(then))
        place_move_count(place_at(then), place_at(place), what);
}
