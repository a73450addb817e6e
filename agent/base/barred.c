/* SPDX-License-Identifier: Apache-2.0
 *
 * barred.c - see barred.h.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/barred.h"
#include "agent/base/log.h"
#include "agent/base/process.h"
#include "agent/base/stranger.h"
#include "proto/hash.h"

struct user {
    uid_t uid;
    uint64_t
        place; /* of uid 0: the hash of its control group; else a network namespace, or 0: any */
};

struct entry {
    struct user user;
    uint64_t until_ms; /* 0: free */
};

struct barred {
    struct loop *loop;
    struct loop_timer *timer;
    const struct sockpath *sock;
    uint64_t netns; /* that of `sock`; 0: not asked for as yet, or not known */
    struct entry entries[BARRED_MAX];
};

/* ---- who it is ---- */

uint64_t barred_place(pid_t pid)
{
    char path[32], text[4096];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    int fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    return n > 0 ? hash_bytes(HASH_START, text, (size_t)n) : 0;
}

uint64_t barred_place_of(int fd, pid_t pid)
{
    int process = process_open_peer(fd, pid);
    uint64_t place = barred_place(pid);

    if (!process_may_run(process))
        place = 0;
    if (process >= 0)
        close(process);
    return place;
}

/* Who is in our own network namespace is barred wherever he is; containers often run as the same number. */
uint64_t barred_place_in(struct barred *b, uint64_t netns)
{
    if (!b->netns)
        b->netns = netns_of(b->sock->fd);
    return netns == b->netns ? 0 : netns;
}

static struct user user_of(const struct ucred *cred)
{
    return (struct user){cred->uid, cred->uid == 0 ? barred_place(cred->pid) : 0};
}

static bool same(const struct user *a, const struct user *b)
{
    return a->uid == b->uid && a->place == b->place;
}

/* ---- the list ---- */

static void keep_out(const struct barred *b)
{
    uid_t uids[BARRED_MAX];
    uint32_t count = 0;

    for (int i = 0; i < BARRED_MAX; i++)
        if (b->entries[i].until_ms && b->entries[i].user.place == 0)
            uids[count++] = b->entries[i].user.uid;
    (void)sockpath_keep_out(b->sock, uids, count);
}

/* The next one that may come again. */
static void plan(const struct barred *b)
{
    uint64_t now_ms = loop_now_ms(b->loop), next_ms = 0;

    for (int i = 0; i < BARRED_MAX; i++) {
        uint64_t until_ms = b->entries[i].until_ms;
        if (until_ms && (!next_ms || until_ms < next_ms))
            next_ms = until_ms;
    }
    if (next_ms)
        loop_timer_set(b->timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

static void let_in(void *arg)
{
    struct barred *b = arg;
    uint64_t now_ms = loop_now_ms(b->loop);

    for (int i = 0; i < BARRED_MAX; i++)
        if (b->entries[i].until_ms <= now_ms)
            b->entries[i].until_ms = 0;
    keep_out(b);
    plan(b);
}

/* The entry that it has, or the one that it may take. */
static struct entry *entry_for(struct barred *b, const struct user *user)
{
    struct entry *oldest = &b->entries[0];

    for (int i = 0; i < BARRED_MAX; i++) {
        struct entry *e = &b->entries[i];
        if (e->until_ms && same(&e->user, user))
            return e;
        if (e->until_ms < oldest->until_ms)
            oldest = e;
    }
    return oldest;
}

/* ---- from outside ---- */

struct barred *barred_new(struct loop *loop, const struct sockpath *sock)
{
    struct barred *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->loop = loop;
    b->sock = sock;
    b->timer = loop_timer_new(loop, let_in, b);
    if (b->timer)
        return b;
    free(b);
    return NULL;
}

void barred_free(struct barred *b)
{
    if (!b)
        return;
    loop_timer_free(b->timer);
    free(b);
}

void barred_add(struct barred *b, const struct ucred *cred, uint64_t for_ms, const char *why)
{
    barred_add_at(b, cred, user_of(cred).place, for_ms, why);
}

void barred_add_at(struct barred *b, const struct ucred *cred, uint64_t place, uint64_t for_ms,
                   const char *why)
{
    uint64_t until_ms = loop_now_ms(b->loop) + for_ms;
    struct user user = {cred->uid, place};

    if (user.uid == 0 && user.place == 0)
        return;
    struct entry *e = entry_for(b, &user);
    bool is_new = !e->until_ms || !same(&e->user, &user);
    if (is_new || e->until_ms < until_ms)
        *e = (struct entry){user, until_ms};
    plan(b);
    if (!is_new)
        return;
    keep_out(b);
    log_event(LOG_WARNING, "user_barred", why, LOG_STR("socket", b->sock->path),
              LOG_INT("uid", cred->uid), LOG_INT("pid", cred->pid),
              LOG_INT("for_s", for_ms / 1000));
}

/* Who makes network namespaces is not to hang us once in each. */
static bool is_barred_around(const struct barred *b, uid_t uid, uint64_t for_ms)
{
    uint64_t now_ms = loop_now_ms(b->loop);
    uint32_t places = 0;

    for (int i = 0; i < BARRED_MAX; i++) {
        const struct entry *e = &b->entries[i];
        places += e->user.uid == uid && e->user.place && e->until_ms > now_ms + for_ms / 2;
    }
    return places >= BARRED_PLACES;
}

void barred_add_from(struct barred *b, const struct ucred *cred, uint64_t netns, uint64_t for_ms,
                     const char *why)
{
    bool everywhere = is_barred_around(b, cred->uid, for_ms);

    if (cred->uid == 0)
        barred_add(b, cred, for_ms, why);
    else
        barred_add_at(b, cred, everywhere ? 0 : barred_place_in(b, netns), for_ms, why);
}

void barred_renew(struct barred *b)
{
    keep_out(b);
}

bool barred_has(const struct barred *b, const struct ucred *cred, uint64_t netns)
{
    struct user user = {cred->uid, netns};
    bool looked = cred->uid != 0;

    for (int i = 0; i < BARRED_MAX; i++) {
        const struct entry *e = &b->entries[i];
        if (!e->until_ms || e->user.uid != cred->uid)
            continue;
        if (!looked)
            user = user_of(cred);
        looked = true;
        if (e->user.place == 0 || same(&e->user, &user))
            return true;
    }
    return false;
}
