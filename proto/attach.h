/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.h - the one message that the shim speaks, as bytes at fixed places.
 *
 * The shim sends attach_request, 12 constant bytes. It receives ATTACH_REPLY_SIZE bytes, and with
 * them the view's descriptor as SCM_RIGHTS. Both are MessagePack-RPC that any client's library
 * reads and writes. The places are fixed because integers are encoded in their full width. Other
 * bytes in place of the reply are an error, with which no descriptor comes, or come from no agent
 * of ours.
 *
 * Included by the agent and the shim: libc-neutral.
 */
#ifndef HOMING_PROTO_ATTACH_H
#define HOMING_PROTO_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/view_format.h"

/* [0, 1, "attach", [VIEW_MAJOR]]. The number is the layout that the reader understands; an agent
 * that serves more than one picks it. */
#define ATTACH_REQUEST_SIZE 12
static const uint8_t attach_request[ATTACH_REQUEST_SIZE] = {
    0x94, 0x00, 0x01, 0xa6, 'a', 't', 't', 'a', 'c', 'h', 0x91, VIEW_MAJOR,
};

/* [1, 1, nil, {"major": u32, "minor": u32, "size": u64, "instance": u64}], with zeros in place of
 * the values, which are big endian as always in MessagePack. */
#define ATTACH_REPLY_SIZE  59
#define ATTACH_AT_MAJOR    12
#define ATTACH_AT_MINOR    23
#define ATTACH_AT_SIZE     33
#define ATTACH_AT_INSTANCE 51
static const uint8_t attach_reply_frame[ATTACH_REPLY_SIZE] = {
    0x94, 0x01, 0x01, 0xc0, 0x84, /* reply, id 1, no error, a map of four */
    0xa5, 'm',  'a',  'j',  'o',  'r',  0xce, 0,   0,   0,    0,          /* */
    0xa5, 'm',  'i',  'n',  'o',  'r',  0xce, 0,   0,   0,    0,          /* */
    0xa4, 's',  'i',  'z',  'e',  0xcf, 0,    0,   0,   0,    0, 0, 0, 0, /* */
    0xa8, 'i',  'n',  's',  't',  'a',  'n',  'c', 'e', 0xcf, 0, 0, 0, 0, 0, 0, 0, 0,
};

/* What the reply says about the view. */
struct attach_reply {
    uint32_t major; /* of its layout */
    uint32_t minor;
    uint64_t size;     /* exactly, in bytes */
    uint64_t instance; /* which memfd it is */
};

static inline void attach_put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

static inline uint64_t attach_take(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* Whether byte `i` of the reply is part of a value, not of the frame. */
static inline bool attach_is_value(size_t i)
{
    return i - ATTACH_AT_MAJOR < 4 || i - ATTACH_AT_MINOR < 4 || i - ATTACH_AT_SIZE < 8 ||
           i - ATTACH_AT_INSTANCE < 8;
}

static inline void attach_reply_encode(const struct attach_reply *reply,
                                       uint8_t ret_bytes[ATTACH_REPLY_SIZE])
{
    for (size_t i = 0; i < ATTACH_REPLY_SIZE; i++)
        ret_bytes[i] = attach_reply_frame[i];
    attach_put(ret_bytes + ATTACH_AT_MAJOR, reply->major, 4);
    attach_put(ret_bytes + ATTACH_AT_MINOR, reply->minor, 4);
    attach_put(ret_bytes + ATTACH_AT_SIZE, reply->size, 8);
    attach_put(ret_bytes + ATTACH_AT_INSTANCE, reply->instance, 8);
}

/* Whether `bytes` are exactly such a reply, with a major that this reader knows. Differences are
 * gathered, and not returned at once, so that no compiler makes a memcmp() of the loop. */
static inline bool attach_reply_check(const uint8_t *bytes, size_t len,
                                      struct attach_reply *ret_reply)
{
    uint8_t differs = 0;

    if (len != ATTACH_REPLY_SIZE)
        return false;
    for (size_t i = 0; i < ATTACH_REPLY_SIZE; i++)
        differs |= attach_is_value(i) ? 0 : bytes[i] ^ attach_reply_frame[i];
    if (differs || attach_take(bytes + ATTACH_AT_MAJOR, 4) != VIEW_MAJOR)
        return false;
    ret_reply->major = VIEW_MAJOR;
    ret_reply->minor = (uint32_t)attach_take(bytes + ATTACH_AT_MINOR, 4);
    ret_reply->size = attach_take(bytes + ATTACH_AT_SIZE, 8);
    ret_reply->instance = attach_take(bytes + ATTACH_AT_INSTANCE, 8);
    return true;
}

/* Whether `bytes` begin an error reply to id 0. The agent sends it before it reads the request, to
 * a client that comes when there are too many: it is worth asking again. */
static inline bool attach_reply_is_busy(const uint8_t *bytes, size_t len)
{
    return len > 3 && bytes[0] == 0x94 && bytes[1] == 1 && bytes[2] == 0 && bytes[3] != 0xc0;
}

#endif
