/* SPDX-License-Identifier: Apache-2.0
 *
 * name.h - the canonical form of a DNS name, and its 64-bit hash.
 *
 * Called by the shim at every lookup and by the agent for every configured name, so that both ends
 * agree to the bit. Canonical: ASCII lower case, one trailing dot removed, compared whole. Neither
 * `search` nor `ndots` of resolv.conf is ever applied.
 */
#ifndef HOMING_PROTO_NAME_H
#define HOMING_PROTO_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

/* words: the canonical bytes in memory order, zero-padded to a whole word; words beyond
 * name_words() are not initialised. len: bytes, 1..HOMING_NAME_MAX. hash: never 0. */
struct name {
    uint64_t hash;
    uint32_t len;
    uint64_t words[HOMING_NAME_WORDS];
};

/* Number of words that carry the name. */
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

/* Makes the canonical form of the NUL-terminated `text`. Returns false, leaving *ret_name
 * undefined, for what is empty, too long or not ASCII. What else can never be managed (an empty
 * label, ':' '%' '/', an address) is found by nobody: a view holds only names that name_valid()
 * accepts. Reads beyond the NUL only within its aligned 8 bytes, which cannot fault. No allocation,
 * no system call. */
bool name_canonical(const char *text, struct name *ret_name);

/* Whether `text` is a host name that a configuration may list: letters, digits, '-', '_' in
 * labels of 1..63, an A-label at most, and not an address literal. Agent only. */
bool name_valid(const char *text);

#endif
