/* SPDX-License-Identifier: Apache-2.0
 *
 * publication.c - see publication.h. entry.c makes the entries.
 */
#include "config.h"

#include <string.h>

#include "agent/publish/entry.h"
#include "agent/publish/publication.h"

void publication_make(const struct conf_cluster *conf, uint32_t index,
                      const struct verdict *verdict, const struct addresses *const *members,
                      struct publication *ret_publication)
{
    struct publication *p = ret_publication;

    memset(p, 0, sizeof(*p));
    p->count = entry_addresses(verdict, members, conf->member_count, p->at);
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

static int write_endpoint(const struct publication *publication, const struct conf_endpoint *conf,
                          const struct state_endpoint *endpoint, enum view_mode mode,
                          struct view *view)
{
    struct view_entry entry = publication->entry;
    int rv = 0;

    entry.mode = mode ? mode : conf->mode;
    entry.role = conf->role;
    entry.hold_ms = conf->hold_ms;
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

    view_write_members(view_writer(view), publication->entry.cluster, publication->at,
                       publication->count);
    for (uint32_t i = 0; i < conf->endpoint_count && rv == 0; i++)
        rv = write_endpoint(publication, &conf->endpoints[i], &endpoints[i], mode, view);
    return rv;
}

void publication_write_confirmed(const struct conf_cluster *conf, uint64_t confirmed_ms,
                                 struct view *view)
{
    for (uint32_t i = 0; i < conf->endpoint_count; i++)
        for (uint32_t n = 0; n < conf->endpoints[i].name_count; n++)
            view_write_confirmed(view_writer(view), &conf->endpoints[i].names[n].name,
                                 confirmed_ms);
}
