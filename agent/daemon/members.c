/* SPDX-License-Identifier: Apache-2.0
 *
 * members.c - see members.h.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/members.h"

bool members_init(struct members *members, uint32_t count, const struct decision *decision)
{
    members->decision = decision;
    members->count = count;
    members->at = calloc(count + 1, sizeof(*members->at)); /* a cluster may begin with none */
    return members->at;
}

void members_done(struct members *members)
{
    free(members->at);
}

void members_take(struct members *members, uint32_t member, const struct probe_member *known)
{
    struct member *m = &members->at[member];

    m->where = *known->where;
    snprintf(m->error, sizeof(m->error), "%s", known->error);
    snprintf(m->note, sizeof(m->note), "%s", known->note);
}

void members_take_report(struct members *members, const struct report *report)
{
    if (report->kind == REPORT_ANSWER && report->role == ROLE_READER)
        members->at[report->member].reader_incarnation = report->incarnation;
}

void members_where(const struct members *members, const struct addresses *ret[HOMING_MEMBERS_MAX])
{
    for (uint32_t i = 0; i < members->count; i++)
        ret[i] = &members->at[i].where;
}

const struct topo_member *members_said(const struct members *members, uint32_t member)
{
    return &members->decision->topo.at[member];
}

bool members_claims(const struct members *members, uint32_t member, uint64_t now_ms)
{
    const struct decision *decision = members->decision;

    return topo_claims(&decision->topo, member, decision->conf.timeout_ms, now_ms);
}

uint32_t members_alias_of(const struct members *members, uint32_t member)
{
    uint32_t earlier = (1u << member) - 1;
    uint32_t aliases = topo_aliases(&members->decision->topo, member) & earlier;

    return aliases ? (uint32_t)__builtin_ctz(aliases) : MEMBER_NONE;
}

/* ---- as the kernel lists them ---- */

/* Of this address, or of all; the oldest. listed_count: there is none. */
static uint32_t oldest_listed(const struct members *members, const struct inet_address *asked,
                              uint32_t *ret_count)
{
    uint32_t oldest = members->listed_count;

    *ret_count = 0;
    for (uint32_t i = 0; i < members->listed_count; i++)
        if (inet_address_same(&members->listed[i].asked, asked)) {
            oldest = i;
            ++*ret_count;
        }
    return oldest;
}

static uint32_t find_pair(const struct members *members, const struct inet_address *asked,
                          const struct inet_address *listed)
{
    uint32_t i = 0;

    while (i < members->listed_count && !(inet_address_same(&members->listed[i].asked, asked) &&
                                          inet_address_same(&members->listed[i].listed, listed)))
        i++;
    return i;
}

/* Which pair the new one takes the place of; listed_count: of none. */
static uint32_t pair_to_replace(const struct members *members, const struct inet_address *asked,
                                const struct inet_address *listed)
{
    uint32_t same = find_pair(members, asked, listed), count;
    uint32_t oldest = oldest_listed(members, asked, &count);

    if (same < members->listed_count)
        return same;
    if (count == MEMBERS_LISTED_OF_ONE_MAX)
        return oldest;
    return members->listed_count < MEMBERS_LISTED_MAX ? members->listed_count
                                                      : MEMBERS_LISTED_MAX - 1;
}

bool members_take_listed(struct members *members, const struct inet_address *asked,
                         const struct inet_address *listed)
{
    uint32_t place;

    if (inet_address_same(members_listed(members, asked), listed))
        return false;
    place = pair_to_replace(members, asked, listed);
    members->listed_count += place == members->listed_count;
    memmove(&members->listed[1], &members->listed[0], place * sizeof(members->listed[0]));
    members->listed[0] = (struct listed_pair){*asked, *listed};
    return true;
}

void members_inherit_listed(struct members *members, const struct members *old)
{
    memcpy(members->listed, old->listed, sizeof(members->listed));
    members->listed_count = old->listed_count;
}

_Static_assert(MEMBERS_LISTED_MAX <= STATE_LISTED_MAX, "all of them are saved");

void members_save_listed(const struct members *members, struct state_cluster *saved)
{
    saved->listed_count = members->listed_count;
    for (uint32_t i = 0; i < members->listed_count; i++)
        saved->listed[i] =
            (struct state_listed){members->listed[i].asked, members->listed[i].listed};
}

void members_load_listed(struct members *members, const struct state_cluster *saved)
{
    for (uint32_t i = saved->listed_count; i > 0; i--)
        members_take_listed(members, &saved->listed[i - 1].asked, &saved->listed[i - 1].listed);
}

const struct inet_address *members_listed(const struct members *members,
                                          const struct inet_address *asked)
{
    for (uint32_t i = 0; i < members->listed_count; i++)
        if (inet_address_same(&members->listed[i].asked, asked))
            return &members->listed[i].listed;
    return asked;
}

/* ---- whose address it is ---- */

/* Whether a connection to the member may be listed so; at this host, or at the port, too. Of what was
 * listed before, too. */
static bool is_listed_at(const struct members *members, uint32_t member,
                         const struct inet_address *address, bool whole)
{
    for (uint32_t i = 0; i < members->listed_count; i++) {
        const struct listed_pair *pair = &members->listed[i];
        if ((whole ? inet_address_same(&pair->listed, address)
                   : inet_address_same_host(&pair->listed, address)) &&
            addresses_hold(&members->at[member].where, &pair->asked))
            return true;
    }
    return false;
}

uint32_t members_find(const struct members *members, const struct inet_address *address)
{
    uint32_t found = MEMBER_NONE;

    for (uint32_t i = 0; i < members->count; i++)
        if (addresses_hold(&members->at[i].where, address))
            return i;
    for (uint32_t i = 0; i < members->count; i++) {
        if (!is_listed_at(members, i, address, true))
            continue;
        if (found != MEMBER_NONE)
            return MEMBER_NONE;
        found = i;
    }
    return found;
}

static bool has_host(const struct members *members, uint32_t member, const struct inet_address *one)
{
    const struct addresses *all = &members->at[member].where;

    for (uint32_t i = 0; i < all->count; i++)
        if (inet_address_same_host(&all->at[i].inet, one))
            return true;
    return is_listed_at(members, member, one, false);
}

uint32_t members_find_host(const struct members *members, const struct inet_address *address)
{
    uint32_t found = MEMBER_NONE;

    for (uint32_t i = 0; i < members->count; i++) {
        if (!has_host(members, i, address))
            continue;
        if (found != MEMBER_NONE)
            return MEMBER_NONE;
        found = i;
    }
    return found;
}
