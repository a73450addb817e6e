/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.c - see sweep.h.
 *
 * 1. W7: what is aborted was listed in this very sweep as connected to the demoted member, and is
 *    named to the kernel by its cookie. Either a tag of its own group says that it is outdated; or
 *    no tag of any process in its namespace names it, and the order is for such, too.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/sweep.h"
#include "agent/sever/sweep/turns.h"

enum {
    /* Some milliseconds, even if their processes have filled all of them. */
    TAGS_PER_TURN = 8,
    ABORTS_PER_TURN = 200,
    /* Dumps in a row that are not finished in time, until the permit ends. */
    LATE_MAX = 3
};

void sweep_begin(struct sweep *s, const struct sever_order *order, uint32_t nth,
                 struct sweep_results *results)
{
    s->order = order;
    s->nth = nth;
    s->results = results;
    s->swept = ++s->mark;
    s->group = NULL;
    s->netns = 0;
}

void sweep_end(struct sweep *s)
{
    tags_done(&s->tags);
    s->order = NULL;
    s->results = NULL;
    s->group = NULL;
}

void sweep_group_gone(struct sweep *s, const struct group *group)
{
    if (s->group == group)
        s->group = NULL;
}

/* ---- a group begins and ends ---- */

static bool next_group(struct sweep *s)
{
    struct group *g = permits_first_group(s->permits);

    while (g && g->swept == s->swept)
        g = g->next;
    if (!g)
        return false;
    g->swept = s->swept;
    s->group = g;
    s->stage = SWEEP_LIST;
    return true;
}

static void leave_group(struct sweep *s)
{
    s->netns = s->group->netns;
    s->group = NULL;
}

/* The group's socket failed. Its next one tries, in the next turn. */
static void drop_netlink(struct sweep *s)
{
    struct group *group = s->group;

    s->results->counts.dropped++;
    s->group = NULL;
    group->swept = 0;
    permits_drop_netlink(group);
}

/* What several groups of one namespace share is counted with the first of them. */
static bool is_first_of_netns(const struct sweep *s)
{
    return s->group->netns == 0 || s->group->netns != s->netns;
}

/* ---- it is listed ---- */

/* False: no more can be taken, and the rest is left for a later sweep. */
static bool take_listed(void *arg, const struct diag_socket *socket)
{
    struct sweep *s = arg;

    if (!diag_is_connected_to(socket, s->order->addresses, s->order->address_count)) /* W7 */
        return true;
    return tags_add(&s->tags, socket) == 0;
}

static bool has_ipv4(const struct sever_order *order)
{
    for (uint32_t i = 0; i < order->address_count; i++)
        if (order->addresses[i].family == 4)
            return true;
    return false;
}

/* A dump that is not finished in time is not yet a failure. What it listed is right, and the next
 * sweep lists more. */
static bool list(struct sweep *s)
{
    const struct sever_order *order = s->order;
    struct group *group = s->group;
    int fd = group->netlinks[0].fd;
    int rv = netlink_dump(fd, AF_INET6, order->addresses, order->address_count, take_listed, s);

    if (rv == 0 && has_ipv4(order))
        rv = netlink_dump(fd, AF_INET, order->addresses, order->address_count, take_listed, s);
    group->late = rv == -ETIME ? group->late + 1 : 0;
    return rv == 0 || (rv == -ETIME && group->late < LATE_MAX);
}

static void list_turn(struct sweep *s)
{
    struct sever_counts *counts = &s->results->counts;

    tags_done(&s->tags);
    if (s->group->netlink_count == 0) {
        s->group = NULL;
        return;
    }
    if (!list(s)) {
        drop_netlink(s);
        return;
    }
    if (s->nth == 0) {
        counts->processes += s->group->count;
        counts->namespaces += is_first_of_netns(s);
    }
    s->mark++;
    s->stage = SWEEP_JUDGE;
}

/* ---- it is judged ---- */

static struct permit *next_permit(const struct sweep *s, const struct group *group)
{
    struct permit *p = group->first;

    while (p && p->swept == s->mark)
        p = p->next;
    return p;
}

/* First the group's own. Then, if it matters that no process knows a connection, those of the other
 * groups of the namespace. */
static struct permit *next_judge(const struct sweep *s)
{
    struct permit *p = next_permit(s, s->group);

    if (!s->order->untagged || s->group->netns == 0)
        return p;
    for (const struct group *g = permits_first_group(s->permits); g && !p; g = g->next)
        if (g->netns == s->group->netns)
            p = next_permit(s, g);
    return p;
}

static void judge_by(struct sweep *s, struct permit *p)
{
    struct tags_owner owner = {
        .process = (uintptr_t)p, .pid = p->pid, .uid = p->uid, .own = p->group == s->group};

    memcpy(owner.comm, p->comm, sizeof(owner.comm));
    p->swept = s->mark;
    (void)tags_judge_memory(&s->tags, s->order, p->tags, &owner);
}

static void count_judged(struct sweep *s)
{
    struct sever_counts *counts = &s->results->counts;
    bool first_of_netns = is_first_of_netns(s);

    if (s->nth > 0)
        return;
    for (uint32_t i = 0; i < s->tags.count; i++) {
        enum tags_verdict verdict = s->tags.entries[i].verdict;
        counts->seen += first_of_netns;
        counts->outdated += verdict == TAGS_OUTDATED;
        counts->untagged += first_of_netns && verdict == TAGS_UNTAGGED;
    }
}

static void judge_turn(struct sweep *s)
{
    for (int i = 0; i < TAGS_PER_TURN; i++) {
        struct permit *p = s->tags.count ? next_judge(s) : NULL;
        if (!p) {
            count_judged(s);
            if (s->order->kind == SEVER_DO)
                turns_sort(&s->tags, s->salt);
            s->stage = SWEEP_ABORT;
            s->at = 0;
            return;
        }
        judge_by(s, p);
    }
}

/* ---- it is aborted, or counted, or told ---- */

/* How many are to be aborted next; 0: none is left. */
static uint32_t choose(struct sweep *s, struct diag_socket *ret_sockets, uint32_t max)
{
    uint32_t count = 0;

    for (; s->at < s->tags.count && count < max; s->at++) {
        const struct tags_entry *e = &s->tags.entries[s->at];
        bool wanted =
            e->verdict == TAGS_OUTDATED || (e->verdict == TAGS_UNTAGGED && s->order->untagged);
        if (wanted && turns_take(s->order, s->nth, e))
            ret_sockets[count++] = e->socket;
    }
    return count;
}

/* False: one was not answered, so the socket is of no use. */
static bool count_aborted(struct sever_counts *counts, const int *errors, uint32_t count)
{
    bool answered = true;

    for (uint32_t i = 0; i < count; i++) {
        counts->severed += errors[i] == 0;
        counts->gone += errors[i] == -ENOENT;
        counts->denied += errors[i] == -EPERM;
        counts->failed += errors[i] != 0 && errors[i] != -ENOENT && errors[i] != -EPERM;
        answered &= errors[i] != -ENODATA;
    }
    return answered;
}

static void abort_turn(struct sweep *s)
{
    struct sever_counts *counts = &s->results->counts;
    struct diag_socket sockets[NETLINK_DESTROY_MAX];
    int errors[NETLINK_DESTROY_MAX];

    for (uint32_t done = 0; done < ABORTS_PER_TURN; done += NETLINK_DESTROY_MAX) {
        uint32_t count = choose(s, sockets, NETLINK_DESTROY_MAX);
        if (count == 0) {
            leave_group(s);
            return;
        }
        if (s->order->kind == SEVER_OBSERVE) {
            counts->severed += count;
            continue;
        }
        netlink_destroy(s->group->netlinks[0].fd, sockets, count, errors);
        if (!count_aborted(counts, errors, count)) {
            drop_netlink(s);
            return;
        }
    }
}

static void put_row(struct sever_row *row, const struct tags_entry *e, uint64_t now_ms)
{
    *row = (struct sever_row){.pid = e->owner.pid,
                              .uid = e->owner.uid,
                              .endpoint = e->endpoint,
                              .generation = e->generation,
                              .age_ms = now_ms > e->since_ms ? now_ms - e->since_ms : 0,
                              .address = diag_peer(&e->socket)};
    memcpy(row->comm, e->owner.comm, sizeof(row->comm));
}

static void rows_turn(struct sweep *s, uint64_t now_ms)
{
    struct sweep_results *r = s->results;

    for (uint32_t i = 0; i < s->tags.count && r->row_count < r->row_max; i++)
        if (s->tags.entries[i].verdict != TAGS_UNTAGGED)
            put_row(&r->rows[r->row_count++], &s->tags.entries[i], now_ms);
    leave_group(s);
}

bool sweep_turn(struct sweep *s, uint64_t now_ms)
{
    if (!s->group && !next_group(s))
        return false;
    if (s->stage == SWEEP_LIST)
        list_turn(s);
    else if (s->stage == SWEEP_JUDGE)
        judge_turn(s);
    else if (s->order->kind == SEVER_LIST)
        rows_turn(s, now_ms);
    else
        abort_turn(s);
    return true;
}
