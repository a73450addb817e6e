/* SPDX-License-Identifier: Apache-2.0
 *
 * persist.c - see persist.h. agent/state reads and writes the files.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/persist.h"

/* What an operator can do about it. */
static const char *remedy(int error)
{
    switch (error) {
    case -ENOSPC:
    case -EDQUOT:
        return "make room there";
    case -EROFS:
        return "mount it for writing";
    case -EACCES:
        return "let homingd's user write there";
    case -EPERM: /* state_open() alone */
        return "run chmod o-w on it, and look at what is in it";
    case -ENOENT:
        return "make that directory, for homingd's user alone";
    case -ENOTDIR:
        return "move away what is in its place";
    default:
        return "look at that directory, and at its disk";
    }
}

/* The trouble with the state directory began or changed, or (`error` is 0) ended. `what`: where, and why. */
static void note(struct daemon *daemon, int error, const char *what)
{
    const char *dir = daemon->held->conf->state_dir;
    char text[sizeof(daemon->state_error)] = "";

    if (error)
        snprintf(text, sizeof(text), "%.190s: %s", what, remedy(error));
    if (strcmp(text, daemon->state_error) == 0)
        return;
    memcpy(daemon->state_error, text, sizeof(text));
    if (error)
        log_event(LOG_ERROR, "state_unsaved",
                  "verdicts cannot be saved: they are published all the same, but a restart may "
                  "begin with older ones",
                  LOG_STR("state_dir", dir), LOG_STR("error", text));
    else
        log_event(LOG_INFO, "state_saved", "verdicts are being saved again");
}

void persist_open(struct daemon *daemon)
{
    char error[sizeof(daemon->state_error)] = "";
    int rv = state_open(daemon->held->conf->state_dir, error, sizeof(error), &daemon->state);

    if (rv == 0)
        return;
    daemon->state = NULL;
    note(daemon, rv, error);
}

static void note_save(struct daemon *daemon, int error)
{
    char what[sizeof(daemon->state_error)];

    snprintf(what, sizeof(what), "%s: %s", daemon->held->conf->state_dir, strerror(-error));
    note(daemon, error == -EPERM ? -EACCES : error, what);
}

bool persist_look(struct daemon *daemon)
{
    if (daemon->state && state_is_at(daemon->state, daemon->held->conf->state_dir))
        return false;
    state_close(daemon->state);
    persist_open(daemon);
    if (!daemon->state)
        return false;
    if (!daemon->cluster_count) /* no save will tell that it is over */
        note(daemon, 0, "");
    return true;
}

void persist_load(struct cluster *cluster, struct state_cluster *ret_saved)
{
    int rv;

    memset(ret_saved, 0, sizeof(*ret_saved));
    rv = cluster->daemon->state ? state_load(cluster->daemon->state, cluster->conf, ret_saved) : 0;
    if (rv == 0)
        return;
    memset(ret_saved, 0, sizeof(*ret_saved));
    log_event(LOG_ERROR, "state_unreadable",
              rv == -EBADMSG ? "saved state is corrupt and was renamed aside: starting unknown"
                             : "saved state cannot be read: starting unknown",
              LOG_STR("cluster", cluster->conf->name), LOG_STR("error", strerror(-rv)));
}

static uint64_t generations(const struct cluster *cluster)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++)
        sum += cluster->endpoints[i].generation;
    return sum;
}

/* The verdict as it would be if the writer answered. Whether it answers is not worth a write to
 * disk: after a restart it is `suspect` until it does. And when it falls silent, nothing may wait
 * for the disk. */
static struct verdict calm(const struct verdict *verdict)
{
    struct verdict calm = *verdict;

    if (calm.state == CLUSTER_STEADY || calm.state == CLUSTER_SUSPECT) {
        calm.state = CLUSTER_STEADY;
        calm.reason = REASON_NONE;
    }
    return calm;
}

static uint64_t discovered(const struct cluster *cluster)
{
    return cluster->discovery ? roster_mark(&cluster->discovery->roster) : 0;
}

static void save_discovered(const struct cluster *cluster, struct state_cluster *saved)
{
    const struct roster *roster;

    if (!cluster->discovery)
        return;
    roster = &cluster->discovery->roster;
    memcpy(saved->discovered, roster->at, roster->count * sizeof(roster->at[0]));
    saved->discovered_count = roster->count;
}

static bool is_due(const struct cluster *cluster)
{
    const struct persisted *persisted = &cluster->persisted;
    struct verdict is = calm(&cluster->decision.verdict), was = calm(&persisted->verdict);

    return persisted->mode != cluster->mode || persisted->generations != generations(cluster) ||
           persisted->places != elsewhere_mark(cluster) ||
           persisted->discovered != discovered(cluster) ||
           persisted->spared != cluster->severing.spared || verdict_differs(&is, &was);
}

void persist_noted(struct cluster *cluster)
{
    cluster->persisted = (struct persisted){
        .verdict = cluster->decision.verdict,
        .generations = generations(cluster),
        .places = elsewhere_mark(cluster),
        .discovered = discovered(cluster),
        .spared = cluster->severing.spared,
        .mode = cluster->mode,
    };
}

int persist_save(struct cluster *cluster, bool force)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    struct daemon *daemon = cluster->daemon;
    struct state_cluster out = {
        .have_verdict = true,
        .verdict = *verdict,
        .frozen = verdict->frozen,
        .have_mode = cluster->mode != 0,
        .mode = cluster->mode,
        .spared = cluster->severing.spared,
        .untold = cluster->severing.untold != 0,
        .endpoints = cluster->endpoints,
        .endpoint_count = cluster->conf->endpoint_count,
    };
    int rv;

    if (!force && !is_due(cluster))
        return 0;
    if (!daemon->state)
        return -EROFS;
    elsewhere_save(cluster, &out);
    members_save_listed(&cluster->members, &out);
    save_discovered(cluster, &out);
    rv = state_save(daemon->state, cluster->conf, &out);
    if (rv == -ESTALE)
        return rv;
    note_save(daemon, rv);
    if (rv == 0)
        persist_noted(cluster);
    return rv;
}

/* ---- whose permits were lost ---- */

static void restore_missing(struct daemon *daemon, const struct state_missing *saved)
{
    const struct lost_list list = {.missing = saved->missing,
                                   .held = saved->held,
                                   .missing_count = saved->missing_count,
                                   .held_count = saved->held_count,
                                   .back = saved->back,
                                   .seen = saved->seen,
                                   .since_ms = saved->since_ms};

    if (list.missing_count || list.held_count)
        sever_client_restore(daemon->sever_client, &list);
}

void persist_load_missing(struct daemon *daemon)
{
    struct state_missing saved = {0};
    int rv = daemon->state ? state_load_missing(daemon->state, &saved) : 0;

    if (rv == 0)
        restore_missing(daemon, &saved);
    else
        log_event(
            LOG_ERROR, "state_unreadable",
            rv == -EBADMSG ? "the list of programs whose permits were lost makes no sense: it is "
                             "ignored, and was renamed to missing.corrupt"
                           : "the list of programs whose permits were lost cannot be read: it is "
                             "ignored",
            LOG_STR("state_dir", daemon->held->conf->state_dir), LOG_STR("error", strerror(-rv)));
    free(saved.owned);
}

static int save_missing(struct daemon *daemon, const struct lost_list *list)
{
    const struct state_missing saved = {.missing = list->missing,
                                        .held = list->held,
                                        .missing_count = list->missing_count,
                                        .held_count = list->held_count,
                                        .back = list->back,
                                        .seen = list->seen,
                                        .since_ms = list->since_ms};

    return state_save_missing(daemon->state, &saved);
}

bool persist_save_missing(struct daemon *daemon, bool ends)
{
    const struct lost *lost = sever_client_lost(daemon->sever_client);
    struct lost_list list;

    if (!daemon->state || !lost)
        return true;
    lost_tell(lost, ends, &list);
    int rv = save_missing(daemon, &list);
    if (rv && !daemon->missing_unsaved)
        log_event(LOG_ERROR, "state_unsaved",
                  "the programs whose permits were lost cannot be saved: a restart forgets which "
                  "these are",
                  LOG_STR("state_dir", daemon->held->conf->state_dir),
                  LOG_STR("error", strerror(-rv)));
    daemon->missing_unsaved = rv != 0;
    return rv == 0;
}
