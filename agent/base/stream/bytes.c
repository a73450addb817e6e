/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes.c - as bytes.h says.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/stream/bytes.h"

enum {
    BLOCK = 512,        /* the first one; then twice as much each time */
    BLOCK_KEPT = 16384, /* larger ones are not kept for the next answer */
};

bool bytes_add(struct bytes *b, const void *data, size_t count, size_t most)
{
    if (b->count > most || count > most - b->count) {
        errno = EMSGSIZE;
        return false;
    }
    size_t size = b->size ? b->size : BLOCK;
    while (size < b->count + count)
        size *= 2;
    if (size > b->size) {
        uint8_t *larger = realloc(b->data, size);
        if (!larger)
            return false;
        b->data = larger;
        b->size = size;
    }
    if (count > 0)
        memcpy(b->data + b->count, data, count);
    b->count += count;
    return true;
}

void bytes_drop(struct bytes *b, size_t count)
{
    b->count -= count;
    if (b->count > 0)
        memmove(b->data, b->data + count, b->count);
}

void bytes_clear(struct bytes *b)
{
    if (b->size > BLOCK_KEPT)
        bytes_free(b);
    b->count = 0;
}

void bytes_wipe(struct bytes *b)
{
    if (b->data)
        explicit_bzero(b->data, b->size);
    bytes_clear(b);
}

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}
