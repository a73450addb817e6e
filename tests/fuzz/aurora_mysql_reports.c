/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_mysql_reports.c - what a hostile server of an Aurora MySQL cluster answers: answers, each behind
 * a line "--", as tests/fuzz/mysql_reports.c has them, but without names of columns. They are gone
 * through as they are asked for, and then each is taken by every step.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "tests/support/fuzz.h"
#include "tests/support/mysql_answer.h"

static void check_report(const struct aurora_seen *seen)
{
    struct report report = {.role = ROLE_NONE};
    const char *note = aurora_report(seen, &report);
    require(report.role == ROLE_WRITER || report.role == ROLE_READER);
    require(report.role == ROLE_READER || (!seen->read_only && seen->master));
    require(report.identity != 0 && report.incarnation != 0);
    require(report.term.hi == 0 && report.term.lo == 1 && report.self == 0 && report.follows == 0);
    require(!seen->told ||
            (seen->topology.count > 0 && seen->topology.count <= HOMING_MEMBERS_MAX));
    require(!note || strlen(note) < ENGINE_TEXT_MAX);
}

static int take(struct aurora_seen *seen, enum aurora_step step, const char *text)
{
    struct mysql_report_failure failure = {.kind = REPORT_KIND_COUNT};
    int next = aurora_step_take(seen, step, answer_any(text), &failure);
    if (next == MYSQL_STEP_FAILED) {
        require(failure.kind != REPORT_ANSWER && failure.kind < REPORT_KIND_COUNT);
        require(strlen(failure.text) < sizeof(failure.text));
    } else {
        require(next == MYSQL_STEP_DONE || aurora_question(seen, (enum aurora_step)next));
    }
    return next;
}

static void run(char *text)
{
    static struct aurora_seen seen, other;
    int step = AURORA_STEP_FIRST;
    memset(&seen, 0, sizeof(seen));
    for (char *at = text; at;) {
        char *answer = at;
        at = strstr(answer, "\n--\n");
        if (at)
            *at = '\0', at += 4;
        other = seen;
        for (int any = 0; any < AURORA_STEP_COUNT; any++)
            take(&other, (enum aurora_step)any, answer);
        step = take(&seen, (enum aurora_step)step, answer);
        if (step == MYSQL_STEP_DONE)
            check_report(&seen);
        if (step >= AURORA_STEP_COUNT)
            step = seen.introduced ? AURORA_STEP_TOPOLOGY : AURORA_STEP_FIRST;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    if (!text)
        return 0;
    run(text);
    free(text);
    return 0;
}
