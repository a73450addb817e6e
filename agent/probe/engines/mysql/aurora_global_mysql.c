/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_mysql.c - Aurora Global Databases, as an engine of MySQL's family: aurora_mysql_reports.c
 * knows what to ask, and what the answers mean. Cheap questions are as aurora_mysql.c has them.
 */
#include "config.h"

#include "agent/probe/engines/mysql/aurora_global_mysql.h"
#include "agent/probe/engines/mysql/aurora_global_mysql_kind.h"
#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "agent/probe/engines/mysql/family/session.h"

static void begin(void *arg, const struct conf_cluster *cluster)
{
    struct aurora_seen *seen = arg;
    (void)cluster;
    seen->global = true;
}

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
    .begin = begin,
    .greet = greet,
    .first = first,
    .question = ask,
    .take = take,
    .report = report,
    .topology = topology,
};

MYSQL_ENGINE(aurora_global_mysql, dialect);
