/* SPDX-License-Identifier: Apache-2.0
 *
 * run_events.c - what happened, for the log and the history.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/run_parts.h"

/* Into the history, and to everybody who watches. */
static void remember(struct run_cluster *rc, const char *event, const char *text)
{
    struct run *run = rc->run;
    struct msg_writer w;

    history_add(&run->history, loop_now_ms(run->loop), rc->conf->name, event, text);
    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_notification(&w, "event");
    msg_put_array(&w, 1);
    history_put_newest(&run->history, &w);
    if (msg_writer_finish(&w) == 0)
        serve_notify(run->serve, &w);
    msg_writer_done(&w);
}

/* "10.0.0.2:5432 reader term 7; db-b:5432 broken": what each member last said. */
static void text_evidence(const struct run_cluster *rc, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (uint32_t i = 0; i < rc->conf->member_count && len < size; i++) {
        const struct member_view *at = &rc->mind.topo.at[i];
        char member[MEMBER_TEXT_SIZE], term[48];

        run_text_member_at(rc, i, member);
        run_text_term(at->last.term, term, sizeof(term));
        len += (size_t)snprintf(ret + len, size - len, "%s%s ", i ? "; " : "", member);
        if (len >= size)
            break;
        if (!at->heard)
            len += (size_t)snprintf(ret + len, size - len, "not heard");
        else if (at->kind != REPORT_ANSWER)
            len += (size_t)snprintf(ret + len, size - len, "%s", report_kind_name(at->kind));
        else
            len += (size_t)snprintf(ret + len, size - len, "%s term %s", role_name(at->last.role),
                                    term);
    }
}

/* Of the member that was the writer: for how long it had not answered when this was decided. */
static int64_t silent_ms(const struct run_cluster *rc, uint32_t member, uint64_t began_ms)
{
    const struct member_view *at;

    if (member >= rc->conf->member_count)
        return -1;
    at = &rc->mind.topo.at[member];
    return at->answered ? (int64_t)(began_ms - at->answered_ms) : -1;
}

/* An accepted writer may be disputed at once: that is the state's reason, not the switch's. */
static void say_switch(struct run_cluster *rc, const struct verdict *before,
                       const struct event *cause, uint64_t began_ms)
{
    const struct verdict *verdict = &rc->mind.verdict;
    bool accepted = cause && cause->kind == EVENT_ACCEPT;
    enum reason reason = accepted ? REASON_ACCEPTED : verdict->reason;
    uint64_t asked_ms = cause && cause->kind == EVENT_REPORT ? cause->report.asked_ms : 0;
    char from[MEMBER_TEXT_SIZE], to[MEMBER_TEXT_SIZE], term[48], evidence[1024], text[700];

    run_text_member_at(rc, before->writer, from);
    run_text_member_at(rc, verdict->writer, to);
    run_text_term(verdict->term, term, sizeof(term));
    text_evidence(rc, evidence, sizeof(evidence));
    snprintf(text, sizeof(text), "%s: writer %s → %s, term %s: %s", rc->conf->name, from, to, term,
             reason_text(reason));
    log_event(LOG_INFO, "writer_changed", text, LOG_STR("cluster", rc->conf->name),
              LOG_STR("from", from), LOG_STR("to", to), LOG_STR("term", term),
              LOG_STR("reason", reason_name(reason)),
              LOG_BOOL("authenticated", verdict->authenticated), LOG_STR("evidence", evidence),
              LOG_INT("old_writer_silent_ms", silent_ms(rc, before->writer, began_ms)),
              LOG_INT("answer_ms", asked_ms ? began_ms - asked_ms : 0),
              LOG_INT("publish_ms", loop_now_ms(rc->run->loop) - began_ms));
    remember(rc, "writer_changed", text + strlen(rc->conf->name) + 2);
}

static void say_state(struct run_cluster *rc, const struct verdict *before)
{
    const struct verdict *verdict = &rc->mind.verdict;
    bool good = verdict->state == CLUSTER_STEADY || verdict->state == CLUSTER_FROZEN;
    char writer[MEMBER_TEXT_SIZE], text[512];

    run_text_member_at(rc, verdict->writer, writer);
    snprintf(text, sizeof(text), "%s → %s: %s", cluster_state_name(before->state),
             cluster_state_name(verdict->state), reason_text(verdict->reason));
    log_event(good ? LOG_INFO : LOG_WARNING, "state_changed", text,
              LOG_STR("cluster", rc->conf->name),
              LOG_STR("from", cluster_state_name(before->state)),
              LOG_STR("to", cluster_state_name(verdict->state)), LOG_STR("writer", writer),
              LOG_STR("reason", reason_name(verdict->reason)));
    remember(rc, "state_changed", text);
}

void run_events_verdict(struct run_cluster *rc, const struct verdict *before,
                        const struct event *cause, uint64_t began_ms)
{
    if (before->writer != rc->mind.verdict.writer)
        say_switch(rc, before, cause, began_ms);
    if (before->state != rc->mind.verdict.state)
        say_state(rc, before);
}

void run_events_answer(const struct run_cluster *rc, uint32_t endpoint,
                       const struct view_entry *entry)
{
    const char *name = rc->conf->endpoints[endpoint].names[0];

    log_event(LOG_INFO, "answer_changed", name, LOG_STR("cluster", rc->conf->name),
              LOG_STR("endpoint", name), LOG_STR("text4", entry->text4),
              LOG_STR("text6", entry->text6), LOG_INT("port", entry->port),
              LOG_INT("generation", rc->endpoints[endpoint].generation));
}

void run_events_restored(struct run_cluster *rc)
{
    const struct verdict *verdict = &rc->mind.verdict;
    char writer[MEMBER_TEXT_SIZE], term[48], text[512];

    if (verdict->writer == MEMBER_NONE)
        return;
    run_text_member_at(rc, verdict->writer, writer);
    run_text_term(verdict->term, term, sizeof(term));
    snprintf(text, sizeof(text), "writer %s, term %s, %s, from before the start", writer, term,
             cluster_state_name(verdict->state));
    log_event(LOG_INFO, "verdict_restored", text, LOG_STR("cluster", rc->conf->name),
              LOG_STR("writer", writer), LOG_STR("term", term),
              LOG_STR("state", cluster_state_name(verdict->state)));
    remember(rc, "verdict_restored", text);
}

static void say_alarm(struct run_cluster *rc, enum alarm alarm, bool raised)
{
    char text[512] = "", command[MEMBER_TEXT_SIZE + 300] = "", line[900];

    if (raised)
        run_text_alarm(rc, alarm, text, sizeof(text), command, sizeof(command));
    snprintf(line, sizeof(line), "%s%s%s%s%s", alarm_name(alarm), text[0] ? ": " : "", text,
             command[0] ? "; to resolve: " : "", command);
    log_event(raised ? LOG_ERROR : LOG_INFO, raised ? "alarm_raised" : "alarm_cleared", line,
              LOG_STR("cluster", rc->conf->name), LOG_STR("alarm", alarm_name(alarm)),
              LOG_STR("command", command[0] ? command : NULL));
    remember(rc, raised ? "alarm_raised" : "alarm_cleared", line);
}

void run_events_alarms(struct run_cluster *rc, uint32_t raised, uint32_t cleared)
{
    for (int alarm = 0; alarm < ALARM_COUNT; alarm++) {
        if (cleared & (1u << alarm))
            say_alarm(rc, (enum alarm)alarm, false);
        if (raised & (1u << alarm))
            say_alarm(rc, (enum alarm)alarm, true);
    }
}

void run_events_order(struct run_cluster *rc, const struct serve_peer *peer, const char *order)
{
    char text[512];

    snprintf(text, sizeof(text), "%s (by uid %u, pid %d)", order, (unsigned)peer->uid,
             (int)peer->pid);
    log_event(LOG_WARNING, "order", text, LOG_STR("cluster", rc->conf->name),
              LOG_STR("order", order), LOG_INT("uid", peer->uid), LOG_INT("pid", peer->pid));
    remember(rc, "order", text);
}
