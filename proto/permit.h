/* SPDX-License-Identifier: Apache-2.0
 *
 * permit.h - what a process hands over so that its outdated connections can be severed, and the
 * tags that say which endpoint each of its sockets is for.
 *
 * One pass: at its first managed connect() the shim opens a NETLINK_SOCK_DIAG socket in its own
 * network namespace and creates the tag memory. It sends both descriptors with a hello over a
 * Unix stream connection to permit.sock. It leaves that connection open and never uses it again;
 * when it ends, the process is gone. Nothing is sent back. homing-sever trusts none of it: a
 * tag only tells writer use from reader use, and a connection is severed only if the kernel's own
 * dump says that it is to the demoted member (W7).
 *
 * Shared by the shim and homing-sever: libc-neutral.
 */
#ifndef HOMING_PROTO_PERMIT_H
#define HOMING_PROTO_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAG_MAGIC   0x0073676174676d68ull /* "hmgtags" in memory order on little endian */
#define TAG_VERSION 2

/* There is one slot for each descriptor number below `slots`, which the process chooses. A connect
 * with a higher number is redirected, but its connection is not severed. The memory is sparse: 4 KiB
 * for each 128 numbers in use. The most slots are what 32 MiB have room for: up to the number of
 * descriptors that Linux lets a process have by default. */
#define TAG_SLOTS_MIN 64
#define TAG_SLOTS_MAX (((32u << 20) - 256) / 32)

/* [2, "permit", [TAG_VERSION, slots: u32, flags: u32]]: a MessagePack-RPC notification. The numbers
 * are big endian as always in MessagePack, and have their full width. */
#define PERMIT_HELLO_SIZE 21
#define PERMIT_AT_SLOTS   12
#define PERMIT_AT_FLAGS   17
static const uint8_t permit_hello_frame[PERMIT_HELLO_SIZE] = {
    0x93, 0x02, 0xa6, 'p', 'e', 'r',  'm', 'i', 't', 0x93, TAG_VERSION, /* */
    0xce, 0,    0,    0,   0,   0xce, 0,   0,   0,   0,
};

/* Flags say what the sender understands. homing-sever ignores those that it does not know. So it
 * may learn to answer, and no process that does not read answers is sent any. */
#define PERMIT_FLAG_ANSWERS 0x1u /* it reads what is sent back. No shim sets it yet */

struct permit_hello {
    uint32_t slots; /* of the tag memory */
    uint32_t flags;
};

/* Exactly these two descriptors come with it, in this order, with the hello's first byte. If
 * anything else comes, or anything after it, the connection is closed. */
enum permit_fd {
    PERMIT_FD_NETLINK, /* AF_NETLINK, SOCK_RAW or SOCK_DGRAM, NETLINK_SOCK_DIAG; neither bound nor
                          connected; the sender closes its own copy */
    PERMIT_FD_TAGS,    /* memfd of tag_memory_size(slots) bytes with PERMIT_TAG_SEALS at least */
    PERMIT_FD_COUNT
};

/* F_SEAL_SHRINK and F_SEAL_GROW of <fcntl.h>, by value, because this header includes none of
 * libc's. A memory that lacks one of them is refused. */
#define PERMIT_TAG_SEALS (0x0002 | 0x0004)

typedef _Atomic uint64_t tag_word;

/* In a tag, in place of an endpoint: the connection is not to be severed, for whatever name it was
 * made. Without a tag, an order for untagged connections would abort it. */
#define TAG_ENDPOINT_NONE 0

/* Only the shim writes it: cookie 0, then the rest, then the cookie, each with release. A reader
 * that finds cookie 0 skips the slot; if it misses a tag so, the next sweep finds it. */
struct tag {
    tag_word cookie;     /* SO_COOKIE of the socket; 0: none */
    tag_word endpoint;   /* id: hash of the endpoint's first name */
    tag_word generation; /* of the endpoint, read before the destination was chosen; 0: before all
                            that were ever given, and if another such connection follows after it
                            was severed, that one stays (W7) */
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
    TAG_COUNT_SHARED_ADDRESS, /* left as it is, because another name may be meant, or taken for a
                                 writer's although a reader's name may be meant */
    TAG_COUNT_UNTRACKED,      /* left as it is: the table of seen addresses is full */
    TAG_COUNT_BEHIND,         /* for a writer's name, to a demoted member: severed soon (W7) */
    TAG_COUNT_LATE,           /* tagged late: made while homing was not looking */
    TAG_COUNT_COUNT
};

struct tag_header {
    tag_word magic;
    tag_word version;
    tag_word slots; /* as in the hello */
    tag_word counts[29];
};

struct tag_memory {
    struct tag_header header;
    struct tag slots[];
};

static inline size_t tag_memory_size(uint32_t slots)
{
    return sizeof(struct tag_memory) + (size_t)slots * sizeof(struct tag);
}

static inline void permit_put(uint8_t *at, uint32_t value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

static inline uint32_t permit_get(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void permit_hello_encode(const struct permit_hello *hello,
                                       uint8_t ret_bytes[PERMIT_HELLO_SIZE])
{
    for (size_t i = 0; i < PERMIT_HELLO_SIZE; i++)
        ret_bytes[i] = permit_hello_frame[i];
    permit_put(ret_bytes + PERMIT_AT_SLOTS, hello->slots);
    permit_put(ret_bytes + PERMIT_AT_FLAGS, hello->flags);
}

/* Whether `bytes` are exactly such a hello, of this version, with a number of slots that is
 * allowed. */
static inline bool permit_hello_check(const uint8_t *bytes, size_t len,
                                      struct permit_hello *ret_hello)
{
    if (len != PERMIT_HELLO_SIZE)
        return false;
    for (size_t i = 0; i < PERMIT_HELLO_SIZE; i++)
        if (i - PERMIT_AT_SLOTS >= 4 && i - PERMIT_AT_FLAGS >= 4 &&
            bytes[i] != permit_hello_frame[i])
            return false;
    ret_hello->slots = permit_get(bytes + PERMIT_AT_SLOTS);
    ret_hello->flags = permit_get(bytes + PERMIT_AT_FLAGS);
    return ret_hello->slots >= TAG_SLOTS_MIN && ret_hello->slots <= TAG_SLOTS_MAX;
}

_Static_assert(sizeof(struct tag) == 32, "layout is the contract");
_Static_assert(sizeof(struct tag_header) == 256, "layout is the contract");
_Static_assert(offsetof(struct tag_memory, slots) == 256, "layout is the contract");
_Static_assert(TAG_COUNT_COUNT <= 29, "counters fit");

#endif
