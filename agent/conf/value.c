/* SPDX-License-Identifier: Apache-2.0
 *
 * value.c - as conf/value.h says.
 */
#include "config.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/conf/value.h"
#include "proto/name.h"
#include "proto/view_names.h"

/* ---- numbers ---- */

struct unit {
    const char *name;
    uint64_t factor;
};

/* The smallest first. */
static const struct unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {NULL, 0}};
static const struct unit sizes[] = {
    {"B", 1},        {"kB", 1 << 10},           {"MB", 1 << 20},
    {"GB", 1 << 30}, {"TB", (uint64_t)1 << 40}, {NULL, 0},
};

/* Digits, no sign: *ret_rest points behind them. 15 digits: no factor here makes them overflow. */
static bool read_digits(const char *text, uint64_t *ret_number, const char **ret_rest)
{
    uint64_t number = 0;
    size_t count = 0;
    for (; text[count] >= '0' && text[count] <= '9'; count++) {
        if (count == 15)
            return false;
        number = number * 10 + (uint64_t)(text[count] - '0');
    }
    *ret_number = number;
    *ret_rest = text + count;
    return count != 0;
}

static bool find_factor(const struct unit *units, const char *name, uint64_t *ret_factor)
{
    for (; units->name; units++) {
        if (strcmp(units->name, name) == 0) {
            *ret_factor = units->factor;
            return true;
        }
    }
    return false;
}

static const char *read_duration(const char *text, uint64_t *ret_ms)
{
    uint64_t number, factor;
    const char *rest;
    if (!read_digits(text, &number, &rest))
        return "is not a duration; write an integer and ms, s or m, as in 250ms";
    if (*rest == '\0')
        return "has no unit; write ms, s or m behind it, as in 250ms";
    if (!find_factor(durations, rest, &factor))
        return "is not a duration; the units are ms, s and m, as in 250ms";
    *ret_ms = number * factor;
    return NULL;
}

static const char *read_size(const char *text, uint64_t *ret_bytes)
{
    uint64_t number, factor;
    const char *rest;
    if (!read_digits(text, &number, &rest))
        return "is not a size; write an integer and B, kB, MB, GB or TB, as in 16MB";
    if (*rest == '\0')
        return "has no unit; write B, kB, MB, GB or TB behind it, as in 16MB";
    if (!find_factor(sizes, rest, &factor))
        return "is not a size; the units are B, kB, MB, GB and TB, as in 16MB";
    if (number > UINT64_MAX / factor)
        return "is too large";
    *ret_bytes = number * factor;
    return NULL;
}

static const char *read_number(const char *text, uint64_t *ret_number)
{
    uint64_t number;
    const char *rest;
    if (!read_digits(text, &number, &rest) || *rest != '\0')
        return "is not a number; write digits only";
    *ret_number = number;
    return NULL;
}

static const char *read_port(const char *text, uint64_t *ret_port)
{
    uint64_t port;
    if (read_number(text, &port) || port == 0 || port > 65535)
        return "is not a port; write a number of 1 to 65535";
    *ret_port = port;
    return NULL;
}

static const char *read_bool(const char *text, uint64_t *ret_value)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return "is neither true nor false; write one of them";
    *ret_value = *text == 't';
    return NULL;
}

static const char *read_mode(const char *text, uint64_t *ret_mode)
{
    enum view_mode mode;
    if (!view_mode_parse(text, &mode))
        return "is no mode; write off, observe, names, connect or sever";
    *ret_mode = mode;
    return NULL;
}

static const char *read_family(const char *text, uint64_t *ret_family)
{
    if (strcmp(text, "auto") == 0)
        *ret_family = CONF_FAMILY_AUTO;
    else if (strcmp(text, "4") == 0)
        *ret_family = CONF_FAMILY_4;
    else if (strcmp(text, "6") == 0)
        *ret_family = CONF_FAMILY_6;
    else
        return "is no address family; write auto, 4 or 6";
    return NULL;
}

static const char *read_role(const char *text, uint64_t *ret_role)
{
    enum view_role role;
    if (!view_role_parse(text, &role))
        return "is neither writer nor reader; write one of them";
    *ret_role = role;
    return NULL;
}

const char *conf_value_read(enum conf_type type, const char *text, uint64_t *ret_number)
{
    switch (type) {
    case CONF_TYPE_DURATION:
        return read_duration(text, ret_number);
    case CONF_TYPE_SIZE:
        return read_size(text, ret_number);
    case CONF_TYPE_PORT:
        return read_port(text, ret_number);
    case CONF_TYPE_BOOL:
        return read_bool(text, ret_number);
    case CONF_TYPE_MODE:
        return read_mode(text, ret_number);
    case CONF_TYPE_FAMILY:
        return read_family(text, ret_number);
    case CONF_TYPE_ROLE:
        return read_role(text, ret_number);
    default:
        return read_number(text, ret_number);
    }
}

/* In the largest unit that is exact. */
static void print_units(const struct unit *units, uint64_t number, char *ret, size_t size)
{
    const struct unit *unit = units;
    for (; units->name; units++)
        if (number % units->factor == 0)
            unit = units;
    snprintf(ret, size, "%" PRIu64 "%s", number / unit->factor, unit->name);
}

void conf_value_print(enum conf_type type, uint64_t number, char *ret, size_t size)
{
    if (type == CONF_TYPE_DURATION && number != 0)
        print_units(durations, number, ret, size);
    else if (type == CONF_TYPE_DURATION)
        snprintf(ret, size, "0s");
    else if (type == CONF_TYPE_SIZE && number != 0)
        print_units(sizes, number, ret, size);
    else if (type == CONF_TYPE_SIZE)
        snprintf(ret, size, "0B");
    else if (type == CONF_TYPE_BOOL)
        snprintf(ret, size, number ? "true" : "false");
    else if (type == CONF_TYPE_MODE)
        snprintf(ret, size, "%s", view_mode_name((enum view_mode)number));
    else if (type == CONF_TYPE_ROLE)
        snprintf(ret, size, "%s", view_role_name((enum view_role)number));
    else if (type == CONF_TYPE_FAMILY && number == CONF_FAMILY_AUTO)
        snprintf(ret, size, "auto");
    else
        snprintf(ret, size, "%" PRIu64, number);
}

/* ---- networks and hosts ---- */

static uint8_t read_literal(const char *text, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    if (inet_pton(AF_INET, text, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
}

static bool has_host_bits(const struct conf_network *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++)
        if (network->bytes[bit / 8] & (0x80 >> bit % 8))
            return true;
    return false;
}

const char *conf_value_network(const char *text, struct conf_network *ret_network)
{
    struct conf_network network;
    char address[INET6_ADDRSTRLEN];
    uint64_t bits = 0;
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof(address))
        return "is not a network; write address/bits, as in 10.0.0.0/8";
    memcpy(address, text, len);
    address[len] = '\0';
    network.family = read_literal(address, network.bytes);
    if (network.family == 0 || (slash && read_number(slash + 1, &bits)))
        return "is not a network; write address/bits, as in 10.0.0.0/8";
    unsigned most = network.family == 4 ? 32 : 128;
    if (bits > most)
        return "has more bits than the address; at most 32 with IPv4, 128 with IPv6";
    network.bits = (uint8_t)(slash ? bits : most);
    if (has_host_bits(&network))
        return "is an address inside a network; set the bits beyond its prefix to 0";
    *ret_network = network;
    return NULL;
}

/* 10.0.0.256 is a well-formed name, and never a good one. */
static bool looks_numeric(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == '.')
        len--;
    while (len > 0 && text[len - 1] >= '0' && text[len - 1] <= '9')
        len--;
    return len != strlen(text) && (len == 0 || text[len - 1] == '.');
}

const char *conf_value_host(const char *text, struct conf_host *ret_host)
{
    struct conf_host host;
    struct name name;
    host.family = read_literal(text, host.bytes);
    if (host.family != 0) {
        inet_ntop(host.family == 4 ? AF_INET : AF_INET6, host.bytes, host.text, sizeof(host.text));
    } else {
        if (looks_numeric(text))
            return "is not an IPv4 address; write four numbers of 0 to 255";
        if (!name_valid(text) || !name_canonical(text, &name))
            return "is not a host; write a DNS name or an address";
        memcpy(host.text, name.words, name.len);
        host.text[name.len] = '\0';
    }
    *ret_host = host;
    return NULL;
}

/* [v6] or [v6]:port; `text` points behind the bracket. */
static const char *split_bracketed(const char *text, char *host, const char **ret_port)
{
    const char *close = strchr(text, ']');
    if (!close || close - text >= INET6_ADDRSTRLEN || (close[1] != '\0' && close[1] != ':'))
        return "is not [address]:port; write it so, in quotes";
    memcpy(host, text, (size_t)(close - text));
    host[close - text] = '\0';
    uint8_t bytes[16];
    if (read_literal(host, bytes) != 6)
        return "has no IPv6 address in its brackets; names and IPv4 addresses need none";
    *ret_port = close[1] == ':' ? close + 2 : NULL;
    return NULL;
}

static const char *split_port(const char *text, char *host, const char **ret_port)
{
    if (*text == '[')
        return split_bracketed(text + 1, host, ret_port);
    const char *colon = strchr(text, ':');
    bool bare_v6 = colon && strchr(colon + 1, ':');
    size_t len = colon && !bare_v6 ? (size_t)(colon - text) : strlen(text);
    if (len >= CONF_HOST_MAX)
        return "is too long for a host";
    memcpy(host, text, len);
    host[len] = '\0';
    *ret_port = colon && !bare_v6 ? colon + 1 : NULL;
    return NULL;
}

const char *conf_value_member(const char *text, struct conf_host *ret_host, uint16_t *ret_port)
{
    char host[CONF_HOST_MAX];
    const char *port;
    uint64_t number;
    const char *wrong = split_port(text, host, &port);
    if (!wrong && port && read_port(port, &number))
        wrong = "has no good port; write a number of 1 to 65535 behind the colon";
    if (!wrong)
        wrong = conf_value_host(host, ret_host);
    if (!wrong && port)
        *ret_port = (uint16_t)number;
    return wrong;
}
