/* SPDX-License-Identifier: Apache-2.0
 *
 * kept.c - see kept.h.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/notify.h"
#include "agent/sever/kept.h"
#include "proto/hash.h"

/* The first one that a service manager passes (sd_listen_fds(3)). */
#define LISTEN_FIRST 3

/* ---- entries ---- */

static uint32_t chain_of(const char *name)
{
    return (uint32_t)(hash_text(name) % KEPT_CHAINS);
}

struct kept_entry *kept_find(const struct kept *kept, const char *name)
{
    uint32_t at = kept->chains[chain_of(name)];

    while (at && strcmp(kept->entries[at - 1].name, name) != 0)
        at = kept->entries[at - 1].next;
    return at ? &kept->entries[at - 1] : NULL;
}

static uint32_t place_of(const struct kept *kept, const struct kept_entry *entry)
{
    return (uint32_t)(entry - kept->entries) + 1;
}

/* What leads to the entry in its chain. */
static uint32_t *link_to(struct kept *kept, const struct kept_entry *entry)
{
    uint32_t *at = &kept->chains[chain_of(entry->name)];

    while (*at != place_of(kept, entry))
        at = &kept->entries[*at - 1].next;
    return at;
}

/* It has its name. */
static void chain(struct kept *kept, struct kept_entry *entry)
{
    uint32_t *first = &kept->chains[chain_of(entry->name)];

    entry->next = *first;
    *first = place_of(kept, entry);
}

static void close_all(const int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        close(fds[i]);
}

static struct kept_entry *append(struct kept *kept)
{
    if (kept->count == kept->size) {
        uint32_t size = kept->size ? kept->size * 2 : 64;
        struct kept_entry *entries = realloc(kept->entries, size * sizeof(*entries));
        if (!entries)
            return NULL;
        kept->entries = entries;
        kept->size = size;
    }
    kept->entries[kept->count] = (struct kept_entry){.count = 0};
    return &kept->entries[kept->count++];
}

/* ---- room at the service manager ---- */

static uint32_t cost_of(const struct kept_entry *entry)
{
    uint32_t len = (uint32_t)strlen(entry->name) + 1;

    return entry->count * (len < KEPT_COST_MIN ? KEPT_COST_MIN : len);
}

static void take_room(struct kept *kept, struct kept_entry *entry)
{
    entry->cost = cost_of(entry);
    kept->cost += entry->cost;
    kept->cost_of[entry->uid % KEPT_USERS] += entry->cost;
}

static void free_room(struct kept *kept, const struct kept_entry *entry)
{
    kept->cost -= entry->cost;
    kept->cost_of[entry->uid % KEPT_USERS] -= entry->cost;
    kept->freed |= entry->cost > 0;
}

/* A user takes no more than what is left then: alone one half, the next one a quarter. */
static bool has_room(const struct kept *kept, const struct kept_entry *entry)
{
    uint32_t cost = cost_of(entry), of_user = kept->cost_of[entry->uid % KEPT_USERS] + cost;

    return getenv("NOTIFY_SOCKET") && kept->cost + cost + of_user <= KEPT_STORE_MAX;
}

static void move_up(struct kept *kept, struct kept_entry *entry)
{
    if (entry->state != KEPT_HERE || !has_room(kept, entry))
        return;
    take_room(kept, entry);
    entry->state = KEPT_NEW;
    kept->untold++;
}

/* Netlink sockets first: without one, its group's permits are of no use. */
static void move_up_all(struct kept *kept)
{
    kept->freed = false;
    for (int permits = 0; permits < 2; permits++)
        for (uint32_t i = 0; i < kept->count; i++)
            if (kept->entries[i].is_permit == permits)
                move_up(kept, &kept->entries[i]);
}

/* ---- what comes and goes ---- */

static void remove_entry(struct kept *kept, struct kept_entry *entry)
{
    free_room(kept, entry);
    kept->untold -= entry->state == KEPT_NEW || entry->state == KEPT_LEAVING;
    *link_to(kept, entry) = entry->next;
    struct kept_entry *last = &kept->entries[--kept->count];
    if (entry == last)
        return;
    *link_to(kept, last) = place_of(kept, entry);
    *entry = *last;
}

static void note_owner(struct kept_entry *entry)
{
    struct kept_permit permit;
    struct kept_netlink netlink;

    entry->is_permit = keep_permit_parse(entry->name, &permit);
    if (entry->is_permit)
        entry->uid = permit.uid;
    else if (keep_netlink_parse(entry->name, &netlink))
        entry->uid = netlink.uid;
}

/* NULL: the descriptors are closed. */
static struct kept_entry *put(struct kept *kept, const char *name, const int *fds, uint32_t count)
{
    struct kept_entry *entry = count && count <= KEEP_FDS ? append(kept) : NULL;

    if (!entry) {
        close_all(fds, count);
        return NULL;
    }
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    memcpy(entry->fds, fds, count * sizeof(*fds));
    entry->count = count;
    entry->state = KEPT_HERE;
    note_owner(entry);
    chain(kept, entry);
    return entry;
}

void kept_add(struct kept *kept, const char *name, const int *fds, uint32_t count)
{
    struct kept_entry *entry = put(kept, name, fds, count);

    if (entry)
        move_up(kept, entry);
}

/* It stays until the service manager has heard of it, if that has it. */
static void let_go(struct kept *kept, struct kept_entry *entry)
{
    if (entry->state == KEPT_LEAVING)
        return;
    close_all(entry->fds, entry->count);
    entry->count = 0;
    if (entry->state != KEPT_TOLD) {
        remove_entry(kept, entry);
        return;
    }
    kept->untold++;
    kept->stored -= entry->is_permit;
    entry->state = KEPT_LEAVING;
}

void kept_let_go(struct kept *kept)
{
    for (uint32_t i = kept->count; i > 0; i--)
        let_go(kept, &kept->entries[i - 1]);
}

void kept_forget(struct kept *kept)
{
    free(kept->entries);
    *kept = (struct kept){0};
}

/* ---- from the holder ---- */

/* NULL: it does not begin like that. */
static const char *after(const char *text, const char *begin)
{
    size_t len = strlen(begin);

    return strncmp(text, begin, len) == 0 ? text + len : NULL;
}

static void take_message(struct kept *kept, const char *text, const struct rights *rights)
{
    const char *put = after(text, KEEP_STORE), *remove = after(text, KEEP_REMOVE);

    if (put) {
        kept_add(kept, put, rights->fds, rights->count);
        return;
    }
    close_all(rights->fds, rights->count);
    struct kept_entry *entry = remove ? kept_find(kept, remove) : NULL;
    if (entry)
        let_go(kept, entry);
}

bool kept_receive(struct kept *kept, int fd)
{
    for (int i = 0; i < KEPT_BURST; i++) {
        struct rights rights = {.count = 0};
        char text[KEEP_MESSAGE];
        ssize_t n = rights_receive(fd, text, sizeof(text) - 1, MSG_DONTWAIT, &rights);
        if (n <= 0)
            return false;
        text[n] = '\0';
        take_message(kept, text, &rights);
    }
    return true;
}

/* ---- to the service manager and back ---- */

/* False: later. If there is none that listens, nothing is to be done. */
static bool tell(const struct kept_entry *entry)
{
    char text[KEEP_MESSAGE];

    snprintf(text, sizeof(text), "%s%s", entry->state == KEPT_NEW ? KEEP_STORE : KEEP_REMOVE,
             entry->name);
    int rv = notify_send_fds(text, entry->fds, entry->count);
    return rv != -EAGAIN && rv != -ENOBUFS && rv != -ETOOMANYREFS && rv != -EMFILE &&
           rv != -ENFILE && rv != -ENOMEM;
}

static void note_told(struct kept *kept, struct kept_entry *entry)
{
    if (entry->state == KEPT_LEAVING) {
        remove_entry(kept, entry);
        return;
    }
    entry->state = KEPT_TOLD;
    kept->untold--;
    kept->stored += entry->is_permit;
}

/* In turns, so that nobody waits for as long as others come. */
static struct kept_entry *next_in_turn(struct kept *kept)
{
    if (kept->at == 0 || kept->at > kept->count)
        kept->at = kept->count;
    return &kept->entries[--kept->at];
}

/* What it does not take now is tried again with the next beat. */
uint32_t kept_tell(struct kept *kept, uint32_t most)
{
    uint32_t told = 0;

    if (most && kept->freed)
        move_up_all(kept);
    for (uint32_t left = kept->count; left > 0 && kept->untold && told < most; left--) {
        struct kept_entry *entry = next_in_turn(kept);
        if (entry->state != KEPT_NEW && entry->state != KEPT_LEAVING)
            continue;
        if (!tell(entry)) {
            kept->at++;
            break;
        }
        note_told(kept, entry);
        told++;
    }
    return told;
}

/* All descriptors of one name make one entry. What has a name of nobody here is closed. */
static void take_one(struct kept *kept, const char *name, int fd)
{
    struct kept_permit permit;
    struct kept_netlink netlink;
    struct kept_entry *entry = kept_find(kept, name);

    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (!keep_permit_parse(name, &permit) && !keep_netlink_parse(name, &netlink)) {
        close(fd);
    } else if (!entry) {
        (void)put(kept, name, &fd, 1);
    } else if (entry->count < KEEP_FDS) {
        entry->fds[entry->count++] = fd;
    } else {
        close(fd);
    }
}

/* The service manager has them: it need not be told. */
static void all_are_told(struct kept *kept)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        struct kept_entry *entry = &kept->entries[i];
        take_room(kept, entry);
        entry->state = KEPT_TOLD;
        kept->stored += entry->is_permit;
    }
}

void kept_take_back(struct kept *kept)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    long left = pid && count && strtol(pid, NULL, 10) == getpid() ? strtol(count, NULL, 10) : 0;
    char name[KEEP_NAME_SIZE];

    for (int fd = LISTEN_FIRST; names && left > 0; fd++, left--) {
        size_t len = strcspn(names, ":");
        snprintf(name, sizeof(name), "%.*s", (int)len, names);
        names += len + (names[len] == ':');
        take_one(kept, name, fd);
    }
    all_are_told(kept);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (kept->count)
        log_event(LOG_INFO, "permits_kept", "the service manager has kept what permits need",
                  LOG_INT("entries", kept->count));
}
