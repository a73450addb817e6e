/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.c - see publish.h. agent/publish makes a cluster's entries.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/publish.h"

/* Pause between two stores of the time of confirmation. max_stale is 5 s at least. */
#define REFRESH_MS 1000
/* A chain in the view's table is too long only by bad luck of the hash. Then twice the room helps.
 * Bad luck three more times in a row does not happen. */
#define GROW_ATTEMPTS 4

/* Connections that nobody has tagged are severed in network namespaces of which homing-sever has a
 * permit. So whoever connects to a member hands over, where that is to be done or counted. */
static bool wants_permits(const struct cluster *cluster)
{
    for (uint32_t i = 0; cluster->conf->sever_untagged && i < cluster->conf->endpoint_count; i++) {
        const struct conf_endpoint *conf = &cluster->conf->endpoints[i];
        enum view_mode mode = cluster->mode ? cluster->mode : conf->mode;
        if (conf->role == VIEW_ROLE_WRITER &&
            (mode == VIEW_MODE_SEVER || mode == VIEW_MODE_OBSERVE))
            return true;
    }
    return false;
}

void publish_make(const struct cluster *cluster, struct publication *ret_publication)
{
    const struct addresses *where[HOMING_MEMBERS_MAX];
    struct left_addresses left;

    members_where(&cluster->members, where);
    elsewhere_left(cluster, &left);
    publication_make(cluster->conf, cluster->index, &cluster->decision.verdict, where, &left,
                     ret_publication);
    for (uint32_t i = 0; i < ret_publication->count && wants_permits(cluster); i++)
        ret_publication->at[i].flags |= VIEW_MEMBER_PERMIT;
}

static int write_into(struct cluster *cluster, const struct publication *publication,
                      struct view *view)
{
    cluster->refreshed_ms = publication->entry.confirmed_ms;
    return publication_write(publication, cluster->conf, cluster->endpoints, cluster->mode, view);
}

static uint32_t count_names(struct cluster **clusters, uint32_t count)
{
    uint32_t names = 0;

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t e = 0; e < clusters[i]->conf->endpoint_count; e++)
            names += clusters[i]->conf->endpoints[e].name_count;
    return names;
}

uint32_t publish_members(const struct cluster *cluster)
{
    return cluster->conf->member_count + (cluster->discovery ? SPARE_DISCOVERED : 0);
}

static uint32_t count_members(struct cluster **clusters, uint32_t count)
{
    uint32_t members = 0;

    for (uint32_t i = 0; i < count; i++)
        members += publish_members(clusters[i]);
    return members;
}

static int fill(struct view *view, struct cluster **clusters, uint32_t count)
{
    struct publication publication;
    int rv = 0;

    for (uint32_t i = 0; i < count && rv == 0; i++) {
        clusters[i]->index = i;
        publish_make(clusters[i], &publication);
        rv = write_into(clusters[i], &publication, view);
    }
    return rv;
}

/* The view is not in force yet. */
static int make_view(struct cluster **clusters, uint32_t count, struct view **ret_view)
{
    uint32_t names = count_names(clusters, count);
    uint32_t members = count_members(clusters, count) + SPARE_MEMBERS;
    int rv = -ENOSPC;

    for (int attempt = 0; attempt < GROW_ATTEMPTS && rv == -ENOSPC; attempt++, names *= 2) {
        struct view *view = view_new(names, count + SPARE_CLUSTERS, members);
        if (!view)
            return -errno;
        rv = fill(view, clusters, count);
        if (rv == 0)
            *ret_view = view;
        else
            view_free(view);
    }
    return rv;
}

int publish_grow(struct daemon *daemon, struct cluster **clusters, uint32_t count)
{
    struct sever_client *client = daemon->sever_client;
    struct view *view = NULL;
    int rv = make_view(clusters, count, &view);

    if (rv < 0) {
        log_event(LOG_ERROR, "view_failed", "the view cannot be enlarged: some names are missing",
                  LOG_STR("error", strerror(-rv)));
        return rv;
    }
    view_write_heartbeat(view_writer(view), loop_now_ms(daemon->loop));
    view_write_sever_instance(view_writer(view), client ? sever_client_instance(client) : 0);
    if (daemon->view)
        view_free(daemon->view);
    daemon->view = view;
    return 0;
}

void publish_write(struct cluster *cluster, const struct publication *publication)
{
    struct daemon *daemon = cluster->daemon;

    if (write_into(cluster, publication, daemon->view) < 0)
        (void)publish_grow(daemon, daemon->clusters, daemon->cluster_count);
}

void publish_refresh(struct cluster *cluster)
{
    uint64_t confirmed_ms = cluster->decision.verdict.confirmed_ms;

    if (confirmed_ms < cluster->refreshed_ms + REFRESH_MS)
        return;
    cluster->refreshed_ms = confirmed_ms;
    publication_write_confirmed(cluster->conf, confirmed_ms, cluster->daemon->view);
}

bool publish_read(const struct daemon *daemon, const struct name *name,
                  struct view_entry *ret_entry)
{
    struct view_writer *w = view_writer(daemon->view);
    struct view_map map;

    return view_map_check(w->header, view_bytes(daemon->view), &map) &&
           view_read(&map, name, ret_entry) == VIEW_FOUND;
}
