/* SPDX-License-Identifier: Apache-2.0
 *
 * marks.h - which descriptor numbers this process has written a tag for, so that a tag goes when
 * its socket is used for something else.
 *
 * One bit for each number: most connects learn from it, without a system call, that there is no
 * tag. A mark stays when the descriptor is closed; then the next connect with that number looks.
 */
#ifndef HOMING_SHIM_PERMIT_MARKS_H
#define HOMING_SHIM_PERMIT_MARKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/permit.h"

/* Numbers that have their marks in one page. A page is mapped when its first mark is set. */
#define MARKS_PER_PAGE 32768
#define MARKS_PAGES    (TAG_SLOTS_MAX / MARKS_PER_PAGE + 1)
extern _Atomic(void *) marks_pages[MARKS_PAGES];

/* Which word of its page. */
static inline unsigned marks_word(unsigned number)
{
    return number % MARKS_PER_PAGE / 64;
}

static inline bool marks_has(int fd)
{
    unsigned number = (unsigned)fd;
    const _Atomic uint64_t *page;

    if (number >= TAG_SLOTS_MAX)
        return false;
    /* Pairs with the exchange in process_memory(). */
    page = atomic_load_explicit(&marks_pages[number / MARKS_PER_PAGE], memory_order_acquire);
    return page &&
           atomic_load_explicit(&page[marks_word(number)], memory_order_relaxed) >> number % 64 & 1;
}

/* False: there is no slot for that number, or no memory. Then no tag may be written, because it
 * could not be found again. May change errno. */
bool marks_add(int fd);

/* If the tag is the socket's, and its connect has failed, the tag goes. errno is kept. */
__attribute__((cold)) void marks_look(int fd);

/* The tag goes if it is the socket's. errno is kept. */
__attribute__((cold)) void marks_drop(int fd);

/* Called for a connect() that is not for a managed name. */
static inline void marks_let_go(int fd)
{
    if (marks_has(fd))
        marks_look(fd);
}

#endif
