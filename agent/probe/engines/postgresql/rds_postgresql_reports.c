/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_reports.c - see rds_postgresql_reports.h. Called by rds_postgresql.c.
 *
 * 1. Whom it names is hearsay. It is the writer if it is not in recovery, and says of nobody that it
 *    replicates from him.
 * 2. show_topology() is there for blue/green deployments, too, whose rows have a role, a status and a version.
 *    These rows name no server of the cluster but the green ones (W4a). Other rows count only if they name
 *    the server that shows them.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/engines/postgresql/rds_postgresql_reports.h"

/* The columns have the names of their functions: those return no records. The last three of show_topology() are
 * NULL where its version has none. */
#define OF_DEPLOYMENT(name) ", pg_catalog.to_jsonb(t) OPERATOR(pg_catalog.->>) '" name "'"
#define QUESTION                                                                                   \
    "SELECT t.id, t.endpoint, t.port,"                                                             \
    " (SELECT dbi_resource_id FROM rds_tools.dbi_resource_id()),"                                  \
    " (SELECT multi_az_db_cluster_source_dbi_resource_id"                                          \
    " FROM rds_tools.multi_az_db_cluster_source_dbi_resource_id())" OF_DEPLOYMENT("role")          \
        OF_DEPLOYMENT("status") OF_DEPLOYMENT("version") ", " POSTGRES_ASKS
#define ROWS " FROM rds_tools.show_topology('homing') AS t"

_Static_assert((int)RDS_POSTGRES_COLUMN_COUNT + (int)POSTGRES_COLUMN_COUNT <=
                   (int)POSTGRES_COLUMNS_MAX,
               "the first answer is read whole");

const char RDS_POSTGRES_QUESTION[] = QUESTION ROWS;
const char RDS_POSTGRES_QUESTION_FIRST[] =
    QUESTION POSTGRES_ASKS_START_TIME POSTGRES_ASKS_IDENTITY ROWS;
const char RDS_POSTGRES_QUESTION_FIRST_DENIED[] = QUESTION POSTGRES_ASKS_START_TIME ROWS;
const char RDS_POSTGRES_QUESTION_CHEAP[] = "SELECT pg_catalog.pg_is_in_recovery()";
const char RDS_POSTGRES_QUESTION_RIGHTS[] =
    "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
    " (SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))"
    " FROM pg_catalog.pg_proc AS p WHERE p.pronamespace OPERATOR(pg_catalog.=) n.oid"
    " AND p.proname OPERATOR(pg_catalog.=) ANY ('{show_topology,dbi_resource_id,"
    "multi_az_db_cluster_source_dbi_resource_id}')),"
    " pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"
    " FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'rds_tools'";

const char *const rds_postgres_grants[] = {"USAGE ON SCHEMA rds_tools",
                                           "EXECUTE ON ALL FUNCTIONS IN SCHEMA rds_tools", NULL};

static const char NOTE_FOLLOWS[] =
    "it is not in recovery, but rds_tools names another server as its "
    "source: counted as a reader";

static const char WRONG_EMPTY[] =
    "rds_tools.show_topology() returns no row; if this is no Multi-AZ "
    "DB cluster, write engine: postgresql";
static const char WRONG_STRANGE[] =
    "rds_tools.show_topology() does not name this server; if this is "
    "no Multi-AZ DB cluster, write engine: postgresql";

/* There is no such schema (3F000), or no such function in it (42883). */
const char *rds_postgres_mend(const char *sqlstate)
{
    if (strcmp(sqlstate, "3F000") == 0 || strcmp(sqlstate, "42883") == 0)
        return "CREATE EXTENSION rds_tools in the database of connection; if this is no Multi-AZ "
               "DB "
               "cluster of RDS, write engine: postgresql, or aurora-postgresql";
    return NULL;
}

/* What the rows say together. */
struct reading {
    struct deployment deployment;
    bool any, own; /* a row is of the cluster; of the server that shows it */
};

static bool is_of_deployment(const char *const *columns)
{
    return columns[RDS_POSTGRES_ROLE] || columns[RDS_POSTGRES_STATUS] ||
           columns[RDS_POSTGRES_VERSION];
}

static void take_deployment(const char *const *columns, struct reading *reading,
                            struct topology *topology)
{
    const char *const of[POSTGRES_DEPLOYMENT_COLUMN_COUNT] = {
        [POSTGRES_DEPLOYMENT_ENDPOINT] = columns[RDS_POSTGRES_ENDPOINT],
        [POSTGRES_DEPLOYMENT_PORT] = columns[RDS_POSTGRES_PORT],
        [POSTGRES_DEPLOYMENT_ROLE] = columns[RDS_POSTGRES_ROLE],
        [POSTGRES_DEPLOYMENT_STATUS] = columns[RDS_POSTGRES_STATUS],
        [POSTGRES_DEPLOYMENT_VERSION] = columns[RDS_POSTGRES_VERSION],
    };

    postgres_deployment_take_row(of, &reading->deployment, topology);
}

static bool take_row(const char *const *columns, struct reading *reading, struct topology *topology)
{
    const char *id = columns[RDS_POSTGRES_ID];
    const char *host = columns[RDS_POSTGRES_ENDPOINT];
    const char *self = columns[RDS_POSTGRES_SELF];
    int64_t port;

    if (self && is_of_deployment(columns)) {
        take_deployment(columns, reading, topology);
        return true;
    }
    if (!id || !host || !self || !postgres_value_integer(columns[RDS_POSTGRES_PORT], &port) ||
        port <= 0 || port > UINT16_MAX)
        return false;
    topology_add(topology, NULL, host, NULL, (uint16_t)port);
    reading->any = true;
    reading->own |= strcmp(id, self) == 0;
    return true;
}

/* False: it is odd, and *ret_wrong says why, or is NULL. Rows of a deployment alone are no answer of another
 * server: what it is itself is known without them. */
static bool read_topology(const struct postgres_rows *rows, struct topology *topology,
                          enum phase *ret_phase, const char **ret_wrong)
{
    struct reading reading = {.any = rows->count == 0};

    deployment_begin(&reading.deployment);
    for (int i = 0; i < rows->count; i++)
        if (!take_row(postgres_row(rows, i), &reading, topology))
            return false;
    deployment_end(&reading.deployment, topology);
    *ret_phase = reading.deployment.phase;
    if (reading.any && !reading.own)
        *ret_wrong = rows->count == 0 ? WRONG_EMPTY : WRONG_STRANGE;
    return !reading.any || reading.own;
}

static bool follows_another(const char *const *columns)
{
    const char *source = columns[RDS_POSTGRES_SOURCE];
    return source && source[0] != '\0' && strcmp(source, columns[RDS_POSTGRES_SELF]) != 0;
}

bool rds_postgres_read(const struct postgres_rows *rows, struct postgres_seen *seen)
{
    struct report report = seen->report;
    const char *note = NULL;

    if (rows->columns < RDS_POSTGRES_COLUMN_COUNT ||
        !read_topology(rows, seen->topology, &report.phase, &seen->wrong))
        return false;
    const char *const *first = postgres_row(rows, 0);
    const char *const *rest = first + RDS_POSTGRES_COLUMN_COUNT;
    if (!postgres_report_row(rest, rows->columns - RDS_POSTGRES_COLUMN_COUNT, &report, &note))
        return false;
    seen->in_recovery = strcmp(rest[POSTGRES_IN_RECOVERY], "t") == 0;
    seen->unready = !seen->in_recovery && follows_another(first);
    if (seen->unready)
        report.role = ROLE_READER;
    seen->report = report;
    seen->note = seen->unready ? NOTE_FOLLOWS : note;
    return true;
}
