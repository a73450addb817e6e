/* SPDX-License-Identifier: Apache-2.0
 *
 * hash.h - FNV-1a with 64 bits, for checksums of our own and for telling texts apart.
 *
 * It withstands accidents, not people: whoever wants two texts with one hash can make them. Names
 * of endpoints have another hash (name.h), which is part of the contract.
 */
#ifndef HOMING_PROTO_HASH_H
#define HOMING_PROTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Continues `hash`, which begins as HASH_START. */
static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint64_t hash_text(const char *text)
{
    uint64_t hash = HASH_START;

    for (; *text; text++)
        hash = hash_bytes(hash, text, 1);
    return hash;
}

#endif
