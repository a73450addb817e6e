/* SPDX-License-Identifier: Apache-2.0
 *
 * msg.h - MessagePack-RPC messages: [0, id, method, params], [1, id, error, result] and
 * [2, method, params].
 *
 * One pass through it: agent/serve feeds what a client sent to a msg_parser until it has a message.
 * agent/admin reads the message through msg_get() and the like, and writes the reply with a
 * msg_writer. homingctl does the same from the other end. The shim links none of this (attach.h).
 *
 * 1. What a peer sends costs work and memory in proportion to its length: the bytes are measured
 *    once, as they arrive, before any of them is unpacked.
 * 2. A writer keeps its first error: write all, then ask msg_writer_finish() once.
 */
#ifndef HOMING_PROTO_MSG_H
#define HOMING_PROTO_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg_measure.h"

/* Why a request was refused; the name is what `code` of the error map holds. */
enum msg_error {
    MSG_ERROR_BAD_REQUEST,    /* not a request, or wrong params */
    MSG_ERROR_UNKNOWN_METHOD, /* not on this socket, or not in this version */
    MSG_ERROR_NOT_FOUND,      /* no such cluster, member or name */
    MSG_ERROR_DENIED,         /* the method is not for this uid */
    MSG_ERROR_CONFLICT,       /* understood, but the present state forbids it */
    MSG_ERROR_UNSUPPORTED,    /* understood, but this agent cannot do it */
    MSG_ERROR_BUSY,           /* a quota is reached: try again later */
    MSG_ERROR_INTERNAL,       /* the agent's own trouble: memory, disk */
    MSG_ERROR_COUNT
};

const char *msg_error_name(enum msg_error error);

/* ---- writing ---- */

/* A map or array that is open. */
struct msg_level {
    size_t at;        /* of its head */
    uint64_t values;  /* in it so far */
    uint64_t missing; /* the writer's, around it */
};

/* Grows up to `max` bytes. `missing` counts the values that the message and its arrays of a given
 * length still lack, in the innermost open level. */
struct msg_writer {
    uint8_t *data;
    size_t len;
    size_t size;
    size_t max;
    uint64_t missing;
    uint32_t depth;
    struct msg_level levels[MSG_DEPTH_MAX];
    int error;
};

/* Allocates nothing yet. max: HOMING_REQUEST_MAX or HOMING_REPLY_MAX. */
void msg_writer_init(struct msg_writer *w, size_t max);
void msg_writer_done(struct msg_writer *w);

/* Forgets what was written and any error; keeps the memory. */
void msg_writer_reset(struct msg_writer *w);

/* 0: data[0..len) is a whole message (or several). -ENOMEM; -EMSGSIZE: longer than max; -EINVAL:
 * a map or array is still open or lacks a value, or a message began in another. */
int msg_writer_finish(const struct msg_writer *w);

/* The beginning of a message. One value must follow: the params (an array), or the result. */
void msg_put_request(struct msg_writer *w, uint32_t id, const char *method);
void msg_put_reply(struct msg_writer *w, uint32_t id);
void msg_put_notification(struct msg_writer *w, const char *method);
/* The whole error reply. The message says what, where, and what to do. */
void msg_put_error(struct msg_writer *w, uint32_t id, enum msg_error error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A message that was encoded elsewhere (attach.h). */
void msg_put_whole(struct msg_writer *w, const void *message, size_t len);

/* All values up to the msg_close() belong to it, and the writer counts them. One may be in another,
 * up to MSG_DEPTH_MAX; msg_close() ends the innermost. A map holds a key, its value, and so on. */
void msg_open_map(struct msg_writer *w);
void msg_open_array(struct msg_writer *w);
void msg_close(struct msg_writer *w);

/* An array of a length that is known before; the next so many values belong to it. */
void msg_put_array(struct msg_writer *w, uint32_t elements);

/* A string; bytes that are not UTF-8 become '?'. NULL: nil. */
void msg_put_str(struct msg_writer *w, const char *text);
void msg_put_str_len(struct msg_writer *w, const char *text, size_t len);
void msg_put_bin(struct msg_writer *w, const void *data, size_t len);
void msg_put_uint(struct msg_writer *w, uint64_t value);
void msg_put_int(struct msg_writer *w, int64_t value);
void msg_put_bool(struct msg_writer *w, bool value);
void msg_put_nil(struct msg_writer *w);

/* Key and value of a map's pair at once. */
void msg_put_key_str(struct msg_writer *w, const char *key, const char *text);
void msg_put_key_uint(struct msg_writer *w, const char *key, uint64_t value);
void msg_put_key_int(struct msg_writer *w, const char *key, int64_t value);
void msg_put_key_bool(struct msg_writer *w, const char *key, bool value);
void msg_put_key_nil(struct msg_writer *w, const char *key);

/* ---- parsing ---- */

struct msg_value; /* opaque; belongs to the parser, until it is fed again or done */

enum msg_kind {
    MSG_REQUEST,
    MSG_REPLY,
    MSG_NOTIFICATION,
    MSG_KIND_COUNT
};

struct msg {
    enum msg_kind kind;
    uint32_t id;                    /* 0 in a notification */
    const char *method;             /* NULL in a reply */
    const struct msg_value *params; /* an array; NULL in a reply */
    const struct msg_value *error;  /* NULL: none (nil on the wire), or not a reply */
    const struct msg_value *result; /* NULL in anything but a reply */
};

enum msg_fed {
    MSG_FED_MORE,     /* all bytes were taken; the message is not complete */
    MSG_FED_MESSAGE,  /* *ret_msg is filled; *ret_used bytes belonged to it */
    MSG_FED_BAD,      /* not MessagePack, or not a message of the three kinds: close */
    MSG_FED_TOO_LONG, /* longer than max or deeper than MSG_DEPTH_MAX: close */
    MSG_FED_NO_MEMORY,
    MSG_FED_COUNT
};

struct msg_parser {
    uint8_t *data;
    size_t len;
    size_t size;
    size_t max;
    struct msg_measure measure;
    enum msg_fed state;
    void *zone; /* what the last message was unpacked into */
};

/* Allocates nothing yet. max: HOMING_REQUEST_MAX or HOMING_REPLY_MAX. */
void msg_parser_init(struct msg_parser *p, size_t max);
void msg_parser_done(struct msg_parser *p);

/* Takes bytes up to the end of one message; call again with the rest for the next. The previous
 * message's values become invalid. Anything but MORE and MESSAGE is final for this parser. */
enum msg_fed msg_parser_feed(struct msg_parser *p, const void *data, size_t len, size_t *ret_used,
                             struct msg *ret_msg);

/* ---- reading values: each takes NULL for "not there" ---- */

enum msg_type {
    MSG_TYPE_NIL, /* also: not there */
    MSG_TYPE_BOOL,
    MSG_TYPE_UINT, /* any integer ≥ 0 */
    MSG_TYPE_INT,  /* any integer < 0 */
    MSG_TYPE_FLOAT,
    MSG_TYPE_STR,
    MSG_TYPE_BIN,
    MSG_TYPE_ARRAY,
    MSG_TYPE_MAP,
    MSG_TYPE_COUNT
};

enum msg_type msg_type(const struct msg_value *value);
const char *msg_type_name(enum msg_type type);

/* The text, NUL-terminated; NULL if it is no string, or one with a NUL in it. */
const char *msg_str(const struct msg_value *value);
/* The same with its length, and with whatever is in it. NULL: no string. */
const char *msg_str_len(const struct msg_value *value, size_t *ret_len);
const void *msg_bin(const struct msg_value *value, size_t *ret_len); /* NULL: not binary */

/* False, *ret untouched: another type, or out of range. */
bool msg_uint(const struct msg_value *value, uint64_t *ret);
bool msg_int(const struct msg_value *value, int64_t *ret);
bool msg_float(const struct msg_value *value, double *ret);
bool msg_bool(const struct msg_value *value, bool *ret);

/* 0 and NULL for what is no array or map, or beyond its end. */
uint32_t msg_array_len(const struct msg_value *array);
const struct msg_value *msg_array_at(const struct msg_value *array, uint32_t i);
uint32_t msg_map_len(const struct msg_value *map);
const struct msg_value *msg_map_key(const struct msg_value *map, uint32_t i);
const struct msg_value *msg_map_value(const struct msg_value *map, uint32_t i);

/* The value of the first pair with this key; NULL: none, or not a map. Linear. */
const struct msg_value *msg_get(const struct msg_value *map, const char *key);
const char *msg_get_str(const struct msg_value *map, const char *key); /* NULL: none */
uint64_t msg_get_uint(const struct msg_value *map, const char *key, uint64_t otherwise);
bool msg_get_bool(const struct msg_value *map, const char *key, bool otherwise);

#endif
