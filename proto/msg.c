/* SPDX-License-Identifier: Apache-2.0
 *
 * msg.c - messages are parsed and their values are read, on msgpack-c, which no other file
 * includes.
 *
 * 1. A message is measured to its end before it is unpacked (msg_measure.h), so msgpack-c only ever
 *    sees one whole value of bounded depth.
 * 2. Unpacked strings lie in the parser's own buffer, each followed by the head of the next value,
 *    which is not needed any more: its first byte becomes the string's NUL.
 */
#include "config.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/msg_buffer.h"

/* Bytes taken at a time: bounds what is copied in vain when several messages arrive at once. */
#define FEED_CHUNK 512

const char *msg_type_name(enum msg_type type)
{
    static const char *const names[MSG_TYPE_COUNT] = {
        [MSG_TYPE_NIL] = "nil", [MSG_TYPE_BOOL] = "bool",   [MSG_TYPE_UINT] = "uint",
        [MSG_TYPE_INT] = "int", [MSG_TYPE_FLOAT] = "float", [MSG_TYPE_STR] = "str",
        [MSG_TYPE_BIN] = "bin", [MSG_TYPE_ARRAY] = "array", [MSG_TYPE_MAP] = "map",
    };
    return (unsigned)type < MSG_TYPE_COUNT ? names[type] : "?";
}

/* ---- parsing ---- */

void msg_parser_init(struct msg_parser *p, size_t max)
{
    *p = (struct msg_parser){.max = max, .state = MSG_FED_MORE};
    msg_measure_init(&p->measure);
}

static void parser_forget(struct msg_parser *p)
{
    if (p->zone)
        msgpack_zone_free(p->zone);
    p->zone = NULL;
    p->len = 0;
    p->state = MSG_FED_MORE;
    msg_measure_init(&p->measure);
}

void msg_parser_done(struct msg_parser *p)
{
    parser_forget(p);
    free(p->data);
    msg_parser_init(p, p->max);
}

/* Invariant 2. Empty strings point nowhere and are left alone. */
static void strings_end(const msgpack_object *o)
{
    if (o->type == MSGPACK_OBJECT_STR && o->via.str.size > 0)
        ((char *)o->via.str.ptr)[o->via.str.size] = '\0';
    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_ARRAY && i < o->via.array.size; i++)
        strings_end(&o->via.array.ptr[i]);
    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_MAP && i < o->via.map.size; i++) {
        strings_end(&o->via.map.ptr[i].key);
        strings_end(&o->via.map.ptr[i].val);
    }
}

static const struct msg_value *value_of(const msgpack_object *o)
{
    return (const struct msg_value *)o;
}

static const msgpack_object *object_of(const struct msg_value *value)
{
    return (const msgpack_object *)value;
}

/* [0, id, method, params], [1, id, error, result] or [2, method, params]. */
static bool message_read(const msgpack_object *o, struct msg *ret)
{
    const struct msg_value *array = value_of(o), *error = msg_array_at(array, 2);
    uint64_t kind, id = 0;
    struct msg m = {0};

    if (!msg_uint(msg_array_at(array, 0), &kind) || kind >= MSG_KIND_COUNT ||
        msg_array_len(array) != (kind == MSG_NOTIFICATION ? 3 : 4))
        return false;
    if (kind != MSG_NOTIFICATION && (!msg_uint(msg_array_at(array, 1), &id) || id > UINT32_MAX))
        return false;
    m.kind = (enum msg_kind)kind;
    m.id = (uint32_t)id;
    if (kind == MSG_REPLY) {
        m.error = msg_type(error) == MSG_TYPE_NIL ? NULL : error;
        m.result = msg_array_at(array, 3);
        *ret = m;
        return true;
    }
    m.method = msg_str(msg_array_at(array, kind == MSG_REQUEST ? 2 : 1));
    m.params = msg_array_at(array, kind == MSG_REQUEST ? 3 : 2);
    if (!m.method || msg_type(m.params) != MSG_TYPE_ARRAY)
        return false;
    *ret = m;
    return true;
}

static enum msg_fed parser_unpack(struct msg_parser *p, struct msg *ret_msg)
{
    msgpack_unpacked unpacked = {0};
    msgpack_object *root;
    size_t at = 0;
    int rv = msgpack_unpack_next(&unpacked, (const char *)p->data, p->len, &at);

    p->zone = unpacked.zone;
    if (rv != MSGPACK_UNPACK_SUCCESS)
        return rv == MSGPACK_UNPACK_NOMEM_ERROR ? MSG_FED_NO_MEMORY : MSG_FED_BAD;
    if (!p->zone) /* needed by arrays, not by a lone number, which is no message */
        return MSG_FED_BAD;
    root = msgpack_zone_malloc(p->zone, sizeof(*root));
    if (!root)
        return MSG_FED_NO_MEMORY;
    *root = unpacked.data;
    strings_end(root);
    return message_read(root, ret_msg) ? MSG_FED_MESSAGE : MSG_FED_BAD;
}

/* Takes one chunk, and of it only what belongs to the message. */
static enum msg_fed parser_take(struct msg_parser *p, const uint8_t *data, size_t len,
                                size_t *ret_used)
{
    static const enum msg_fed fed[MSG_MEASURED_COUNT] = {
        [MSG_MEASURED_MORE] = MSG_FED_MORE,
        [MSG_MEASURED_WHOLE] = MSG_FED_MESSAGE,
        [MSG_MEASURED_BAD] = MSG_FED_BAD,
        [MSG_MEASURED_TOO_LONG] = MSG_FED_TOO_LONG,
    };
    size_t before = p->len;
    enum msg_measured measured;

    if (len > FEED_CHUNK)
        len = FEED_CHUNK;
    /* One chunk and a NUL more than the longest message. */
    if (msg_buffer_grow(&p->data, &p->size, p->len + len + 1, p->max + FEED_CHUNK + 1) != 0)
        return MSG_FED_NO_MEMORY;
    memcpy(p->data + p->len, data, len);
    p->len += len;
    measured = msg_measure(&p->measure, p->data, p->len, p->max);
    if (measured == MSG_MEASURED_WHOLE)
        p->len = p->measure.done;
    *ret_used += p->len - before;
    return fed[measured];
}

enum msg_fed msg_parser_feed(struct msg_parser *p, const void *data, size_t len, size_t *ret_used,
                             struct msg *ret_msg)
{
    size_t used = 0;

    if (p->state == MSG_FED_MESSAGE)
        parser_forget(p);
    while (p->state == MSG_FED_MORE && used < len)
        p->state = parser_take(p, (const uint8_t *)data + used, len - used, &used);
    if (p->state == MSG_FED_MESSAGE)
        p->state = parser_unpack(p, ret_msg);
    *ret_used = used;
    return p->state;
}

/* ---- reading values ---- */

enum msg_type msg_type(const struct msg_value *value)
{
    switch (value ? object_of(value)->type : MSGPACK_OBJECT_NIL) {
    case MSGPACK_OBJECT_BOOLEAN:
        return MSG_TYPE_BOOL;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return MSG_TYPE_UINT;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return MSG_TYPE_INT;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return MSG_TYPE_FLOAT;
    case MSGPACK_OBJECT_STR:
        return MSG_TYPE_STR;
    case MSGPACK_OBJECT_BIN:
        return MSG_TYPE_BIN;
    case MSGPACK_OBJECT_ARRAY:
        return MSG_TYPE_ARRAY;
    case MSGPACK_OBJECT_MAP:
        return MSG_TYPE_MAP;
    default:
        return MSG_TYPE_NIL;
    }
}

const char *msg_str_len(const struct msg_value *value, size_t *ret_len)
{
    if (msg_type(value) != MSG_TYPE_STR)
        return NULL;
    *ret_len = object_of(value)->via.str.size;
    return *ret_len ? object_of(value)->via.str.ptr : "";
}

const char *msg_str(const struct msg_value *value)
{
    size_t len;
    const char *text = msg_str_len(value, &len);

    return text && strlen(text) == len ? text : NULL;
}

const void *msg_bin(const struct msg_value *value, size_t *ret_len)
{
    if (msg_type(value) != MSG_TYPE_BIN)
        return NULL;
    *ret_len = object_of(value)->via.bin.size;
    return *ret_len ? object_of(value)->via.bin.ptr : "";
}

bool msg_uint(const struct msg_value *value, uint64_t *ret)
{
    if (msg_type(value) != MSG_TYPE_UINT)
        return false;
    *ret = object_of(value)->via.u64;
    return true;
}

bool msg_int(const struct msg_value *value, int64_t *ret)
{
    if (msg_type(value) == MSG_TYPE_UINT && object_of(value)->via.u64 <= INT64_MAX)
        *ret = (int64_t)object_of(value)->via.u64;
    else if (msg_type(value) == MSG_TYPE_INT)
        *ret = object_of(value)->via.i64;
    else
        return false;
    return true;
}

bool msg_float(const struct msg_value *value, double *ret)
{
    if (msg_type(value) != MSG_TYPE_FLOAT)
        return false;
    *ret = object_of(value)->via.f64;
    return true;
}

bool msg_bool(const struct msg_value *value, bool *ret)
{
    if (msg_type(value) != MSG_TYPE_BOOL)
        return false;
    *ret = object_of(value)->via.boolean;
    return true;
}

uint32_t msg_array_len(const struct msg_value *array)
{
    return msg_type(array) == MSG_TYPE_ARRAY ? object_of(array)->via.array.size : 0;
}

const struct msg_value *msg_array_at(const struct msg_value *array, uint32_t i)
{
    return i < msg_array_len(array) ? value_of(&object_of(array)->via.array.ptr[i]) : NULL;
}

uint32_t msg_map_len(const struct msg_value *map)
{
    return msg_type(map) == MSG_TYPE_MAP ? object_of(map)->via.map.size : 0;
}

const struct msg_value *msg_map_key(const struct msg_value *map, uint32_t i)
{
    return i < msg_map_len(map) ? value_of(&object_of(map)->via.map.ptr[i].key) : NULL;
}

const struct msg_value *msg_map_value(const struct msg_value *map, uint32_t i)
{
    return i < msg_map_len(map) ? value_of(&object_of(map)->via.map.ptr[i].val) : NULL;
}

const struct msg_value *msg_get(const struct msg_value *map, const char *key)
{
    for (uint32_t i = 0; i < msg_map_len(map); i++) {
        const char *text = msg_str(msg_map_key(map, i));

        if (text && strcmp(text, key) == 0)
            return msg_map_value(map, i);
    }
    return NULL;
}

const char *msg_get_str(const struct msg_value *map, const char *key)
{
    return msg_str(msg_get(map, key));
}

uint64_t msg_get_uint(const struct msg_value *map, const char *key, uint64_t otherwise)
{
    uint64_t value = otherwise;

    msg_uint(msg_get(map, key), &value);
    return value;
}

bool msg_get_bool(const struct msg_value *map, const char *key, bool otherwise)
{
    bool value = otherwise;

    msg_bool(msg_get(map, key), &value);
    return value;
}
