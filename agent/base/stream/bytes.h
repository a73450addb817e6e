/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes.h - a piece of memory that grows behind and is used up in front: what waits to be sent, or to be
 * understood.
 */
#ifndef HOMING_AGENT_BASE_STREAM_BYTES_H
#define HOMING_AGENT_BASE_STREAM_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct bytes {
    uint8_t *data;
    size_t count, size;
};

/* False: it would be more than `most`, or there is no memory (errno); nothing has changed. */
bool bytes_add(struct bytes *b, const void *data, size_t count, size_t most);
/* Takes the first `count` away. */
void bytes_drop(struct bytes *b, size_t count);
/* Empty; a large block is given back. */
void bytes_clear(struct bytes *b);
/* As bytes_clear(), after all that was ever in it has been overwritten. */
void bytes_wipe(struct bytes *b);
void bytes_free(struct bytes *b);

#endif
