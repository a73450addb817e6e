/* SPDX-License-Identifier: Apache-2.0
 *
 * packet.c - as packet.h says.
 */
#include "config.h"

#include <string.h>

#include "agent/probe/mysql/packet.h"

const uint8_t *cursor_bytes(struct cursor *c, uint64_t count)
{
    const uint8_t *at = c->at;

    if (c->bad || count > cursor_left(c)) {
        c->bad = true;
        return NULL;
    }
    c->at += count;
    return at;
}

uint64_t cursor_number(struct cursor *c, int count)
{
    const uint8_t *bytes = cursor_bytes(c, (uint64_t)count);
    uint64_t number = 0;

    for (int i = count; bytes && i-- > 0;)
        number = number << 8 | bytes[i];
    return number;
}

/* 0xfb is SQL NULL and 0xff an error: both are no length. */
uint64_t cursor_length(struct cursor *c)
{
    uint64_t first = cursor_number(c, 1);

    switch (first) {
    case 0xfc:
        return cursor_number(c, 2);
    case 0xfd:
        return cursor_number(c, 3);
    case 0xfe:
        return cursor_number(c, 8);
    case 0xfb:
    case 0xff:
        c->bad = true;
        return 0;
    default:
        return first;
    }
}

const char *cursor_text(struct cursor *c)
{
    const uint8_t *nul = c->bad ? NULL : memchr(c->at, 0, cursor_left(c));

    if (!nul) {
        c->bad = true;
        return "";
    }
    return (const char *)cursor_bytes(c, (uint64_t)(nul + 1 - c->at));
}

void cursor_value(struct cursor *c, const char **ret_text, uint32_t *ret_length)
{
    bool null = !c->bad && cursor_left(c) > 0 && *c->at == 0xfb;
    uint64_t length = null ? 0 : cursor_length(c);

    *ret_text = (const char *)cursor_bytes(c, null ? 1 : length);
    *ret_length = c->bad ? 0 : (uint32_t)length;
    if (null)
        *ret_text = NULL;
}
