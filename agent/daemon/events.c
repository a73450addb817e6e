/* SPDX-License-Identifier: Apache-2.0
 *
 * events.c - what happened, for the log and the history.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/loss.h"
#include "agent/daemon/parts.h"

/* The newest entry of the history, to everybody who watches. */
static void tell(struct run *run)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_notification(&w, "event");
    msg_put_array(&w, 1);
    history_put_newest(&run->history, &w);
    if (msg_writer_finish(&w) == 0)
        serve_notify(run->serve, &w);
    msg_writer_done(&w);
}

static void remember(struct run_cluster *rc, const char *event, const char *text)
{
    struct run *run = rc->run;

    history_add(&run->history, loop_now_ms(run->loop), rc->conf->name, event, text);
    tell(run);
}

static void remember_switch(struct run_cluster *rc, const char *text,
                            const struct history_switch *change)
{
    struct run *run = rc->run;
    struct history_entry *entry =
        history_add(&run->history, loop_now_ms(run->loop), rc->conf->name, "writer_changed", text);

    entry->is_switch = true;
    entry->change = *change;
    tell(run);
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

/* The branch point is exact if the new writer was seen in recovery as the same running server:
 * then that recovery is the one that its promotion ended. */
static void judge_loss(const struct run_cluster *rc, const struct verdict *before,
                       struct loss *ret_loss)
{
    const struct verdict *verdict = &rc->mind.verdict;
    const struct report *claim = &rc->mind.topo.at[verdict->writer].last;

    *ret_loss = (struct loss){
        .last = before->position,
        .branch = claim->branch,
        .exact = claim->branch && claim->incarnation &&
                 claim->incarnation == rc->reader_incarnation[verdict->writer],
        .comparable = before->identity == verdict->identity,
    };
    if (!ret_loss->branch)
        ret_loss->branch = claim->position;
}

static void note_loss(const struct run_cluster *rc, const struct verdict *before,
                      struct history_switch *change)
{
    struct loss loss;

    if (before->writer == MEMBER_NONE || rc->mind.verdict.writer == MEMBER_NONE)
        return;
    judge_loss(rc, before, &loss);
    change->loss_bytes = loss_bytes(&loss);
    change->loss_exact = loss.exact;
    loss_print(&loss, rc->conf->engine, change->from, change->to, change->loss,
               sizeof(change->loss));
}

static void say_switch(struct run_cluster *rc, const struct verdict *before,
                       const struct report *cause, uint64_t began_ms)
{
    const struct verdict *verdict = &rc->mind.verdict;
    struct history_switch change = {.silent_ms = silent_ms(rc, before->writer, began_ms)};
    char from[MEMBER_TEXT_SIZE], to[MEMBER_TEXT_SIZE], text[700];

    run_text_member_at(rc, before->writer, from);
    run_text_member_at(rc, verdict->writer, to);
    snprintf(change.from, sizeof(change.from), "%.95s", from);
    snprintf(change.to, sizeof(change.to), "%.95s", to);
    run_text_term(verdict->term, change.term, sizeof(change.term));
    snprintf(change.reason, sizeof(change.reason), "%s", reason_name(verdict->reason));
    text_evidence(rc, change.evidence, sizeof(change.evidence));
    change.answer_ms = cause ? (int64_t)(began_ms - cause->asked_ms) : 0;
    change.publish_ms = (int64_t)(loop_now_ms(rc->run->loop) - began_ms);
    note_loss(rc, before, &change);
    snprintf(text, sizeof(text), "%s: writer %s → %s, term %s: %s", rc->conf->name, from, to,
             change.term, reason_text(verdict->reason));
    log_event(LOG_INFO, "writer_changed", text, LOG_STR("cluster", rc->conf->name),
              LOG_STR("from", from), LOG_STR("to", to), LOG_STR("term", change.term),
              LOG_STR("reason", change.reason), LOG_BOOL("authenticated", verdict->authenticated),
              LOG_STR("evidence", change.evidence),
              LOG_INT("old_writer_silent_ms", change.silent_ms),
              LOG_INT("answer_ms", change.answer_ms), LOG_INT("publish_ms", change.publish_ms),
              LOG_STR("possible_loss", change.loss[0] ? change.loss : NULL));
    remember_switch(rc, text + strlen(rc->conf->name) + 2, &change);
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
                        const struct report *cause, uint64_t began_ms)
{
    if (before->writer != rc->mind.verdict.writer)
        say_switch(rc, before, cause, began_ms);
    if (before->state != rc->mind.verdict.state)
        say_state(rc, before);
}

void run_events_answer(const struct run_cluster *rc, uint32_t endpoint,
                       const struct view_entry *entry)
{
    const char *name = rc->conf->endpoints[endpoint].names[0].text;

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

/* Repetitions mostly find nothing, and say nothing. */
void run_events_severed(struct run_cluster *rc, enum sever_kind kind,
                        const struct sever_counts *counts)
{
    const char *event = kind == SEVER_DO ? "severed" : "would_sever";
    char text[300];

    if (!counts->severed && !counts->denied && !counts->failed)
        return;
    snprintf(text, sizeof(text),
             "%" PRIu64 " connection%s to demoted members %s, of %" PRIu64 " seen", counts->severed,
             counts->severed == 1 ? "" : "s",
             kind == SEVER_DO ? "aborted" : "would have been aborted (mode observe)", counts->seen);
    log_event(counts->denied || counts->failed ? LOG_WARNING : LOG_INFO, event, text,
              LOG_STR("cluster", rc->conf->name), LOG_INT("severed", counts->severed),
              LOG_INT("seen", counts->seen), LOG_INT("untagged", counts->untagged),
              LOG_INT("gone", counts->gone), LOG_INT("denied", counts->denied),
              LOG_INT("failed", counts->failed), LOG_INT("processes", counts->processes),
              LOG_INT("first_us", counts->first_us));
    remember(rc, event, text);
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
