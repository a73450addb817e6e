/* SPDX-License-Identifier: Apache-2.0
 *
 * tag_memory.h - reads the memory in which a process keeps its tags and its counters
 * (proto/permit.h). offer.c has checked its seals and its size.
 *
 * The process goes on writing while it is read here, and may write anything. It may also keep the
 * kernel's lock of the file for ever, by a write whose bytes come from a file system that never
 * answers. So nothing is called here that waits for that lock, as lseek() for data does: a process
 * that waits for it cannot even be killed. It is read with pread(), never through a mapping: a page
 * of it can be missing for ever.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_TAG_MEMORY_H
#define HOMING_AGENT_SEVER_PERMITS_TAG_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/sever/deputy/deputies.h"
#include "proto/permit.h"

/* A slot as it is read: cookie, endpoint, generation, since_ms. */
#define TAG_WORDS (sizeof(struct tag) / sizeof(uint64_t))
/* Slots that are read at once: two pages of them. */
#define TAG_MEMORY_SLOTS 256

/* Of 4 KB, in the largest memory. */
#define TAG_MEMORY_PAGES ((TAG_SLOTS_MAX * 32u + 256u) / 4096)

/* One memory while it is read. */
struct tag_reading {
    int fd;
    off_t at;
    uint32_t page;  /* bytes of one */
    uint32_t pages; /* all, whether they exist or not */
    uint32_t left;  /* pages that exist, nobody knows where: they are swapped out */
    uint64_t there[TAG_MEMORY_PAGES / 64]; /* one bit for each page that is known to exist */
};

/* The descriptor stays the caller's. */
void tag_memory_begin(int fd, struct tag_reading *ret_reading);

/* Reads the next slots of the pages that exist. Returns how many, 0 at the end of the memory, or
 * negative errno. A slot that changed while it was read has cookie 0: the next sweep finds it. */
int tag_memory_next(struct tag_reading *reading, uint64_t (*ret_slots)[TAG_WORDS]);

/* Adds its counters to `counts`. What cannot be read adds nothing. */
void tag_memory_add_counts(int fd, uint64_t counts[TAG_COUNT_COUNT]);

enum tag_memory_use {
    TAG_MEMORY_UNUSED, /* nobody has it mapped for writing, and nobody can any more */
    TAG_MEMORY_MAPPED, /* a process has: its own, or one that this has forked */
    TAG_MEMORY_PINNED /* it cannot be told: a page of it is in use otherwise, as in a pipe, or its file is locked */
};

/* Only of memory whose process has ended: what it could not map yet, it could never. While a page is in use
 * otherwise, or somebody has the file's lock, the kernel lets who asks wait. A deputy asks, and is left behind,
 * on account of this owner, if it waits. ret_took_ms is how long it has taken. */
enum tag_memory_use tag_memory_use(struct deputies *asking, struct deputy_owner owner, int fd,
                                   uint64_t *ret_took_ms);

#endif
