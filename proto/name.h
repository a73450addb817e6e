/* SPDX-License-Identifier: Apache-2.0
 *
 * name.h - the canonical form of a DNS name, and its 64-bit hash.
 *
 * Called by the shim at every lookup and by the agent for every configured name, so that both ends
 * agree to the bit. Canonical means: in ASCII lower case, without one trailing dot, compared whole.
 * Neither `search` nor `ndots` of resolv.conf is ever applied.
 */
#ifndef HOMING_PROTO_NAME_H
#define HOMING_PROTO_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

struct name {
    uint64_t hash; /* never 0 */
    uint32_t len;  /* bytes, 1..HOMING_NAME_MAX */
    uint64_t
        words[HOMING_NAME_WORDS]; /* the canonical bytes in memory order, zero-padded to a whole
                                          word; beyond name_words() they are not initialised */
};

/* The hash of `len` bytes in whole words. One multiplication for each word: it mixes the high bits
 * best; shifted down, they take part in the next one. */
static inline uint64_t name_hash_begin(uint32_t len)
{
    return 0xc2b2ae3d27d4eb4full ^ len;
}

static inline uint64_t name_hash_step(uint64_t h, uint64_t w)
{
    h = (h ^ w) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
}

static inline uint64_t name_hash_end(uint64_t h)
{
    h *= 0xc2b2ae3d27d4eb4full;
    h ^= h >> 29;
    return h ? h : 1;
}

/* The number of words that carry the name. */
static inline uint32_t name_words(const struct name *name)
{
    return (name->len + 7) / 8;
}

static inline bool name_same(const struct name *a, const struct name *b)
{
    uint32_t i = 0;

    if (a->hash != b->hash || a->len != b->len)
        return false;
    while (i < name_words(a) && a->words[i] == b->words[i])
        i++;
    return i == name_words(a);
}

/* Makes the canonical form of `text`, which ends with a NUL. False: it is empty, too long or not
 * ASCII, and *ret_name is undefined. Other texts that can never be managed (an empty label, ':' '%'
 * '/', an address) get a form, but no view has it, because a view has only names that name_valid()
 * accepts. Reads beyond the NUL only within its aligned 16 bytes, which cannot fault. No
 * allocation, no system call. */
bool name_canonical(const char *text, struct name *ret_name);

/* Whether `text` is a host name that a configuration may list: labels of 1 to 63 letters, digits,
 * '-' and '_', which may be A-labels; and not an address. For the agent only. */
bool name_valid(const char *text);

#endif
