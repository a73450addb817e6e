/* SPDX-License-Identifier: Apache-2.0
 *
 * failures.c - see failures.h.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/postgresql/failures.h"
#include "proto/utf8.h"

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

void postgres_failure_read(enum postgres_stage stage, const char *message,
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
