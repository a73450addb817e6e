/* SPDX-License-Identifier: Apache-2.0
 *
 * gaiconf.c - see gaiconf.h.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "shim/libc/descriptor.h"
#include "shim/libc/libc.h"
#include "shim/view/gaiconf.h"

/* What glibc assumes for an address that no line fits. */
static const uint32_t gaiconf_default[GAICONF_KIND_COUNT] = {1, 40};

void gaiconf_init(struct gaiconf *conf, const uint8_t *const addresses[GAICONF_ADDRESSES])
{
    conf->len = 0;
    conf->ignored = false;
    for (int kind = 0; kind < GAICONF_KIND_COUNT; kind++)
        conf->kinds[kind].given = false;
    for (int i = 0; i < GAICONF_ADDRESSES; i++) {
        conf->addresses[i] = addresses[i];
        for (int kind = 0; kind < GAICONF_KIND_COUNT; kind++) {
            conf->kinds[kind].bits[i] = -1;
            conf->kinds[kind].value[i] = gaiconf_default[kind];
        }
    }
}

/* ---- words ---- */

/* -1: not a digit of that base. */
static int gaiconf_digit(char c, int base)
{
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

    digit = c >= 'A' && c <= 'F' ? c - 'A' + 10 : digit;
    return digit < base ? digit : -1;
}

/* A number up to `max`, and in *at what is behind it. -1: none. */
static long gaiconf_number(const char **at, int base, long max)
{
    const char *from = *at;
    long value = 0;

    for (int digit; (digit = gaiconf_digit(**at, base)) >= 0; (*at)++)
        if ((value = value * base + digit) > max)
            return -1;
    return *at == from ? -1 : value;
}

/* The last four bytes as a.b.c.d. */
static bool gaiconf_dotted(const char *text, uint8_t ret[4])
{
    for (int i = 0; i < 4; i++) {
        long value = gaiconf_number(&text, 10, 255);

        if (value < 0 || *text != (i < 3 ? '.' : '\0'))
            return false;
        ret[i] = (uint8_t)value;
        text++;
    }
    return true;
}

/* The bytes of an IPv6 address before its gap, and behind it. */
struct gaiconf_parts {
    uint8_t bytes[16];
    int count;
    int gap; /* where it is; -1: there is none */
};

/* One group and the colons behind it. NULL: it is none. */
static const char *gaiconf_group(const char *at, struct gaiconf_parts *parts)
{
    const char *from = at;
    long value = gaiconf_number(&at, 16, 0xffff);

    if (*at == '.' && parts->count <= 12 && gaiconf_dotted(from, parts->bytes + parts->count)) {
        parts->count += 4;
        return "";
    }
    if (value < 0 || parts->count > 14)
        return NULL;
    parts->bytes[parts->count++] = (uint8_t)(value >> 8);
    parts->bytes[parts->count++] = (uint8_t)value;
    if (*at == '\0')
        return at;
    if (*at++ != ':' || *at == '\0')
        return NULL;
    if (*at != ':')
        return at;
    if (parts->gap >= 0)
        return NULL;
    parts->gap = parts->count;
    return at + 1;
}

static bool gaiconf_address(const char *text, uint8_t ret[16])
{
    struct gaiconf_parts parts = {.gap = -1};
    int behind;

    if (text[0] == ':' && text[1] == ':') {
        parts.gap = 0;
        text += 2;
    }
    while (*text)
        if (!(text = gaiconf_group(text, &parts)))
            return false;
    if (parts.gap < 0 ? parts.count != 16 : parts.count > 14)
        return false;
    behind = parts.gap < 0 ? 0 : parts.count - parts.gap;
    for (int i = 0; i < 16; i++) {
        int from = i < 16 - behind ? i : i - 16 + parts.count;

        ret[i] = i < 16 - behind && i >= parts.count - behind ? 0 : parts.bytes[from];
    }
    return true;
}

/* ---- lines ---- */

static bool gaiconf_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool gaiconf_is(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Ends the word at *at, and goes to the next one. */
static char *gaiconf_word(char **at)
{
    char *word;

    while (gaiconf_is_space(**at))
        (*at)++;
    word = *at;
    while (**at && !gaiconf_is_space(**at))
        (*at)++;
    if (**at)
        *(*at)++ = '\0';
    return word;
}

static bool gaiconf_fits(const uint8_t *address, const uint8_t *prefix, int bits)
{
    int whole = bits / 8, rest = bits % 8;

    for (int i = 0; i < whole; i++)
        if (address[i] != prefix[i])
            return false;
    return rest == 0 || (address[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

/* A prefix with its bits, and a value. What is no such pair is ignored, as in glibc. */
static void gaiconf_take(struct gaiconf *conf, enum gaiconf_kind kind, char *prefix,
                         const char *value)
{
    uint8_t bytes[16];
    const char *end = NULL;
    long bits = 128, number = gaiconf_number(&value, 10, INT32_MAX);

    for (char *at = prefix; *at && !end; at++)
        if (*at == '/') {
            *at = '\0';
            end = at + 1;
        }
    if (end)
        bits = gaiconf_number(&end, 10, 128);
    if (number < 0 || *value || bits < 0 || (end && *end) || !gaiconf_address(prefix, bytes))
        return;
    conf->kinds[kind].given = true;
    for (int i = 0; i < GAICONF_ADDRESSES; i++)
        if (bits > conf->kinds[kind].bits[i] &&
            gaiconf_fits(conf->addresses[i], bytes, (int)bits)) {
            conf->kinds[kind].bits[i] = (int)bits;
            conf->kinds[kind].value[i] = (uint32_t)number;
        }
}

void gaiconf_end(struct gaiconf *conf)
{
    char *at = conf->line, *what, *prefix, *value;

    conf->line[conf->len] = '\0';
    conf->len = 0;
    conf->ignored = false;
    what = gaiconf_word(&at);
    prefix = gaiconf_word(&at);
    value = gaiconf_word(&at);
    if (gaiconf_is(what, "label"))
        gaiconf_take(conf, GAICONF_LABEL, prefix, value);
    else if (gaiconf_is(what, "precedence"))
        gaiconf_take(conf, GAICONF_PRECEDENCE, prefix, value);
}

/* A line that does not fit is ignored whole: half of a number is another number. */
static void gaiconf_add(struct gaiconf *conf, char c)
{
    if (c == '#')
        conf->ignored = true;
    if (conf->ignored || (conf->len == 0 && gaiconf_is_space(c)))
        return;
    if (conf->len < sizeof(conf->line) - 1) {
        conf->line[conf->len++] = c;
        return;
    }
    conf->ignored = true;
    conf->len = 0;
}

void gaiconf_feed(struct gaiconf *conf, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] == '\n')
            gaiconf_end(conf);
        else
            gaiconf_add(conf, bytes[i]);
}

/* Without blocking, because the file may be anything. */
void gaiconf_read(struct gaiconf *conf)
{
    char bytes[512];
    long count, all = 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/etc/gai.conf",
                          O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    fd = descriptor_lift(fd, DESCRIPTOR_LOWEST);
    if (fd < 0)
        return;
    while (all < GAICONF_SIZE_MAX && (count = syscall(SYS_read, fd, bytes, sizeof(bytes))) > 0) {
        gaiconf_feed(conf, bytes, (size_t)count);
        all += count;
    }
    gaiconf_end(conf);
    descriptor_close(fd);
}
