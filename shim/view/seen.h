/* SPDX-License-Identifier: Apache-2.0
 *
 * seen.h - which addresses this process was given for which names, so that a connect() shows what
 * it is for.
 *
 * One pass: every lookup of a name is noted, managed or not: seen_add() for each address, then
 * seen_end(). Every connect looks here. Bounded, lock-free, async-signal-safe.
 *
 * 1. An address is known with all names that it was given for and that matter, or it is `crowded`:
 *    then there was no room for at least one more, and a connect to it may be for that one. That is
 *    noted even if no slot has the address (seen_lose()).
 * 2. Nothing is evicted before there is a view, and then only a name that is not managed with an
 *    address that is no member's and no managed name's: no address becomes one to be redirected.
 * 3. The words of an address are little endian, as in proto/name.c.
 */
#ifndef HOMING_SHIM_VIEW_SEEN_H
#define HOMING_SHIM_VIEW_SEEN_H

#include "shim/view/seen_table.h"

/* Of the names of one address, at most so many are unmanaged, so that there is room for managed
 * ones. One of them is enough to keep a connect from being changed. */
#define SEEN_STRANGERS 8

/* Stands for all names that have no canonical form and so can never be managed. */
#define SEEN_FOREIGN 1

/* The larger the stamp, the later the name was looked up. */
struct seen_name {
    uint64_t hash;
    uint64_t stamp;
    bool left; /* a later lookup of this managed name gave another address of the family */
};

/* What is known of an address, but for its names. */
struct seen {
    bool crowded;
    uint64_t asked; /* this thread's last lookup gave it for this name, and no connect has used that
                       yet; 0: for none of its names */
};

/* One lookup while it is noted. Begins with the first two fields set and the rest 0. */
struct seen_lookup {
    uint64_t name;               /* 0: nothing is noted */
    bool managed;                /* the view has the name */
    struct seen_address last[2]; /* of each family */
    uint32_t count[2];           /* how many that differ */
    bool settled[2];             /* the last one is known as the name's only present one */
};

/* One of the lookup's addresses. One that is listed several times in a row is noted once. errno is
 * kept by both. */
void seen_add(struct seen_lookup *lookup, const struct seen_address *address);

/* For a lookup of a managed name that gave this address alone. True: so did the one before, and
 * there is nothing to be noted. Found out at a glance, as for most lookups. */
bool seen_again(uint64_t name, const struct seen_address *address);

/* All of them were added. */
void seen_end(const struct seen_lookup *lookup);

/* Found out at a glance. False: this process was not given the address for any name, and did not
 * leave it out for want of room. */
bool seen_may(const struct seen_address *address);

/* The hash of the only name that this process was given the address for. 0: there may be none or
 * several, and seen_find() tells; for most addresses it is not needed. */
uint64_t seen_only(const struct seen_address *address);

/* False: this process was not given the address for any name, or left it out. */
bool seen_find(const struct seen_address *address, struct seen *ret);

/* Its names in the order of their hashes, one at a time, because places in the table change while
 * other threads look names up: the first above `above`. False: there is none. */
bool seen_next(const struct seen_address *address, uint64_t above, struct seen_name *ret);

/* A connect to the address uses up what the thread's last lookup gave: once in each family, for a
 * program tries one after the other. */
void seen_use(const struct seen_address *address);

/* Whether anything that may be a managed name's was ever left out for want of room. */
bool seen_is_full(void);

#endif
