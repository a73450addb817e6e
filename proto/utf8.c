/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.c - see utf8.h.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "proto/utf8.h"

size_t utf8_next(const char *text, size_t len, uint32_t *ret_code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *at = (const uint8_t *)text;
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code = size == 1 ? at[0] : at[0] & (0x7fu >> size);

    if (size == 0 || size > len || at[0] >= 0xf8)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < least[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return size;
}

/* As of Unicode 15, first and last of each range. What may be assigned as such later is in it. */
static const struct {
    uint32_t first, last;
} unseen[] = {
    {0xad, 0xad},       /* soft hyphen */
    {0x34f, 0x34f},     /* combining grapheme joiner */
    {0x600, 0x605},     /* signs that enclose Arabic numbers */
    {0x61c, 0x61c},     /* Arabic letter mark: direction */
    {0x6dd, 0x6dd},     /* end of ayah */
    {0x70f, 0x70f},     /* Syriac abbreviation mark */
    {0x890, 0x891},     /* Arabic pound and piastre marks */
    {0x8e2, 0x8e2},     /* Arabic disputed end of ayah */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian selectors and vowel separator */
    {0x200b, 0x200f},   /* zero width, and marks of direction */
    {0x2028, 0x202e},   /* separators of lines, and embeddings and overrides of direction */
    {0x2060, 0x206f},   /* word joiner, isolates of direction, old format characters */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfe00, 0xfe0f},   /* variation selectors */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xffa0, 0xffa0},   /* halfwidth Hangul filler */
    {0xfff0, 0xfffb},   /* interlinear annotation */
    {0x110bd, 0x110bd}, /* Kaithi number sign */
    {0x110cd, 0x110cd}, /* Kaithi number sign above */
    {0x13430, 0x1343f}, /* joins of Egyptian hieroglyphs */
    {0x1bca0, 0x1bca3}, /* shorthand format */
    {0x1d173, 0x1d17a}, /* musical format */
    {0xe0000, 0xe0fff}, /* tags, and more variation selectors */
};

bool utf8_is_control(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        return true;
    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
        if (code >= unseen[i].first && code <= unseen[i].last)
            return true;
    return false;
}

void utf8_escape(uint32_t code, char ret[UTF8_ESCAPE_SIZE])
{
    uint32_t above = code - 0x10000;

    if (code < 0x10000)
        snprintf(ret, UTF8_ESCAPE_SIZE, "\\u%04x", (unsigned)(code & 0xffff));
    else
        snprintf(ret, UTF8_ESCAPE_SIZE, "\\u%04x\\u%04x",
                 (unsigned)(0xd800 | (above >> 10 & 0x3ff)), (unsigned)(0xdc00 | (above & 0x3ff)));
}

size_t utf8_clean(const char *text, size_t len, char *ret, size_t size)
{
    size_t used = 0, characters = 0;

    while (len > 0) {
        uint32_t code;
        size_t bytes = utf8_next(text, len, &code);
        bool shown = bytes > 0 && !utf8_is_control(code);
        size_t need = shown ? bytes : 1;

        if (used + need >= size)
            break;
        memcpy(ret + used, shown ? text : "?", need);
        used += need;
        characters++;
        bytes += bytes == 0;
        text += bytes;
        len -= bytes;
    }
    if (size > 0)
        ret[used] = '\0';
    return characters;
}
