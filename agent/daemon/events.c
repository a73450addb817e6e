/* SPDX-License-Identifier: Apache-2.0
 *
 * events.c - see events.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/events.h"
#include "agent/daemon/loss.h"
#include "agent/daemon/words.h"

/* Sends the newest entry of the history to the clients that watch. */
static void tell(struct daemon *daemon)
{
    struct msg_writer w;

    msg_writer_init(&w, HOMING_REQUEST_MAX);
    msg_put_notification(&w, "event");
    msg_put_array(&w, 1);
    history_put_newest(&daemon->history, &w);
    if (msg_writer_finish(&w) == 0)
        serve_notify(daemon->serve, &w);
    msg_writer_done(&w);
}

static void remember(struct cluster *cluster, const char *event, const char *text)
{
    struct daemon *daemon = cluster->daemon;

    history_add(&daemon->history, loop_now_ms(daemon->loop), cluster->conf->name, event, text);
    tell(daemon);
}

static void remember_switch(struct cluster *cluster, const char *text,
                            const struct history_switch *change)
{
    struct daemon *daemon = cluster->daemon;
    struct history_entry *entry = history_add(&daemon->history, loop_now_ms(daemon->loop),
                                              cluster->conf->name, "writer_changed", text);

    entry->is_switch = true;
    entry->change = *change;
    tell(daemon);
}

/* "10.0.0.2:5432 reader term 7; db-b:5432 broken": what each member last said. */
static void text_evidence(const struct cluster *cluster, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (uint32_t i = 0; i < cluster->conf->member_count && len < size; i++) {
        const struct topo_member *at = members_said(&cluster->members, i);
        char member[MEMBER_TEXT_SIZE], term[48];

        words_member_at(cluster, i, member);
        words_term(cluster, at->last.term, term, sizeof(term));
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

/* For how long the old writer had not answered when the switch was decided; -1: not known. */
static int64_t silent_ms(const struct cluster *cluster, uint32_t member, uint64_t began_ms)
{
    const struct topo_member *at;

    if (member >= cluster->conf->member_count)
        return -1;
    at = members_said(&cluster->members, member);
    return at->answered ? (int64_t)(began_ms - at->answered_ms) : -1;
}

/* The branch point is exact if the new writer was seen in recovery before, as the same running
 * server: its promotion then ended that recovery. */
static void judge_loss(const struct cluster *cluster, const struct verdict *before,
                       struct loss *ret_loss)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    const struct report *claim = &members_said(&cluster->members, verdict->writer)->last;

    *ret_loss = (struct loss){
        .last = before->position,
        .branch = claim->branch,
        .exact = claim->branch && claim->incarnation &&
                 claim->incarnation == cluster->members.at[verdict->writer].reader_incarnation,
        .comparable = before->identity == verdict->identity,
    };
    if (!ret_loss->branch)
        ret_loss->branch = claim->position;
}

static void note_loss(const struct cluster *cluster, const struct verdict *before,
                      struct history_switch *change)
{
    struct loss loss;

    if (before->writer == MEMBER_NONE || cluster->decision.verdict.writer == MEMBER_NONE)
        return;
    judge_loss(cluster, before, &loss);
    change->loss_bytes = loss_bytes(&loss);
    change->loss_exact = loss.exact;
    loss_print(&loss, cluster->conf->engine, change->from, change->to, change->loss,
               sizeof(change->loss));
}

static void say_switch(struct cluster *cluster, const struct verdict *before,
                       const struct report *cause, uint64_t began_ms)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    struct history_switch change = {.silent_ms = silent_ms(cluster, before->writer, began_ms)};
    char from[MEMBER_TEXT_SIZE], to[MEMBER_TEXT_SIZE], text[700];

    words_member_at(cluster, before->writer, from);
    words_member_at(cluster, verdict->writer, to);
    snprintf(change.from, sizeof(change.from), "%.95s", from);
    snprintf(change.to, sizeof(change.to), "%.95s", to);
    words_term(cluster, verdict->term, change.term, sizeof(change.term));
    snprintf(change.reason, sizeof(change.reason), "%s", reason_name(verdict->reason));
    text_evidence(cluster, change.evidence, sizeof(change.evidence));
    change.answer_ms = cause ? (int64_t)(began_ms - cause->asked_ms) : 0;
    change.publish_ms = (int64_t)(loop_now_ms(cluster->daemon->loop) - began_ms);
    note_loss(cluster, before, &change);
    snprintf(text, sizeof(text), "%s: writer %s → %s, term %s: %s", cluster->conf->name, from, to,
             change.term, reason_text(verdict->reason));
    log_event(LOG_INFO, "writer_changed", text, LOG_STR("cluster", cluster->conf->name),
              LOG_STR("from", from), LOG_STR("to", to), LOG_STR("term", change.term),
              LOG_STR("reason", change.reason), LOG_BOOL("authenticated", verdict->authenticated),
              LOG_STR("evidence", change.evidence),
              LOG_INT("old_writer_silent_ms", change.silent_ms),
              LOG_INT("answer_ms", change.answer_ms), LOG_INT("publish_ms", change.publish_ms),
              LOG_STR("possible_loss", change.loss[0] ? change.loss : NULL));
    remember_switch(cluster, text + strlen(cluster->conf->name) + 2, &change);
}

static void say_state(struct cluster *cluster, const struct verdict *before)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    bool good = verdict->state == CLUSTER_STEADY || verdict->state == CLUSTER_FROZEN;
    char writer[MEMBER_TEXT_SIZE], text[512];

    words_member_at(cluster, verdict->writer, writer);
    snprintf(text, sizeof(text), "%s → %s: %s", cluster_state_name(before->state),
             cluster_state_name(verdict->state), reason_text(verdict->reason));
    log_event(good ? LOG_INFO : LOG_WARNING, "state_changed", text,
              LOG_STR("cluster", cluster->conf->name),
              LOG_STR("from", cluster_state_name(before->state)),
              LOG_STR("to", cluster_state_name(verdict->state)), LOG_STR("writer", writer),
              LOG_STR("reason", reason_name(verdict->reason)));
    remember(cluster, "state_changed", text);
}

void events_verdict(struct cluster *cluster, const struct verdict *before,
                    const struct report *cause, uint64_t began_ms)
{
    if (before->writer != cluster->decision.verdict.writer)
        say_switch(cluster, before, cause, began_ms);
    if (before->state != cluster->decision.verdict.state)
        say_state(cluster, before);
}

void events_answer(const struct cluster *cluster, uint32_t endpoint, const struct view_entry *entry)
{
    const char *name = cluster->conf->endpoints[endpoint].names[0].text;

    log_event(LOG_INFO, "answer_changed", name, LOG_STR("cluster", cluster->conf->name),
              LOG_STR("endpoint", name), LOG_STR("text4", entry->text4),
              LOG_STR("text6", entry->text6), LOG_INT("port", entry->port),
              LOG_INT("generation", cluster->endpoints[endpoint].generation));
}

void events_restored(struct cluster *cluster)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    char writer[MEMBER_TEXT_SIZE], term[48], text[512];

    if (verdict->writer == MEMBER_NONE)
        return;
    words_member_at(cluster, verdict->writer, writer);
    words_term(cluster, verdict->term, term, sizeof(term));
    snprintf(text, sizeof(text), "writer %s, term %s, %s, from before the start", writer, term,
             cluster_state_name(verdict->state));
    log_event(LOG_INFO, "verdict_restored", text, LOG_STR("cluster", cluster->conf->name),
              LOG_STR("writer", writer), LOG_STR("term", term),
              LOG_STR("state", cluster_state_name(verdict->state)));
    remember(cluster, "verdict_restored", text);
}

static void say_alarm(struct cluster *cluster, enum alarm alarm, bool raised)
{
    char text[512] = "", command[MEMBER_TEXT_SIZE + 300] = "", line[900];

    if (raised)
        words_alarm(cluster, alarm, text, sizeof(text), command, sizeof(command));
    snprintf(line, sizeof(line), "%s%s%s%s%s", alarm_name(alarm), text[0] ? ": " : "", text,
             command[0] ? "; to resolve: " : "", command);
    log_event(raised ? LOG_ERROR : LOG_INFO, raised ? "alarm_raised" : "alarm_cleared", line,
              LOG_STR("cluster", cluster->conf->name), LOG_STR("alarm", alarm_name(alarm)),
              LOG_STR("command", command[0] ? command : NULL));
    remember(cluster, raised ? "alarm_raised" : "alarm_cleared", line);
}

/* A repeated order mostly finds nothing; then nothing is said. */
void events_severed(struct cluster *cluster, enum sever_kind kind,
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
              LOG_STR("cluster", cluster->conf->name), LOG_INT("severed", counts->severed),
              LOG_INT("seen", counts->seen), LOG_INT("untagged", counts->untagged),
              LOG_INT("gone", counts->gone), LOG_INT("denied", counts->denied),
              LOG_INT("failed", counts->failed), LOG_INT("processes", counts->processes),
              LOG_INT("first_us", counts->first_us));
    remember(cluster, event, text);
}

void events_alarms(struct cluster *cluster, uint32_t raised, uint32_t cleared)
{
    for (int alarm = 0; alarm < ALARM_COUNT; alarm++) {
        if (cleared & (1u << alarm))
            say_alarm(cluster, (enum alarm)alarm, false);
        if (raised & (1u << alarm))
            say_alarm(cluster, (enum alarm)alarm, true);
    }
}

void events_order(struct cluster *cluster, const struct serve_peer *peer, const char *order)
{
    char text[512];

    snprintf(text, sizeof(text), "%s (by uid %u, pid %d)", order, (unsigned)peer->uid,
             (int)peer->pid);
    log_event(LOG_WARNING, "order", text, LOG_STR("cluster", cluster->conf->name),
              LOG_STR("order", order), LOG_INT("uid", peer->uid), LOG_INT("pid", peer->pid));
    remember(cluster, "order", text);
}
