/* SPDX-License-Identifier: Apache-2.0
 *
 * quota.h - who has to do without, when no more permits can be held.
 *
 * The room is shared by users: who has the most loses, so whoever has little gets in, and whoever has
 * much keeps as much as the others. Nobody loses to somebody who would have as much afterwards: two
 * users would take each other's permits for ever. Used by permits.c, which does the same between the
 * groups of one user.
 */
#ifndef HOMING_AGENT_SEVER_PERMITS_QUOTA_H
#define HOMING_AGENT_SEVER_PERMITS_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One user's permits. He is there while he has a group. */
struct quota_user {
    struct quota_user *next;
    uid_t uid;
    uint32_t count;  /* permits */
    uint32_t groups; /* that name him */
};

/* What a user had to do without. */
struct quota_note {
    uid_t uid;
    uint64_t refused;    /* permits that did not get in */
    uint64_t taken_away; /* and that were dropped, for another one's sake */
};

/* The users who lost the most. */
#define QUOTA_NOTES 8

struct quota {
    struct quota_user *users;
    struct quota_note notes[QUOTA_NOTES];
    uint32_t note_count;
};

/* The user of a new group; NULL: out of memory. And without that group again. */
struct quota_user *quota_join(struct quota *quota, uid_t uid);
void quota_leave(struct quota *quota, struct quota_user *user);

/* Who has to give up a permit for one more of this user: himself, if nobody else would have more than
 * he afterwards. NULL: nobody has any. */
const struct quota_user *quota_loser(const struct quota *quota, uid_t uid);

void quota_note(struct quota *quota, uid_t uid, bool refused);

#endif
