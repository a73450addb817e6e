/* SPDX-License-Identifier: Apache-2.0
 *
 * sweep.c - see sweep.h.
 *
 * 1. W7: what is aborted was listed in this very sweep as connected to the demoted member, and is
 *    named to the kernel by its cookie. Either a tag of its own group says that it is outdated, and
 *    the kernel lists it with a user that the tag's process was, as far as that can be told, and it is
 *    not of a process that comes back all the same (strayed.h); or
 *    no tag of any process in its namespace names it, and the order is for such, too. Of these, only
 *    what the first sweep found is aborted: a program that nobody steers would come back for ever.
 * 2. What somebody knew before this homing-sever is not called untagged: its tag may have been lost with the one before. Nor
 *    is, if the order says so, what somebody knew before the order.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/sever/sweep/netlink.h"
#include "agent/sever/sweep/own.h"
#include "agent/sever/sweep/sweep.h"
#include "agent/sever/sweep/turns.h"

enum {
    ABORTS_PER_TURN = 200,
    /* Since its begin, it has no further aborts: deputies may have been late. */
    ABORT_TURN_MS = 500,
    /* What one costs its user, in slots (rota.h). */
    ABORT_SLOTS = 500,
    /* Dumps in a row that are not finished in time, until the permit ends. */
    LATE_MAX = 3,
    /* Rounds of a rest: who asks for a list waits for it. */
    LIST_ROUNDS = 6
};

static void begin(struct sweep *s, const struct sever_order *order, uint32_t nth,
                  struct sweep_results *results)
{
    s->order = order;
    s->nth = nth;
    s->results = results;
    s->group = NULL;
    s->without_mptcp = false;
}

void sweep_begin(struct sweep *s, const struct sever_order *order, uint32_t nth,
                 struct sweep_results *results)
{
    begin(s, order, nth, results);
    s->rounds = 1;
    s->is_rest = false;
    if (rota_fill(&s->rota, s->permits, own_for(s->own, order, nth)))
        log_event(LOG_WARNING, "no_memory",
                  "there is no memory to list who has handed over permits");
}

void sweep_begin_rest(struct sweep *rest, struct sweep *swept)
{
    begin(rest, swept->order, swept->nth, swept->results);
    rest->permits = swept->permits;
    rest->own = swept->own;
    rest->salt = swept->salt;
    rest->age = swept->age;
    rest->strayed = swept->strayed;
    rest->deputies = swept->deputies;
    rest->marked = swept->marked;
    rest->rounds = rest->order->kind == SEVER_LIST ? LIST_ROUNDS : UINT32_MAX;
    rest->is_rest = true;
    rota_done(&rest->rota);
    rest->rota = swept->rota;
    swept->rota = (struct rota){0};
}

uint32_t sweep_users_left(const struct sweep *s)
{
    return rota_users(&s->rota);
}

void sweep_end(struct sweep *s)
{
    tags_done(&s->tags);
    judging_done(&s->judging);
    rota_done(&s->rota);
    s->order = NULL;
    s->results = NULL;
    s->group = NULL;
}

void sweep_group_gone(struct sweep *s, const struct group *group)
{
    rota_group_gone(&s->rota, group);
    if (!s->group || (s->group != group && s->via != group))
        return;
    judging_done(&s->judging);
    s->group = NULL;
}

/* ---- a group begins and ends ---- */

/* False: the round is over. */
static bool next_group(struct sweep *s)
{
    struct rota_item *item = rota_next(&s->rota);

    if (!item)
        return false;
    s->group = item->group;
    s->stage = SWEEP_LIST;
    return true;
}

static void leave_group(struct sweep *s, bool finished)
{
    judging_done(&s->judging);
    s->group = NULL;
    rota_leave(&s->rota, finished);
}

/* The group's socket failed. Its next one tries, in the next turn; of the own namespace, in the next
 * sweep. One with which a deputy hangs is of use again when that is back. */
static void drop_netlink(struct sweep *s)
{
    struct group *group = s->via;

    s->results->counts.dropped++;
    judging_done(&s->judging);
    s->group = NULL;
    if (group == s->own)
        own_close(group);
    else if (!group->netlinks[0].ticket)
        permits_drop_netlink(group);
}

static struct rota_item *item_of(struct sweep *s)
{
    return &s->rota.items[s->rota.at];
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

/* Where another socket lists the same, that one is put at risk (netlink.h). */
static int list_as(struct sweep *s, int family, enum diag_what what)
{
    struct group_netlink *first = &s->via->netlinks[0];
    int other = what != DIAG_TCP && first->ours ? netlink_beside(first->fd) : -1;
    struct netlink_list list = {.fd = other < 0 ? first->fd : other,
                                .uid = other < 0 ? s->group->uid : UINT32_MAX,
                                .family = family,
                                .what = what,
                                .at = s->order->addresses,
                                .count = s->order->address_count,
                                .age = s->age};

    age_note(s->age);
    int rv = netlink_dump(s->deputies, &list, take_listed, s);
    if (other < 0) {
        first->ticket = rv == -EDEADLK ? list.ret_ticket : 0;
        return rv;
    }
    close(other);
    return rv == -EDEADLK ? -ENOLCK : rv;
}

/* A tag names the socket that the program has. Of MPTCP that is not what the kernel lists as TCP. It
 * is asked for after TCP, so that no subflow is listed without it. A subflow of a socket that is not
 * listed must be known for one, where what nobody has tagged is to be aborted. If a program keeps a socket locked, less
 * is known of all: what is tagged can be aborted. */
static int list_family(struct sweep *s, int family)
{
    int rv = list_as(s, family, s->order->untagged || s->marked ? DIAG_MARKED : DIAG_TCP);

    if (rv == -ENOLCK) {
        s->locked = true;
        rv = list_as(s, family, DIAG_TCP);
    }
    if (rv || s->tags.count == 0 || s->without_mptcp)
        return rv;
    rv = list_as(s, family, DIAG_MPTCP);
    if (rv == -ENOLCK) {
        s->locked = true;
        return 0;
    }
    s->without_mptcp = rv == -ENOENT;
    s->marked |= s->without_mptcp;
    return rv == -ENOENT ? 0 : rv;
}

/* A dump that is not finished in time is not yet a failure. What it listed is right, and the next
 * sweep lists more. */
static bool list(struct sweep *s)
{
    struct group *group = s->group;

    int rv = list_family(s, AF_INET6);

    if (rv == 0 && has_ipv4(s->order))
        rv = list_family(s, AF_INET);
    if (!s->is_rest) /* whose rounds follow each other at once */
        group->late = rv == -ETIME ? group->late + 1 : 0;
    return rv == 0 || (rv == -ETIME && group->late < LATE_MAX);
}

static uint64_t spent_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void say_unlisted(const struct sweep *s)
{
    if (s->group->netlink_count && s->nth == 0 && !s->is_rest)
        log_event(LOG_WARNING, "unlisted",
                  "programs keep connections locked with which each netlink socket of this user "
                  "hangs: none of his in that network namespace is severed until that ends",
                  LOG_INT("uid", s->group->uid));
}

static void list_turn(struct sweep *s)
{
    uint64_t before_us = spent_us();

    tags_done(&s->tags);
    s->locked = false;
    s->via = netlink_group(s->deputies, permits_first_group(s->permits), s->group);
    if (!s->via) {
        say_unlisted(s);
        leave_group(s, true);
        return;
    }
    bool listed = list(s);
    rota_charge_list(&s->rota, (spent_us() - before_us) * ROTA_SLOTS_PER_US);
    if (!listed)
        drop_netlink(s);
    else
        s->stage = SWEEP_JUDGE;
}

/* ---- it is judged ---- */

static bool is_spared(const struct sever_order *order, uint64_t cookie)
{
    for (uint32_t i = 0; i < order->spared_count; i++)
        if (order->spared[i] == cookie)
            return true;
    return false;
}

/* What no process has any more can be told by every tag alone. */
static bool has_no_tag(const struct sweep *s, const struct tags_entry *e)
{
    return e->verdict == TAGS_UNTAGGED && !e->elsewhere && !s->locked &&
           (!e->socket.orphan || s->judging.everything) && !is_spared(s->order, e->socket.cookie);
}

/* It may have been tagged for the homing-sever before this one, or its program had no occasion to tag it.
 * An orphan is nobody's. */
static bool is_older(const struct sweep *s, const struct tags_entry *e)
{
    return !e->socket.orphan && !age_is_after(s->age, e->socket.cookie);
}

static bool is_nobodys(const struct sweep *s, const struct tags_entry *e)
{
    return has_no_tag(s, e) && !is_older(s, e);
}

/* In a namespace with several groups, each sees all connections. */
static bool is_here(const struct sweep *s, const struct tags_entry *e, bool first_of_netns)
{
    if (!s->order->untagged)
        return first_of_netns;
    return !e->elsewhere && (first_of_netns || e->socket.uid == s->group->uid);
}

static void count_entries(struct sweep *s, bool first_of_netns)
{
    struct sever_counts *counts = &s->results->counts;

    for (uint32_t i = 0; i < s->tags.count; i++) {
        const struct tags_entry *e = &s->tags.entries[i];
        counts->seen += first_of_netns;
        counts->mptcp_hidden += first_of_netns && e->hidden;
        counts->outdated += e->verdict == TAGS_OUTDATED;
        counts->unsure += e->verdict == TAGS_OUTDATED && e->unsure;
        counts->untagged += e->verdict == TAGS_UNTAGGED && is_here(s, e, first_of_netns) &&
                            !is_spared(s->order, e->socket.cookie);
        counts->older += s->order->untagged && has_no_tag(s, e) && is_older(s, e) &&
                         is_here(s, e, first_of_netns);
    }
}

static void count_judged(struct sweep *s)
{
    struct sever_counts *counts = &s->results->counts;
    uint32_t aborted = item_of(s)->aborted;
    bool first_of_netns = rota_counts_netns(&s->rota, item_of(s));

    counts->seen += first_of_netns ? aborted : 0;
    counts->outdated += aborted;
    counts->processes += s->group->count;
    counts->namespaces += first_of_netns;
    counts->foreign += s->tags.foreign;
    if (s->tags.foreign)
        log_event(LOG_WARNING, "tags_ignored",
                  "processes of this user have tagged connections of another one",
                  LOG_INT("uid", s->group->uid), LOG_INT("tags", s->tags.foreign));
    s->first_of_netns = first_of_netns;
    count_entries(s, first_of_netns);
}

static int by_cookie(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Without memory, those of this group are left alone. */
static void note_untagged(struct sweep *s)
{
    struct sweep_results *r = s->results;
    size_t size = (r->untagged_count + s->tags.count) * sizeof(*r->untagged);
    uint64_t *untagged = s->order->untagged && size ? realloc(r->untagged, size) : NULL;

    if (!untagged)
        return;
    r->untagged = untagged;
    for (uint32_t i = 0; i < s->tags.count; i++)
        if (is_nobodys(s, &s->tags.entries[i]))
            untagged[r->untagged_count++] = s->tags.entries[i].socket.cookie;
    qsort(untagged, r->untagged_count, sizeof(*untagged), by_cookie);
}

static bool was_untagged(const struct sweep *s, uint64_t cookie)
{
    const struct sweep_results *r = s->results;

    return r->untagged &&
           bsearch(&cookie, r->untagged, r->untagged_count, sizeof(cookie), by_cookie);
}

void sweep_results_done(struct sweep_results *results)
{
    free(results->rows);
    free(results->untagged);
}

/* What is found by the first sweep is counted once, when all of the group's tags were read. */
static void note_judged(struct sweep *s)
{
    struct rota_item *item = item_of(s);

    if (s->nth > 0 || item->counted || !s->judging.all_read)
        return;
    item->counted = true;
    count_judged(s);
    note_untagged(s);
}

static void end_judging(struct sweep *s)
{
    s->first_of_netns = false;
    s->results->counts.memories += s->judging.read;
    (void)tags_join_subflows(&s->tags);
    note_judged(s);
    if (s->order->kind == SEVER_DO)
        turns_sort(&s->tags, s->salt);
    s->stage = SWEEP_ABORT;
    s->at = 0;
    s->aborted = 0;
}

static void judge_turn(struct sweep *s)
{
    struct judging *j = &s->judging;

    if (!j->order && judging_begin(j, s->permits, s->group, s->order, &s->tags, &s->rota))
        leave_group(s, true);
    else if (!judging_turn(j, &s->tags, &s->rota))
        end_judging(s);
}

/* ---- it is aborted, or counted, or told ---- */

static void tell_stays(struct sweep *s, const struct tags_entry *e)
{
    if (strayed_tells(s->strayed, e))
        log_event(LOG_WARNING, "returned",
                  "a program connects to a demoted member again, though such a connection was "
                  "severed: it keeps it until the next switch",
                  LOG_INT("pid", e->owner.pid), LOG_INT("uid", e->owner.uid),
                  LOG_STR("command", e->owner.comm));
}

/* Whether an outdated one goes in this sweep, if it has its turn. */
static bool goes(struct sweep *s, const struct tags_entry *e)
{
    enum strayed_fate fate =
        s->strayed ? strayed_judge(s->strayed, s->order, e, s->now_ms) : STRAYED_GOES;

    if (fate == STRAYED_STAYS)
        tell_stays(s, e);
    return fate == STRAYED_GOES;
}

static bool is_wanted(struct sweep *s, const struct tags_entry *e)
{
    if (e->verdict == TAGS_OUTDATED)
        return goes(s, e);
    return is_nobodys(s, e) && s->judging.all_read && was_untagged(s, e->socket.cookie);
}

/* How many are to be aborted next; 0: none is left. */
static uint32_t choose(struct sweep *s, const struct tags_entry **ret_chosen, uint32_t max)
{
    uint32_t count = 0;

    for (; s->at < s->tags.count && count < max; s->at++) {
        const struct tags_entry *e = &s->tags.entries[s->at];
        if (turns_take(s->order, s->nth, e) && is_wanted(s, e))
            ret_chosen[count++] = e;
    }
    return count;
}

/* False: one was not answered, so the socket is of no use. */
static bool count_aborted(struct sever_counts *counts, const struct diag_socket *sockets,
                          const int *errors, uint32_t count)
{
    bool answered = true;

    for (uint32_t i = 0; i < count; i++) {
        counts->severed += errors[i] == 0;
        counts->mptcp_late += errors[i] == 0 && sockets[i].subflow && !sockets[i].plain;
        counts->gone += errors[i] == -ENOENT;
        counts->denied += errors[i] == -EPERM;
        counts->failed += errors[i] != 0 && errors[i] != -ENOENT && errors[i] != -EPERM;
        answered &= errors[i] != -ENODATA;
    }
    return answered;
}

/* If the kernel has not aborted a connection, or the connection had ended by itself, its process has not
 * been severed, and so does not come back either. */
static void note_severed(struct sweep *s, const struct tags_entry *const *chosen, const int *errors,
                         uint32_t count)
{
    for (uint32_t i = 0; s->strayed && i < count; i++)
        if (errors[i] == 0 && chosen[i]->verdict == TAGS_OUTDATED)
            strayed_note(s->strayed, s->order, chosen[i], s->now_ms);
}

/* False: the socket is of no use. */
static bool abort_some(struct sweep *s, const struct tags_entry *const *chosen, uint32_t count)
{
    struct sever_counts *counts = &s->results->counts;
    struct diag_socket sockets[NETLINK_DESTROY_MAX];
    int errors[NETLINK_DESTROY_MAX], pids[NETLINK_DESTROY_MAX];

    for (uint32_t i = 0; i < count; i++) {
        sockets[i] = chosen[i]->socket;
        pids[i] = chosen[i]->owner.pid;
    }
    s->aborted += count;
    item_of(s)->aborted += item_of(s)->counted ? 0 : count;
    s->rota.spent += (uint64_t)count * ABORT_SLOTS;
    netlink_destroy(s->deputies, s->via->netlinks[0].fd, sockets, pids, count, errors);
    note_severed(s, chosen, errors, count);
    return count_aborted(counts, sockets, errors, count);
}

static void observe_turn(struct sweep *s)
{
    const struct tags_entry *chosen[NETLINK_DESTROY_MAX];
    uint32_t count;

    if (s->judging.all_read)
        while ((count = choose(s, chosen, NETLINK_DESTROY_MAX)) > 0)
            s->results->counts.severed += count;
    leave_group(s, s->judging.all_read);
}

/* A user who has had his share of the round still gets some. */
static void abort_turn(struct sweep *s)
{
    const struct tags_entry *chosen[NETLINK_DESTROY_MAX];
    uint64_t end_ms = deputy_now_ms() + ABORT_TURN_MS;

    for (uint32_t done = 0; done < ABORTS_PER_TURN && deputy_now_ms() < end_ms;
         done += NETLINK_DESTROY_MAX) {
        uint32_t count = choose(s, chosen, NETLINK_DESTROY_MAX);
        if (count == 0 || (s->aborted > 0 && !rota_allows(&s->rota, 0))) {
            leave_group(s, count == 0 && s->judging.all_read);
            return;
        }
        if (!abort_some(s, chosen, count)) {
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
                              .address = diag_peer(&e->socket),
                              .mptcp = e->socket.subflow && !e->socket.plain};
    memcpy(row->comm, e->owner.comm, sizeof(row->comm));
    if (e->verdict == TAGS_UNTAGGED) {
        row->uid = e->socket.uid;
        row->inode = e->socket.inode;
    }
}

/* With a tag of the group's own: another one's is told of with that group. Without a tag: what `untagged`
 * counts, but for what its program has closed. */
static bool is_row(const struct sweep *s, const struct tags_entry *e)
{
    if (e->verdict != TAGS_UNTAGGED)
        return e->owner.own && e->endpoint;
    return s->order->untagged && s->judging.all_read && !e->socket.orphan && has_no_tag(s, e) &&
           is_here(s, e, s->first_of_netns);
}

/* Of a group that was gone through to the end; or of one for which there is no time. */
static void rows_turn(struct sweep *s, uint64_t now_ms)
{
    struct sweep_results *r = s->results;
    bool finished = s->judging.all_read || (s->is_rest && s->rounds == 1);

    for (uint32_t i = 0; finished && i < s->tags.count && r->row_count < r->row_max; i++)
        if (is_row(s, &s->tags.entries[i]))
            put_row(&r->rows[r->row_count++], &s->tags.entries[i], now_ms);
    leave_group(s, finished);
}

/* ---- turn by turn ---- */

static void group_turn(struct sweep *s, uint64_t now_ms)
{
    if (s->stage == SWEEP_LIST)
        list_turn(s);
    else if (s->stage == SWEEP_JUDGE)
        judge_turn(s);
    else if (s->order->kind == SEVER_LIST)
        rows_turn(s, now_ms);
    else if (s->order->kind == SEVER_OBSERVE)
        observe_turn(s);
    else
        abort_turn(s);
}

bool sweep_turn(struct sweep *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->group || next_group(s)) {
        group_turn(s, now_ms);
        return true;
    }
    return rota_next_round(&s->rota, s->is_rest && s->order->kind != SEVER_LIST) && --s->rounds > 0;
}
