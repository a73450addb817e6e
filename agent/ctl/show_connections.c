/* SPDX-License-Identifier: Apache-2.0
 *
 * show_connections.c - `homingctl connections`.
 */
#include "config.h"

#include <stdio.h>

#include "agent/ctl/show.h"
#include "agent/ctl/text.h"

/* Wider words push their own line, not the table. */
#define WIDTH_COMMAND  16
#define WIDTH_ENDPOINT 28
#define WIDTH_MEMBER   24

static void cell(const struct show *show, const char *text, int width)
{
    char clean[1024];
    int own = (int)text_clean(text, clean, sizeof(clean));

    fprintf(show->out, "%s%*s", clean, own < width ? width - own + 1 : 1, "");
}

static void cell_of(const struct show *show, const struct msg_value *row, const char *key,
                    int width)
{
    const char *text = msg_get_str(row, key);

    cell(show, text ? text : "-", width);
}

/* The member, or where it is connected to, if that is none. */
static void cell_member(const struct show *show, const struct msg_value *row)
{
    const char *address = msg_get_str(row, "address");
    char text[128];

    if (msg_get_str(row, "member")) {
        cell_of(show, row, "member", WIDTH_MEMBER);
        return;
    }
    snprintf(text, sizeof(text), "%s port %llu", address ? address : "?",
             (unsigned long long)msg_get_uint(row, "port", 0));
    cell(show, text, WIDTH_MEMBER);
}

static void print_row(const struct show *show, const struct msg_value *row)
{
    char age[TEXT_SHORT];

    text_age(msg_get_uint(row, "age_ms", 0), age);
    fprintf(show->out, "%-8llu %-8llu ", (unsigned long long)msg_get_uint(row, "pid", 0),
            (unsigned long long)msg_get_uint(row, "uid", 0));
    cell_of(show, row, "command", WIDTH_COMMAND);
    cell_of(show, row, "endpoint", WIDTH_ENDPOINT);
    cell_member(show, row);
    fprintf(show->out, "%-9s%s\n", age, msg_get_bool(row, "outdated", false) ? "  outdated" : "");
}

static void print_rows(const struct show *show, const struct msg_value *rows, bool outdated)
{
    for (uint32_t i = 0; i < msg_array_len(rows); i++) {
        const struct msg_value *row = msg_array_at(rows, i);
        if (msg_get_bool(row, "outdated", false) == outdated)
            print_row(show, row);
    }
}

bool show_connections(const struct show *show, const struct msg_value *result)
{
    const struct msg_value *rows = msg_get(result, "connections");
    bool partial = msg_get_bool(result, "partial", true);

    if (msg_array_len(rows))
        fprintf(show->out, "%-8s %-8s %-*s %-*s %-*s %s\n", "PID", "UID", WIDTH_COMMAND, "COMMAND",
                WIDTH_ENDPOINT, "ENDPOINT", WIDTH_MEMBER, "MEMBER", "AGE");
    else
        fputs("no connections of attached programs\n", show->out);
    print_rows(show, rows, true);
    print_rows(show, rows, false);
    if (partial)
        fputs("homingctl: not all could be listed\n", stderr);
    return !partial;
}
