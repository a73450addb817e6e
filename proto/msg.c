/* SPDX-License-Identifier: Apache-2.0
 *
 * msg.c - MessagePack-RPC messages on msgpack-c, which no other file includes.
 *
 * 1. A message is measured to its end before it is unpacked (msg_measure.h), so msgpack-c only ever
 *    sees one whole value of bounded depth.
 * 2. Unpacked strings lie in the parser's own buffer, each followed by the head of the next value,
 *    which is not needed any more: its first byte becomes the string's NUL.
 */
#include "config.h"

#include <errno.h>
#include <msgpack.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/utf8.h"

/* First allocation of a buffer: most requests and replies fit. */
#define BUFFER_MIN 256
/* Bytes taken at a time: bounds what is copied in vain when several messages arrive at once. */
#define FEED_CHUNK 512

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

const char *msg_type_name(enum msg_type type)
{
    static const char *const names[MSG_TYPE_COUNT] = {
        [MSG_TYPE_NIL] = "nil", [MSG_TYPE_BOOL] = "bool",   [MSG_TYPE_UINT] = "uint",
        [MSG_TYPE_INT] = "int", [MSG_TYPE_FLOAT] = "float", [MSG_TYPE_STR] = "str",
        [MSG_TYPE_BIN] = "bin", [MSG_TYPE_ARRAY] = "array", [MSG_TYPE_MAP] = "map",
    };
    return (unsigned)type < MSG_TYPE_COUNT ? names[type] : "?";
}

/* Makes room for `need` bytes in all. 0, -EMSGSIZE, -ENOMEM; the old buffer stays on failure. */
static int buffer_grow(uint8_t **data, size_t *size, size_t need, size_t max)
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

/* ---- writing ---- */

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
    w->error = 0;
}

int msg_writer_finish(const struct msg_writer *w)
{
    return w->error ? w->error : w->missing ? -EINVAL : 0;
}

/* msgpack-c's packers write through this. */
static int writer_append(void *data, const char *bytes, size_t len)
{
    struct msg_writer *w = data;

    if (!w->error)
        w->error = buffer_grow(&w->data, &w->size, w->len + len, w->max);
    if (w->error)
        return -1;
    memcpy(w->data + w->len, bytes, len);
    w->len += len;
    return 0;
}

/* Counts one value that needs `values` more; a value on its own begins a message of its own. */
static msgpack_packer writer_begin(struct msg_writer *w, uint64_t values)
{
    w->missing = (w->missing ? w->missing : 1) - 1 + values;
    return (msgpack_packer){.data = w, .callback = writer_append};
}

/* [kind, …: an array of `elements`. */
static void put_head(struct msg_writer *w, enum msg_kind kind, uint32_t elements)
{
    if (w->missing && !w->error)
        w->error = -EINVAL;
    msg_put_array(w, elements);
    msg_put_uint(w, kind);
}

void msg_put_request(struct msg_writer *w, uint32_t id, const char *method)
{
    put_head(w, MSG_REQUEST, 4);
    msg_put_uint(w, id);
    msg_put_str(w, method);
}

void msg_put_whole(struct msg_writer *w, const void *message, size_t len)
{
    if (w->missing && !w->error)
        w->error = -EINVAL;
    writer_append(w, message, len);
}

void msg_put_reply(struct msg_writer *w, uint32_t id)
{
    put_head(w, MSG_REPLY, 4);
    msg_put_uint(w, id);
    msg_put_nil(w);
}

void msg_put_notification(struct msg_writer *w, const char *method)
{
    put_head(w, MSG_NOTIFICATION, 3);
    msg_put_str(w, method);
}

void msg_put_error(struct msg_writer *w, uint32_t id, enum msg_error error, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put_head(w, MSG_REPLY, 4);
    msg_put_uint(w, id);
    msg_put_map(w, 2);
    msg_put_key_str(w, "code", msg_error_name(error));
    msg_put_key_str(w, "message", text);
    msg_put_nil(w);
}

void msg_put_map(struct msg_writer *w, uint32_t pairs)
{
    msgpack_packer pk = writer_begin(w, 2 * (uint64_t)pairs);

    msgpack_pack_map(&pk, pairs);
}

void msg_put_array(struct msg_writer *w, uint32_t elements)
{
    msgpack_packer pk = writer_begin(w, elements);

    msgpack_pack_array(&pk, elements);
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
    msgpack_packer pk = writer_begin(w, 0);

    msgpack_pack_str(&pk, len);
    msgpack_pack_str_body(&pk, text, len);
    if (!w->error)
        utf8_mend((char *)w->data + w->len - len, len);
}

void msg_put_bin(struct msg_writer *w, const void *data, size_t len)
{
    msgpack_packer pk = writer_begin(w, 0);

    msgpack_pack_bin(&pk, len);
    msgpack_pack_bin_body(&pk, data, len);
}

void msg_put_uint(struct msg_writer *w, uint64_t value)
{
    msgpack_packer pk = writer_begin(w, 0);

    msgpack_pack_uint64(&pk, value);
}

void msg_put_int(struct msg_writer *w, int64_t value)
{
    msgpack_packer pk = writer_begin(w, 0);

    msgpack_pack_int64(&pk, value);
}

void msg_put_bool(struct msg_writer *w, bool value)
{
    msgpack_packer pk = writer_begin(w, 0);

    if (value)
        msgpack_pack_true(&pk);
    else
        msgpack_pack_false(&pk);
}

void msg_put_nil(struct msg_writer *w)
{
    msgpack_packer pk = writer_begin(w, 0);

    msgpack_pack_nil(&pk);
}

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
    if (buffer_grow(&p->data, &p->size, p->len + len + 1, p->max + FEED_CHUNK + 1) != 0)
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
