/* SPDX-License-Identifier: Apache-2.0
 *
 * name_valid.c - whether a name may be configured.
 *
 * Called by the agent for each name in its configuration, and by nobody else: libhoming.so is built
 * without this file.
 */
#include "config.h"

#include "proto/name.h"

static bool byte_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool byte_is_hex(char c)
{
    return byte_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool byte_is_host(char c)
{
    return byte_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
}

/* Whether a label is a number as inet_aton() reads it: 010, 127, 0x7f. */
static bool label_is_number(const char *label, uint32_t len)
{
    bool hex = len >= 2 && label[0] == '0' && (label[1] | 0x20) == 'x';

    for (uint32_t i = hex ? 2 : 0; i < len; i++)
        if (hex ? !byte_is_hex(label[i]) : !byte_is_digit(label[i]))
            return false;
    return true;
}

/* The length of the label that begins here; 0: there is no label. */
static uint32_t label_len(const char *label)
{
    uint32_t len = 0;

    while (len < 64 && byte_is_host(label[len]))
        len++;
    return len > 63 || label[0] == '-' || (len && label[len - 1] == '-') ? 0 : len;
}

bool name_valid(const char *text)
{
    struct name name;

    if (!name_canonical(text, &name))
        return false;
    for (;;) {
        uint32_t len = label_len(text);

        if (len == 0 || (text[len] != '.' && text[len] != '\0'))
            return false;
        /* If the last label is a number, every libc takes the name for an address. */
        if (text[len] == '\0' || text[len + 1] == '\0')
            return !label_is_number(text, len);
        text += len + 1;
    }
}
