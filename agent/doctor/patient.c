/* SPDX-License-Identifier: Apache-2.0
 *
 * patient.c - see patient.h. Called by doctor.c.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/agree.h"
#include "agent/discover/named.h"
#include "agent/doctor/patient.h"
#include "agent/probe/where.h"

static uint32_t count_names(const struct conf_cluster *conf)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < conf->endpoint_count; i++)
        count += conf->endpoints[i].name_count;
    return count;
}

static void name_servers(struct seen_cluster *c)
{
    for (uint32_t i = 0; i < c->server_count; i++) {
        struct seen_server *server = &c->servers[i];
        server->seed = i >= c->conf->member_count;
        server->member =
            server->seed ? &c->conf->seeds[i - c->conf->member_count] : &c->conf->members[i];
        server->name.name = server->member->host;
    }
}

static void name_endpoints(struct seen_cluster *c)
{
    struct seen_endpoint *at = c->endpoints;

    for (uint32_t i = 0; i < c->conf->endpoint_count; i++)
        for (uint32_t j = 0; j < c->conf->endpoints[i].name_count; j++, at++) {
            at->role = c->conf->endpoints[i].role;
            at->name.name = c->conf->endpoints[i].names[j].text;
        }
}

struct seen_cluster *patient_new(const struct conf_cluster *conf)
{
    struct seen_cluster *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->conf = conf;
    c->server_count = conf->member_count + conf->seed_count;
    c->endpoint_count = count_names(conf);
    /* One more: there may be none, and NULL would be no memory. They stay where they are while they are
     * asked, so that there is room for all that can be named. */
    c->servers = calloc(c->server_count + 1 + (conf_discovers(conf) ? HOMING_MEMBERS_MAX : 0),
                        sizeof(*c->servers));
    c->endpoints = calloc(c->endpoint_count + 1, sizeof(*c->endpoints));
    if (!c->servers || !c->endpoints) {
        patient_free(c);
        return NULL;
    }
    name_servers(c);
    name_endpoints(c);
    return c;
}

void patient_free(struct seen_cluster *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; c->servers && i < c->server_count; i++)
        for (uint32_t j = 0; j < c->servers[i].visit_count; j++)
            free(c->servers[i].visits[j].told);
    free(c->servers);
    free(c->endpoints);
    free(c);
}

static void plan(const struct conf_cluster *conf, struct seen_server *server)
{
    struct addresses where;

    server->planned = true;
    server->visit_count =
        where_set(&where, conf, server->name.at, server->name.count, server->member->port);
    for (uint32_t i = 0; i < server->visit_count; i++)
        server->visits[i].address = where.at[i];
}

struct seen_name *patient_next_name(struct seen_cluster *c)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        if (c->servers[i].name.end == SEEN_WAITING)
            return &c->servers[i].name;
    for (uint32_t i = 0; i < c->endpoint_count; i++)
        if (c->endpoints[i].name.end == SEEN_WAITING)
            return &c->endpoints[i].name;
    return NULL;
}

struct seen_visit *patient_next_visit(struct seen_cluster *c, struct seen_server **ret_server)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        for (uint32_t j = 0; j < c->servers[i].visit_count; j++)
            if (c->servers[i].visits[j].end == SEEN_WAITING) {
                *ret_server = &c->servers[i];
                return &c->servers[i].visits[j];
            }
    return NULL;
}

static bool is_over(enum seen_end end)
{
    return end != SEEN_WAITING && end != SEEN_RUNNING;
}

static bool is_visited(const struct seen_server *server)
{
    if (!is_over(server->name.end) || (server->name.end == SEEN_GOOD && !server->planned))
        return false;
    for (uint32_t i = 0; i < server->visit_count; i++)
        if (!is_over(server->visits[i].end))
            return false;
    return true;
}

/* ---- who is named ---- */

static bool is_known(const struct seen_cluster *c, const struct conf_host *host, uint16_t port)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        if (!c->servers[i].seed && c->servers[i].member->port == port &&
            strcmp(c->servers[i].member->host, host->text) == 0)
            return true;
    return false;
}

static void add_named(struct seen_cluster *c, const struct seen_server *from,
                      const struct topology_row *row)
{
    struct seen_server *server = &c->servers[c->server_count];
    struct conf_host host;
    uint16_t port;

    if (named_judge_row(c->conf, row, from->member->port, &host, &port) != NAMED_GOOD ||
        is_known(c, &host, port))
        return;
    if (c->server_count - c->conf->seed_count >= HOMING_MEMBERS_MAX) {
        c->crowded = true;
        return;
    }
    server->named = true;
    snprintf(server->host, sizeof(server->host), "%.*s", HOMING_NAME_MAX, host.text);
    server->own = (struct conf_member){.host = server->host, .port = port};
    server->member = &server->own;
    server->from = from;
    server->made_by = named_pattern(c->conf, row, &host);
    server->name.name = server->host;
    c->server_count++;
}

/* As homing does it: an answer with more rows than it can take names nobody. */
static void add_all_named(struct seen_cluster *c)
{
    uint32_t count = c->server_count;

    for (uint32_t i = 0; i < count; i++) {
        const struct seen_visit *answer = seen_answer(&c->servers[i]);
        if (!answer || !answer->told || answer->told->too_many)
            continue;
        for (uint32_t row = 0; row < answer->told->count; row++)
            add_named(c, &c->servers[i], &answer->told->at[row]);
    }
}

static bool all_are_visited(const struct seen_cluster *c)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        if (!is_visited(&c->servers[i]))
            return false;
    return true;
}

void patient_plan(struct seen_cluster *c)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        if (c->servers[i].name.end == SEEN_GOOD && !c->servers[i].planned)
            plan(c->conf, &c->servers[i]);
    if (conf_discovers(c->conf) && all_are_visited(c))
        add_all_named(c);
}

bool patient_is_done(const struct seen_cluster *c)
{
    if (!all_are_visited(c))
        return false;
    for (uint32_t i = 0; i < c->endpoint_count; i++)
        if (!is_over(c->endpoints[i].name.end))
            return false;
    return true;
}
