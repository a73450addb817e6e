/* SPDX-License-Identifier: Apache-2.0
 *
 * persist.c - see persist.h. agent/state reads and writes the files.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/persist.h"

/* The trouble with the state directory began or changed, or (`error` is NULL) ended. */
static void note(struct daemon *daemon, const char *error)
{
    if (!error && daemon->state_error[0]) {
        daemon->state_error[0] = '\0';
        log_event(LOG_INFO, "state_saved", "verdicts are being saved again");
    } else if (error && strcmp(error, daemon->state_error) != 0) {
        snprintf(daemon->state_error, sizeof(daemon->state_error), "%s", error);
        log_event(LOG_ERROR, "state_unsaved",
                  "verdicts cannot be saved: they are published all the same, but a restart may "
                  "begin with older ones",
                  LOG_STR("state_dir", daemon->held->conf->state_dir), LOG_STR("error", error));
    }
}

void persist_open(struct daemon *daemon)
{
    char error[sizeof(daemon->state_error)] = "";

    if (state_open(daemon->held->conf->state_dir, error, sizeof(error), &daemon->state) == 0)
        return;
    daemon->state = NULL;
    note(daemon, error[0] ? error : "cannot be opened");
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

static bool is_due(const struct cluster *cluster)
{
    const struct persisted *persisted = &cluster->persisted;
    struct verdict is = calm(&cluster->decision.verdict), was = calm(&persisted->verdict);

    return persisted->mode != cluster->mode || persisted->generations != generations(cluster) ||
           verdict_differs(&is, &was);
}

void persist_noted(struct cluster *cluster)
{
    cluster->persisted = (struct persisted){
        .verdict = cluster->decision.verdict,
        .generations = generations(cluster),
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
        .endpoints = cluster->endpoints,
        .endpoint_count = cluster->conf->endpoint_count,
    };
    int rv;

    if (!force && !is_due(cluster))
        return 0;
    if (!daemon->state)
        return -EROFS;
    rv = state_save(daemon->state, cluster->conf, &out);
    if (rv == -ESTALE)
        return rv;
    note(daemon, rv < 0 ? strerror(-rv) : NULL);
    if (rv == 0)
        persist_noted(cluster);
    return rv;
}
