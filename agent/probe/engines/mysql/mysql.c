/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql.c - MySQL and MariaDB, as an engine of their family: mysql_reports.c knows what to ask, and what
 * the answers mean.
 *
 * 1. A cheap question is answered from the last full one only if the server is as writable as it was
 *    then.
 */
#include "config.h"

#include "agent/probe/engines/mysql/family/session.h"
#include "agent/probe/engines/mysql/mysql.h"
#include "agent/probe/engines/mysql/mysql_kind.h"
#include "agent/probe/engines/mysql/mysql_reports.h"

static void begin(void *arg, const struct conf_cluster *cluster)
{
    struct mysql_seen *seen = arg;
    seen->circular = cluster->circular;
}

static const char *greet(void *arg, const struct mysql_server *server)
{
    struct mysql_seen *seen = arg;
    seen->mariadb = server->mariadb;
    return mysql_server_refuse(server->version, server->number, server->mariadb);
}

static int first(const void *arg, enum question question)
{
    const struct mysql_seen *seen = arg;
    if (!seen->introduced)
        return MYSQL_STEP_FIRST;
    return question == QUESTION_CHEAP && !seen->unready ? MYSQL_STEP_CHEAP : MYSQL_STEP_CHANNELS;
}

static const char *ask(const void *arg, int step)
{
    const struct mysql_seen *seen = arg;
    return mysql_question(seen->mariadb, (enum mysql_step)step);
}

static int take(void *seen, int step, const struct mysql_answer *answer,
                struct mysql_report_failure *ret_failure)
{
    return mysql_step_take(seen, (enum mysql_step)step, answer, ret_failure);
}

static const char *report(const void *seen, struct report *report)
{
    return mysql_report(seen, report);
}

static const struct mysql_dialect dialect = {
    .seen_size = sizeof(struct mysql_seen),
    .begin = begin,
    .greet = greet,
    .first = first,
    .question = ask,
    .take = take,
    .report = report,
};

MYSQL_ENGINE(mysql, dialect);
