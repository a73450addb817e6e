/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor.c - see doctor.h. Called by main.c.
 *
 * One pass: clusters come into a window, in their order. What waits in it is begun, first what is of
 * the first cluster: names are looked up, and then the addresses are logged in to; then the same with
 * the servers that those name. When the first cluster is done, its block is written, and the window moves
 * on. Each lookup and each login has its own end, and who can be named is bounded, so all of it has one.
 */
#include "config.h"

#include <errno.h>

#include "agent/doctor/doctor.h"
#include "agent/doctor/findings.h"
#include "agent/doctor/judge.h"
#include "agent/doctor/lookup.h"
#include "agent/doctor/patient.h"
#include "agent/doctor/visit.h"
#include "agent/probe/resolve.h"

enum {
    /* More at once would be a load for servers and for this node; fewer, and servers that hang keep all
     * others waiting for longer. */
    LOGINS_MAX = 8,
    /* A lookup is one packet. While DNS is silent, all of them together take a share of this. */
    LOOKUPS_MAX = 64,
    /* Clusters whose servers are asked, or wait for the block of one before them. */
    WINDOW = 64,
};

struct doctor {
    const struct conf *conf;
    const struct engine *const *engines;
    struct loop *loop;
    struct resolver *resolver;
    struct loop_timer *turn; /* goes on, from the loop */
    struct findings findings;
    struct seen_cluster *window[WINDOW]; /* of cluster i at i % WINDOW; NULL: not begun */
    uint32_t first, next;                /* the first that is not written, and that is not begun */
    uint32_t logins, lookups;
    int error;
};

static void go_on(struct doctor *d)
{
    loop_timer_set(d->turn, 0);
}

static void looked_up(void *arg, struct seen_name *name)
{
    struct doctor *d = arg;

    (void)name;
    d->lookups--;
    go_on(d);
}

static void visited(void *arg, struct seen_visit *visit)
{
    struct doctor *d = arg;

    (void)visit;
    d->logins--;
    go_on(d);
}

static const char NO_MEMORY[] = "this node has no memory or descriptors left";

static void begin_lookups(struct doctor *d, struct seen_cluster *cluster)
{
    struct seen_name *name;

    while (d->lookups < LOOKUPS_MAX && (name = patient_next_name(cluster))) {
        if (lookup_begin(d->loop, d->resolver, cluster->conf->timing.family, name, looked_up, d)) {
            d->lookups++;
            continue;
        }
        name->end = SEEN_FAILED;
        snprintf(name->words, sizeof(name->words), "%s", NO_MEMORY);
        go_on(d);
    }
}

static void begin_visits(struct doctor *d, struct seen_cluster *cluster)
{
    const struct engine *engine = engine_find(d->engines, cluster->conf->engine);
    struct seen_server *server;
    struct seen_visit *visit;

    while (d->logins < LOGINS_MAX && (visit = patient_next_visit(cluster, &server))) {
        if (visit_begin(d->loop, engine, cluster->conf, server->member, visit, visited, d)) {
            d->logins++;
            continue;
        }
        visit->end = SEEN_FAILED;
        snprintf(visit->words, sizeof(visit->words), "%s", NO_MEMORY);
        go_on(d);
    }
}

static void write_block(struct doctor *d, struct seen_cluster *cluster)
{
    judge_cluster(&d->findings, cluster);
    fflush(d->findings.out);
    patient_free(cluster);
}

/* Writes what is complete, and lets as many others in. */
static void move_window(struct doctor *d)
{
    while (d->first < d->next && patient_is_done(d->window[d->first % WINDOW])) {
        write_block(d, d->window[d->first % WINDOW]);
        d->window[d->first++ % WINDOW] = NULL;
    }
    while (d->next < d->conf->cluster_count && d->next - d->first < WINDOW && !d->error) {
        d->window[d->next % WINDOW] = patient_new(&d->conf->clusters[d->next]);
        if (d->window[d->next % WINDOW])
            d->next++;
        else
            d->error = -ENOMEM;
    }
}

/* All is written; or there is no memory for the rest, and nothing that was begun goes on. */
static bool is_over(const struct doctor *d)
{
    return d->first == d->conf->cluster_count || (d->error && d->logins == 0 && d->lookups == 0);
}

static void turn(void *arg)
{
    struct doctor *d = arg;

    for (uint32_t i = d->first; i < d->next; i++)
        patient_plan(d->window[i % WINDOW]);
    move_window(d);
    for (uint32_t i = d->first; i < d->next && !d->error; i++) {
        begin_lookups(d, d->window[i % WINDOW]);
        begin_visits(d, d->window[i % WINDOW]);
    }
    if (is_over(d))
        loop_stop(d->loop);
}

static void release(struct doctor *d)
{
    for (uint32_t i = 0; i < WINDOW; i++)
        patient_free(d->window[i]);
    loop_timer_free(d->turn);
    resolver_free(d->resolver);
    loop_free(d->loop);
}

int64_t doctor_run(const struct conf *conf, const struct engine *const *engines, FILE *out)
{
    struct doctor d = {.conf = conf, .engines = engines, .findings = {.out = out}};

    d.loop = loop_new();
    d.resolver = d.loop ? resolver_new(d.loop) : NULL;
    d.turn = d.resolver ? loop_timer_new(d.loop, turn, &d) : NULL;
    if (d.turn) {
        go_on(&d);
        loop_run(d.loop);
    }
    if (d.turn && !d.error)
        findings_end(&d.findings);
    int rv = d.turn ? d.error : -ENOMEM;
    release(&d);
    return rv < 0 ? rv : (int64_t)d.findings.count[FINDING_PROBLEM];
}
