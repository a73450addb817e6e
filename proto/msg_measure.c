/* SPDX-License-Identifier: Apache-2.0
 *
 * msg_measure.c - finds where a MessagePack value ends. Pure; see msg_measure.h.
 *
 * Each call looks at every byte of structure once and at string bodies never, and resumes at the
 * element that was cut off: feeding byte by byte costs the same as feeding at once.
 */
#include "config.h"

#include <stdbool.h>

#include "proto/msg_measure.h"

enum kind {
    KIND_BAD,   /* never used (c1), or an extension */
    KIND_PLAIN, /* `head` bytes are all of it */
    KIND_BYTES, /* the head's length is a number of bytes that follow */
    KIND_ARRAY, /* … of values */
    KIND_MAP    /* … of pairs of values */
};

/* Of the leading bytes c0..df: bytes of the head, the leading one included. */
static const struct {
    uint8_t kind;
    uint8_t head;
} heads[32] = {
    {KIND_PLAIN, 1}, {KIND_BAD, 0},   {KIND_PLAIN, 1}, {KIND_PLAIN, 1}, /* nil, -, false, true */
    {KIND_BYTES, 2}, {KIND_BYTES, 3}, {KIND_BYTES, 5}, {KIND_BAD, 0},   /* bin 8 16 32, ext */
    {KIND_BAD, 0},   {KIND_BAD, 0},   {KIND_PLAIN, 5}, {KIND_PLAIN, 9}, /* ext, float 32 64 */
    {KIND_PLAIN, 2}, {KIND_PLAIN, 3}, {KIND_PLAIN, 5}, {KIND_PLAIN, 9}, /* uint 8 16 32 64 */
    {KIND_PLAIN, 2}, {KIND_PLAIN, 3}, {KIND_PLAIN, 5}, {KIND_PLAIN, 9}, /* int 8 16 32 64 */
    {KIND_BAD, 0},   {KIND_BAD, 0},   {KIND_BAD, 0},   {KIND_BAD, 0},   /* fixext */
    {KIND_BAD, 0},   {KIND_BYTES, 2}, {KIND_BYTES, 3}, {KIND_BYTES, 5}, /* fixext, str 8 16 32 */
    {KIND_ARRAY, 3}, {KIND_ARRAY, 5}, {KIND_MAP, 3},   {KIND_MAP, 5},   /* array, map 16 32 */
};

/* One element: its own bytes, without those of the values in it. */
struct element {
    enum kind kind;
    size_t head;
    uint64_t count;
};

static struct element element_of(uint8_t lead)
{
    if (lead < 0x80 || lead >= 0xe0)
        return (struct element){KIND_PLAIN, 1, 0};
    if (lead < 0x90)
        return (struct element){KIND_MAP, 1, lead & 0x0f};
    if (lead < 0xa0)
        return (struct element){KIND_ARRAY, 1, lead & 0x0f};
    if (lead < 0xc0)
        return (struct element){KIND_BYTES, 1, lead & 0x1f};
    return (struct element){heads[lead - 0xc0].kind, heads[lead - 0xc0].head, 0};
}

/* Opens a level for the values of a map or array; an empty one is complete at once. */
static bool level_open(struct msg_measure *m, uint64_t values)
{
    if (values == 0)
        return true;
    if (m->depth > MSG_DEPTH_MAX)
        return false;
    m->missing[m->depth++] = values;
    return true;
}

static void levels_close(struct msg_measure *m)
{
    while (m->depth > 0 && m->missing[m->depth - 1] == 0)
        m->depth--;
}

void msg_measure_init(struct msg_measure *m)
{
    m->done = 0;
    m->depth = 1;
    m->missing[0] = 1;
}

static enum msg_measured element_measure(struct msg_measure *m, const uint8_t *data, size_t len,
                                         size_t max)
{
    const uint8_t *at = data + m->done;
    struct element e = element_of(*at);
    uint64_t bytes, values;

    if (e.kind == KIND_BAD)
        return MSG_MEASURED_BAD;
    if (e.head > len - m->done)
        return e.head > max - m->done ? MSG_MEASURED_TOO_LONG : MSG_MEASURED_MORE;
    for (size_t i = 1; e.kind != KIND_PLAIN && i < e.head; i++)
        e.count = e.count << 8 | at[i];
    bytes = e.head + (e.kind == KIND_BYTES ? e.count : 0);
    values = e.kind == KIND_ARRAY ? e.count : e.kind == KIND_MAP ? 2 * e.count : 0;
    /* Each value takes a byte at least. */
    if (bytes + values > max - m->done)
        return MSG_MEASURED_TOO_LONG;
    if (bytes > len - m->done)
        return MSG_MEASURED_MORE;
    m->done += bytes;
    m->missing[m->depth - 1]--;
    return level_open(m, values) ? MSG_MEASURED_WHOLE : MSG_MEASURED_TOO_LONG;
}

enum msg_measured msg_measure(struct msg_measure *m, const uint8_t *data, size_t len, size_t max)
{
    enum msg_measured element = MSG_MEASURED_WHOLE;

    while (m->depth > 0 && element == MSG_MEASURED_WHOLE) {
        if (m->done >= max)
            return MSG_MEASURED_TOO_LONG;
        if (m->done >= len)
            return MSG_MEASURED_MORE;
        element = element_measure(m, data, len, max);
        levels_close(m);
    }
    return element;
}
