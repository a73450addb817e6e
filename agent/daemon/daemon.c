/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon.c - see daemon.h: start, heartbeat and end of the running agent.
 *
 * 1. Nothing is visible on the sockets before every cluster is ready, or START_MS has passed: a
 *    program that starts with the node should not meet an agent that knows nothing.
 * 2. V3: the heartbeat is stamped at least every HOMING_HEARTBEAT_MS.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/notify.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/persist.h"
#include "agent/daemon/publish.h"
#include "agent/daemon/reload.h"
#include "agent/daemon/sever_orders.h"

#define START_MS 1000
/* Pause until the next attempt to be visible. */
#define START_RETRY_MS 250
/* Pause between two signs of life for the service manager, whose patience is many seconds, and
 * between two looks at what may be lost without a word. A look is a few calls of stat(). */
#define WATCHDOG_MS 1000
/* Files that are read in one look. */
#define PASSWORDS_AT_ONCE 16

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
_Static_assert(sizeof(SIGNALS) / sizeof(SIGNALS[0]) ==
                   sizeof(((struct daemon *)0)->signals) / sizeof(struct loop_signal *),
               "one watcher each");

/* Somebody may remove the sockets, replace them, or close their directory: programs that start then
 * are on their own, and nobody else would tell. */
static void look_at_sockets(struct daemon *daemon)
{
    char error[sizeof(daemon->serve_error)] = "";

    if (serve_keep(daemon->serve, error, sizeof(error)) == 0)
        error[0] = '\0';
    if (strcmp(error, daemon->serve_error) == 0)
        return;
    memcpy(daemon->serve_error, error, sizeof(error));
    if (error[0])
        log_event(LOG_ERROR, "socket_unreachable", error,
                  LOG_STR("run_dir", daemon->held->conf->run_dir));
    else
        log_event(LOG_INFO, "socket_reachable", "the sockets can be reached again",
                  LOG_STR("run_dir", daemon->held->conf->run_dir));
}

/* In turn: ten thousand files at once would hold up the heartbeat. */
static void look_at_clusters(struct daemon *daemon)
{
    for (uint32_t i = 0; i < PASSWORDS_AT_ONCE && i < daemon->cluster_count; i++)
        cluster_look_at_password(daemon->clusters[daemon->password_next++ % daemon->cluster_count]);
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        cluster_look(daemon->clusters[i]);
}

static void look_at_state(struct daemon *daemon)
{
    if (!persist_look(daemon))
        return;
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        cluster_save_anew(daemon->clusters[i]);
    (void)persist_save_missing(daemon, false);
}

static void beat(struct daemon *daemon)
{
    daemon->beat_ms = loop_now_ms(daemon->loop);
    view_write_heartbeat(view_writer(daemon->view), daemon->beat_ms);
    loop_timer_set(daemon->beat, HOMING_HEARTBEAT_MS);
    /* A start that never becomes READY is ended by the service manager's time-out for starts. */
    if (!daemon->visible || daemon->beat_ms - daemon->watchdog_ms < WATCHDOG_MS)
        return;
    daemon->watchdog_ms = daemon->beat_ms;
    (void)notify_send("WATCHDOG=1");
    look_at_sockets(daemon);
    look_at_clusters(daemon);
    look_at_state(daemon);
}

static void on_beat(void *arg)
{
    beat(arg);
}

/* Descriptors may be short for a moment, while many members connect at once. */
static void not_visible(struct daemon *daemon, int error)
{
    log_event(LOG_ERROR, "serve_failed", "the sockets cannot be put in place",
              LOG_STR("run_dir", daemon->held->conf->run_dir), LOG_STR("error", strerror(-error)));
    if (error != -EADDRINUSE) {
        loop_timer_set(daemon->deadline, START_RETRY_MS);
        return;
    }
    daemon->result = error;
    loop_stop(daemon->loop);
}

static void make_visible(struct daemon *daemon)
{
    int rv = serve_publish(daemon->serve);

    if (rv < 0) {
        not_visible(daemon, rv);
        return;
    }
    daemon->visible = true;
    loop_timer_stop(daemon->deadline);
    (void)notify_send("READY=1");
    log_event(LOG_INFO, "ready", "serving", LOG_STR("run_dir", daemon->held->conf->run_dir),
              LOG_INT("clusters", daemon->cluster_count),
              LOG_INT("start_ms", loop_now_ms(daemon->loop) - daemon->started_ms));
}

static bool is_ready(const struct daemon *daemon)
{
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        if (!cluster_ready(daemon->clusters[i]))
            return false;
    return true;
}

/* On every wake-up. The heartbeat is stamped if the last one is not quite fresh, so that an idle
 * agent seldom wakes for it alone. The sockets are put in place once every cluster is ready. */
static void turned(struct daemon *daemon)
{
    if (loop_now_ms(daemon->loop) - daemon->beat_ms >= HOMING_HEARTBEAT_MS / 2)
        beat(daemon);
    if (!daemon->visible && is_ready(daemon))
        make_visible(daemon);
}

static void on_deadline(void *arg)
{
    struct daemon *daemon = arg;

    if (!daemon->visible)
        make_visible(daemon);
}

/* Outside of all sinks: the objects that are exchanged are freed. */
static void on_exchange(void *arg)
{
    struct daemon *daemon = arg;

    reload_members(daemon);
    turned(daemon);
}

static void on_signal(void *arg, int signo)
{
    struct daemon *daemon = arg;
    char *lines = NULL;

    if (signo == SIGHUP) {
        reload_conf(daemon, &lines); /* it logs how it went */
        free(lines);
        return;
    }
    (void)notify_send("STOPPING=1");
    log_event(LOG_INFO, "stopping", "clean shutdown", LOG_INT("signal", signo));
    loop_stop(daemon->loop);
}

static bool watch_signals(struct daemon *daemon)
{
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
        daemon->signals[i] = loop_signal_new(daemon->loop, SIGNALS[i], on_signal, daemon);
        if (!daemon->signals[i])
            return false;
    }
    return true;
}

static int make_clusters(struct daemon *daemon)
{
    const struct conf *conf = daemon->held->conf;

    daemon->clusters = calloc(conf->cluster_count + 1, sizeof(*daemon->clusters));
    if (!daemon->clusters)
        return -ENOMEM;
    for (uint32_t i = 0; i < conf->cluster_count; i++) {
        daemon->clusters[i] = cluster_new(daemon, daemon->held, &conf->clusters[i], NULL);
        if (!daemon->clusters[i])
            return -ENOMEM;
        daemon->cluster_count++;
    }
    return 0;
}

static int make_parts(struct daemon *daemon)
{
    int rv;

    persist_open(daemon); /* first: clusters know from there whom they had discovered */
    daemon->resolver = resolver_new(daemon->loop);
    daemon->beat = loop_timer_new(daemon->loop, on_beat, daemon);
    daemon->deadline = loop_timer_new(daemon->loop, on_deadline, daemon);
    daemon->exchange = loop_timer_new(daemon->loop, on_exchange, daemon);
    if (!daemon->resolver || !daemon->beat || !daemon->deadline || !daemon->exchange ||
        !watch_signals(daemon))
        return errno ? -errno : -ENOMEM;
    rv = make_clusters(daemon);
    if (rv == 0)
        rv = publish_grow(daemon, daemon->clusters, daemon->cluster_count);
    if (rv == 0)
        rv = sever_orders_open(daemon, daemon->held->conf->run_dir);
    return rv;
}

static void start(struct daemon *daemon)
{
    persist_load_missing(daemon);
    reload_bounds(daemon);
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        cluster_start(daemon->clusters[i]);
    if (daemon->cluster_count) /* a disk that refuses should be known before it is needed */
        persist_save(daemon->clusters[0], true);
    beat(daemon);
    loop_timer_set(daemon->deadline, daemon->cluster_count ? START_MS : 0);
}

static struct daemon *alloc(struct loop *loop, struct conf *conf,
                            const struct engine *const *engines)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    struct shared_conf *held = calloc(1, sizeof(*held));

    if (!daemon || !held) {
        free(daemon);
        free(held);
        return NULL;
    }
    *held = (struct shared_conf){.conf = conf, .refs = 1};
    daemon->held = held;
    daemon->loop = loop;
    daemon->engines = engines;
    daemon->started_ms = loop_now_ms(loop);
    daemon->turned = turned;
    return daemon;
}

/* Ends everything but the configuration, which is the caller's if the start failed. */
static void done(struct daemon *daemon)
{
    sever_orders_close(daemon);
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        cluster_free(daemon->clusters[i]);
    free(daemon->clusters);
    if (daemon->serve)
        serve_close(daemon->serve);
    if (daemon->view)
        view_free(daemon->view);
    if (daemon->state)
        state_close(daemon->state);
    if (daemon->resolver)
        resolver_free(daemon->resolver);
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
        if (daemon->signals[i])
            loop_signal_free(daemon->signals[i]);
    loop_timer_free(daemon->beat);
    loop_timer_free(daemon->deadline);
    loop_timer_free(daemon->exchange);
}

int daemon_look(const char *run_dir, char *error, size_t error_size)
{
    return serve_look(run_dir, error, error_size);
}

int daemon_new(struct loop *loop, struct conf *conf, const struct daemon_options *options,
               char *error, size_t error_size, struct daemon **ret_daemon)
{
    struct daemon *daemon = alloc(loop, conf, options->engines);
    int rv;

    error[0] = '\0';
    if (!daemon) {
        snprintf(error, error_size, "cannot start: %s", strerror(ENOMEM));
        return -ENOMEM;
    }
    /* First of all: a second agent, started by mistake, must find out before it touches
     * anything. */
    rv = serve_open(loop, conf->run_dir, options->takeover, options->serve, daemon, error,
                    error_size, &daemon->serve);
    if (rv == 0)
        rv = make_parts(daemon);
    if (rv == 0) {
        start(daemon);
        *ret_daemon = daemon;
        return 0;
    }
    if (!error[0])
        snprintf(error, error_size, "cannot start: %s", strerror(-rv));
    done(daemon);
    free(daemon->held);
    free(daemon);
    return rv;
}

int daemon_result(const struct daemon *daemon)
{
    return daemon->result;
}

void daemon_free(struct daemon *daemon)
{
    if (!daemon)
        return;
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        if (daemon->clusters[i]->decision.verdict.writer != MEMBER_NONE)
            persist_save(daemon->clusters[i], true);
    if (daemon->visible && serve_in_place(daemon->serve)) /* a successor knows better */
        (void)persist_save_missing(daemon, true);
    done(daemon);
    shared_conf_unref(daemon->held);
    free(daemon);
}
