/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_mysql_reports.c - what a hostile server of a Multi-AZ DB cluster says of others: an answer to the
 * question for the topology, as tests/fuzz/mysql_reports.c has them, but without names of columns.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/mysql/rds_mysql_reports.h"
#include "tests/support/fuzz.h"
#include "tests/support/mysql_answer.h"

static void run(const char *text)
{
    static struct rds_seen seen;
    struct mysql_report_failure failure = {.kind = REPORT_KIND_COUNT};
    memset(&seen, 0, sizeof(seen));
    int next = rds_step_take(&seen, RDS_STEP_TOPOLOGY, answer_any(text), &failure);
    if (next == MYSQL_STEP_FAILED) {
        require(failure.kind != REPORT_ANSWER && failure.kind < REPORT_KIND_COUNT);
        require(strlen(failure.text) < sizeof(failure.text) && !seen.told);
        return;
    }
    require(next == MYSQL_STEP_ACCOUNT || next == MYSQL_STEP_CHANNELS);
    require(seen.told == (next == MYSQL_STEP_CHANNELS));
    require(seen.topology.count <= HOMING_MEMBERS_MAX);
    for (uint32_t i = 0; i < seen.topology.count; i++)
        require(seen.topology.at[i].port != 0);
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
