/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.h - what a process hands over so that its outdated connections can be severed, and the
 * tags that say which endpoint each of its sockets is for.
 *
 * One pass: at its first managed connect() the shim opens a NETLINK_SOCK_DIAG socket in its own
 * network namespace and creates the tag memory. It sends both descriptors with permit_hello over a
 * Unix stream connection to permit.sock. It leaves that connection open and never uses it again;
 * when it ends, the process is gone. Nothing is ever sent back. homing-sever trusts none of it: a
 * tag only tells writer use from reader use, and a connection is severed only if the kernel's own
 * dump says that it is to the demoted member (W7).
 *
 * Shared by the shim and homing-sever: libc-neutral.
 */
#ifndef HOMING_PROTO_PERMIT_H
#define HOMING_PROTO_PERMIT_H

#include <stddef.h>
#include <stdint.h>

/* [2, "permit", [1]]: a MessagePack-RPC notification; 1 is the version of the tags' layout. */
static const uint8_t permit_hello[] = {0x93, 0x02, 0xa6, 'p', 'e', 'r', 'm', 'i', 't', 0x91, 0x01};

/* Exactly these two descriptors come with it, in this order, with the hello's first byte. If
 * anything else comes, or anything after it, the connection is closed. */
enum permit_fd {
    PERMIT_FD_NETLINK, /* AF_NETLINK, SOCK_RAW or SOCK_DGRAM, NETLINK_SOCK_DIAG; neither bound nor
                          connected; the sender closes its own copy */
    PERMIT_FD_TAGS,    /* memfd of sizeof(struct tag_memory) bytes with PERMIT_TAG_SEALS at least */
    PERMIT_FD_COUNT
};

/* F_SEAL_SHRINK and F_SEAL_GROW of <fcntl.h>, by value, because this header includes none of
 * libc's. A memory that lacks one of them is refused. */
#define PERMIT_TAG_SEALS (0x0002 | 0x0004)

#define TAG_MAGIC   0x0073676174676d68ull /* "hmgtags" in memory order on little endian */
#define TAG_VERSION 1

/* There is one slot for each descriptor number below this one. A connect with a higher number is
 * redirected, but its connection is not severed. The memory is sparse: 4 KiB for each 128 numbers
 * in use. */
#define TAG_SLOTS 65536

typedef _Atomic uint64_t tag_word;

/* Only the shim writes it: cookie 0, then the rest, then the cookie, each with release. A reader
 * that finds cookie 0 skips the slot; if it misses a tag so, the next sweep finds it. */
struct tag {
    tag_word cookie;     /* SO_COOKIE of the socket; 0: none */
    tag_word endpoint;   /* id: hash of the endpoint's first name */
    tag_word generation; /* of the endpoint, read before the destination was chosen */
    tag_word since_ms;   /* CLOCK_MONOTONIC at the connect */
};

/* Counters of the process. When it hands over anew, they move to the new memory. The old memory
 * keeps only what a late thread counts there. So the sum over all memories of a process is what it
 * has done since its start. */
enum tag_count {
    TAG_COUNT_CONNECTS,       /* managed connects */
    TAG_COUNT_REDIRECTED,     /* connected to another member instead */
    TAG_COUNT_WOULD_REDIRECT, /* in observe: would have been redirected or refused */
    TAG_COUNT_REFUSED,        /* ECONNREFUSED, as there is no writer, or none in that family */
    TAG_COUNT_SHARED_ADDRESS, /* left as it is: the address may be meant for another name */
    TAG_COUNT_UNTRACKED,      /* left as it is: the table of seen addresses is full */
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
