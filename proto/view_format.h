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
 * and alignment are the machine's. The layout is frozen: see VIEW_MAJOR.
 */
#ifndef HOMING_PROTO_VIEW_FORMAT_H
#define HOMING_PROTO_VIEW_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

/* The layout is frozen. Programs run for months with the library that they began with, and it has to
 * work under every later agent (tests/live/frozen.py, tests/shim/ahead.py). With the same major, the
 * layout may grow in three ways, which every reader bears. VIEW_MINOR grows then, too.
 * 1. A word or bit that is reserved gets a meaning. 0 means what it meant before, and what an old
 *    reader does without it stays right.
 * 2. Slots, clusters and official names grow at their end: the header says how far apart they are.
 * 3. A mode, a state, a role or a flag of a member is new. The enums below say what it means to a
 *    reader that does not know it.
 * Any other change is a new major. */
#define VIEW_MAGIC 0x0077656976676d68ull /* "hmgview" in memory order on little endian */
#define VIEW_MAJOR 2                     /* a reader refuses a view with any other */
#define VIEW_MINOR 1

typedef _Atomic uint64_t view_word;

/* What the layers may do with a name. From VIEW_MODE_NAMES on each mode includes the one before. To
 * a reader that does not know a mode, it means VIEW_MODE_CONNECT. */
enum view_mode {
    VIEW_MODE_GONE,    /* the name is no longer configured: as if it were not in the table */
    VIEW_MODE_OFF,     /* managed, but untouched */
    VIEW_MODE_OBSERVE, /* change nothing; count what would have been done */
    VIEW_MODE_NAMES,
    VIEW_MODE_CONNECT,
    VIEW_MODE_SEVER,
    VIEW_MODE_COUNT
};

/* The state of an endpoint's cluster. A table in PROTOCOL.md says what each layer does in it. To a
 * reader that does not know a state, it means VIEW_STATE_STALE: such a reader never sends a connect
 * elsewhere on a guess. */
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

/* To a reader that does not know a role, it means VIEW_ROLE_WRITER. So text4 and text6 hold a
 * valid first choice for every role. 2 and 3 are reserved for endpoints without a writer: the first
 * healthy member, and any healthy member. */
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
/* Reserved for endpoints without a writer. */
#define VIEW_MEMBER_HEALTHY 0x8u
/* Who connects to it hands over a permit, whatever it knows of names: untagged connections are
 * severed, too. */
#define VIEW_MEMBER_PERMIT 0x10u
/* Of an address that a member has left: the data set that was there answers there still. */
#define VIEW_MEMBER_STILL 0x20u

/* view_member's index of an address that a member has left. */
#define VIEW_MEMBER_NOBODY 0xffffu

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
    view_word ports;             /* HOMING_PORTS_MAX other ports, 16 bits each, 0: none */
    view_word reserved;
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
    view_word meta;    /* family (4 or 6) | flags << 8 | port << 16 | member index << 32
                          | reserved for a weight << 48 */
    view_word text[6]; /* the address as text, zero-padded */
};

struct view_members {
    view_word count; /* at most HOMING_VIEW_ADDRESSES_MAX */
    view_word
        officials; /* which official names are the cluster's: index of the first, which is that
                            of member 0, | number << 32 */
    view_word
        ports[2]; /* HOMING_CLUSTER_PORTS_MAX other ports of its endpoints, 16 bits each, 0: none */
    view_word reserved[4];
    struct view_member at[HOMING_VIEW_ADDRESSES_MAX];
};

struct view_cluster {
    view_word seq;
    view_word reserved[7];
    struct view_members copies[2];
};

/* The official name of one member's host, as its own name resolves: what programs get as canonical
 * name. Zero-padded; empty: it is not known. The copy that counts is the one that the cluster's seq
 * says. They stand apart from clusters and slots, because most lookups do not ask for them. */
struct view_official {
    view_word copies[2][HOMING_NAME_WORDS];
};

/* One row of the index of members' addresses: cluster + 1 | upper 48 bits of view_address_key() << 16.
 * 0: free; then there is nothing behind it. A row is a hint: what counts is the cluster's list. The
 * index is written anew, row by row, when it is full of addresses that no member has any more. */

/* The first page. The words up to `clusters_offset`, and those from `slot_stride` on, never change
 * after a reader has got the view. */
struct view_header {
    view_word magic;
    view_word version;    /* major << 32 | minor */
    view_word size;       /* of the whole view in bytes, which is the size of the file */
    view_word instance;   /* random, one per memfd */
    view_word slot_count; /* power of two */
    view_word cluster_count;
    view_word slots_offset;
    view_word clusters_offset;
    view_word heartbeat_ms;    /* CLOCK_MONOTONIC, every HOMING_HEARTBEAT_MS (V3) */
    view_word retired;         /* not 0: attach again (V4) */
    view_word sever_instance;  /* random, one per homing-sever; 0: none */
    view_word permit_clusters; /* how many have VIEW_MEMBER_PERMIT at their addresses */
    view_word
        changes; /* counts up when a name is new here or has another mode or other ports, when its state
                          is unknown or no longer is, and when a cluster has a port that it had not: what
                          was connected before may be of interest now */
    view_word reserved[3];
    /* These never change either. */
    view_word slot_stride; /* bytes from one to the next, at least the size that is known here */
    view_word cluster_stride;
    view_word official_count;
    view_word officials_offset;
    view_word official_stride;
    view_word index_count; /* rows, a power of two; 0: there is no index */
    view_word index_offset;
    view_word reserved2[41];
};

_Static_assert(sizeof(view_word) == 8, "views hold 64-bit words");
_Static_assert(sizeof(struct view_answer) == 16 * 8, "layout is the contract");
_Static_assert(sizeof(struct view_slot) == 72 * 8, "layout is the contract");
_Static_assert(offsetof(struct view_slot, name) == 32, "layout is the contract");
_Static_assert(offsetof(struct view_slot, copies) == 40 * 8, "a copy is two whole cache lines");
_Static_assert(sizeof(struct view_member) == 9 * 8, "layout is the contract");
_Static_assert(sizeof(struct view_members) == 584 * 8, "layout is the contract");
_Static_assert(sizeof(struct view_cluster) == 1176 * 8, "layout is the contract");
_Static_assert(offsetof(struct view_cluster, copies) == 64, "the sequence on its own cache line");
_Static_assert(sizeof(struct view_official) == 64 * 8, "layout is the contract");
_Static_assert(offsetof(struct view_header, heartbeat_ms) == 64, "beats on its own cache line");
_Static_assert(offsetof(struct view_header, slot_stride) == 128, "layout is the contract");
_Static_assert(sizeof(struct view_header) == 64 * 8, "layout is the contract");

#endif
