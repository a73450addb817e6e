/* SPDX-License-Identifier: Apache-2.0
 *
 * forked.c - see tags.h. What a forked child takes over of its parent's tags.
 *
 * It still has all of it mapped, and its parent may go on writing there. Which tags there were when it
 * was forked can only be told from the sockets that it has, from the time in the tags, and from its own
 * copy of what its parent knew of them.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/tags.h"

static bool forked_is_among_last(const struct tags *parents, uint64_t cookie)
{
    for (int i = 0; i < TAGS_LAST; i++)
        if (atomic_load(&parents->last[i]) == cookie)
            return true;
    return false;
}

/* Whether the tag of descriptor `fd` is to be the child's, too. If the number is still the socket's, it
 * is: unless the connect has not begun or has failed, and who begins the next one writes another tag.
 * Else a duplicate may be in use, unless the tag was written after the fork. That one is
 * the parent's alone, and it would not be known here if it changes. */
static bool forked_may_have(const struct tags *parents, int fd, const struct tags_tag *tag)
{
    if (socket_cookie(fd) == tag->cookie)
        return !socket_is_fresh(fd);
    return tag->since_ms < atomic_load(&parents->newest_ms) ||
           forked_is_among_last(parents, tag->cookie);
}

/* One that the parent is writing was not there when it forked. False: there is no memory for it. */
static bool forked_copy(const struct tags *parents, uint64_t from, uint64_t to, uint32_t i)
{
    const struct tag *slot = &place_at(from)->slots[i];
    struct tags_tag tag = place_read(slot), again = place_read(slot);

    if (!tag.cookie || !place_same(&tag, &again) || !forked_may_have(parents, (int)i, &tag))
        return true;
    if (!place_exists(to, i))
        return false;
    place_fill(&place_at(to)->slots[i], &tag);
    return true;
}

bool tags_copy_inherited(const struct tags *parents, uint64_t from, uint64_t to)
{
    uint32_t end = tags_end(parents, from), next;

    for (uint32_t i = 0; i < end; i = next) {
        next = place_next_page(i);
        if (!place_exists(from, i))
            continue;
        for (; i < end && i < next; i++)
            if (!forked_copy(parents, from, to, i))
                return false;
    }
    return true;
}

/* The parent's memory is the place that the child's first move maps at. */
bool tags_inherit(struct tags *tags, struct tags *parents)
{
    uint64_t from = atomic_load_explicit(&parents->place, memory_order_acquire);

    if (!from)
        return false;
    tags->parents = parents;
    atomic_store(&tags->wanted, place_slots_in(place_size(from)));
    atomic_store(&tags->end, parents->end);
    atomic_store(&tags->newest_ms, parents->newest_ms);
    atomic_store(&tags->writes, parents->writes);
    for (int i = 0; i < TAGS_LAST; i++)
        atomic_store(&tags->last[i], parents->last[i]);
    atomic_store(&tags->claim, from & PLACE_WHERE); /* given back: not in use */
    return true;
}

/* No thread of the parent is one of the child's: what was to be a mover's own is nobody's. */
void tags_leave(struct tags *parents)
{
    uint64_t claim = atomic_load(&parents->claim), place = atomic_load(&parents->place);

    if (place_at(claim) && place_at(claim) != place_at(place))
        syscall(SYS_munmap, place_at(claim), place_size(claim));
}
