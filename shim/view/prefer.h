/* SPDX-License-Identifier: Apache-2.0
 *
 * prefer.h - which of two destinations glibc would list first: an IPv4 address or an IPv6 address,
 * if there is a route to both. Pure.
 *
 * Called by route.c. It has what RFC 3484 says of such a pair: rules 2 (scope), 5 (label), 6
 * (precedence) and 8 (the smaller scope). The others ask the kernel for more than an address (3, 4,
 * 7), or do not decide between two families (9).
 */
#ifndef HOMING_SHIM_VIEW_PREFER_H
#define HOMING_SHIM_VIEW_PREFER_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/view/gaiconf.h"

/* A destination, and the address that a connect to it would come from; IPv4 is written as IPv6. */
struct prefer_way {
    uint8_t to[16], from[16];
};

/* `conf` has been told, or told nothing, about the addresses of both as prefer_conf() lists them. */
bool prefer_six(const struct prefer_way *four, const struct prefer_way *six,
                const struct gaiconf *conf);
void prefer_conf(const struct prefer_way *four, const struct prefer_way *six,
                 struct gaiconf *ret_conf);

#endif
