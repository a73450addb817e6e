/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.h - which of the connections that the kernel listed are outdated, by the tags of processes.
 *
 * One pass, by sweep.c: tags_add() for every connection to the demoted member; then the tag
 * memories of all processes that could hold one are gone through, slot by slot; then each
 * connection has a verdict. A tag is the word of its process, and may be forged. It only tells
 * apart connections that the kernel itself lists as connected to the demoted member (W7).
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_TAGS_H
#define HOMING_AGENT_SEVER_SWEEP_TAGS_H

#include "agent/sever/permits/tag_memory.h"
#include "agent/sever/sweep/diag.h"

/* Connections of one group that one sweep judges: 10 MB. One local address has no more ports to
 * one member's address, but a group may have several local addresses, and an order may name several
 * of the member's. What is beyond waits until a later sweep finds the first ones gone. */
#define TAGS_MAX 65536

enum tags_verdict {
    TAGS_UNTAGGED, /* no tag names it */
    TAGS_CURRENT,  /* tagged, but for another endpoint, or not older */
    TAGS_OUTDATED,
    TAGS_VERDICT_COUNT
};

/* The process that a tag memory belongs to. */
struct tags_owner {
    uint64_t process; /* different for each, unlike the pid, which may be 0 */
    int pid;
    uint32_t uid;
    char comm[16];
    bool own; /* of the group whose netlink socket listed; others' tags only say: not untagged */
};

struct tags_entry {
    struct diag_socket socket;
    enum tags_verdict verdict;
    struct tags_owner owner; /* of the tag that decided */
    uint64_t endpoint;
    uint64_t generation;
    uint64_t since_ms;
    uint32_t place; /* both of turns.h */
    uint32_t rank;
};

/* Connections by cookie. All zero: empty. */
struct tags {
    struct tags_entry *entries;
    uint32_t count;
    uint32_t size;
    uint32_t *index; /* open addressing; 1 + entry, 0: empty */
    uint32_t index_size;
};

/* -ENOMEM; -E2BIG: TAGS_MAX. A cookie that is there already is not added again. */
int tags_add(struct tags *tags, const struct diag_socket *socket);
void tags_done(struct tags *tags);

/* Judges by `count` slots as they lie in memory. */
void tags_judge(struct tags *tags, const struct sever_order *order,
                const uint64_t (*slots)[TAG_WORDS], uint32_t count, const struct tags_owner *owner);

/* Judges by all slots of a tag memory. 0 or negative errno; then by those before it. */
int tags_judge_memory(struct tags *tags, const struct sever_order *order, int fd,
                      const struct tags_owner *owner);

#endif
