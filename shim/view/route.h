/* SPDX-License-Identifier: Apache-2.0
 *
 * route.h - which of two addresses this process has a route to, and which of them comes first.
 *
 * One pass: a lookup has an address of each family, and calls route_recall(). If nothing is
 * remembered for the two, it has libc make socket addresses of them, and calls route_learn(), which
 * asks the kernel with two UDP sockets: nothing is sent. Then route_sort() says what to list.
 *
 * 1. What is remembered counts for ROUTE_KEEP_MS, and where a family has no route, or none could be
 *    asked for, for ROUTE_RETRY_MS: a network that comes or goes later is noticed then. For other
 *    addresses, as after a switch, it is asked anew.
 * 2. There is no lock. Two threads that come at once both ask. A forked child remembers what its
 *    parent did. route_learn() may change errno.
 * 3. No descriptor outlives a call, and none is ever left at 0, 1 or 2.
 */
#ifndef HOMING_SHIM_VIEW_ROUTE_H
#define HOMING_SHIM_VIEW_ROUTE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/* A longer time leaves a program whose IPv6 went away without the other family for longer, on musl,
 * which can be given only one. A shorter one asks for nothing: routes seldom change. */
#define ROUTE_KEEP_MS 10000

/* A node without IPv6 asks this often, in each process that looks a name up all the time. */
#define ROUTE_RETRY_MS 1000

struct route {
    bool four, six; /* there is a route to it */
    bool six_first; /* of two that there is a route to */
};

/* Both are texts of the view: their last words are whole, and end in zeros. False: ask. */
bool route_recall(const char *text, const char *other, uint64_t now_ms, struct route *ret);

/* `list` and `other_list` are what libc makes of `text` and `other`: their first nodes are of two
 * families. If there is a route to both, the first one is that of glibc's own order (prefer.h), or,
 * with `in_this_order`, `text`. */
void route_learn(const char *text, const char *other, const struct addrinfo *list,
                 const struct addrinfo *other_list, bool in_this_order, uint64_t now_ms,
                 struct route *ret);

/* What is to be listed. Pure. *ret_first and *ret_second are `text` and `other` in their order. With
 * `only_routed` (AI_ADDRCONFIG) there is no second, which is NULL then, if there is a route to the
 * first one alone. If they are two members', the first is the one whose turn it is, unless there is
 * a route to the other one alone. */
void route_sort(const struct route *route, const char *text, const char *other, bool one_member,
                bool only_routed, const char **ret_first, const char **ret_second);

#endif
