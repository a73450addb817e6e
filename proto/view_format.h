/* SPDX-License-Identifier: Apache-2.0
 *
 * view_format.h - the layout of the view: the memory that homingd writes and every shim reads.
 *
 * One pass: a reader hashes a canonical name, and walks the slots from hash & (slot_count-1) until
 * it finds hash and name, or an empty slot. It loads `seq`, copies copies[seq & 1] and loads `seq`
 * again. If both are equal, it looks at the copy (V1), and checks each index and length there (V2).
 *
 * Every word is a 64-bit atomic. The writer changes copies[(seq + 1) & 1] and then stores seq + 1:
 * if it is killed at any moment, one whole copy is left. The key of a slot (hash, name) is written
 * once in the life of a view. A name that leaves the configuration gets VIEW_MODE_GONE. Byte order
 * and alignment are the machine's, because the view never leaves it.
 */
#ifndef HOMING_PROTO_VIEW_FORMAT_H
#define HOMING_PROTO_VIEW_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define VIEW_MAGIC 0x0077656976676d68ull /* "hmgview" in memory order on little endian */
#define VIEW_MAJOR 1                     /* a reader refuses a view with any other */
#define VIEW_MINOR 0

typedef _Atomic uint64_t view_word;

/* What the layers may do with a name. From VIEW_MODE_NAMES on each mode includes the one before. */
enum view_mode {
    VIEW_MODE_GONE,    /* the name is no longer configured: as if it were not in the table */
    VIEW_MODE_OFF,     /* managed, but untouched */
    VIEW_MODE_OBSERVE, /* change nothing; count what would have been done */
    VIEW_MODE_NAMES,
    VIEW_MODE_CONNECT,
    VIEW_MODE_SEVER,
    VIEW_MODE_COUNT
};

/* The state of an endpoint's cluster. A table in PROTOCOL.md says what each layer does in it. */
enum view_state {
    VIEW_STATE_UNKNOWN, /* nothing confirmed yet: ask the real resolver */
    VIEW_STATE_STEADY,
    VIEW_STATE_SUSPECT,
    VIEW_STATE_NO_WRITER,
    VIEW_STATE_AMBIGUOUS,
    VIEW_STATE_FROZEN,
    VIEW_STATE_STALE, /* nothing was confirmed lately: W9 */
    VIEW_STATE_COUNT
};

enum view_role {
    VIEW_ROLE_WRITER,
    VIEW_ROLE_READER,
    VIEW_ROLE_COUNT
};

/* The word for each of them; "?" for a value that is none. */

/* view_member.flags */
#define VIEW_MEMBER_WRITER 0x1u /* the published writer */
#define VIEW_MEMBER_READER 0x2u /* serves reader endpoints now */
/* It is known to be demoted (W6), and never the answer of a writer endpoint. */
#define VIEW_MEMBER_DEMOTED 0x4u

/* One whole answer for one name. All times in milliseconds. */
struct view_answer {
    view_word meta; /* mode | state << 8 | role << 16 | preferred family (4 or 6) << 24 | port << 32
                       | reserved << 48 */
    view_word generation;     /* counts changes of the answer; it only grows, restarts or not */
    view_word endpoint;       /* its id: the hash of the endpoint's first name */
    view_word confirmed_ms;   /* CLOCK_MONOTONIC of the last confirmation (W9); 0: never. Only this
                                    word changes also in the copy that readers are sent to */
    view_word hold_max_stale; /* hold | max_stale << 32 */
    view_word keepalive_cluster; /* keepalive, 0: not set | cluster index << 32 */
    view_word text4[2];          /* the IPv4 address as text, zero-padded; empty: there is none */
    view_word text6[6];          /* the IPv6 address, at most 45 bytes, in the same way */
    view_word reserved[2];
};

/* 9 cache lines. A lookup touches the first one, if the name has up to 32 bytes, and two of a
 * copy. */
struct view_slot {
    view_word hash; /* 0: the slot is empty. Stored last, with release, when the key is complete */
    view_word len;  /* of the name */
    view_word seq;
    view_word reserved;
    view_word name[HOMING_NAME_WORDS];
    view_word reserved2[4];
    struct view_answer copies[2];
};

/* One address of one member. */
struct view_member {
    view_word addr[2]; /* network byte order; IPv4 in the first 4 bytes, the rest 0 */
    view_word meta;    /* family (4 or 6) | flags << 8 | port << 16 | member index << 32 */
    view_word text[6]; /* the address as text, zero-padded */
};

struct view_members {
    view_word count; /* at most HOMING_VIEW_ADDRESSES_MAX */
    struct view_member at[HOMING_VIEW_ADDRESSES_MAX];
};

struct view_cluster {
    view_word seq;
    view_word reserved[5];
    struct view_members copies[2];
};

_Static_assert(sizeof(struct view_members) == 289 * 8, "layout is the contract");
_Static_assert(sizeof(struct view_cluster) == 584 * 8, "layout is the contract");

/* The first page. The words up to `clusters_offset` never change after a reader has got the
 * view. */
struct view_header {
    view_word magic;
    view_word version;    /* major << 32 | minor */
    view_word size;       /* of the whole view in bytes, which is the size of the file */
    view_word instance;   /* random, one per memfd */
    view_word slot_count; /* power of two */
    view_word cluster_count;
    view_word slots_offset;
    view_word clusters_offset;
    view_word heartbeat_ms;   /* CLOCK_MONOTONIC, every HOMING_HEARTBEAT_MS (V3) */
    view_word retired;        /* not 0: attach again (V4) */
    view_word sever_instance; /* random, one per homing-sever; 0: none */
    view_word reserved[53];
};

_Static_assert(sizeof(view_word) == 8, "views hold 64-bit words");
_Static_assert(sizeof(struct view_answer) == 16 * 8, "layout is the contract");
_Static_assert(sizeof(struct view_slot) == 72 * 8, "layout is the contract");
_Static_assert(offsetof(struct view_slot, name) == 32, "layout is the contract");
_Static_assert(offsetof(struct view_slot, copies) == 40 * 8, "a copy is two whole cache lines");
_Static_assert(sizeof(struct view_member) == 9 * 8, "layout is the contract");
_Static_assert(offsetof(struct view_header, heartbeat_ms) == 64, "beats on its own cache line");
_Static_assert(sizeof(struct view_header) == 64 * 8, "layout is the contract");

#endif
