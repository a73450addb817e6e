/* SPDX-License-Identifier: Apache-2.0
 *
 * consult.h - asks the view about a name: what every interposer does first.
 *
 * One pass through it: what cannot be a managed name goes straight on (consult_is_vain); then the
 * clock is read, once, the newest view looked into, and lookup.h decides. No system call but for an
 * attempt to attach that is due (attach.h).
 */
#ifndef HOMING_SHIM_CONSULT_H
#define HOMING_SHIM_CONSULT_H

#include <stdbool.h>

#include "shim/attach.h"
#include "shim/lookup.h"

/* text: numeric, unless the action is LOOKUP_PASS. name_hash: set whatever the action, what this
 * lookup's addresses are to be recorded under (seen.h); 0: not at all. The rest is for
 * consult_demoted(). */
struct consulted {
    const char *text;
    uint64_t name_hash;
    const struct view_map *map;
    struct view_entry entry;
    char reader_text[48];
};

/* Whether a lookup is none of ours at a glance: nothing was asked for, or an address. */
static inline bool consult_is_vain(const char *node)
{
    return !node || lookup_is_literal(node);
}

/* `node`: one that may be a name. Families other than AF_UNSPEC, AF_INET and AF_INET6 pass. errno
 * is kept. */
enum lookup_action consult(const char *node, int family, bool mapped, struct consulted *ret);

/* What the view says of a name of which the hash is known, as a lookup of it would see: *ret_entry,
 * and *ret_map, the view it is from, for the members. False: not managed. */
bool consult_hash(const struct attached *head, uint64_t hash, uint64_t now_ms,
                  struct view_entry *ret_entry, const struct view_map **ret_map);

/* The clock to judge the answer by, if `now_ms` was read before it: that, or what it is by now. */
uint64_t consult_now_ms(const struct view_entry *entry, uint64_t now_ms);

/* The demoted members' addresses of an answer that is to be verified (W9). */
struct consult_demoted {
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count;
};

/* None for a reader endpoint, for which a demoted member is as good as any. */
void consult_demoted(const struct consulted *consulted, struct consult_demoted *ret);

/* Length of the name as libc would give it back: as asked, without a trailing dot. */
size_t consult_name_len(const char *node);

#endif
