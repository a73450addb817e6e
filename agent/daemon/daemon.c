/* SPDX-License-Identifier: Apache-2.0
 *
 * daemon.c - start, heartbeat and end of the running agent. See daemon/daemon.h.
 *
 * 1. Nothing is visible on the sockets before every cluster had its first answer, or START_MS has
 *    passed: a program that starts with the node should not meet an agent that knows nothing.
 * 2. V3: the heartbeat is stamped at least every HOMING_HEARTBEAT_MS.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/base/bound.h"
#include "agent/base/log.h"
#include "agent/base/notify.h"
#include "agent/daemon/parts.h"

#define START_MS 1000
/* Pause until the next attempt to be visible. */
#define START_RETRY_MS 250
/* Pause between two signs of life for the service manager, whose patience is many seconds. */
#define WATCHDOG_MS 1000

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
_Static_assert(sizeof(SIGNALS) / sizeof(SIGNALS[0]) ==
                   sizeof(((struct run *)0)->signals) / sizeof(struct loop_signal *),
               "one watcher each");

struct run_conf *run_conf_ref(struct run_conf *held)
{
    held->refs++;
    return held;
}

void run_conf_unref(struct run_conf *held)
{
    if (!held || --held->refs > 0)
        return;
    conf_free(held->conf);
    free(held);
}

static void beat(struct run *run)
{
    run->beat_ms = loop_now_ms(run->loop);
    view_write_heartbeat(view_writer(run->view), run->beat_ms);
    loop_timer_set(run->beat, HOMING_HEARTBEAT_MS);
    /* A start that does not come to READY is for the manager's start time-out to end. */
    if (!run->visible || run->beat_ms - run->watchdog_ms < WATCHDOG_MS)
        return;
    run->watchdog_ms = run->beat_ms;
    (void)notify_send("WATCHDOG=1");
}

static void on_beat(void *arg)
{
    beat(arg);
}

void run_beat(struct run *run)
{
    if (loop_now_ms(run->loop) - run->beat_ms >= HOMING_HEARTBEAT_MS / 2)
        beat(run);
}

/* Descriptors may be short for a moment, while many members connect at once. */
static void not_visible(struct run *run, int error)
{
    log_event(LOG_ERROR, "serve_failed", "the sockets cannot be put in place",
              LOG_STR("run_dir", run->held->conf->run_dir), LOG_STR("error", strerror(-error)));
    if (error != -EADDRINUSE) {
        loop_timer_set(run->deadline, START_RETRY_MS);
        return;
    }
    run->result = error;
    loop_stop(run->loop);
}

static void make_visible(struct run *run)
{
    int rv = serve_publish(run->serve);

    if (rv < 0) {
        not_visible(run, rv);
        return;
    }
    run->visible = true;
    loop_timer_stop(run->deadline);
    (void)notify_send("READY=1");
    log_event(LOG_INFO, "ready", "serving", LOG_STR("run_dir", run->held->conf->run_dir),
              LOG_INT("clusters", run->cluster_count),
              LOG_INT("start_ms", loop_now_ms(run->loop) - run->started_ms));
}

void run_check_ready(struct run *run)
{
    if (run->visible)
        return;
    for (uint32_t i = 0; i < run->cluster_count; i++)
        if (!run_cluster_ready(run->clusters[i]))
            return;
    make_visible(run);
}

static void on_deadline(void *arg)
{
    struct run *run = arg;

    if (!run->visible)
        make_visible(run);
}

void run_note_state(struct run *run, const char *error)
{
    if (!error && run->state_error[0]) {
        run->state_error[0] = '\0';
        log_event(LOG_INFO, "state_saved", "verdicts are being saved again");
    } else if (error && strcmp(error, run->state_error) != 0) {
        snprintf(run->state_error, sizeof(run->state_error), "%s", error);
        log_event(LOG_ERROR, "state_unsaved",
                  "verdicts cannot be saved: they are published all the same, but a restart may "
                  "begin with older ones",
                  LOG_STR("state_dir", run->held->conf->state_dir), LOG_STR("error", error));
    }
}

static void on_signal(void *arg, int signo)
{
    struct run *run = arg;
    char *lines = NULL;

    if (signo == SIGHUP) {
        run_reload(run, &lines); /* which says how it went */
        free(lines);
        return;
    }
    (void)notify_send("STOPPING=1");
    log_event(LOG_INFO, "stopping", "clean shutdown", LOG_INT("signal", signo));
    loop_stop(run->loop);
}

static bool watch_signals(struct run *run)
{
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
        run->signals[i] = loop_signal_new(run->loop, SIGNALS[i], on_signal, run);
        if (!run->signals[i])
            return false;
    }
    return true;
}

/* Descriptors besides those of members and clients: loop, sockets, view, files, resolver. */
#define OTHER_DESCRIPTORS 32

void run_check_descriptors(struct run *run)
{
    const struct conf *conf = run->held->conf;
    uint64_t needed = OTHER_DESCRIPTORS + HOMING_CLIENTS_MAX;
    struct rlimit limit;

    for (uint32_t i = 0; i < conf->cluster_count; i++)
        needed += conf->clusters[i].member_count;
    run->descriptors_missing = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return;
    run->descriptors_missing = needed - limit.rlim_cur;
    log_event(LOG_WARNING, "descriptors_short",
              "members or clients may be turned away: raise the limit of open files",
              LOG_INT("limit", limit.rlim_cur), LOG_INT("needed", needed));
}

void run_bound_memory(const struct run *run)
{
    const struct conf *conf = run->held->conf;
    uint64_t members = 0;

    for (uint32_t i = 0; i < conf->cluster_count; i++)
        members += conf->clusters[i].member_count;
    bound_memory(members);
}

/* A state directory that cannot be used costs memory across restarts, not the service. */
static void open_state(struct run *run)
{
    char error[sizeof(run->state_error)] = "";

    if (state_open(run->held->conf->state_dir, error, sizeof(error), &run->state) == 0)
        return;
    run->state = NULL;
    run_note_state(run, error[0] ? error : "cannot be opened");
}

static int make_clusters(struct run *run)
{
    const struct conf *conf = run->held->conf;

    run->clusters = calloc(conf->cluster_count + 1, sizeof(*run->clusters));
    if (!run->clusters)
        return -ENOMEM;
    for (uint32_t i = 0; i < conf->cluster_count; i++) {
        run->clusters[i] = run_cluster_new(run, run->held, &conf->clusters[i]);
        if (!run->clusters[i])
            return -ENOMEM;
        run->cluster_count++;
    }
    return 0;
}

static int make_parts(struct run *run)
{
    int rv;

    run->resolver = resolver_new(run->loop);
    run->beat = loop_timer_new(run->loop, on_beat, run);
    run->deadline = loop_timer_new(run->loop, on_deadline, run);
    if (!run->resolver || !run->beat || !run->deadline || !watch_signals(run))
        return errno ? -errno : -ENOMEM;
    rv = make_clusters(run);
    if (rv == 0)
        rv = run_publish_grow(run, run->clusters, run->cluster_count);
    if (rv == 0)
        rv = run_sever_open(run, run->held->conf->run_dir);
    return rv;
}

static void start(struct run *run)
{
    open_state(run);
    run_check_descriptors(run);
    run_bound_memory(run);
    for (uint32_t i = 0; i < run->cluster_count; i++)
        run_cluster_start(run->clusters[i]);
    if (run->cluster_count) /* a disk that refuses should be known before it is needed */
        run_save(run->clusters[0], true);
    beat(run);
    loop_timer_set(run->deadline, run->cluster_count ? START_MS : 0);
}

static struct run *alloc(struct loop *loop, struct conf *conf)
{
    struct run *run = calloc(1, sizeof(*run));
    struct run_conf *held = calloc(1, sizeof(*held));

    if (!run || !held) {
        free(run);
        free(held);
        return NULL;
    }
    *held = (struct run_conf){.conf = conf, .refs = 1};
    run->held = held;
    run->loop = loop;
    run->started_ms = loop_now_ms(loop);
    return run;
}

/* Ends everything but the configuration, which is the caller's if the start failed. */
static void done(struct run *run)
{
    run_sever_close(run);
    for (uint32_t i = 0; i < run->cluster_count; i++)
        run_cluster_free(run->clusters[i]);
    free(run->clusters);
    if (run->serve)
        serve_close(run->serve);
    if (run->view)
        view_free(run->view);
    if (run->state)
        state_close(run->state);
    if (run->resolver)
        resolver_free(run->resolver);
    for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
        if (run->signals[i])
            loop_signal_free(run->signals[i]);
    loop_timer_free(run->beat);
    loop_timer_free(run->deadline);
}

int run_new(struct loop *loop, struct conf *conf, bool takeover, char *error, size_t error_size,
            struct run **ret_run)
{
    struct run *run = alloc(loop, conf);
    int rv;

    error[0] = '\0';
    if (!run) {
        snprintf(error, error_size, "cannot start: %s", strerror(ENOMEM));
        return -ENOMEM;
    }
    /* First of all: a second agent by mistake must find out before it touches anything. */
    rv = serve_open(loop, conf->run_dir, takeover, run_methods_serve, run, error, error_size,
                    &run->serve);
    if (rv == 0)
        rv = make_parts(run);
    if (rv == 0) {
        start(run);
        *ret_run = run;
        return 0;
    }
    if (!error[0])
        snprintf(error, error_size, "cannot start: %s", strerror(-rv));
    done(run);
    free(run->held);
    free(run);
    return rv;
}

int run_result(const struct run *run)
{
    return run->result;
}

void run_free(struct run *run)
{
    if (!run)
        return;
    for (uint32_t i = 0; i < run->cluster_count; i++)
        if (run->clusters[i]->decision.verdict.writer != MEMBER_NONE)
            run_save(run->clusters[i], true);
    done(run);
    run_conf_unref(run->held);
    free(run);
}
