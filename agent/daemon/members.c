/* SPDX-License-Identifier: Apache-2.0
 *
 * members.c - see members.h.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/daemon/members.h"

bool members_init(struct members *members, uint32_t count, const struct decision *decision)
{
    members->decision = decision;
    members->count = count;
    members->at = calloc(count, sizeof(*members->at));
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

uint32_t members_find(const struct members *members, const struct inet_address *address)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (addresses_hold(&members->at[i].where, address))
            return i;
    return MEMBER_NONE;
}

static bool has_host(const struct addresses *all, const struct inet_address *one)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (inet_address_same_host(&all->at[i].inet, one))
            return true;
    return false;
}

uint32_t members_find_host(const struct members *members, const struct inet_address *address)
{
    uint32_t found = MEMBER_NONE;

    for (uint32_t i = 0; i < members->count; i++) {
        if (!has_host(&members->at[i].where, address))
            continue;
        if (found != MEMBER_NONE)
            return MEMBER_NONE;
        found = i;
    }
    return found;
}
