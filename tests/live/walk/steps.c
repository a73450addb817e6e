/* SPDX-License-Identifier: Apache-2.0
 *
 * steps.c - see steps.h. Part of the walkers: a program of strangers, built for each libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/walk/steps.h"
#include "tests/support/dice.h"

enum {
    KEEP_MIN_MS = 500,
    KEEP_SPREAD_MS = 6000,
    PIPES_MAX = 8
};

void steps_die(const char *what)
{
    dprintf(2, "walker %d: %s: %s\n", (int)getpid(), what, strerror(errno));
    _exit(2);
}

static int own_cluster(const struct walker *w, int i)
{
    return (w->first_cluster + w->cluster_step * i) % WALK_CLUSTERS;
}

int steps_cluster(struct walker *w)
{
    return own_cluster(w, (int)dice_roll(&w->dice, (uint32_t)w->clusters));
}

/* Rather one that is being switched in this moment. */
static int busy_cluster(struct walker *w)
{
    for (int i = 0; i < w->clusters; i++) {
        struct walk_cluster *c = &w->walk->clusters[own_cluster(w, i)];

        if (atomic_load(&c->published) != atomic_load(&c->begun) ||
            (atomic_load(&c->without) % 2 && dice_roll(&w->dice, 4) == 0))
            return own_cluster(w, i);
    }
    return steps_cluster(w);
}

/* ---- lookups ---- */

/* Any of them: a program goes on to the second address if the first does not answer. */
static const struct addrinfo *any_of(struct walker *w, const struct addrinfo *list)
{
    uint32_t count = 0;

    for (const struct addrinfo *at = list; at; at = at->ai_next)
        count++;
    for (count = dice_roll(&w->dice, count); count > 0; count--)
        list = list->ai_next;
    return list;
}

bool steps_lookup(struct walker *w, enum walk_name name, int cluster, struct target *ret)
{
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_family = families[dice_roll(&w->dice, 3)]};
    struct addrinfo *list, *at;
    struct walk_cluster *c = &w->walk->clusters[cluster];
    uint32_t low = atomic_load(&c->published), high;
    char text[64];

    snprintf(text, sizeof(text), walk_name_patterns[name], cluster,
             (int)dice_roll(&w->dice, WALK_MEMBERS));
    if (getaddrinfo(text, "5432", &hints, &list))
        return false;
    high = atomic_load(&c->begun);
    notes_asked(w, name, cluster);
    for (at = list; at; at = at->ai_next)
        notes_given(w, name, cluster, low, high, at->ai_addr);
    *ret = (struct target){.port = WALK_PORT};
    if (walk_has_pooler(cluster, name) && dice_roll(&w->dice, 3) == 0)
        ret->port = WALK_POOLER_PORT;
    notes_member(any_of(w, list)->ai_addr, &ret->cluster, &ret->member, &ret->family);
    ret->mapped = ret->family == 4 && dice_roll(&w->dice, 3) == 0;
    freeaddrinfo(list);
    return true;
}

static enum walk_name any_name(struct walker *w)
{
    static const enum walk_name names[] = {
        WALK_NAME_FIRST,  WALK_NAME_FIRST,  WALK_NAME_FIRST,  WALK_NAME_ALIAS, WALK_NAME_ALIAS,
        WALK_NAME_SECOND, WALK_NAME_SECOND, WALK_NAME_SECOND, WALK_NAME_THIRD, WALK_NAME_THIRD,
        WALK_NAME_READER, WALK_NAME_READER, WALK_NAME_READER, WALK_NAME_PLAIN};

    return names[dice_roll(&w->dice, sizeof(names) / sizeof(names[0]))];
}

/* Of a cluster whose number is even no address is ever given for anything but its writer endpoints,
 * so that what connects there has nothing to be mistaken for. Of every eighth one no address is ever
 * given but for names that are not managed: elsewhere such an address is soon a managed name's too. */
static enum walk_name name_for(struct walker *w, int cluster)
{
    enum walk_name name = any_name(w);

    if (cluster % 8 == 3)
        return WALK_NAME_PLAIN;
    return cluster % 2 == 0 && name >= WALK_NAME_READER ? WALK_NAME_FIRST : name;
}

void steps_take_lookup(struct walker *w)
{
    int cluster = steps_cluster(w);
    struct target ignored;

    if (!steps_lookup(w, name_for(w, cluster), cluster, &ignored))
        steps_die("a name is not known");
}

/* ---- connects ---- */

/* As a program does that caches, or was configured with an address. */
static struct target any_target(struct walker *w)
{
    static const uint16_t ports[] = {WALK_OTHER_PORT, WALK_POOLER_PORT, WALK_PORT};
    uint32_t port = dice_roll(&w->dice, 6);
    struct target to = {.cluster = busy_cluster(w),
                        .member = (int)dice_roll(&w->dice, WALK_MEMBERS),
                        .port = ports[port < 2 ? port : 2]};

    to.family = dice_roll(&w->dice, 3) == 0 ? 6 : 4;
    to.mapped = to.family == 4 && dice_roll(&w->dice, 3) == 0;
    return to;
}

static int open_socket(struct walker *w, const struct target *to)
{
    struct linger reset = {1, 0};
    int cloexec = dice_roll(&w->dice, 2) ? SOCK_CLOEXEC : 0;
    int fd = socket(to->family == 6 || to->mapped ? AF_INET6 : AF_INET, SOCK_STREAM | cloexec, 0);

    if (fd < 0)
        steps_die("socket");
    if (dice_roll(&w->dice, 8))
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return fd;
}

static void wait_connected(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    if (poll(&ready, 1, 20000) != 1)
        steps_die("a connect hangs");
}

/* False: it was severed while it connected, or refused. */
static bool connect_noted(struct walker *w, int fd, const struct target *to, struct held *held)
{
    bool full = walk_is_full(to->cluster, to->family) && to->port == WALK_PORT;
    bool nonblocking = full || dice_roll(&w->dice, 3) == 0;
    struct sockaddr_in6 address;
    socklen_t len = notes_sockaddr(to, &address);
    int flags = fcntl(fd, F_GETFL);

    if (nonblocking)
        held->how |= 1u << WALK_NONBLOCKING;
    fcntl(fd, F_SETFL, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
    notes_before(w, fd, to, held);
    if (connect(fd, (struct sockaddr *)&address, len) == 0)
        return notes_after(w, to, held);
    if (errno == ECONNREFUSED) {
        notes_refused(w, to, held);
        return false;
    }
    if (errno == EINPROGRESS && full)
        return notes_connecting(w, to, held);
    if (errno == EINPROGRESS)
        wait_connected(fd);
    else if (errno != ECONNABORTED)
        steps_die("connect");
    return notes_after(w, to, held);
}

static void keep(struct walker *w, struct held *held)
{
    bool racing = held->low < held->high;

    if (w->kept < NOTES_KEPT_MAX - (racing ? 0 : NOTES_RACING_MAX) &&
        (w->keeps || dice_roll(&w->dice, racing ? 2 : 8) == 0)) {
        held->until_ms = clock_ms() + KEEP_MIN_MS + dice_roll(&w->dice, KEEP_SPREAD_MS);
        w->kept++;
    }
}

void steps_drop(struct walker *w, struct held *held)
{
    close(held->fd);
    if (held->twin >= 0)
        close(held->twin);
    w->kept -= held->until_ms != 0;
    *held = w->held[--w->count];
}

/* Of those that are not kept, or NULL. */
static struct held *any_short(struct walker *w)
{
    for (int i = 0; i < 8 && w->count; i++) {
        struct held *held = &w->held[dice_roll(&w->dice, w->count)];

        if (!held->until_ms)
            return held;
    }
    return NULL;
}

static void make_room(struct walker *w)
{
    while (w->count - w->kept >= NOTES_SHORT_MAX) {
        struct held *held = any_short(w);

        if (held)
            steps_drop(w, held);
    }
}

bool steps_connect_to(struct walker *w, const struct target *to)
{
    struct held held = {0};
    int fd;

    make_room(w);
    fd = open_socket(w, to);
    if (!connect_noted(w, fd, to, &held)) {
        close(fd);
        return false;
    }
    keep(w, &held);
    w->held[w->count++] = held;
    return true;
}

void steps_take_connect(struct walker *w)
{
    int cluster = busy_cluster(w);
    struct target to = any_target(w);

    if (!w->is_child && dice_roll(&w->dice, 2) &&
        !steps_lookup(w, name_for(w, cluster), cluster, &to))
        steps_die("a name is not known");
    steps_connect_to(w, &to);
}

static void set_mark(int fd, int mark)
{
    if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
        steps_die("SO_MARK");
}

/* A connect that fails: marked packets are refused. */
static void connect_in_vain(struct walker *w, int fd, const struct target *to)
{
    struct held ignored = {0};
    struct sockaddr_in6 address;
    socklen_t len = notes_sockaddr(to, &address);

    set_mark(fd, 7);
    notes_before(w, fd, to, &ignored);
    if (connect(fd, (struct sockaddr *)&address, len) == 0 ||
        (errno != EACCES && errno != ECONNREFUSED))
        steps_die("a connect that should fail");
    if (errno == ECONNREFUSED)
        notes_refused(w, to, &ignored);
    set_mark(fd, 0);
}

/* False: it was severed before. */
static bool connect_and_dissolve(struct walker *w, int fd, const struct target *to)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct held ignored = {0};

    return connect_noted(w, fd, to, &ignored) && connect(fd, &nobody, sizeof(nobody)) == 0;
}

/* To an address of which somebody was told: the tag of one that nobody knows stays, after a connect
 * that failed. */
static bool is_known(const struct walker *w, const struct target *to)
{
    return w->given[to->cluster][to->member][to->family == 6];
}

/* One socket, twice. */
void steps_take_again(struct walker *w)
{
    struct target first = any_target(w), then = any_target(w);
    struct held held = {.how = 1u << WALK_SOCKET_AGAIN};
    int fd;

    make_room(w);
    then.family = first.family;
    then.mapped = first.mapped;
    fd = open_socket(w, &first);
    if (is_known(w, &then) && dice_roll(&w->dice, 2))
        connect_in_vain(w, fd, &first);
    else if (!connect_and_dissolve(w, fd, &first)) {
        close(fd);
        return;
    }
    if (!connect_noted(w, fd, &then, &held)) {
        close(fd);
        return;
    }
    keep(w, &held);
    w->held[w->count++] = held;
}

/* ---- closes and numbers ---- */

void steps_take_close(struct walker *w)
{
    struct held *held = any_short(w);

    if (held)
        steps_drop(w, held);
}

void steps_take_shutdown(struct walker *w)
{
    struct held *held = any_short(w);

    if (!held || held->how >> WALK_INHERITED & 1)
        return;
    shutdown(held->fd, SHUT_RDWR);
    steps_drop(w, held);
}

/* Sometimes the first number is closed, and may be another's soon. */
void steps_take_dup(struct walker *w)
{
    struct held *held = w->count ? &w->held[dice_roll(&w->dice, w->count)] : NULL;

    if (!held || held->twin >= 0)
        return;
    held->twin = fcntl(held->fd, dice_roll(&w->dice, 2) ? F_DUPFD : F_DUPFD_CLOEXEC, 3);
    held->how |= 1u << WALK_DUPLICATE;
    if (held->twin < 0 || dice_roll(&w->dice, 3))
        return;
    close(held->fd);
    held->fd = held->twin;
    held->twin = -1;
}

/* What stood at the number is closed by that. */
void steps_take_dup_over(struct walker *w)
{
    struct held *victim = any_short(w), *source;

    if (!victim || victim->twin >= 0)
        return;
    source = &w->held[dice_roll(&w->dice, w->count)];
    if (source == victim || source->twin >= 0)
        return;
    source->twin = dup2(source->fd, victim->fd);
    source->how |= 1u << WALK_DUPLICATE;
    if (source->endpoint == NOTES_NOBODY && atomic_load(&notes_own->numbers[source->twin]))
        source->how |= 1u << WALK_OVER_A_TAG;
    *victim = w->held[--w->count];
}

/* Pipes at numbers that were sockets': what is written arrives. */
void steps_take_pipe(struct walker *w)
{
    static _Thread_local int ends[PIPES_MAX][2], count;
    int which = (int)dice_roll(&w->dice, PIPES_MAX);
    char byte = (char)which;

    if (count < PIPES_MAX) {
        if (pipe(ends[count++]))
            steps_die("pipe");
        return;
    }
    if (write(ends[which][1], &byte, 1) != 1 || read(ends[which][0], &byte, 1) != 1 ||
        byte != which)
        steps_die("a pipe is broken");
    close(ends[which][0]);
    close(ends[which][1]);
    if (pipe(ends[which]))
        steps_die("pipe");
}

/* ---- checks ---- */

void steps_check_one(struct walker *w, struct held *held, uint64_t now_ms)
{
    if (!notes_check(w, held) || (held->until_ms && held->until_ms <= now_ms))
        steps_drop(w, held);
}

void steps_take_check(struct walker *w)
{
    uint64_t now_ms = clock_ms();

    for (int i = 0; i < 4 && w->count; i++)
        steps_check_one(w, &w->held[dice_roll(&w->dice, w->count)], now_ms);
}

void steps_check_all(struct walker *w, uint64_t now_ms)
{
    for (uint32_t i = w->count; i-- > 0;)
        steps_check_one(w, &w->held[i], now_ms);
}
