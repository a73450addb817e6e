/* SPDX-License-Identifier: Apache-2.0
 *
 * lookup.c - see lookup.h. Called by doctor.c.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/doctor/lookup.h"

struct lookup {
    struct resolve_host *host;
    struct loop_timer *timer;
    struct seen_name *into;
    lookup_fn *done;
    void *arg;
};

static void release(struct lookup *l)
{
    resolve_host_free(l->host);
    loop_timer_free(l->timer);
    free(l);
}

static void finish(struct lookup *l, enum seen_end end)
{
    lookup_fn *done = l->done;
    struct seen_name *into = l->into;
    void *arg = l->arg;

    into->end = end;
    release(l);
    done(arg, into);
}

static void resolved(void *arg, const struct inet_address *addresses, uint32_t count,
                     const char *error)
{
    struct lookup *l = arg;

    snprintf(l->into->words, sizeof(l->into->words), "%s", error ? error : "");
    l->into->count = error ? 0 : count;
    if (l->into->count > 0)
        memcpy(l->into->at, addresses, count * sizeof(*addresses));
    finish(l, l->into->count > 0 ? SEEN_GOOD : SEEN_FAILED);
}

static void too_late(void *arg)
{
    finish(arg, SEEN_SILENT);
}

bool lookup_begin(struct loop *loop, struct resolver *resolver, enum conf_family family,
                  struct seen_name *into, lookup_fn *done, void *arg)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (!l)
        return false;
    *l = (struct lookup){.into = into, .done = done, .arg = arg};
    l->timer = loop_timer_new(loop, too_late, l);
    l->host = l->timer ? resolve_host_new(resolver, into->name, family, resolved, l) : NULL;
    if (!l->host) {
        release(l);
        return false;
    }
    into->end = SEEN_RUNNING;
    loop_timer_set(l->timer, SEEN_SECONDS * 1000);
    return true;
}
