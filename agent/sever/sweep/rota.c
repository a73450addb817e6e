/* SPDX-License-Identifier: Apache-2.0
 *
 * rota.c - see rota.h.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sever/sweep/rota.h"

/* ---- the order ---- */

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_user(const void *x, const void *y)
{
    const struct rota_item *a = x, *b = y;

    return compare(a->uid, b->uid);
}

static int by_turn(const void *x, const void *y)
{
    const struct rota_item *a = x, *b = y;
    int rv = compare(a->late, b->late);

    if (rv == 0)
        rv = compare(a->of_user, b->of_user);
    if (rv == 0)
        rv = compare(a->uid, b->uid);
    if (rv == 0)
        rv = compare(a->group->late, b->group->late);
    return rv ? rv : compare(a->group->count, b->group->count);
}

/* Sorted by user. */
static void sum_up_users(struct rota *rota)
{
    for (uint32_t i = 0, end; i < rota->count; i = end) {
        uint32_t sum = 0, late = 0;
        for (end = i; end < rota->count && rota->items[end].uid == rota->items[i].uid; end++) {
            sum += rota->items[end].group->count;
            late += rota->items[end].group->late;
        }
        for (uint32_t k = i; k < end; k++) {
            rota->items[k].of_user = sum;
            rota->items[k].late = late > 0;
        }
    }
}

static uint32_t count_groups(const struct permits *permits)
{
    uint32_t count = 0;

    for (const struct group *g = permits_first_group(permits); g; g = g->next)
        count++;
    return count;
}

/* The groups of one namespace follow each other. */
static void list_groups(struct rota *rota, const struct permits *permits)
{
    uint32_t netns = 0;

    for (struct group *g = permits_first_group(permits), *before = NULL; g;
         before = g, g = g->next) {
        if (before && (g->netns == 0 || g->netns != before->netns))
            netns++;
        rota->items[rota->count++] = (struct rota_item){.group = g, .uid = g->uid, .netns = netns};
    }
}

/* Whether a group lists the namespace. Without a cookie it cannot be told, and the answer is no. */
static bool is_listed(const struct permits *permits, uint64_t netns)
{
    for (const struct group *g = permits_first_group(permits); g; g = g->next)
        if (netns && g->netns == netns && g->netlink_count)
            return true;
    return false;
}

static void add_own(struct rota *rota, struct group *own)
{
    uint32_t netns = rota->count; /* the others' numbers are below it */

    rota->items[rota->count++] =
        (struct rota_item){.group = own, .uid = own->uid, .of_user = UINT32_MAX, .netns = netns};
}

int rota_fill(struct rota *rota, const struct permits *permits, struct group *own)
{
    uint32_t count = count_groups(permits);

    own = own && !is_listed(permits, own->netns) ? own : NULL;
    count += own ? 1 : 0;

    rota_done(rota);
    rota->most = ROTA_SHARE;
    if (count == 0)
        return 0;
    rota->items = calloc(count, sizeof(*rota->items));
    rota->netns_counted = calloc(count, sizeof(*rota->netns_counted));
    if (!rota->items || !rota->netns_counted) {
        rota_done(rota);
        return -ENOMEM;
    }
    list_groups(rota, permits);
    qsort(rota->items, rota->count, sizeof(*rota->items), by_user);
    sum_up_users(rota);
    if (own)
        add_own(rota, own);
    qsort(rota->items, rota->count, sizeof(*rota->items), by_turn);
    return 0;
}

void rota_done(struct rota *rota)
{
    free(rota->items);
    free(rota->netns_counted);
    *rota = (struct rota){0};
}

/* ---- turns ---- */

/* Moves on, and keeps the present one or not. */
static void move_on(struct rota *rota, bool keep)
{
    struct rota_item *item = &rota->items[rota->at];
    bool same_user = rota->at + 1 < rota->count && rota->items[rota->at + 1].uid == item->uid;

    if (keep)
        rota->items[rota->kept++] = *item;
    rota->at++;
    if (!same_user) {
        rota->spent = 0;
        rota->user_groups = 0;
    }
}

struct rota_item *rota_next(struct rota *rota)
{
    while (rota->at < rota->count) {
        struct rota_item *item = &rota->items[rota->at];
        bool over = rota->user_groups > 0 && rota->spent >= rota->most;
        if (item->group && !over)
            return item;
        move_on(rota, item->group);
    }
    return NULL;
}

void rota_leave(struct rota *rota, bool finished)
{
    rota->user_groups++;
    move_on(rota, !finished);
}

bool rota_next_round(struct rota *rota, bool to_the_end)
{
    rota->count = rota->kept;
    rota->at = rota->kept = 0;
    rota->most = to_the_end && rota_users(rota) == 1 ? ROTA_ALL : rota->most * 2;
    return rota->count > 0;
}

/* ---- what it costs ---- */

void rota_charge_list(struct rota *rota, uint64_t slots)
{
    if (rota->user_groups > 0)
        rota->spent += slots;
}

bool rota_allows(const struct rota *rota, uint64_t slots)
{
    return rota->spent + slots <= rota->most;
}

/* ---- the rest ---- */

bool rota_counts_netns(struct rota *rota, const struct rota_item *item)
{
    bool first = !rota->netns_counted[item->netns];

    rota->netns_counted[item->netns] = true;
    return first;
}

uint32_t rota_users(const struct rota *rota)
{
    const struct rota_item *before = NULL;
    uint32_t users = 0;

    for (uint32_t i = 0; i < rota->count; i++) {
        const struct rota_item *item = &rota->items[i];
        if (i >= rota->kept && i < rota->at)
            continue;
        users += !before || before->uid != item->uid;
        before = item;
    }
    return users;
}

void rota_group_gone(struct rota *rota, const struct group *group)
{
    for (uint32_t i = 0; i < rota->count; i++)
        if (rota->items[i].group == group)
            rota->items[i].group = NULL;
}
