/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_target.c - see sever_target.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/daemon/sever_target.h"

static void take_addresses(const struct cluster *cluster, struct sever_target *target)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    const struct member *member = cluster->members.at;
    const struct addresses *writer = &member[verdict->writer].where;

    for (uint32_t m = 0; m < cluster->members.count; m++)
        for (uint32_t i = 0; (verdict->demoted >> m & 1) && i < member[m].where.count; i++) {
            const struct inet_address *address = &member[m].where.at[i].inet;
            if (!addresses_hold(writer, address))
                target->addresses[target->address_count++] = *address;
        }
}

static void take_endpoints(const struct cluster *cluster, struct sever_target *target)
{
    enum view_mode wanted = target->kind == SEVER_DO ? VIEW_MODE_SEVER : VIEW_MODE_OBSERVE;

    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++) {
        const struct conf_endpoint *conf = &cluster->conf->endpoints[i];
        const struct state_endpoint *endpoint = &cluster->endpoints[i];
        if (conf->role == VIEW_ROLE_WRITER && endpoint->fingerprint &&
            (cluster->mode ? cluster->mode : conf->mode) == wanted)
            target->endpoints[target->endpoint_count++] =
                (struct sever_endpoint){.id = endpoint->id, .older_than = endpoint->generation};
    }
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* The order of the addresses comes from the resolver and means nothing. For a target that is only
 * counted, the mark leaves addresses out: it is not counted again because a name got another
 * address. */
static uint64_t mark(const struct sever_target *target)
{
    uint64_t mark = mix(1, target->kind), sum = 0;

    if (!target->endpoint_count || !target->address_count)
        return 0;
    for (uint32_t i = 0; i < target->endpoint_count; i++)
        mark = mix(mix(mark, target->endpoints[i].id), target->endpoints[i].older_than);
    for (uint32_t i = 0; target->kind == SEVER_DO && i < target->address_count; i++) {
        const struct inet_address *address = &target->addresses[i];
        uint64_t words[2];
        memcpy(words, address->bytes, sizeof(words));
        sum += mix(mix(mix(address->port, words[0]), words[1]), address->family);
    }
    return mix(mark, sum) | 1;
}

bool sever_target_make(const struct cluster *cluster, enum sever_kind kind,
                       struct sever_target *ret_target)
{
    struct sever_target *target = ret_target;

    memset(target, 0, sizeof(*target));
    target->kind = kind;
    target->endpoints = calloc(cluster->conf->endpoint_count + 1, sizeof(*target->endpoints));
    if (!target->endpoints)
        return false;
    take_addresses(cluster, target);
    take_endpoints(cluster, target);
    target->mark = mark(target);
    return true;
}

void sever_target_done(struct sever_target *target)
{
    free(target->endpoints);
}
