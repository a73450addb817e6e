/* SPDX-License-Identifier: Apache-2.0
 *
 * reload.c - exchanges the configuration: all or nothing.
 *
 * 1. All that can fail (reading, checking, memory, descriptors) happens first, beside what is in
 *    force. The exchange itself cannot fail, and is done within one turn of the loop.
 * 2. A cluster that did not change keeps its object: probe, reports, verdict. One that did gets a
 *    new object, which inherits what the old one knows.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/base/bound.h"
#include "agent/base/log.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/discovery/discovery.h"
#include "agent/daemon/events.h"
#include "agent/daemon/publish.h"
#include "agent/daemon/reload.h"

/* Pause until an exchange that failed is tried again. */
#define RETRY_MS 1000

struct plan {
    struct shared_conf *held;
    struct cluster **clusters; /* in the new configuration's order */
    struct cluster **from;     /* the old object of each: the same one if unchanged, NULL if new */
    uint32_t count;
    struct view *view; /* a larger one; NULL: the view in force has room */
};

/* A member that refused our credentials is not asked again before a reload. With this reload it is:
 * its cluster gets a new object. */
static bool is_denied(const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->conf->member_count; i++)
        if (members_said(&cluster->members, i)->kind == REPORT_DENIED)
            return true;
    return cluster->discovery && cluster->discovery->seed_denied;
}

/* ---- the plan ---- */

static struct cluster *find_old(const struct daemon *daemon, uint32_t likely, const char *name)
{
    if (likely < daemon->cluster_count && strcmp(daemon->clusters[likely]->conf->name, name) == 0)
        return daemon->clusters[likely];
    return cluster_find(daemon, name);
}

static int plan_clusters(struct daemon *daemon, struct plan *plan)
{
    const struct conf *conf = plan->held->conf;

    plan->clusters = calloc(conf->cluster_count + 1, sizeof(*plan->clusters));
    plan->from = calloc(conf->cluster_count + 1, sizeof(*plan->from));
    if (!plan->clusters || !plan->from)
        return -ENOMEM;
    for (uint32_t i = 0; i < conf->cluster_count; i++, plan->count++) {
        struct cluster *old = find_old(daemon, i, conf->clusters[i].name);
        plan->from[i] = plan->clusters[i] = old;
        if (!old || is_denied(old) ||
            !conf_same_cluster(cluster_configured(old), &conf->clusters[i]))
            plan->clusters[i] = cluster_new(daemon, plan->held, &conf->clusters[i], old);
        if (!plan->clusters[i])
            return -ENOMEM;
    }
    return 0;
}

static uint32_t count_new_names(const struct daemon *daemon, const struct conf_cluster *conf)
{
    struct view_entry entry;
    uint32_t count = 0;

    for (uint32_t e = 0; e < conf->endpoint_count; e++)
        for (uint32_t n = 0; n < conf->endpoints[e].name_count; n++)
            count += !publish_read(daemon, &conf->endpoints[e].names[n].name, &entry);
    return count;
}

/* Gives the new clusters numbers that are free in the view. False: there are too few. */
static bool plan_numbers(const struct daemon *daemon, struct plan *plan)
{
    uint32_t room = view_writer(daemon->view)->cluster_count, next = 0;
    bool *used = calloc(room + 1, sizeof(*used));

    if (!used)
        return false;
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->from[i]) {
            plan->clusters[i]->index = plan->from[i]->index;
            used[plan->clusters[i]->index] = true;
        }
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->from[i])
            continue;
        while (next < room && used[next])
            next++;
        plan->clusters[i]->index = next++;
    }
    free(used);
    return next <= room;
}

/* Members for whose official names the view in force has no places yet. */
static uint32_t count_new_members(const struct cluster *cluster, const struct cluster *from)
{
    uint32_t count = cluster->conf->member_count;

    return from && count <= from->conf->member_count ? 0 : count;
}

static bool has_room(const struct view_writer *w, uint32_t names, uint32_t new_members)
{
    return names <= w->slot_count / 2 && new_members <= w->official_count - w->officials_used;
}

static int plan_view(struct daemon *daemon, struct plan *plan)
{
    uint32_t names = view_writer(daemon->view)->names, members = SPARE_MEMBERS, new_members = 0;

    for (uint32_t i = 0; i < plan->count; i++) {
        const struct cluster *cluster = plan->clusters[i];

        members += publish_members(cluster);
        new_members += count_new_members(cluster, plan->from[i]);
        if (cluster != plan->from[i])
            names += count_new_names(daemon, cluster->conf);
    }
    if (plan_numbers(daemon, plan) && has_room(view_writer(daemon->view), names, new_members))
        return 0;
    plan->view = view_new(names, plan->count + SPARE_CLUSTERS, members);
    return plan->view ? 0 : -errno;
}

/* Frees a plan that is not carried out, with all that was made for it. */
static void plan_drop(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->clusters[i] != plan->from[i])
            cluster_free(plan->clusters[i]);
    if (plan->view)
        view_free(plan->view);
    free(plan->clusters);
    free(plan->from);
    shared_conf_unref(plan->held);
}

/* ---- the exchange ---- */

static bool has_name(const struct conf_cluster *conf, const struct name *name)
{
    for (uint32_t e = 0; e < conf->endpoint_count; e++)
        for (uint32_t n = 0; n < conf->endpoints[e].name_count; n++)
            if (name_same(&conf->endpoints[e].names[n].name, name))
                return true;
    return false;
}

/* Names of `old` that no cluster has any more. A name that moved is the new cluster's by now. */
static void remove_names(struct daemon *daemon, const struct cluster *old,
                         struct cluster *const *by_index)
{
    for (uint32_t e = 0; e < old->conf->endpoint_count; e++)
        for (uint32_t n = 0; n < old->conf->endpoints[e].name_count; n++) {
            const struct name *name = &old->conf->endpoints[e].names[n].name;
            struct view_entry entry;
            if (!publish_read(daemon, name, &entry))
                continue;
            if (!by_index[entry.cluster] || !has_name(by_index[entry.cluster]->conf, name))
                view_write_gone(view_writer(daemon->view), name);
        }
}

/* The clusters by their number in the view; NULL: no cluster has it. */
static struct cluster **list_by_index(const struct daemon *daemon)
{
    struct cluster **list = calloc(view_writer(daemon->view)->cluster_count + 1, sizeof(*list));

    for (uint32_t i = 0; list && i < daemon->cluster_count; i++)
        list[daemon->clusters[i]->index] = daemon->clusters[i];
    return list;
}

/* Ends the old objects that are not in use any more, and their names. */
static void end_old(struct daemon *daemon, struct cluster **old, uint32_t count, bool new_view)
{
    struct cluster **by_index = new_view ? NULL : list_by_index(daemon);

    for (uint32_t i = 0; i < count; i++) {
        if (old[i]->kept)
            continue;
        if (by_index) {
            remove_names(daemon, old[i], by_index);
            if (!by_index[old[i]->index])
                view_write_members(view_writer(daemon->view), old[i]->index, NULL, 0);
        }
        cluster_free(old[i]);
    }
    free(by_index);
}

static void begin_new(struct plan *plan, bool new_view)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct cluster *cluster = plan->clusters[i];
        cluster->kept = cluster == plan->from[i];
        if (new_view)
            cluster->index = i;
        if (!plan->from[i])
            cluster_start(cluster);
        else if (!cluster->kept)
            cluster_inherit(cluster, plan->from[i]);
        else if (new_view)
            cluster_publish(cluster);
    }
}

/* Descriptors besides those of members and clients: loop, sockets, view, files, resolver. */
#define OTHER_DESCRIPTORS 32

/* Seeds are asked like members. */
static uint64_t count_members(const struct daemon *daemon)
{
    uint64_t members = 0;

    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        members += daemon->clusters[i]->conf->member_count + daemon->clusters[i]->conf->seed_count;
    return members;
}

static void check_descriptors(struct daemon *daemon)
{
    uint64_t needed = OTHER_DESCRIPTORS + HOMING_CLIENTS_MAX + count_members(daemon);
    struct rlimit limit;

    daemon->descriptors_missing = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return;
    daemon->descriptors_missing = needed - limit.rlim_cur;
    log_event(LOG_WARNING, "descriptors_short",
              "members or clients may be turned away: raise the limit of open files",
              LOG_INT("limit", limit.rlim_cur), LOG_INT("needed", needed));
}

void reload_bounds(struct daemon *daemon)
{
    bound_memory(count_members(daemon));
    check_descriptors(daemon);
}

static void exchange(struct daemon *daemon, struct plan *plan)
{
    struct cluster **old = daemon->clusters;
    uint32_t old_count = daemon->cluster_count;
    struct view *old_view = plan->view ? daemon->view : NULL;

    for (uint32_t i = 0; i < old_count; i++)
        old[i]->kept = false;
    daemon->clusters = plan->clusters;
    daemon->cluster_count = plan->count;
    if (plan->view)
        daemon->view = plan->view;
    begin_new(plan, plan->view);
    view_write_heartbeat(view_writer(daemon->view), loop_now_ms(daemon->loop));
    view_write_sever_instance(view_writer(daemon->view),
                              sever_client_instance(daemon->sever_client));
    end_old(daemon, old, old_count, plan->view);
    if (old_view)
        view_free(old_view);
    free(old);
    free(plan->from);
    shared_conf_unref(daemon->held);
    daemon->held = plan->held;
    reload_bounds(daemon);
}

/* ---- members that were discovered, or left ---- */

/* What the operator wrote stays, and so does its place in the view: the new object has room for its
 * members there, or cluster_inherit() makes some. */
static void exchange_members(struct daemon *daemon, uint32_t i)
{
    struct cluster *old = daemon->clusters[i];
    struct cluster *cluster = cluster_new(daemon, old->held, cluster_configured(old), old);

    if (!cluster) { /* it stays due */
        log_event(LOG_ERROR, "members_unchanged", "the members stay, because memory is short",
                  LOG_STR("cluster", old->conf->name));
        return;
    }
    cluster->index = old->index;
    daemon->clusters[i] = cluster;
    cluster_inherit(cluster, old);
    events_members(cluster, old);
    cluster_free(old);
}

void reload_members(struct daemon *daemon)
{
    uint64_t after_ms, next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < daemon->cluster_count; i++) {
        if (discovery_is_due(daemon->clusters[i], &after_ms) && after_ms == 0)
            exchange_members(daemon, i);
        if (!discovery_is_due(daemon->clusters[i], &after_ms))
            continue;
        after_ms = after_ms ? after_ms : RETRY_MS;
        next_ms = after_ms < next_ms ? after_ms : next_ms;
    }
    if (next_ms != UINT64_MAX)
        loop_timer_set(daemon->exchange, next_ms);
    reload_bounds(daemon);
}

/* ---- the way in ---- */

/* Whoever starts an agent may wait for a pipe. While it runs, nothing may wait for one. */
static bool may_block(const char *file, FILE *lines)
{
    struct stat st;

    if (stat(file, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return false;
    fprintf(lines, "%s: is not a regular file, and only those are read again: restart homingd\n",
            file);
    return true;
}

static int load(struct daemon *daemon, FILE *lines, struct conf **ret_conf)
{
    const struct conf *now = daemon->held->conf;
    struct conf *conf;
    int rv =
        may_block(now->file, lines) ? -EINVAL : conf_load(now->file, now->engines, lines, &conf);

    if (rv < 0)
        return rv;
    if (conf_same_agent(conf, now)) {
        *ret_conf = conf;
        return 0;
    }
    fprintf(lines, "%s: run_dir and state_dir cannot change while the agent runs: restart it\n",
            now->file);
    conf_free(conf);
    return -EINVAL;
}

static int try_reload(struct daemon *daemon, FILE *lines)
{
    struct plan plan = {.held = calloc(1, sizeof(*plan.held))};
    int rv;

    if (!plan.held)
        return -ENOMEM;
    plan.held->refs = 1;
    rv = load(daemon, lines, &plan.held->conf);
    if (rv == 0)
        rv = plan_clusters(daemon, &plan);
    if (rv == 0)
        rv = plan_view(daemon, &plan);
    if (rv == 0)
        exchange(daemon, &plan);
    else
        plan_drop(&plan);
    return rv;
}

static void say(const struct daemon *daemon, int rv, const char *lines)
{
    const char *file = daemon->held->conf->file;

    if (rv == 0)
        log_event(LOG_INFO, "reloaded", "configuration reloaded", LOG_STR("file", file),
                  LOG_INT("clusters", daemon->cluster_count),
                  LOG_STR("warnings", lines[0] ? lines : NULL));
    else
        log_event(LOG_ERROR, "reload_failed", "the old configuration stays", LOG_STR("file", file),
                  LOG_STR("error", lines[0] ? NULL : strerror(-rv)),
                  LOG_STR("lines", lines[0] ? lines : NULL));
}

int reload_conf(struct daemon *daemon, char **ret_lines)
{
    size_t size = 0;
    FILE *lines;
    int rv;

    *ret_lines = NULL;
    lines = open_memstream(ret_lines, &size);
    if (!lines)
        return -ENOMEM;
    rv = try_reload(daemon, lines);
    fclose(lines);
    say(daemon, rv, *ret_lines ? *ret_lines : "");
    return rv;
}
