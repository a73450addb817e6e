/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.c - see tags.h.
 *
 * 1. Each move needs a new memfd, because no descriptor of the old one was kept. Two places in the
 *    address space take turns and are never unmapped: a thread that was suspended while it wrote a
 *    tag still writes into one of them, whenever it goes on.
 * 2. A tag that is written while the tags move is in the new memory afterwards: either the mover
 *    has seen it in the old memory, or its writer sees the new memory and writes it again.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/permit/tags.h"

/* `fd` -1: anonymous memory. `at` NULL: at any place. */
static struct tag_memory *tags_map(void *at, int fd)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *map = (void *)syscall(SYS_mmap, at, sizeof(struct tag_memory), PROT_READ | PROT_WRITE,
                                flags | (at ? MAP_FIXED : 0), fd, 0L);

    return map == MAP_FAILED ? NULL : map;
}

/* The memory, made if need be. A thread that comes second gives its own back: nobody has seen
 * it. */
static struct tag_memory *tags_memory(struct tags *tags)
{
    /* Pairs with the exchange here and in tags_move(). */
    struct tag_memory *memory = atomic_load_explicit(&tags->memory, memory_order_acquire);
    struct tag_memory *none = NULL;

    if (memory || !(memory = tags_map(NULL, -1)))
        return memory;
    if (atomic_compare_exchange_strong(&tags->memory, &none, memory))
        return memory;
    syscall(SYS_munmap, memory, sizeof(*memory));
    return none;
}

bool tags_ready(struct tags *tags)
{
    return tags_memory(tags);
}

static uint64_t tags_word(const tag_word *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

uint64_t tags_cookie(struct tags *tags, int fd)
{
    const struct tag_memory *memory = atomic_load_explicit(&tags->memory, memory_order_acquire);

    return memory && (unsigned)fd < TAG_SLOTS ? tags_word(&memory->slots[fd].cookie) : 0;
}

/* Each store is a release: homing-sever reads the memory in pieces, and meets them in this
 * order. */
static void tags_fill(struct tag *slot, const struct tags_tag *tag)
{
    atomic_store_explicit(&slot->cookie, 0, memory_order_release);
    atomic_store_explicit(&slot->endpoint, tag->endpoint, memory_order_release);
    atomic_store_explicit(&slot->generation, tag->generation, memory_order_release);
    atomic_store_explicit(&slot->since_ms, tag->since_ms, memory_order_release);
    atomic_store_explicit(&slot->cookie, tag->cookie, memory_order_release);
}

/* The end is raised before the slot is filled. The mover looks at the end after it has exchanged
 * the memory, and thereby at every slot that was filled before. */
static void tags_raise_end(struct tags *tags, uint32_t end)
{
    uint32_t was = atomic_load_explicit(&tags->end, memory_order_relaxed);

    while (was < end && !atomic_compare_exchange_weak(&tags->end, &was, end))
        ;
}

void tags_write(struct tags *tags, int fd, const struct tags_tag *tag)
{
    struct tag_memory *memory = (unsigned)fd < TAG_SLOTS ? tags_memory(tags) : NULL, *then;

    if (!memory)
        return;
    tags_raise_end(tags, (uint32_t)fd + 1);
    do {
        then = memory;
        tags_fill(&memory->slots[fd], tag);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the exchange in tags_move() */
        memory = atomic_load(&tags->memory);
    } while (memory != then);
}

/* The count leaves the old memory, because homing-sever keeps what it finds there when it closes it:
 * nothing is counted twice. */
static void tags_move_count(struct tag_memory *from, struct tag_memory *to, int what)
{
    atomic_fetch_add(&to->header.counts[what], atomic_exchange(&from->header.counts[what], 0));
}

/* If the memory was exchanged meanwhile, the mover has taken the count along or has come before it.
 * Then it is taken along here. */
void tags_count(struct tags *tags, enum tag_count what)
{
    struct tag_memory *memory =
        tags ? atomic_load_explicit(&tags->memory, memory_order_acquire) : NULL;
    struct tag_memory *then;

    if (!memory)
        return;
    atomic_fetch_add(&memory->header.counts[what], 1); /* pairs with the exchange in tags_move() */
    while (then = memory, (memory = atomic_load(&tags->memory)) != then)
        tags_move_count(then, memory, what);
}

/* Called before the exchange, when nobody else writes into `to`, and once more after it, for tags
 * that were written late. A slot of `to` that is younger by then stays. */
static void tags_copy(struct tags *tags, const struct tag_memory *from, struct tag_memory *to)
{
    uint32_t end = atomic_load(&tags->end);

    for (uint32_t i = 0; i < end; i++) {
        const struct tag *slot = &from->slots[i];
        struct tags_tag tag = {atomic_load_explicit(&slot->cookie, memory_order_acquire),
                               tags_word(&slot->endpoint), tags_word(&slot->generation),
                               tags_word(&slot->since_ms)};

        if (tag.cookie && (tags_word(&to->slots[i].cookie) == 0 ||
                           tags_word(&to->slots[i].since_ms) < tag.since_ms))
            tags_fill(&to->slots[i], &tag);
    }
}

static void tags_head(struct tag_memory *to)
{
    atomic_store_explicit(&to->header.magic, TAG_MAGIC, memory_order_relaxed);
    atomic_store_explicit(&to->header.version, TAG_VERSION, memory_order_relaxed);
    atomic_store_explicit(&to->header.slots, TAG_SLOTS, memory_order_relaxed);
}

bool tags_move(struct tags *tags, int fd)
{
    struct tag_memory *from = tags_memory(tags), *to = from ? tags_map(tags->spare, fd) : NULL;

    if (!to)
        return false;
    tags_head(to);
    tags_copy(tags, from, to);
    atomic_exchange(&tags->memory, to);
    tags_copy(tags, from, to);
    for (int what = 0; what < TAG_COUNT_COUNT; what++)
        tags_move_count(from, to, what);
    tags->spare = from;
    return true;
}
