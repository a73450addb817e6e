/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_reports.c - MySQL's and MariaDB's answers as reports. Pure; mysql.c and rds_mysql_reports.c call it.
 *
 * 1. A server that replicates is no writer, however writable it is: a replica that somebody forgot to
 *    close must not take over. `circular` is for pairs where that is meant.
 * 2. Whether it is writable is asked last: it is the newest that is known.
 * 3. What it has is counted, not compared: after an ordinary crash neither of two sets of
 *    transactions holds the other, and a group's numbers have gaps. Who follows whom decides (W12).
 * 4. A replica that was stopped, and counts less in the same session, has lost its record of
 *    transactions and not the data: some managers clear that of a replica that they promote. What it has
 *    is not known then. Without the session it may be another data directory.
 * 5. One that takes writes and does not claim is asked in full each time: the end of a channel does not
 *    show in the cheap question, and it may have been promoted between two steps of the full one.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/probe/engines/mysql/family/gtid.h"
#include "agent/probe/engines/mysql/mysql_reports.h"
#include "proto/hash.h"

/* Columns of MYSQL_STEP_FIRST and MYSQL_STEP_STATE. */
enum {
    FIRST_HOSTNAME,
    FIRST_PORT,
    FIRST_STARTED,
    FIRST_UUID,
    FIRST_GROUP,
    FIRST_WSREP,
    FIRST_AURORA,
    FIRST_COUNT,

    STATE_GTIDS = 0,
    STATE_GTID_MODE,
    STATE_INNODB_READ_ONLY,
    STATE_OFFLINE,
    STATE_DOMAIN = STATE_OFFLINE, /* MariaDB, which has no offline_mode */
    STATE_SUPER_READ_ONLY,
    STATE_NUMBER = STATE_SUPER_READ_ONLY, /* MariaDB, which has no super_read_only */
    STATE_READ_ONLY,
    STATE_COUNT,

    GROUP_MEMBERS = 0,
    GROUP_UNREACHABLE,
    GROUP_STATE,
    GROUP_ROLE,
    GROUP_VIEW,
    GROUP_SINGLE_PRIMARY,
    GROUP_COUNT
};

/* The same columns of MYSQL_STEP_CHANNELS, by their names. */
enum {
    CHANNEL_NAME,
    CHANNEL_HOST,
    CHANNEL_RECEIVING,
    CHANNEL_ERROR,
    CHANNEL_APPLY_ERROR,
    CHANNEL_APPLYING,
    CHANNEL_SOURCE,
    CHANNEL_COUNT
};
static const char *const CHANNEL_NAMES[2][CHANNEL_COUNT] = {
    {"CHANNEL_NAME", "HOST", "RECEIVING", "LAST_ERROR_NUMBER", "APPLY_ERROR", "APPLYING",
     "SOURCE_UUID"},
    {"Connection_name", "Master_Host", "Slave_IO_Running", "Last_IO_Errno", "Last_SQL_Errno",
     "Slave_SQL_Running", "Master_Server_Id"},
};

/* ---- answers ---- */

static int take_first(struct mysql_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    const char *column[FIRST_COUNT];
    bool wsrep = false;
    if (!mysql_is_row(answer, FIRST_COUNT))
        return mysql_fail_odd(ret);
    for (uint32_t i = 0; i < FIRST_COUNT; i++)
        column[i] = mysql_text_at(answer, 0, i);
    if (column[FIRST_AURORA])
        return mysql_fail(ret, "this is Aurora MySQL; write engine: aurora-mysql");
    if (!column[FIRST_HOSTNAME] || !column[FIRST_PORT] || !column[FIRST_STARTED] ||
        (column[FIRST_WSREP] && !mysql_parse_switch(column[FIRST_WSREP], &wsrep)))
        return mysql_fail_odd(ret);
    if (!seen->mariadb &&
        (!column[FIRST_UUID] || !gtid_is_uuid(column[FIRST_UUID], strlen(column[FIRST_UUID]))))
        return mysql_fail_odd(ret);
    const char *group = column[FIRST_GROUP] ? column[FIRST_GROUP] : "";
    seen->galera = wsrep;
    seen->server =
        seen->mariadb ? 0 : mysql_hash_end(mysql_hash_more(HASH_START, column[FIRST_UUID]));
    seen->group = *group != '\0'
                      ? mysql_hash_end(mysql_hash_more(mysql_hash_more(HASH_START, "group"), group))
                      : 0;
    seen->born = mysql_hash_more(
        mysql_hash_more(mysql_hash_more(HASH_START, column[FIRST_HOSTNAME]), column[FIRST_PORT]),
        column[FIRST_STARTED]);
    seen->introduced = true;
    return MYSQL_STEP_CHANNELS;
}

static bool is_still(const char *thread)
{
    return thread[0] == '\0' || strcasecmp(thread, "OFF") == 0 || strcasecmp(thread, "No") == 0;
}

static void take_source(struct mysql_seen *seen, const char *source)
{
    if (source[0] == '\0' || strcmp(source, "0") == 0 || strlen(source) >= sizeof(seen->source))
        return;
    if (seen->source[0] != '\0' && strcasecmp(seen->source, source) != 0)
        seen->several = true;
    snprintf(seen->source, sizeof(seen->source), "%s", source);
}

static bool is_error(const char *number)
{
    return number[0] != '\0' && strcmp(number, "0") != 0;
}

static void take_channel(struct mysql_seen *seen, const struct mysql_answer *answer, uint32_t row,
                         const int *column)
{
    static const char OF_GROUPS[] = "group_replication_";
    const char *text[CHANNEL_COUNT];
    for (int i = 0; i < CHANNEL_COUNT; i++) {
        text[i] = mysql_text_at(answer, row, (uint32_t)column[i]);
        text[i] = text[i] ? text[i] : ""; /* a channel that was never started */
    }
    if (strncmp(text[CHANNEL_NAME], OF_GROUPS, sizeof(OF_GROUPS) - 1) == 0)
        seen->group_channel = true;
    else if (text[CHANNEL_HOST][0] != '\0') {
        seen->channels++;
        seen->running |= !is_still(text[CHANNEL_RECEIVING]) || !is_still(text[CHANNEL_APPLYING]) ||
                         is_error(text[CHANNEL_ERROR]) || is_error(text[CHANNEL_APPLY_ERROR]);
        take_source(seen, text[CHANNEL_SOURCE]);
    }
}

static int take_channels(struct mysql_seen *seen, const struct mysql_answer *answer,
                         struct mysql_report_failure *ret)
{
    int column[CHANNEL_COUNT];
    bool grouped = seen->group_channel;
    for (int i = 0; i < CHANNEL_COUNT && answer->rows > 0; i++) {
        column[i] = mysql_answer_column(answer, CHANNEL_NAMES[seen->mariadb][i]);
        if (column[i] < 0)
            return mysql_fail_odd(ret);
    }
    seen->channels = 0;
    seen->running = seen->several = seen->group_channel = false;
    seen->source[0] = '\0';
    for (uint32_t row = 0; row < answer->rows; row++)
        take_channel(seen, answer, row, column);
    /* It may have joined a group since MYSQL_STEP_FIRST was answered. */
    return seen->group_channel && !grouped && seen->group == 0 ? MYSQL_STEP_FIRST
                                                               : MYSQL_STEP_STATE;
}

/* Invariant 4. With none at all, it was stopped and cleared since its channels were asked for. */
static void take_position(struct mysql_seen *seen, uint64_t transactions)
{
    bool replicates = seen->channels > 0 && seen->running && transactions > 0;
    if (replicates || transactions > seen->replicated)
        seen->replicated = seen->channels > 0 ? transactions : 0;
    seen->position = transactions < seen->replicated ? 0 : 1 + transactions;
}

static bool take_state_of_mariadb(struct mysql_seen *seen, const struct mysql_answer *answer)
{
    const char *gtids = mysql_text_at(answer, 0, STATE_GTIDS);
    uint64_t last;
    if (!gtids || !mysql_parse_number(mysql_text_at(answer, 0, STATE_DOMAIN), &seen->domain) ||
        !mysql_parse_number(mysql_text_at(answer, 0, STATE_NUMBER), &seen->number) ||
        !gtid_last(gtids, seen->domain, &last))
        return false;
    take_position(seen, last);
    return true;
}

static bool take_state_of_mysql(struct mysql_seen *seen, const struct mysql_answer *answer,
                                bool *ret_closed)
{
    const char *gtids = mysql_text_at(answer, 0, STATE_GTIDS);
    const char *mode = mysql_text_at(answer, 0, STATE_GTID_MODE);
    bool offline, super;
    uint64_t count;
    if (!gtids || !mode || !mysql_parse_switch(mysql_text_at(answer, 0, STATE_OFFLINE), &offline) ||
        !mysql_parse_switch(mysql_text_at(answer, 0, STATE_SUPER_READ_ONLY), &super) ||
        !gtid_count(gtids, &count))
        return false;
    take_position(seen, count);
    seen->no_gtids = strcasecmp(mode, "ON") != 0;
    *ret_closed = offline || super;
    return true;
}

static int take_state(struct mysql_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    bool closed = false, innodb;
    if (!mysql_is_row(answer, STATE_COUNT) ||
        !(seen->mariadb ? take_state_of_mariadb(seen, answer)
                        : take_state_of_mysql(seen, answer, &closed)) ||
        !mysql_parse_switch(mysql_text_at(answer, 0, STATE_INNODB_READ_ONLY), &innodb) ||
        !mysql_parse_switch(mysql_text_at(answer, 0, STATE_READ_ONLY), &seen->read_only))
        return mysql_fail_odd(ret);
    seen->closed = closed || innodb || seen->read_only;
    if (seen->group != 0)
        return MYSQL_STEP_GROUP;
    return !seen->closed && !seen->circular && seen->channels > 0 && !seen->running
               ? MYSQL_STEP_ORIGIN
               : MYSQL_STEP_DONE;
}

static int take_origin(struct mysql_seen *seen, const struct mysql_answer *answer,
                       struct mysql_report_failure *ret)
{
    static const char *const WORDS[] = {"DYNAMIC", "PERSISTED", "SQL"};
    const char *origin = mysql_is_row(answer, 1) ? mysql_text_at(answer, 0, 0) : NULL;
    if (!origin)
        return mysql_fail_odd(ret);
    seen->by_word = false;
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
        seen->by_word |= strcasecmp(origin, WORDS[i]) == 0;
    return MYSQL_STEP_DONE;
}

/* "17958904293467258:7": when the group was founded, and how often its members changed since. */
static bool parse_view(const char *text, struct term *ret_view)
{
    struct term view;
    size_t n = text ? gtid_digits(text, &view.hi) : 0;
    if (n == 0 || text[n] != ':' || view.hi == 0 || !mysql_parse_number(text + n + 1, &view.lo))
        return false;
    *ret_view = view;
    return true;
}

static int take_group(struct mysql_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    uint64_t members, unreachable;
    bool single;
    if (!mysql_is_row(answer, GROUP_COUNT) ||
        !mysql_parse_number(mysql_text_at(answer, 0, GROUP_MEMBERS), &members) ||
        !mysql_parse_number(mysql_text_at(answer, 0, GROUP_UNREACHABLE), &unreachable) ||
        unreachable > members || members > UINT32_MAX ||
        !mysql_parse_switch(mysql_text_at(answer, 0, GROUP_SINGLE_PRIMARY), &single))
        return mysql_fail_odd(ret);
    const char *state = mysql_text_at(answer, 0, GROUP_STATE),
               *role = mysql_text_at(answer, 0, GROUP_ROLE);
    seen->online = state && strcmp(state, "ONLINE") == 0;
    seen->majority = 2 * unreachable < members;
    seen->primary = role && strcmp(role, "PRIMARY") == 0;
    seen->view = (struct term){0};
    if (!single)
        return mysql_fail(ret,
                          "its group has several primaries (group_replication_single_primary_mode "
                          "is off): homing follows groups with one");
    if (seen->online && !parse_view(mysql_text_at(answer, 0, GROUP_VIEW), &seen->view))
        return mysql_fail_odd(ret);
    return MYSQL_STEP_DONE;
}

/* ---- the role ---- */

static const char NOTE_GALERA[] =
    "Galera is not supported: each of its nodes takes writes, and none "
    "says that it is the writer; counted as a reader";
static const char NOTE_UNREADY[] = "it is no ready node of its Galera cluster: counted as a reader";
static const char NOTE_CHANNEL[] =
    "it takes writes, but is set to replicate from another server: counted as a reader. SET GLOBAL "
    "read_only = ON keeps it one; STOP REPLICA and RESET REPLICA ALL promote it (or see circular)";
static const char NOTE_OUTSIDE[] =
    "it has a group, in which it is not ONLINE: counted as a reader, though it takes writes";
static const char NOTE_MINORITY[] =
    "it does not reach the majority of its group: counted as a reader";
static const char NOTE_SECONDARY[] = "it takes writes, though its group calls it a secondary";
static const char NOTE_SEVERAL[] =
    "it replicates from several servers: none of them counts as the one that it follows";
static const char NOTE_NO_GTIDS[] =
    "gtid_mode is not ON: nobody sees what a new writer lacks, nor how far a reader is behind";

/* Invariant 1. */
static bool is_free(const struct mysql_seen *seen)
{
    return seen->channels == 0 || seen->circular || (!seen->running && seen->by_word);
}

static enum role judge_role(const struct mysql_seen *seen, const char **note)
{
    if (seen->unready || seen->galera)
        *note = seen->unready ? NOTE_UNREADY : NOTE_GALERA;
    else if (seen->closed)
        return ROLE_READER;
    else if (seen->group != 0 && !seen->online)
        *note = NOTE_OUTSIDE;
    else if (seen->group != 0 && !seen->majority)
        *note = NOTE_MINORITY;
    else if (seen->group == 0 && !is_free(seen))
        *note = NOTE_CHANNEL;
    else
        return ROLE_WRITER;
    return ROLE_READER;
}

/* Invariant 5. */
static bool is_unsettled(const struct mysql_seen *seen)
{
    const char *note;
    return !seen->read_only && !seen->galera && judge_role(seen, &note) != ROLE_WRITER;
}

/* ---- the cheap answer ---- */

static int take_cheap(struct mysql_seen *seen, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    bool read_only;
    if (!mysql_is_row(answer, 1) || !mysql_parse_switch(mysql_text_at(answer, 0, 0), &read_only))
        return mysql_fail_odd(ret);
    return read_only == seen->read_only && !is_unsettled(seen) ? MYSQL_STEP_DONE
                                                               : MYSQL_STEP_CHANNELS;
}

/* ---- errors in place of an answer ---- */

static const char *table_of(enum mysql_step step, const char *text)
{
    static const char *const TABLES[] = {"replication_connection_configuration",
                                         "replication_connection_status",
                                         "replication_applier_status", "replication_group_members",
                                         "replication_group_member_stats"};
    const char *quote = strstr(text, " for table '");
    for (size_t i = 0; quote && i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
        if (strncmp(quote + 12, TABLES[i], strlen(TABLES[i])) == 0 &&
            (quote[12 + strlen(TABLES[i])] == '\''))
            return TABLES[i];
    return step == MYSQL_STEP_CHANNELS ? TABLES[0] : step == MYSQL_STEP_GROUP ? TABLES[3] : NULL;
}

/* What has to be granted; false: this error is of another kind. */
static bool take_denial(struct mysql_seen *seen, enum mysql_step step,
                        const struct mysql_error *error)
{
    const char *table = table_of(step, error->text);
    if (error->code == ER_PRIVILEGE && seen->mariadb && step == MYSQL_STEP_CHANNELS)
        snprintf(seen->denied, sizeof(seen->denied), "SLAVE MONITOR ON *.*");
    else if ((error->code == ER_TABLE_DENIED || error->code == ER_COLUMN_DENIED) && table)
        snprintf(seen->denied, sizeof(seen->denied), "SELECT ON performance_schema.%s", table);
    else
        return false;
    return true;
}

static int take_error(struct mysql_seen *seen, enum mysql_step step,
                      const struct mysql_error *error, struct mysql_report_failure *ret)
{
    if (error->code == ER_UNREADY) {
        seen->unready = true;
        return MYSQL_STEP_DONE;
    }
    if (take_denial(seen, step, error))
        return MYSQL_STEP_ACCOUNT;
    return mysql_fail_error(error, ret);
}

int mysql_step_take(struct mysql_seen *seen, enum mysql_step step,
                    const struct mysql_answer *answer, struct mysql_report_failure *ret_failure)
{
    if (answer->error.code != 0)
        return take_error(seen, step, &answer->error, ret_failure);
    seen->unready = false;
    switch (step) {
    case MYSQL_STEP_CHEAP:
        return take_cheap(seen, answer, ret_failure);
    case MYSQL_STEP_FIRST:
        return take_first(seen, answer, ret_failure);
    case MYSQL_STEP_CHANNELS:
        return take_channels(seen, answer, ret_failure);
    case MYSQL_STEP_STATE:
        return take_state(seen, answer, ret_failure);
    case MYSQL_STEP_ORIGIN:
        return take_origin(seen, answer, ret_failure);
    case MYSQL_STEP_GROUP:
        return take_group(seen, answer, ret_failure);
    default:
        return mysql_fail_denied(seen->denied, answer, ret_failure);
    }
}

/* ---- reports ---- */

static const char *judge_note(const struct mysql_seen *seen, enum role role)
{
    if (seen->group != 0)
        return role == ROLE_WRITER && !seen->primary ? NOTE_SECONDARY : NULL;
    if (seen->several)
        return NOTE_SEVERAL;
    return seen->no_gtids ? NOTE_NO_GTIDS : NULL;
}

/* W12: a group has terms. Without one, the names that servers have for each other are all there is. */
static void report_names(const struct mysql_seen *seen, struct report *report)
{
    uint64_t number = 0;
    bool follows = seen->source[0] != '\0' && !seen->several;
    report->self = report->follows = 0;
    if (seen->group != 0)
        return;
    if (seen->mariadb) {
        report->self = mysql_hash_numbers("server", seen->domain, seen->number);
        if (follows && mysql_parse_number(seen->source, &number))
            report->follows = mysql_hash_numbers("server", seen->domain, number);
        return;
    }
    report->self = seen->server;
    if (follows && gtid_is_uuid(seen->source, strlen(seen->source)))
        report->follows = mysql_hash_end(mysql_hash_more(HASH_START, seen->source));
}

const char *mysql_report(const struct mysql_seen *seen, struct report *report)
{
    const char *note = NULL;
    uint64_t own =
        seen->mariadb ? mysql_hash_numbers("server", seen->domain, seen->number) : seen->server;
    report->kind = REPORT_ANSWER;
    report->role = judge_role(seen, &note);
    report->identity = seen->group != 0 ? seen->group
                       : seen->mariadb  ? mysql_hash_numbers("mariadb", seen->domain, 0)
                                        : mysql_hash_end(mysql_hash_more(HASH_START, "mysql"));
    report->incarnation = mysql_hash_end(hash_bytes(seen->born, &own, sizeof(own)));
    report->term = seen->group != 0 && report->role == ROLE_WRITER ? seen->view : (struct term){0};
    report->position = seen->position;
    report->branch = 0;
    report_names(seen, report);
    return note ? note : judge_note(seen, report->role);
}

/* ---- blue/green deployments ---- */

static int begin_full(const struct mysql_deployed *seen)
{
    if (seen->there)
        return MYSQL_STEP_DEPLOYMENT;
    return seen->rest == 0 ? (int)MYSQL_STEP_LOOK : (int)MYSQL_STEP_CHANNELS;
}

int mysql_deployed_first(const struct mysql_deployed *seen, bool cheap)
{
    if (!seen->mysql.introduced)
        return MYSQL_STEP_FIRST;
    return cheap && !seen->mysql.unready && !deployment_is_moving(seen->phase)
               ? (int)MYSQL_STEP_CHEAP
               : begin_full(seen);
}

const char *mysql_deployed_question(const struct mysql_deployed *seen, int step)
{
    if (step == MYSQL_STEP_LOOK)
        return MYSQL_QUESTION_LOOK;
    return step == MYSQL_STEP_DEPLOYMENT
               ? MYSQL_QUESTION_DEPLOYMENT
               : mysql_question(seen->mysql.mariadb, (enum mysql_step)step);
}

/* One that has told is not gone because it was not there once. */
static int miss(struct mysql_deployed *seen)
{
    seen->there = false;
    seen->rest = seen->known ? 0 : MYSQL_LOOK_REST;
    if (!seen->known || ++seen->misses >= MYSQL_DEPLOYMENT_MISSES)
        seen->phase = PHASE_NONE;
    return MYSQL_STEP_CHANNELS;
}

/* An error does not say that it is not there. */
static int take_look(struct mysql_deployed *seen, const struct mysql_answer *answer)
{
    if (answer->error.code != 0) {
        seen->rest = seen->known ? 0 : MYSQL_LOOK_REST;
        return MYSQL_STEP_CHANNELS;
    }
    seen->there = answer->rows > 0;
    return seen->there ? (int)MYSQL_STEP_DEPLOYMENT : miss(seen);
}

/* What it says of a deployment may be odd: its role is known all the same. */
static int take_deployment(struct mysql_deployed *seen, const struct mysql_answer *answer,
                           struct mysql_report_failure *ret)
{
    if (mysql_has_no_deployment(&answer->error))
        return miss(seen);
    if (answer->error.code == ER_UNREADY)
        return MYSQL_STEP_CHANNELS;
    if (answer->error.code != 0)
        return mysql_fail_error(&answer->error, ret);
    topology_init(&seen->topology);
    if (!mysql_take_deployment(answer, &seen->phase, &seen->topology))
        seen->phase = PHASE_STRANGE;
    seen->told = seen->known = true;
    seen->misses = 0;
    return MYSQL_STEP_CHANNELS;
}

int mysql_deployed_take(struct mysql_deployed *seen, int step, const struct mysql_answer *answer,
                        struct mysql_report_failure *ret_failure)
{
    if (step == MYSQL_STEP_CHEAP || step == MYSQL_STEP_FIRST || step >= MYSQL_STEP_LOOK)
        seen->told = false;
    if (step == MYSQL_STEP_LOOK)
        return take_look(seen, answer);
    if (step == MYSQL_STEP_DEPLOYMENT)
        return take_deployment(seen, answer, ret_failure);
    if (step == MYSQL_STEP_CHANNELS && seen->rest > 0)
        seen->rest--;
    int next = mysql_step_take(&seen->mysql, (enum mysql_step)step, answer, ret_failure);
    return next == MYSQL_STEP_CHANNELS ? begin_full(seen) : next;
}

const char *mysql_deployed_report(const struct mysql_deployed *seen, struct report *report)
{
    report->phase = seen->phase;
    return mysql_report(&seen->mysql, report);
}
