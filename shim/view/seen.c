/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.c - an open-addressed table of (address, name) that only grows.
 *
 * A slot is taken by writing its name with compare-and-swap. Then it is filled, and its stamp shows
 * it. If a thread dies or a fork comes in between, the slot is lost and nothing else. If two
 * threads record the same pair at once, both may take a slot, which does no harm.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "shim/view/seen.h"

/* In the stamp: names of this address were left out. */
#define SEEN_CROWDED (1ull << 63)

struct seen_slot {
    _Atomic uint64_t name; /* 0: the slot is free, and the walk ends here */
    _Atomic uint64_t address[2];
    _Atomic uint64_t stamp; /* 0: being filled */
};

static struct {
    _Alignas(64) struct seen_slot slots[SEEN_SLOTS];
    _Alignas(64) _Atomic uint64_t stamp; /* the last one given */
    _Atomic bool full;
} seen_table;

/* Addresses of one network differ in their last bits, and IPv6 networks in the last bits of the
 * first word. A product mixes only upwards: its upper bits are well mixed, but the upper bits of a
 * factor do not reach those that are taken here. So they are folded down first. */
static size_t seen_place(const struct seen_address *address)
{
    uint64_t mixed = address->words[0] ^ (address->words[1] << 21 | address->words[1] >> 43);

    mixed ^= mixed >> 32;
    return mixed * 0x9e3779b97f4a7c15ull >> 40;
}

static struct seen_slot *seen_at(size_t place)
{
    return &seen_table.slots[place % SEEN_SLOTS];
}

/* The stamp of a slot that holds `address`; 0: it holds another one, or none yet. Acquire: pairs
 * with the release in seen_fill(), so that the address that is read after it is whole. */
static uint64_t seen_holds(struct seen_slot *slot, const struct seen_address *address)
{
    uint64_t stamp = atomic_load_explicit(&slot->stamp, memory_order_acquire);
    uint64_t differs =
        atomic_load_explicit(&slot->address[0], memory_order_relaxed) ^ address->words[0];

    differs |= atomic_load_explicit(&slot->address[1], memory_order_relaxed) ^ address->words[1];
    return differs ? 0 : stamp;
}

/* Relaxed: a stamp says which of two lookups came later, and lookups of threads that do not wait
 * for each other have no order. */
static uint64_t seen_next_stamp(void)
{
    return atomic_fetch_add_explicit(&seen_table.stamp, 1, memory_order_relaxed) + 1;
}

static void seen_fill(struct seen_slot *slot, const struct seen_address *address)
{
    atomic_store_explicit(&slot->address[0], address->words[0], memory_order_relaxed);
    atomic_store_explicit(&slot->address[1], address->words[1], memory_order_relaxed);
    atomic_store_explicit(&slot->stamp, seen_next_stamp(), memory_order_release);
}

/* What a walk along the slots of one address has met. */
struct seen_walk {
    struct seen_slot *mine;  /* the slot of this name */
    struct seen_slot *other; /* the slot of another name */
    uint64_t mine_stamp;
    uint64_t latest; /* the latest stamp of the others */
    bool crowded;
};

static void seen_note(struct seen_walk *walk, struct seen_slot *slot, uint64_t name, uint64_t stamp,
                      uint64_t name_hash)
{
    if (name == name_hash) {
        walk->mine = slot;
        walk->mine_stamp = stamp;
        return;
    }
    walk->other = slot;
    walk->crowded |= (stamp & SEEN_CROWDED) != 0;
    if ((stamp & ~SEEN_CROWDED) > walk->latest)
        walk->latest = stamp & ~SEEN_CROWDED;
}

/* Nothing is written if this name was already the last one to be given the address, as in most
 * lookups. If the swap fails, another lookup of the name came in between, and is as late as this
 * one. */
static void seen_renew(const struct seen_walk *walk)
{
    uint64_t was = walk->mine_stamp;

    if ((was & ~SEEN_CROWDED) < walk->latest)
        atomic_compare_exchange_strong(&walk->mine->stamp, &was,
                                       seen_next_stamp() | (was & SEEN_CROWDED));
}

static void seen_leave_out(const struct seen_walk *walk)
{
    if (!seen_is_full())
        atomic_store_explicit(&seen_table.full, true, memory_order_relaxed);
    if (walk->other && !walk->crowded)
        atomic_fetch_or(&walk->other->stamp, SEEN_CROWDED);
}

/* Not inlined, because the usual case below needs no stack. */
__attribute__((noinline)) static void seen_walk(size_t place, const struct seen_address *address,
                                                uint64_t name_hash)
{
    struct seen_walk walk = {0};

    for (size_t i = 0; i < SEEN_PROBES; i++) {
        struct seen_slot *slot = seen_at(place + i);
        uint64_t name = atomic_load_explicit(&slot->name, memory_order_relaxed), stamp;

        if (name == 0 && walk.mine)
            break;
        if (name == 0 && atomic_compare_exchange_strong(&slot->name, &name, name_hash)) {
            seen_fill(slot, address);
            return;
        }
        if ((stamp = seen_holds(slot, address)))
            seen_note(&walk, slot, name, stamp, name_hash);
    }
    if (walk.mine)
        seen_renew(&walk);
    else
        seen_leave_out(&walk);
}

static uint64_t seen_only_at(size_t place, const struct seen_address *address)
{
    struct seen_slot *first = seen_at(place), *second = seen_at(place + 1);

    if (atomic_load_explicit(&second->name, memory_order_relaxed) != 0 ||
        !seen_holds(first, address))
        return 0;
    return atomic_load_explicit(&first->name, memory_order_relaxed);
}

uint64_t seen_only(const struct seen_address *address)
{
    return seen_only_at(seen_place(address), address);
}

/* Most addresses are given for one name, and have been before. */
void seen_record(const struct seen_address *address, uint64_t name_hash)
{
    size_t place = seen_place(address);

    if (seen_only_at(place, address) != name_hash)
        seen_walk(place, address, name_hash);
}

/* If the address was left out, its first slot is not free either. */
bool seen_may(const struct seen_address *address)
{
    return atomic_load_explicit(&seen_at(seen_place(address))->name, memory_order_relaxed) != 0;
}

bool seen_find(const struct seen_address *address, struct seen *ret)
{
    size_t place = seen_place(address);

    ret->count = 0;
    ret->crowded = false;
    for (size_t i = 0; i < SEEN_PROBES; i++) {
        struct seen_slot *slot = seen_at(place + i);
        uint64_t name = atomic_load_explicit(&slot->name, memory_order_relaxed), stamp;

        if (name == 0)
            break;
        if (!(stamp = seen_holds(slot, address)))
            continue;
        ret->names[ret->count++] = (struct seen_name){name, stamp & ~SEEN_CROWDED};
        ret->crowded |= (stamp & SEEN_CROWDED) != 0;
    }
    return ret->count > 0;
}

bool seen_is_full(void)
{
    return atomic_load_explicit(&seen_table.full, memory_order_relaxed);
}
