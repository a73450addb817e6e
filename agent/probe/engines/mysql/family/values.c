/* SPDX-License-Identifier: Apache-2.0
 *
 * values.c - see values.h.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/probe/engines/mysql/family/gtid.h"
#include "agent/probe/engines/mysql/family/values.h"
#include "proto/hash.h"
#include "proto/utf8.h"

bool mysql_is_row(const struct mysql_answer *answer, uint32_t columns)
{
    return answer->rows == 1 && answer->columns == columns;
}

const char *mysql_text_at(const struct mysql_answer *answer, uint32_t row, uint32_t column)
{
    const struct mysql_value *value = mysql_answer_at(answer, row, column);
    return value->text && strlen(value->text) == value->length ? value->text : NULL;
}

bool mysql_parse_number(const char *text, uint64_t *ret_number)
{
    size_t n = text ? gtid_digits(text, ret_number) : 0;
    return n != 0 && text[n] == '\0';
}

bool mysql_parse_switch(const char *text, bool *ret_on)
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

uint64_t mysql_hash_more(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        char lower = (char)tolower((unsigned char)*text);
        hash = hash_bytes(hash, &lower, 1);
    }
    return hash_bytes(hash, "", 1);
}

uint64_t mysql_hash_end(uint64_t hash)
{
    return hash != 0 ? hash : 1;
}

uint64_t mysql_hash_numbers(const char *what, uint64_t a, uint64_t b)
{
    const uint64_t numbers[] = {a, b};
    return mysql_hash_end(hash_bytes(mysql_hash_more(HASH_START, what), numbers, sizeof(numbers)));
}

int mysql_fail(struct mysql_report_failure *ret, const char *text)
{
    *ret = (struct mysql_report_failure){.kind = REPORT_ODD};
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return MYSQL_STEP_FAILED;
}

int mysql_fail_odd(struct mysql_report_failure *ret)
{
    return mysql_fail(ret, "the server does not answer as MySQL or MariaDB does");
}

int mysql_fail_error(const struct mysql_error *error, struct mysql_report_failure *ret)
{
    const struct mysql_failure failure = {
        .fault = MYSQL_FAULT_SERVER, .stage = MYSQL_STAGE_SESSION, .error = *error};
    mysql_report_failure(&failure, false, ret);
    return MYSQL_STEP_FAILED;
}

/* It comes from the server, and an administrator is told to run it. */
static bool is_plain(const char *account)
{
    for (; *account != '\0'; account++)
        if (strchr("'\"`\\;", *account) || (unsigned char)*account < ' ')
            return false;
    return true;
}

/* 'user'@'%', from "user@%". */
int mysql_fail_denied(const char *denied, const struct mysql_answer *answer,
                      struct mysql_report_failure *ret)
{
    const char *account = mysql_is_row(answer, 1) ? mysql_text_at(answer, 0, 0) : NULL;
    const char *at = account ? strrchr(account, '@') : NULL;
    char text[2 * ENGINE_TEXT_MAX];
    if (!at || !is_plain(account))
        return mysql_fail_odd(ret);
    snprintf(text, sizeof(text), "a privilege is missing: GRANT %s TO '%.*s'@'%s'", denied,
             (int)(at - account), account, at + 1);
    mysql_fail(ret, "");
    utf8_clean(text, strlen(text), ret->text, sizeof(ret->text));
    return MYSQL_STEP_FAILED;
}
