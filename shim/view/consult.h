/* SPDX-License-Identifier: Apache-2.0
 *
 * consult.h - asks the view about a name: the first step of every lookup.
 *
 * One pass: what cannot be a managed name goes straight on (consult_is_no_name). For a name the
 * clock is read once, the newest view is looked into, and lookup.h decides. There is no system
 * call, unless the agent is to be asked for a view (attach.h).
 */
#ifndef HOMING_SHIM_VIEW_CONSULT_H
#define HOMING_SHIM_VIEW_CONSULT_H

#include <stdbool.h>

#include "shim/view/attach.h"
#include "shim/view/lookup.h"

struct consulted {
    /* As in struct lookup_texts; not set with LOOKUP_PASS. */
    const char *text, *other;
    bool one_member;
    uint64_t now_ms;    /* when the view was looked into */
    uint64_t name_hash; /* always set: the name for which this lookup's addresses are recorded
                           (seen.h); 0: they are not recorded */
    bool managed;       /* always set: the newest view has the name */
    const struct view_map *map; /* this and the entry are for consult_demoted() */
    struct view_entry entry;
    char reader_text[2][48]; /* where both point to for a reader endpoint */
};

/* Whether no name is asked for: nothing, or an address. Found out at a glance. */
static inline bool consult_is_no_name(const char *node)
{
    return !node || lookup_is_literal(node);
}

/* For a `node` that may be a name. A family other than AF_UNSPEC, AF_INET and AF_INET6 passes. Of
 * the flags AI_V4MAPPED and AI_ALL count. errno is kept. */
enum lookup_action consult(const char *node, int family, int flags, struct consulted *ret);

/* What a lookup of the name with this hash would find: the entry, and in *ret_map the view that it
 * is from, for the members. False: the name is not managed. */
bool consult_hash(const struct attached *head, uint64_t hash, uint64_t now_ms,
                  struct view_entry *ret_entry, const struct view_map **ret_map);

/* The time by which an entry is to be judged, if `now_ms` was read before the entry: `now_ms`, or a
 * later time if the entry was confirmed since. */
uint64_t consult_now_ms(const struct view_entry *entry, uint64_t now_ms);

/* The addresses of the demoted members, for an answer that is to be verified (W9). */
struct consult_demoted {
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count;
};

/* For a reader endpoint there are none: it may use a demoted member like any other. */
void consult_demoted(const struct consulted *consulted, struct consult_demoted *ret);

/* The official name of the member whose address the answer is, for callers that want a canonical
 * name. Returns its length; 0: it is not known, or it is the name asked for, and *ret_name is
 * undefined. */
size_t consult_official(const struct consulted *consulted, const char *node,
                        char ret_name[VIEW_OFFICIAL_SIZE]);

/* The length of the name as libc would give it back: as it was asked for, without a trailing
 * dot. */
size_t consult_name_len(const char *node);

#endif
