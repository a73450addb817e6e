/* SPDX-License-Identifier: Apache-2.0
 *
 * route.c - asks the kernel for routes, and remembers what it said.
 *
 * What is remembered for two addresses is one word: three bits of the answer, until when it counts
 * (38 bits of milliseconds, 8 years), and the upper bits of the hash of both texts. Two pairs with
 * the same bits in the same places would be taken for each other, one in some millions; the worst
 * that comes of it is the other order, for ROUTE_KEEP_MS.
 */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "shim/libc/libc.h"
#include "shim/libc/socket.h"
#include "shim/view/prefer.h"
#include "shim/view/route.h"
#include "shim/view/seen.h"

/* A process asks for a few names, each with one pair, or one for each reader. */
#define ROUTE_WORDS  128
#define ROUTE_PROBES 4

enum {
    ROUTE_FOUR = 1,
    ROUTE_SIX = 2,
    ROUTE_SIX_FIRST = 4
};

#define ROUTE_UNTIL_AT 3
#define ROUTE_TAG_AT   41
#define ROUTE_UNTIL    ((1ull << (ROUTE_TAG_AT - ROUTE_UNTIL_AT)) - 1)

static _Atomic uint64_t route_words[ROUTE_WORDS];

/* ---- what is remembered ---- */

struct route_text {
    uint64_t word;
} __attribute__((packed, may_alias));

static uint64_t route_hash_text(uint64_t hash, const char *text)
{
    uint64_t word;

    do {
        word = ((const struct route_text *)text)->word;
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 32;
        text += sizeof(word);
    } while (!((word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull)); /* no zero byte */
    return hash;
}

static uint64_t route_hash(const char *text, const char *other)
{
    return route_hash_text(route_hash_text(0, text), other) * 0x9e3779b97f4a7c15ull;
}

static _Atomic uint64_t *route_at(uint64_t hash, unsigned probe)
{
    return &route_words[(hash + probe) % ROUTE_WORDS];
}

static bool route_counts(uint64_t word, uint64_t now_ms)
{
    return (((word >> ROUTE_UNTIL_AT) - now_ms - 1) & ROUTE_UNTIL) < ROUTE_KEEP_MS;
}

bool route_recall(const char *text, const char *other, uint64_t now_ms, struct route *ret)
{
    uint64_t hash = route_hash(text, other);

    for (unsigned i = 0; i < ROUTE_PROBES; i++) {
        uint64_t word = atomic_load_explicit(route_at(hash, i), memory_order_relaxed);

        if (word >> ROUTE_TAG_AT != hash >> ROUTE_TAG_AT || !route_counts(word, now_ms))
            continue;
        *ret = (struct route){word & ROUTE_FOUR, word & ROUTE_SIX, word & ROUTE_SIX_FIRST};
        return true;
    }
    return false;
}

/* Into the place of the pair, else of one that does not count any more, else of any. */
static void route_keep(const char *text, const char *other, const struct route *route,
                       uint64_t now_ms)
{
    uint64_t hash = route_hash(text, other);
    uint64_t keep_ms = route->four && route->six ? ROUTE_KEEP_MS : ROUTE_RETRY_MS;
    uint64_t word = hash >> ROUTE_TAG_AT << ROUTE_TAG_AT |
                    ((now_ms + keep_ms) & ROUTE_UNTIL) << ROUTE_UNTIL_AT |
                    (route->four ? ROUTE_FOUR : 0) | (route->six ? ROUTE_SIX : 0) |
                    (route->six_first ? ROUTE_SIX_FIRST : 0);
    unsigned place = 0;

    for (unsigned i = 0; i < ROUTE_PROBES; i++) {
        uint64_t was = atomic_load_explicit(route_at(hash, i), memory_order_relaxed);

        if (was >> ROUTE_TAG_AT == hash >> ROUTE_TAG_AT) {
            place = i;
            break;
        }
        if (!place && !route_counts(was, now_ms))
            place = i;
    }
    atomic_store_explicit(route_at(hash, place), word, memory_order_relaxed);
}

/* ---- what the kernel says ---- */

static void route_bytes(const struct sockaddr *address, uint8_t ret[16])
{
    const void *at = address->sa_family == AF_INET6
                         ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                         : &((const struct sockaddr_in *)address)->sin_addr;
    struct seen_address as_six = seen_address(address->sa_family, at);

    for (int i = 0; i < 16; i++)
        ret[i] = ((const uint8_t *)as_six.words)[i];
}

/* False: there is no route, or it cannot be asked for. */
static bool route_ask(const struct addrinfo *to, struct prefer_way *ret_way)
{
    struct sockaddr_in6 from = {0};

    if (socket_source(to->ai_addr, to->ai_addrlen, &from) != SOCKET_SOURCE_FOUND)
        return false;
    route_bytes(to->ai_addr, ret_way->to);
    route_bytes((const struct sockaddr *)&from, ret_way->from);
    return true;
}

/* By the order of glibc. */
static bool route_prefers_six(const struct prefer_way *four, const struct prefer_way *six)
{
    struct gaiconf conf;

    prefer_conf(four, six, &conf);
    gaiconf_read(&conf);
    return prefer_six(four, six, &conf);
}

void route_learn(const char *text, const char *other, const struct addrinfo *list,
                 const struct addrinfo *other_list, bool in_this_order, uint64_t now_ms,
                 struct route *ret)
{
    bool six = list->ai_family == AF_INET6;
    struct prefer_way way4, way6;

    ret->four = route_ask(six ? other_list : list, &way4);
    ret->six = route_ask(six ? list : other_list, &way6);
    ret->six_first =
        ret->four && ret->six && (in_this_order ? six : route_prefers_six(&way4, &way6));
    route_keep(text, other, ret, now_ms);
}

/* ---- what is to be listed ---- */

static bool route_is_six(const char *text)
{
    while (*text && *text != ':' && *text != '.')
        text++;
    return *text == ':';
}

void route_sort(const struct route *route, const char *text, const char *other, bool one_member,
                bool only_routed, const char **ret_first, const char **ret_second)
{
    bool six = route_is_six(text);
    bool there = six ? route->six : route->four, other_there = six ? route->four : route->six;
    bool other_first = other_there && (!there || (one_member && route->six_first != six));

    *ret_first = other_first ? other : text;
    *ret_second = other_first ? text : other;
    if (only_routed && there != other_there)
        *ret_second = NULL;
}
