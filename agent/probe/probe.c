/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.c - see probe.h. Called by daemon/cluster.c. member.c asks the servers, places.c says which
 * addresses are asked beside the members' own; what DNS says comes here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/places.h"
#include "agent/probe/probe.h"
#include "agent/probe/where.h"
#include "proto/hash.h"
#include "proto/limits.h"

/* The timer. */

static void turn(void *arg)
{
    struct probe *p = arg;
    uint64_t now = loop_now_ms(p->loop);
    for (uint32_t i = 0; i < p->member_count; i++)
        member_turn(&p->members[i], now);
    places_turn(p, now);
    member_schedule(p);
}

/* What the resolver says. */

static void member_take(struct member *m, const struct inet_address *addresses, uint32_t count)
{
    m->askable = where_set(&m->where, m->probe->cluster, addresses, count, m->conf->port);
    where_set_others(&m->where, m->askable, m->probe->cluster, &m->other, m->conf->port);
    m->next = 0;
    m->tried = 0;
}

/* What DNS names, as far as it is allowed. */
static void member_note_named(struct member *m, const struct inet_address *addresses,
                              uint32_t count, uint64_t now)
{
    struct addresses allowed;
    where_set(&allowed, m->probe->cluster, addresses, count, m->conf->port);
    m->named.count = 0;
    m->named_ms = now;
    for (uint32_t i = 0; i < allowed.count; i++)
        m->named.at[m->named.count++] = allowed.at[i].inet;
}

static void member_unusable(struct member *m, const char *error)
{
    if (m->state == MEMBER_WAITING && !member_is_known(m))
        m->state = MEMBER_UNRESOLVED;
    if (m->state != MEMBER_UNRESOLVED)
        return;
    snprintf(m->text, sizeof(m->text), "%s", error ? error : "no address is in allowed_networks");
    m->asked_ms = loop_now_ms(m->probe->loop);
    member_report(m, REPORT_REFUSED, NULL);
}

/* W11: a member that is known stays where it is. */
static void member_named(struct member *m, uint64_t now)
{
    if (member_is_known(m))
        places_named(m, now);
    if (m->state == MEMBER_UNRESOLVED) {
        m->state = MEMBER_WAITING;
        m->due_ms = now;
    }
}

static bool member_is_where(const struct member *m, const struct addresses *where)
{
    return m->where.count == where->count && strcmp(m->where.official, where->official) == 0 &&
           memcmp(m->where.at, where->at, where->count * sizeof(where->at[0])) == 0;
}

/* If a member is known, places_named() takes what DNS names. */
static void member_take_named(struct member *m, const struct inet_address *addresses,
                              uint32_t count, const char *error, uint64_t now)
{
    member_note_named(m, addresses, count, now);
    if (error || !member_is_known(m)) {
        member_take(m, addresses, count);
        snprintf(m->where.official, sizeof(m->where.official), "%s",
                 resolve_host_official(m->host));
    }
    if (m->named.count == 0 && (error || !member_is_known(m)))
        member_unusable(m, error);
    else
        member_named(m, now);
}

static void member_resolved(void *arg, const struct inet_address *addresses, uint32_t count,
                            const char *error)
{
    struct member *m = arg;
    uint64_t now = loop_now_ms(m->probe->loop);
    struct addresses before = m->where;
    uint32_t next = m->next, tried = m->tried;
    m->next = m->tried = 0;
    member_take_named(m, addresses, count, error, now);
    bool changed = !member_is_where(m, &before);
    if (!changed) { /* an urgent name is told again and again: nothing begins anew */
        m->next = next;
        m->tried = tried;
    } else if (m->state == MEMBER_WAITING) {
        member_wanted(m, now);
    }
    member_schedule(m->probe);
    if (error) /* it has none any more, whatever its state */
        member_tell(m);
    else if (changed)
        member_addresses(m);
}

static void member_others_changed(void *arg)
{
    struct member *m = arg;
    struct addresses before = m->where;
    if (member_is_known(m))
        places_others_named(m);
    else
        where_set_others(&m->where, m->askable, m->probe->cluster, &m->other, m->conf->port);
    if (!member_is_where(m, &before))
        member_addresses(m);
}

/* For daemon/cluster.c. */

static bool member_init(struct member *m, struct probe *p, uint32_t index,
                        struct resolver *resolver)
{
    m->probe = p;
    m->conf = &p->cluster->members[index];
    m->index = index;
    m->backoff.random = (p->phase ^ (uint32_t)loop_now_ms(p->loop) ^ index << 24) | 1;
    m->host =
        resolve_host_new(resolver, m->conf->host, p->cluster->timing.family, member_resolved, m);
    return m->host && other_family_init(&m->other, resolver, m->conf->host,
                                        p->cluster->timing.family, member_others_changed, m);
}

struct probe *probe_new(struct loop *loop, struct resolver *resolver, const struct engine *engine,
                        const struct conf_cluster *cluster, const struct probe_sink *sink)
{
    uint32_t count = cluster->member_count;
    struct probe *p = calloc(1, sizeof(*p) + count * sizeof(p->members[0]));
    if (!p)
        return NULL;
    p->loop = loop;
    p->cluster = cluster;
    p->engine = engine;
    p->sink = *sink;
    p->noted = places_note;
    p->pace = PACE_FAST;
    p->fast_since_ms = loop_now_ms(loop);
    p->phase = (uint32_t)hash_text(cluster->name);
    p->timer = loop_timer_new(loop, turn, p);
    if (!p->timer)
        goto fail;
    for (uint32_t i = 0; i < count; i++) {
        p->member_count = i + 1; /* probe_free() frees what is there */
        if (!member_init(&p->members[i], p, i, resolver))
            goto fail;
    }
    return p;
fail:
    probe_free(p);
    return NULL;
}

/* Takes over the old member's addresses, as far as the new configuration allows them. DNS is asked
 * anew in any case; while it is down, what it named before is kept. */
static void member_inherit(struct member *m, const struct member *old)
{
    struct inet_address known[HOMING_ADDRESSES_MAX];
    resolve_host_inherit(m->host, old->host);
    member_take(m, known, other_family_split(&m->other, &old->where, known));
    memcpy(m->where.official, old->where.official, sizeof(m->where.official));
    for (uint32_t i = 0; i < m->askable && old->where.connected.inet.family; i++)
        if (memcmp(&m->where.at[i], &old->where.connected, sizeof(old->where.connected)) == 0) {
            m->where.connected = old->where.connected;
            m->next = i;
        }
    if (m->where.count > 0 && m->state == MEMBER_UNRESOLVED) {
        m->state = MEMBER_WAITING;
        m->due_ms = loop_now_ms(m->probe->loop);
    }
    member_tell(m);
}

static bool is_same(const struct member *a, const struct member *b)
{
    return a->conf->port == b->conf->port && strcmp(a->conf->host, b->conf->host) == 0;
}

void probe_inherit(struct probe *p, const struct probe *old)
{
    for (uint32_t i = 0; i < p->member_count; i++)
        for (uint32_t j = 0; j < old->member_count; j++)
            if (is_same(&p->members[i], &old->members[j]))
                member_inherit(&p->members[i], &old->members[j]);
    member_schedule(p);
}

void probe_adopt(struct probe *p, struct probe *old)
{
    for (uint32_t i = 0; i < p->member_count && p->engine->adopt; i++)
        for (uint32_t j = 0; j < old->member_count; j++)
            if (is_same(&p->members[i], &old->members[j]))
                member_adopt(&p->members[i], &old->members[j]);
    member_schedule(p);
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->member_count; i++) {
        member_close(&p->members[i]);
        resolve_host_free(p->members[i].host);
        other_family_done(&p->members[i].other);
    }
    places_done(p);
    loop_timer_free(p->timer);
    free(p);
}

void probe_set_pace(struct probe *p, enum pace pace)
{
    uint64_t now = loop_now_ms(p->loop);
    if (pace == p->pace)
        return;
    p->pace = pace;
    if (pace != PACE_FAST)
        return; /* each member falls into step with its next answer */
    p->fast_since_ms = now;
    for (uint32_t i = 0; i < p->member_count; i++) {
        struct member *m = &p->members[i];
        member_wanted(m, now);
    }
    member_schedule(p);
}

void probe_ask(struct probe *p, uint32_t members)
{
    uint64_t now = loop_now_ms(p->loop);
    for (uint32_t i = 0; i < p->member_count; i++) {
        struct member *m = &p->members[i];
        if ((members >> i & 1) == 0)
            continue;
        m->want_full = m->state == MEMBER_IDLE || m->state == MEMBER_ASKED;
        member_wanted(m, now);
    }
    member_schedule(p);
}

void probe_move(struct probe *p, uint32_t place)
{
    places_move(p, place);
}

void probe_forget(struct probe *p, uint32_t place)
{
    places_forget(p, place);
}

bool probe_is_named(const struct probe *p, uint32_t member, const struct inet_address *address)
{
    return member < p->member_count && places_is_named(&p->members[member], address);
}

const char *probe_place_error(const struct probe *p, uint32_t place)
{
    return place < PLACES_MAX && p->places[place] ? p->places[place]->text : "";
}

void probe_leave(struct probe *p, uint32_t member, const struct address *address, uint64_t left_ms)
{
    places_leave(p, member, address, left_ms);
}

void probe_know(struct probe *p, uint32_t member, const struct address *address)
{
    places_know(p, member, address);
}
