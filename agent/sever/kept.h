/* SPDX-License-Identifier: Apache-2.0
 *
 * kept.h - the descriptors that outlive a holder: whose permits it had (permits/keep.h).
 *
 * One pass: the supervisor takes back what the service manager has kept; each holder inherits all of it by
 * fork(), and says then what comes and what goes. The supervisor keeps its own copies, and passes each message
 * on to the service manager, which keeps copies, too: a service that is killed as a whole gets them back when
 * it is started again. Without a service manager the supervisor's are all.
 *
 * 1. What is kept is never read here, and only ever closed.
 * 2. The service manager passes all names in one environment string, of which the kernel takes 128 KiB, and it
 *    compares each new descriptor with all that it has. So it is given a part only, which users share, and little
 *    at a time. The rest is kept here, and moves up when there is room.
 */
#ifndef HOMING_AGENT_SEVER_KEPT_H
#define HOMING_AGENT_SEVER_KEPT_H

#include "agent/sever/permits/keep.h"

/* For the service manager: characters of names, of which a descriptor counts as at least so many. So it has 1024
 * descriptors at most: the unit's FileDescriptorStoreMax=. */
#define KEPT_STORE_MAX (64 * 1024)
#define KEPT_COST_MIN  64
/* Users with the same remainder share. */
#define KEPT_USERS 1021
/* Names whose hashes have the same remainder make a chain. */
#define KEPT_CHAINS 4096

enum kept_state {
    KEPT_HERE,   /* there is no room at the service manager, or no service manager */
    KEPT_NEW,    /* the service manager is to be told */
    KEPT_TOLD,   /* it has been told */
    KEPT_LEAVING /* closed here, and the service manager is to be told */
};

struct kept_entry {
    char name[KEEP_NAME_SIZE];
    int fds[KEEP_FDS];
    uint32_t count;
    enum kept_state state;
    bool is_permit;
    uid_t uid;
    uint32_t cost; /* of KEPT_STORE_MAX; 0: none of it is taken */
    uint32_t next; /* of the same chain: its place, and 1; 0: it is the last one */
};

/* All zero: nothing is kept. */
struct kept {
    struct kept_entry *entries;
    uint32_t count;
    uint32_t size;
    uint32_t untold; /* entries of which the service manager is to be told */
    uint32_t at;     /* those before this one have their turn next; then the last ones */
    uint32_t stored; /* permits that the service manager has */
    uint32_t cost;   /* the sum, and of each user */
    uint32_t cost_of[KEPT_USERS];
    bool freed;                   /* some that have no room there may have it now */
    uint32_t chains[KEPT_CHAINS]; /* the first of each, as `next` */
};

/* What the service manager has kept (LISTEN_FDS). It is taken out of the environment. */
void kept_take_back(struct kept *kept);

/* NULL: nothing is kept under that name. Holds until anything comes or goes. */
struct kept_entry *kept_find(const struct kept *kept, const char *name);

/* Takes over the descriptors, and closes them without memory. */
void kept_add(struct kept *kept, const char *name, const int *fds, uint32_t count);

/* Reads what the holder says, without waiting, at most KEPT_BURST messages. False: nothing was left. */
#define KEPT_BURST 256
bool kept_receive(struct kept *kept, int fd);

/* Tells the service manager what it has not heard yet, as far as it takes that without waiting, at most `most`
 * messages. Returns how many. */
uint32_t kept_tell(struct kept *kept, uint32_t most);

/* Closes all of it, here and there. */
void kept_let_go(struct kept *kept);

/* Forgets all; the descriptors are somebody else's by now. */
void kept_forget(struct kept *kept);

#endif
