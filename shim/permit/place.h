/* SPDX-License-Identifier: Apache-2.0
 *
 * place.h - a memory of tags (proto/permit.h) and where it is mapped; how one slot of it is written
 * and read.
 *
 * A slot has one writer at a time: no two threads use one descriptor number for two sockets at once.
 */
#ifndef HOMING_SHIM_PERMIT_PLACE_H
#define HOMING_SHIM_PERMIT_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/permit.h"

/* One tag, as its slot holds it. */
struct tags_tag {
    uint64_t cookie;
    uint64_t endpoint;
    uint64_t generation;
    uint64_t since_ms;
};

/* What is mapped at first, for about 1000 descriptors. With less, many programs would need a second
 * mapping; more would count for a program that has locked its memory. */
#define PLACE_FIRST ((size_t)32768)

/* The low bits of a place, which is the address of a page. Numbers come again after 1024 claims: a
 * mover would have to sleep meanwhile, and between two instructions. The high bits, which no address
 * of a process has, say how often PLACE_FIRST was doubled for what is mapped there, and for the size
 * of its memfd. What the memory itself says of that is not asked: a forked child, which may have
 * become another user, can write it. */
#define PLACE_STATE      0x003u
#define PLACE_NUMBER     0xffcu
#define PLACE_ONE        0x004u
#define PLACE_STEPS_AT   60
#define PLACE_FILE_AT    56
#define PLACE_STEPS_MOST 10
#define PLACE_WHERE      (~0xfffull) /* address and both sizes */
#define PLACE_ADDRESS    (~0xff00000000000fffull)

static inline struct tag_memory *place_at(uint64_t place)
{
    return (struct tag_memory *)(place & PLACE_ADDRESS);
}

static inline unsigned place_steps(uint64_t place)
{
    return (unsigned)(place >> PLACE_STEPS_AT);
}

static inline size_t place_size(uint64_t place)
{
    return PLACE_FIRST << place_steps(place);
}

static inline unsigned place_file_steps(uint64_t place)
{
    return (unsigned)(place >> PLACE_FILE_AT) & 0xfu;
}

static inline uint64_t place_of(void *map, unsigned steps, unsigned file_steps)
{
    return (uintptr_t)map | (uint64_t)steps << PLACE_STEPS_AT |
           (uint64_t)file_steps << PLACE_FILE_AT;
}

static inline uint32_t place_slots_in(size_t size)
{
    return (uint32_t)((size - sizeof(struct tag_memory)) / sizeof(struct tag));
}

_Static_assert((PLACE_FIRST << PLACE_STEPS_MOST) - sizeof(struct tag_memory) ==
                   TAG_SLOTS_MAX * sizeof(struct tag),
               "the largest memory has the most slots that are allowed");

static inline uint64_t place_word(const tag_word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* Of its memfd. */
static inline uint32_t place_slots(uint64_t place)
{
    return place_slots_in(PLACE_FIRST << place_file_steps(place));
}

static inline unsigned place_steps_for(uint64_t slots)
{
    unsigned steps = 0;

    while (steps < PLACE_STEPS_MOST && place_slots_in(PLACE_FIRST << steps) < slots)
        steps++;
    return steps;
}

/* Slots that share a page of 4 KiB. */
#define PLACE_PER_PAGE ((uint32_t)(4096 / sizeof(struct tag)))
#define PLACE_HEAD     ((uint32_t)(sizeof(struct tag_memory) / sizeof(struct tag)))

/* The first slot of the next page. */
static inline uint32_t place_next_page(uint32_t slot)
{
    return ((slot + PLACE_HEAD) / PLACE_PER_PAGE + 1) * PLACE_PER_PAGE - PLACE_HEAD;
}

/* The address of a slot's page, and in the low bits the number of the claim that has mapped it. */
static inline uint64_t place_page(uint64_t place, uint32_t slot)
{
    return (place & (PLACE_ADDRESS | PLACE_NUMBER)) +
           (uint64_t)((slot + PLACE_HEAD) / PLACE_PER_PAGE) * 4096;
}

/* Whether there is memory for a slot's page, which is taken now if it was not yet. Who reads or writes
 * a page of a memfd for which there is none is killed (SIGBUS), as with vm.overcommit_memory=2. Changes
 * errno. */
bool place_exists(uint64_t place, uint32_t slot);

/* Maps the memfd at `place`, or at a new one of its size if its address is NULL. 0: it cannot be
 * mapped, or there is no memory for its head. Changes errno. */
uint64_t place_map(uint64_t place, int fd, uint32_t slots);

/* Maps so many slots of the same memory at another place. 0: it has not so many, or cannot be mapped. Changes
 * errno. */
uint64_t place_grow(uint64_t place, uint32_t slots);

/* Each store is a release: homing-sever reads the memory in pieces, and meets them in this
 * order. */
static inline void place_fill(struct tag *slot, const struct tags_tag *tag)
{
    atomic_store_explicit(&slot->cookie, 0, memory_order_release);
    atomic_store_explicit(&slot->endpoint, tag->endpoint, memory_order_release);
    atomic_store_explicit(&slot->generation, tag->generation, memory_order_release);
    atomic_store_explicit(&slot->since_ms, tag->since_ms, memory_order_release);
    atomic_store_explicit(&slot->cookie, tag->cookie, memory_order_release);
}

static inline struct tags_tag place_read(const struct tag *slot)
{
    /* Pairs with the first store of place_fill(): then a tag that is being written has no cookie. */
    uint64_t cookie = atomic_load_explicit(&slot->cookie, memory_order_acquire);

    return (struct tags_tag){cookie, place_word(&slot->endpoint), place_word(&slot->generation),
                             place_word(&slot->since_ms)};
}

static inline bool place_same(const struct tags_tag *a, const struct tags_tag *b)
{
    return a->cookie == b->cookie && a->endpoint == b->endpoint && a->generation == b->generation &&
           a->since_ms == b->since_ms;
}

/* The count leaves the old memory, because homing-sever keeps what it finds there when it closes it:
 * nothing is counted twice. */
static inline void place_move_count(struct tag_memory *from, struct tag_memory *to, int what)
{
    atomic_fetch_add(&to->header.counts[what], atomic_exchange(&from->header.counts[what], 0));
}

#endif
