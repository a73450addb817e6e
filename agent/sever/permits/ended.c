/* SPDX-License-Identifier: Apache-2.0
 *
 * ended.c - see ended.h.
 */
#include "config.h"

#include "agent/base/log.h"
#include "agent/sever/permits/ended.h"
#include "agent/sever/permits/tag_memory.h"

enum {
    /* Between two looks at the same memory. */
    LOOK_MS = 5000,
    /* After a wait, nothing is asked for so many times as long. */
    PAUSE_TIMES = 8,
    /* Deputies that may hang. */
    OF_OWNER = 1,
    OF_UID = 2,
    ALL = 8
};

/* ---- the line ---- */

static void set_timer(struct ended *ended)
{
    uint64_t now = loop_now_ms(ended->loop), at = ended->from_ms;

    if (!ended->first)
        return;
    if (at < ended->first->look_ms)
        at = ended->first->look_ms;
    loop_timer_set(ended->look, at > now ? at - now : 0);
}

static void put_between(struct ended *ended, struct permit *before, struct permit *permit,
                        struct permit *after)
{
    permit->ended = true;
    permit->ended_before = before;
    permit->ended_after = after;
    *(before ? &before->ended_after : &ended->first) = permit;
    *(after ? &after->ended_before : &ended->last) = permit;
}

/* It is due at once, as nobody else is before. */
void ended_add(struct ended *ended, struct permit *permit)
{
    permit->look_ms = loop_now_ms(ended->loop);
    put_between(ended, NULL, permit, ended->first);
    set_timer(ended);
}

void ended_remove(struct ended *ended, struct permit *permit)
{
    struct permit *before = permit->ended_before, *after = permit->ended_after;

    if (!permit->ended)
        return;
    *(before ? &before->ended_after : &ended->first) = after;
    *(after ? &after->ended_before : &ended->last) = before;
    permit->ended = false;
}

/* ---- looking ---- */

/* Root of every container may be the same user 0: each network namespace of his counts by itself. */
static bool is_same_user(const struct permit *permit, uid_t uid, uint64_t netns)
{
    return permit->uid == uid && (uid != 0 || permit->group->netns == netns);
}

static void drop_pinned(struct ended *ended, const struct permit *pinned)
{
    const pid_t pid = pinned->pid;
    const uid_t uid = pinned->uid;
    const uint64_t netns = pinned->group->netns, before = ended->pinned;
    struct permit *next;

    for (struct permit *p = ended->first; p; p = next) {
        next = p->ended_after;
        if (is_same_user(p, uid, netns)) {
            ended->drop(p);
            ended->pinned++;
        }
    }
    log_event(LOG_WARNING, "permit_pinned",
              "a process has ended, and somebody holds pages of its tag memory back, or has it "
              "locked: the "
              "permits that this user's ended processes have left end",
              LOG_INT("uid", uid), LOG_INT("pid", pid), LOG_INT("permits", ended->pinned - before));
}

static struct deputy_owner owner_of(const struct permit *permit)
{
    return (struct deputy_owner){permit->uid, permit->uid ? 0 : permit->group->netns};
}

static void look_at(struct ended *ended, struct permit *permit)
{
    uint64_t took_ms;
    enum tag_memory_use use =
        tag_memory_use(&ended->asking, owner_of(permit), permit->tags, &took_ms);

    ended->from_ms = loop_now_ms(ended->loop) + took_ms * PAUSE_TIMES;
    if (use == TAG_MEMORY_UNUSED) {
        ended->drop(permit);
    } else if (use == TAG_MEMORY_PINNED) {
        drop_pinned(ended, permit);
    } else {
        ended_remove(ended, permit);
        permit->look_ms = loop_now_ms(ended->loop) + LOOK_MS;
        put_between(ended, ended->last, permit, NULL);
    }
}

static void look(void *arg)
{
    struct ended *ended = arg;

    if (ended->first)
        look_at(ended, ended->first);
    set_timer(ended);
}

/* ---- begin and end ---- */

bool ended_init(struct ended *ended, struct loop *loop, ended_drop_fn *drop)
{
    *ended = (struct ended){.loop = loop, .drop = drop};
    deputies_init(&ended->asking, (struct deputies_limits){OF_OWNER, OF_UID, ALL});
    ended->look = loop_timer_new(loop, look, ended);
    return ended->look;
}

void ended_free(struct ended *ended)
{
    loop_timer_free(ended->look);
    deputies_done(&ended->asking);
}
