/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_buffer.h - memory for one message, which grows up to a limit. Called by msg.c and
 * msg_write.c.
 */
#ifndef HOMING_PROTO_MSG_BUFFER_H
#define HOMING_PROTO_MSG_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* Makes room for `need` bytes in all. 0, -EMSGSIZE (more than `max`) or -ENOMEM; after a failure
 * the old bytes are still there. */
int msg_buffer_grow(uint8_t **data, size_t *size, size_t need, size_t max);

#endif
