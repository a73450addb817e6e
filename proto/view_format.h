/* SPDX-License-Identifier: Apache-2.0
 *
 * view_format.h - the layout of the view: the memory that homingd writes and every shim reads.
 *
 * One pass through it: a reader hashes a canonical name, walks the slots from hash & (slot_count-1)
 * until it finds the hash and the name, or an empty slot. It loads `seq`, copies copies[seq & 1],
 * loads `seq` again, and if both are equal looks at what it copied (V1). It never follows a
 * pointer (there is none) and checks each index and length after the copy (V2).
 *
 * Every word is a 64-bit atomic. The writer changes copies[(seq + 1) & 1] and then stores seq + 1:
 * killed at any moment it leaves one whole copy. A slot's key (hash, name) is written once in the
 * life of a view and never changes; a name that leaves the configuration gets mode VIEW_MODE_GONE.
 * Byte order and alignment are the machine's; the view never leaves it.
 */
#ifndef HOMING_PROTO_VIEW_FORMAT_H
#define HOMING_PROTO_VIEW_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define VIEW_MAGIC 0x0077656976676d68ull /* "hmgview" in memory order on little endian */
#define VIEW_MAJOR 1                     /* a reader refuses any other */
#define VIEW_MINOR 0

typedef _Atomic uint64_t view_word;

/* What the layers may do with a name. Ordered: each mode includes the ones before it. */
enum view_mode {
    VIEW_MODE_GONE,    /* the name is no longer configured: as if it were not in the table */
    VIEW_MODE_OFF,     /* managed, but untouched */
    VIEW_MODE_OBSERVE, /* change nothing; count what would have been done */
    VIEW_MODE_NAMES,
    VIEW_MODE_CONNECT,
    VIEW_MODE_SEVER,
    VIEW_MODE_COUNT
};

/* The state of an endpoint's cluster;
 * the table that says what each layer does is in PROTOCOL.md. */
enum view_state {
    VIEW_STATE_UNKNOWN, /* nothing confirmed yet: ask the real resolver */
    VIEW_STATE_STEADY,
    VIEW_STATE_SUSPECT,
    VIEW_STATE_NO_WRITER,
    VIEW_STATE_AMBIGUOUS,
    VIEW_STATE_FROZEN,
    VIEW_STATE_STALE, /* nothing confirmed lately: W9 */
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
#define VIEW_MEMBER_DEMOTED                                                                        \
    0x4u /* known to be demoted (W6): never an answer for a writer endpoint */

/* One whole answer for one name. All times in milliseconds. */
struct view_answer {
    view_word meta; /* mode | state << 8 | role << 16 | preferred family (4 or 6) << 24 | port << 32
                       | reserved << 48 */
    view_word generation;        /* counts changes of the answer; only grows, across restarts too */
    view_word endpoint;          /* endpoint id: hash of the endpoint's first name */
    view_word confirmed_ms;      /* CLOCK_MONOTONIC of the last confirmation (W9); 0: never. The one
                                    word that also changes in the copy that readers read */
    view_word hold_max_stale;    /* hold | max_stale << 32 */
    view_word keepalive_cluster; /* keepalive, 0: not set | cluster index << 32 */
    view_word text4[2];          /* numeric IPv4 text, zero-padded; empty: the writer has none */
    view_word text6[6];          /* numeric IPv6 text, at most 45 bytes, zero-padded */
    view_word reserved[2];
};

/* 9 cache lines; one lookup touches the first (names of up to 32 bytes) and the two of a copy. */
struct view_slot {
    view_word hash; /* 0: empty; stored last (release) when the key is complete */
    view_word len;  /* of the name */
    view_word seq;
    view_word reserved;
    view_word name[HOMING_NAME_WORDS];
    view_word reserved2[4];
    struct view_answer copies[2];
};

/* One address of one member. */
struct view_member {
    view_word addr[2]; /* network byte order; IPv4 in the first 4 bytes, rest 0 */
    view_word meta;    /* family (4 or 6) | flags << 8 | port << 16 | member index << 32 */
    view_word text[6]; /* numeric text, zero-padded */
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

/* The first page. The words up to `slots_offset` are constant from before the first hand-over. */
struct view_header {
    view_word magic;
    view_word version;    /* major << 32 | minor */
    view_word size;       /* of the whole view in bytes, equal to the file's */
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
