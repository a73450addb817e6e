/* SPDX-License-Identifier: Apache-2.0
 *
 * rds_postgresql_reports.c - what a hostile server answers as a server of RDS: rows on lines, columns
 * separated by '|', NULL is \N. The first row says how many columns there are.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/engines/postgresql/rds_postgresql_reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

/* Cells in excess are left out; missing ones are NULL. */
static void split(char *text, const char **texts, struct postgres_rows *ret_rows)
{
    struct postgres_rows rows = {.texts = texts};

    for (char *line; text && rows.count < POSTGRES_ROWS_MAX; rows.count++) {
        int i = 0;
        line = strsep(&text, "\n");
        for (char *cell = strsep(&line, "|"); cell; cell = strsep(&line, "|")) {
            if (rows.count == 0 && rows.columns < POSTGRES_COLUMNS_MAX)
                rows.columns++;
            if (i < rows.columns)
                texts[rows.count * rows.columns + i++] = strcmp(cell, "\\N") == 0 ? NULL : cell;
        }
        for (; i < rows.columns; i++)
            texts[rows.count * rows.columns + i] = NULL;
    }
    *ret_rows = rows;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *texts[POSTGRES_ROWS_MAX * POSTGRES_COLUMNS_MAX];
    struct postgres_seen seen = {0};
    struct topology topology;
    struct postgres_rows rows;
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    split(text, texts, &rows);
    topology_init(&topology);
    seen.topology = &topology;
    if (rds_postgres_read(&rows, &seen)) {
        require(seen.report.role == ROLE_WRITER || seen.report.role == ROLE_READER);
        require(seen.report.role != ROLE_WRITER || (!seen.in_recovery && !seen.unready));
        require(seen.report.role != ROLE_WRITER || seen.report.term.lo != 0);
        require(!seen.report.fenced && topology.count > 0);
    } else {
        require(seen.report.role == ROLE_NONE);
    }
    free(text);
    return 0;
}
