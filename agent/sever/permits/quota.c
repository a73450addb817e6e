/* SPDX-License-Identifier: Apache-2.0
 *
 * quota.c - see quota.h.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/sever/permits/quota.h"

/* ---- users ---- */

static struct quota_user *find(const struct quota *quota, uid_t uid)
{
    struct quota_user *user = quota->users;

    while (user && user->uid != uid)
        user = user->next;
    return user;
}

struct quota_user *quota_join(struct quota *quota, uid_t uid)
{
    struct quota_user *user = find(quota, uid);

    if (!user) {
        user = calloc(1, sizeof(*user));
        if (!user)
            return NULL;
        *user = (struct quota_user){.next = quota->users, .uid = uid};
        quota->users = user;
    }
    user->groups++;
    return user;
}

void quota_leave(struct quota *quota, struct quota_user *user)
{
    struct quota_user **at = &quota->users;

    if (--user->groups)
        return;
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    free(user);
}

/* ---- who loses ---- */

const struct quota_user *quota_loser(const struct quota *quota, uid_t uid)
{
    const struct quota_user *own = find(quota, uid), *loser = own;
    uint32_t most = own ? own->count + 1 : 1;

    for (const struct quota_user *u = quota->users; u; u = u->next)
        if (u->count > most) {
            loser = u;
            most = u->count;
        }
    return loser;
}

/* ---- what became of it ---- */

static uint64_t weight(const struct quota_note *note)
{
    return note->refused + note->taken_away;
}

/* The user's own, or a new one, if need be in place of the least. */
static struct quota_note *note_of(struct quota *quota, uid_t uid)
{
    struct quota_note *least = &quota->notes[0];

    for (uint32_t i = 0; i < quota->note_count; i++) {
        struct quota_note *note = &quota->notes[i];
        if (note->uid == uid)
            return note;
        if (weight(note) < weight(least))
            least = note;
    }
    if (quota->note_count < QUOTA_NOTES)
        least = &quota->notes[quota->note_count++];
    *least = (struct quota_note){.uid = uid};
    return least;
}

void quota_note(struct quota *quota, uid_t uid, bool refused)
{
    struct quota_note *note = note_of(quota, uid);

    note->refused += refused;
    note->taken_away += !refused;
}
