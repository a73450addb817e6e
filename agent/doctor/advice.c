/* SPDX-License-Identifier: Apache-2.0
 *
 * advice.c - see advice.h. Called by judge_server.c.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "agent/doctor/advice.h"

/* A server has a part in what is printed here, and an administrator may run it: one statement, for one
 * account. */
static bool is_harmless(const char *statement)
{
    uint32_t quotes = 0;

    for (const char *at = statement; *at; at++)
        quotes += *at == '\'';
    return quotes <= 4 && !strpbrk(statement, ";\n\\");
}

const char *advice_grant(const char *words)
{
    const char *at = strstr(words, ": GRANT ");

    return at && is_harmless(at) ? at + 2 : NULL;
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

/* What stands for `$` and this letter. */
static bool find_piece(char letter, const char *user, const char *words, const char **ret_piece,
                       size_t *ret_len)
{
    if (letter >= '1' && letter <= '3')
        return find_quoted(words, (unsigned)(letter - '0'), ret_piece, ret_len);
    *ret_piece = user;
    *ret_len = strlen(user);
    return *ret_len > 0 && !strchr(user, '"');
}

/* False: what the line wants is not known, or there is no room. */
static bool fill_in(const char *line, const char *user, const char *words, char ret[ADVICE_SIZE])
{
    size_t used = 0;

    for (const char *at = line; *at; at++) {
        const char *piece = at;
        size_t len = 1;
        if (at[0] == '$' && at[1] != '\0' && !find_piece(*++at, user, words, &piece, &len))
            return false;
        if (used + len >= ADVICE_SIZE)
            return false;
        memcpy(ret + used, piece, len);
        used += len;
    }
    ret[used] = '\0';
    return true;
}

bool advice_find(const struct engine_kind *kind, const char *user, const char *words,
                 char ret[ADVICE_SIZE])
{
    const char *grant = advice_grant(words);

    if (grant) {
        snprintf(ret, ADVICE_SIZE, "%s;", grant);
        return true;
    }
    for (const struct engine_advice *a = kind->advice; a && a->words; a++)
        if (strstr(words, a->words) && fill_in(a->line, user, words, ret))
            return true;
    if (!kind->admits_by || !strstr(words, kind->admits_by))
        return false;
    snprintf(ret, ADVICE_SIZE, "%s", kind->admit);
    return true;
}
