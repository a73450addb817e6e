/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c - the key `connection`: keyword=value pairs, in one form for all engines, and read
 * without their client libraries. Which keywords there are is the engine's.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/connection.h"

/* ---- keyword=value ---- */

/* One pair; texts point into the string. */
struct pair {
    const char *keyword; /* or where the error is */
    size_t len;          /* of the keyword; 0: the end */
    const char *value;   /* raw: quotes and backslashes included */
    size_t value_len;
    const char *next; /* where to go on */
};

enum shape {
    SHAPE_GOOD,
    SHAPE_NO_PAIR,
    SHAPE_OPEN_QUOTE
};

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static const char *skip_space(const char *text)
{
    while (is_space(*text))
        text++;
    return text;
}

/* Behind the value that begins at `text`; NULL: its quote is never closed. */
static const char *skip_value(const char *text)
{
    bool quoted = *text == '\'';
    for (text += quoted; *text != '\0'; text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        else if (quoted ? *text == '\'' : is_space(*text))
            return text + quoted;
    }
    return quoted ? NULL : text;
}

/* The pair that begins at or after `text`. */
static enum shape read_pair(const char *text, struct pair *ret)
{
    const char *at = ret->keyword = skip_space(text);
    while (*at != '\0' && *at != '=' && !is_space(*at))
        at++;
    ret->len = (size_t)(at - ret->keyword);
    ret->next = at = skip_space(at);
    if (*ret->keyword == '\0')
        return SHAPE_GOOD;
    if (ret->len == 0 || *at != '=')
        return SHAPE_NO_PAIR;
    ret->value = skip_space(at + 1);
    ret->next = skip_value(ret->value);
    if (!ret->next)
        return SHAPE_OPEN_QUOTE;
    ret->value_len = (size_t)(ret->next - ret->value);
    return SHAPE_GOOD;
}

static const struct engine_keyword *find_keyword(const struct engine_kind *engine,
                                                 const struct pair *pair)
{
    for (const struct engine_keyword *at = engine->keywords; at->name; at++)
        if (pair->len == strlen(at->name) && memcmp(pair->keyword, at->name, pair->len) == 0)
            return at;
    return NULL;
}

/* ---- check ---- */

/* Where `at`, inside the node's text, stands in the file; the node's begin if that is not known. */
static struct conf_at place_of(const struct conf_node *node, const char *at)
{
    if (node->text_column == 0)
        return node->at;
    struct conf_at place = {node->at.line, node->text_column};
    for (const char *byte = node->text; byte < at; byte++)
        place.column += ((unsigned char)*byte & 0xc0) != 0x80;
    return place;
}

/* Without the keyword: like a broken pair it may be half a secret. */
static void refuse_unknown(const struct engine_kind *engine, struct conf_at at,
                           struct conf_errors *errors)
{
    char taken[300] = "";
    size_t used = 0;
    for (const struct engine_keyword *k = engine->keywords; k->name && used < sizeof(taken); k++)
        if (!k->instead)
            used += (size_t)snprintf(taken + used, sizeof(taken) - used, "%s%s", used ? ", " : "",
                                     k->name);
    conf_errors_add(errors, at, "connection has a keyword here that %s does not know; it takes: %s",
                    engine->name, taken);
}

static void check_pair(const struct engine_kind *engine, const struct pair *pair, struct conf_at at,
                       struct conf_errors *errors)
{
    const struct engine_keyword *keyword = find_keyword(engine, pair);
    const char *wrong = NULL;
    if (keyword && keyword->instead)
        conf_errors_add(errors, at, "'%s' may not be in connection; %s", keyword->name,
                        keyword->instead);
    else if (keyword && keyword->check)
        wrong = keyword->check(pair->value, pair->value_len);
    else if (!keyword && !engine->takes_others)
        refuse_unknown(engine, at, errors);
    if (wrong)
        conf_errors_add(errors, at, "%s", wrong);
}

/* Without the text: it may be half a secret. */
static void refuse_shape(const struct engine_kind *engine, enum shape shape, struct conf_at at,
                         struct conf_errors *errors)
{
    if (shape == SHAPE_OPEN_QUOTE)
        conf_errors_add(errors, at,
                        "connection has a quote here that is never closed; write a second '");
    else
        conf_errors_add(errors, at,
                        "connection is not %s's 'keyword=value' from here on; quote values that "
                        "hold spaces",
                        engine->client);
}

void conf_connection_check(const struct engine_kind *engine, const struct conf_node *node,
                           struct conf_errors *errors)
{
    const char *wrong = engine->check_connection ? engine->check_connection(node->text) : NULL;
    if (wrong) {
        conf_errors_add(errors, node->at, "%s", wrong);
        return;
    }
    struct pair pair;
    for (const char *at = node->text;; at = pair.next) {
        enum shape shape = read_pair(at, &pair);
        if (shape != SHAPE_GOOD)
            refuse_shape(engine, shape, place_of(node, pair.keyword), errors);
        if (shape != SHAPE_GOOD || pair.len == 0)
            return;
        check_pair(engine, &pair, place_of(node, pair.keyword), errors);
    }
}

/* ---- dump ---- */

void conf_connection_print(const struct engine_kind *engine, const char *connection,
                           void (*put)(char byte, FILE *out), FILE *out)
{
    const char *printed = connection;
    struct pair pair;
    while (read_pair(printed, &pair) == SHAPE_GOOD && pair.len != 0) {
        const struct engine_keyword *keyword = find_keyword(engine, &pair);
        bool hide = keyword && keyword->secret;
        for (const char *until = hide ? pair.value : pair.next; printed < until; printed++)
            put(*printed, out);
        for (const char *star = hide ? "***" : ""; *star != '\0'; star++)
            put(*star, out);
        printed = pair.next;
        /* A quote ends a value by itself; stars do not. */
        if (hide && *printed != '\0' && !is_space(*printed))
            put(' ', out);
    }
    for (; *printed != '\0'; printed++)
        put(*printed, out);
}

bool conf_connection_has(const char *connection, const char *keyword, const char *value)
{
    struct pair pair = {.next = connection};
    bool has = false;

    while (read_pair(pair.next, &pair) == SHAPE_GOOD && pair.len != 0)
        if (pair.len == strlen(keyword) && memcmp(pair.keyword, keyword, pair.len) == 0) {
            const char *at = pair.value + (pair.value[0] == '\'');
            has = strncmp(at, value, strlen(value)) == 0 &&
                  pair.value_len == strlen(value) + 2 * (size_t)(at - pair.value);
        }
    return has;
}
