/* SPDX-License-Identifier: Apache-2.0
 *
 * failures.c - see failures.h: what the faults of the client and the errors of servers mean.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/engines/mysql/family/failures.h"
#include "proto/utf8.h"

struct meaning {
    uint16_t code; /* 0: the last one, for all others */
    enum report_kind kind;
    enum engine_hint hint;
};

/* REPORT_BROKEN becomes REPORT_REFUSED where there was no session yet. */
static const struct meaning MEANINGS[] = {
    {1040, REPORT_REFUSED, HINT_CROWDED}, /* too many connections */
    {1203, REPORT_REFUSED, HINT_CROWDED}, /* max_user_connections */
    {1226, REPORT_REFUSED, HINT_CROWDED}, /* the account's own limit */
    {1041, REPORT_REFUSED, HINT_CROWDED}, /* out of memory */
    {1045, REPORT_DENIED, HINT_NONE},     /* access denied */
    {1698, REPORT_DENIED, HINT_NONE},     /* access denied, by a plugin */
    {1862, REPORT_DENIED, HINT_NONE},     /* the password has expired */
    {1820, REPORT_DENIED, HINT_NONE},     /* the password must be changed first */
    {1130, REPORT_DENIED, HINT_NONE},     /* this host may not connect */
    {3118, REPORT_DENIED, HINT_NONE},     /* the account is locked */
    {4151, REPORT_DENIED, HINT_NONE},     /* the same, MariaDB */
    {1129, REPORT_REFUSED, HINT_NONE},    /* this host is blocked, for its many errors */
    {3032, REPORT_BROKEN, HINT_NONE},     /* offline mode: as a group has those that it expels */
    {1053, REPORT_BROKEN, HINT_NONE},     /* shutting down */
    {1927, REPORT_BROKEN, HINT_NONE},     /* killed, MariaDB */
    {3169, REPORT_BROKEN, HINT_NONE},     /* the session was killed */
    {1317, REPORT_BROKEN, HINT_NONE},     /* the question was killed */
    {1969, REPORT_BROKEN, HINT_NONE},     /* max_statement_time */
    {3024, REPORT_BROKEN, HINT_NONE},     /* max_execution_time */
    {4031, REPORT_BROKEN, HINT_NONE},     /* nothing was asked for too long */
    {1080, REPORT_BROKEN, HINT_NONE},     /* forced to close */
    {1152, REPORT_BROKEN, HINT_NONE},     /* aborted */
    {1159, REPORT_BROKEN, HINT_NONE},     /* it waited too long for us */
    {0, REPORT_ODD, HINT_NONE},
};

static struct meaning meaning_of(const struct mysql_failure *failure, bool strange)
{
    const struct meaning *m = MEANINGS;
    switch (failure->fault) {
    case MYSQL_FAULT_SERVER:
        while (m->code != 0 && m->code != failure->error.code)
            m++;
        return *m;
    case MYSQL_FAULT_NETWORK:
        return (struct meaning){.kind = REPORT_BROKEN};
    case MYSQL_FAULT_LOGIN:
    case MYSQL_FAULT_LOCAL:
        /* Neither says anything about who is there. */
        return (struct meaning){.kind = strange ? REPORT_DENIED : REPORT_ODD};
    default:
        return (struct meaning){.kind = REPORT_ODD};
    }
}

void mysql_report_failure(const struct mysql_failure *failure, bool strange,
                          struct mysql_report_failure *ret_failure)
{
    struct meaning m = meaning_of(failure, strange);
    if (m.kind == REPORT_BROKEN && failure->stage != MYSQL_STAGE_SESSION)
        m.kind = REPORT_REFUSED;
    ret_failure->kind = m.kind;
    ret_failure->hint = m.hint;
    utf8_clean(failure->error.text, strnlen(failure->error.text, sizeof(failure->error.text)),
               ret_failure->text, sizeof(ret_failure->text));
}
