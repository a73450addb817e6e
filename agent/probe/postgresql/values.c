/* SPDX-License-Identifier: Apache-2.0
 *
 * values.c - see values.h.
 */
#include "config.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "agent/probe/postgresql/values.h"

static bool parse_bool(const char *text, const char *no, const char *yes, bool *ret_value)
{
    if (!text || (strcmp(text, no) != 0 && strcmp(text, yes) != 0))
        return false;
    *ret_value = strcmp(text, yes) == 0;
    return true;
}

bool postgres_value_truth(const char *text, bool *ret_value)
{
    return parse_bool(text, "f", "t", ret_value);
}

bool postgres_value_switch(const char *text, bool *ret_value)
{
    return parse_bool(text, "off", "on", ret_value);
}

/* Between 1 and `most` hex digits; returns how many, 0 if there are none or too many. */
static size_t parse_hex(const char *text, size_t most, uint64_t *ret_value)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    uint64_t value = 0;
    size_t n = 0;
    for (; isxdigit((unsigned char)text[n]); n++) {
        if (n == most)
            return 0;
        value = value << 4 | (uint64_t)(strchr(DIGITS, toupper((unsigned char)text[n])) - DIGITS);
    }
    *ret_value = value;
    return n;
}

bool postgres_value_timeline(const char *file, uint64_t *ret_timeline)
{
    char digits[9] = "";
    uint64_t timeline;
    if (!file || strlen(file) != 24 || strspn(file, "0123456789ABCDEF") != 24)
        return false;
    memcpy(digits, file, 8);
    if (parse_hex(digits, 8, &timeline) != 8 || timeline == 0)
        return false;
    *ret_timeline = timeline;
    return true;
}

bool postgres_value_lsn(const char *text, uint64_t *ret_lsn)
{
    uint64_t hi, lo;
    if (!text)
        return false;
    size_t n = parse_hex(text, 8, &hi);
    if (n == 0 || text[n] != '/')
        return false;
    size_t m = parse_hex(text + n + 1, 8, &lo);
    if (m == 0 || text[n + 1 + m] != '\0')
        return false;
    *ret_lsn = hi << 32 | lo;
    return true;
}

/* Up to 19 digits; returns how many. */
static size_t parse_digits(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t n = 0;
    for (; text[n] >= '0' && text[n] <= '9'; n++) {
        if (n == 19)
            return 0;
        value = value * 10 + (uint64_t)(text[n] - '0');
    }
    *ret_value = value;
    return n;
}

bool postgres_value_seconds(const char *text, uint64_t *ret_us)
{
    uint64_t seconds, us = 0;
    size_t n = !text ? 0 : parse_digits(text, &seconds);
    if (n == 0 || n > 12)
        return false;
    if (text[n] == '.') {
        size_t fraction = parse_digits(text + n + 1, &us);
        if (fraction == 0 || fraction > 6)
            return false;
        n += 1 + fraction;
        for (; fraction < 6; fraction++)
            us *= 10;
    }
    if (text[n] != '\0' || seconds == 0)
        return false;
    *ret_us = seconds * 1000000 + us;
    return true;
}

bool postgres_value_identifier(const char *text, uint64_t *ret_identifier)
{
    uint64_t value;
    if (!text)
        return false;
    bool negative = text[0] == '-';
    size_t n = parse_digits(text + negative, &value);
    if (n == 0 || text[negative + n] != '\0' || value == 0)
        return false;
    *ret_identifier = negative ? 0 - value : value;
    return true;
}

bool postgres_value_integer(const char *text, int64_t *ret_value)
{
    uint64_t value;
    if (!text)
        return false;
    bool negative = text[0] == '-';
    size_t n = parse_digits(text + negative, &value);
    if (n == 0 || text[negative + n] != '\0' || value > INT64_MAX)
        return false;
    *ret_value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}
