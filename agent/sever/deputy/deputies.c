/* SPDX-License-Identifier: Apache-2.0
 *
 * deputies.c - see deputies.h.
 *
 * 1. At most one is at work. So at most `max` hang, and one more.
 * 2. One that is late counts as one that hangs, until it comes back: an owner cannot hold more by being quick.
 * 3. A piece is done by one deputy, or by none. One that was late or hangs takes no other piece.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/sever/deputy/deputies.h"

enum {
    /* Between two looks at it; and how long it is found to wait in the kernel until the others do not wait with it, and
     * until that is no accident: for longer than the kernel waits for pages, and than a disk. */
    LOOK_MS = 10,
    LATE_MS = 10,
    HANGS_MS = 200,
    /* Deputies in a row that could not begin. */
    FRUITLESS_MAX = 3
};

/* ---- who there is ---- */

static bool is_charged(const struct deputies *d, uint32_t i)
{
    return d->at[i].deputy.pid && (d->at[i].is == DEPUTY_LATE || d->at[i].is == DEPUTY_HANGS);
}

static uint32_t places(const struct deputies *d)
{
    return d->limits.max + 1;
}

/* Returns how many are charged to anybody. */
static uint32_t reap(struct deputies *d)
{
    uint32_t charged = 0;

    for (uint32_t i = 0; i < places(d); i++) {
        if (d->at[i].deputy.pid && d->at[i].is >= DEPUTY_HANGS)
            (void)deputy_is_gone(&d->at[i].deputy);
        charged += is_charged(d, i);
    }
    if (charged < d->limits.max)
        d->told = false;
    return charged;
}

static void end(struct deputies *d, uint32_t i)
{
    deputy_kill(&d->at[i].deputy);
    d->at[i].is = DEPUTY_GOES;
    (void)deputy_is_gone(&d->at[i].deputy);
}

static bool same(const struct deputy_owner *a, const struct deputy_owner *b)
{
    return a->uid == b->uid && a->place == b->place;
}

/* TODO: it may be tried. */
static enum deputy_fate fate_of(const struct deputies *d, const struct deputy_owner *owner)
{
    uint32_t of_owner = 0, of_uid = 0;

    for (uint32_t i = 0; i < places(d); i++) {
        of_owner += is_charged(d, i) && same(&d->at[i].owner, owner);
        of_uid += is_charged(d, i) && d->at[i].owner.uid == owner->uid;
    }
    return of_owner >= d->limits.of_owner || of_uid >= d->limits.of_uid ? DEPUTY_OWES : DEPUTY_TODO;
}

/* Whether one hangs on the same, from before. */
static bool is_stuck(const struct deputies *d, struct deputy_piece *piece)
{
    for (uint32_t i = 0; i < places(d); i++)
        if (is_charged(d, i) && d->at[i].what == piece->what) {
            piece->ticket = d->at[i].ticket;
            return true;
        }
    return false;
}

/* ---- one is had ---- */

/* Its number, or negative errno; -ENOSPC: too many hang. */
static int find(struct deputies *d)
{
    int empty = -ENOSPC;

    for (uint32_t i = 0; i < places(d); i++) {
        if (d->at[i].deputy.pid && d->at[i].is == DEPUTY_IDLE)
            return (int)i;
        if (!d->at[i].deputy.pid)
            empty = (int)i;
    }
    if (empty < 0)
        return empty;
    int rv = deputy_start(&d->at[empty].deputy);
    d->at[empty].is = DEPUTY_IDLE;
    return rv ? rv : empty;
}

static void say_full(struct deputies *d)
{
    uint32_t charged = reap(d);

    if (!d->told)
        log_event(LOG_WARNING, "deputies_hang",
                  "so many processes hang on what programs keep locked that none is left: nothing "
                  "more is tried until one is back",
                  LOG_INT("processes", charged));
    d->told = true;
}

/* ---- it works ---- */

/* Pieces that may be tried. */
struct chosen {
    uint8_t pieces[DEPUTY_PIECES];
    uint32_t count;
};

static void choose(const struct deputies *d, struct deputy_work *w, bool charged,
                   struct chosen *ret_chosen)
{
    ret_chosen->count = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        struct deputy_piece *piece = &w->pieces[i];
        if (piece->fate != DEPUTY_TODO)
            continue;
        if (charged && is_stuck(d, piece)) {
            piece->fate = DEPUTY_STUCK;
        } else if (charged) {
            struct deputy_owner owner = w->owner(w->arg, i);
            piece->fate = fate_of(d, &owner);
        }
        if (piece->fate == DEPUTY_TODO)
            ret_chosen->pieces[ret_chosen->count++] = (uint8_t)i;
    }
}

static void note_tried(struct deputy_work *w, const struct deputy_desk *desk, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        w->pieces[desk->pieces[i]].fate = DEPUTY_TRIED;
}

static bool is_late(const struct deputy *deputy, enum deputy_state state, uint64_t ms)
{
    return state == DEPUTY_WAITS && deputy_now_ms() - deputy->waits_since_ms >= ms;
}

/* Until it is done, has ended, or waits. If it waits before it has begun, that is nobody's fault. */
static enum deputy_state await(struct deputy *deputy)
{
    enum deputy_state state;

    do
        state = deputy_look(deputy, LOOK_MS);
    while (state != DEPUTY_DONE && state != DEPUTY_ENDED &&
           !(is_late(deputy, state, LATE_MS) && atomic_load(&deputy->desk->taken)) &&
           !is_late(deputy, state, HANGS_MS));
    return state;
}

/* The last one that it has taken is what it waits for. */
static void note_late(struct deputies *d, uint32_t i, struct deputy_work *w, uint32_t taken)
{
    struct deputy_desk *desk = d->at[i].deputy.desk;
    uint32_t piece = desk->pieces[taken - 1];

    d->at[i].is = DEPUTY_LATE;
    d->at[i].piece = piece;
    d->at[i].owner = w->owner(w->arg, piece);
    d->at[i].what = w->pieces[piece].what;
    d->at[i].ticket = ++d->tickets;
    d->at[i].told = false;
}

static void note_done(struct deputies *d, uint32_t i, struct deputy_work *w)
{
    w->answer = d->at[i].deputy.desk->answer;
    d->at[i].is = DEPUTY_IDLE;
}

/* False: it has taken nothing. */
static bool work(struct deputies *d, uint32_t i, struct deputy_work *w)
{
    struct deputy *deputy = &d->at[i].deputy;
    bool given = deputy_give(deputy, w->fd, w->second);
    enum deputy_state state = given ? await(deputy) : DEPUTY_ENDED;
    uint32_t taken = given ? deputy_stop(deputy) : 0;

    note_tried(w, deputy->desk, taken);
    if (state == DEPUTY_DONE)
        note_done(d, i, w);
    else if (state == DEPUTY_WAITS && taken)
        note_late(d, i, w, taken);
    else
        end(d, i); /* what it has taken may be done, if somebody has killed it */
    return taken;
}

/* ---- the late ones come back, or hang ---- */

/* It is killed, so that it aborts nothing more when it goes on. */
static void note_hangs(struct deputies *d, uint32_t i, struct deputy_work *w)
{
    struct deputy_piece *piece = &w->pieces[d->at[i].piece];

    piece->fate = DEPUTY_STUCK;
    piece->ticket = d->at[i].ticket;
    d->at[i].is = DEPUTY_HANGS;
    deputy_kill(&d->at[i].deputy);
}

static enum deputy_state await_late(struct deputy *deputy)
{
    enum deputy_state state;

    do
        state = deputy_look(deputy, LOOK_MS);
    while (state != DEPUTY_DONE && state != DEPUTY_ENDED && !is_late(deputy, state, HANGS_MS));
    return state;
}

/* Whether one has come back. */
static bool settle(struct deputies *d, struct deputy_work *w)
{
    bool came_back = false;

    for (uint32_t i = 0; i < places(d); i++) {
        if (!d->at[i].deputy.pid || d->at[i].is != DEPUTY_LATE)
            continue;
        enum deputy_state state = await_late(&d->at[i].deputy);
        came_back |= state == DEPUTY_DONE;
        if (state == DEPUTY_DONE)
            note_done(d, i, w);
        else if (state == DEPUTY_ENDED)
            end(d, i);
        else
            note_hangs(d, i, w);
    }
    return came_back;
}

/* 1: one had work; 0: nothing is to be tried. Or negative errno. */
static int step(struct deputies *d, struct deputy_work *w, uint32_t *fruitless)
{
    struct chosen chosen;

    choose(d, w, reap(d) > 0, &chosen);
    if (chosen.count == 0 || *fruitless == FRUITLESS_MAX)
        return 0;
    int i = find(d);
    if (i < 0)
        return i;
    struct deputy_desk *desk = d->at[i].deputy.desk;
    desk->fn = w->fn;
    desk->count = chosen.count;
    memcpy(desk->pieces, chosen.pieces, sizeof(desk->pieces));
    if (w->size > 0)
        memcpy(desk->bytes, w->bytes, w->size);
    *fruitless = work(d, (uint32_t)i, w) ? 0 : *fruitless + 1;
    return 1;
}

/* Of `from`, each becomes `to`. Whether there was one. */
static bool turn(const struct deputy_work *w, enum deputy_fate from, enum deputy_fate to)
{
    bool any = false;

    for (uint32_t i = 0; i < w->count; i++)
        if (w->pieces[i].fate == from) {
            w->pieces[i].fate = to;
            any = true;
        }
    return any;
}

/* Who was late and came back owes no more. That is tried once: who is late again and again must not take all the time. */
int deputies_run(struct deputies *d, struct deputy_work *w)
{
    uint32_t fruitless = 0;
    bool again = true;
    int rv = 1;

    while (rv > 0) {
        while ((rv = step(d, w, &fruitless)) > 0)
            ;
        if (settle(d, w) && again && turn(w, DEPUTY_OWES, DEPUTY_TODO))
            rv = 1;
        again = false;
    }
    if (rv < 0 && rv != -ENOSPC && reap(d) == 0)
        return rv;
    if (turn(w, DEPUTY_TODO, DEPUTY_NONE))
        say_full(d);
    return 0;
}

/* ---- from outside ---- */

bool deputies_hang(struct deputies *d, uint64_t ticket)
{
    bool found = false;

    reap(d);
    for (uint32_t i = 0; i < places(d); i++)
        found |= is_charged(d, i) && d->at[i].ticket == ticket;
    return found;
}

bool deputies_tell(struct deputies *d, struct deputy_owner owner)
{
    bool told = false;

    for (uint32_t i = 0; i < places(d); i++)
        if (is_charged(d, i) && same(&d->at[i].owner, &owner)) {
            told |= d->at[i].told;
            d->at[i].told = true;
        }
    return !told;
}

void deputies_init(struct deputies *d, struct deputies_limits limits)
{
    *d = (struct deputies){.limits = limits};
    if (d->limits.max > DEPUTIES_MAX)
        d->limits.max = DEPUTIES_MAX;
}

void deputies_rest(struct deputies *d)
{
    reap(d);
    for (uint32_t i = 0; i < places(d); i++)
        if (d->at[i].deputy.pid && d->at[i].is == DEPUTY_IDLE) {
            deputy_end(&d->at[i].deputy, LOOK_MS);
            d->at[i].is = DEPUTY_GOES;
        }
    reap(d);
}

void deputies_done(struct deputies *d)
{
    deputies_rest(d);
    for (uint32_t i = 0; i < places(d); i++)
        if (d->at[i].deputy.pid && !deputy_is_gone(&d->at[i].deputy))
            deputy_leave(&d->at[i].deputy);
}
