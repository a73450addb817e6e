/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_buffer.c - see msg_buffer.h.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/msg_buffer.h"

/* First allocation of a buffer: most requests and replies fit. */
#define BUFFER_MIN 256

int msg_buffer_grow(uint8_t **data, size_t *size, size_t need, size_t max)
{
    size_t grown = *size ? *size : BUFFER_MIN;
    uint8_t *moved;

    if (need <= *size)
        return 0;
    if (need > max)
        return -EMSGSIZE;
    while (grown < need)
        grown *= 2;
    grown = grown < max ? grown : max;
    moved = realloc(*data, grown);
    if (!moved)
        return -ENOMEM;
    *data = moved;
    *size = grown;
    return 0;
}
