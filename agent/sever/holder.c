/* SPDX-License-Identifier: Apache-2.0
 *
 * holder.c - see holder.h.
 *
 * 1. The sockets appear in place when all behind them is ready, sever.sock last. So if homingd is
 *    answered at sever.sock, programs can hand over permits.
 * 2. A holder whose supervisor has ended leaves its sockets and its permits to a new one of both, as if it
 *    had died.
 * 3. A socket's name that was removed or replaced is put back. If that is not possible, the permits that
 *    are held go on to count, and homingd is told why, through the connection that it has.
 * 4. When it is told to end, it first takes the permits that are on their way. permit.sock's name is gone
 *    then, so that no more come.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/names.h"
#include "agent/sever/holder.h"
#include "agent/sever/orders.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/permits/queue.h"
#include "agent/sever/sweep/ability.h"

enum {
    /* Descriptors for all but permits and programs in line: those of the loop, clients of
     * sever.sock. */
    OTHER_FDS = 344,
    /* Where few descriptors are allowed, programs in line get one part of so many. */
    QUEUE_PART = 8,
    FDS_PER_PERMIT = 3,
    /* How long it waits at its end for permits that are on their way, and between two looks: less than the
     * supervisor gives it. */
    LEAVE_MS = 1000,
    LEAVE_LOOK_MS = 5,
    /* How often it looks whether its sockets are still in place: with each so many-eth beat, so that it
     * does not wake up for that alone. */
    LOOK_BEATS = 1000 / HOLDER_BEAT_MS
};

enum {
    SOCKET_PERMIT,
    SOCKET_SEVER
};

static const struct names_kind sockets = {
    .who = "a homing-sever",
    .otherwise = "",
    .sockets = {[SOCKET_PERMIT] = {"permit.sock", 0666, 0755},
                [SOCKET_SEVER] = {"sever.sock", 0600, 0750}},
};

struct holder {
    const struct holder_config *config;
    struct loop *loop;
    struct names names;
    struct closer *closer;
    struct permits *permits;
    struct sweeps *sweeps;
    struct handover *handover;
    struct orders *orders;
    struct loop_timer *beat;
    uint32_t beats;
    char unreachable[512]; /* why a socket is not in place; "": both are */
    struct loop_io *keep;
    struct loop_signal *term;
    struct loop_signal *interrupt;
    struct loop_timer *leave;
    uint64_t leave_ms; /* when it ends at the latest; 0: it has not been told to */
    uint64_t instance;
    bool orphan;
    bool left; /* a socket's name is lost, while no homingd is connected */
};

/* ---- the sockets ---- */

static int keep_permit_sock(struct holder *h, struct sockpath_error error)
{
    const struct names_listener listener = {handover_watch, handover_move, h->handover};
    int old = h->names.at[SOCKET_PERMIT].fd;
    int rv = names_keep(&h->names, SOCKET_PERMIT, &listener, h->closer, error);

    if (h->names.at[SOCKET_PERMIT].fd != old)
        handover_renewed(h->handover);
    return rv;
}

static int keep_sever_sock(struct holder *h, struct sockpath_error error)
{
    const struct names_listener listener = {orders_watch, orders_move, h->orders};

    return names_keep(&h->names, SOCKET_SEVER, &listener, h->closer, error);
}

/* What a service sees of a directory that was removed and made again stays read-only. */
static void say_restart(struct sockpath_error error)
{
    size_t len = strlen(error.text);

    snprintf(error.text + len, error.size - len,
             "; for the service, run systemctl restart homing-sever, which keeps the permits");
}

/* If both have trouble, that of the programs is told. */
static void keep_sockets(struct holder *h)
{
    char text[sizeof(h->unreachable)] = "";
    struct sockpath_error error = {text, sizeof(text)};
    int rv = keep_sever_sock(h, error), of_permits = keep_permit_sock(h, error);

    if (rv == 0 && of_permits == 0)
        text[0] = '\0';
    else if (of_permits == -EROFS || (of_permits == 0 && rv == -EROFS))
        say_restart(error);
    if (strcmp(text, h->unreachable) == 0)
        return;
    memcpy(h->unreachable, text, sizeof(text));
    if (text[0])
        log_event(LOG_ERROR, "socket_unreachable", text, LOG_STR("run_dir", h->config->run_dir));
    else
        log_event(LOG_INFO, "socket_reachable", "the sockets can be reached again",
                  LOG_STR("run_dir", h->config->run_dir));
}

/* ---- timers and signals ---- */

static void end_because(struct holder *h, const char *why)
{
    log_event(LOG_WARNING, "ending", why);
    loop_stop(h->loop);
}

/* If homingd has started it and has gone, its directories may just be being removed: then it is in
 * nobody's way, and ends when they are gone. Whether they are is seen at the next look. */
static bool is_just_left(struct holder *h)
{
    bool before = h->left;

    h->left = !sockpath_is_in_place(&h->names.at[SOCKET_PERMIT]) ||
              !sockpath_is_in_place(&h->names.at[SOCKET_SEVER]);
    return h->left && !before;
}

static void look(struct holder *h)
{
    uint64_t idle_ms = h->config->idle_ms ? orders_idle_ms(h->orders) : 0;

    if (h->leave_ms || (idle_ms && is_just_left(h)))
        return;
    keep_sockets(h);
    sweeps_look(h->sweeps);
    if (idle_ms && idle_ms >= h->config->idle_ms)
        end_because(h, "no homingd has been connected for as long as --idle-exit says");
    else if (idle_ms && h->unreachable[0])
        end_because(h, "its sockets cannot be put back, and no homingd is connected");
}

static void beat(void *arg)
{
    struct holder *h = arg;
    char byte = 0;

    if (h->config->beat_fd >= 0)
        (void)!write(h->config->beat_fd, &byte, sizeof(byte));
    if (h->beats++ % LOOK_BEATS == 0)
        look(h);
    loop_timer_set(h->beat, HOLDER_BEAT_MS);
}

static void leave_soon(void *arg)
{
    struct holder *h = arg;

    if (handover_is_idle(h->handover) || loop_now_ms(h->loop) >= h->leave_ms)
        loop_stop(h->loop);
    else
        loop_timer_set(h->leave, LEAVE_LOOK_MS);
}

/* A program whose permit is on its way has handed over, for all that it knows. No more come meanwhile. */
static void told_to_end(void *arg, int signo)
{
    struct holder *h = arg;

    (void)signo;
    if (h->leave_ms)
        return;
    h->leave_ms = loop_now_ms(h->loop) + LEAVE_MS;
    sockpath_remove(&h->names.at[SOCKET_PERMIT]);
    leave_soon(h);
}

/* It says how many permits the service manager has, or it has ended. */
static void supervisor_said(void *arg, int events)
{
    struct holder *h = arg;
    uint32_t stored;
    ssize_t n = recv(h->config->keep_fd, &stored, sizeof(stored), MSG_DONTWAIT);

    (void)events;
    if (n == sizeof(stored))
        permits_set_stored(h->permits, stored);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    log_event(LOG_ERROR, "supervisor_replaced", "the supervisor died");
    h->orphan = true;
    loop_stop(h->loop);
}

/* ---- what is kept ---- */

static bool is_permit(const struct kept_entry *entry)
{
    struct kept_permit permit;

    return keep_permit_parse(entry->name, &permit);
}

static uint32_t restore_some(struct holder *h, const struct kept *kept, bool permits)
{
    uint32_t restored = 0;

    for (uint32_t i = 0; i < kept->count; i++) {
        const struct kept_entry *entry = &kept->entries[i];
        if (entry->state == KEPT_LEAVING || is_permit(entry) != permits)
            continue;
        if (permits_restore(h->permits, entry->name, entry->fds, entry->count)) {
            restored++;
            continue;
        }
        for (uint32_t k = 0; k < entry->count; k++)
            close(entry->fds[k]);
        (void)keep_remove(h->config->keep_fd, entry->name);
    }
    return restored;
}

static void restore(struct holder *h, struct kept *kept)
{
    uint32_t permits = restore_some(h, kept, true);

    (void)restore_some(h, kept, false);
    if (kept->count)
        log_event(LOG_INFO, "permits_restored", "permits that an earlier process of this one held",
                  LOG_INT("permits", permits));
    kept_forget(kept);
}

static void leave(void *arg, const char *name, const int *fds, uint32_t count)
{
    int copies[KEEP_FDS];
    uint32_t copied = 0;

    while (copied < count && (copies[copied] = fcntl(fds[copied], F_DUPFD_CLOEXEC, 0)) >= 0)
        copied++;
    if (copied == count) {
        kept_add(arg, name, copies, count);
        return;
    }
    while (copied > 0)
        close(copies[--copied]);
}

/* ---- begin and end ---- */

static uint32_t files_allowed(void)
{
    struct rlimit files = {.rlim_cur = 1024};

    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur < INT_MAX ? (uint32_t)files.rlim_cur : INT_MAX;
}

static uint32_t queue_affordable(void)
{
    uint32_t part = files_allowed() / QUEUE_PART;

    return part < QUEUE_MAX ? part + 1 : QUEUE_MAX;
}

static uint32_t permits_affordable(void)
{
    uint32_t files = files_allowed(), others = OTHER_FDS + queue_affordable();

    return files <= others ? 1 : (files - others) / FDS_PER_PERMIT;
}

static int make_parts(struct holder *h)
{
    h->sweeps = sweeps_new(h->loop);
    h->closer = closer_new(h->loop);
    h->permits = h->sweeps && h->closer ? permits_new(h->loop, h->closer, permits_affordable(),
                                                      sweeps_group_gone, h->sweeps)
                                        : NULL;
    h->beat = loop_timer_new(h->loop, beat, h);
    h->leave = loop_timer_new(h->loop, leave_soon, h);
    h->term = loop_signal_new(h->loop, SIGTERM, told_to_end, h);
    h->interrupt = loop_signal_new(h->loop, SIGINT, told_to_end, h);
    h->keep = h->config->keep_fd >= 0 ? loop_io_new(h->loop, h->config->keep_fd, supervisor_said, h)
                                      : NULL;
    if (!h->permits || !h->beat || !h->leave || !h->term || !h->interrupt ||
        getrandom(&h->instance, sizeof(h->instance), 0) != sizeof(h->instance))
        return -ENOMEM;
    h->instance |= 1; /* 0 means "none" */
    sweeps_set_permits(h->sweeps, h->permits);
    permits_set_keep(h->permits, h->config->keep_fd);
    if (h->keep)
        loop_io_set(h->keep, LOOP_READ);
    return 0;
}

static int make_service(struct holder *h)
{
    struct orders_parts parts = {.loop = h->loop,
                                 .permits = h->permits,
                                 .sweeps = h->sweeps,
                                 .instance = h->instance,
                                 .unreachable = h->unreachable,
                                 .ability = ability_prove()};
    int rv = handover_new(h->loop, h->closer, h->permits, &h->names.at[SOCKET_PERMIT],
                          queue_affordable(), &h->handover);

    if (rv)
        return rv;
    parts.handover = h->handover;
    h->orders = orders_new(&parts, h->names.at[SOCKET_SEVER].fd);
    if (!h->orders)
        return -ENOMEM;
    log_event(parts.ability ? LOG_WARNING : LOG_INFO, "ability", ability_explain(parts.ability),
              LOG_BOOL("able", parts.ability == 0));
    return 0;
}

static int start(struct holder *h, struct kept *kept, struct sockpath_error error)
{
    int rv = make_parts(h);

    if (rv)
        return rv;
    restore(h, kept);
    rv = names_open(&h->names, error);
    if (rv == 0)
        rv = make_service(h);
    if (rv == 0)
        rv = names_publish(&h->names, error);
    if (rv)
        return rv;
    beat(h);
    log_event(LOG_INFO, "started", "homing-sever " PACKAGE_VERSION,
              LOG_STR("socket", h->names.at[SOCKET_PERMIT].path), LOG_INT("pid", getpid()));
    return 0;
}

/* What is kept stays kept, whatever the reason for the end: the next one may want it. */
static void end(struct holder *h)
{
    for (int i = 0; i < NAMES_COUNT; i++)
        if (h->names.at[i].fd >= 0 && !h->orphan)
            sockpath_remove(&h->names.at[i]);
    orders_free(h->orders);
    handover_free(h->handover);
    if (h->permits)
        permits_set_keep(h->permits, -1);
    permits_free(h->permits);
    sweeps_free(h->sweeps);
    for (int i = 0; i < NAMES_COUNT; i++)
        if (h->names.at[i].fd >= 0)
            closer_take_listening(h->closer, h->names.at[i].fd);
    names_done(&h->names);
    closer_free(h->closer);
    loop_timer_free(h->beat);
    loop_timer_free(h->leave);
    loop_io_free(h->keep);
    loop_signal_free(h->term);
    loop_signal_free(h->interrupt);
    loop_free(h->loop);
}

enum holder_exit holder_run(const struct holder_config *config, struct kept *kept)
{
    char text[512];
    struct sockpath_error error = {text, sizeof(text)};
    struct holder h = {.config = config};

    guard_init();
    strcpy(text, "out of memory or descriptors");
    bool named =
        names_init(&h.names, &sockets, config->run_dir, config->admin_dir, config->takeover);
    h.loop = named ? loop_new() : NULL;
    int rv = h.loop ? start(&h, kept, error) : -ENOMEM;
    if (rv)
        log_event(LOG_ERROR, "start_failed", text);
    else
        loop_run(h.loop);
    if (h.orphan)
        permits_leave(h.permits, leave, kept);
    if (h.loop)
        end(&h);
    if (rv)
        return rv == -EADDRINUSE ? HOLDER_TAKEN : HOLDER_FAILED;
    return h.orphan ? HOLDER_ORPHAN : HOLDER_ENDED;
}
