/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.c - PostgreSQL's answers as reports. Pure; called by engines/postgresql.c
 * only.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "agent/probe/engines/postgresql_reports.h"
#include "proto/utf8.h"

/* Every function and operator is schema-qualified: a search_path of the role, or objects that
 * somebody made in `public`, must not change the answer.
 *
 * The timeline is taken from the name of the WAL file being written: pg_control_checkpoint() shows
 * the old one until the first checkpoint after a promotion. pg_settings is costly (it builds all
 * rows), and is only read if there is something to explain. The position of a writer is the one up to
 * which its log is flushed: a server that crashed comes back with at least that (W3a, W11), and may
 * lack what was only written. After a promotion, the position that
 * was replayed last does not change any more: it is the point at which the timelines part. Any role
 * may ask for it. */
#define QUESTION                                                                                   \
    "SELECT pg_catalog.pg_is_in_recovery(),"                                                       \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL"                                          \
    " ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END,"                       \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"           \
    " ELSE pg_catalog.pg_current_wal_flush_lsn() END,"                                             \
    " pg_catalog.current_setting('transaction_read_only'),"                                        \
    " CASE WHEN pg_catalog.current_setting('default_transaction_read_only')"                       \
    " OPERATOR(pg_catalog.=) 'off' THEN NULL"                                                      \
    " ELSE (SELECT s.source FROM pg_catalog.pg_settings AS s"                                      \
    " WHERE s.name OPERATOR(pg_catalog.=) 'default_transaction_read_only') END,"                   \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL"                                          \
    " ELSE pg_catalog.pg_last_wal_replay_lsn() END"
#define START_TIME ", pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())"
#define IDENTITY   ", (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c)"

const char POSTGRES_QUESTION[] = QUESTION;
const char POSTGRES_QUESTION_FIRST[] = QUESTION START_TIME IDENTITY;
const char POSTGRES_QUESTION_FIRST_DENIED[] = QUESTION START_TIME;

static const char NOTE_SERVER[] = "default_transaction_read_only is on for the whole server or "
                                  "database: counted as a reader";
static const char NOTE_ROLE[] = "default_transaction_read_only is on for homing's own role: "
                                "says nothing about the server";

/* Parsers: strict, the whole text or nothing. */

static bool parse_bool(const char *text, const char *no, const char *yes, bool *ret_value)
{
    if (!text || (strcmp(text, no) != 0 && strcmp(text, yes) != 0))
        return false;
    *ret_value = strcmp(text, yes) == 0;
    return true;
}

/* Between 1 and `most` hex digits; returns how many, 0 if there are none or too many. */
static size_t parse_hex(const char *text, size_t most, uint64_t *ret_value)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    uint64_t value = 0;
    size_t n = 0;
    for (; isxdigit((unsigned char)text[n]); n++) {
        if (n == most)
            return 0;
        value = value << 4 | (uint64_t)(strchr(DIGITS, toupper((unsigned char)text[n])) - DIGITS);
    }
    *ret_value = value;
    return n;
}

/* "000000020000000000000004": timeline, then the segment. */
static bool parse_timeline(const char *file, uint64_t *ret_timeline)
{
    char digits[9] = "";
    uint64_t timeline;
    if (!file || strlen(file) != 24 || strspn(file, "0123456789ABCDEF") != 24)
        return false;
    memcpy(digits, file, 8);
    if (parse_hex(digits, 8, &timeline) != 8 || timeline == 0)
        return false;
    *ret_timeline = timeline;
    return true;
}

/* "0/4016DC8" */
static bool parse_lsn(const char *text, uint64_t *ret_lsn)
{
    uint64_t hi, lo;
    if (!text)
        return false;
    size_t n = parse_hex(text, 8, &hi);
    if (n == 0 || text[n] != '/')
        return false;
    size_t m = parse_hex(text + n + 1, 8, &lo);
    if (m == 0 || text[n + 1 + m] != '\0')
        return false;
    *ret_lsn = hi << 32 | lo;
    return true;
}

/* Up to 19 digits; returns how many. */
static size_t parse_digits(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9'; n++) {
        if (n == 19)
            return 0;
        value = value * 10 + (uint64_t)(text[n] - '0');
    }
    *ret_value = value;
    return n;
}

/* "1763636391.123457" to microseconds. A shorter fraction is one with zeros at its end. */
static bool parse_seconds(const char *text, uint64_t *ret_us)
{
    uint64_t seconds, us = 0;
    size_t n = !text ? 0 : parse_digits(text, &seconds);
    if (n == 0 || n > 12)
        return false;
    if (text[n] == '.') {
        size_t fraction = parse_digits(text + n + 1, &us);
        if (fraction == 0 || fraction > 6)
            return false;
        n += 1 + fraction;
        for (; fraction < 6; fraction++)
            us *= 10;
    }
    if (text[n] != '\0' || seconds == 0)
        return false;
    *ret_us = seconds * 1000000 + us;
    return true;
}

/* A signed 64-bit number; its bits are the identifier. From 2038 on it will be negative. */
static bool parse_identifier(const char *text, uint64_t *ret_identifier)
{
    uint64_t value;
    if (!text)
        return false;
    bool negative = text[0] == '-';
    size_t n = parse_digits(text + negative, &value);
    if (n == 0 || text[negative + n] != '\0' || value == 0)
        return false;
    *ret_identifier = negative ? 0 - value : value;
    return true;
}

/* Whether the setting comes from a place where it holds for every role. */
static bool source_is_server(const char *source)
{
    static const char *const SERVER[] = {"configuration file", "command line", "database",
                                         "environment variable", "global"};
    for (size_t i = 0; i < sizeof(SERVER) / sizeof(SERVER[0]); i++)
        if (strcmp(source, SERVER[i]) == 0)
            return true;
    return false;
}

/* Not in recovery: a writer, unless the server is configured not to be one. */
static bool report_primary(const char *const *columns, struct report *report, const char **ret_note)
{
    bool read_only;
    if (!parse_timeline(columns[POSTGRES_WAL_FILE], &report->term.lo) ||
        !parse_lsn(columns[POSTGRES_LSN], &report->position) ||
        !parse_bool(columns[POSTGRES_READ_ONLY], "off", "on", &read_only))
        return false;
    report->branch = 0;
    if (columns[POSTGRES_BRANCH] && !parse_lsn(columns[POSTGRES_BRANCH], &report->branch))
        return false;
    const char *source = columns[POSTGRES_READ_ONLY_SOURCE];
    bool server = read_only && source && source_is_server(source);
    report->role = server ? ROLE_READER : ROLE_WRITER;
    if (read_only)
        *ret_note = server ? NOTE_SERVER : NOTE_ROLE;
    return true;
}

/* In recovery: before its first WAL record it has no position. */
static bool report_standby(const char *const *columns, struct report *report)
{
    report->role = ROLE_READER;
    report->term.lo = 0;
    report->position = 0;
    report->branch = 0;
    return !columns[POSTGRES_LSN] || parse_lsn(columns[POSTGRES_LSN], &report->position);
}

bool postgres_report_row(const char *const *columns, int count, struct report *ret_report,
                         const char **ret_note)
{
    struct report report = *ret_report;
    const char *note = NULL;
    bool in_recovery;
    if (count < POSTGRES_START_TIME || count > POSTGRES_COLUMN_COUNT ||
        !parse_bool(columns[POSTGRES_IN_RECOVERY], "f", "t", &in_recovery))
        return false;
    report.kind = REPORT_ANSWER;
    report.term.hi = 0;
    if (in_recovery ? !report_standby(columns, &report) : !report_primary(columns, &report, &note))
        return false;
    if (count > POSTGRES_START_TIME &&
        !parse_seconds(columns[POSTGRES_START_TIME], &report.incarnation))
        return false;
    if (count > POSTGRES_SYSTEM_IDENTIFIER &&
        !parse_identifier(columns[POSTGRES_SYSTEM_IDENTIFIER], &report.identity))
        return false;
    *ret_report = report;
    *ret_note = note;
    return true;
}

/* Failures. */

struct meaning {
    const char *prefix; /* of a SQLSTATE, or what libpq's own words begin with */
    enum report_kind kind;
    enum engine_hint hint;
};

/* The first that fits. REPORT_BROKEN becomes REPORT_REFUSED where there was no session yet. */
static const struct meaning SQLSTATES[] = {
    {"57P03", REPORT_REFUSED, HINT_STARTING}, /* starting up, shutting down: normal in a failover */
    {"57P04", REPORT_ODD, HINT_NONE},         /* our database was dropped */
    {"57", REPORT_BROKEN, HINT_NONE},         /* shut down, crashed, cancelled */
    {"08", REPORT_BROKEN, HINT_NONE},
    {"40", REPORT_BROKEN, HINT_NONE}, /* cancelled by recovery */
    {"28", REPORT_DENIED, HINT_NONE},
    {"53", REPORT_REFUSED, HINT_CROWDED}, /* too many connections, no memory */
    {"", REPORT_ODD, HINT_NONE},
};

/* What libpq says if the peer ended the connection. If anything else goes wrong after TCP stands,
 * the peer is no PostgreSQL, or its TLS does not fit. libpq's messages are translated only after a
 * setlocale(), which the agent never calls. */
static const struct meaning WORDS[] = {
    {"server closed the connection unexpectedly", REPORT_BROKEN, HINT_NONE},
    {"could not receive data from server", REPORT_BROKEN, HINT_NONE},
    {"could not send ", REPORT_BROKEN, HINT_NONE},
    {"SSL connection has been closed unexpectedly", REPORT_BROKEN, HINT_NONE},
    {"SSL SYSCALL error", REPORT_BROKEN, HINT_NONE},
    {"no connection to the server", REPORT_BROKEN, HINT_NONE},
    {"fe_sendauth: no password supplied", REPORT_DENIED, HINT_NONE},
    {"", REPORT_ODD, HINT_NONE},
};

static const struct meaning *meaning_find(const struct meaning *table, const char *text)
{
    while (strncmp(table->prefix, text, strlen(table->prefix)) != 0)
        table++;
    return table;
}

/* What stands behind libpq's `connection to server at "..." (...), port ... failed: `, or all. */
static const char *skip_address(const char *message)
{
    static const char BEFORE[] = "connection to server ";
    static const char AFTER[] = " failed: ";
    const char *at = strncmp(message, BEFORE, strlen(BEFORE)) == 0 ? strstr(message, AFTER) : NULL;
    return !at ? message : at + strlen(AFTER);
}

/* In `FATAL:  28P01: words`: copies the SQLSTATE, and returns where the words begin. Returns `text`
 * if there is no SQLSTATE. The server translates the severity, so that is not looked at. */
static const char *skip_sqlstate(const char *text, char *ret_sqlstate)
{
    const char *at = strstr(text, ":  ");
    const char *end = strchr(text, '\n');
    if (!at || (end && at > end))
        return text;
    at += 3;
    if (strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || at[5] != ':' || at[6] != ' ')
        return text;
    memcpy(ret_sqlstate, at, 5);
    ret_sqlstate[5] = '\0';
    return at + 7;
}

void postgres_report_failure(enum postgres_stage stage, const char *message,
                             struct postgres_failure *ret_failure)
{
    struct postgres_failure failure = {.kind = REPORT_REFUSED};
    const char *words = skip_address(message);
    const char *text = skip_sqlstate(words, failure.sqlstate);
    utf8_clean(text, strcspn(text, "\n"), failure.text, sizeof(failure.text));
    if (failure.sqlstate[0] != '\0' || stage != POSTGRES_STAGE_CONNECTING || words == message) {
        const struct meaning *m = failure.sqlstate[0] != '\0'
                                      ? meaning_find(SQLSTATES, failure.sqlstate)
                                      : meaning_find(WORDS, words);
        failure.kind = m->kind;
        failure.hint = m->hint;
    }
    if (failure.kind == REPORT_BROKEN && stage != POSTGRES_STAGE_SESSION)
        failure.kind = REPORT_REFUSED;
    *ret_failure = failure;
}
