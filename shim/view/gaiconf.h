/* SPDX-License-Identifier: Apache-2.0
 *
 * gaiconf.h - what /etc/gai.conf says of four addresses: the labels and precedences by which glibc
 * puts addresses in order, where an administrator has set them.
 *
 * Called by route.c. gaiconf_init(), then gaiconf_read(), or gaiconf_feed() and gaiconf_end() with
 * the bytes of such a file, in pieces of any size. Bounded, without allocation; all but
 * gaiconf_read() is pure. Of the lines that fit an address the one with the longest prefix counts.
 * If there is any line of a kind, the built-in table of that kind does not count.
 */
#ifndef HOMING_SHIM_VIEW_GAICONF_H
#define HOMING_SHIM_VIEW_GAICONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More is not read: such a file has some thirty lines. */
#define GAICONF_SIZE_MAX 65536

#define GAICONF_ADDRESSES 4

enum gaiconf_kind {
    GAICONF_LABEL,
    GAICONF_PRECEDENCE,
    GAICONF_KIND_COUNT
};

struct gaiconf {
    const uint8_t *addresses[GAICONF_ADDRESSES]; /* of 16 bytes; IPv4 is written as IPv6 */
    struct {
        bool given;
        int bits[GAICONF_ADDRESSES]; /* of the longest prefix so far; -1: none fits */
        uint32_t value[GAICONF_ADDRESSES];
    } kinds[GAICONF_KIND_COUNT];
    /* The line that is being read. */
    char line[128];
    size_t len;
    bool ignored; /* the rest of it: it is a comment, or there is no room for it */
};

void gaiconf_init(struct gaiconf *conf, const uint8_t *const addresses[GAICONF_ADDRESSES]);
void gaiconf_feed(struct gaiconf *conf, const char *bytes, size_t count);
void gaiconf_end(struct gaiconf *conf);

/* All of the file; nothing if there is none, or if it cannot be opened. May change errno. */
void gaiconf_read(struct gaiconf *conf);

#endif
