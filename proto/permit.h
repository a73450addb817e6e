/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.h - what a process hands over so that its outdated connections can be severed, and the
 * tags that say which of its sockets are for which endpoint.
 *
 * One pass: at its first managed connect() the shim opens a NETLINK_SOCK_DIAG socket in its own
 * network namespace and creates the tag memory, and sends both descriptors with permit_hello over a
 * Unix stream connection to permit.sock, which it then leaves open and never touches again: its end
 * tells that the process is gone. Nothing is ever sent back. homing-sever trusts none of it: a
 * tag only tells writer use from reader use; what is severed must by the kernel's own dump be
 * connected to the demoted member (W7).
 *
 * Shared by shim and homing-sever; libc-neutral.
 */
#ifndef HOMING_PROTO_PERMIT_H
#define HOMING_PROTO_PERMIT_H

#include <stddef.h>
#include <stdint.h>

/* [2, "permit", [1]]: a MessagePack-RPC notification; 1 is the version of the tags' layout. */
static const uint8_t permit_hello[] = {0x93, 0x02, 0xa6, 'p', 'e', 'r', 'm', 'i', 't', 0x91, 0x01};

/* Descriptors that come with it, with the hello's first byte and in this order, exactly these two.
 * Anything else, or anything that follows, and the connection is closed. */
enum permit_fd {
    PERMIT_FD_NETLINK, /* AF_NETLINK, SOCK_RAW or SOCK_DGRAM, NETLINK_SOCK_DIAG; not bound, not
                          connected; the sender closes its own copy */
    PERMIT_FD_TAGS,    /* memfd of sizeof(struct tag_memory) bytes with PERMIT_TAG_SEALS at least */
    PERMIT_FD_COUNT
};

/* F_SEAL_SHRINK and F_SEAL_GROW of <fcntl.h>, by value: this header includes none of libc's. What
 * lacks one is refused. */
#define PERMIT_TAG_SEALS (0x0002 | 0x0004)

#define TAG_MAGIC   0x0073676174676d68ull /* "hmgtags" in memory order on little endian */
#define TAG_VERSION 1

/* One slot per descriptor number below it. A program that connects with higher numbers is
 * redirected, but not severed. The memory is sparse: 4 KiB for each 128 numbers in use. */
#define TAG_SLOTS 65536

typedef _Atomic uint64_t tag_word;

/* Written by the shim alone, in this order: cookie 0, the rest, cookie (release). A reader that
 * finds cookie 0 skips the slot; what it misses so is found by the next sweep. */
struct tag {
    tag_word cookie;     /* SO_COOKIE of the socket; 0: none */
    tag_word endpoint;   /* id: hash of the endpoint's first name */
    tag_word generation; /* of the endpoint, read before the destination was chosen */
    tag_word since_ms;   /* CLOCK_MONOTONIC at the connect */
};

/* Counters of this process. When it hands over anew they move to the new memory, and the old one's
 * are 0 but for what came late: the sum over all memories of a process is what it did since its
 * start. */
enum tag_count {
    TAG_COUNT_CONNECTS,       /* managed connects */
    TAG_COUNT_REDIRECTED,     /* sent to the writer instead */
    TAG_COUNT_WOULD_REDIRECT, /* the same in observe */
    TAG_COUNT_REFUSED,        /* no_writer: ECONNREFUSED by our doing */
    TAG_COUNT_SHARED_ADDRESS, /* not redirected: two endpoints of the process claim the address */
    TAG_COUNT_UNTRACKED,      /* not redirected: the table of seen addresses is full */
    TAG_COUNT_COUNT
};

struct tag_header {
    tag_word magic;
    tag_word version;
    tag_word slots; /* TAG_SLOTS */
    tag_word counts[29];
};

struct tag_memory {
    struct tag_header header;
    struct tag slots[TAG_SLOTS];
};

_Static_assert(sizeof(struct tag) == 32, "layout is the contract");
_Static_assert(sizeof(struct tag_header) == 256, "layout is the contract");
_Static_assert(sizeof(struct tag_memory) == 256 + 32 * TAG_SLOTS, "layout is the contract");
_Static_assert(TAG_COUNT_COUNT <= 29, "counters fit");

#endif
