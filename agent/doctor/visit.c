/* SPDX-License-Identifier: Apache-2.0
 *
 * visit.c - see visit.h. Called by doctor.c.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/doctor/visit.h"

struct visit {
    const struct engine *engine;
    struct engine_session *session;
    struct loop_timer *timer;
    struct seen_visit *into;
    visit_fn *done;
    void *arg;
};

static void release(struct visit *v)
{
    if (v->session)
        v->engine->close(v->session);
    loop_timer_free(v->timer);
    free(v);
}

/* The session is closed below: what it shows is noted first. */
static void note_look(struct visit *v)
{
    struct engine_look look = {.stage = ENGINE_STAGE_LOGIN, .version = ""};

    if (v->engine->look)
        v->engine->look(v->session, &look);
    v->into->stage = look.stage;
    v->into->encrypted = look.encrypted;
    snprintf(v->into->version, sizeof(v->into->version), "%s", look.version);
}

static void finish(struct visit *v, enum seen_end end, const char *words)
{
    visit_fn *done = v->done;
    struct seen_visit *into = v->into;
    void *arg = v->arg;

    note_look(v);
    into->end = end;
    snprintf(into->words, sizeof(into->words), "%s", words ? words : "");
    release(v);
    done(arg, into);
}

static void on_ready(void *arg)
{
    struct visit *v = arg;

    v->engine->ask(v->session, QUESTION_FULL);
}

static void on_answer(void *arg, const struct report *report, const char *note)
{
    struct visit *v = arg;

    v->into->report = *report;
    finish(v, SEEN_GOOD, note);
}

/* Without memory for it, the server has told nothing. */
static void on_topology(void *arg, const struct topology *topology)
{
    struct visit *v = arg;

    if (!v->into->told)
        v->into->told = malloc(sizeof(*topology));
    if (v->into->told)
        *v->into->told = *topology;
}

static void on_failed(void *arg, enum report_kind kind, enum engine_hint hint, const char *text)
{
    struct visit *v = arg;

    (void)hint;
    v->into->kind = kind;
    finish(v, SEEN_FAILED, text);
}

static void too_late(void *arg)
{
    struct visit *v = arg;

    v->into->kind = REPORT_TIMEOUT;
    finish(v, SEEN_SILENT, NULL);
}

bool visit_begin(struct loop *loop, const struct engine *engine, const struct conf_cluster *cluster,
                 const struct conf_member *member, struct seen_visit *into, visit_fn *done,
                 void *arg)
{
    struct visit *v = calloc(1, sizeof(*v));

    if (!v)
        return false;
    *v = (struct visit){.engine = engine, .into = into, .done = done, .arg = arg};
    const struct engine_sink sink = {.ready = on_ready,
                                     .answer = on_answer,
                                     .topology = on_topology,
                                     .failed = on_failed,
                                     .arg = v};
    v->timer = loop_timer_new(loop, too_late, v);
    if (v->timer)
        v->session = engine->open(loop, cluster, member, &into->address, false, &sink);
    if (!v->session) {
        release(v);
        return false;
    }
    into->end = SEEN_RUNNING;
    loop_timer_set(v->timer, SEEN_SECONDS * 1000);
    return true;
}
