/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.h - what to do with a lookup of a managed name. Pure: the answer of the view, the clock
 * and the question are parameters.
 *
 * The states, for names: steady, suspect, no_writer, ambiguous and frozen are answered from the
 * view; unknown is left to the real resolver; stale is left to it too and its answer checked (W9).
 * A managed lookup never fails by our doing, and never waits.
 */
#ifndef HOMING_SHIM_LOOKUP_H
#define HOMING_SHIM_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/view_read.h"

enum lookup_action {
    LOOKUP_PASS,   /* the real resolver, as if there were no shim */
    LOOKUP_ANSWER, /* the numeric text */
    LOOKUP_VERIFY, /* the real resolver; the text if it fails or names a demoted member (W9) */
    LOOKUP_NONAME, /* the family asked for is not had: the name does not exist for it */
    LOOKUP_ACTION_COUNT
};

/* family: AF_UNSPEC, AF_INET or AF_INET6. mapped: AF_INET6, and IPv4 will do (AI_V4MAPPED).
 * turn: which of the readers. */
struct lookup_question {
    uint64_t now_ms;
    int family;
    bool mapped;
    uint32_t turn;
};

/* `readers`: addresses that serve reader endpoints now; not looked at for a writer endpoint.
 * *ret_text points into `entry` or `readers`; with NONAME it is the address of the other family;
 * with PASS it is not set. */
enum lookup_action lookup_decide(const struct view_entry *entry,
                                 const struct lookup_question *question,
                                 const struct view_address *readers, uint32_t reader_count,
                                 const char **ret_text);

/* Whether an address, IPv4 also as v4-mapped IPv6, is one of `demoted`. */
bool lookup_is_demoted(int family, const uint8_t *address, const struct view_address *demoted,
                       uint32_t count);

/* Whether `text` is a numeric address, or nothing but digits, dots and slashes: never a managed
 * name. For most names one comparison, or two. */
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
