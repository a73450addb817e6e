/* SPDX-License-Identifier: Apache-2.0
 *
 * deployment.c - see deployment.h. Called by engines.
 *
 * 1. A version or a word that is not known makes all of it strange: nothing is guessed.
 * 2. A green server has `-green-` in its name. After the names were exchanged there is none, and nobody
 *    is taken for it.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/probe/deployment.h"

static const char KNOWN[] = "1.0";
static const char TARGET[] = "BLUE_GREEN_DEPLOYMENT_TARGET";
static const char SOURCE[] = "BLUE_GREEN_DEPLOYMENT_SOURCE";

void deployment_begin(struct deployment *d)
{
    memset(d, 0, sizeof(*d));
}

bool deployment_is_moving(enum phase phase)
{
    return phase >= PHASE_INITIATED && phase <= PHASE_POST;
}

static enum phase read_status(const char *status)
{
    static const char *const words[PHASE_COUNT] = {
        [PHASE_AVAILABLE] = "AVAILABLE",
        [PHASE_INITIATED] = "SWITCHOVER_INITIATED",
        [PHASE_IN_PROGRESS] = "SWITCHOVER_IN_PROGRESS",
        [PHASE_POST] = "SWITCHOVER_IN_POST_PROCESSING",
        [PHASE_COMPLETED] = "SWITCHOVER_COMPLETED",
    };

    for (int i = PHASE_AVAILABLE; i < PHASE_COUNT; i++)
        if (status && strcasecmp(status, words[i]) == 0)
            return (enum phase)i;
    return PHASE_STRANGE;
}

static enum phase read_phase(const struct deployment_row *row)
{
    if (!row->version || strcmp(row->version, KNOWN) != 0 || !row->endpoint || !row->role ||
        (strcasecmp(row->role, TARGET) != 0 && strcasecmp(row->role, SOURCE) != 0))
        return PHASE_STRANGE;
    return read_status(row->status);
}

static bool is_green(const char *host)
{
    const char *mark = strcasestr(host, "-green-"), *dot = strchr(host, '.');

    return mark && (!dot || mark < dot);
}

/* NAME.cluster-ACCOUNT.REGION…, which leads to the writer; not that of the readers. */
static bool is_of_cluster(const char *host, bool *ret_readers)
{
    const char *dot = strchr(host, '.');

    *ret_readers = dot && (strncasecmp(dot, ".cluster-ro-", 12) == 0 ||
                           strncasecmp(dot, ".cluster-custom-", 16) == 0);
    return dot && strncasecmp(dot, ".cluster-", 9) == 0;
}

static void take_green(struct deployment *d, const struct deployment_row *row,
                       struct topology *topology)
{
    bool readers;

    if (!is_of_cluster(row->endpoint, &readers)) {
        topology_add_green(topology, row->endpoint, row->port);
        d->instances = true;
    } else if (!readers && strlen(row->endpoint) < sizeof(d->cluster)) {
        snprintf(d->cluster, sizeof(d->cluster), "%s", row->endpoint);
        d->port = row->port;
    }
}

void deployment_take(struct deployment *d, const struct deployment_row *row,
                     struct topology *topology)
{
    enum phase phase = read_phase(row);

    if (!row->role && !row->status && !row->version)
        return; /* of a Multi-AZ DB cluster, which is none */
    if (d->phase == PHASE_NONE || phase < d->phase)
        d->phase = phase;
    if (phase != PHASE_STRANGE && strcasecmp(row->role, TARGET) == 0 && is_green(row->endpoint))
        take_green(d, row, topology);
}

/* Where no instance has a row, the name of the cluster leads to its writer. */
void deployment_end(struct deployment *d, struct topology *topology)
{
    if (d->cluster[0] && !d->instances && d->phase != PHASE_STRANGE)
        topology_add_green(topology, d->cluster, d->port);
}
