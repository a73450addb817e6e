/* SPDX-License-Identifier: Apache-2.0
 *
 * permits.c - see notes.h: when homing-sever has this process' permit, and whom its orders cannot reach.
 * Part of the walkers: a program of strangers, built for each libc.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/live/walk/notes.h"

struct notes_process *notes_own;
static uint64_t inherited; /* which permits are not this process' own */

/* Which numbers from NOTES_PERMIT on are connections to homing-sever, as bits. */
static uint64_t permits(void)
{
    uint64_t found = 0;

    for (int i = 0; i < NOTES_PERMITS_MAX; i++) {
        int domain = 0;
        socklen_t len = sizeof(domain);

        if (getsockopt(NOTES_PERMIT + i, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
            domain == AF_UNIX)
            found |= UINT64_C(1) << i;
    }
    return found;
}

/* Its first gap has no beginning: whatever was over then had nothing of its to sever. */
void notes_new_process(void)
{
    struct notes_process *parents = notes_own;

    notes_own =
        mmap(NULL, sizeof(*notes_own), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (notes_own == MAP_FAILED)
        abort();
    for (int i = 0; parents && i < NOTES_NUMBERS; i++)
        if (parents->numbers[i])
            notes_own->numbers[i] = parents->numbers[i];
    notes_own->gap_count = 1;
    notes_own->unknown = true;
    inherited = permits();
}

void notes_permit_lost(struct walker *w)
{
    struct gap *gap = &notes_own->gaps[notes_own->gap_count];

    inherited = 0;
    if (notes_own->unknown)
        return;
    for (int i = 0; i < WALK_CLUSTERS; i++) {
        struct walk_cluster *c = &w->walk->clusters[i];

        gap->over[i] = atomic_load(&c->begun);
        while (gap->over[i] && atomic_load(&c->switches[gap->over[i]].order) <= WALK_ORDER_GIVEN)
            gap->over[i]--;
    }
    notes_own->gap_count++;
    notes_own->unknown = true;
}

/* Rule 8. */
static bool may_be_lost(const struct walker *w, const struct notes_process *of)
{
    uint32_t known_at = atomic_load(&of->known_at);

    return known_at % 2 && atomic_load(&w->walk->restarts) > known_at;
}

/* -1: it has hung up, as it does when homing-sever is restarted; or it is not there. */
static int unread_by(uint64_t own)
{
    struct pollfd at = {.fd = own ? NOTES_PERMIT + __builtin_ctzll(own) : -1};
    int unread;

    if (at.fd < 0 || ioctl(at.fd, TIOCOUTQ, &unread) || poll(&at, 1, 0) != 0)
        return -1;
    return unread;
}

/* The permit is on its way until the other end has read it, and is taken at once then: long before
 * the last sweep of an order that comes after that. */
void notes_permit_look(struct walker *w)
{
    struct gap *gap = &notes_own->gaps[notes_own->gap_count - 1];

    if (may_be_lost(w, notes_own))
        atomic_store(&notes_own->unknown, true);
    if (!atomic_load(&notes_own->unknown) || unread_by(permits() & ~inherited) != 0)
        return;
    atomic_store(&notes_own->known_at, atomic_load(&w->walk->restarts));
    for (int i = 0; i < WALK_CLUSTERS; i++)
        gap->begun[i] = atomic_load(&w->walk->clusters[i].begun);
    atomic_store(&notes_own->unknown, false);
}

void notes_permit_wait(struct walker *w)
{
    while (atomic_load(&notes_own->unknown) && unread_by(permits() & ~inherited) > 0) {
        usleep(1000);
        notes_permit_look(w);
    }
}

static bool has_gap(const struct walker *w, const struct notes_process *of, int cluster,
                    uint32_t number)
{
    uint32_t last = atomic_load(&of->gap_count) - 1;

    if ((atomic_load(&of->unknown) || may_be_lost(w, of)) && number > of->gaps[last].over[cluster])
        return true;
    for (uint32_t i = 0; i <= last; i++)
        if (number > of->gaps[i].over[cluster] && number <= of->gaps[i].begun[cluster])
            return true;
    return false;
}

/* Rule 8. */
static bool is_by_own_permit(const struct walker *w, const struct held *h)
{
    uint64_t ended_ms = atomic_load(&h->of->ended_ms);

    return ended_ms && (atomic_load(&w->walk->restarts) > atomic_load(&h->of->known_at) ||
                        ended_ms < atomic_load(&w->walk->restarted_ms) + NOTES_PAUSE_MS);
}

void notes_tell_permit(const struct walker *w, const struct held *h)
{
    uint64_t now_ms = clock_ms(), ended_ms = atomic_load(&h->of->ended_ms);

    dprintf(2,
            "  its maker ended %lld ms ago, and homing-sever was restarted %lld ms ago; restarts "
            "%u, its "
            "permit known at %u, ours at %u%s; its number is %s, ours %s\n",
            ended_ms ? (long long)(now_ms - ended_ms) : -1,
            (long long)(now_ms - atomic_load(&w->walk->restarted_ms)),
            atomic_load(&w->walk->restarts), atomic_load(&h->of->known_at),
            atomic_load(&notes_own->known_at),
            atomic_load(&notes_own->unknown) ? " and unknown" : "",
            atomic_load(&h->of->numbers[h->tag_fd]) == h->id ? "the same" : "another",
            atomic_load(&notes_own->numbers[h->tag_fd]) == h->id ? "the same" : "another");
}

bool notes_passed_by(const struct walker *w, const struct held *h, uint32_t number)
{
    return has_gap(w, h->of, h->at.cluster, number) ||
           (is_by_own_permit(w, h) && has_gap(w, notes_own, h->at.cluster, number));
}

bool notes_out_of_reach(const struct held *h)
{
    return atomic_load(&h->of->numbers[h->tag_fd]) != h->id ||
           (atomic_load(&h->of->ended_ms) && atomic_load(&notes_own->numbers[h->tag_fd]) != h->id);
}
