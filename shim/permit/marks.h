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
#include <stdint.h>

#include "proto/permit.h"

extern _Atomic uint64_t marks[TAG_SLOTS / 64];

static inline bool marks_has(int fd)
{
    return (unsigned)fd < TAG_SLOTS &&
           atomic_load_explicit(&marks[fd / 64], memory_order_relaxed) >> fd % 64 & 1;
}

void marks_add(int fd);

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
