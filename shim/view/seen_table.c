/* SPDX-License-Identifier: Apache-2.0
 *
 * seen_table.c - see seen_table.h.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/view/process.h"
#include "shim/view/seen_table.h"

/* Attempts to read a slot while other threads change it. */
#define SEEN_READS 4

/* Binary logarithms of the table's sizes. Only managed names make it larger than SEEN_SLOTS. */
enum {
    SEEN_SMALL = 9,
    SEEN_MEDIUM = 12,
    SEEN_LARGE = 15
};

_Static_assert(1 << SEEN_MEDIUM == SEEN_SLOTS, "the size for all names");

_Atomic uintptr_t seen_now;

/* ---- slots ---- */

uint64_t seen_holds(const struct seen_slot *slot, const struct seen_address *address,
                    uint64_t *ret_name)
{
    for (int i = 0; i < SEEN_READS; i++) {
        uint64_t before = seen_load(&slot->stamp), stamp = seen_glance(slot, address, ret_name);

        if (stamp || seen_load(&slot->stamp) == before)
            return stamp;
    }
    return 0;
}

uint64_t seen_read(const struct seen_slot *slot, struct seen_pair *ret)
{
    ret->address.words[0] = seen_load(&slot->address[0]);
    ret->address.words[1] = seen_load(&slot->address[1]);
    return seen_holds(slot, &ret->address, &ret->name);
}

void seen_fill(struct seen_slot *slot, const struct seen_pair *pair, uint64_t stamp)
{
    atomic_store_explicit(&slot->name, pair->name, memory_order_release);
    atomic_store_explicit(&slot->address[0], pair->address.words[0], memory_order_release);
    atomic_store_explicit(&slot->address[1], pair->address.words[1], memory_order_release);
    atomic_store_explicit(&slot->stamp, stamp, memory_order_release);
}

bool seen_take(struct seen_slot *slot, const struct seen_pair *pair, uint64_t stamp)
{
    uint64_t none = 0;

    if (!atomic_compare_exchange_strong(&slot->name, &none, pair->name))
        return false;
    seen_fill(slot, pair, stamp);
    return true;
}

void seen_flag(struct seen_slot *slot, uint64_t set, uint64_t clear)
{
    uint64_t was = seen_load(&slot->stamp);

    while (was && ((was & set) != set || was & clear))
        if (atomic_compare_exchange_weak(&slot->stamp, &was, (was | set) & ~clear))
            return;
}

/* ---- what is lost ---- */

/* Many, because a bit is never cleared: each address that shares one is left alone, too. Most programs
 * lose none, and have no page for it. */
#define SEEN_LOST_BITS (PROCESS_PAGE * 8)

static struct {
    _Atomic(void *) page;
    _Atomic bool all; /* there was no memory to note which */
} seen_losses;

void seen_lose(const struct seen_address *address)
{
    size_t bit = seen_place(address) % SEEN_LOST_BITS;
    struct libc_kept kept = libc_keep_errno();
    _Atomic uint64_t *bits = process_memory(&seen_losses.page, PROCESS_PAGE);

    if (bits)
        atomic_fetch_or(&bits[bit / 64], 1ull << bit % 64);
    else
        atomic_store(&seen_losses.all, true);
    libc_restore_errno(kept);
}

bool seen_lost(const struct seen_address *address)
{
    size_t bit = seen_place(address) % SEEN_LOST_BITS;
    /* Pairs with the exchange in process_memory(). */
    const _Atomic uint64_t *bits = atomic_load(&seen_losses.page);

    return atomic_load(&seen_losses.all) || (bits && atomic_load(&bits[bit / 64]) >> bit % 64 & 1);
}

/* ---- growing ---- */

/* It is changed by nothing, so that it has its place among the exchanges: if it is said later that
 * the table is being copied, the copy has what was changed before. No fence, because thread sanitizers do
 * not understand them. */
bool seen_is_current(const struct seen_table *table)
{
    return !(table->now & SEEN_GROWING) && atomic_fetch_add(&seen_now, 0) == table->now;
}

/* Of a pair that is there twice, the larger number counts. */
static uint64_t seen_table_later(uint64_t a, uint64_t b)
{
    uint64_t later = (a & SEEN_NUMBER) > (b & SEEN_NUMBER) ? a : b;

    return later | ((a | b) & SEEN_CROWDED);
}

/* Its old number and flags stay. Two threads may have noted it at once: then it is there twice. */
static void seen_table_put(const struct seen_table *to, const struct seen_pair *pair,
                           uint64_t stamp)
{
    uint64_t name, there;

    for (size_t k = 0; k < SEEN_PROBES; k++) {
        struct seen_slot *slot = seen_at(to, seen_place(&pair->address) + k);

        if (!seen_load(&slot->name) && seen_take(slot, pair, stamp))
            return;
        there = seen_holds(slot, &pair->address, &name);
        if (there && name == pair->name) {
            atomic_store_explicit(&slot->stamp, seen_table_later(there, stamp),
                                  memory_order_release);
            return;
        }
    }
    seen_lose(&pair->address);
}

static void seen_table_copy(const struct seen_table *from, const struct seen_table *to)
{
    for (size_t i = 0; from->slots && i <= from->mask; i++) {
        struct seen_pair pair;
        uint64_t stamp = seen_load(&from->slots[i].name) ? seen_read(&from->slots[i], &pair) : 0;

        if (stamp)
            seen_table_put(to, &pair, stamp);
    }
}

/* MAP_NORESERVE: most of it is never written. */
static void *seen_table_map(size_t size)
{
    void *map;

    if (!syscall)
        return NULL;
    map = (void *)syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    return map == MAP_FAILED ? NULL : map;
}

/* Says that the table is being copied, unless another thread has. False: there is another one by now. */
static bool seen_table_is_mine(uintptr_t growing)
{
    uintptr_t was = growing & ~SEEN_GROWING;

    return atomic_compare_exchange_strong(&seen_now, &was, growing) || was == growing;
}

/* Makes the table larger, unless another thread has. False: it cannot be. Changes errno. */
static bool seen_table_grow_to(const struct seen_table *from, unsigned bits)
{
    size_t size = sizeof(struct seen_slot) << bits;
    void *map = seen_table_map(size);
    struct seen_table to = seen_open((uintptr_t)map | bits);
    uintptr_t growing = from->now | SEEN_GROWING;

    if (!map)
        return false;
    if (seen_table_is_mine(growing)) { /* pairs with seen_is_current() */
        seen_table_copy(from, &to);
        if (atomic_compare_exchange_strong(&seen_now, &growing, to.now))
            return true;
    }
    syscall(SYS_munmap, map, size);
    return true;
}

__attribute__((noinline, cold)) bool seen_grow(const struct seen_table *from, bool managed)
{
    struct libc_kept kept = libc_keep_errno();
    unsigned bits = from->now & SEEN_SIZE;
    bool grown = false;

    if (bits < SEEN_MEDIUM)
        grown = seen_table_grow_to(from, bits ? SEEN_MEDIUM : SEEN_SMALL);
    else if (bits < SEEN_LARGE && (managed || from->now & SEEN_GROWING))
        grown = seen_table_grow_to(from, SEEN_LARGE);
    libc_restore_errno(kept);
    return grown;
}

struct seen_table seen_table_to_change(void)
{
    struct seen_table table = seen_table_now();

    if (!(table.now & SEEN_GROWING))
        return table;
    (void)seen_grow(&table, true);
    return seen_table_now();
}
