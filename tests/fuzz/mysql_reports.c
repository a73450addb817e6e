/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_reports.c - what a hostile server of MySQL's family answers. The first line has the flavour (M:
 * MariaDB, C: circular) and a step's letter for each answer; then come the answers, each behind a
 * line "--": columns separated by '|', NULL is \N. "!1142 text" is an error in place of a table. The
 * steps are gone through as the letters say, and then each answer is taken by every step.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/mysql/mysql_reports.h"
#include "tests/support/fuzz.h"
#include "tests/support/mysql_answer.h"

static const char COLUMNS[] =
    "CHANNEL_NAME|HOST|RECEIVING|LAST_ERROR_NUMBER|APPLY_ERROR|APPLYING|SOURCE_UUID";
static const char COLUMNS_OF_MARIADB[] =
    "Connection_name|Master_Host|Slave_IO_Running|Last_IO_Errno|"
    "Last_SQL_Errno|Slave_SQL_Running|Master_Server_Id";

/* As many of the columns as the first row has. */
static const struct mysql_answer *answer_of(const struct mysql_seen *seen, const char *text)
{
    char names[sizeof(COLUMNS) + sizeof(COLUMNS_OF_MARIADB)];
    size_t columns = 1;
    if (text[0] == '!')
        return answer_error((unsigned)strtoul(text + 1, NULL, 10),
                            text + 1 + strcspn(text + 1, " "));
    for (const char *at = text; *at != '\0' && *at != '\n'; at++)
        columns += *at == '|';
    snprintf(names, sizeof(names), "%s", seen->mariadb ? COLUMNS_OF_MARIADB : COLUMNS);
    char *end = names;
    for (; columns > 0 && *end != '\0'; columns--)
        end += strcspn(end, "|") + (columns > 1);
    if (end < names + strlen(names))
        *end = '\0';
    return answer_table(names, "%s", text);
}

static void check_report(const struct mysql_seen *seen)
{
    struct report report = {.role = ROLE_NONE};
    const char *note = mysql_report(seen, &report);
    require(report.role == ROLE_WRITER || report.role == ROLE_READER);
    require(report.identity != 0 && report.incarnation != 0 && report.branch == 0);
    require(report.role == ROLE_READER || !seen->closed);
    require(report.role == ROLE_READER || (report.term.hi != 0) == (seen->group != 0));
    require(seen->group == 0 || (report.self == 0 && report.follows == 0));
    require(!note || strlen(note) < ENGINE_TEXT_MAX);
}

static int take(struct mysql_seen *seen, enum mysql_step step, const char *text)
{
    struct mysql_report_failure failure = {.kind = REPORT_KIND_COUNT};
    int next = mysql_step_take(seen, step, answer_of(seen, text), &failure);
    if (next == MYSQL_STEP_FAILED) {
        require(failure.kind != REPORT_ANSWER && failure.kind < REPORT_KIND_COUNT);
        require(strlen(failure.text) < sizeof(failure.text));
    } else {
        require(next == MYSQL_STEP_DONE || mysql_question(seen->mariadb, (enum mysql_step)next));
    }
    return next;
}

static void run(char *text)
{
    struct mysql_seen seen = {.mariadb = text[0] == 'M', .circular = text[0] == 'C'};
    int step = MYSQL_STEP_FIRST;
    char *at = strchr(text, '\n');
    for (int i = 0; at && i < 16; i++) {
        char *answer = at + 1;
        at = strstr(answer, "\n--\n");
        if (at)
            *at = '\0', at += 3;
        struct mysql_seen other = seen;
        for (int any = 0; any < MYSQL_STEP_COUNT; any++)
            take(&other, (enum mysql_step)any, answer);
        step = take(&seen, (enum mysql_step)step, answer);
        if (step == MYSQL_STEP_DONE)
            check_report(&seen);
        if (step >= MYSQL_STEP_COUNT)
            step = seen.introduced ? MYSQL_STEP_CHANNELS : MYSQL_STEP_FIRST;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    if (!text)
        return 0;
    run(text);
    mysql_server_refuse(text, (uint32_t)size * 1000, size % 2 == 0);
    free(text);
    return 0;
}
