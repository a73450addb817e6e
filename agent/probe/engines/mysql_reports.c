/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_reports.c - MySQL's and MariaDB's answers as reports. Pure; called by engines/mysql.c only.
 *
 * 1. A server that replicates is no writer, however writable it is: a replica that somebody forgot to
 *    close must not take over. `circular` is for pairs where that is meant.
 * 2. Whether it is writable is asked last: it is the newest that is known.
 * 3. What it has is counted, not compared: after an ordinary crash neither of two sets of
 *    transactions holds the other, and a group's numbers have gaps. Who follows whom decides (W12).
 * 4. A replica that was stopped, and counts less in the same session, has lost its record of
 *    transactions and not the data: some managers clear that of a replica that they promote. What it has
 *    is not known then. Without the session it may be another data directory.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/probe/engines/mysql_gtid.h"
#include "agent/probe/engines/mysql_reports.h"
#include "proto/hash.h"
#include "proto/utf8.h"

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

/* ---- values: strict, the whole text or nothing ---- */

/* NULL: SQL NULL, or a text that has a NUL inside, which none of these has. */
static const char *text_at(const struct mysql_answer *answer, uint32_t row, uint32_t column)
{
    const struct mysql_value *value = mysql_answer_at(answer, row, column);
    return value->text && strlen(value->text) == value->length ? value->text : NULL;
}

static bool parse_number(const char *text, uint64_t *ret_number)
{
    size_t n = text ? gtid_digits(text, ret_number) : 0;
    return n != 0 && text[n] == '\0';
}

/* A variable that is on or off; read_only has other values from MariaDB 12 on, which close it, too. */
static bool parse_switch(const char *text, bool *ret_on)
{
    static const char *const OFF[] = {"0", "OFF"};
    static const char *const ON[] = {"1", "ON", "NO_LOCK", "NO_LOCK_NO_ADMIN"};
    for (size_t i = 0; text && i < sizeof(OFF) / sizeof(OFF[0]); i++)
        if (strcasecmp(text, OFF[i]) == 0) {
            *ret_on = false;
            return true;
        }
    for (size_t i = 0; text && i < sizeof(ON) / sizeof(ON[0]); i++)
        if (strcasecmp(text, ON[i]) == 0) {
            *ret_on = true;
            return true;
        }
    return false;
}

/* ---- hashes: never 0, which is "not known" ---- */

static uint64_t hash_more(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        char lower = (char)tolower((unsigned char)*text);
        hash = hash_bytes(hash, &lower, 1);
    }
    return hash_bytes(hash, "", 1);
}

static uint64_t hash_end(uint64_t hash)
{
    return hash != 0 ? hash : 1;
}

static uint64_t hash_numbers(const char *what, uint64_t a, uint64_t b)
{
    const uint64_t numbers[] = {a, b};
    return hash_end(hash_bytes(hash_more(HASH_START, what), numbers, sizeof(numbers)));
}

/* ---- answers ---- */

static enum mysql_step fail(struct mysql_report_failure *ret, const char *text)
{
    *ret = (struct mysql_report_failure){.kind = REPORT_ODD};
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return MYSQL_STEP_FAILED;
}

static enum mysql_step fail_odd(struct mysql_report_failure *ret)
{
    return fail(ret, "the server does not answer as MySQL or MariaDB does");
}

static bool is_row(const struct mysql_answer *answer, uint32_t columns)
{
    return answer->rows == 1 && answer->columns == columns;
}

static enum mysql_step take_first(struct mysql_seen *seen, const struct mysql_answer *answer,
                                  struct mysql_report_failure *ret)
{
    const char *column[FIRST_COUNT];
    bool wsrep = false;
    if (!is_row(answer, FIRST_COUNT))
        return fail_odd(ret);
    for (uint32_t i = 0; i < FIRST_COUNT; i++)
        column[i] = text_at(answer, 0, i);
    if (column[FIRST_AURORA])
        return fail(ret, "this is Aurora, which the engine mysql does not know: it has no server "
                         "that says by read_only alone whether it is the writer");
    if (!column[FIRST_HOSTNAME] || !column[FIRST_PORT] || !column[FIRST_STARTED] ||
        (column[FIRST_WSREP] && !parse_switch(column[FIRST_WSREP], &wsrep)))
        return fail_odd(ret);
    if (!seen->mariadb &&
        (!column[FIRST_UUID] || !gtid_is_uuid(column[FIRST_UUID], strlen(column[FIRST_UUID]))))
        return fail_odd(ret);
    const char *group = column[FIRST_GROUP] ? column[FIRST_GROUP] : "";
    seen->galera = wsrep;
    seen->server = seen->mariadb ? 0 : hash_end(hash_more(HASH_START, column[FIRST_UUID]));
    seen->group = *group != '\0' ? hash_end(hash_more(hash_more(HASH_START, "group"), group)) : 0;
    seen->born =
        hash_more(hash_more(hash_more(HASH_START, column[FIRST_HOSTNAME]), column[FIRST_PORT]),
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
        text[i] = text_at(answer, row, (uint32_t)column[i]);
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

static enum mysql_step take_channels(struct mysql_seen *seen, const struct mysql_answer *answer,
                                     struct mysql_report_failure *ret)
{
    int column[CHANNEL_COUNT];
    bool grouped = seen->group_channel;
    for (int i = 0; i < CHANNEL_COUNT && answer->rows > 0; i++) {
        column[i] = mysql_answer_column(answer, CHANNEL_NAMES[seen->mariadb][i]);
        if (column[i] < 0)
            return fail_odd(ret);
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
    const char *gtids = text_at(answer, 0, STATE_GTIDS);
    uint64_t last;
    if (!gtids || !parse_number(text_at(answer, 0, STATE_DOMAIN), &seen->domain) ||
        !parse_number(text_at(answer, 0, STATE_NUMBER), &seen->number) ||
        !gtid_last(gtids, seen->domain, &last))
        return false;
    take_position(seen, last);
    return true;
}

static bool take_state_of_mysql(struct mysql_seen *seen, const struct mysql_answer *answer,
                                bool *ret_closed)
{
    const char *gtids = text_at(answer, 0, STATE_GTIDS);
    const char *mode = text_at(answer, 0, STATE_GTID_MODE);
    bool offline, super;
    uint64_t count;
    if (!gtids || !mode || !parse_switch(text_at(answer, 0, STATE_OFFLINE), &offline) ||
        !parse_switch(text_at(answer, 0, STATE_SUPER_READ_ONLY), &super) ||
        !gtid_count(gtids, &count))
        return false;
    take_position(seen, count);
    seen->no_gtids = strcasecmp(mode, "ON") != 0;
    *ret_closed = offline || super;
    return true;
}

static enum mysql_step take_state(struct mysql_seen *seen, const struct mysql_answer *answer,
                                  struct mysql_report_failure *ret)
{
    bool closed = false, innodb;
    if (!is_row(answer, STATE_COUNT) ||
        !(seen->mariadb ? take_state_of_mariadb(seen, answer)
                        : take_state_of_mysql(seen, answer, &closed)) ||
        !parse_switch(text_at(answer, 0, STATE_INNODB_READ_ONLY), &innodb) ||
        !parse_switch(text_at(answer, 0, STATE_READ_ONLY), &seen->read_only))
        return fail_odd(ret);
    seen->closed = closed || innodb || seen->read_only;
    if (seen->group != 0)
        return MYSQL_STEP_GROUP;
    return !seen->closed && !seen->circular && seen->channels > 0 && !seen->running
               ? MYSQL_STEP_ORIGIN
               : MYSQL_STEP_DONE;
}

static enum mysql_step take_origin(struct mysql_seen *seen, const struct mysql_answer *answer,
                                   struct mysql_report_failure *ret)
{
    static const char *const WORDS[] = {"DYNAMIC", "PERSISTED", "SQL"};
    const char *origin = is_row(answer, 1) ? text_at(answer, 0, 0) : NULL;
    if (!origin)
        return fail_odd(ret);
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
    if (n == 0 || text[n] != ':' || view.hi == 0 || !parse_number(text + n + 1, &view.lo))
        return false;
    *ret_view = view;
    return true;
}

static enum mysql_step take_group(struct mysql_seen *seen, const struct mysql_answer *answer,
                                  struct mysql_report_failure *ret)
{
    uint64_t members, unreachable;
    bool single;
    if (!is_row(answer, GROUP_COUNT) ||
        !parse_number(text_at(answer, 0, GROUP_MEMBERS), &members) ||
        !parse_number(text_at(answer, 0, GROUP_UNREACHABLE), &unreachable) ||
        unreachable > members || members > UINT32_MAX ||
        !parse_switch(text_at(answer, 0, GROUP_SINGLE_PRIMARY), &single))
        return fail_odd(ret);
    const char *state = text_at(answer, 0, GROUP_STATE), *role = text_at(answer, 0, GROUP_ROLE);
    seen->online = state && strcmp(state, "ONLINE") == 0;
    seen->majority = 2 * unreachable < members;
    seen->primary = role && strcmp(role, "PRIMARY") == 0;
    seen->view = (struct term){0};
    if (!single)
        return fail(ret, "its group has several primaries (group_replication_single_primary_mode "
                         "is off): homing follows groups with one");
    if (seen->online && !parse_view(text_at(answer, 0, GROUP_VIEW), &seen->view))
        return fail_odd(ret);
    return MYSQL_STEP_DONE;
}

static enum mysql_step take_cheap(struct mysql_seen *seen, const struct mysql_answer *answer,
                                  struct mysql_report_failure *ret)
{
    bool read_only;
    if (!is_row(answer, 1) || !parse_switch(text_at(answer, 0, 0), &read_only))
        return fail_odd(ret);
    return read_only == seen->read_only ? MYSQL_STEP_DONE : MYSQL_STEP_CHANNELS;
}

/* `user`@`%`, from "user@%". */
static enum mysql_step take_account(const struct mysql_seen *seen,
                                    const struct mysql_answer *answer,
                                    struct mysql_report_failure *ret)
{
    const char *account = is_row(answer, 1) ? text_at(answer, 0, 0) : NULL;
    const char *at = account ? strrchr(account, '@') : NULL;
    char text[2 * ENGINE_TEXT_MAX];
    if (!at)
        return fail_odd(ret);
    snprintf(text, sizeof(text), "a privilege is missing: GRANT %s TO '%.*s'@'%s'", seen->denied,
             (int)(at - account), account, at + 1);
    fail(ret, "");
    utf8_clean(text, strlen(text), ret->text, sizeof(ret->text));
    return MYSQL_STEP_FAILED;
}

/* ---- errors in place of an answer ---- */

enum {
    ER_UNREADY = 1047,      /* ER_UNKNOWN_COM_ERROR: "WSREP has not yet prepared node" */
    ER_TABLE_DENIED = 1142, /* "SELECT command denied to user … for table 'replication_…'" */
    ER_COLUMN_DENIED = 1143,
    ER_PRIVILEGE = 1227, /* "you need (at least one of) the … privilege(s)" */
};

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

static enum mysql_step take_error(struct mysql_seen *seen, enum mysql_step step,
                                  const struct mysql_error *error, struct mysql_report_failure *ret)
{
    const struct mysql_failure failure = {
        .fault = MYSQL_FAULT_SERVER, .stage = MYSQL_STAGE_SESSION, .error = *error};
    if (error->code == ER_UNREADY) {
        seen->unready = true;
        return MYSQL_STEP_DONE;
    }
    if (take_denial(seen, step, error))
        return MYSQL_STEP_ACCOUNT;
    mysql_report_failure(&failure, false, ret);
    return MYSQL_STEP_FAILED;
}

enum mysql_step mysql_step_take(struct mysql_seen *seen, enum mysql_step step,
                                const struct mysql_answer *answer,
                                struct mysql_report_failure *ret_failure)
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
        return take_account(seen, answer, ret_failure);
    }
}

/* ---- reports ---- */

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
        report->self = hash_numbers("server", seen->domain, seen->number);
        if (follows && parse_number(seen->source, &number))
            report->follows = hash_numbers("server", seen->domain, number);
        return;
    }
    report->self = seen->server;
    if (follows && gtid_is_uuid(seen->source, strlen(seen->source)))
        report->follows = hash_end(hash_more(HASH_START, seen->source));
}

const char *mysql_report(const struct mysql_seen *seen, struct report *report)
{
    const char *note = NULL;
    uint64_t own =
        seen->mariadb ? hash_numbers("server", seen->domain, seen->number) : seen->server;
    report->kind = REPORT_ANSWER;
    report->role = judge_role(seen, &note);
    report->identity = seen->group != 0 ? seen->group
                       : seen->mariadb  ? hash_numbers("mariadb", seen->domain, 0)
                                        : hash_end(hash_more(HASH_START, "mysql"));
    report->incarnation = hash_end(hash_bytes(seen->born, &own, sizeof(own)));
    report->term = seen->group != 0 && report->role == ROLE_WRITER ? seen->view : (struct term){0};
    report->position = seen->position;
    report->branch = 0;
    report_names(seen, report);
    return note ? note : judge_note(seen, report->role);
}
