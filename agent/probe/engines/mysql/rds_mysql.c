/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql.c - Multi-AZ DB clusters of RDS, as an engine of MySQL's family: rds_mysql_reports.c knows what
 * to ask, and what the answers mean. Cheap questions are as mysql.c has them.
 */
#include "config.h"

#include "agent/probe/engines/mysql/family/session.h"
#include "agent/probe/engines/mysql/rds_mysql.h"
#include "agent/probe/engines/mysql/rds_mysql_kind.h"
#include "agent/probe/engines/mysql/rds_mysql_reports.h"

static const char *greet(void *arg, const struct mysql_server *server)
{
    struct rds_seen *seen = arg;
    seen->mysql.mariadb = server->mariadb;
    return mysql_server_refuse(server->version, server->number, server->mariadb);
}

static int first(const void *arg, enum question question)
{
    const struct rds_seen *seen = arg;
    if (!seen->mysql.introduced)
        return MYSQL_STEP_FIRST;
    return question == QUESTION_CHEAP && !seen->mysql.unready ? MYSQL_STEP_CHEAP
                                                              : RDS_STEP_TOPOLOGY;
}

static const char *ask(const void *seen, int step)
{
    return rds_question(seen, step);
}

static int take(void *seen, int step, const struct mysql_answer *answer,
                struct mysql_report_failure *ret_failure)
{
    return rds_step_take(seen, step, answer, ret_failure);
}

static const char *report(const void *arg, struct report *report)
{
    const struct rds_seen *seen = arg;
    return mysql_report(&seen->mysql, report);
}

static const struct topology *topology(const void *arg)
{
    const struct rds_seen *seen = arg;
    return seen->told ? &seen->topology : NULL;
}

static const struct mysql_dialect dialect = {
    .seen_size = sizeof(struct rds_seen),
    .greet = greet,
    .first = first,
    .question = ask,
    .take = take,
    .report = report,
    .topology = topology,
};

MYSQL_ENGINE(rds_mysql, dialect);
