/* SPDX-License-Identifier: Apache-2.0
 *
 * aurora_global_mysql_reports.c - what a hostile server of a Global Database says of others: an answer to
 * the question for the topology, as tests/fuzz/mysql_reports.c has them, but without names of columns.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/mysql/aurora_mysql_reports.h"
#include "tests/support/fuzz.h"
#include "tests/support/mysql_answer.h"

static void check_report(const struct aurora_seen *seen)
{
    struct report report = {.role = ROLE_NONE};
    const char *note = aurora_report(seen, &report);
    require(report.role == (seen->master ? ROLE_WRITER : ROLE_READER));
    require(report.term.hi == 0 && report.term.lo == 0 && !report.fenced);
    require(report.follows == 0 ||
            (report.follows != report.self && seen->writers == 1 && seen->read_only));
    require(report.self != 0 || (report.position == 0 && report.role == ROLE_READER));
    require(!note || strlen(note) < ENGINE_TEXT_MAX);
}

static void run(const char *text)
{
    static struct aurora_seen seen;
    struct mysql_report_failure failure = {.kind = REPORT_KIND_COUNT};
    memset(&seen, 0, sizeof(seen));
    seen = (struct aurora_seen){.global = true, .introduced = true, .id = "a"};
    int next = aurora_step_take(&seen, AURORA_STEP_TOPOLOGY, answer_any(text), &failure);
    if (next == MYSQL_STEP_FAILED) {
        require(failure.kind != REPORT_ANSWER && failure.kind < REPORT_KIND_COUNT);
        require(strlen(failure.text) < sizeof(failure.text) && !seen.told);
        return;
    }
    require(next == AURORA_STEP_ACCOUNT || next == AURORA_STEP_STATE);
    require(seen.told == (next == AURORA_STEP_STATE));
    require(seen.topology.count <= HOMING_MEMBERS_MAX);
    check_report(&seen);
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
