/* SPDX-License-Identifier: Apache-2.0
 *
 * marks.c - see marks.h.
 */
#include <netinet/tcp.h>

#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/marks.h"
#include "shim/permit/permit.h"
#include "shim/view/process.h"

_Atomic(void *) marks_pages[MARKS_PAGES];

bool marks_add(int fd)
{
    _Atomic uint64_t *page;

    if ((unsigned)fd >= TAG_SLOTS_MAX ||
        !(page = process_memory(&marks_pages[fd / MARKS_PER_PAGE], PROCESS_PAGE)))
        return false;
    if (!marks_has(fd))
        atomic_fetch_or_explicit(&page[marks_word((unsigned)fd)], 1ull << fd % 64,
                                 memory_order_relaxed);
    return true;
}

/* For a descriptor that has a mark. */
static void marks_clear(int fd)
{
    _Atomic uint64_t *page = atomic_load(&marks_pages[fd / MARKS_PER_PAGE]);

    atomic_fetch_and_explicit(&page[marks_word((unsigned)fd)], ~(1ull << fd % 64),
                              memory_order_relaxed);
}

/* A tag with another cookie stays: its socket may still be open under another number. A vforked
 * child has no tags of its own, and leaves its parent's tags and marks alone. */
void marks_drop(int fd)
{
    struct libc_kept kept = libc_keep_errno();

    if (permit_untag(fd))
        marks_clear(fd);
    libc_restore_errno(kept);
}

/* A connect that has begun keeps its tag and its mark: it is asked about once more. */
void marks_look(int fd)
{
    struct libc_kept kept = libc_keep_errno();
    uint8_t state = socket_tcp_state(fd);

    if (state == TCP_CLOSE || state == 0)
        marks_drop(fd);
    libc_restore_errno(kept);
}
