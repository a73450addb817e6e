/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.c - see advice.h. Called by judge_server.c.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/doctor/advice.h"

/* Whether this is what the engine may lack. One that ends with a dot stands for each table there. */
static bool is_lacked(const struct engine_kind *kind, const char *what, size_t len)
{
    static const char TABLE[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

    for (const char *const *g = kind->grants; g && *g; g++) {
        size_t n = strlen(*g);
        if (len < n || strncmp(what, *g, n) != 0)
            continue;
        if (len == n || ((*g)[n - 1] == '.' && strspn(what + n, TABLE) == len - n))
            return true;
    }
    return false;
}

/* 'user'@'host' or "user", and nothing behind it. */
static bool is_account(const char *text, const char *user)
{
    size_t len = strlen(user);
    char quote = *text;

    if (len == 0 || (quote != '\'' && quote != '"') || strncmp(text + 1, user, len) != 0 ||
        text[1 + len] != quote)
        return false;
    text += 2 + len;
    if (*text == '\0')
        return true;
    if (strncmp(text, "@'", 2) != 0)
        return false;
    text += 2 + strcspn(text + 2, "';\n\\");
    return strcmp(text, "'") == 0;
}

/* Whatever a server says may look like this, and an administrator may run it: so it is only what the
 * engine asks for by itself, and only for homing's own account. */
const char *advice_grant(const struct engine_kind *kind, const char *user, const char *words)
{
    static const char BEGIN[] = ": GRANT ", TO[] = " TO ";
    const char *at = strstr(words, BEGIN), *what = at ? at + strlen(BEGIN) : NULL;
    const char *to = what ? strstr(what, TO) : NULL;

    if (!to || !is_lacked(kind, what, (size_t)(to - what)) || !is_account(to + strlen(TO), user))
        return NULL;
    return at + 2;
}

/* The number-th piece that stands in double quotes; false: there are not so many. */
static bool find_quoted(const char *words, unsigned number, const char **ret_piece, size_t *ret_len)
{
    const char *begin = strchr(words, '"');

    for (; begin && number > 1; number--) {
        begin = strchr(begin + 1, '"');
        begin = begin ? strchr(begin + 1, '"') : NULL;
    }
    const char *end = begin ? strchr(begin + 1, '"') : NULL;
    if (!end)
        return false;
    *ret_piece = begin + 1;
    *ret_len = (size_t)(end - begin - 1);
    return true;
}

/* What an operator knows, and the server does not. */
struct known {
    const char *user, *where;
};

/* What stands for `$` and this letter. */
static bool find_piece(char letter, const struct known *known, const char *words,
                       const char **ret_piece, size_t *ret_len)
{
    if (letter >= '1' && letter <= '3')
        return find_quoted(words, (unsigned)(letter - '0'), ret_piece, ret_len);
    *ret_piece = letter == 'w' ? known->where : known->user;
    *ret_len = strlen(*ret_piece);
    return *ret_len > 0 && !strchr(*ret_piece, '"');
}

/* False: what the line wants is not known, or there is no room. */
static bool fill_in(const char *line, const struct known *known, const char *words,
                    char ret[ADVICE_SIZE])
{
    size_t used = 0;

    for (const char *at = line; *at; at++) {
        const char *piece = at;
        size_t len = 1;
        if (at[0] == '$' && at[1] != '\0' && !find_piece(*++at, known, words, &piece, &len))
            return false;
        if (used + len >= ADVICE_SIZE)
            return false;
        memcpy(ret + used, piece, len);
        used += len;
    }
    ret[used] = '\0';
    return true;
}

bool advice_find(const struct engine_kind *kind, const char *user, const char *where,
                 const char *words, char ret[ADVICE_SIZE])
{
    const struct known known = {user, where};
    const char *grant = advice_grant(kind, user, words);

    if (grant) {
        snprintf(ret, ADVICE_SIZE, "%s;", grant);
        return true;
    }
    for (const struct engine_advice *a = kind->advice; a && a->words; a++)
        if (strstr(words, a->words) && fill_in(a->line, &known, words, ret))
            return true;
    if (!kind->admits_by || !strstr(words, kind->admits_by))
        return false;
    snprintf(ret, ADVICE_SIZE, "%s", kind->admit);
    return true;
}
