/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.h - which addresses this process was given for which names, so that a connect() can be told
 * what it is for.
 *
 * Recorded by every lookup of a name, managed or not; read by every connect. Bounded, lock-free,
 * async-signal-safe; nothing is ever evicted.
 *
 * 1. An address is known with all names that it was given for, or it is `crowded`: then there were
 *    others for which there was no room, and nobody can say any more what a connect to it is for.
 * 2. Words of addresses are little endian, as in proto/name.c.
 * 3. What was not recorded for want of room is found by nobody: its connects are left alone.
 */
#ifndef HOMING_SHIM_SEEN_H
#define HOMING_SHIM_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Pairs of address and name. A program with some hundred peers fills a tenth; one that resolves
 * without end (a crawler) is not steered any further, which is what happens without homing. */
#define SEEN_SLOTS 4096

/* Slots looked at for one address; also the most names that one address is known by. */
#define SEEN_PROBES 16

/* Stands for all names that have no canonical form, and so can never be managed. */
#define SEEN_STRANGE 1

/* An IPv6 address; IPv4 as v4-mapped. */
struct seen_address {
    uint64_t words[2];
};

/* stamp: the larger, the later was this name looked up. */
struct seen_name {
    uint64_t hash;
    uint64_t stamp;
};

struct seen {
    uint32_t count;
    bool crowded;
    struct seen_name names[SEEN_PROBES];
};

/* `family` AF_INET or AF_INET6, and `bytes` of its address, which may lie anywhere. */
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

void seen_record(const struct seen_address *address, uint64_t name_hash);

/* At a glance. False: this process was not given it for any name, nor was anything left out. */
bool seen_may(const struct seen_address *address);

/* The hash of the name that it was given for, where that is one and found at once, as for most; 0:
 * ask seen_find(). */
uint64_t seen_only(const struct seen_address *address);

/* False: this process was not given it for any name. */
bool seen_find(const struct seen_address *address, struct seen *ret);

/* Whether anything was ever left out. */
bool seen_is_full(void);

#endif
