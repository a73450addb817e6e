/* SPDX-License-Identifier: Apache-2.0
 *
 * patient.c - see patient.h. Called by doctor.c.
 */
#include "config.h"

#include <stdlib.h>

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
    /* One more: there may be none, and NULL would be no memory. */
    c->servers = calloc(c->server_count + 1, sizeof(*c->servers));
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

void patient_plan_visits(struct seen_cluster *c)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        if (c->servers[i].name.end == SEEN_GOOD && !c->servers[i].planned)
            plan(c->conf, &c->servers[i]);
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

bool patient_is_done(const struct seen_cluster *c)
{
    for (uint32_t i = 0; i < c->server_count; i++)
        if (!is_visited(&c->servers[i]))
            return false;
    for (uint32_t i = 0; i < c->endpoint_count; i++)
        if (!is_over(c->endpoints[i].name.end))
            return false;
    return true;
}
