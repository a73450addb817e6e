/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.h - what to do with a lookup of a managed name. Pure: the view's entry, the clock and the
 * question are parameters.
 *
 * In the states steady, suspect, no_writer, ambiguous and frozen the view answers. In unknown the
 * real resolver answers. In stale it answers, too, and its answer is checked (W9). A managed lookup
 * never fails because of the shim, and never waits here.
 */
#ifndef HOMING_SHIM_VIEW_LOOKUP_H
#define HOMING_SHIM_VIEW_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/view_read.h"

enum lookup_action {
    LOOKUP_PASS,   /* the real resolver, as if there were no shim */
    LOOKUP_ANSWER, /* the numeric texts */
    LOOKUP_VERIFY, /* the real resolver; the texts if it fails or names a demoted member (W9) */
    LOOKUP_NONAME, /* there is no address of the family asked for: the name does not exist in it */
    LOOKUP_ACTION_COUNT
};

struct lookup_question {
    uint64_t now_ms;
    int family;    /* AF_UNSPEC, AF_INET or AF_INET6 */
    bool mapped;   /* with AF_INET6: an IPv4 address will do (AI_V4MAPPED) */
    bool all;      /* with `mapped`: an IPv4 address is wanted beside the IPv6 address (AI_ALL) */
    uint32_t turn; /* says which reader of a reader endpoint's is taken */
};

/* The numeric addresses of an answer. Which of two comes first, or comes alone, is route.h's. */
struct lookup_texts {
    const char *text;
    const char *other; /* NULL: none; else of the other family, asked for as well as `text` */
    bool one_member;   /* both are the same member's */
};

/* `readers` are the addresses that serve reader endpoints now. They are not looked at for a writer
 * endpoint. *ret points into `entry` or `readers`. With LOOKUP_NONAME the text is the address of
 * the other family; with LOOKUP_PASS nothing is set. */
enum lookup_action lookup_decide(const struct view_entry *entry,
                                 const struct lookup_question *question,
                                 const struct view_address *readers, uint32_t reader_count,
                                 struct lookup_texts *ret);

/* Whether an address is one of `demoted`. It may be an IPv4 address that is written as IPv6. */
bool lookup_is_demoted(int family, const uint8_t *address, const struct view_address *demoted,
                       uint32_t count);

/* Whether `text` is a numeric address, or nothing but digits, dots and slashes. It is never a
 * managed name then. For most names this takes one comparison, or two. */
static inline bool lookup_is_literal(const char *text)
{
    while ((unsigned char)(*text - '.') <= '9' - '.')
        text++;
    if (*text == '\0')
        return true;
    while ((unsigned char)((*text | 0x20) - 'a') < 6 || (unsigned char)(*text - '0') < 10)
        text++;
    return *text == ':';
}

#endif
