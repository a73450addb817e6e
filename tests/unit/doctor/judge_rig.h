/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_rig.h - a cluster as the doctor saw it, all of whose servers are well, and what the judgement prints.
 */
#ifndef HOMING_TESTS_UNIT_DOCTOR_JUDGE_RIG_H
#define HOMING_TESTS_UNIT_DOCTOR_JUDGE_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/doctor/judge.h"
#include "tests/support/test.h"

enum {
    SERVERS = 4
};

static const struct engine_advice advices[] = {
    {"no role", "CREATE ROLE \"$1\";"},
    {"refused", "let \"$u\" in"},
    {"kept out", "add $2 for $1"},
    {"nobody listens", "correct the port in $w"},
    {NULL, NULL},
};
static const char *const grants[] = {"X", "LOOK ON t.", NULL};
static const struct engine_kind engine = {.name = "made-up",
                                          .tells = ENGINE_TELLS_HOSTS,
                                          .advice = advices,
                                          .grants = grants,
                                          .admits_by = "kept",
                                          .admit = "admit it"};

static char cluster_name[] = "orders", hosts[SERVERS][16] = {"a", "b", "c", "seed"};
static char connection[] = "user=homing", pattern[] = "?.x", alias[] = "orders-db";
static struct conf_pattern patterns[] = {{.pattern = pattern}};
static struct conf_member members[SERVERS];
static struct conf_cluster conf;
static struct seen_server servers[SERVERS];
static struct seen_endpoint endpoint;
static struct seen_cluster cluster;
static struct findings findings;
static char *printed;

static void address_of(uint32_t number, struct address *ret)
{
    *ret = (struct address){.inet = {.family = 4, .bytes = {10, 0, 0, (uint8_t)number}}};
    snprintf(ret->text, sizeof(ret->text), "10.0.0.%u", number);
}

static void add_visit(uint32_t server, uint32_t number)
{
    struct seen_server *s = &servers[server];
    struct seen_visit *visit = &s->visits[s->visit_count++];

    address_of(number, &visit->address);
    s->name.at[s->name.count++] = visit->address.inet;
    *visit = (struct seen_visit){
        .address = visit->address,
        .end = SEEN_GOOD,
        .report = {.role = ROLE_READER, .identity = 7, .incarnation = number + 100, .position = 5}};
}

/* a is the writer, b and c are readers, and all is well. */
static int rig_setup(void **state)
{
    (void)state;
    conf = (struct conf_cluster){.name = cluster_name,
                                 .engine = &engine,
                                 .members = members,
                                 .member_count = 3,
                                 .connection = connection};
    endpoint = (struct seen_endpoint){.name = {.name = alias, .end = SEEN_FAILED}};
    memset(servers, 0, sizeof(servers));
    for (uint32_t i = 0; i < SERVERS; i++) {
        members[i] = (struct conf_member){.host = hosts[i], .port = 5000, .failover = true};
        servers[i].member = &members[i];
        servers[i].name.name = hosts[i];
        servers[i].name.end = SEEN_GOOD;
        add_visit(i, i + 1);
    }
    servers[3].seed = true;
    servers[0].visits[0].report.role = ROLE_WRITER;
    servers[0].visits[0].report.term.lo = 3;
    cluster = (struct seen_cluster){.conf = &conf,
                                    .servers = servers,
                                    .server_count = 3,
                                    .endpoints = &endpoint,
                                    .endpoint_count = 1};
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    free(printed);
    printed = NULL;
    return 0;
}

static void judge(void)
{
    size_t size;

    free(printed);
    printed = NULL;
    findings = (struct findings){.out = open_memstream(&printed, &size)};
    judge_cluster(&findings, &cluster);
    fclose(findings.out);
}

/* The judgement has these counts. */
static void expect(uint32_t problems, uint32_t remarks)
{
    judge();
    if (findings.count[FINDING_PROBLEM] != problems || findings.count[FINDING_REMARK] != remarks)
        fail_msg("%s", printed);
}

static void expect_line(const char *text)
{
    if (!strstr(printed, text))
        fail_msg("'%s' is not in:\n%s", text, printed);
}

static void expect_no(const char *text)
{
    if (strstr(printed, text))
        fail_msg("'%s' is in:\n%s", text, printed);
}

#endif
