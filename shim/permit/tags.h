/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.h - the memory in which this process notes what its sockets are connected for. Its layout,
 * and what homing-sever makes of it, is in proto/permit.h.
 *
 * One pass: the memory begins as the memfd that is handed over first, or as one that nobody else has,
 * because the first connects of a pool may come before homing-sever has a permit. Each further
 * hand-over moves the tags into a new memfd. Threads go on writing tags meanwhile, and no tag is lost.
 *
 * A memfd is as large as this process may ever need, and sparse: only what is written costs memory.
 * So little of it is mapped that a process under mlockall() is not harmed. More is mapped when a
 * descriptor has a higher number.
 *
 * Async-signal-safe. Functions that may change errno say so.
 */
#ifndef HOMING_SHIM_PERMIT_TAGS_H
#define HOMING_SHIM_PERMIT_TAGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/permit/place.h"

/* So many tags that were written last are known by their cookies: of those of one millisecond it cannot be
 * told otherwise which were there when the process forked. */
#define TAGS_LAST 32

/* Pages that are known to exist: of 1000 descriptors. */
#define TAGS_KNOWN 8

/* All zeros: no memory yet. A place is the address of a memory, how much of it is mapped there in the
 * high bits, and in the low bits the number of a claim: that of the mover that has put it there, or
 * has begun to move out of it. */
struct tags {
    _Atomic uint64_t place;
    _Atomic uint64_t to; /* where the newest mover moves them to, or has moved them to; 0: none */
    _Atomic uint64_t newest_ms;         /* of all tags that were written */
    _Atomic uint64_t last[TAGS_LAST];   /* the cookies of those that were written last, in turn */
    _Atomic uint64_t known[TAGS_KNOWN]; /* place_page() of pages that exist */
    _Atomic uint32_t writes;
    _Atomic uint32_t end;    /* slots beyond were never written */
    _Atomic uint32_t wanted; /* so many slots would have been needed */
    _Atomic uint32_t overtaken;
    struct tags *parents; /* of the process that has forked this one; NULL: there are none */
    /* The newest claim: its number, how far it is, and another memory. See mover.c. */
    _Atomic uint64_t claim;
};

/* Makes sure that there is memory. False: none can be had. Changes errno. */
bool tags_ready(struct tags *tags);

/* The cookie in the tag of descriptor `fd`; 0: there is no tag. */
uint64_t tags_cookie(struct tags *tags, int fd);

/* Whether there is a tag for an endpoint of which `wanted` says so. */
typedef bool tags_wanted_fn(const void *arg, uint64_t endpoint);
bool tags_any(const struct tags *tags, tags_wanted_fn *wanted, const void *arg);

/* What was ever written of a place of these tags is in slots below it. */
static inline uint32_t tags_end(const struct tags *tags, uint64_t place)
{
    uint32_t end = atomic_load(&tags->end), mapped = place_slots_in(place_size(place));

    return end < mapped ? end : mapped;
}

/* Writes the tag of descriptor `fd`. False: it is not written, because there is no slot for that number,
 * or no memory. Changes errno. */
bool tags_write(struct tags *tags, int fd, const struct tags_tag *tag);

/* Adds one to a counter. Does nothing if `tags` is NULL. */
void tags_count(struct tags *tags, enum tag_count what);

/* ---- after a fork ---- */

/* For a forked child whose tags are all zeros: its first memory will have the tags of the sockets that it
 * has inherited. `parents` is the struct that it still finds, and stays as it is; so does the parent's
 * memory. False: the parent has none. */
bool tags_inherit(struct tags *tags, struct tags *parents);

/* What the first memory of a child is given, before it is shown. False: there is no memory for it. */
bool tags_copy_inherited(const struct tags *parents, uint64_t from, uint64_t to);

/* Gives back what a child has no use for of what its parent had mapped. Once, by one thread. */
void tags_leave(struct tags *parents);

/* ---- moving to another memory ---- */

/* Whether a tag was not written because the memory has no slot for it. The next memory will. */
bool tags_outgrown(const struct tags *tags);

/* A new memfd for tags, with as many slots as this process may need. Returns the descriptor, or -1.
 * Changes errno. */
int tags_open(struct tags *tags, uint32_t *ret_slots);

/* Claims that may be overtaken in the life of a process. Each leaves up to two memories mapped that
 * are never used again. */
#define TAGS_OVERTAKEN_MAX 64

/* One thread at a time claims to move the tags, until it gives the claim back. If it never does,
 * its claim is `old` at some time, and another thread's takes its place. Returns the claim; 0:
 * another thread has it. tags_may_claim() tells this without claiming. */
bool tags_may_claim(struct tags *tags, bool old);
uint64_t tags_claim(struct tags *tags, bool old);

/* Whether the claim was not overtaken. */
bool tags_claims(struct tags *tags, uint64_t claim);
void tags_release(struct tags *tags, uint64_t claim);

/* Makes a memfd of tags_open() the first memory. False: there is one, or it cannot be mapped. Changes
 * errno. */
bool tags_begin(struct tags *tags, int fd, uint32_t slots);

/* Moves tags and counters into a memfd of tags_open(), which may be the first memory. False: they are
 * where they were, or the claim was overtaken. Changes errno. */
bool tags_move(struct tags *tags, uint64_t claim, int fd, uint32_t slots);

#endif
