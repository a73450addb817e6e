/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - see text.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ctl/show/text.h"
#include "proto/utf8.h"

void text_age(uint64_t ms, char ret[TEXT_SHORT])
{
    uint64_t s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;

    if (s < 10)
        snprintf(ret, TEXT_SHORT, "%u.%u s", (unsigned)s, (unsigned)(ms % 1000 / 100));
    else if (s < 120)
        snprintf(ret, TEXT_SHORT, "%u s", (unsigned)s);
    else if (min < 120)
        snprintf(ret, TEXT_SHORT, "%u min", (unsigned)min);
    else if (h < 48)
        snprintf(ret, TEXT_SHORT, "%u h %u min", (unsigned)h, (unsigned)(min % 60));
    else
        snprintf(ret, TEXT_SHORT, "%u d %u h", (unsigned)(d % 100000), (unsigned)(h % 24));
}

void text_size(uint64_t bytes, char ret[TEXT_SHORT])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        snprintf(ret, TEXT_SHORT, "%u B", (unsigned)bytes);
        return;
    }
    for (; value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        value /= 1024;
    snprintf(ret, TEXT_SHORT, "%.1f %s", value, units[unit]);
}

size_t text_clean(const char *text, char *ret, size_t size)
{
    return utf8_clean(text, strlen(text), ret, size);
}

static void put_line(FILE *out, const char *line, size_t len)
{
    char *clean = malloc(len + 1);

    if (clean) {
        utf8_clean(line, len, clean, len + 1);
        fputs(clean, out);
    }
    fputc('\n', out);
    free(clean);
}

void text_put_lines(FILE *out, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        put_line(out, text, len);
        text += len + (text[len] == '\n');
    }
}
