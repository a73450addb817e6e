/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.c - see discovery.h. Called by cluster.c; daemon/reload.c asks it what is due.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/log.h"
#include "agent/daemon/discovery/discovery.h"
#include "agent/daemon/persist.h"
#include "agent/daemon/words.h"

enum {
    /* Nobody told of the members for so long: the seeds are asked. Shorter: each restart of the only
     * member that tells begins logins elsewhere. */
    SEEDS_AFTER_MS = 10000,
    /* Pause between two exchanges of one cluster: some engines connect to all members anew. */
    EXCHANGE_PAUSE_MS = 1000,
};

static uint64_t now_ms(const struct cluster *cluster)
{
    return loop_now_ms(cluster->daemon->loop);
}

/* ---- a configuration of its own ---- */

struct own_members {
    struct conf_member at[HOMING_MEMBERS_MAX];
    char hosts[HOMING_MEMBERS_MAX][HOMING_NAME_MAX + 1];
};

/* The configured members first, then the roster's in its order. */
static bool make_own(struct discovery *d)
{
    const struct conf_cluster *base = d->base;
    struct own_members *own = calloc(1, sizeof(*own));
    uint32_t count = base->member_count;

    if (!own)
        return false;
    if (count > 0)
        memcpy(own->at, base->members, count * sizeof(own->at[0]));
    for (uint32_t i = 0; i < d->roster.count && count < HOMING_MEMBERS_MAX; i++, count++) {
        memcpy(own->hosts[i], d->roster.at[i].host, sizeof(own->hosts[i]));
        own->at[count] = (struct conf_member){
            .host = own->hosts[i], .port = d->roster.at[i].port, .failover = true};
    }
    d->own_members = own;
    d->own = *base;
    d->own.members = own->at;
    d->own.member_count = count;
    d->mark = roster_mark(&d->roster);
    d->seed_conf = *base;
    d->seed_conf.members = base->seeds;
    d->seed_conf.member_count = base->seed_count;
    return true;
}

static void restore(struct cluster *cluster)
{
    struct state_cluster saved;

    persist_load(cluster, &saved);
    for (uint32_t i = 0; i < saved.discovered_count; i++)
        roster_restore(&cluster->discovery->roster, cluster->conf, &saved.discovered[i]);
    free(saved.endpoints);
}

bool discovery_init(struct cluster *cluster, const struct cluster *old)
{
    struct discovery *d;

    if (!conf_discovers(cluster->conf))
        return true;
    d = cluster->discovery = calloc(1, sizeof(*d));
    if (!d)
        return false;
    d->base = cluster->conf;
    if (old && old->discovery)
        d->roster = old->discovery->roster;
    else
        restore(cluster);
    if (old)
        d->exchanged_ms = now_ms(cluster);
    roster_confine(&d->roster, d->base);
    if (!make_own(d))
        return false;
    cluster->conf = &d->own;
    return true;
}

void discovery_done(struct cluster *cluster)
{
    if (!cluster->discovery)
        return;
    probe_free(cluster->discovery->seeds);
    free(cluster->discovery->own_members);
    free(cluster->discovery);
}

/* ---- who stays ---- */

static uint32_t find_member(const struct cluster *cluster, const struct roster_member *m)
{
    for (uint32_t i = 0; i < cluster->conf->member_count; i++)
        if (cluster->conf->members[i].port == m->port &&
            strcmp(cluster->conf->members[i].host, m->host) == 0)
            return i;
    return MEMBER_NONE;
}

static bool has_left(const struct cluster *cluster, uint32_t member)
{
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        if (cluster->places[i].is.kind == PLACE_LEFT && cluster->places[i].is.member == member)
            return true;
    return false;
}

static bool answers(const struct cluster *cluster, uint32_t member)
{
    const struct topo_member *said = members_said(&cluster->members, member);

    return said->standing && said->last.identity == cluster->decision.verdict.identity;
}

/* W4a: by the writer's word a member that was left behind is to be found under its own name again, and
 * that leads here. One server is not known by two names: they say different ones of themselves. */
static bool has_another_name(const struct cluster *cluster, uint32_t member)
{
    const struct address *at = &cluster->members.at[member].where.connected;

    for (uint32_t m = 0; m < cluster->conf->member_count; m++)
        if ((cluster->decision.verdict.renamed >> m & 1) && at->inet.family &&
            probe_is_named(cluster->probe, m, &at->inet))
            return true;
    return false;
}

static enum roster_hold hold(const struct cluster *cluster, uint32_t member)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    if (member == MEMBER_NONE)
        return ROSTER_FREE;
    if (verdict->retired >> member & 1) /* W4a: joined anew, it would be any other member */
        return ROSTER_A_DAY;
    if (verdict->green >> member & 1) /* its identity may say nothing */
        return verdict->demoted >> member & 1 ? ROSTER_A_DAY : ROSTER_FREE;
    if (member == verdict->writer)
        return ROSTER_ALWAYS;
    if (has_another_name(cluster, member))
        return ROSTER_FREE;
    if (answers(cluster, member))
        return ROSTER_ALWAYS;
    return (verdict->demoted >> member & 1) || has_left(cluster, member) ? ROSTER_A_DAY
                                                                         : ROSTER_FREE;
}

static void let_leave(struct cluster *cluster)
{
    struct roster *roster = &cluster->discovery->roster;
    enum roster_hold holds[HOMING_MEMBERS_MAX];

    for (uint32_t i = 0; i < roster->count; i++)
        holds[i] = hold(cluster, find_member(cluster, &roster->at[i]));
    (void)roster_leave(roster, holds, now_ms(cluster));
}

/* ---- what is told ---- */

bool discovery_is_due(const struct cluster *cluster, uint64_t *ret_after_ms)
{
    const struct discovery *d = cluster->discovery;
    uint64_t now = now_ms(cluster);

    if (!d || roster_mark(&d->roster) == d->mark)
        return false;
    *ret_after_ms = d->exchanged_ms && now < d->exchanged_ms + EXCHANGE_PAUSE_MS
                        ? d->exchanged_ms + EXCHANGE_PAUSE_MS - now
                        : 0;
    return true;
}

static void exchange_if_due(struct cluster *cluster)
{
    uint64_t after_ms;

    if (discovery_is_due(cluster, &after_ms))
        loop_timer_set(cluster->daemon->exchange, after_ms);
}

/* Whether it is a member in this mask; a seed is none. */
static bool is_one_of(const struct cluster *cluster, const struct conf_member *from, uint32_t mask)
{
    for (uint32_t m = 0; m < cluster->conf->member_count; m++)
        if (&cluster->conf->members[m] == from)
            return (mask >> m & 1) != 0;
    return false;
}

/* Who holds another data set knows nothing of this cluster's members. */
static bool counts(const struct cluster *cluster, const struct report *report,
                   const struct conf_member *from)
{
    const struct verdict *held = &cluster->decision.verdict;

    if (is_one_of(cluster, from, held->retired))
        return false; /* W4a: what was left behind has other members */
    return report->kind == REPORT_ANSWER && report->role != ROLE_NONE &&
           (held->identity == 0 || report->identity == held->identity);
}

static bool is_named_green(const struct topology *heard, const char *host)
{
    for (uint32_t i = 0; i < heard->count; i++)
        if (heard->at[i].green && strcasecmp(heard->at[i].host, host) == 0)
            return true;
    return false;
}

/* W4a: who joins as a green server, or is named by one, is not heard as another one's rival before the
 * writer tells of it again. */
static void note_green(struct discovery *d, uint32_t known, bool by_green)
{
    for (uint32_t i = known; i < d->roster.count; i++)
        d->roster.at[i].green = by_green || is_named_green(&d->heard, d->roster.at[i].host);
}

uint32_t discovery_green(const struct cluster *cluster)
{
    const struct discovery *d = cluster->discovery;
    uint32_t mask = 0;

    for (uint32_t i = 0; d && i < d->roster.count; i++)
        if (d->roster.at[i].green && d->base->member_count + i < HOMING_MEMBERS_MAX)
            mask |= UINT32_C(1) << (d->base->member_count + i);
    return mask;
}

/* `from` has just answered. */
static void take(struct cluster *cluster, const struct report *report,
                 const struct conf_member *from)
{
    struct discovery *d = cluster->discovery;
    char text[MEMBER_TEXT_SIZE];
    uint32_t known;

    d->pending = NULL;
    if (!counts(cluster, report, from))
        return;
    words_member(from, text);
    known = d->roster.count;
    (void)roster_take(&d->roster, d->base, &d->heard, text, from->port, now_ms(cluster));
    note_green(d, known, is_one_of(cluster, from, cluster->decision.verdict.green));
    let_leave(cluster);
    exchange_if_due(cluster);
}

/* NULL: nothing speaks against who is named there. */
static const char *judge_heard(const struct cluster *cluster, const struct report *report,
                               const struct conf_member *from)
{
    const struct discovery *d = cluster->discovery;

    if (!counts(cluster, report, from))
        return report->kind == REPORT_ANSWER ? "it answers for another data set than the members'"
                                             : NULL;
    if (d->heard.too_many)
        return "it names more servers than a cluster may have";
    return roster_may_take(d->base, &d->heard, from->port)
               ? NULL
               : "each server that it names is refused, as another warning says";
}

static void hear(struct discovery *d, const struct conf_member *from,
                 const struct topology *topology)
{
    d->heard = *topology;
    d->pending = from;
}

void discovery_hear(struct cluster *cluster, uint32_t member, const struct topology *topology)
{
    if (cluster->discovery && member < cluster->conf->member_count)
        hear(cluster->discovery, &cluster->conf->members[member], topology);
}

void discovery_note_report(struct cluster *cluster, const struct report *report)
{
    struct discovery *d = cluster->discovery;

    if (d && d->pending && report->member < cluster->conf->member_count &&
        d->pending == &cluster->conf->members[report->member])
        take(cluster, report, d->pending);
}

void discovery_merge(struct cluster *cluster, const struct state_cluster *saved)
{
    struct discovery *d = cluster->discovery;

    for (uint32_t i = 0; d && i < saved->discovered_count; i++)
        roster_restore(&d->roster, d->base, &saved->discovered[i]);
    exchange_if_due(cluster);
}

/* ---- seeds ---- */

static void on_seed(void *arg, uint32_t seed, const struct probe_member *known)
{
    struct cluster *cluster = arg;

    snprintf(cluster->discovery->seed_errors[seed], ENGINE_TEXT_MAX, "%s", known->error);
}

static void on_seed_topology(void *arg, uint32_t seed, const struct topology *topology)
{
    struct cluster *cluster = arg;

    hear(cluster->discovery, &cluster->discovery->base->seeds[seed], topology);
}

static void on_seed_report(void *arg, const struct report *report)
{
    struct cluster *cluster = arg;
    struct discovery *d = cluster->discovery;

    d->seed_denied |= report->kind == REPORT_DENIED;
    if (report->member >= d->base->seed_count ||
        d->pending != &d->base->seeds[report->member]) /* most answers come without rows */
        return;
    d->seed_said[report->member] = judge_heard(cluster, report, d->pending);
    take(cluster, report, d->pending);
}

static void on_seed_addresses(void *arg, uint32_t seed)
{
    (void)arg, (void)seed;
}

static struct probe *ask_seeds(struct cluster *cluster)
{
    struct daemon *daemon = cluster->daemon;
    const struct probe_sink sink = {
        .member = on_seed,
        .report = on_seed_report,
        .addresses = on_seed_addresses,
        .topology = on_seed_topology,
        .arg = cluster,
    };

    return probe_new(daemon->loop, daemon->resolver,
                     engine_find(daemon->engines, cluster->conf->engine),
                     &cluster->discovery->seed_conf, &sink);
}

/* Out of memory: a second later it is tried again. */
void discovery_look(struct cluster *cluster)
{
    struct discovery *d = cluster->discovery;
    bool untold;

    if (!d || d->base->seed_count == 0)
        return;
    untold = d->roster.taken_ms == 0 || now_ms(cluster) - d->roster.taken_ms >= SEEDS_AFTER_MS;
    if (untold == !!d->seeds)
        return;
    if (untold) {
        d->seeds = ask_seeds(cluster);
        return;
    }
    probe_free(d->seeds);
    d->seeds = NULL;
    memset(d->seed_errors, 0, sizeof(d->seed_errors));
    memset(d->seed_said, 0, sizeof(d->seed_said));
}
