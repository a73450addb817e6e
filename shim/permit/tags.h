/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.h - the memory in which this process notes what its sockets are connected for. Its layout,
 * and what homing-sever makes of it, is in proto/permit.h.
 *
 * One pass: the memory begins as anonymous memory, because the first connects of a pool may come
 * before homing-sever has a permit. Each hand-over moves the tags into a new memfd. Threads go on
 * writing tags meanwhile, and no tag is lost.
 *
 * Async-signal-safe. Functions that may change errno say so.
 */
#ifndef HOMING_SHIM_PERMIT_TAGS_H
#define HOMING_SHIM_PERMIT_TAGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/permit.h"

/* All zeros: no memory yet. */
struct tags {
    _Atomic(struct tag_memory *) memory;
    _Atomic uint32_t end;     /* slots beyond were never written */
    struct tag_memory *spare; /* only for the thread that hands over: the place not in use */
};

/* One tag, as its slot holds it. */
struct tags_tag {
    uint64_t cookie;
    uint64_t endpoint;
    uint64_t generation;
    uint64_t since_ms;
};

/* Makes sure that there is memory. False: none can be had. Changes errno. */
bool tags_ready(struct tags *tags);

/* The cookie in the tag of descriptor `fd`; 0: there is no tag. */
uint64_t tags_cookie(struct tags *tags, int fd);

/* Writes the tag of descriptor `fd`. Does nothing if there is no slot for that number, or no
 * memory. Changes errno. */
void tags_write(struct tags *tags, int fd, const struct tags_tag *tag);

/* Adds one to a counter. Does nothing if `tags` is NULL. */
void tags_count(struct tags *tags, enum tag_count what);

/* Moves tags and counters into the memfd `fd`. One thread at a time. False: nothing has changed.
 * Changes errno. */
bool tags_move(struct tags *tags, int fd);

#endif
