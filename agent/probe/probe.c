/* SPDX-License-Identifier: Apache-2.0
 *
 * probe.c - see probe.h. Called by daemon/cluster.c; knows no database.
 *
 * 1. Every member is in exactly one of the states below. All but two of them (unresolved, denied)
 *    have a time at which something happens: nothing is waited for without an end.
 * 2. Only turn(), which the timer calls, connects and asks; member_ready() asks the first question.
 *    So whatever a report brings about, the next question is a turn of the loop away, and never
 *    sooner than ASK_GAP_MS after the last.
 * 3. Silence closes a session, but is no evidence (W5): LATE and TIMEOUT only say what was seen.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/probe/backoff.h"
#include "agent/probe/probe.h"
#include "proto/hash.h"
#include "proto/limits.h"

enum {
    /* How often the full question is asked, at either pace: position and settings, which the cheap
     * one does not show, are at most this old. */
    FULL_MS = 1000,
    /* Two questions to one member are at least this far apart, however often they are wanted. */
    ASK_GAP_MS = 10,
    /* A session that ended sooner was no success: its member is not tried again at once. */
    STABLE_MS = 1000,
    /* An address that DNS does not name any more is left after this. DNS is not evidence. Shorter:
     * a name that flickers costs sessions. Longer: a member that moved is missed for longer. */
    MOVED_MS = 60000,
    /* If a timer fires so much too late, this process stood still. What a member waits for may have
     * come meanwhile; it is given this much more time, so that it is read first. */
    STALL_MS = 50,
    GRACE_MS = 20,
    /* Silence is reported at `timeout`, but an attempt to connect may last longer: `timeout`
     * doubles with each round of attempts that timed out, so many times at most. Otherwise a login
     * that takes longer than `timeout` would be begun for ever. The server may be slow, or this
     * machine, if it has 300 logins at its start. */
    PATIENCE_MAX = 3,
    /* A member with a single address has these doublings at once: giving up early wins nothing. */
    PATIENCE_ALONE = 2,
};

enum member_state {
    MEMBER_UNRESOLVED, /* no address yet: resolve.c looks for one */
    MEMBER_WAITING,    /* connects at due_ms */
    MEMBER_CONNECTING, /* gives up at due_ms; silence is reported at late_ms */
    MEMBER_IDLE,       /* asks at due_ms */
    MEMBER_ASKED,      /* gives up at due_ms, is late at late_ms */
    MEMBER_DENIED,     /* until a reload */
};

struct member {
    struct probe *probe;
    const struct conf_member *conf;
    uint32_t index;
    enum member_state state;
    struct resolve_host *host;
    struct addresses where;
    uint32_t next;        /* address of the next attempt */
    uint32_t tried;       /* addresses that failed in this round */
    struct address using; /* of the attempt or session */
    uint64_t gone_ms;     /* since when DNS does not name `connected`; 0: it does */
    struct engine_session *session;
    uint64_t due_ms;
    uint64_t late_ms;  /* 0: it has been reported */
    uint32_t patience; /* rounds of attempts that ended in silence, up to PATIENCE_MAX */
    bool graced;       /* it was given GRACE_MS for a stall of this process */
    uint64_t asked_ms; /* when the last question was sent, or the last connect begun */
    uint64_t ready_ms; /* when the session stood */
    uint64_t full_ms;  /* when the last answered full question was sent; 0: none */
    bool full;         /* the question outstanding is a full one */
    bool want_full;
    bool slowly; /* the last failure was odd, or for lack of room */
    struct backoff backoff;
    char text[ENGINE_TEXT_MAX];
    char note[ENGINE_TEXT_MAX];
};

struct probe {
    struct loop *loop;
    const struct conf_cluster *cluster;
    const struct engine *engine;
    struct probe_sink sink;
    struct loop_timer *timer;
    enum pace pace;
    uint64_t fast_since_ms;
    uint32_t phase;
    uint32_t member_count;
    struct member members[];
};

static void copy_text(char *to, const char *from)
{
    snprintf(to, ENGINE_TEXT_MAX, "%s", !from ? "" : from);
}

/* When things are due. */

static bool member_is_waited_for(const struct member *m)
{
    return m->state == MEMBER_CONNECTING || m->state == MEMBER_ASKED;
}

static uint64_t member_due(const struct member *m)
{
    if (m->state == MEMBER_UNRESOLVED || m->state == MEMBER_DENIED)
        return UINT64_MAX;
    if (member_is_waited_for(m) && m->late_ms != 0 && m->late_ms < m->due_ms)
        return m->late_ms;
    return m->due_ms;
}

static void schedule(struct probe *p)
{
    uint64_t now = loop_now_ms(p->loop);
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < p->member_count; i++) {
        uint64_t at = member_due(&p->members[i]);
        due = at < due ? at : due;
    }
    if (due == UINT64_MAX)
        loop_timer_stop(p->timer);
    else
        loop_timer_set(p->timer, due > now ? due - now : 0);
}

static void member_due_by(struct member *m, uint64_t at_ms)
{
    if (at_ms < m->due_ms)
        m->due_ms = at_ms;
}

/* The earliest time at which a waiting member may be tried, if it is asked for. */
static uint64_t member_soonest(const struct member *m, uint64_t now)
{
    uint64_t pause =
        m->slowly ? (uint64_t)BACKOFF_ODD_MS : m->probe->cluster->timing.fast_interval_ms;
    uint64_t at = m->asked_ms == 0 ? 0 : m->asked_ms + pause;
    return at > now ? at : now;
}

static uint64_t member_tick(const struct member *m, uint64_t now)
{
    const struct conf_timing *t = &m->probe->cluster->timing;
    bool fast = m->probe->pace == PACE_FAST;
    return backoff_tick(now, fast ? t->fast_interval_ms : t->interval_ms, m->probe->phase);
}

/* Reports. */

static void member_tell(const struct member *m)
{
    const struct probe_member known = {
        .where = &m->where,
        .error = m->text,
        .note = m->note,
        .retry_ms = m->state == MEMBER_WAITING ? m->due_ms : 0,
    };
    m->probe->sink.member(m->probe->sink.arg, m->index, &known);
}

static void member_report(struct member *m, enum report_kind kind, const struct report *facts)
{
    struct report report = {0};
    if (facts)
        report = *facts;
    report.member = m->index;
    report.kind = kind;
    report.asked_ms = m->asked_ms;
    member_tell(m);
    m->probe->sink.report(m->probe->sink.arg, &report);
}

static void member_addresses(struct member *m)
{
    member_tell(m);
    m->probe->sink.addresses(m->probe->sink.arg, m->index);
}

static uint32_t member_backoff(struct member *m, uint64_t now, enum engine_hint hint)
{
    const struct probe *p = m->probe;
    struct backoff_why why = {
        .interval_ms = p->cluster->timing.interval_ms,
        .fast_interval_ms = p->cluster->timing.fast_interval_ms,
        .fast = p->pace == PACE_FAST,
        .fast_since_ms = p->fast_since_ms,
        .odd = m->slowly,
        .starting = hint == HINT_STARTING,
    };
    return backoff_fail(&m->backoff, &why, now);
}

/* A session that stood is over. If it was stable, its address is tried again at once. */
static void member_lost(struct member *m, uint64_t now, enum engine_hint hint)
{
    bool stable = now - m->ready_ms >= STABLE_MS && !m->slowly;
    m->tried = 0;
    if (m->backoff.since_ms == 0 || stable) {
        backoff_reset(&m->backoff);
        m->backoff.since_ms = now;
    }
    m->due_ms = now + (stable ? 0 : member_backoff(m, now, hint));
}

/* An attempt failed: the next address comes, or after the last one a pause. True: the pause. */
static bool member_missed(struct member *m, uint64_t now, enum engine_hint hint)
{
    if (m->where.count > 0)
        m->next = (m->next + 1) % m->where.count;
    if (++m->tried < m->where.count) {
        m->due_ms = now;
        return false;
    }
    m->tried = 0;
    m->due_ms = now + member_backoff(m, now, hint);
    return true;
}

static void member_close(struct member *m)
{
    if (m->session)
        m->probe->engine->close(m->session);
    m->session = NULL;
    m->want_full = false;
}

static void member_fail(struct member *m, enum report_kind kind, enum engine_hint hint,
                        const char *text)
{
    uint64_t now = loop_now_ms(m->probe->loop);
    bool stood = m->state == MEMBER_IDLE || m->state == MEMBER_ASKED;
    bool told = kind == REPORT_TIMEOUT && m->state == MEMBER_CONNECTING && m->late_ms == 0;
    bool tell = true;
    copy_text(m->text, text); /* first: the session may own it */
    member_close(m);
    m->slowly = kind == REPORT_ODD || hint == HINT_CROWDED;
    m->state = m->where.count > 0 ? MEMBER_WAITING : MEMBER_UNRESOLVED;
    if (kind == REPORT_DENIED)
        m->state = MEMBER_DENIED;
    else if (stood)
        member_lost(m, now, hint);
    else
        tell = member_missed(m, now, hint);
    if (tell && kind == REPORT_TIMEOUT && !stood && m->patience < PATIENCE_MAX)
        m->patience++;
    if (tell && !told)
        member_report(m, kind, NULL);
    else
        member_tell(m);
    schedule(m->probe);
}

/* What the engine says. */

static void member_ask(struct member *m, uint64_t now)
{
    const struct conf_timing *t = &m->probe->cluster->timing;
    m->full = m->want_full || m->full_ms == 0 || now + BACKOFF_GRID_MS >= m->full_ms + FULL_MS;
    m->want_full = false;
    m->state = MEMBER_ASKED;
    m->asked_ms = now;
    m->late_ms = now + t->interval_ms;
    m->due_ms = now + t->timeout_ms;
    m->graced = false;
    m->probe->engine->ask(m->session, m->full ? QUESTION_FULL : QUESTION_CHEAP);
}

static void member_ready(void *arg)
{
    struct member *m = arg;
    uint64_t now = loop_now_ms(m->probe->loop);
    bool moved = !m->where.connected.inet.family ||
                 memcmp(&m->where.connected, &m->using, sizeof(m->using)) != 0;
    m->where.connected = m->using;
    m->gone_ms = 0;
    m->tried = 0;
    m->patience = 0;
    m->ready_ms = now;
    m->full_ms = 0;
    member_ask(m, now);
    schedule(m->probe);
    if (moved)
        member_addresses(m);
}

/* DNS has named other addresses for long enough: follow it, between two questions. */
static void member_move(struct member *m, uint64_t now)
{
    member_close(m);
    m->state = MEMBER_WAITING;
    m->next = 0;
    m->tried = 0;
    m->due_ms = now;
}

static void member_answer(void *arg, const struct report *report, const char *note)
{
    struct member *m = arg;
    uint64_t now = loop_now_ms(m->probe->loop);
    copy_text(m->note, note);
    m->text[0] = '\0';
    m->slowly = false;
    m->state = MEMBER_IDLE;
    if (m->full)
        m->full_ms = m->asked_ms;
    if (now - m->ready_ms >= STABLE_MS)
        backoff_reset(&m->backoff);
    m->due_ms = m->want_full ? m->asked_ms + ASK_GAP_MS : member_tick(m, now);
    if (m->gone_ms != 0 && now - m->gone_ms >= MOVED_MS)
        member_move(m, now);
    member_report(m, REPORT_ANSWER, report);
    schedule(m->probe);
}

static void member_failed(void *arg, enum report_kind kind, enum engine_hint hint, const char *text)
{
    member_fail(arg, kind, hint, text);
}

static void member_connect(struct member *m, uint64_t now)
{
    struct probe *p = m->probe;
    uint64_t timeout = p->cluster->timing.timeout_ms;
    bool alone = m->where.count == 1 && m->patience < PATIENCE_ALONE;
    const struct engine_sink sink = {
        .ready = member_ready, .answer = member_answer, .failed = member_failed, .arg = m};
    m->using = m->where.at[m->next];
    m->state = MEMBER_CONNECTING;
    m->asked_ms = now;
    m->late_ms = now + timeout;
    m->due_ms = now + (timeout << (alone ? PATIENCE_ALONE : m->patience));
    m->graced = false;
    m->session = p->engine->open(p->loop, p->cluster, m->conf, &m->using, &sink);
    if (!m->session)
        member_fail(m, REPORT_ODD, HINT_NONE, "out of memory");
}

static void member_silence(const struct member *m, char *text)
{
    snprintf(text, ENGINE_TEXT_MAX,
             m->state == MEMBER_CONNECTING ? "no connection within %u ms"
                                           : "no answer within %u ms",
             m->probe->cluster->timing.timeout_ms);
}

/* Silent for `interval` (a question) or for `timeout` (an attempt that may go on). */
static void member_late(struct member *m)
{
    m->late_ms = 0;
    if (m->state == MEMBER_ASKED) {
        member_report(m, REPORT_LATE, NULL);
        return;
    }
    member_silence(m, m->text);
    member_report(m, REPORT_TIMEOUT, NULL);
}

static void member_timeout(struct member *m)
{
    char text[ENGINE_TEXT_MAX];
    member_silence(m, text);
    member_fail(m, REPORT_TIMEOUT, HINT_NONE, text);
}

/* True: this process stood still, and the member is given a moment more. */
static bool member_grace(struct member *m, uint64_t now)
{
    if (m->graced || !member_is_waited_for(m) || now < member_due(m) + STALL_MS)
        return false;
    m->graced = true;
    if (m->late_ms != 0 && m->late_ms < now + GRACE_MS)
        m->late_ms = now + GRACE_MS;
    if (m->due_ms < now + GRACE_MS)
        m->due_ms = now + GRACE_MS;
    return true;
}

/* The timer: what is due for one member. */
static void member_turn(struct member *m, uint64_t now)
{
    if (member_due(m) > now || member_grace(m, now))
        return;
    if (member_is_waited_for(m) && m->due_ms > now)
        member_late(m);
    else if (m->state == MEMBER_WAITING)
        member_connect(m, now);
    else if (m->state == MEMBER_IDLE)
        member_ask(m, now);
    else
        member_timeout(m);
}

static void turn(void *arg)
{
    struct probe *p = arg;
    uint64_t now = loop_now_ms(p->loop);
    for (uint32_t i = 0; i < p->member_count; i++)
        member_turn(&p->members[i], now);
    schedule(p);
}

/* What the resolver says. */

static void address_set(struct address *to, const struct inet_address *from, uint16_t port)
{
    memset(to, 0, sizeof(*to)); /* padding, too: addresses are compared whole */
    to->inet.family = from->family;
    memcpy(to->inet.bytes, from->bytes, sizeof(to->inet.bytes));
    to->inet.port = port;
    inet_address_print(&to->inet, to->text, sizeof(to->text));
}

static void member_take(struct member *m, const struct inet_address *addresses, uint32_t count)
{
    m->where.count = 0;
    for (uint32_t i = 0; i < count && m->where.count < HOMING_ADDRESSES_MAX; i++)
        if (conf_address_allowed(m->probe->cluster, addresses[i].family, addresses[i].bytes))
            address_set(&m->where.at[m->where.count++], &addresses[i], m->conf->port);
    m->next = 0;
    m->tried = 0;
}

/* Starts with the address that worked last; gone_ms tells since when DNS does not name it. */
static void member_find_connected(struct member *m, uint64_t now)
{
    if (!m->where.connected.inet.family)
        return;
    for (uint32_t i = 0; i < m->where.count; i++) {
        if (memcmp(&m->where.at[i], &m->where.connected, sizeof(m->where.connected)) == 0) {
            m->next = i;
            m->gone_ms = 0;
            return;
        }
    }
    if (m->gone_ms == 0)
        m->gone_ms = now;
}

static void member_unusable(struct member *m, const char *error)
{
    if (m->state == MEMBER_WAITING)
        m->state = MEMBER_UNRESOLVED;
    if (m->state != MEMBER_UNRESOLVED)
        return;
    copy_text(m->text, error ? error : "no address is in allowed_networks");
    m->asked_ms = loop_now_ms(m->probe->loop);
    member_report(m, REPORT_REFUSED, NULL);
}

static void member_resolved(void *arg, const struct inet_address *addresses, uint32_t count,
                            const char *error)
{
    struct member *m = arg;
    uint64_t now = loop_now_ms(m->probe->loop);
    member_take(m, addresses, count);
    if (m->where.count == 0) {
        member_unusable(m, error);
    } else {
        member_find_connected(m, now);
        if (m->state == MEMBER_UNRESOLVED) {
            m->state = MEMBER_WAITING;
            m->due_ms = now;
        } else if (m->state == MEMBER_WAITING) {
            member_due_by(m, member_soonest(m, now));
        }
    }
    schedule(m->probe);
    if (!error)
        member_addresses(m);
    else /* it has none any more, whatever its state */
        member_tell(m);
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
    return m->host;
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
    p->pace = PACE_FAST;
    p->fast_since_ms = loop_now_ms(loop);
    p->phase = (uint32_t)hash_text(cluster->name);
    p->timer = loop_timer_new(loop, turn, p);
    if (!p->timer)
        goto fail;
    for (; p->member_count < count; p->member_count++)
        if (!member_init(&p->members[p->member_count], p, p->member_count, resolver))
            goto fail;
    return p;
fail:
    probe_free(p);
    return NULL;
}

/* Takes over the old member's addresses, as far as the new configuration allows them. DNS is asked
 * anew in any case. */
static void member_inherit(struct member *m, const struct member *old)
{
    uint8_t family = (uint8_t)m->probe->cluster->timing.family;
    struct inet_address known[HOMING_ADDRESSES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < old->where.count; i++) {
        known[count] = old->where.at[i].inet;
        count += family == 0 || known[count].family == family;
    }
    member_take(m, known, count);
    for (uint32_t i = 0; i < m->where.count && old->where.connected.inet.family; i++)
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

void probe_inherit(struct probe *p, const struct probe *old)
{
    for (uint32_t i = 0; i < p->member_count; i++)
        for (uint32_t j = 0; j < old->member_count; j++)
            if (p->members[i].conf->port == old->members[j].conf->port &&
                strcmp(p->members[i].conf->host, old->members[j].conf->host) == 0)
                member_inherit(&p->members[i], &old->members[j]);
    schedule(p);
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->member_count; i++) {
        member_close(&p->members[i]);
        resolve_host_free(p->members[i].host);
    }
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
        if (m->state == MEMBER_IDLE)
            member_due_by(m, m->asked_ms + ASK_GAP_MS);
        else if (m->state == MEMBER_WAITING)
            member_due_by(m, member_soonest(m, now));
    }
    schedule(p);
}

void probe_ask(struct probe *p, uint32_t members)
{
    uint64_t now = loop_now_ms(p->loop);
    for (uint32_t i = 0; i < p->member_count; i++) {
        struct member *m = &p->members[i];
        if ((members >> i & 1) == 0)
            continue;
        m->want_full = m->state == MEMBER_IDLE || m->state == MEMBER_ASKED;
        if (m->state == MEMBER_IDLE)
            member_due_by(m, m->asked_ms + ASK_GAP_MS);
        else if (m->state == MEMBER_WAITING)
            member_due_by(m, member_soonest(m, now));
    }
    schedule(p);
}
