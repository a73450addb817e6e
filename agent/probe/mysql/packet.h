/* SPDX-License-Identifier: Apache-2.0
 *
 * packet.h - the bytes of MySQL's protocol: how packets are framed, read and made. Called by wire.c,
 * login.c and result.c.
 *
 * A packet is 3 bytes of length (little endian, as all numbers), 1 of sequence, and the payload. A
 * payload of 0xffffff bytes would go on in the next packet: that is more than anything we take.
 *
 * A cursor never leaves its packet: what is not there reads as nothing, and sets `bad`.
 */
#ifndef HOMING_AGENT_PROBE_MYSQL_PACKET_H
#define HOMING_AGENT_PROBE_MYSQL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_HEAD 4
/* Payload of the longest packet that is taken. */
#define PACKET_MAX (256 * 1024)

/* First bytes of payloads. A packet of PACKET_END is shorter than 9 bytes. */
enum {
    PACKET_OK = 0x00,
    PACKET_MORE_DATA = 0x01, /* while logging in */
    PACKET_LOCAL_FILE = 0xfb,
    PACKET_END = 0xfe,
    PACKET_ERROR = 0xff,
};
#define PACKET_END_MAX 8

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* `count` bytes; NULL: they are not there. */
const uint8_t *cursor_bytes(struct cursor *c, uint64_t count);
/* A number of 1 to 8 bytes. */
uint64_t cursor_number(struct cursor *c, int count);
/* A number that says by itself how long it is. */
uint64_t cursor_length(struct cursor *c);
/* A text up to its NUL, which has to be there. */
const char *cursor_text(struct cursor *c);

/* One field of a row, or of a column's definition: *ret_text is not NUL-terminated, and NULL for SQL
 * NULL. */
void cursor_value(struct cursor *c, const char **ret_text, uint32_t *ret_length);

#endif
