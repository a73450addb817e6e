/* SPDX-License-Identifier: Apache-2.0
 *
 * publication.c - see publication.h. entry.c makes the entries.
 */
#include "config.h"

#include <string.h>

#include "agent/publish/entry.h"
#include "agent/publish/publication.h"

static void take_ports(const struct conf_cluster *conf, struct publication *p)
{
    uint16_t port = 0;

    while (p->port_count < HOMING_CLUSTER_PORTS_MAX && (port = conf_cluster_port(conf, port)) != 0)
        p->ports[p->port_count++] = port;
}

void publication_make(const struct conf_cluster *conf, uint32_t index,
                      const struct verdict *verdict, const struct addresses *const *members,
                      const struct left_addresses *left, struct publication *ret_publication)
{
    struct publication *p = ret_publication;

    memset(p, 0, sizeof(*p));
    p->count = entry_addresses(verdict, members, conf->member_count, left, p->at);
    p->member_count = conf->member_count;
    for (uint32_t i = 0; i < conf->member_count; i++)
        p->officials[i] = members[i]->official;
    take_ports(conf, p);
    entry_fill(verdict, members, &p->entry);
    p->entry.cluster = index;
    p->entry.confirmed_ms = verdict->confirmed_ms;
    p->entry.max_stale_ms = conf->timing.max_stale_ms;
    p->entry.keepalive_ms = conf->timing.keepalive_ms;
}

uint64_t publication_fingerprint(const struct publication *publication, enum view_role role)
{
    return entry_fingerprint(role, &publication->entry, publication->at, publication->count);
}

static uint64_t ports_of(const struct conf_endpoint *conf)
{
    uint64_t ports = 0;

    for (uint32_t i = 0; i < conf->port_count; i++)
        ports |= (uint64_t)conf->ports[i] << i * 16;
    return ports;
}

static int write_endpoint(const struct publication *publication, const struct conf_endpoint *conf,
                          const struct state_endpoint *endpoint, enum view_mode mode,
                          struct view *view)
{
    struct view_entry entry = publication->entry;
    int rv = 0;

    entry.mode = mode ? mode : conf->mode;
    entry.role = conf->role;
    entry.hold_ms = conf->hold_ms;
    entry.ports = ports_of(conf);
    entry.endpoint = endpoint->id;
    entry.generation = endpoint->generation;
    for (uint32_t n = 0; n < conf->name_count && rv == 0; n++)
        rv = view_write_entry(view_writer(view), &conf->names[n].name, &entry);
    return rv;
}

int publication_write(const struct publication *publication, const struct conf_cluster *conf,
                      const struct state_endpoint *endpoints, enum view_mode mode,
                      struct view *view)
{
    int rv = 0;
    const struct view_listing listing = {
        .at = publication->at,
        .count = publication->count,
        .names = publication->officials,
        .name_count = publication->member_count,
        .ports = publication->ports,
        .port_count = publication->port_count,
    };
    int named = view_write_cluster(view_writer(view), publication->entry.cluster, &listing);

    for (uint32_t i = 0; i < conf->endpoint_count && rv == 0; i++)
        rv = write_endpoint(publication, &conf->endpoints[i], &endpoints[i], mode, view);
    return rv ? rv : named;
}

void publication_write_confirmed(const struct conf_cluster *conf, uint64_t confirmed_ms,
                                 struct view *view)
{
    for (uint32_t i = 0; i < conf->endpoint_count; i++)
        for (uint32_t n = 0; n < conf->endpoints[i].name_count; n++)
            view_write_confirmed(view_writer(view), &conf->endpoints[i].names[n].name,
                                 confirmed_ms);
}
