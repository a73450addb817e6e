/* SPDX-License-Identifier: Apache-2.0
 *
 * postgresql_reports.c - what a hostile server answers: rows (first byte R: columns separated by
 * '|', NULL is \N) and failures (any other first byte, which also chooses how far the connection
 * came).
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/postgresql/postgresql_reports.h"
#include "agent/probe/postgresql/failures.h"
#include "tests/support/fuzz.h"

static void row(char *text)
{
    const char *columns[POSTGRES_COLUMN_COUNT + 1] = {NULL};
    struct report report = {.role = ROLE_NONE};
    const char *note;
    int count = 0;
    for (char *at = text; at && count <= POSTGRES_COLUMN_COUNT;) {
        const char *column = strsep(&at, "|");
        columns[count++] = strcmp(column, "\\N") == 0 ? NULL : column;
    }
    if (!postgres_report_row(columns, count, &report, &note)) {
        require(report.role == ROLE_NONE);
        return;
    }
    require(report.role == ROLE_WRITER || report.role == ROLE_READER);
    require(report.role != ROLE_WRITER || report.term.lo != 0);
    require(count <= POSTGRES_SYSTEM_IDENTIFIER || report.identity != 0);
}

static void failure(enum postgres_stage stage, const char *message)
{
    struct postgres_failure f;
    postgres_failure_read(stage, message, &f);
    require(f.kind != REPORT_ANSWER && f.kind < REPORT_KIND_COUNT);
    require(f.kind != REPORT_BROKEN || stage == POSTGRES_STAGE_SESSION);
    require(strlen(f.text) < sizeof(f.text) && strlen(f.sqlstate) < sizeof(f.sqlstate));
    for (const char *c = f.text; *c != '\0'; c++)
        require((unsigned char)*c >= ' ' && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    if (!text)
        return 0;
    if (text[0] == 'R')
        row(text + 1);
    else if (size > 0)
        failure((enum postgres_stage)((unsigned char)text[0] % POSTGRES_STAGE_COUNT), text + 1);
    free(text);
    return 0;
}
