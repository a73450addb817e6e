/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_told.c - see judge_told.h.
 */
#include "config.h"

#include <string.h>

#include "agent/discover/named.h"
#include "agent/doctor/judge_told.h"
#include "agent/doctor/label.h"

/* One of the rows that servers told, in the order of the servers. */
struct told {
    const struct seen_server *server;
    const struct topology_row *row;
};

/* The next one; server NULL: from the beginning. False: there are no more. */
static bool next(const struct seen_cluster *cluster, uint32_t *server, uint32_t *row,
                 struct told *ret)
{
    for (; *server < cluster->server_count; (*server)++, *row = 0) {
        const struct seen_visit *answer = seen_answer(&cluster->servers[*server]);
        if (!answer || !answer->told || *row >= answer->told->count)
            continue;
        *ret = (struct told){&cluster->servers[*server], &answer->told->at[(*row)++]};
        return true;
    }
    return false;
}

static bool is_same_row(const struct topology_row *a, const struct topology_row *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->host, b->host) == 0 &&
           strcmp(a->region, b->region) == 0 && a->port == b->port;
}

/* All servers mostly say the same: it is judged once. */
static bool was_told_before(const struct seen_cluster *cluster, const struct told *told)
{
    uint32_t server = 0, row = 0;
    struct told before;

    while (next(cluster, &server, &row, &before) && before.row != told->row)
        if (is_same_row(before.row, told->row))
            return true;
    return false;
}

static bool is_member(const struct conf_cluster *conf, const struct conf_host *host)
{
    for (uint32_t i = 0; i < conf->member_count; i++)
        if (strcmp(conf->members[i].host, host->text) == 0)
            return true;
    return false;
}

/* NULL: nothing but another server would help. */
static const char *find_mend(enum named named)
{
    switch (named) {
    case NAMED_NO_REGION:
    case NAMED_OUTSIDE:
        return "if it is one of yours, add a pattern for it to host_patterns";
    case NAMED_PORT:
        return "take the port out of ports";
    default:
        return NULL;
    }
}

static void judge_row(struct findings *f, const struct conf_cluster *conf, const struct told *told)
{
    const struct topology_row *row = told->row;
    const char *name = row->host[0] != '\0' ? row->host : row->id;
    struct conf_host host;
    char label[LABEL_SIZE];
    enum named named = named_judge(conf, row, &host);

    if (named == NAMED_GOOD)
        named = named_judge_port(conf, row->port ? row->port : told->server->member->port);
    label_server(told->server, label);
    if (named == NAMED_GOOD)
        findings_add(f, FINDING_OK, NULL, "%s names %s, which is %s", label, host.text,
                     is_member(conf, &host) ? "a member" : "taken as a member, and not asked here");
    else
        findings_add(f, FINDING_PROBLEM, find_mend(named),
                     "%s names '%s'%s%s, which %s: homing would refuse it", label, name,
                     row->region[0] != '\0' ? " in region " : "", row->region, named_text(named));
}

void judge_told(struct findings *f, const struct seen_cluster *cluster)
{
    uint32_t server = 0, row = 0;
    struct told told;

    if (!conf_discovers(cluster->conf))
        return;
    while (next(cluster, &server, &row, &told))
        if (!was_told_before(cluster, &told))
            judge_row(f, cluster->conf, &told);
}
