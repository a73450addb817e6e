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
    struct mysql_deployed *seen = arg;
    seen->mysql.circular = cluster->circular;
}

static const char *greet(void *arg, const struct mysql_server *server)
{
    struct mysql_deployed *seen = arg;
    seen->mysql.mariadb = server->mariadb;
    return mysql_server_refuse(server->version, server->number, server->mariadb);
}

static int first(const void *arg, enum question question)
{
    return mysql_deployed_first(arg, question == QUESTION_CHEAP);
}

static const char *ask(const void *seen, int step)
{
    return mysql_deployed_question(seen, step);
}

static int take(void *seen, int step, const struct mysql_answer *answer,
                struct mysql_report_failure *ret_failure)
{
    return mysql_deployed_take(seen, step, answer, ret_failure);
}

static const char *report(const void *seen, struct report *report)
{
    return mysql_deployed_report(seen, report);
}

/* Green servers alone: of others it knows nothing. */
static const struct topology *topology(const void *arg)
{
    const struct mysql_deployed *seen = arg;
    return seen->told ? &seen->topology : NULL;
}

static const struct mysql_dialect dialect = {
    .seen_size = sizeof(struct mysql_deployed),
    .begin = begin,
    .greet = greet,
    .first = first,
    .question = ask,
    .take = take,
    .report = report,
    .topology = topology,
};

MYSQL_ENGINE(mysql, dialect);
