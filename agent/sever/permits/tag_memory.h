/* SPDX-License-Identifier: Apache-2.0
 *
 * tag_memory.h - reads the memory in which a process keeps its tags and its counters
 * (proto/permit.h). offer.c has checked its seals and its size.
 *
 * The process goes on writing while it is read here, and may write anything. It is read with
 * pread(), never mapped: a page of it can be missing for ever.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_TAG_MEMORY_H
#define HOMING_AGENT_SEVER_PERMITS_TAG_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/permit.h"

/* A slot as it is read: cookie, endpoint, generation, since_ms. */
#define TAG_WORDS (sizeof(struct tag) / sizeof(uint64_t))
/* Slots that are read at once: two pages of them. */
#define TAG_MEMORY_SLOTS 256

/* Reads the next slots of the pages that exist; begin with *at 0. Returns how many, 0 at the end of
 * the memory, or negative errno. A slot that changed while it was read has cookie 0: the next sweep
 * finds it. */
int tag_memory_next(int fd, off_t *at, uint64_t (*ret_slots)[TAG_WORDS]);

/* Adds its counters to `counts`. What cannot be read adds nothing. */
void tag_memory_add_counts(int fd, uint64_t counts[TAG_COUNT_COUNT]);

enum tag_memory_use {
    TAG_MEMORY_UNUSED, /* nobody has it mapped for writing, and nobody can any more */
    TAG_MEMORY_MAPPED, /* a process has: its own, or one that this has forked */
    TAG_MEMORY_PINNED /* nobody has, but a page of it is in use otherwise, as in a pipe: nobody can tell why */
};

/* Only of memory whose process has ended: what it could not map yet, it could never. While a page is in use
 * otherwise, the kernel has us wait for up to 0.2 s, in the hope that it comes free. ret_took_ms is how long it
 * has. */
enum tag_memory_use tag_memory_use(int fd, uint64_t *ret_took_ms);

#endif
