/* SPDX-License-Identifier: Apache-2.0
 *
 * publish.c - a verdict goes to disk, then into the view. See daemon/daemon.h.
 *
 * 1. W2: verdict, term and generation are on disk before they are published. A disk that fails
 *    does not stop a failover: it is published all the same, an alarm says so, and a restart may
 *    then start from an older term.
 * 2. The members' addresses are written before the answers: whoever sees a new generation also
 *    sees who was demoted.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/parts.h"
#include "agent/publish/entry.h"

/* Pause between two stores of the time of confirmation. max_stale is 5 s at least. */
#define REFRESH_MS 1000

/* What the view is to say of one cluster. */
struct picture {
    struct view_entry entry; /* but for what differs between endpoints */
    struct view_address at[HOMING_VIEW_ADDRESSES_MAX];
    uint32_t count;
};

static void picture_take(const struct run_cluster *rc, struct picture *ret)
{
    const struct verdict *verdict = &rc->mind.verdict;
    const struct conf_timing *timing = &rc->conf->timing;
    struct probe_member members[HOMING_MEMBERS_MAX];

    for (uint32_t i = 0; i < rc->conf->member_count; i++)
        probe_member(rc->probe, i, &members[i]);
    memset(ret, 0, sizeof(*ret));
    ret->count = answer_addresses(verdict, members, rc->conf->member_count, ret->at);
    answer_fill(verdict, members, &ret->entry);
    ret->entry.cluster = rc->index;
    ret->entry.confirmed_ms = verdict->confirmed_ms;
    ret->entry.max_stale_ms = timing->max_stale_ms;
    ret->entry.keepalive_ms = timing->keepalive_ms;
}

/* Counts the endpoints' answers that changed. */
static void picture_count(struct run_cluster *rc, const struct picture *picture)
{
    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++) {
        struct run_endpoint *endpoint = &rc->endpoints[i];
        uint64_t answer =
            answer_hash(rc->conf->endpoints[i].role, &picture->entry, picture->at, picture->count);
        if (!answer || answer == endpoint->answer)
            continue;
        endpoint->answer = answer;
        endpoint->generation++;
        if (rc->conf->endpoints[i].role == VIEW_ROLE_WRITER)
            run_events_answer(rc, i, &picture->entry);
    }
}

static int write_endpoint(struct run_cluster *rc, uint32_t i, const struct picture *picture,
                          struct view *view)
{
    const struct conf_endpoint *conf = &rc->conf->endpoints[i];
    struct view_entry entry = picture->entry;
    struct name name;
    int rv = 0;

    entry.mode = rc->mode ? rc->mode : conf->mode;
    entry.role = conf->role;
    entry.hold_ms = conf->hold_ms;
    entry.endpoint = rc->endpoints[i].id;
    entry.generation = rc->endpoints[i].generation;
    for (uint32_t n = 0; n < conf->name_count && rv == 0; n++)
        if (name_canonical(conf->names[n].text, &name))
            rv = view_write_entry(view_writer(view), &name, &entry);
    return rv;
}

static int picture_write(struct run_cluster *rc, const struct picture *picture, struct view *view)
{
    int rv = 0;

    view_write_members(view_writer(view), rc->index, picture->at, picture->count);
    for (uint32_t i = 0; i < rc->conf->endpoint_count && rv == 0; i++)
        rv = write_endpoint(rc, i, picture, view);
    rc->refreshed_ms = picture->entry.confirmed_ms;
    return rv;
}

int run_publish_into(struct run_cluster *rc, struct view *view)
{
    struct picture picture;

    picture_take(rc, &picture);
    return picture_write(rc, &picture, view);
}

static uint64_t generations(const struct run_cluster *rc)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++)
        sum += rc->endpoints[i].generation;
    return sum;
}

/* Whether the writer answers is not worth a write to disk: after a restart it is `suspect` until it
 * does, and being silent must not wait for the disk. */
static struct verdict calm(const struct verdict *verdict)
{
    struct verdict calm = *verdict;

    if (calm.state == CLUSTER_STEADY || calm.state == CLUSTER_SUSPECT) {
        calm.state = CLUSTER_STEADY;
        calm.reason = REASON_NONE;
    }
    return calm;
}

static bool is_due(const struct run_cluster *rc)
{
    struct verdict is = calm(&rc->mind.verdict), was = calm(&rc->saved.verdict);

    return rc->saved.mode != rc->mode || rc->saved.generations != generations(rc) ||
           verdict_differs(&is, &was);
}

static int save(struct run_cluster *rc)
{
    struct state_cluster out = {
        .have_verdict = true,
        .verdict = rc->mind.verdict,
        .frozen = rc->mind.verdict.frozen,
        .have_mode = rc->mode != 0,
        .mode = rc->mode,
        .endpoint_count = rc->conf->endpoint_count,
    };
    int rv;

    out.endpoints = calloc(out.endpoint_count + 1, sizeof(*out.endpoints));
    if (!out.endpoints)
        return -ENOMEM;
    for (uint32_t i = 0; i < out.endpoint_count; i++)
        out.endpoints[i] = (struct state_endpoint){
            .id = rc->endpoints[i].id,
            .generation = rc->endpoints[i].generation,
            .answer = rc->endpoints[i].answer,
        };
    rv = state_save(rc->run->state, rc->conf, &out);
    free(out.endpoints);
    return rv;
}

void run_save_note(struct run_cluster *rc)
{
    rc->saved = (struct run_saved){
        .verdict = rc->mind.verdict,
        .generations = generations(rc),
        .mode = rc->mode,
    };
}

int run_save(struct run_cluster *rc, bool force)
{
    int rv;

    if (!force && !is_due(rc))
        return 0;
    if (!rc->run->state)
        return -EROFS;
    rv = save(rc);
    if (rv == -ESTALE)
        return rv;
    run_note_state(rc->run, rv < 0 ? strerror(-rv) : NULL);
    if (rv < 0)
        return rv;
    run_save_note(rc);
    return 0;
}

static void publish(struct run_cluster *rc, bool force_save)
{
    struct picture picture;

    picture_take(rc, &picture);
    picture_count(rc, &picture);
    if (run_save(rc, force_save) == -ESTALE) { /* once: then nothing in the file is newer */
        run_cluster_merge(rc);
        picture_take(rc, &picture);
        picture_count(rc, &picture);
        run_save(rc, true);
    }
    rc->sever.due = true;
    if (picture_write(rc, &picture, rc->run->view) < 0)
        run_publish_grow(rc->run, rc->run->clusters, rc->run->cluster_count);
}

void run_publish(struct run_cluster *rc)
{
    publish(rc, false);
}

static void refresh(struct run_cluster *rc)
{
    uint64_t confirmed_ms = rc->mind.verdict.confirmed_ms;
    struct name name;

    rc->refreshed_ms = confirmed_ms;
    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++)
        for (uint32_t n = 0; n < rc->conf->endpoints[i].name_count; n++)
            if (name_canonical(rc->conf->endpoints[i].names[n].text, &name))
                view_write_confirmed(view_writer(rc->run->view), &name, confirmed_ms);
}

void run_publish_confirmed(struct run_cluster *rc, bool persist)
{
    if (persist)
        publish(rc, true);
    else if (rc->mind.verdict.confirmed_ms >= rc->refreshed_ms + REFRESH_MS)
        refresh(rc);
}

static uint32_t count_names(struct run_cluster **clusters, uint32_t count)
{
    uint32_t names = 0;

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t e = 0; e < clusters[i]->conf->endpoint_count; e++)
            names += clusters[i]->conf->endpoints[e].name_count;
    return names;
}

/* Chains grow too long only by bad luck of the hash: more room helps. */
int run_publish_grow(struct run *run, struct run_cluster **clusters, uint32_t count)
{
    uint32_t names = count_names(clusters, count);
    struct view *view = NULL;
    int rv = -ENOSPC;

    for (int attempt = 0; attempt < 4 && rv == -ENOSPC; attempt++, names *= 2) {
        if (view)
            view_free(view);
        view = view_new(names, count + RUN_SPARE_CLUSTERS);
        rv = view ? 0 : -errno;
        for (uint32_t i = 0; i < count && rv == 0; i++) {
            clusters[i]->index = i;
            rv = run_publish_into(clusters[i], view);
        }
    }
    if (rv < 0) {
        if (view)
            view_free(view);
        log_event(LOG_ERROR, "view_failed", "the view cannot be enlarged: some names are missing",
                  LOG_STR("error", strerror(-rv)));
        return rv;
    }
    view_write_heartbeat(view_writer(view), loop_now_ms(run->loop));
    run_sever_instance(run, view);
    if (run->view)
        view_free(run->view);
    run->view = view;
    return 0;
}

bool run_view_read(const struct run *run, const char *text, struct view_entry *ret_entry)
{
    struct view_writer *w = view_writer(run->view);
    struct view_map map;
    struct name name;

    return name_canonical(text, &name) && view_map_check(w->header, view_bytes(run->view), &map) &&
           view_read(&map, &name, ret_entry) == VIEW_FOUND;
}
