/* SPDX-License-Identifier: Apache-2.0
 *
 * keep.c - see keep.h. All numbers in names are hexadecimal.
 */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/process.h"
#include "agent/sever/permits/keep.h"

/* If what is to be kept is not taken, nobody waits for that again for so long. */
#define PAUSE_MS 5000
/* What is to be let go after it: all that can be kept, twice. */
#define MISSED_MAX 65536

/* Bits of a permit's name. */
enum {
    FLAG_TOLD = 1,
    FLAG_OURS = 2,
    FLAG_STRICT = 4
};

void keep_permit_name(const struct kept_permit *p, char ret_name[KEEP_NAME_SIZE])
{
    unsigned flags = (p->uids.told ? FLAG_TOLD : 0u) | (p->uids.ours ? FLAG_OURS : 0u) |
                     (p->uids.strict ? FLAG_STRICT : 0u);
    int len =
        snprintf(ret_name, KEEP_NAME_SIZE, "permit-%016" PRIx64 "-%" PRIx64 "-%x-%x-%" PRIx64 "-%x",
                 p->serial, p->netns, (unsigned)p->uid, (unsigned)p->pid, p->started, flags);

    for (uint32_t i = 0; i < p->uids.count; i++)
        len += snprintf(ret_name + len, KEEP_NAME_SIZE - (size_t)len, "-%x", p->uids.of[i]);
}

static bool parse_uids(const char *at, struct uids *uids)
{
    int len;

    while (*at) {
        if (uids->count == UIDS_MAX ||
            sscanf(at, "-%" SCNx32 "%n", &uids->of[uids->count], &len) != 1)
            return false;
        uids->count++;
        at += len;
    }
    return true;
}

bool keep_permit_parse(const char *name, struct kept_permit *ret_permit)
{
    struct kept_permit p = {.serial = 0};
    unsigned uid, pid, flags;
    int len = 0;

    if (sscanf(name, "permit-%" SCNx64 "-%" SCNx64 "-%x-%x-%" SCNx64 "-%x%n", &p.serial, &p.netns,
               &uid, &pid, &p.started, &flags, &len) != 6 ||
        !parse_uids(name + len, &p.uids))
        return false;
    p.uid = uid;
    p.pid = (pid_t)pid;
    p.uids.told = flags & FLAG_TOLD;
    p.uids.ours = flags & FLAG_OURS;
    p.uids.strict = flags & FLAG_STRICT;
    *ret_permit = p;
    return p.serial && (!p.uids.told || p.uids.count);
}

void keep_netlink_name(const struct kept_netlink *netlink, char ret_name[KEEP_NAME_SIZE])
{
    snprintf(ret_name, KEEP_NAME_SIZE, "netlink-%016" PRIx64 "-%x", netlink->serial,
             (unsigned)netlink->uid);
}

bool keep_netlink_parse(const char *name, struct kept_netlink *ret_netlink)
{
    struct kept_netlink netlink;
    unsigned uid;
    int len = 0;

    if (sscanf(name, "netlink-%" SCNx64 "-%x%n", &netlink.serial, &uid, &len) != 2 || name[len])
        return false;
    netlink.uid = uid;
    *ret_netlink = netlink;
    return netlink.serial;
}

bool keep_put(int keep, const char *name, const int *fds, uint32_t count)
{
    char text[KEEP_MESSAGE];
    int len = snprintf(text, sizeof(text), KEEP_STORE "%s", name);

    return keep >= 0 && rights_send(keep, text, (size_t)len, fds, count) == 0;
}

bool keep_remove(int keep, const char *name)
{
    char text[KEEP_MESSAGE];
    int len = snprintf(text, sizeof(text), KEEP_REMOVE "%s", name);

    return keep >= 0 && rights_send(keep, text, (size_t)len, NULL, 0) == 0;
}

/* ---- groups and permits ---- */

static uint64_t new_serial(void)
{
    uint64_t serial = 0;

    return getrandom(&serial, sizeof(serial), 0) == sizeof(serial) ? serial : 0;
}

static void netlink_name(const struct group *group, uint32_t i, char ret_name[KEEP_NAME_SIZE])
{
    keep_netlink_name(&(struct kept_netlink){group->netlinks[i].serial, group->uid}, ret_name);
}

static void permit_name(const struct permit *permit, char ret_name[KEEP_NAME_SIZE])
{
    keep_permit_name(&(struct kept_permit){permit->serial, permit->group->netns, permit->uid,
                                           permit->pid, permit->started, permit->uids},
                     ret_name);
}

/* With no descriptors it is to be let go. */
static bool say(struct keeping *to, const char *name, const int *fds, uint32_t count)
{
    if (to->fd < 0 || to->paused)
        return false;
    if (count ? keep_put(to->fd, name, fds, count) : keep_remove(to->fd, name))
        return true;
    log_event(LOG_WARNING, "permits_not_kept", "the supervisor takes no permits to keep");
    to->paused = true;
    loop_timer_set(to->again, PAUSE_MS);
    return false;
}

/* Without memory it is let go when the next holder finds it to be of no use. */
static void note_missed(struct keeping *to, const char *name)
{
    if (to->missed_count == to->missed_size) {
        uint32_t size = to->missed_size ? to->missed_size * 2 : 16;
        void *missed = size <= MISSED_MAX ? realloc(to->missed, size * sizeof(*to->missed)) : NULL;
        if (!missed)
            return;
        to->missed = missed;
        to->missed_size = size;
    }
    memcpy(to->missed[to->missed_count++], name, KEEP_NAME_SIZE);
}

static void say_end(struct keeping *to, const char *name)
{
    if (to->fd >= 0 && !say(to, name, NULL, 0))
        note_missed(to, name);
}

void keep_netlink(struct group *group, uint32_t i)
{
    char name[KEEP_NAME_SIZE];

    group->netlinks[i].serial = group->netns ? new_serial() : 0;
    if (!group->netlinks[i].serial)
        return;
    netlink_name(group, i, name);
    if (!say(group->keeping, name, &group->netlinks[i].fd, 1))
        group->netlinks[i].serial = 0;
}

void keep_netlink_end(const struct group *group, uint32_t i)
{
    char name[KEEP_NAME_SIZE];

    if (!group->netlinks[i].serial)
        return;
    netlink_name(group, i, name);
    say_end(group->keeping, name);
}

/* -errno: there is none. The caller closes it. */
static int permit_process(const struct permit *permit)
{
    return permit->connection < 0 ? fcntl(permit->process, F_DUPFD_CLOEXEC, 0)
                                  : process_open_peer(permit->connection, permit->pid);
}

void keep_permit(struct permit *permit)
{
    int fds[KEEP_FDS] = {permit->tags, permit->process};
    char name[KEEP_NAME_SIZE];

    if (permit->process < 0)
        return;
    if (permit->group->netns && (permit->started || permit->process_id)) {
        permit->serial = new_serial();
        permit_name(permit, name);
        if (!permit->serial || !say(permit->group->keeping, name, fds, KEEP_FDS))
            permit->serial = 0;
    }
    close(permit->process);
    permit->process = -1;
}

void keep_permit_end(const struct permit *permit)
{
    char name[KEEP_NAME_SIZE];

    if (!permit->serial)
        return;
    permit_name(permit, name);
    say_end(permit->group->keeping, name);
}

void keep_missed_ends(struct keeping *keeping)
{
    keeping->paused = false;
    while (keeping->missed_count &&
           say(keeping, keeping->missed[keeping->missed_count - 1], NULL, 0))
        keeping->missed_count--;
}

void keep_missed(struct group *group)
{
    for (uint32_t i = 0; i < group->netlink_count && !group->keeping->paused; i++)
        if (!group->netlinks[i].serial)
            keep_netlink(group, i);
    for (struct permit *p = group->first; p && !group->keeping->paused; p = p->next) {
        if (p->serial || p->connection < 0)
            continue;
        p->process = permit_process(p);
        keep_permit(p);
    }
}

void keep_again_netlinks(const struct group *group, keep_fn *keep, void *arg)
{
    char name[KEEP_NAME_SIZE];

    for (uint32_t i = 0; i < group->netlink_count; i++) {
        netlink_name(group, i, name);
        if (group->netlinks[i].serial)
            keep(arg, name, &group->netlinks[i].fd, 1);
    }
}

void keep_again_permit(const struct permit *permit, keep_fn *keep, void *arg)
{
    int fds[KEEP_FDS] = {permit->tags, permit->serial ? permit_process(permit) : -1};
    char name[KEEP_NAME_SIZE];

    if (fds[1] < 0)
        return;
    permit_name(permit, name);
    keep(arg, name, fds, KEEP_FDS);
    close(fds[1]);
}
