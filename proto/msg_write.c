/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_write.c - messages are written.
 *
 * 1. A value has the shortest encoding that MessagePack has for it. An open map or array begins
 * with the one byte of an empty one. When it is closed its number is known: the byte is replaced,
 * and if the number needs more bytes, what follows is moved.
 * 2. Every value is counted once, where it is put: in the message or array that still lacks values,
 *    else in the innermost open map or array, else it is a message of its own.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/msg_buffer.h"
#include "proto/utf8.h"

/* Bytes of the longest head: its lead and 64 bits. */
#define HEAD_MAX 9

/* What a head's number means: the value itself, or how much follows. */
enum head {
    HEAD_UINT,
    HEAD_STR,
    HEAD_BIN,
    HEAD_ARRAY,
    HEAD_MAP,
    HEAD_COUNT
};

/* Numbers below `short_count` are in the lead itself. Of the other leads, one each for a number of
 * 1, 2, 4 and 8 bytes; 0: there is none. */
static const struct {
    uint8_t short_lead;
    uint8_t short_count;
    uint8_t leads[4];
} heads[HEAD_COUNT] = {
    [HEAD_UINT] = {0x00, 128, {0xcc, 0xcd, 0xce, 0xcf}},
    [HEAD_STR] = {0xa0, 32, {0xd9, 0xda, 0xdb}},
    [HEAD_BIN] = {0x00, 0, {0xc4, 0xc5, 0xc6}},
    [HEAD_ARRAY] = {0x90, 16, {0, 0xdc, 0xdd}},
    [HEAD_MAP] = {0x80, 16, {0, 0xde, 0xdf}},
};

const char *msg_error_name(enum msg_error error)
{
    static const char *const names[MSG_ERROR_COUNT] = {
        [MSG_ERROR_BAD_REQUEST] = "bad_request",
        [MSG_ERROR_UNKNOWN_METHOD] = "unknown_method",
        [MSG_ERROR_NOT_FOUND] = "not_found",
        [MSG_ERROR_DENIED] = "denied",
        [MSG_ERROR_CONFLICT] = "conflict",
        [MSG_ERROR_UNSUPPORTED] = "unsupported",
        [MSG_ERROR_BUSY] = "busy",
        [MSG_ERROR_INTERNAL] = "internal",
    };
    return (unsigned)error < MSG_ERROR_COUNT ? names[error] : "?";
}

/* ---- the buffer ---- */

void msg_writer_init(struct msg_writer *w, size_t max)
{
    *w = (struct msg_writer){.max = max};
}

void msg_writer_done(struct msg_writer *w)
{
    free(w->data);
    *w = (struct msg_writer){.max = w->max};
}

void msg_writer_reset(struct msg_writer *w)
{
    w->len = 0;
    w->missing = 0;
    w->depth = 0;
    w->error = 0;
}

static bool is_within(const struct msg_writer *w)
{
    return w->missing || w->depth;
}

int msg_writer_finish(const struct msg_writer *w)
{
    return w->error ? w->error : is_within(w) ? -EINVAL : 0;
}

static void fail(struct msg_writer *w, int error)
{
    if (!w->error)
        w->error = error;
}

static void reserve(struct msg_writer *w, size_t more)
{
    if (!w->error)
        w->error = msg_buffer_grow(&w->data, &w->size, w->len + more, w->max);
}

static void append(struct msg_writer *w, const void *bytes, size_t len)
{
    reserve(w, len);
    if (w->error || !len)
        return;
    memcpy(w->data + w->len, bytes, len);
    w->len += len;
}

/* ---- heads ---- */

/* A lead, and the low `size` bytes of a number behind it. */
static size_t encode(uint8_t lead, uint64_t number, size_t size, uint8_t ret[HEAD_MAX])
{
    ret[0] = lead;
    for (size_t i = 0; i < size; i++)
        ret[1 + i] = (uint8_t)(number >> 8 * (size - 1 - i));
    return 1 + size;
}

/* A length beyond 32 bits has no head; it is beyond every writer's limit, too. */
static size_t encode_head(enum head head, uint64_t number, uint8_t ret[HEAD_MAX])
{
    unsigned i = 0;

    if (number < heads[head].short_count)
        return encode((uint8_t)(heads[head].short_lead | number), 0, 0, ret);
    while (i < 3 && (!heads[head].leads[i] || number >> (8u << i)))
        i++;
    return encode(heads[head].leads[i], number, (size_t)1 << i, ret);
}

static size_t encode_negative(int64_t value, uint8_t ret[HEAD_MAX])
{
    uint64_t beyond = ~(uint64_t)value; /* 0 for -1: without the sign's bits */
    unsigned i = 0;

    if (beyond < 32)
        return encode((uint8_t)value, 0, 0, ret);
    while (i < 3 && beyond >> ((8u << i) - 1))
        i++;
    return encode((uint8_t)(0xd0 + i), (uint64_t)value, (size_t)1 << i, ret);
}

/* ---- values ---- */

/* Invariant 2. `values`: how many more belong to this one. */
static void count(struct msg_writer *w, uint64_t values)
{
    if (w->missing)
        w->missing--;
    else if (w->depth)
        w->levels[w->depth - 1].values++;
    w->missing += values;
}

static void put_head(struct msg_writer *w, enum head head, uint64_t number)
{
    uint8_t bytes[HEAD_MAX];

    append(w, bytes, encode_head(head, number, bytes));
}

static void put_byte(struct msg_writer *w, uint8_t byte)
{
    count(w, 0);
    append(w, &byte, 1);
}

void msg_put_array(struct msg_writer *w, uint32_t elements)
{
    count(w, elements);
    put_head(w, HEAD_ARRAY, elements);
}

void msg_put_str(struct msg_writer *w, const char *text)
{
    if (text)
        msg_put_str_len(w, text, strlen(text));
    else
        msg_put_nil(w);
}

/* What servers say is in the encoding of their choice; what we send is UTF-8. */
static void utf8_mend(char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t size = utf8_next(text + i, len - i, &code);

        if (size == 0)
            text[i] = '?';
        i += size ? size : 1;
    }
}

void msg_put_str_len(struct msg_writer *w, const char *text, size_t len)
{
    count(w, 0);
    put_head(w, HEAD_STR, len);
    append(w, text, len);
    if (!w->error)
        utf8_mend((char *)w->data + w->len - len, len);
}

void msg_put_bin(struct msg_writer *w, const void *data, size_t len)
{
    count(w, 0);
    put_head(w, HEAD_BIN, len);
    append(w, data, len);
}

void msg_put_uint(struct msg_writer *w, uint64_t value)
{
    count(w, 0);
    put_head(w, HEAD_UINT, value);
}

void msg_put_int(struct msg_writer *w, int64_t value)
{
    uint8_t bytes[HEAD_MAX];

    count(w, 0);
    if (value < 0)
        append(w, bytes, encode_negative(value, bytes));
    else
        put_head(w, HEAD_UINT, (uint64_t)value);
}

void msg_put_bool(struct msg_writer *w, bool value)
{
    put_byte(w, value ? 0xc3 : 0xc2);
}

void msg_put_nil(struct msg_writer *w)
{
    put_byte(w, 0xc0);
}

/* ---- open maps and arrays (invariant 1) ---- */

static void open_level(struct msg_writer *w, enum head head)
{
    count(w, 0);
    if (w->depth == MSG_DEPTH_MAX) {
        fail(w, -EINVAL);
        return;
    }
    w->levels[w->depth++] = (struct msg_level){.at = w->len, .missing = w->missing};
    w->missing = 0;
    put_head(w, head, 0);
}

void msg_open_map(struct msg_writer *w)
{
    open_level(w, HEAD_MAP);
}

void msg_open_array(struct msg_writer *w)
{
    open_level(w, HEAD_ARRAY);
}

/* The one byte at `at` becomes the head of so many. */
static void replace_head(struct msg_writer *w, size_t at, enum head head, uint64_t number)
{
    uint8_t bytes[HEAD_MAX];
    size_t len = encode_head(head, number, bytes);

    reserve(w, len - 1);
    if (w->error)
        return;
    memmove(w->data + at + len, w->data + at + 1, w->len - at - 1);
    memcpy(w->data + at, bytes, len);
    w->len += len - 1;
}

void msg_close(struct msg_writer *w)
{
    struct msg_level *level;
    bool is_map;

    if (!w->depth || w->missing)
        fail(w, -EINVAL);
    if (w->error)
        return;
    level = &w->levels[--w->depth];
    w->missing = level->missing;
    is_map = w->data[level->at] == heads[HEAD_MAP].short_lead;
    if (is_map && level->values % 2)
        fail(w, -EINVAL);
    else if (is_map)
        replace_head(w, level->at, HEAD_MAP, level->values / 2);
    else
        replace_head(w, level->at, HEAD_ARRAY, level->values);
}

/* ---- messages ---- */

/* [kind, …: an array of `elements`. */
static void begin(struct msg_writer *w, enum msg_kind kind, uint32_t elements)
{
    if (is_within(w))
        fail(w, -EINVAL);
    msg_put_array(w, elements);
    msg_put_uint(w, kind);
}

void msg_put_request(struct msg_writer *w, uint32_t id, const char *method)
{
    begin(w, MSG_REQUEST, 4);
    msg_put_uint(w, id);
    msg_put_str(w, method);
}

void msg_put_whole(struct msg_writer *w, const void *message, size_t len)
{
    if (is_within(w))
        fail(w, -EINVAL);
    append(w, message, len);
}

void msg_put_reply(struct msg_writer *w, uint32_t id)
{
    begin(w, MSG_REPLY, 4);
    msg_put_uint(w, id);
    msg_put_nil(w);
}

void msg_put_notification(struct msg_writer *w, const char *method)
{
    begin(w, MSG_NOTIFICATION, 3);
    msg_put_str(w, method);
}

void msg_put_error(struct msg_writer *w, uint32_t id, enum msg_error error, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    begin(w, MSG_REPLY, 4);
    msg_put_uint(w, id);
    msg_open_map(w);
    msg_put_key_str(w, "code", msg_error_name(error));
    msg_put_key_str(w, "message", text);
    msg_close(w);
    msg_put_nil(w);
}

/* ---- pairs ---- */

void msg_put_key_str(struct msg_writer *w, const char *key, const char *text)
{
    msg_put_str(w, key);
    msg_put_str(w, text);
}

void msg_put_key_uint(struct msg_writer *w, const char *key, uint64_t value)
{
    msg_put_str(w, key);
    msg_put_uint(w, value);
}

void msg_put_key_int(struct msg_writer *w, const char *key, int64_t value)
{
    msg_put_str(w, key);
    msg_put_int(w, value);
}

void msg_put_key_bool(struct msg_writer *w, const char *key, bool value)
{
    msg_put_str(w, key);
    msg_put_bool(w, value);
}

void msg_put_key_nil(struct msg_writer *w, const char *key)
{
    msg_put_str(w, key);
    msg_put_nil(w);
}
