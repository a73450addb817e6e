/* SPDX-License-Identifier: Apache-2.0
 *
 * tags.h - which of the connections that the kernel listed are outdated, by the tags of processes.
 *
 * One pass, by sweep.c: tags_add() for every connection to the demoted member; then the tag
 * memories of all processes that could hold one are gone through, slot by slot; then each
 * connection has a verdict. A tag is the word of its process, and may be forged. It only tells
 * apart connections that the kernel itself lists as connected to the demoted member, and as those of
 * a user that the process was (W7, uids.h).
 */
#ifndef HOMING_AGENT_SEVER_SWEEP_TAGS_H
#define HOMING_AGENT_SEVER_SWEEP_TAGS_H

#include "agent/sever/permits/tag_memory.h"
#include "agent/sever/permits/uids.h"
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

/* Users whose connections are listed, as long as they are told apart. */
#define TAGS_USERS_MAX 256

/* The process that a tag memory belongs to. */
struct tags_owner {
    uint64_t process; /* different for each, unlike the pid, which may be 0 */
    uint64_t number;  /* permit.number */
    int pid;
    uint32_t uid;
    char comm[16];
    const struct uids *uids; /* NULL: nothing is known of them */
    bool own; /* of the group whose netlink socket listed; others' tags only say: not untagged */
    bool comparable; /* not own, but the list has this process' numbers of users */
};

struct tags_entry {
    struct diag_socket socket;
    enum tags_verdict verdict;
    struct tags_owner owner; /* of the tag that decided */
    uint64_t endpoint;
    uint64_t generation;
    uint64_t since_ms;
    bool unsure;    /* whose it is could not be told */
    bool elsewhere; /* if it is untagged, that is for its own user's group to say */
    bool hidden;    /* a subflow, and the kernel does not tell of which socket */
    uint32_t place; /* both of turns.h */
    uint32_t rank;
};

/* Connections by cookie. All zero: empty. */
struct tags {
    struct tags_entry *entries;
    uint32_t count;
    uint32_t size;
    uint32_t foreign; /* tags that say outdated of another user's connection, and do not count */
    uint32_t *index;  /* open addressing; 1 + entry, 0: empty */
    uint32_t index_size;
    struct {
        uint32_t uid;
        bool elsewhere;
    } users[TAGS_USERS_MAX]; /* filled by tags_note_users() */
    uint32_t user_count;
    bool many_users; /* more than TAGS_USERS_MAX */
    bool orphans;    /* there are connections that no process has any more */
};

/* -ENOMEM; -E2BIG: TAGS_MAX. A cookie that is there already is not added again. */
int tags_add(struct tags *tags, const struct diag_socket *socket);
void tags_done(struct tags *tags);

/* Judges by `count` slots as they lie in memory. */
void tags_judge(struct tags *tags, const struct sever_order *order,
                const uint64_t (*slots)[TAG_WORDS], uint32_t count, const struct tags_owner *owner);

/* Judges by the next slots of a tag memory, as tag_memory_next() finds them. Returns how many; 0 at
 * the end, or negative errno. */
int tags_judge_next(struct tags *tags, const struct sever_order *order, struct tag_reading *reading,
                    const struct tags_owner *owner);

/* After all are added. `elsewhere`: `count` users, sorted, of which other groups say what is
 * untagged. */
void tags_note_users(struct tags *tags, const uint32_t *elsewhere, uint32_t count);
/* Whether the tags of this process can say anything of what is listed. After tags_note_users(). */
bool tags_concern(const struct tags *tags, const struct tags_owner *owner);

/* After the last tag: each subflow gets the verdict on the socket of MPTCP that it is below, which a
 * program's tag names, and these sockets are no longer entries. The kernel aborts subflows alone. If
 * a subflow's socket is not listed, it counts as tagged. tags->index is void after it. 0; -ENOMEM:
 * then each subflow counts so. */
int tags_join_subflows(struct tags *tags);

#endif
