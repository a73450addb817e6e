/* SPDX-License-Identifier: Apache-2.0
 *
 * notes.c - see notes.h. Part of the walkers: a program of strangers, built for each libc.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/walk/notes.h"

#define WRITER_NAMES ((1u << WALK_NAME_READER) - 1)

static _Atomic uint32_t last_id;

static void trouble(const struct held *h, const char *what)
{
    dprintf(2, "walker %d: descriptor %d of cluster %d: %s: %s\n", (int)getpid(), h->fd,
            h->at.cluster, what, strerror(errno));
    _exit(2);
}

/* ---- addresses ---- */

socklen_t notes_sockaddr(const struct target *at, struct sockaddr_in6 *ret)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    char text[48];

    memset(ret, 0, sizeof(*ret));
    ret->sin6_family = AF_INET6;
    in.sin_port = ret->sin6_port = htons(at->port);
    if (at->family == 6)
        snprintf(text, sizeof(text), "fd77::%x:%x", at->cluster + 1, at->member + 1);
    else
        snprintf(text, sizeof(text), "%s127.77.%d.%d", at->mapped ? "::ffff:" : "", at->cluster + 1,
                 at->member + 1);
    if (at->family == 6 || at->mapped) {
        inet_pton(AF_INET6, text, &ret->sin6_addr);
        return sizeof(*ret);
    }
    inet_pton(AF_INET, text, &in.sin_addr);
    memcpy(ret, &in, sizeof(in));
    return sizeof(in);
}

bool notes_member(const struct sockaddr *from, int *ret_cluster, int *ret_member, int *ret_family)
{
    const uint8_t *six = ((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr;
    const uint8_t *four = (const uint8_t *)&((const struct sockaddr_in *)from)->sin_addr;
    bool mapped = from->sa_family == AF_INET6 &&
                  IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)from)->sin6_addr);
    bool is_four = mapped || from->sa_family == AF_INET;

    four = mapped ? six + 12 : four;
    *ret_family = is_four ? 4 : 6;
    *ret_cluster = (is_four ? four[2] : six[13]) - 1;
    *ret_member = (is_four ? four[3] : six[15]) - 1;
    return *ret_cluster >= 0 && *ret_cluster < WALK_CLUSTERS && *ret_member >= 0 &&
           *ret_member < WALK_MEMBERS;
}

static bool was_writer(const struct walk_cluster *c, uint32_t low, uint32_t high, int member)
{
    for (uint32_t n = low; n <= high; n++)
        if (c->switches[n].writer == member)
            return true;
    return false;
}

void notes_asked(struct walker *w, enum walk_name name, int cluster)
{
    w->lookups++;
    w->asked.cluster = cluster;
    w->asked.name = name;
    w->asked.used = 0;
}

void notes_given(struct walker *w, enum walk_name name, int cluster, uint32_t low, uint32_t high,
                 const struct sockaddr *address)
{
    int found, member, family;

    if (!notes_member(address, &found, &member, &family) || found != cluster ||
        (name < WALK_NAME_READER && !was_writer(&w->walk->clusters[cluster], low, high, member))) {
        dprintf(2, "astray: name %d of cluster %d is member %d between %u and %u\n", name, cluster,
                member, low, high);
        w->walk->astray++;
        return;
    }
    w->when[cluster][member][family == 6][name] = w->lookups;
    w->present[cluster][family == 6][name] = (uint8_t)(1 + member);
    w->given[cluster][member][family == 6] |= (uint8_t)(1u << name);
}

/* ---- a connect ---- */

/* The names of `given` that have this address now. */
static uint8_t present(const struct walker *w, const struct target *to, uint8_t given)
{
    uint8_t names = 0;

    for (int name = 0; name < WALK_NAME_PLAIN; name++)
        if (given >> name & 1 && w->present[to->cluster][to->family == 6][name] == 1 + to->member)
            names |= (uint8_t)(1u << name);
    return names;
}

/* Whether the thread's last lookup gave the address, and no connect used that. One has, then. */
static bool use_asked(struct walker *w, const struct target *to, uint8_t given)
{
    uint8_t family = to->family == 6 ? 2 : 1;
    bool asked =
        w->asked.cluster == to->cluster && given >> w->asked.name & 1 && !(w->asked.used & family);

    if (asked)
        w->asked.used |= family;
    return asked;
}

/* The managed names whose endpoints have the port. */
static uint8_t names_at(const struct target *to)
{
    uint8_t names = 0;

    for (enum walk_name name = 0; name < WALK_NAME_PLAIN; name++)
        if (to->port == WALK_PORT ||
            (to->port == WALK_POOLER_PORT && walk_has_pooler(to->cluster, name)))
            names |= (uint8_t)(1u << name);
    return names;
}

/* The managed names that may be meant. */
static uint8_t names_meant(struct walker *w, const struct target *to, struct held *held)
{
    uint8_t all = w->given[to->cluster][to->member][to->family == 6];
    uint8_t given = all & names_at(to), names = present(w, to, given);
    bool asked =
        use_asked(w, to, all) && given >> WALK_NAME_READER & 1 && w->asked.name == WALK_NAME_READER;

    if (given & WRITER_NAMES & (uint8_t)~names)
        held->how |= 1u << WALK_LEFT;
    if (!names)
        names = given;
    if (!(names & WRITER_NAMES) || !(names >> WALK_NAME_READER & 1))
        return names;
    held->how |= 1u << (asked ? WALK_ASKED : WALK_UNTOLD);
    return asked ? 1u << WALK_NAME_READER : names & WRITER_NAMES;
}

/* The one of them that was looked up last; WALK_NAME_COUNT: there is none. */
static enum walk_name name_meant(struct walker *w, const struct target *to, struct held *held)
{
    const uint32_t *when = w->when[to->cluster][to->member][to->family == 6];
    uint8_t names = names_meant(w, to, held);
    enum walk_name meant = WALK_NAME_COUNT;

    for (enum walk_name name = 0; name < WALK_NAME_PLAIN; name++)
        if (names >> name & 1 && (meant == WALK_NAME_COUNT || when[name] >= when[meant]))
            meant = name;
    return meant;
}

static int endpoint_of(enum walk_name name)
{
    if (name >= WALK_NAME_READER)
        return NOTES_NOBODY;
    return name == WALK_NAME_FIRST ? 0 : (int)name - 1;
}

static enum walk_kind why_spared(const struct walker *w, const struct target *to)
{
    uint8_t given = w->given[to->cluster][to->member][to->family == 6];

    if (given & names_at(to))
        return WALK_READER_ON_DEMOTED;
    if (!names_at(to) || given & names_at(&(struct target){.port = WALK_PORT}))
        return WALK_OTHER_PORT_ON_DEMOTED;
    return given ? WALK_PLAIN_ON_DEMOTED : WALK_STRANGER_ON_DEMOTED;
}

static uint32_t how_connected(const struct walker *w, const struct target *to, enum walk_name name,
                              const struct held *held)
{
    uint32_t how = w->how | held->how;

    how |= 1u << (to->family == 6 ? WALK_IPV6 : to->mapped ? WALK_MAPPED : WALK_IPV4);
    if (name == WALK_NAME_ALIAS)
        how |= 1u << WALK_BY_ALIAS;
    if (name != WALK_NAME_COUNT && to->port == WALK_POOLER_PORT)
        how |= 1u << WALK_AT_POOLER;
    if (held->shared)
        how |= 1u << WALK_SHARED_ADDRESS;
    return how;
}

void notes_before(struct walker *w, int fd, const struct target *to, struct held *held)
{
    struct walk_cluster *c = &w->walk->clusters[to->cluster];
    uint8_t given = w->given[to->cluster][to->member][to->family == 6];
    enum walk_name name = name_meant(w, to, held);
    bool tagged = name != WALK_NAME_COUNT;

    held->fd = fd;
    held->twin = -1;
    held->at = *to;
    held->endpoint = endpoint_of(name);
    held->shared = given & WRITER_NAMES & names_at(to) && given >> WALK_NAME_PLAIN & 1;
    held->why = why_spared(w, to);
    held->how = how_connected(w, to, name, held);
    held->of = notes_own;
    held->tag_fd = fd;
    held->id = atomic_fetch_add(&last_id, 1) + 1;
    if (!tagged && atomic_load(&notes_own->numbers[fd]))
        held->how |= 1u << WALK_OVER_A_TAG;
    if (tagged)
        atomic_store(&notes_own->numbers[fd], held->id);
    held->without = atomic_load(&c->without);
    held->restarts = atomic_load(&w->walk->restarts);
    held->low = atomic_load(&c->published);
    held->over = held->low - (atomic_load(&c->switches[held->low].order) == WALK_ORDER_GIVEN);
}

/* While their answers are changed one after the other several names may disagree. */
static bool may_disagree(const struct walker *w, const struct target *to, const struct held *h)
{
    uint8_t given = w->given[to->cluster][to->member][to->family == 6];

    return (h->low < h->high || h->interrupted) && given & (given - 1);
}

/* I1: who connects for writer names alone is connected to whom the view says, or said meanwhile. */
static void judge_destination(struct walker *w, const struct target *to, const struct held *h)
{
    struct walk_cluster *c = &w->walk->clusters[to->cluster];
    bool is_reader = h->endpoint == NOTES_NOBODY && h->why == WALK_READER_ON_DEMOTED && !h->shared;
    bool right = h->at.cluster == to->cluster;

    /* A reader is right anywhere in its cluster: one that lags is replaced by another one. */
    if (!is_reader && may_disagree(w, to, h))
        right =
            right && (h->at.member == to->member || was_writer(c, h->low, h->high, h->at.member));
    else if (h->endpoint != NOTES_NOBODY && !h->shared)
        right = right && was_writer(c, h->low, h->high, h->at.member);
    else if (h->endpoint == NOTES_NOBODY && h->why != WALK_READER_ON_DEMOTED) /* as asked */
        right = right && h->at.member == to->member;
    if (right)
        return;
    w->walk->astray++;
    dprintf(2,
            "astray: walker %d: %d/%d port %d family %d for endpoint %d, given for names %x, is "
            "connected to"
            " %d/%d between %u and %u (writer %d)%s, how %x\n",
            (int)getpid(), to->cluster, to->member, to->port, to->family, h->endpoint,
            w->given[to->cluster][to->member][to->family == 6], h->at.cluster, h->at.member, h->low,
            h->high, c->switches[h->high].writer, h->interrupted ? ", interrupted" : "", h->how);
}

static void note_time(struct walker *w, const struct target *to, struct held *held)
{
    struct walk_cluster *c = &w->walk->clusters[to->cluster];

    held->high = atomic_load(&c->begun);
    held->interrupted = held->without % 2 || held->without != atomic_load(&c->without);
    if (held->low < held->high)
        held->how |= 1u << WALK_DURING_SWITCH;
}

void notes_refused(struct walker *w, const struct target *to, struct held *held)
{
    note_time(w, to, held);
    if (!held->interrupted || held->endpoint == NOTES_NOBODY || held->shared)
        trouble(held, "refused");
    w->walk->refused++;
}

bool notes_connecting(struct walker *w, const struct target *to, struct held *held)
{
    struct walk_cluster *c = &w->walk->clusters[to->cluster];

    note_time(w, to, held);
    held->how |= 1u << WALK_CONNECTING;
    if (held->endpoint == NOTES_NOBODY)
        return true;
    held->at.member = c->switches[held->low].writer; /* I1; only writers' names lead there */
    return held->low == held->high && !held->interrupted;
}

bool notes_after(struct walker *w, const struct target *to, struct held *held)
{
    struct sockaddr_in6 peer;
    socklen_t len = sizeof(peer);
    int family;

    note_time(w, to, held);
    if (held->without % 2 && held->endpoint != NOTES_NOBODY && !held->shared)
        w->walk->waited++;
    if (getpeername(held->fd, (struct sockaddr *)&peer, &len)) {
        held->at.member = WALK_MEMBERS;
        held->how |= 1u << WALK_WHILE_CONNECTING;
        if (notes_check(w, held))
            trouble(held, "not connected");
        return false;
    }
    if (!notes_member((struct sockaddr *)&peer, &held->at.cluster, &held->at.member, &family) ||
        peer.sin6_port != htons(to->port)) /* at the same place in both families */
        trouble(held, "connected to nobody");
    if (held->at.member != to->member)
        held->how |= 1u << WALK_REDIRECTED;
    judge_destination(w, to, held);
    return true;
}

/* ---- looking ---- */

/* An error is told once for all who hold the socket; the state remains. */
static bool is_severed(const struct held *h)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);
    char byte;
    ssize_t n = recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return false;
    if (n < 0 && errno == ECONNABORTED)
        return true;
    if (getsockopt(h->fd, IPPROTO_TCP, TCP_INFO, &info, &len) || info.tcpi_state != TCP_CLOSE)
        trouble(h, "the servers are gone");
    return true;
}

static bool is_named(const struct held *h, const struct walk_switch *s)
{
    return h->endpoint != NOTES_NOBODY && s->endpoints >> h->endpoint & 1 &&
           (h->at.member == WALK_MEMBERS || s->demoted >> h->at.member & 1);
}

static bool is_due(const struct held *h, uint32_t number)
{
    return number > h->high || (number > h->low && !h->shared);
}

/* In one piece, and not through stderr, whose lock a forked child may find held for ever. */
static void tell(struct walker *w, const struct held *h, const char *what, uint32_t number)
{
    const struct walk_switch *s = &w->walk->clusters[h->at.cluster].switches[number];
    char how[512] = "";
    size_t at = 0;

    for (int i = 0; i < WALK_KIND_COUNT; i++)
        if (h->how >> i & 1)
            at += (size_t)snprintf(how + at, sizeof(how) - at, " %s;", walk_kind_names[i]);
    dprintf(2,
            "%s: walker %d, step %llu, descriptor %d (tagged at %d), cluster %d, member %d,"
            " endpoint %d, between %u and %u, over %u, switch %u (writer %d demoted %x endpoints"
            " %x order %d):%s %s\n",
            what, (int)getpid(), (unsigned long long)w->walk->steps, h->fd, h->tag_fd,
            h->at.cluster, h->at.member, h->endpoint, h->low, h->high, h->over, number, s->writer,
            s->demoted, s->endpoints, s->order, how,
            h->endpoint < 0 ? walk_kind_names[h->why] : "");
}

static void tally(_Atomic uint64_t *kinds, uint32_t bits)
{
    for (int i = 0; i < WALK_KIND_COUNT; i++)
        if (bits >> i & 1)
            kinds[i]++;
}

/* Why an order that is over has spared it, as bits; 0: it had nothing to do with it. */
static uint32_t why_bits(const struct walk_cluster *c, const struct held *h, uint32_t number)
{
    const struct walk_switch *s = &c->switches[number];
    bool demoted = s->demoted >> h->at.member & 1;

    if (h->endpoint == NOTES_NOBODY)
        return demoted ? 1u << h->why : 0;
    if (s->order == WALK_ORDER_CANCELLED)
        return is_named(h, s) && number > h->high && number < atomic_load(&c->begun) &&
                       c->switches[number + 1].writer == h->at.member
                   ? 1u << WALK_WRITER_AGAIN
                   : 0;
    if (!demoted)
        return s->endpoints && s->writer == h->at.member ? 1u << WALK_HEALTHY_WRITER : 0;
    if (!(s->endpoints >> h->endpoint & 1))
        return 1u << WALK_ENDPOINT_NOT_ORDERED;
    return number <= h->low ? 1u << WALK_MADE_AFTERWARDS : 0;
}

/* Connected before one, whose permit was never in doubt. */
static bool held_through_restart(const struct walker *w, const struct held *h)
{
    return h->restarts % 2 == 0 && atomic_load(&w->walk->restarts) >= h->restarts + 2 &&
           !atomic_load(&h->of->unknown) && atomic_load(&h->of->known_at) <= h->restarts;
}

/* What became of it after it was connected. */
static uint32_t later(const struct walker *w, const struct held *h, const struct walk_switch *s)
{
    bool restarted = held_through_restart(w, h);

    return (uint32_t)(s->left >> h->at.member & 1) << WALK_ON_LEFT | (uint32_t)restarted
                                                                         << WALK_RESTORED;
}

static void note_spared(struct walker *w, const struct held *h, uint32_t over)
{
    const struct walk_cluster *c = &w->walk->clusters[h->at.cluster];
    uint32_t bits = 0;

    for (uint32_t n = h->over + 1; n <= over; n++)
        bits |= why_bits(c, h, n) | later(w, h, &c->switches[n]);
    if (bits)
        tally(w->walk->spared, bits | h->how);
}

static bool may_sever(const struct walk_cluster *c, const struct held *h, uint32_t number)
{
    bool astray = (h->low < h->high || h->interrupted) && !h->shared &&
                  !was_writer(c, h->low, h->high, h->at.member);

    return is_named(h, &c->switches[number]) && number + astray > h->low;
}

static void note_severed(struct walker *w, const struct held *h)
{
    const struct walk_cluster *c = &w->walk->clusters[h->at.cluster];
    uint32_t begun = atomic_load(&c->begun);

    for (uint32_t n = h->over + 1; n <= begun; n++)
        if (may_sever(c, h, n) && atomic_load(&c->switches[n].order) != WALK_ORDER_NONE) {
            w->walk->aborted++;
            tally(w->walk->severed, h->how | later(w, h, &c->switches[n]));
            return;
        }
    w->walk->wrong++;
    tell(w, h, "wrong", begun);
}

/* The orders are looked at before the connection, if it lives, and after it, if it does not. */
bool notes_check(struct walker *w, struct held *held)
{
    struct walk_cluster *c = &w->walk->clusters[held->at.cluster];
    uint32_t over = held->over, due = 0;

    for (uint8_t order; (order = atomic_load(&c->switches[over + 1].order)) > WALK_ORDER_GIVEN;
         over++)
        if (order == WALK_ORDER_DONE && is_due(held, over + 1) &&
            is_named(held, &c->switches[over + 1]))
            due = over + 1;
    if (due && notes_passed_by(w, held, due)) {
        w->walk->passed_by++;
        due = 0;
    }
    w->walk->checked++;
    if (is_severed(held)) {
        note_severed(w, held);
        return false;
    }
    if (due && notes_out_of_reach(held)) {
        w->walk->displaced++;
    } else if (due) {
        w->walk->missed++;
        tell(w, held, "missed", due);
        notes_tell_permit(w, held);
        notes_tell_memories(held);
    }
    note_spared(w, held, over);
    held->over = over;
    return true;
}
