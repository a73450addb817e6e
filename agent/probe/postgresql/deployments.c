/* SPDX-License-Identifier: Apache-2.0
 *
 * deployments.c - see deployments.h.
 *
 * 1. Whether the function is there is looked up in the catalogue, which everybody may read: to_regproc()
 *    raises an error if the role may not use the function's schema.
 * 2. That a deployment is odd, or fails to be told, costs the server nothing else: that it is the writer, or
 *    not, is known all the same.
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
#define MAY_USE     "pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'USAGE'))"

static const char *const AURORA_GRANTS[] = {
    "EXECUTE ON FUNCTION pg_catalog.get_blue_green_fast_switchover_metadata", NULL};
static const char *const RDS_GRANTS[] = {"USAGE ON SCHEMA rds_tools",
                                         "EXECUTE ON ALL FUNCTIONS IN SCHEMA rds_tools", NULL};

const struct postgres_deployments_of postgres_deployments_of_aurora = {
    .rights = "SELECT " MAY_EXECUTE
              ", false" FUNCTION("pg_catalog", "get_blue_green_fast_switchover_metadata"),
    .grants = AURORA_GRANTS,
    .question = "SELECT endpoint, port, role, status, version"
                " FROM pg_catalog.get_blue_green_fast_switchover_metadata('homing')",
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
        RDS_COLUMN("version") " FROM rds_tools.show_topology('homing') AS t",
};

/* ---- whether it tells ---- */

static void rest(struct postgres_deployments *d)
{
    d->phase = PHASE_NONE;
    d->tells = false;
    d->rest = POSTGRES_DEPLOYMENTS_REST;
}

/* `rows` NULL: it is no answer. */
static void take_rights(struct postgres_deployments *d, const struct postgres_deployments_of *of,
                        const struct postgres_rows *rows)
{
    int grants = 0;
    bool has = false, may_come = false;

    while (of->grants[grants])
        grants++;
    rest(d);
    d->lacked = NULL;
    d->never = !rows || rows->count != 1 || rows->columns != grants + 1;
    if (d->never)
        return;
    (void)postgres_value_truth(rows->texts[grants], &may_come);
    for (int i = 0; i < grants; i++) {
        if (!postgres_value_truth(rows->texts[i], &has)) {
            d->never = !may_come;
            return;
        }
        if (!has && !d->lacked)
            d->lacked = of->grants[i];
    }
    d->tells = !d->lacked;
    if (d->tells)
        d->rest = 0;
}

const char *postgres_deployments_begin(struct postgres_deployments *d,
                                       const struct postgres_deployments_of *of)
{
    if (!of || d->never || (d->rest > 0 && d->rest-- > 0))
        return NULL;
    return d->tells ? of->question : of->rights;
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

    deployment_begin(&of);
    for (int i = 0; i < rows->count && rows->columns == POSTGRES_DEPLOYMENT_COLUMN_COUNT; i++)
        postgres_deployment_take_row(postgres_row(rows, i), &of, topology);
    deployment_end(&of, topology);
    d->phase = rows->columns == POSTGRES_DEPLOYMENT_COLUMN_COUNT ? of.phase : PHASE_STRANGE;
}

const char *postgres_deployments_take(struct postgres_deployments *d,
                                      const struct postgres_deployments_of *of,
                                      const struct postgres_answer *answer,
                                      struct topology *topology)
{
    bool rows = answer->kind == POSTGRES_ANSWER_ROWS;

    if (!d->tells) {
        take_rights(d, of, rows ? &answer->rows : NULL);
        return d->tells ? of->question : NULL;
    }
    d->words[0] = '\0';
    if (rows) {
        take_rows(d, &answer->rows, topology);
        return NULL;
    }
    rest(d);
    snprintf(d->words, sizeof(d->words), "%s", answer->failure.text);
    return NULL;
}
