/* SPDX-License-Identifier: Apache-2.0
 *
 * mysql_answer.c - see mysql_answer.h.
 */
#include "config.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/mysql_answer.h"

enum {
    TEXT_MAX = 262144,
    COLUMNS = 16,
    ROWS = 64,
};

static char text[TEXT_MAX], head[1024];
static const char *names[COLUMNS];
static struct mysql_value values[ROWS * COLUMNS];
static struct mysql_answer answer;

static uint32_t split_names(const char *from)
{
    uint32_t count = 0;
    snprintf(head, sizeof(head), "%s", from);
    for (char *at = head; at && count < COLUMNS;)
        names[count++] = strsep(&at, "|");
    return count;
}

static void split_row(char *row, struct mysql_value *into, uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++) {
        const char *column = row ? strsep(&row, "|") : "\\N";
        bool null = strcmp(column, "\\N") == 0;
        into[i] = (struct mysql_value){null ? NULL : column, null ? 0 : (uint32_t)strlen(column)};
    }
}

const struct mysql_answer *answer_table(const char *columns, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    answer =
        (struct mysql_answer){.columns = split_names(columns), .names = names, .values = values};
    char *rest = text[0] != '\0' || answer.columns == 1 ? text : NULL;
    while (rest && answer.rows < ROWS)
        split_row(strsep(&rest, "\n"), &values[answer.rows++ * answer.columns], answer.columns);
    return &answer;
}

const struct mysql_answer *answer_error(unsigned code, const char *words)
{
    answer = (struct mysql_answer){.error.code = (uint16_t)code};
    snprintf(answer.error.text, sizeof(answer.error.text), "%s", words);
    return &answer;
}

const struct mysql_answer *answer_any(const char *from)
{
    char any[] = "a|b|c|d|e|f|g|h";
    size_t columns = 1;
    if (from[0] == '!')
        return answer_error((unsigned)strtoul(from + 1, NULL, 10), from + 1);
    for (const char *at = from; *at != '\0' && *at != '\n'; at++)
        columns += *at == '|';
    if (2 * columns - 1 < sizeof(any))
        any[2 * columns - 1] = '\0';
    return answer_table(any, "%s", from);
}
