/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_server.c - see mysql_server.h.
 */
#include "config.h"

#include <string.h>

#include "tests/support/mysql_server.h"
#include "tests/support/test.h"

static const char *given(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static const char CHANNEL_COLUMNS[2][120] = {
    "CHANNEL_NAME|HOST|RECEIVING|LAST_ERROR_NUMBER|APPLY_ERROR|APPLYING|SOURCE_UUID",
    "connection_name|Master_Host|Slave_IO_Running|Last_IO_Errno|Last_SQL_Errno|Slave_SQL_Running|"
    "Master_Server_Id",
};

const struct mysql_answer *answer_of(const struct server *s, enum mysql_step step)
{
    switch (step) {
    case MYSQL_STEP_CHEAP:
        return answer_table("ro", "%s", given(s->read_only, "0"));
    case MYSQL_STEP_FIRST:
        return answer_table("h|p|t|u|g|w|a", "db|3306|%s|%s|%s|%s|%s",
                            given(s->started, "1796032457"),
                            s->mariadb ? "\\N" : given(s->uuid, UUID_A), given(s->group, "\\N"),
                            given(s->wsrep, "\\N"), given(s->aurora, "\\N"));
    case MYSQL_STEP_CHANNELS:
        return answer_table(CHANNEL_COLUMNS[s->mariadb], "%s", given(s->channels, ""));
    case MYSQL_STEP_STATE:
        if (s->mariadb)
            return answer_table("g|m|i|d|n|r", "%s|\\N|%s|%s|%s|%s", given(s->gtids, ""),
                                given(s->innodb_read_only, "0"), given(s->domain, "0"),
                                given(s->number, "1"), given(s->read_only, "0"));
        return answer_table("g|m|i|o|s|r", "%s|%s|%s|%s|%s|%s", given(s->gtids, ""),
                            given(s->gtid_mode, "ON"), given(s->innodb_read_only, "0"),
                            given(s->offline, "0"), given(s->super_read_only, "0"),
                            given(s->read_only, "0"));
    case MYSQL_STEP_ORIGIN:
        return answer_table("o", "%s", given(s->origin, "COMPILED"));
    case MYSQL_STEP_GROUP:
        return answer_table("n|u|s|r|v|p", "%s|%s|%s|%s|%s|%s", given(s->members, "3"),
                            given(s->unreachable, "0"), given(s->state, "ONLINE"),
                            given(s->role, "PRIMARY"), given(s->view, VIEW), given(s->single, "1"));
    default:
        return answer_table("a", "homing@%%");
    }
}

struct told tell_with(struct mysql_seen *seen, const struct server *s)
{
    struct told t = {.failed = false};
    int step = seen->introduced ? MYSQL_STEP_CHANNELS : MYSQL_STEP_FIRST;
    seen->mariadb = s->mariadb;
    seen->circular = s->circular;
    for (int i = 0; step < MYSQL_STEP_COUNT; i++) {
        assert_true(i < 8);
        assert_non_null(mysql_question(seen->mariadb, (enum mysql_step)step));
        step = mysql_step_take(seen, (enum mysql_step)step, answer_of(s, (enum mysql_step)step),
                               &t.failure);
    }
    t.failed = step == MYSQL_STEP_FAILED;
    if (!t.failed)
        t.note = mysql_report(seen, &t.report);
    return t;
}

struct told tell(const struct server *s)
{
    struct mysql_seen seen = {.introduced = false};
    return tell_with(&seen, s);
}

enum role role_of(const struct server *s)
{
    struct told t = tell(s);
    assert_false(t.failed);
    return t.report.role;
}

void assert_odd(const struct server *s, const char *why)
{
    struct told t = tell(s);
    assert_true(t.failed);
    assert_int_equal(t.failure.kind, REPORT_ODD);
    assert_non_null(strstr(t.failure.text, why));
}
