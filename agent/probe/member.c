/* SPDX-License-Identifier: Apache-2.0
 *
 * member.c - see member.h. Called by probe.c and places.c; knows no database.
 *
 * 1. Every member is in exactly one of its states. All but two of them (unresolved, denied) have a
 *    time at which something happens: nothing is waited for without an end.
 * 2. Only member_turn(), which the timer calls, connects and asks; on_ready() asks the first
 *    question. So whatever a report brings about, the next question is a turn of the loop away, and
 *    never sooner than ASK_GAP_MS after the last.
 * 3. Silence closes a session, but is no evidence (W5): LATE and TIMEOUT only say what was seen.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/probe/listed.h"
#include "agent/probe/member.h"
#include "agent/probe/where.h"

enum {
    /* How often the full question is asked, at either pace: position and settings, which the cheap
     * one does not show, are at most this old. */
    FULL_MS = 1000,
    /* Two questions to one member are at least this far apart, however often they are wanted. */
    ASK_GAP_MS = 10,
    /* A session that ended sooner was no success: its member is not tried again at once. */
    STABLE_MS = 1000,
    /* W11: how often a left address is asked. Shorter: a day of it costs the server that is there
     * now. Longer: an old writer that comes back is seen late. */
    LEFT_MS = 2000,
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

static void copy_text(char *to, const char *from)
{
    snprintf(to, ENGINE_TEXT_MAX, "%s", !from ? "" : from);
}

/* When things are due. */

static bool is_waited_for(const struct member *m)
{
    return m->state == MEMBER_CONNECTING || m->state == MEMBER_ASKED;
}

uint64_t member_due(const struct member *m)
{
    if (m->state == MEMBER_DENIED && m->kind == PLACE_LEFT)
        return m->left_ms + LEFT_FOR_MS;
    if (m->state == MEMBER_UNRESOLVED || m->state == MEMBER_DENIED)
        return UINT64_MAX;
    if (is_waited_for(m) && m->late_ms != 0 && m->late_ms < m->due_ms)
        return m->late_ms;
    return m->due_ms;
}

void member_schedule(struct probe *p)
{
    uint64_t now = loop_now_ms(p->loop);
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < p->member_count; i++) {
        uint64_t at = member_due(&p->members[i]);
        due = at < due ? at : due;
    }
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        uint64_t at = p->places[i] ? member_due(p->places[i]) : UINT64_MAX;
        due = at < due ? at : due;
    }
    if (due == UINT64_MAX)
        loop_timer_stop(p->timer);
    else
        loop_timer_set(p->timer, due > now ? due - now : 0);
}

static void due_by(struct member *m, uint64_t at_ms)
{
    if (at_ms < m->due_ms)
        m->due_ms = at_ms;
}

/* The earliest time at which a waiting member may be tried, if it is asked for. */
static uint64_t soonest_ms(const struct member *m, uint64_t now)
{
    uint64_t pause =
        m->slowly ? (uint64_t)BACKOFF_ODD_MS : m->probe->cluster->timing.fast_interval_ms;
    uint64_t at = m->asked_ms == 0 ? 0 : m->asked_ms + pause;
    return at > now ? at : now;
}

void member_wanted(struct member *m, uint64_t now)
{
    if (m->state == MEMBER_IDLE)
        due_by(m, m->asked_ms + ASK_GAP_MS);
    else if (m->state == MEMBER_WAITING)
        due_by(m, soonest_ms(m, now));
}

static uint64_t next_tick(const struct member *m, uint64_t now)
{
    const struct conf_timing *t = &m->probe->cluster->timing;
    bool fast = m->probe->pace == PACE_FAST;
    if (m->kind == PLACE_LEFT)
        return now + LEFT_MS;
    return backoff_tick(now, fast ? t->fast_interval_ms : t->interval_ms, m->probe->phase);
}

/* Reports. */

void member_tell(const struct member *m)
{
    const struct probe_member known = {
        .where = &m->where,
        .error = m->text,
        .note = m->note,
        .retry_ms = m->state == MEMBER_WAITING ? m->due_ms : 0,
    };
    if (m->kind != PLACE_FREE)
        return;
    m->probe->sink.member(m->probe->sink.arg, m->index, &known);
}

void member_report(struct member *m, enum report_kind kind, const struct report *facts)
{
    struct report report = {0};
    if (facts)
        report = *facts;
    report.member = m->kind == PLACE_FREE ? m->index : PLACE_VOICE(m->place);
    report.kind = kind;
    report.asked_ms = m->asked_ms;
    member_tell(m);
    m->probe->sink.report(m->probe->sink.arg, &report);
}

void member_addresses(struct member *m)
{
    member_tell(m);
    if (m->kind == PLACE_FREE)
        m->probe->sink.addresses(m->probe->sink.arg, m->index);
}

static uint32_t pause_after(struct member *m, uint64_t now, enum engine_hint hint)
{
    const struct probe *p = m->probe;
    struct backoff_why why = {
        .interval_ms = p->cluster->timing.interval_ms,
        .fast_interval_ms = p->cluster->timing.fast_interval_ms,
        .fast = p->pace == PACE_FAST,
        .fast_since_ms = p->fast_since_ms,
        .odd = m->slowly || m->kind == PLACE_LEFT,
        .starting = hint == HINT_STARTING,
    };
    uint32_t pause = backoff_fail(&m->backoff, &why, now);
    return m->kind == PLACE_LEFT && pause > PLACE_LEFT_PAUSE_MAX_MS ? PLACE_LEFT_PAUSE_MAX_MS
                                                                    : pause;
}

/* A session that stood is over. If it was stable, its address is tried again at once. */
static void note_lost(struct member *m, uint64_t now, enum engine_hint hint)
{
    bool stable = now - m->ready_ms >= STABLE_MS && !m->slowly;
    m->tried = 0;
    if (m->backoff.since_ms == 0 || stable) {
        backoff_reset(&m->backoff);
        m->backoff.since_ms = now;
    }
    m->due_ms = now + (stable ? 0 : pause_after(m, now, hint));
}

/* A member that is known is tried at the one address where it was (W11). */
static uint32_t address_count(const struct member *m)
{
    return member_is_known(m) ? 1 : m->askable;
}

/* An attempt failed: the next address comes, or after the last one a pause. True: the pause. */
static bool note_missed(struct member *m, uint64_t now, enum engine_hint hint)
{
    uint32_t count = address_count(m);
    if (count > 0)
        m->next = (m->next + 1) % count;
    if (++m->tried < count) {
        m->due_ms = now;
        return false;
    }
    m->tried = 0;
    m->due_ms = now + pause_after(m, now, hint);
    return true;
}

void member_close(struct member *m)
{
    if (m->session)
        m->probe->engine->close(m->session);
    m->session = NULL;
    m->want_full = false;
}

/* W11: from now on, other addresses of its name are asked, too. */
static void falls_ill(struct member *m, uint64_t now)
{
    if (m->kind != PLACE_FREE || m->ill)
        return;
    m->ill = true;
    where_get_others(&m->where, m->askable, &m->others);
    m->probe->noted(m, now);
}

static void fail(struct member *m, enum report_kind kind, enum engine_hint hint, const char *text)
{
    uint64_t now = loop_now_ms(m->probe->loop);
    bool stood = m->state == MEMBER_IDLE || m->state == MEMBER_ASKED;
    bool told = kind == REPORT_TIMEOUT && m->state == MEMBER_CONNECTING && m->late_ms == 0;
    bool tell = true;
    copy_text(m->text, text); /* first: the session may own it */
    member_close(m);
    m->slowly = kind == REPORT_ODD || hint == HINT_CROWDED;
    m->state = address_count(m) > 0 ? MEMBER_WAITING : MEMBER_UNRESOLVED;
    if (kind == REPORT_DENIED)
        m->state = MEMBER_DENIED;
    else if (stood)
        note_lost(m, now, hint);
    else
        tell = note_missed(m, now, hint);
    if (tell && kind == REPORT_TIMEOUT && !stood && m->patience < PATIENCE_MAX)
        m->patience++;
    if (tell && !told)
        member_report(m, kind, NULL);
    else
        member_tell(m);
    falls_ill(m, now);
    member_schedule(m->probe);
}

/* What the engine says. */

static void ask(struct member *m, uint64_t now)
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

static void tell_listed(const struct member *m)
{
    const struct probe *p = m->probe;
    struct inet_address listed;

    if (m->session && p->sink.listed && p->engine->descriptor &&
        listed_peer(p->engine->descriptor(m->session), &listed))
        p->sink.listed(p->sink.arg, &m->using.inet, &listed);
}

static void on_ready(void *arg)
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
    ask(m, now);
    member_schedule(m->probe);
    if (moved)
        member_addresses(m);
    tell_listed(m);
}

void member_begin(struct member *m, uint64_t now)
{
    m->state = MEMBER_WAITING;
    m->next = 0;
    m->tried = 0;
    m->due_ms = now;
}

static void on_answer(void *arg, const struct report *report, const char *note)
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
    m->due_ms = m->want_full ? m->asked_ms + ASK_GAP_MS : next_tick(m, now);
    if (m->kind == PLACE_FREE && (m->ill || m->gone_ms != 0)) {
        m->ill = false;
        m->probe->noted(m, now);
    }
    member_report(m, REPORT_ANSWER, report);
    member_schedule(m->probe);
}

static void on_topology(void *arg, const struct topology *topology)
{
    const struct member *m = arg;
    const struct probe_sink *sink = &m->probe->sink;
    if (m->kind == PLACE_FREE && sink->topology)
        sink->topology(sink->arg, m->index, topology);
}

static void on_failed(void *arg, enum report_kind kind, enum engine_hint hint, const char *text)
{
    fail(arg, kind, hint, text);
}

static struct engine_sink sink_of(struct member *m)
{
    return (struct engine_sink){
        .ready = on_ready,
        .answer = on_answer,
        .topology = on_topology,
        .failed = on_failed,
        .arg = m,
    };
}

void member_adopt(struct member *m, struct member *old)
{
    const struct member own = *m;
    const struct engine_sink sink = sink_of(m);
    if (m->session || !old->session || old->ill ||
        (old->state != MEMBER_IDLE && old->state != MEMBER_ASKED))
        return;
    m->probe->engine->adopt(old->session, &sink);
    *m = *old;
    m->probe = own.probe;
    m->conf = own.conf;
    m->index = own.index;
    m->host = own.host;
    m->other = own.other;
    old->session = NULL;
    old->state = MEMBER_UNRESOLVED;
    member_tell(m);
}

static void open_session(struct member *m, uint64_t now)
{
    struct probe *p = m->probe;
    uint64_t timeout = p->cluster->timing.timeout_ms;
    bool alone = address_count(m) == 1 && m->patience < PATIENCE_ALONE;
    const struct engine_sink sink = sink_of(m);
    m->using = member_is_known(m) ? m->where.connected : m->where.at[m->next];
    m->state = MEMBER_CONNECTING;
    m->asked_ms = now;
    m->late_ms = now + timeout;
    m->due_ms = now + (timeout << (alone ? PATIENCE_ALONE : m->patience));
    m->graced = false;
    m->session =
        p->engine->open(p->loop, p->cluster, m->conf, &m->using, m->kind != PLACE_FREE, &sink);
    if (!m->session)
        fail(m, REPORT_ODD, HINT_NONE, "out of memory");
}

/* The connection is made, and what is there does not let us in: it hangs, or is no such server. */
static bool is_there(const struct member *m)
{
    const struct engine *engine = m->probe->engine;
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);

    return m->session && engine->descriptor &&
           getpeername(engine->descriptor(m->session), (struct sockaddr *)&peer, &size) == 0;
}

static void print_silence(const struct member *m, char *text)
{
    uint32_t timeout_ms = m->probe->cluster->timing.timeout_ms;

    if (m->state != MEMBER_CONNECTING)
        snprintf(text, ENGINE_TEXT_MAX, "no answer within %u ms", timeout_ms);
    else if (is_there(m))
        snprintf(text, ENGINE_TEXT_MAX,
                 "connected, but no login within %u ms: it hangs, or no %s is at this port",
                 timeout_ms, m->probe->engine->kind->name);
    else
        snprintf(text, ENGINE_TEXT_MAX, "no connection within %u ms", timeout_ms);
}

/* Silent for `interval` (a question) or for `timeout` (an attempt that may go on). */
static void note_silence(struct member *m)
{
    m->late_ms = 0;
    if (m->state == MEMBER_ASKED) {
        member_report(m, REPORT_LATE, NULL);
    } else {
        print_silence(m, m->text);
        member_report(m, REPORT_TIMEOUT, NULL);
    }
    falls_ill(m, loop_now_ms(m->probe->loop));
}

static void time_out(struct member *m)
{
    char text[ENGINE_TEXT_MAX];
    print_silence(m, text);
    fail(m, REPORT_TIMEOUT, HINT_NONE, text);
}

/* True: this process stood still, and the member is given a moment more. */
static bool give_grace(struct member *m, uint64_t now)
{
    if (m->graced || !is_waited_for(m) || now < member_due(m) + STALL_MS)
        return false;
    m->graced = true;
    if (m->late_ms != 0 && m->late_ms < now + GRACE_MS)
        m->late_ms = now + GRACE_MS;
    if (m->due_ms < now + GRACE_MS)
        m->due_ms = now + GRACE_MS;
    return true;
}

/* The timer: what is due for one member. */
void member_turn(struct member *m, uint64_t now)
{
    if (member_due(m) > now || give_grace(m, now))
        return;
    if (is_waited_for(m) && m->due_ms > now)
        note_silence(m);
    else if (m->state == MEMBER_WAITING)
        open_session(m, now);
    else if (m->state == MEMBER_IDLE)
        ask(m, now);
    else
        time_out(m);
}
