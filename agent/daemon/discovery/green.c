/* SPDX-License-Identifier: Apache-2.0
 *
 * green.c - see green.h. Called by cluster.c.
 */
#include "config.h"

#include <strings.h>

#include "agent/daemon/discovery/green.h"

static uint32_t members_of(const struct cluster *cluster, const struct topology_row *row,
                           uint16_t port)
{
    const struct conf_cluster *conf = cluster->conf;
    uint32_t mask = 0;

    for (uint32_t m = 0; m < conf->member_count; m++)
        if (conf->members[m].port == (row->port ? row->port : port) &&
            strcasecmp(conf->members[m].host, row->host) == 0)
            mask |= UINT32_C(1) << m;
    return mask;
}

void green_hear(struct cluster *cluster, uint32_t member, const struct topology *topology)
{
    struct named_green *named;

    if (member >= cluster->conf->member_count)
        return;
    named = &cluster->green[member];
    *named = (struct named_green){.anew = true};
    for (uint32_t i = 0; i < topology->count; i++)
        if (topology->at[i].green)
            named->mask |=
                members_of(cluster, &topology->at[i], cluster->conf->members[member].port);
}

void green_fill(struct cluster *cluster, struct report *report)
{
    if (report->member >= cluster->conf->member_count)
        return;
    report->green = cluster->green[report->member].mask;
    report->names_green = cluster->green[report->member].anew;
    cluster->green[report->member].anew = false;
}
