/* SPDX-License-Identifier: Apache-2.0
 *
 * seen_table.h - the table behind seen.h: slots that hold (address, name), and the table's growth.
 *
 * Called by seen.c. 1. A free slot is taken by writing its name with compare-and-swap, and the slot
 * of a pair that is evicted by writing 0 over its stamp in the same way. Then it is filled, and its
 * stamp shows it. If a thread dies or a fork comes in between, the slot is lost and nothing else.
 * 2. A slot never becomes free again: where a walk meets a free one, there is nothing behind it.
 * 3. A table that is too small is copied into a larger one, which then takes its place. First it is
 * said that it is being copied. Whoever has changed it meanwhile notices that, and does it once more;
 * whoever wants to change it from then on copies it himself, and waits for nobody. So what was changed
 * before is all in the copy. No table is ever unmapped.
 */
#ifndef HOMING_SHIM_VIEW_SEEN_TABLE_H
#define HOMING_SHIM_VIEW_SEEN_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Pairs of address and name. The table begins small: 16 KB, mapped at the first lookup of a name.
 * It grows when a pair finds no room: to SEEN_SLOTS for any name, and once more for managed ones,
 * whose addresses may change with each failover. */
#define SEEN_SLOTS 4096

/* Slots that are looked at for one address, and so the most names that it is known by. */
#define SEEN_PROBES 16

/* An IPv6 address, or an IPv4 address that is written as IPv6. */
struct seen_address {
    uint64_t words[2];
};

/* `family` is AF_INET or AF_INET6. The bytes need not be aligned. */
static inline struct seen_address seen_address(int family, const void *bytes)
{
    struct seen_anywhere {
        uint64_t words[2];
    } __attribute__((packed, may_alias));
    struct seen_anywhere4 {
        uint32_t word;
    } __attribute__((packed, may_alias));

    if (family == AF_INET6) {
        const struct seen_anywhere *in6 = bytes;

        return (struct seen_address){{in6->words[0], in6->words[1]}};
    }
    return (struct seen_address){
        {0, (uint64_t)((const struct seen_anywhere4 *)bytes)->word << 32 | 0xffff0000u}};
}

/* In the stamp, beside the number. */
#define SEEN_CROWDED (1ull << 63)    /* names of this address were left out */
#define SEEN_SOLE    (1ull << 62)    /* the managed name's only present address of its family */
#define SEEN_LEFT    (1ull << 61)    /* the managed name has had another one since */
#define SEEN_NUMBER  (SEEN_LEFT - 1) /* the later, the larger */

/* Each word of a slot is stored with release and loaded with acquire: who sees a word that replaced
 * another one also sees that the stamp has changed before. */
struct seen_slot {
    _Atomic uint64_t name; /* 0: the slot is free, and the walk ends here */
    _Atomic uint64_t address[2];
    _Atomic uint64_t stamp; /* 0: being filled */
};

struct seen_pair {
    struct seen_address address;
    uint64_t name;
};

/* The low bits of a table's word: the binary logarithm of its size, and whether it is being copied. */
#define SEEN_SIZE    ((uintptr_t)31)
#define SEEN_GROWING ((uintptr_t)32)

/* A table as it was when it was looked for. */
struct seen_table {
    uintptr_t now;           /* its address, and these bits */
    struct seen_slot *slots; /* NULL: nothing was ever noted */
    size_t mask;
};

extern _Atomic uintptr_t seen_now;

static inline uint64_t seen_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline struct seen_table seen_open(uintptr_t now)
{
    return (struct seen_table){now, (struct seen_slot *)(now & ~(uintptr_t)63),
                               ((size_t)1 << (now & SEEN_SIZE)) - 1};
}

/* Pairs with the exchange in seen_grow(). */
static inline struct seen_table seen_table_now(void)
{
    return seen_open(atomic_load_explicit(&seen_now, memory_order_acquire));
}

/* Addresses of one network differ in their last bits, and IPv6 networks in the last bits of the
 * first word. A product mixes only upwards: its upper bits are well mixed, but the upper bits of a
 * factor do not reach those that are taken here. So they are folded down first. */
static inline size_t seen_place(const struct seen_address *address)
{
    uint64_t mixed = address->words[0] ^ (address->words[1] << 21 | address->words[1] >> 43);

    mixed ^= mixed >> 32;
    return mixed * 0x9e3779b97f4a7c15ull >> 40;
}

static inline struct seen_slot *seen_at(const struct seen_table *table, size_t place)
{
    return &table->slots[place & table->mask];
}

static inline bool seen_same(const struct seen_address *a, const struct seen_address *b)
{
    return ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1])) == 0;
}

/* 0: IPv4, written as IPv6. */
static inline unsigned seen_family(const struct seen_address *address)
{
    return address->words[0] || (uint32_t)address->words[1] != 0xffff0000u;
}

/* The stamp of a slot that holds `address`, and the name there. 0: it holds another one, or none
 * yet, or it was changed at this moment. */
static inline uint64_t seen_glance(const struct seen_slot *slot, const struct seen_address *address,
                                   uint64_t *ret_name)
{
    uint64_t stamp = seen_load(&slot->stamp);
    uint64_t differs = seen_load(&slot->address[0]) ^ address->words[0];

    differs |= seen_load(&slot->address[1]) ^ address->words[1];
    *ret_name = seen_load(&slot->name);
    differs |= seen_load(&slot->stamp) ^ stamp;
    return differs ? 0 : stamp;
}

/* The same, and if it was changed it is looked at once more. */
uint64_t seen_holds(const struct seen_slot *slot, const struct seen_address *address,
                    uint64_t *ret_name);

/* Copies a slot's pair out. Returns its stamp; 0: there is none, or it is being changed. */
uint64_t seen_read(const struct seen_slot *slot, struct seen_pair *ret);

/* For a slot that was taken: its pair, and last its stamp. */
void seen_fill(struct seen_slot *slot, const struct seen_pair *pair, uint64_t stamp);

/* Takes a free slot, and fills it. False: another thread has taken it. */
bool seen_take(struct seen_slot *slot, const struct seen_pair *pair, uint64_t stamp);

/* Changes flags of a stamp, if the slot has one. */
void seen_flag(struct seen_slot *slot, uint64_t set, uint64_t clear);

/* The table for who wants to change it: it is not being copied, if that can be brought to its end. errno
 * is kept. */
struct seen_table seen_table_to_change(void);

/* Whether what was changed in `table` is in force: else it has to be done once more. */
bool seen_is_current(const struct seen_table *table);

/* Makes the table larger, unless another thread has. Beyond SEEN_SLOTS only for a managed name.
 * False: it cannot be. errno is kept. */
bool seen_grow(const struct seen_table *from, bool managed);

/* Notes that a name of the address was left out for which there is no slot with the address: a
 * connect to it may be for that name. */
void seen_lose(const struct seen_address *address);
bool seen_lost(const struct seen_address *address);

#endif
