/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.c - see utf8.h.
 */
#include "config.h"

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

bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
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
