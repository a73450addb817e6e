/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.h - which addresses this process was given for which names, so that a connect() shows what
 * it is for.
 *
 * Every lookup of a name is recorded, managed or not, and every connect looks here. Bounded,
 * lock-free, async-signal-safe; nothing is ever evicted.
 *
 * 1. An address is known with all names that it was given for, or it is `crowded`: then there was
 *    no room for at least one more name, and a connect to it may be for that one.
 * 2. An address for which there was no room is not found, and connects to it are left alone.
 * 3. The words of an address are little endian, as in proto/name.c.
 */
#ifndef HOMING_SHIM_VIEW_SEEN_H
#define HOMING_SHIM_VIEW_SEEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Pairs of address and name. A program with some hundred peers fills a tenth of it. A program that
 * resolves new names without end, such as a crawler, is not steered to what no longer fits: it runs
 * as without homing. */
#define SEEN_SLOTS 4096

/* Slots that are looked at for one address, and so the most names that it can be known by. */
#define SEEN_PROBES 16

/* Stands for all names that have no canonical form and so can never be managed. */
#define SEEN_FOREIGN 1

/* An IPv6 address, or an IPv4 address that is written as IPv6. */
struct seen_address {
    uint64_t words[2];
};

/* The larger the stamp, the later the name was looked up. */
struct seen_name {
    uint64_t hash;
    uint64_t stamp;
};

struct seen {
    uint32_t count;
    bool crowded;
    struct seen_name names[SEEN_PROBES];
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

void seen_record(const struct seen_address *address, uint64_t name_hash);

/* Found out at a glance. False: this process was not given the address for any name, and did not
 * leave it out for want of room. */
bool seen_may(const struct seen_address *address);

/* The hash of the only name that this process was given the address for. 0: there may be none or
 * several, and seen_find() tells; for most addresses it is not needed. */
uint64_t seen_only(const struct seen_address *address);

/* False: this process was not given the address for any name, or left it out. */
bool seen_find(const struct seen_address *address, struct seen *ret);

/* Whether anything was ever left out for want of room. */
bool seen_is_full(void);

#endif
