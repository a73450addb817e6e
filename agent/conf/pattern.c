/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern.c - as pattern.h says.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/conf/pattern.h"

#define ID_MAX 63 /* a label of a name */

/* In lower case. 0: it is no id. */
static size_t take_id(const char *text, size_t len, char ret[ID_MAX + 1])
{
    if (len == 0 || len > ID_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return 0;
        ret[i] = c;
    }
    ret[len] = '\0';
    return len;
}

/* An address literal is no name of a server: 10.0.0.? would take any of them. */
static bool fill(const char *pattern, const char *id, struct conf_host *ret_host)
{
    const char *mark = strchr(pattern, '?');
    char whole[CONF_HOST_MAX];
    struct conf_host host;
    int len = mark ? snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(mark - pattern), pattern, id,
                              mark + 1)
                   : -1;

    if (len < 0 || (size_t)len >= sizeof(whole) || conf_value_host(whole, &host) ||
        host.family != 0)
        return false;
    *ret_host = host;
    return true;
}

bool conf_pattern_host(const char *pattern, const char *id, struct conf_host *ret_host)
{
    char clean[ID_MAX + 1];

    return take_id(id, strlen(id), clean) > 0 && fill(pattern, clean, ret_host);
}

bool conf_pattern_matches(const char *pattern, const struct conf_host *host)
{
    const char *mark = strchr(pattern, '?');
    size_t before = mark ? (size_t)(mark - pattern) : 0, behind = mark ? strlen(mark + 1) : 0;
    size_t len = strlen(host->text);
    char clean[ID_MAX + 1];

    return mark && host->family == 0 && len > before + behind &&
           memcmp(host->text, pattern, before) == 0 &&
           strcmp(host->text + len - behind, mark + 1) == 0 &&
           take_id(host->text + before, len - before - behind, clean) > 0;
}

const char *conf_pattern_read(const char *text, char ret_pattern[CONF_HOST_MAX])
{
    const char *mark = strchr(text, '?');
    struct conf_host host;
    char pattern[CONF_HOST_MAX];

    if (!mark || strchr(mark + 1, '?'))
        return "has not exactly one '?'; write it where the id of a server stands, as in "
               "?.db.example.com";
    if (strcmp(text, "?") == 0 || strcmp(text, "?.") == 0)
        return "would take every host; write the domain in which the servers are, as in "
               "?.db.example.com";
    if (!fill(text, "1", &host) || !fill(text, "a", &host))
        return "makes no name of a host; write one with '?' in place of a server's id, as in "
               "?.db.example.com";
    /* In the canonical form the mark is where the `a` is now. */
    memcpy(pattern, host.text, sizeof(pattern));
    pattern[mark - text] = '?';
    memcpy(ret_pattern, pattern, sizeof(pattern));
    return NULL;
}

const char *conf_pattern_region(const char *text, char ret_region[CONF_HOST_MAX])
{
    char clean[ID_MAX + 1];

    if (take_id(text, strlen(text), clean) == 0)
        return "is no region; write letters, digits and hyphens, as in eu-west-1";
    memcpy(ret_region, clean, sizeof(clean));
    return NULL;
}
