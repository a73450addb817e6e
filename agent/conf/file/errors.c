/* SPDX-License-Identifier: Apache-2.0
 *
 * errors.c - as conf/file/errors.h says.
 */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/file/errors.h"
#include "proto/utf8.h"

/* Values of the file are quoted in errors: a newline or an escape sequence in one must not reach
 * the terminal. */
static void put_one(struct conf_errors *errors, struct conf_at at, bool warning, const char *format,
                    va_list arguments)
{
    char text[sizeof(errors->list[0].text)];

    errors->failures += !warning;
    if (errors->count == CONF_ERRORS_MAX) {
        errors->lost += !warning;
        return;
    }
    struct conf_error *error = &errors->list[errors->count++];
    error->at = at;
    error->warning = warning;
    vsnprintf(text, sizeof(text), format, arguments);
    utf8_clean(text, strlen(text), error->text, sizeof(error->text));
}

void conf_errors_add(struct conf_errors *errors, struct conf_at at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_one(errors, at, false, format, arguments);
    va_end(arguments);
}

void conf_errors_warn(struct conf_errors *errors, struct conf_at at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_one(errors, at, true, format, arguments);
    va_end(arguments);
}

static int compare_places(const void *left, const void *right)
{
    const struct conf_error *a = left, *b = right;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    if (a->at.column != b->at.column)
        return a->at.column < b->at.column ? -1 : 1;
    return strcmp(a->text, b->text);
}

void conf_errors_print(struct conf_errors *errors, FILE *out)
{
    qsort(errors->list, errors->count, sizeof(errors->list[0]), compare_places);
    for (uint32_t i = 0; i < errors->count; i++) {
        const struct conf_error *error = &errors->list[i];
        fprintf(out, "%s:%u:%u: %s%s\n", errors->file, error->at.line, error->at.column,
                error->warning ? "warning: " : "", error->text);
    }
    if (errors->lost != 0)
        fprintf(out, "%s: %u more errors; correct these first\n", errors->file, errors->lost);
}
