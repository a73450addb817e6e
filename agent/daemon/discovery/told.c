/* SPDX-License-Identifier: Apache-2.0
 *
 * told.c - see told.h. Called by cluster.c.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>

#include "agent/daemon/discovery/told.h"

static uint32_t members_at(const struct cluster *cluster, const char *host, uint16_t port)
{
    const struct conf_cluster *conf = cluster->conf;
    uint32_t mask = 0;

    for (uint32_t m = 0; m < conf->member_count; m++)
        if (conf->members[m].port == port && strcasecmp(conf->members[m].host, host) == 0)
            mask |= UINT32_C(1) << m;
    return mask;
}

static uint32_t members_of(const struct cluster *cluster, const struct topology_row *row,
                           uint16_t port)
{
    struct conf_host host;

    if (row->host[0])
        return members_at(cluster, row->host, row->port ? row->port : port);
    if (named_judge_row(cluster->conf, row, port, &host, &port) != NAMED_GOOD)
        return 0;
    return members_at(cluster, host.text, port);
}

/* The first one that the writer names; of others, until it has named one. */
static void note_stray(struct cluster *cluster, uint32_t member, const struct topology_row *row,
                       uint16_t port)
{
    struct told *told = &cluster->told[member];
    bool writer = member == cluster->decision.verdict.writer;

    if (!told->stray && (writer || !cluster->stray.host[0])) {
        snprintf(cluster->stray.host, sizeof(cluster->stray.host), "%s", row->host);
        cluster->stray.port = row->port ? row->port : port;
    }
    told->stray = true;
}

void told_hear(struct cluster *cluster, uint32_t member, const struct topology *topology)
{
    struct told *told;
    uint16_t port;

    if (member >= cluster->conf->member_count)
        return;
    port = cluster->conf->members[member].port;
    told = &cluster->told[member];
    *told = (struct told){.anew = true};
    for (uint32_t i = 0; i < topology->count; i++) {
        const struct topology_row *row = &topology->at[i];
        uint32_t mask = members_of(cluster, row, port);
        if (row->green)
            told->green |= mask;
        else
            told->kin |= mask;
        if (row->green && mask == 0 && row->host[0])
            note_stray(cluster, member, row, port);
    }
}

void told_fill(struct cluster *cluster, struct report *report)
{
    struct told *told;

    if (report->member >= cluster->conf->member_count)
        return;
    told = &cluster->told[report->member];
    report->green = told->green;
    report->kin = told->kin;
    report->stray = told->stray;
    report->names_green = told->anew;
    told->anew = false;
}
