/* SPDX-License-Identifier: Apache-2.0
 *
 * marks.c - see marks.h.
 */
#include <netinet/tcp.h>

#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/permit/marks.h"
#include "shim/permit/permit.h"

_Atomic uint64_t marks[TAG_SLOTS / 64];

void marks_add(int fd)
{
    if ((unsigned)fd < TAG_SLOTS && !marks_has(fd))
        atomic_fetch_or_explicit(&marks[fd / 64], 1ull << fd % 64, memory_order_relaxed);
}

/* A tag with another cookie stays: its socket may still be open under another number. A vforked
 * child has no tags of its own, and leaves its parent's tags and marks alone. */
void marks_drop(int fd)
{
    struct libc_kept kept = libc_keep_errno();
    struct tags *tags = permit_tags();
    uint64_t tagged;

    if (tags) {
        tagged = tags_cookie(tags, fd);
        if (tagged && tagged == socket_cookie(fd))
            tags_write(tags, fd, &(struct tags_tag){0});
        atomic_fetch_and_explicit(&marks[fd / 64], ~(1ull << fd % 64), memory_order_relaxed);
    }
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
