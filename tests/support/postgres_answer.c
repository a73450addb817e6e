/* SPDX-License-Identifier: Apache-2.0
 *
 * postgres_answer.c - see postgres_answer.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/postgres_answer.h"

static const char *texts[POSTGRES_ROWS_MAX * POSTGRES_COLUMNS_MAX];
static struct postgres_rows rows;
static char *kept;

static void split_row(char *row)
{
    int i = 0;
    for (char *text = strsep(&row, "|"); text; text = strsep(&row, "|")) {
        if (rows.count == 0 && rows.columns < POSTGRES_COLUMNS_MAX)
            rows.columns++;
        if (i < rows.columns)
            texts[rows.count * rows.columns + i++] = strcmp(text, "\\N") == 0 ? NULL : text;
    }
    for (; i < rows.columns; i++)
        texts[rows.count * rows.columns + i] = NULL;
    rows.count++;
}

const struct postgres_rows *postgres_answer(const char *text)
{
    free(kept);
    kept = strdup(text);
    rows = (struct postgres_rows){.texts = texts};
    for (char *rest = kept; rest && rows.count < POSTGRES_ROWS_MAX;)
        split_row(strsep(&rest, "\n"));
    return &rows;
}

bool postgres_answer_read(bool (*read)(const struct postgres_rows *rows,
                                       struct postgres_seen *seen),
                          const char *text, struct postgres_seen *ret_seen,
                          struct topology *ret_topology)
{
    topology_init(ret_topology);
    ret_seen->topology = ret_topology;
    ret_seen->wrong = NULL;
    return read(postgres_answer(text), ret_seen);
}
