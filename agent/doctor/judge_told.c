/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_told.c - see judge_told.h.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

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
        if (!answer || !answer->told || answer->told->too_many || *row >= answer->told->count)
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

static bool is_member(const struct conf_cluster *conf, const struct conf_host *host, uint16_t port)
{
    for (uint32_t i = 0; i < conf->member_count; i++)
        if (conf->members[i].port == port && strcmp(conf->members[i].host, host->text) == 0)
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
    uint16_t port;
    enum named named = named_judge_row(conf, row, told->server->member->port, &host, &port);

    label_server(told->server, label);
    if (named == NAMED_GOOD)
        findings_add(f, FINDING_OK, NULL, "%s names %s, which is %s", label, host.text,
                     is_member(conf, &host, port) ? "a member" : "taken as a member");
    else
        findings_add(f, FINDING_PROBLEM, find_mend(named),
                     "%s names '%s'%s%s, which %s: homing would refuse it", label, name,
                     row->region[0] != '\0' ? " in region " : "", row->region, named_text(named));
}

/* ---- what the patterns are good for ---- */

/* Whether the host that the row names was looked up, and DNS does not know it. */
static bool is_astray(const struct seen_cluster *cluster, const struct conf_host *host,
                      uint16_t port)
{
    for (uint32_t i = 0; i < cluster->server_count; i++) {
        const struct seen_server *server = &cluster->servers[i];
        if (!server->seed && server->member->port == port &&
            strcmp(server->member->host, host->text) == 0)
            return server->name.end == SEEN_FAILED;
    }
    return false;
}

static void judge_pattern(struct findings *f, const struct seen_cluster *cluster,
                          const struct conf_pattern *pattern)
{
    uint32_t server = 0, row = 0, made = 0, astray = 0;
    struct conf_host host;
    struct told told;
    uint16_t port;

    while (next(cluster, &server, &row, &told)) {
        if (was_told_before(cluster, &told) ||
            named_judge_row(cluster->conf, told.row, told.server->member->port, &host, &port) !=
                NAMED_GOOD ||
            named_pattern(cluster->conf, told.row, &host) != pattern)
            continue;
        made++;
        astray += is_astray(cluster, &host, port);
    }
    if (made == 0)
        findings_add(f, FINDING_REMARK, "correct it, or take it out of host_patterns",
                     "the pattern '%s' is for no server that is named", pattern->pattern);
    else if (astray == made)
        findings_add(f, FINDING_PROBLEM, "correct it in host_patterns",
                     "the pattern '%s' leads nowhere: %s", pattern->pattern,
                     made == 1 ? "DNS does not know the one host that it is for"
                               : "DNS knows none of the hosts that it is for");
}

static void judge_patterns(struct findings *f, const struct seen_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->conf->host_pattern_count; i++)
        judge_pattern(f, cluster, &cluster->conf->host_patterns[i]);
}

/* ---- how many are named ---- */

static void judge_crowd(struct findings *f, const struct seen_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->server_count; i++) {
        const struct seen_visit *answer = seen_answer(&cluster->servers[i]);
        char label[LABEL_SIZE];
        if (!answer || !answer->told || !answer->told->too_many)
            continue;
        label_server(&cluster->servers[i], label);
        findings_add(f, FINDING_PROBLEM, NULL,
                     "%s names more servers than the %d that a cluster may have: homing would take "
                     "none of them from it",
                     label, HOMING_MEMBERS_MAX);
    }
    if (cluster->crowded)
        findings_add(f, FINDING_PROBLEM,
                     cluster->conf->member_count ? "take out of members who is no server any more"
                                                 : "delete those that are no servers any more",
                     "more servers are named than the %d that a cluster may have: those beyond are "
                     "not asked",
                     HOMING_MEMBERS_MAX);
}

/* False: somebody answered, but nobody said anything of others. */
static bool is_told(const struct seen_cluster *cluster)
{
    uint32_t server = 0, row = 0;
    struct told told;

    for (uint32_t i = 0; i < cluster->server_count; i++)
        if (seen_answer(&cluster->servers[i]))
            return next(cluster, &server, &row, &told);
    return true;
}

/* ---- a green server that is no member (W4a) ---- */

static bool is_forgotten(const struct conf_cluster *conf, const struct told *told)
{
    const struct seen_server *by = told->server;
    uint16_t port = told->row->port ? told->row->port : by->member->port;

    if (!told->row->green || told->row->host[0] == '\0' ||
        seen_answer(by)->report.phase < PHASE_AVAILABLE)
        return false;
    for (uint32_t i = 0; i < conf->member_count; i++)
        if (conf->members[i].port == port &&
            strcasecmp(conf->members[i].host, told->row->host) == 0)
            return false;
    return true;
}

/* Where members are listed, whom a server names becomes none. */
static void judge_forgotten(struct findings *f, const struct seen_cluster *cluster)
{
    uint32_t server = 0, row = 0;
    char label[LABEL_SIZE];
    struct told told;

    while (next(cluster, &server, &row, &told)) {
        if (was_told_before(cluster, &told) || !is_forgotten(cluster->conf, &told))
            continue;
        label_server(told.server, label);
        findings_add(f, FINDING_PROBLEM, "add it to members and reload, before the switchover",
                     "%s names %s:%u as the green server of a blue/green deployment, which is no "
                     "member: homing cannot hand over to it (W4a)",
                     label, told.row->host,
                     told.row->port ? told.row->port : told.server->member->port);
    }
}

void judge_told(struct findings *f, const struct seen_cluster *cluster)
{
    uint32_t server = 0, row = 0;
    struct told told;

    if (!conf_discovers(cluster->conf)) {
        judge_forgotten(f, cluster);
        return;
    }
    if (!is_told(cluster))
        findings_add(f, cluster->conf->member_count ? FINDING_REMARK : FINDING_PROBLEM, NULL,
                     "no server that answered names another one: homing would discover no member");
    while (next(cluster, &server, &row, &told))
        if (!was_told_before(cluster, &told))
            judge_row(f, cluster->conf, &told);
    judge_crowd(f, cluster);
    server = row = 0;
    if (next(cluster, &server, &row, &told))
        judge_patterns(f, cluster);
}
