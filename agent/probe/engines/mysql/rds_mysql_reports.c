/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql_reports.c - the answers of a server of a Multi-AZ DB cluster. Pure; called by rds_mysql.c only.
 *
 * 1. Whom it names is hearsay. Who is the writer is decided as for any MySQL: by what the server may do,
 *    and by who was seen to follow whom (W12).
 * 2. The table is there for blue/green deployments, too, and names other servers then: it counts only if
 *    it names the server that shows it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/engines/mysql/rds_mysql_reports.h"

/* Columns of RDS_STEP_TOPOLOGY. */
enum {
    ROW_ID,
    ROW_ENDPOINT,
    ROW_PORT,
    ROW_OWN_ID,
    ROW_COUNT
};

const char *rds_question(const struct rds_seen *seen, int step)
{
    return step == RDS_STEP_TOPOLOGY
               ? "SELECT id, endpoint, port, @@global.server_id FROM mysql.rds_topology"
               : mysql_question(seen->mysql.mariadb, (enum mysql_step)step);
}

/* *ret_own: it is the row of the server that shows it. */
static bool take_row(struct rds_seen *seen, const struct mysql_answer *answer, uint32_t row,
                     bool *ret_own)
{
    const char *id = mysql_text_at(answer, row, ROW_ID);
    const char *host = mysql_text_at(answer, row, ROW_ENDPOINT);
    const char *own = mysql_text_at(answer, row, ROW_OWN_ID);
    uint64_t port;
    if (!id || !host || !own || !mysql_parse_number(mysql_text_at(answer, row, ROW_PORT), &port) ||
        port == 0 || port > UINT16_MAX)
        return false;
    topology_add(&seen->topology, NULL, host, NULL, (uint16_t)port);
    *ret_own = strcmp(id, own) == 0;
    return true;
}

static int take_topology(struct rds_seen *seen, const struct mysql_answer *answer,
                         struct mysql_report_failure *ret)
{
    bool listed = false;
    topology_init(&seen->topology);
    if (answer->rows > 0 && answer->columns != ROW_COUNT)
        return mysql_fail_odd(ret);
    for (uint32_t row = 0; row < answer->rows; row++) {
        bool own;
        if (!take_row(seen, answer, row, &own))
            return mysql_fail_odd(ret);
        listed |= own;
    }
    if (!listed)
        return mysql_fail(ret, answer->rows == 0
                                   ? "mysql.rds_topology has no rows; if this is no Multi-AZ DB "
                                     "cluster, write engine: mysql"
                                   : "mysql.rds_topology does not name this server; if this is no "
                                     "Multi-AZ DB cluster, write engine: mysql");
    seen->told = true;
    return MYSQL_STEP_CHANNELS;
}

static int take_no_topology(struct rds_seen *seen, const struct mysql_error *error,
                            struct mysql_report_failure *ret)
{
    if (error->code == ER_NO_TABLE)
        return mysql_fail(ret, "there is no mysql.rds_topology: this is no Multi-AZ DB cluster of "
                               "RDS; write engine: mysql");
    if (error->code != ER_TABLE_DENIED && error->code != ER_COLUMN_DENIED)
        return mysql_fail_error(error, ret);
    snprintf(seen->mysql.denied, sizeof(seen->mysql.denied), "SELECT ON mysql.rds_topology");
    return MYSQL_STEP_ACCOUNT;
}

int rds_step_take(struct rds_seen *seen, int step, const struct mysql_answer *answer,
                  struct mysql_report_failure *ret_failure)
{
    if (step == RDS_STEP_TOPOLOGY && answer->error.code != 0)
        return take_no_topology(seen, &answer->error, ret_failure);
    if (step == RDS_STEP_TOPOLOGY)
        return take_topology(seen, answer, ret_failure);
    if (step == MYSQL_STEP_CHEAP || step == MYSQL_STEP_FIRST)
        seen->told = false;
    int next = mysql_step_take(&seen->mysql, (enum mysql_step)step, answer, ret_failure);
    return step == MYSQL_STEP_FIRST && next == MYSQL_STEP_CHANNELS ? RDS_STEP_TOPOLOGY : next;
}
