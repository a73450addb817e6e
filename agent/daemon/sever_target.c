/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_target.c - see sever_target.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/daemon/elsewhere.h"
#include "agent/daemon/sever_target.h"
#include "agent/sever/client/own_sockets.h"

static enum view_mode mode_of(const struct cluster *cluster, uint32_t endpoint)
{
    return cluster->mode ? cluster->mode : cluster->conf->endpoints[endpoint].mode;
}

static uint64_t bit_of(uint32_t endpoint)
{
    return UINT64_C(1) << endpoint % 64;
}

uint64_t sever_target_untold(const struct cluster *cluster)
{
    uint64_t untold = 0;

    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++) {
        enum view_mode mode = mode_of(cluster, i);
        if (cluster->conf->endpoints[i].role == VIEW_ROLE_WRITER &&
            (mode == VIEW_MODE_OFF || mode == VIEW_MODE_NAMES))
            untold |= bit_of(i);
    }
    return untold;
}

/* Once an endpoint wants tags, each new connection for it has one. What was made before may never be told of: a
 * program with HOMING_SEVER=0 may look up nothing any more, and has only asked for the cookie. */
void sever_target_note_untold(struct cluster *cluster)
{
    struct sever_client *client = cluster->daemon->sever_client;
    struct severing *severing = &cluster->severing;
    uint64_t untold = sever_target_untold(cluster);

    if (client && cluster->conf->sever_untagged && severing->unheard & ~untold)
        sever_client_published(client);
    severing->unheard = untold;
    severing->untold |= untold;
}

/* Whether the endpoint is among those that this kind of order is about. Readers are listed only. */
static bool is_meant(const struct cluster *cluster, enum sever_kind kind, uint32_t endpoint)
{
    const struct conf_endpoint *conf = &cluster->conf->endpoints[endpoint];
    enum view_mode wanted = kind == SEVER_DO ? VIEW_MODE_SEVER : VIEW_MODE_OBSERVE;

    return kind == SEVER_LIST ||
           (conf->role == VIEW_ROLE_WRITER && cluster->endpoints[endpoint].fingerprint &&
            mode_of(cluster, endpoint) == wanted);
}

uint16_t sever_target_port(const struct cluster *cluster, enum sever_kind kind, uint16_t above)
{
    uint16_t next = 0;

    for (uint32_t e = 0; e < cluster->conf->endpoint_count; e++) {
        const struct conf_endpoint *conf = &cluster->conf->endpoints[e];
        for (uint32_t i = 0; i < conf->port_count && is_meant(cluster, kind, e); i++)
            if (conf->ports[i] > above && (next == 0 || conf->ports[i] < next))
                next = conf->ports[i];
    }
    return next;
}

/* Whether a member that is not demoted is there, by its own address or as it is listed now; at the
 * port, or at any of the host: what listens at another port may lead to any server of the host. */
static bool is_others(const struct cluster *cluster, const struct inet_address *address, bool host)
{
    bool (*same)(const struct inet_address *, const struct inet_address *) =
        host ? inet_address_same_host : inet_address_same;
    const struct members *members = &cluster->members;

    for (uint32_t m = 0; m < members->count; m++)
        for (uint32_t i = 0; i < members->at[m].where.count; i++) {
            const struct inet_address *at = &members->at[m].where.at[i].inet;
            if (!(cluster->decision.verdict.demoted >> m & 1) &&
                (same(at, address) || same(members_listed(members, at), address)))
                return true;
        }
    return false;
}

static void take_address(const struct cluster *cluster, const struct inet_address *address,
                         struct sever_target *target)
{
    struct inet_address other = *address;

    target->addresses[target->address_count++] = *address;
    if (is_others(cluster, address, true))
        return;
    for (uint16_t port = 0; (port = sever_target_port(cluster, target->kind, port)) != 0;) {
        other.port = port;
        target->addresses[target->address_count++] = other;
    }
}

static void take_addresses(const struct cluster *cluster, struct sever_target *target)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    const struct member *member = cluster->members.at;
    const struct addresses *writer = &member[verdict->writer].where;

    for (uint32_t m = 0; m < cluster->members.count; m++)
        for (uint32_t i = 0; (verdict->demoted >> m & 1) && i < member[m].where.count; i++) {
            const struct inet_address *address = &member[m].where.at[i].inet;
            if (!addresses_hold(writer, address))
                take_address(cluster, address, target);
        }
}

static void take_left(const struct cluster *cluster, struct sever_target *target)
{
    struct left_addresses left;

    elsewhere_left(cluster, &left);
    target->left_from = target->address_count;
    for (uint32_t i = 0; i < left.count; i++)
        take_address(cluster, &left.at[i].inet, target);
}

static bool holds(const struct sever_target *target, uint32_t count,
                  const struct inet_address *address)
{
    for (uint32_t i = 0; i < count; i++)
        if (inet_address_same(&target->addresses[i], address))
            return true;
    return false;
}

/* Each network namespace has its own, as of a proxy that all connections of a program go through. */
static bool is_local(const struct inet_address *address)
{
    static const uint8_t none[15];
    const uint8_t *b = address->bytes;

    if (address->family == 4)
        return b[0] == 127 || b[0] == 0 || (b[0] == 169 && b[1] == 254);
    return (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) ||
           (memcmp(b, none, sizeof(none)) == 0 && b[15] <= 1);
}

/* The agent's own connections to them were listed so: a program's are, too. If the other ports are
 * led elsewhere is known only where this one keeps its number. */
static void take_listed(const struct cluster *cluster, struct sever_target *target)
{
    uint32_t asked = target->address_count;

    for (uint32_t i = 0; i < cluster->members.listed_count; i++) {
        const struct listed_pair *pair = &cluster->members.listed[i];
        if (!holds(target, asked, &pair->asked) ||
            holds(target, target->address_count, &pair->listed) || is_local(&pair->listed) ||
            is_others(cluster, &pair->listed, false))
            continue;
        if (pair->listed.port == pair->asked.port)
            take_address(cluster, &pair->listed, target);
        else
            target->addresses[target->address_count++] = pair->listed;
    }
}

uint32_t sever_target_own(const struct daemon *daemon, const struct inet_address *addresses,
                          uint32_t count, uint64_t *ret_cookies, uint32_t max)
{
    struct inet_address all[SEVER_ADDRESSES_MAX * 2];
    uint32_t all_count = count;

    memcpy(all, addresses, count * sizeof(all[0]));
    for (uint32_t c = 0; c < daemon->cluster_count; c++) {
        const struct members *members = &daemon->clusters[c]->members;
        for (uint32_t i = 0; i < members->listed_count * count; i++) {
            const struct listed_pair *pair = &members->listed[i / count];
            if (inet_address_same(&pair->listed, &addresses[i % count]) &&
                all_count < sizeof(all) / sizeof(all[0]))
                all[all_count++] = pair->asked;
        }
    }
    return own_sockets_connected_to(all, all_count, ret_cookies, max);
}

static void take_endpoints(const struct cluster *cluster, struct sever_target *target)
{
    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++) {
        const struct state_endpoint *endpoint = &cluster->endpoints[i];
        if (!is_meant(cluster, target->kind, i))
            continue;
        target->meant |= bit_of(i);
        target->endpoints[target->endpoint_count++] =
            (struct sever_endpoint){.id = endpoint->id, .older_than = endpoint->generation};
    }
}

/* With the own port, and with each other one. */
#define SEVER_TARGET_MAX                                                                           \
    ((HOMING_MEMBERS_MAX * HOMING_ADDRESSES_MAX + HOMING_LEFT_MAX + MEMBERS_LISTED_MAX) *          \
     (1 + HOMING_CLUSTER_PORTS_MAX))

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
    target->addresses = calloc(SEVER_TARGET_MAX, sizeof(*target->addresses));
    if (!target->endpoints || !target->addresses) {
        sever_target_done(target);
        return false;
    }
    take_addresses(cluster, target);
    take_left(cluster, target);
    take_listed(cluster, target);
    take_endpoints(cluster, target);
    target->mark = mark(target);
    return true;
}

void sever_target_done(struct sever_target *target)
{
    free(target->endpoints);
    free(target->addresses);
}
