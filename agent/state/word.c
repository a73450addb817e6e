/* SPDX-License-Identifier: Apache-2.0
 *
 * word.c - see state/word.h.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state/word.h"

bool word_number(char **text, uint64_t *ret)
{
    const char *word = strsep(text, " ");
    char *end;

    if (!word || word[0] < '0' || word[0] > '9')
        return false;
    errno = 0;
    uint64_t n = strtoull(word, &end, 10);
    if (errno || *end)
        return false;
    *ret = n;
    return true;
}

bool word_port(char **text, uint16_t *ret)
{
    uint64_t port;

    if (!word_number(text, &port) || port == 0 || port > UINT16_MAX)
        return false;
    *ret = (uint16_t)port;
    return true;
}

bool word_text(char **text, char *ret, size_t size)
{
    const char *word = strsep(text, " ");

    return word && *word && (size_t)snprintf(ret, size, "%s", word) < size;
}

bool word_address(char **text, struct inet_address *ret)
{
    const char *word = strsep(text, " ");
    uint16_t port;

    return word && word_port(text, &port) && inet_address_parse(word, port, ret);
}
