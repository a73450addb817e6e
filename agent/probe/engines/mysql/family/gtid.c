/* SPDX-License-Identifier: Apache-2.0
 *
 * gtid.c - see gtid.h. Each text is read once, from left to right, and kept nowhere.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "agent/probe/engines/mysql/family/gtid.h"

size_t gtid_digits(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9'; n++) {
        uint64_t digit = (uint64_t)(text[n] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return 0;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return n;
}

bool gtid_is_uuid(const char *text, size_t len)
{
    static const char SHAPE[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (len != sizeof(SHAPE) - 1)
        return false;
    for (size_t i = 0; i < len; i++)
        if (SHAPE[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

/* "1-5" or "7", at most 2^63 - 1; NULL: it is neither. */
static const char *take_interval(const char *text, uint64_t *count)
{
    uint64_t first, last;
    size_t n = gtid_digits(text, &first);
    if (n == 0)
        return NULL;
    text += n;
    last = first;
    if (*text == '-') {
        n = gtid_digits(text + 1, &last);
        if (n == 0)
            return NULL;
        text += 1 + n;
    }
    if (first == 0 || last < first || last > INT64_MAX || last - first + 1 > INT64_MAX - *count)
        return NULL;
    *count += last - first + 1;
    return text;
}

/* A tag, as servers from 8.3 on have them; NULL: it is none. */
static const char *take_tag(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return n == 0 || n > 32 || (text[0] >= '0' && text[0] <= '9') ? NULL : text + n;
}

/* "uuid:1-5:7:tag:1": behind it, NULL: it is no such thing. */
static const char *take_sid(const char *text, uint64_t *count)
{
    size_t len = strcspn(text, ":");
    if (text[len] != ':' || !gtid_is_uuid(text, len))
        return NULL;
    for (text += len; *text == ':'; text = skip_blanks(text)) {
        text = skip_blanks(text + 1);
        text = *text >= '0' && *text <= '9' ? take_interval(text, count) : take_tag(text);
        if (!text)
            return NULL;
    }
    return text;
}

bool gtid_count(const char *text, uint64_t *ret_count)
{
    uint64_t count = 0;
    text = skip_blanks(text);
    while (*text != '\0') {
        text = take_sid(text, &count);
        if (!text || (*text != ',' && *text != '\0'))
            return false;
        if (*text == ',') {
            text = skip_blanks(text + 1);
            if (*text == '\0')
                return false;
        }
    }
    *ret_count = count;
    return true;
}

bool gtid_last(const char *text, uint64_t domain, uint64_t *ret_last)
{
    uint64_t last = 0;
    while (*text != '\0') {
        uint64_t part[3];
        for (int i = 0; i < 3; i++) {
            size_t n = gtid_digits(text, &part[i]);
            if (n == 0 || (i < 2 && text[n] != '-'))
                return false;
            text += n + (i < 2);
        }
        if ((*text != ',' && *text != '\0') || (*text == ',' && text[1] == '\0'))
            return false;
        text += *text == ',';
        last = part[0] == domain ? part[2] : last;
    }
    if (last == UINT64_MAX)
        return false;
    *ret_last = last;
    return true;
}
