/* SPDX-License-Identifier: Apache-2.0
 *
 * holder.c - see holder.h.
 *
 * 1. The sockets appear in place when all behind them is ready, sever.sock last. So if homingd is
 *    answered at sever.sock, programs can hand over permits.
 * 2. A holder whose sockets were removed or replaced can be reached by no program, and ends.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/sockpath.h"
#include "agent/sever/holder.h"
#include "agent/sever/orders.h"
#include "agent/sever/permits/guard.h"
#include "agent/sever/sweep/ability.h"

enum {
    /* Descriptors for all but permits: those of the loop, programs in line (QUEUE_MAX), clients of
     * sever.sock. */
    OTHER_FDS = 600,
    FDS_PER_PERMIT = 3,
    /* How often it looks whether its sockets are still in place. */
    LOOK_MS = 5000
};

enum {
    SOCKET_PERMIT,
    SOCKET_SEVER,
    SOCKET_COUNT
};

static const struct {
    const char *name;
    mode_t mode;
    mode_t dir_mode;
} sockets[SOCKET_COUNT] = {
    [SOCKET_PERMIT] = {"permit.sock", 0666, 0755},
    [SOCKET_SEVER] = {"sever.sock", 0600, 0750},
};

struct holder {
    const struct holder_config *config;
    struct loop *loop;
    struct sockpath at[SOCKET_COUNT];
    struct permits *permits;
    struct sweeps *sweeps;
    struct handover *handover;
    struct orders *orders;
    struct loop_timer *beat;
    struct loop_timer *look;
    struct loop_signal *term;
    struct loop_signal *interrupt;
    uint64_t instance;
};

/* ---- the sockets ---- */

static const char *dir_of(const struct holder *h, int socket)
{
    return socket == SOCKET_PERMIT ? h->config->run_dir : h->config->admin_dir;
}

static int check_and_listen(struct holder *h, struct sockpath_error error)
{
    int rv = 0;

    for (int i = 0; i < SOCKET_COUNT && rv == 0; i++)
        rv = sockpath_check(dir_of(h, i), sockets[i].name, false, error);
    for (int i = 0; i < SOCKET_COUNT && rv == 0; i++)
        rv = sockpath_open(dir_of(h, i), sockets[i].name, sockets[i].mode, error, &h->at[i]);
    return rv;
}

/* homingd takes the same lock. Both hold it for a moment only. */
static int open_sockets(struct holder *h, struct sockpath_error error)
{
    int lock = -1, rv = 0;

    for (int i = 0; i < SOCKET_COUNT && rv == 0; i++)
        rv = sockpath_make_dir(dir_of(h, i), sockets[i].dir_mode, error);
    if (rv == 0)
        rv = sockpath_lock(h->config->admin_dir, error, &lock);
    if (rv)
        return rv;
    rv = check_and_listen(h, error);
    close(lock);
    return rv;
}

static int publish_sockets(struct holder *h, struct sockpath_error error)
{
    int lock = -1;
    int rv = sockpath_lock(h->config->admin_dir, error, &lock);

    if (rv)
        return rv;
    for (int i = 0; i < SOCKET_COUNT && rv == 0; i++)
        rv = sockpath_check(dir_of(h, i), sockets[i].name, false, error);
    for (int i = 0; i < SOCKET_COUNT && rv == 0; i++)
        rv = sockpath_publish(&h->at[i]);
    close(lock);
    return rv;
}

static bool in_place(const struct sockpath *at)
{
    struct stat st;

    return lstat(at->path, &st) == 0 && st.st_dev == at->dev && st.st_ino == at->ino;
}

/* ---- timers and signals ---- */

static void beat(void *arg)
{
    struct holder *h = arg;
    char byte = 0;

    if (h->config->beat_fd >= 0)
        (void)!write(h->config->beat_fd, &byte, sizeof(byte));
    loop_timer_set(h->beat, HOLDER_BEAT_MS);
}

static void look(void *arg)
{
    struct holder *h = arg;
    const char *why = NULL;

    if (!in_place(&h->at[SOCKET_PERMIT]) || !in_place(&h->at[SOCKET_SEVER]))
        why = "permit.sock or sever.sock was removed or replaced";
    else if (h->config->idle_ms && orders_idle_ms(h->orders) >= h->config->idle_ms)
        why = "no homingd has been connected for as long as --idle-exit says";
    if (why) {
        log_event(LOG_WARNING, "ending", why);
        loop_stop(h->loop);
    }
    loop_timer_set(h->look, h->config->idle_ms && h->config->idle_ms < LOOK_MS ? h->config->idle_ms
                                                                               : LOOK_MS);
}

static void told_to_end(void *arg, int signo)
{
    struct holder *h = arg;

    (void)signo;
    loop_stop(h->loop);
}

/* ---- begin and end ---- */

static uint32_t permits_affordable(void)
{
    struct rlimit files = {.rlim_cur = 1024};

    getrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur <= OTHER_FDS ? 1
                                       : (uint32_t)((files.rlim_cur - OTHER_FDS) / FDS_PER_PERMIT);
}

static int make_parts(struct holder *h)
{
    h->sweeps = sweeps_new(h->loop);
    h->permits =
        h->sweeps ? permits_new(h->loop, permits_affordable(), sweeps_group_gone, h->sweeps) : NULL;
    h->beat = loop_timer_new(h->loop, beat, h);
    h->look = loop_timer_new(h->loop, look, h);
    h->term = loop_signal_new(h->loop, SIGTERM, told_to_end, h);
    h->interrupt = loop_signal_new(h->loop, SIGINT, told_to_end, h);
    if (!h->permits || !h->beat || !h->look || !h->term || !h->interrupt ||
        getrandom(&h->instance, sizeof(h->instance), 0) != sizeof(h->instance))
        return -ENOMEM;
    h->instance |= 1; /* 0 means "none" */
    sweeps_set_permits(h->sweeps, h->permits);
    return 0;
}

static int make_service(struct holder *h)
{
    struct orders_parts parts = {.loop = h->loop,
                                 .permits = h->permits,
                                 .sweeps = h->sweeps,
                                 .instance = h->instance,
                                 .ability = ability_prove()};
    int rv = handover_new(h->loop, h->permits, h->at[SOCKET_PERMIT].fd, &h->handover);

    if (rv)
        return rv;
    parts.handover = h->handover;
    h->orders = orders_new(&parts, h->at[SOCKET_SEVER].fd);
    if (!h->orders)
        return -ENOMEM;
    log_event(parts.ability ? LOG_WARNING : LOG_INFO, "ability", ability_explain(parts.ability),
              LOG_BOOL("able", parts.ability == 0));
    return 0;
}

static int start(struct holder *h, struct sockpath_error error)
{
    int rv = make_parts(h);

    if (rv == 0)
        rv = open_sockets(h, error);
    if (rv == 0)
        rv = make_service(h);
    if (rv == 0)
        rv = publish_sockets(h, error);
    if (rv)
        return rv;
    beat(h);
    look(h);
    log_event(LOG_INFO, "started", "homing-sever " PACKAGE_VERSION,
              LOG_STR("socket", h->at[SOCKET_PERMIT].path), LOG_INT("pid", getpid()));
    return 0;
}

static void end(struct holder *h)
{
    for (int i = 0; i < SOCKET_COUNT; i++)
        if (h->at[i].fd >= 0)
            sockpath_close(&h->at[i]);
    orders_free(h->orders);
    handover_free(h->handover);
    permits_free(h->permits);
    sweeps_free(h->sweeps);
    loop_timer_free(h->beat);
    loop_timer_free(h->look);
    loop_signal_free(h->term);
    loop_signal_free(h->interrupt);
    loop_free(h->loop);
}

enum holder_exit holder_run(const struct holder_config *config)
{
    char text[512];
    struct sockpath_error error = {text, sizeof(text)};
    struct holder h = {.config = config};

    for (int i = 0; i < SOCKET_COUNT; i++)
        h.at[i].fd = -1;
    guard_init();
    strcpy(text, "out of memory or descriptors");
    h.loop = loop_new();
    int rv = h.loop ? start(&h, error) : -ENOMEM;
    if (rv)
        log_event(LOG_ERROR, "start_failed", text);
    else
        loop_run(h.loop);
    if (h.loop)
        end(&h);
    return rv == 0 ? HOLDER_ENDED : rv == -EADDRINUSE ? HOLDER_TAKEN : HOLDER_FAILED;
}
