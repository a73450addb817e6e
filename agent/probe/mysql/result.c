/* SPDX-License-Identifier: Apache-2.0
 *
 * result.c - as result.h says. Where the texts stand is filled in when the answer is complete,
 * because until then they may move.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/probe/mysql/result.h"

/* A flag of an OK and of an end: another result follows. */
#define STATUS_MORE_RESULTS 0x0008

enum {
    STATE_LENGTH = 5, /* of a SQLSTATE */
    NAME_FIELD = 4,   /* of a column's definition: catalog, schema, table, org_table, name */
};

void result_begin(struct result *r)
{
    bytes_clear(&r->text);
    bytes_clear(&r->values);
    *r = (struct result){.text = r->text, .values = r->values};
}

void result_free(struct result *r)
{
    bytes_free(&r->text);
    bytes_free(&r->values);
    *r = (struct result){0};
}

void result_text(const char *from, size_t count, char *ret, size_t size)
{
    size_t n = count < size - 1 ? count : size - 1;

    for (size_t i = 0; i < n; i++)
        ret[i] = (unsigned char)from[i] < ' ' || from[i] == 0x7f ? ' ' : from[i];
    /* What is cut may not end inside of a character. */
    while (n < count && n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
        n--;
    ret[n] = '\0';
}

bool result_error(const uint8_t *payload, size_t count, struct mysql_error *ret)
{
    struct cursor c = {payload + 1, payload + count, false};

    *ret = (struct mysql_error){.code = (uint16_t)cursor_number(&c, 2)};
    if (c.bad)
        return false;
    if (cursor_left(&c) > STATE_LENGTH && *c.at == '#') {
        result_text((const char *)c.at + 1, STATE_LENGTH, ret->state, sizeof(ret->state));
        c.at += 1 + STATE_LENGTH;
    }
    result_text((const char *)c.at, cursor_left(&c), ret->text, sizeof(ret->text));
    return true;
}

/* Storing. */

static enum result_step stored(bool good)
{
    if (good)
        return RESULT_MORE;
    return errno == EMSGSIZE ? RESULT_TOO_MUCH : RESULT_NO_MEMORY;
}

/* `text` need not end with a NUL; here it does. */
static bool add_text(struct result *r, const char *text, size_t length)
{
    return bytes_add(&r->text, text, length, MYSQL_ANSWER_MAX) &&
           bytes_add(&r->text, "", 1, MYSQL_ANSWER_MAX);
}

/* For now a value's text only says whether it is NULL. */
static bool add_value(struct result *r, const char *text, uint32_t length)
{
    const struct mysql_value value = {text ? "" : NULL, length};

    return (!text || add_text(r, text, length)) &&
           bytes_add(&r->values, &value, sizeof(value), MYSQL_ANSWER_MAX);
}

static enum result_step complete(struct result *r)
{
    const char *text = (const char *)r->text.data;
    struct mysql_value *values = (struct mysql_value *)(void *)r->values.data;

    for (uint32_t i = 0; i < r->answer.columns; i++) {
        r->names[i] = text;
        text += strlen(text) + 1;
    }
    for (size_t i = 0; i < (size_t)r->answer.rows * r->answer.columns; i++) {
        if (!values[i].text)
            continue;
        values[i].text = text;
        text += values[i].length + 1;
    }
    r->answer.names = r->names;
    r->answer.values = values;
    return RESULT_DONE;
}

/* Reading. */

/* After an OK, or the end of the rows. */
static enum result_step end(struct result *r, uint64_t status)
{
    if (!(status & STATUS_MORE_RESULTS))
        return complete(r);
    if (++r->rows > MYSQL_ROWS_MAX)
        return RESULT_TOO_MUCH;
    r->further = true;
    r->phase = RESULT_HEAD;
    return RESULT_MORE;
}

static enum result_step take_error(struct result *r, const uint8_t *payload, size_t count)
{
    if (!result_error(payload, count, &r->answer.error) || r->answer.error.code == 0)
        return RESULT_NONSENSE;
    r->answer.rows = r->answer.columns = 0;
    return complete(r);
}

static enum result_step take_ok(struct result *r, struct cursor *c)
{
    cursor_number(c, 1);
    cursor_length(c); /* affected rows */
    cursor_length(c); /* the last id */
    uint64_t status = cursor_number(c, 2);
    return c->bad ? RESULT_NONSENSE : end(r, status);
}

static enum result_step take_head(struct result *r, struct cursor *c)
{
    uint64_t columns = cursor_length(c);

    if (c->bad || cursor_left(c) > 0 || columns == 0)
        return RESULT_NONSENSE;
    if (columns > MYSQL_COLUMNS_MAX)
        return RESULT_TOO_MUCH;
    r->columns = (uint32_t)columns;
    r->seen = 0;
    r->phase = RESULT_DEFINITIONS;
    if (!r->further)
        r->answer.columns = r->columns;
    return RESULT_MORE;
}

static enum result_step take_definition(struct result *r, struct cursor *c)
{
    const char *text = NULL;
    uint32_t length = 0;

    for (int i = 0; i <= NAME_FIELD; i++)
        cursor_value(c, &text, &length);
    if (c->bad || !text || memchr(text, 0, length))
        return RESULT_NONSENSE;
    if (++r->seen == r->columns)
        r->phase = RESULT_DEFINITIONS_END;
    return r->further ? RESULT_MORE : stored(add_text(r, text, length));
}

static enum result_step take_row(struct result *r, struct cursor *c)
{
    if (++r->rows > MYSQL_ROWS_MAX)
        return RESULT_TOO_MUCH;
    for (uint32_t i = 0; i < r->columns; i++) {
        const char *text;
        uint32_t length;
        cursor_value(c, &text, &length);
        if (c->bad)
            return RESULT_NONSENSE;
        if (!r->further && !add_value(r, text, length))
            return stored(false);
    }
    if (cursor_left(c) > 0)
        return RESULT_NONSENSE;
    r->answer.rows += !r->further;
    return RESULT_MORE;
}

/* The status of an end; UINT64_MAX: it is none. */
static uint64_t end_status(struct cursor c)
{
    if (*c.at != PACKET_END || cursor_left(&c) > PACKET_END_MAX)
        return UINT64_MAX;
    cursor_number(&c, 1);
    cursor_number(&c, 2); /* warnings */
    uint64_t status = cursor_number(&c, 2);
    return c.bad ? UINT64_MAX : status;
}

static enum result_step take(struct result *r, struct cursor *c)
{
    uint64_t status = end_status(*c);

    switch (r->phase) {
    case RESULT_HEAD:
        if (*c->at == PACKET_LOCAL_FILE)
            return RESULT_FILE;
        return *c->at == PACKET_OK ? take_ok(r, c) : take_head(r, c);
    case RESULT_DEFINITIONS:
        return take_definition(r, c);
    case RESULT_DEFINITIONS_END:
        r->phase = RESULT_ROWS;
        return status == UINT64_MAX ? RESULT_NONSENSE : RESULT_MORE;
    case RESULT_ROWS:
        return status == UINT64_MAX ? take_row(r, c) : end(r, status);
    }
    return RESULT_NONSENSE;
}

enum result_step result_take(struct result *r, const uint8_t *payload, size_t count)
{
    struct cursor c = {payload, payload + count, false};

    if (count == 0)
        return RESULT_NONSENSE;
    return *payload == PACKET_ERROR ? take_error(r, payload, count) : take(r, &c);
}
