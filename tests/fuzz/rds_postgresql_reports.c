/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_reports.c - what a hostile server answers as a server of RDS: rows, as
 * tests/support/postgres_answer.h has them.
 */
#include "config.h"

#include "agent/probe/engines/postgresql/rds_postgresql_reports.h"
#include "tests/support/fuzz.h"
#include "tests/support/postgres_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct postgres_seen seen = {0};
    struct topology topology;
    char *text = fuzz_text(data, size);

    if (!text)
        return 0;
    if (postgres_answer_read(rds_postgres_read, text, &seen, &topology)) {
        require(seen.report.role == ROLE_WRITER || seen.report.role == ROLE_READER);
        require(seen.report.role != ROLE_WRITER || (!seen.in_recovery && !seen.unready));
        require(seen.report.role != ROLE_WRITER || seen.report.term.lo != 0);
        require(!seen.report.fenced && (topology.count > 0 || seen.report.phase != PHASE_NONE));
        require(seen.report.phase < PHASE_COUNT);
    } else {
        require(seen.report.role == ROLE_NONE && seen.report.phase == PHASE_NONE);
    }
    free(text);
    return 0;
}
