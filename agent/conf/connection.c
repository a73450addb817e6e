/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c - the key `connection`: keyword=value pairs, in one form for all engines, and read
 * without their client libraries. Which keywords there are is the engine's.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/spelling.h"
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

/* The keyword that this one is a slip for; NULL: none. */
static const char *find_near(const struct engine_kind *engine, const struct pair *pair)
{
    char word[64];
    if (pair->len >= sizeof(word))
        return NULL;
    memcpy(word, pair->keyword, pair->len);
    word[pair->len] = '\0';
    for (const struct engine_keyword *k = engine->keywords; k->name; k++)
        if (!k->instead && spelling_is_near(k->name, word))
            return k->name;
    return NULL;
}

/* Without the keyword: like a broken pair it may be half a secret. */
static void refuse_unknown(const struct engine_kind *engine, const struct pair *pair,
                           struct conf_at at, struct conf_errors *errors)
{
    char taken[300] = "";
    size_t used = 0;
    const char *near = find_near(engine, pair);
    for (const struct engine_keyword *k = engine->keywords; k->name && used < sizeof(taken); k++)
        if (!k->instead)
            used += (size_t)snprintf(taken + used, sizeof(taken) - used, "%s%s", used ? ", " : "",
                                     k->name);
    conf_errors_add(
        errors, at, "connection has a keyword here that %s does not know; %s%s%sit takes: %s",
        engine->name, near ? "did you mean '" : "", near ? near : "", near ? "'? " : "", taken);
}

/* Copies a value without its quotes and backslashes. False: it may not fit. */
static bool unquote(const struct pair *pair, char *ret, size_t size)
{
    const char *at = pair->value, *end = pair->value + pair->value_len;
    if (at < end && *at == '\'')
        at++, end--;
    if ((size_t)(end - at) >= size)
        return false;
    for (; at < end; at++) {
        at += *at == '\\' && at + 1 < end;
        *ret++ = *at;
    }
    *ret = '\0';
    return true;
}

/* Read anew by the engine at every use; here only so that an operator sees now what is wrong. */
static const char *find_fault_of_file(const char *path)
{
    struct stat status;
    if (path[0] != '/')
        return "is no absolute path; write one";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? "does not exist; create it, or correct the path"
                   : "cannot be read by this user; give it to the agent's user (root, too: it has "
                     "no capability)";
    bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    close(fd);
    return regular ? NULL : "is not a regular file; name one";
}

static void check_file(const struct engine_keyword *keyword, const struct pair *pair,
                       struct conf_at at, struct conf_errors *errors)
{
    char path[PATH_MAX] = "";
    const char *wrong = "is too long for a path";
    if (unquote(pair, path, sizeof(path)))
        wrong = find_fault_of_file(path);
    if (wrong)
        conf_errors_add(errors, at, "%s %.300s %s", keyword->name, path[0] ? path : "''", wrong);
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
    else if (keyword && keyword->file)
        check_file(keyword, pair, at, errors);
    else if (!keyword && !engine->takes_others)
        refuse_unknown(engine, pair, at, errors);
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
    uint32_t failures = errors->failures;
    struct pair pair;
    for (const char *at = node->text;; at = pair.next) {
        enum shape shape = read_pair(at, &pair);
        if (shape != SHAPE_GOOD)
            refuse_shape(engine, shape, place_of(node, pair.keyword), errors);
        if (shape != SHAPE_GOOD || pair.len == 0)
            break;
        check_pair(engine, &pair, place_of(node, pair.keyword), errors);
    }
    if (errors->failures == failures && engine->check_together)
        wrong = engine->check_together(node->text);
    if (wrong)
        conf_errors_add(errors, node->at, "%s", wrong);
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

bool conf_connection_get(const char *connection, const char *keyword, char *ret, size_t size)
{
    struct pair pair = {.next = connection}, last = {.value = NULL};

    while (read_pair(pair.next, &pair) == SHAPE_GOOD && pair.len != 0)
        if (pair.len == strlen(keyword) && memcmp(pair.keyword, keyword, pair.len) == 0)
            last = pair;
    return last.value && unquote(&last, ret, size);
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
