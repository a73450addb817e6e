/* SPDX-License-Identifier: Apache-2.0
 *
 * warnings.h - what is wrong with a cluster although its verdict is good: the next failover would
 * be worse for it, readers are fewer, or the last one left something behind.
 *
 * One pass: daemon/cluster.c looks once a second; warnings_update() says which warnings are new and
 * which have ended; events.c logs them, and `status` shows those that stand. An alarm needs none of
 * these: it is about the verdict. A silent writer has no alarm before it is stale (W5).
 */
#ifndef HOMING_AGENT_DECIDE_WARNINGS_H
#define HOMING_AGENT_DECIDE_WARNINGS_H

#include "agent/decide/verdict.h"

/* How long something has to last. Shorter: each restart of a reader is told of. Longer: whoever
 * looks after a start is told that all is well. */
#define WARNINGS_AFTER_MS 5000

/* 0 to HOMING_MEMBERS_MAX - 1: that member cannot be asked. It may be the writer: as long as others
 * confirm it (W9), its state says `suspect` or `frozen`, and no alarm tells that it is silent. It did
 * not refuse the login, which is an alarm. */
enum warning {
    WARNING_NO_READER = HOMING_MEMBERS_MAX, /* names of readers lead to the writer */
    WARNING_PASSWORD,                       /* the password cannot be read */
    WARNING_NO_ADDRESS,                     /* none of the writer's may be given to programs */
    WARNING_SPARED,  /* connections to a demoted member that sever_untagged spares */
    WARNING_UNTOLD,  /* no server tells of the members that are to be discovered */
    WARNING_REFUSED, /* one names a host that may not be a member */
    WARNING_CROWDED, /* one names more servers than a cluster has members */
    WARNING_GREEN,   /* W4a: the writer names a green server that is no member */
    WARNING_COUNT
};

struct warnings {
    uint64_t since_ms[WARNING_COUNT]; /* 0: it is well */
    uint64_t raised;                  /* mask of those that lasted: 1 << warning */
};

struct warnings_input {
    const struct topo *topo;
    const struct verdict *verdict;
    bool wants_readers;                   /* programs ask for readers */
    bool no_password;                     /* it is configured, and cannot be read */
    bool no_address;                      /* the writer has none */
    bool spared;                          /* by the last switch, and they are still there */
    bool untold, refused, crowded, green; /* as the warnings */
};

/* Masks of the warnings that are new and that have ended. */
void warnings_update(struct warnings *w, const struct warnings_input *in, uint64_t now_ms,
                     uint64_t *ret_raised, uint64_t *ret_cleared);

/* After a reload: `map` says which member of `count` is which now, or MEMBER_NONE. */
void warnings_inherit(struct warnings *w, const struct warnings *old, const uint32_t *map,
                      uint32_t count);

/* "member_unreachable" and so on. */
const char *warning_name(uint32_t warning);

#endif
