/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.h - which of the connections that the kernel listed are outdated, by the tags of processes.
 *
 * One pass, by sweep.c: every connection to the demoted member is added with tags_add(); the tag
 * memories of all processes that could hold it are gone through, slot by slot; then each has a
 * verdict. Tags are the processes' own word, and may be forged: they only tell apart connections
 * that the kernel says are connected to the demoted member (W7).
 */
#ifndef HOMING_AGENT_SEVER_TAGS_H
#define HOMING_AGENT_SEVER_TAGS_H

#include "agent/sever/diag.h"
#include "proto/permit.h"

/* More connections of one namespace to one member than there are local ports. */
#define TAGS_MAX 65536

enum tags_verdict {
    TAGS_UNTAGGED, /* no tag names it */
    TAGS_CURRENT,  /* tagged, but for another endpoint, or not older */
    TAGS_OUTDATED,
    TAGS_VERDICT_COUNT
};

/* Whose a tag memory is. */
struct tags_holder {
    uint64_t process; /* different for each, unlike the pid, which may be 0 */
    int pid;
    uint32_t uid;
    char comm[16];
    bool own; /* of the group whose netlink socket listed; others' tags only say: not untagged */
};

struct tags_entry {
    struct diag_socket socket;
    enum tags_verdict verdict;
    struct tags_holder holder; /* of the tag that decided */
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
void tags_judge(struct tags *tags, const struct sever_order *order, const uint64_t (*slots)[4],
                uint32_t count, const struct tags_holder *holder);

/* Goes through a tag memory's pages that exist. 0 or negative errno. */
int tags_judge_memory(struct tags *tags, const struct sever_order *order, int fd,
                      const struct tags_holder *holder);

/* Adds a memory's counters to `counts`. */
void tags_add_counters(int fd, uint64_t counts[TAG_COUNT_COUNT]);

#endif
