/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_mysql.c - Aurora MySQL, as an engine of MySQL's family: aurora_mysql_reports.c knows what to ask,
 * and what the answers mean.
 *
 * 1. A cheap question is answered from the last full one only if the server is as writable as it was then,
 *    and was called the writer if it was writable.
 */
#include "config.h"

#include "agent/probe/engines/mysql/aurora_mysql.h"
#include "agent/probe/engines/mysql/aurora_mysql_kind.h"
#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "agent/probe/engines/mysql/family/session.h"

static const char *greet(void *seen, const struct mysql_server *server)
{
    (void)seen;
    return aurora_server_refuse(server->mariadb);
}

static int first(const void *seen, enum question question)
{
    return (int)aurora_first(seen, question == QUESTION_CHEAP);
}

static const char *ask(const void *seen, int step)
{
    return aurora_question(seen, (enum aurora_step)step);
}

static int take(void *seen, int step, const struct mysql_answer *answer,
                struct mysql_report_failure *ret_failure)
{
    return aurora_step_take(seen, (enum aurora_step)step, answer, ret_failure);
}

static const char *report(const void *seen, struct report *report)
{
    return aurora_report(seen, report);
}

static const struct topology *topology(const void *arg)
{
    const struct aurora_seen *seen = arg;
    return seen->told ? &seen->topology : NULL;
}

static const struct mysql_dialect dialect = {
    .seen_size = sizeof(struct aurora_seen),
    .greet = greet,
    .first = first,
    .question = ask,
    .take = take,
    .report = report,
    .topology = topology,
};

MYSQL_ENGINE(aurora_mysql, dialect);
