/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_mysql_reports.c - an Aurora MySQL server's answers as reports. Pure; called by aurora_mysql.c and
 * aurora_global_mysql.c only.
 *
 * 1. It claims if the newest row of a writer is its own, and if it is writable on this connection. Either
 *    alone is not enough: one that was just demoted still names itself, and its own row has no time.
 * 2. Rows older than AURORA_ROW_AGE_S count for nothing, those of writers included. The server's clock
 *    says how old a row is; it orders rows of one answer, and no claims (W2).
 * 3. All servers of a region write to one volume: there is one history, and its term is constant. W12 is not
 *    for it. The regions of a Global Database replicate asynchronously, and W12 is for them: a server that
 *    takes no writes follows the one that its rows name as the writer.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/probe/deployment.h"
#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "agent/probe/engines/mysql/family/deployments.h"
#include "proto/hash.h"

/* The second in which the server was started is the same in each session. That table is costly, and is
 * read once in a session. */
static const char *const QUESTIONS[AURORA_STEP_COUNT] = {
    [AURORA_STEP_CHEAP] = "SELECT @@global.innodb_read_only",
    [AURORA_STEP_FIRST] =
        "SELECT @@aurora_server_id, CAST(UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM"
        " performance_schema.global_status WHERE VARIABLE_NAME = 'UPTIME') AS SIGNED)",
    [AURORA_STEP_TOPOLOGY] =
        "SELECT SERVER_ID, SESSION_ID, TIMESTAMPDIFF(MICROSECOND, LAST_UPDATE_TIMESTAMP, NOW(6)),"
        " NULL, NULL FROM information_schema.replica_host_status",
    [AURORA_STEP_DEPLOYMENT] = MYSQL_QUESTION_DEPLOYMENT,
    [AURORA_STEP_STATE] = "SELECT @@global.innodb_read_only",
    [AURORA_STEP_ACCOUNT] = MYSQL_QUESTION_ACCOUNT,
};

static const char QUESTION_GLOBAL[] = "SELECT SERVER_ID, SESSION_ID, 0, AWS_REGION, DURABLE_LSN"
                                      " FROM information_schema.aurora_global_db_instance_status";

enum {
    FIRST_ID,
    FIRST_STARTED,
    FIRST_COUNT,

    ROW_ID = 0,
    ROW_SESSION,
    ROW_AGE,
    ROW_REGION, /* these two of a Global Database alone */
    ROW_LSN,
    ROW_COUNT
};

static const int64_t AGE_MAX_US = AURORA_ROW_AGE_S * INT64_C(1000000);
static const int64_t NEVER_US = INT64_MAX;

const char *aurora_server_refuse(bool mariadb)
{
    return mariadb ? "this is MariaDB, and no Aurora; write engine: mysql" : NULL;
}

enum aurora_step aurora_first(const struct aurora_seen *seen, bool cheap)
{
    if (!seen->introduced)
        return AURORA_STEP_FIRST;
    return cheap && !aurora_is_unsettled(seen) && !deployment_is_moving(seen->phase)
               ? AURORA_STEP_CHEAP
               : AURORA_STEP_TOPOLOGY;
}

const char *aurora_question(const struct aurora_seen *seen, enum aurora_step step)
{
    return seen->global && step == AURORA_STEP_TOPOLOGY ? QUESTION_GLOBAL : QUESTIONS[step];
}

static int take_first(struct aurora_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    if (!mysql_is_row(answer, FIRST_COUNT))
        return mysql_fail_odd(ret);
    const char *id = mysql_text_at(answer, 0, FIRST_ID);
    const char *started = mysql_text_at(answer, 0, FIRST_STARTED);
    if (!id || *id == '\0' || strlen(id) >= sizeof(seen->id) || !started)
        return mysql_fail_odd(ret);
    snprintf(seen->id, sizeof(seen->id), "%s", id);
    seen->born = mysql_hash_more(mysql_hash_more(HASH_START, id), started);
    seen->introduced = true;
    return AURORA_STEP_TOPOLOGY;
}

/* Of a row, in microseconds. The row of the server that answers may have no time: it is of now. A time
 * that is as far ahead as it may be old is no better. False: the text is none. */
static bool read_age(const char *text, bool own, int64_t *ret_us)
{
    uint64_t number;
    if (!text) {
        *ret_us = own ? -AGE_MAX_US : NEVER_US;
        return true;
    }
    bool ahead = *text == '-';
    if (!mysql_parse_number(text + ahead, &number))
        return false;
    if (number > (uint64_t)AGE_MAX_US)
        *ret_us = NEVER_US;
    else
        *ret_us = ahead ? -(int64_t)number : (int64_t)number;
    return true;
}

/* What the rows say so far. */
struct reading {
    int64_t writer_us; /* the age of the newest row of a writer */
    uint32_t others, old;
};

static struct aurora_row read_row(const struct mysql_answer *answer, uint32_t row)
{
    const char *region = mysql_text_at(answer, row, ROW_REGION);
    const char *id = mysql_text_at(answer, row, ROW_ID);
    struct aurora_row of = {0};
    uint64_t position;
    of.name =
        mysql_hash_end(mysql_hash_more(mysql_hash_more(HASH_START, region ? region : ""), id));
    if (mysql_parse_number(mysql_text_at(answer, row, ROW_LSN), &position))
        of.position = position;
    return of;
}

/* Which of them writes is not known before its state is. */
static void name_row(struct aurora_seen *seen, const struct aurora_row *of, bool own, bool master)
{
    if (own)
        seen->own[master] = *of;
    if (!master)
        return;
    seen->writer = of->name;
    seen->writers++;
}

static bool take_row(struct aurora_seen *seen, const struct mysql_answer *answer, uint32_t row,
                     struct reading *reading)
{
    const char *id = mysql_text_at(answer, row, ROW_ID);
    const char *session = mysql_text_at(answer, row, ROW_SESSION);
    bool own = id && strcmp(id, seen->id) == 0;
    bool master = session && strcmp(session, "MASTER_SESSION_ID") == 0;
    int64_t age_us;
    if (!id || !session || !read_age(mysql_text_at(answer, row, ROW_AGE), own, &age_us))
        return false;
    reading->others += !own;
    reading->old += !own && age_us == NEVER_US;
    if (age_us == NEVER_US)
        return true;
    topology_add(&seen->topology, id, NULL, mysql_text_at(answer, row, ROW_REGION), 0);
    struct aurora_row of = read_row(answer, row);
    name_row(seen, &of, own, master);
    if (master && (age_us < reading->writer_us || (own && age_us == reading->writer_us))) {
        reading->writer_us = age_us;
        seen->master = own;
    }
    return true;
}

/* A server that has just begun may say so for a while: it is asked again soon. */
static int fail_empty(const struct aurora_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    int next = mysql_fail(
        ret, seen->global
                 ? "information_schema.aurora_global_db_instance_status has no rows; if this is no "
                   "Global Database, write engine: aurora-mysql"
             : answer->rows == 0 ? "information_schema.replica_host_status has no rows"
                                 : "no row of information_schema.replica_host_status is of the "
                                   "last 180 s by the server's own clock");
    ret->hint = HINT_STARTING;
    return next;
}

static int take_topology(struct aurora_seen *seen, const struct mysql_answer *answer,
                         struct mysql_report_failure *ret)
{
    struct reading reading = {.writer_us = NEVER_US};
    topology_init(&seen->topology);
    seen->told = seen->master = false;
    memset(seen->own, 0, sizeof(seen->own));
    seen->writer = seen->writers = 0;
    if (answer->rows > 0 && answer->columns != ROW_COUNT)
        return mysql_fail_odd(ret);
    for (uint32_t row = 0; row < answer->rows; row++)
        if (!take_row(seen, answer, row, &reading))
            return mysql_fail_odd(ret);
    if (seen->topology.count == 0)
        return fail_empty(seen, answer, ret);
    if (seen->writers ==
        1) /* rows that name nobody, or several, say nothing: then it is as it was */
        seen->follows = seen->writer;
    seen->lonely = reading.others > 0 && reading.old == reading.others;
    seen->told = true;
    if (seen->global || (seen->rest > 0 && seen->rest-- > 0))
        return AURORA_STEP_STATE;
    return AURORA_STEP_DEPLOYMENT;
}

/* What it says of a deployment may be odd: that it is the writer, or not, is known all the same. */
static int take_deployment(struct aurora_seen *seen, const struct mysql_answer *answer)
{
    if (!mysql_take_deployment(answer, &seen->phase, &seen->topology))
        seen->phase = PHASE_STRANGE;
    seen->deployment_denied = false;
    seen->deployment_known = true;
    seen->misses = 0;
    return AURORA_STEP_STATE;
}

/* Before 3.07 it has no such table, or one without these columns. One that has told is not gone because it
 * was not there once; without its green servers, nothing is told of others. */
static int miss(struct aurora_seen *seen, const struct mysql_error *error)
{
    if (seen->deployment_known && ++seen->misses < MYSQL_DEPLOYMENT_MISSES) {
        seen->told = false;
        return AURORA_STEP_STATE;
    }
    seen->phase = PHASE_NONE;
    seen->deployment_known = false;
    seen->misses = 0;
    seen->rest = AURORA_DEPLOYMENT_REST;
    seen->deployment_denied = error->code == ER_TABLE_DENIED || error->code == ER_COLUMN_DENIED;
    return AURORA_STEP_STATE;
}

static int take_state(struct aurora_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    if (!mysql_is_row(answer, 1) ||
        !mysql_parse_switch(mysql_text_at(answer, 0, 0), &seen->read_only))
        return mysql_fail_odd(ret);
    return MYSQL_STEP_DONE;
}

static int take_cheap(struct aurora_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    bool before = seen->read_only;
    seen->told = false;
    int next = take_state(seen, answer, ret);
    return next == MYSQL_STEP_DONE && seen->read_only != before ? AURORA_STEP_TOPOLOGY : next;
}

static int take_error(struct aurora_seen *seen, enum aurora_step step,
                      const struct mysql_error *error, struct mysql_report_failure *ret)
{
    if (step == AURORA_STEP_DEPLOYMENT && mysql_has_no_deployment(error))
        return miss(seen, error);
    if (error->code == ER_UNKNOWN_TABLE && seen->global)
        return mysql_fail(ret, "this is no Aurora MySQL of 3.04 or later, which a Global Database "
                               "has to be here; write engine: aurora-mysql for one region");
    if (error->code == ER_UNKNOWN_VARIABLE || error->code == ER_UNKNOWN_TABLE)
        return mysql_fail(ret, "this is no Aurora MySQL; write engine: mysql, or engine: rds-mysql "
                               "for a Multi-AZ DB cluster of RDS");
    if (step == AURORA_STEP_TOPOLOGY &&
        (error->code == ER_TABLE_DENIED || error->code == ER_PRIVILEGE))
        return AURORA_STEP_ACCOUNT;
    return mysql_fail_error(error, ret);
}

int aurora_step_take(struct aurora_seen *seen, enum aurora_step step,
                     const struct mysql_answer *answer, struct mysql_report_failure *ret_failure)
{
    if (answer->error.code != 0)
        return take_error(seen, step, &answer->error, ret_failure);
    switch (step) {
    case AURORA_STEP_CHEAP:
        return take_cheap(seen, answer, ret_failure);
    case AURORA_STEP_FIRST:
        return take_first(seen, answer, ret_failure);
    case AURORA_STEP_TOPOLOGY:
        return take_topology(seen, answer, ret_failure);
    case AURORA_STEP_DEPLOYMENT:
        return take_deployment(seen, answer);
    case AURORA_STEP_STATE:
        return take_state(seen, answer, ret_failure);
    default:
        return mysql_fail_denied("PROCESS ON *.*", answer, ret_failure);
    }
}

static const char NOTE_UNNAMED[] =
    "it takes writes, but the table of its cluster's servers does not call it the writer yet: "
    "counted as a reader";
static const char NOTE_UNLISTED[] =
    "it takes writes, but has no row in the table of its cluster's servers: counted as a reader";
static const char NOTE_LONELY[] =
    "no other server has a row of the last 180 s in information_schema.replica_host_status";

static const char NOTE_DENIED[] = "it does not show mysql.rds_topology, and a blue/green "
                                  "switchover would not be followed: for that, "
                                  "GRANT SELECT ON mysql.rds_topology TO homing's account";

bool aurora_is_unsettled(const struct aurora_seen *seen)
{
    return !seen->read_only && !seen->master;
}

/* W12. Who takes writes is no replica, whatever the rows say. */
static void report_succession(const struct aurora_seen *seen, const struct aurora_row *own,
                              struct report *report)
{
    report->term = (struct term){0};
    report->bound = true;
    report->self = own->name;
    report->follows = seen->read_only && seen->follows != own->name ? seen->follows : 0;
}

const char *aurora_report(const struct aurora_seen *seen, struct report *report)
{
    bool writes = seen->master && !seen->read_only;
    const struct aurora_row *own = &seen->own[seen->own[writes].name != 0 ? writes : !writes];
    report->kind = REPORT_ANSWER;
    report->role = writes ? ROLE_WRITER : ROLE_READER;
    /* No server says of which cluster it is: for all of them the same. */
    report->identity =
        mysql_hash_end(mysql_hash_more(HASH_START, seen->global ? "aurora-global" : "aurora"));
    report->incarnation = mysql_hash_end(seen->born);
    report->term = (struct term){.lo = 1};
    /* Each region has a volume of its own, and nothing shuts the old writer's out. */
    report->fenced = !seen->global;
    report->position = own->position;
    report->phase = seen->phase;
    report->branch = report->self = report->follows = 0;
    if (seen->global)
        report_succession(seen, own, report);
    if (aurora_is_unsettled(seen))
        return own->name == 0 ? NOTE_UNLISTED : NOTE_UNNAMED;
    return seen->lonely ? NOTE_LONELY : seen->deployment_denied ? NOTE_DENIED : NULL;
}
