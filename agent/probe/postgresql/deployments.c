/* SPDX-License-Identifier: Apache-2.0
 *
 * deployments.c - see deployments.h.
 *
 * 1. Whether the function is there is looked up in the catalogue, which everybody may read: to_regproc()
 *    raises an error if the role may not use the function's schema.
 * 2. That a deployment is odd, or fails to be told, costs the server nothing else: that it is the writer, or
 *    not, is known all the same.
 * 3. An error is no word that there is no deployment, nor that there is no such function: taken for one in the
 *    course of a switchover, it would lose that. Only rows say so.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/postgresql/deployments.h"

#define FUNCTION(schema, name)                                                                     \
    " FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n"                              \
    " ON n.oid OPERATOR(pg_catalog.=) p.pronamespace"                                              \
    " WHERE n.nspname OPERATOR(pg_catalog.=) '" schema "'"                                         \
    " AND p.proname OPERATOR(pg_catalog.=) '" name "'"
#define MAY_EXECUTE "pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))"
/* One more than are read: with so many it is no answer, however many more there are. */
#define LIMIT " LIMIT 65"
_Static_assert(POSTGRES_ROWS_MAX == 64, "LIMIT");
#define MAY_USE "pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'USAGE'))"

static const char *const AURORA_GRANTS[] = {
    "EXECUTE ON FUNCTION pg_catalog.get_blue_green_fast_switchover_metadata", NULL};
static const char *const RDS_GRANTS[] = {"USAGE ON SCHEMA rds_tools",
                                         "EXECUTE ON ALL FUNCTIONS IN SCHEMA rds_tools", NULL};

const struct postgres_deployments_of postgres_deployments_of_aurora = {
    .rights = "SELECT " MAY_EXECUTE
              ", false" FUNCTION("pg_catalog", "get_blue_green_fast_switchover_metadata"),
    .grants = AURORA_GRANTS,
    .question = "SELECT endpoint, port, role, status, version"
                " FROM pg_catalog.get_blue_green_fast_switchover_metadata('homing')" LIMIT,
};

/* It is of an extension, which somebody may create on a server of RDS, and on no other. Older versions of
 * it have none of the last three columns: then they are NULL, and nothing is refused. */
#define RDS_COLUMN(name) ", pg_catalog.to_jsonb(t) OPERATOR(pg_catalog.->>) '" name "'"
const struct postgres_deployments_of postgres_deployments_of_rds = {
    .rights = "SELECT " MAY_USE ", " MAY_EXECUTE
              ", pg_catalog.current_setting('rds.extensions', true) IS NOT NULL" FUNCTION(
                  "rds_tools", "show_topology"),
    .grants = RDS_GRANTS,
    .question = "SELECT t.endpoint, t.port" RDS_COLUMN("role") RDS_COLUMN("status")
        RDS_COLUMN("version") " FROM rds_tools.show_topology('homing') AS t" LIMIT,
};

/* ---- whether it tells ---- */

bool postgres_deployments_spare(const struct postgres_failure *failure)
{
    return failure->kind == REPORT_ODD || strcmp(failure->sqlstate, "57014") == 0 ||
           strncmp(failure->sqlstate, "40", 2) == 0 || strncmp(failure->sqlstate, "53", 2) == 0;
}

/* Whether it is asked next if it tells. */
static bool looks(const struct postgres_deployments *d)
{
    return !d->tells || d->failures >= POSTGRES_DEPLOYMENTS_REST;
}

static void rest(struct postgres_deployments *d)
{
    d->phase = PHASE_NONE;
    topology_init(&d->green);
    d->tells = d->told = false;
    d->rest = POSTGRES_DEPLOYMENTS_REST;
}

static void add_green(const struct postgres_deployments *d, struct topology *topology)
{
    for (uint32_t i = 0; i < d->green.count; i++)
        topology_add_green(topology, d->green.at[i].host, d->green.at[i].port);
}

/* Invariant 3. */
static void miss(struct postgres_deployments *d, const char *words, struct topology *topology)
{
    snprintf(d->words, sizeof(d->words), "%s", words);
    d->failures++;
    if (!d->told)
        rest(d);
    add_green(d, topology);
}

static void take_rights(struct postgres_deployments *d, const struct postgres_deployments_of *of,
                        const struct postgres_rows *rows)
{
    bool has = false, may_come = false;
    int i = 0;

    d->lacked = NULL;
    d->tells = true;
    (void)postgres_value_truth(rows->texts[rows->columns - 1], &may_come);
    for (; of->grants[i] && postgres_value_truth(rows->texts[i], &has); i++)
        if (!has && !d->lacked)
            d->lacked = of->grants[i];
    d->never = of->grants[i] && !may_come;
    if (of->grants[i] || d->lacked)
        rest(d);
}

/* What to ask next. */
static const char *look(struct postgres_deployments *d, const struct postgres_deployments_of *of,
                        const struct postgres_rows *rows, struct topology *topology)
{
    int grants = 0;

    while (of->grants[grants])
        grants++;
    if (rows->count != 1 || rows->columns != grants + 1) {
        miss(d, "what it says of its functions is no answer", topology);
        return NULL;
    }
    d->failures = 0;
    d->words[0] = '\0';
    take_rights(d, of, rows);
    return d->tells ? of->question : NULL;
}

const char *postgres_deployments_begin(struct postgres_deployments *d,
                                       const struct postgres_deployments_of *of)
{
    if (!of || d->never || (d->rest > 0 && d->rest-- > 0))
        return NULL;
    return looks(d) ? of->rights : of->question;
}

/* ---- what it tells ---- */

void postgres_deployment_take_row(const char *const columns[POSTGRES_DEPLOYMENT_COLUMN_COUNT],
                                  struct deployment *d, struct topology *topology)
{
    int64_t port = 0;
    bool good = postgres_value_integer(columns[POSTGRES_DEPLOYMENT_PORT], &port) && port > 0 &&
                port <= UINT16_MAX;
    const struct deployment_row row = {
        .endpoint = good ? columns[POSTGRES_DEPLOYMENT_ENDPOINT] : NULL,
        .role = columns[POSTGRES_DEPLOYMENT_ROLE],
        .status = columns[POSTGRES_DEPLOYMENT_STATUS],
        .version = columns[POSTGRES_DEPLOYMENT_VERSION],
        .port = good ? (uint16_t)port : 0,
    };

    deployment_take(d, &row, topology);
}

static void take_rows(struct postgres_deployments *d, const struct postgres_rows *rows,
                      struct topology *topology)
{
    struct deployment of;

    topology_init(&d->green);
    deployment_begin(&of);
    for (int i = 0; i < rows->count && rows->columns == POSTGRES_DEPLOYMENT_COLUMN_COUNT; i++)
        postgres_deployment_take_row(postgres_row(rows, i), &of, &d->green);
    deployment_end(&of, &d->green);
    d->phase = rows->columns == POSTGRES_DEPLOYMENT_COLUMN_COUNT ? of.phase : PHASE_STRANGE;
    d->told |= d->phase != PHASE_NONE;
    d->failures = 0;
    d->words[0] = '\0';
    add_green(d, topology);
}

const char *postgres_deployments_take(struct postgres_deployments *d,
                                      const struct postgres_deployments_of *of,
                                      const struct postgres_answer *answer,
                                      struct topology *topology)
{
    if (answer->kind != POSTGRES_ANSWER_ROWS)
        miss(d, answer->failure.text, topology);
    else if (looks(d))
        return look(d, of, &answer->rows, topology);
    else
        take_rows(d, &answer->rows, topology);
    return NULL;
}
