/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.h - which bytes of a string are UTF-8; for everything that is sent, logged or shown.
 */
#ifndef HOMING_PROTO_UTF8_H
#define HOMING_PROTO_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that `text` starts with, 1..4; 0: none (cut off, overlong, a surrogate,
 * or beyond U+10FFFF). Stores its code point. */
static inline size_t utf8_next(const char *text, size_t len, uint32_t *ret_code)
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

/* What a terminal would obey instead of show: C0, DEL and C1. */
static inline bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

#endif
