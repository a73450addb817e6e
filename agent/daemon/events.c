/* SPDX-License-Identifier: Apache-2.0
 *
 * events.c - see events.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/log.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/events.h"
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

/* Whatever the event is about, the entry is for the same moment as the line in the log. */
static struct history_entry *add(struct daemon *daemon, const char *cluster, const char *event,
                                 const char *text)
{
    struct timespec wall;

    clock_gettime(CLOCK_REALTIME, &wall);
    return history_add(&daemon->history, loop_now_ms(daemon->loop),
                       (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000, cluster,
                       event, text);
}

static void remember(struct cluster *cluster, const char *event, const char *text)
{
    add(cluster->daemon, cluster->conf->name, event, text);
    tell(cluster->daemon);
}

static void remember_switch(struct cluster *cluster, const char *text,
                            const struct history_switch *change)
{
    struct history_entry *entry = add(cluster->daemon, cluster->conf->name, "writer_changed", text);

    entry->is_switch = true;
    entry->change = *change;
    tell(cluster->daemon);
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
        .comparable =
            before->identity == verdict->identity && verdict->reason != REASON_HANDED_OVER,
        .shared = verdict->reason == REASON_TAKEN_OVER,
        .handed = verdict->reason == REASON_HANDED_OVER,
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

/* *change has both names, the silence and the loss. */
static void say_writer(struct cluster *cluster, struct history_switch *change,
                       const struct report *cause, uint64_t began_ms)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    char text[700];

    words_term(cluster, verdict->term, change->term, sizeof(change->term));
    snprintf(change->reason, sizeof(change->reason), "%s", reason_name(verdict->reason));
    text_evidence(cluster, change->evidence, sizeof(change->evidence));
    change->answer_ms = cause ? (int64_t)(began_ms - cause->asked_ms) : 0;
    change->publish_ms = (int64_t)(loop_now_ms(cluster->daemon->loop) - began_ms);
    snprintf(text, sizeof(text), "%s: writer %s → %s, term %s: %s", cluster->conf->name,
             change->from, change->to, change->term, reason_text(verdict->reason));
    log_event(
        LOG_INFO, "writer_changed", text, LOG_STR("cluster", cluster->conf->name),
        LOG_STR("from", change->from), LOG_STR("to", change->to), LOG_STR("term", change->term),
        LOG_STR("reason", change->reason), LOG_BOOL("authenticated", verdict->authenticated),
        LOG_STR("evidence", change->evidence), LOG_INT("old_writer_silent_ms", change->silent_ms),
        LOG_INT("answer_ms", change->answer_ms), LOG_INT("publish_ms", change->publish_ms),
        LOG_STR("possible_loss", change->loss[0] ? change->loss : NULL));
    remember_switch(cluster, text + strlen(cluster->conf->name) + 2, change);
}

static void say_switch(struct cluster *cluster, const struct verdict *before,
                       const struct report *cause, uint64_t began_ms)
{
    struct history_switch change = {.silent_ms = silent_ms(cluster, before->writer, began_ms)};
    char from[MEMBER_TEXT_SIZE], to[MEMBER_TEXT_SIZE];

    words_member_at(cluster, before->writer, from);
    words_member_at(cluster, cluster->decision.verdict.writer, to);
    snprintf(change.from, sizeof(change.from), "%.95s", from);
    snprintf(change.to, sizeof(change.to), "%.95s", to);
    note_loss(cluster, before, &change);
    say_writer(cluster, &change, cause, began_ms);
}

static void say_state(struct cluster *cluster, const struct verdict *before)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    bool good = verdict->state == CLUSTER_STEADY || verdict->state == CLUSTER_FROZEN;
    char writer[MEMBER_TEXT_SIZE], text[512];

    words_member_at(cluster, verdict->writer, writer);
    snprintf(text, sizeof(text), "%s → %s: %s", cluster_state_name(before->state),
             cluster_state_name(verdict->state), words_reason(cluster));
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

/* "db:5432 at 10.0.0.1" */
static void text_at(const struct cluster *cluster, uint32_t member, const char *address, char *ret,
                    size_t size)
{
    char name[MEMBER_TEXT_SIZE];

    words_member_at(cluster, member, name);
    snprintf(ret, size, "%.46s at %.45s", name, address ? address : "an unknown address");
}

static void say_switch_by_move(struct cluster *cluster, const char *from, const char *to,
                               const struct report *cause, uint64_t began_ms)
{
    struct history_switch change = {.silent_ms = -1};

    snprintf(change.from, sizeof(change.from), "%s", from);
    snprintf(change.to, sizeof(change.to), "%s", to);
    say_writer(cluster, &change, cause, began_ms);
}

void events_moved(struct cluster *cluster, const struct verdict *before, uint32_t member,
                  const struct report *cause, uint64_t began_ms)
{
    char from[96], to[96], text[256];

    text_at(cluster, member, elsewhere_last_left(cluster, member), from, sizeof(from));
    text_at(cluster, member, cluster->members.at[member].where.connected.text, to, sizeof(to));
    if (member == before->writer && member == cluster->decision.verdict.writer) {
        say_switch_by_move(cluster, from, to, cause, began_ms);
        return;
    }
    snprintf(text, sizeof(text), "%s → %s", from, to);
    log_event(LOG_INFO, "member_moved", text, LOG_STR("cluster", cluster->conf->name),
              LOG_STR("from", from), LOG_STR("to", to));
    remember(cluster, "member_moved", text);
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
    char text[512] = "", command[MEMBER_TEXT_SIZE + 300] = "";
    char line[sizeof(text) + sizeof(command) + 64];

    if (raised)
        words_alarm(cluster, alarm, text, sizeof(text), command, sizeof(command));
    snprintf(line, sizeof(line), "%s%s%s%s%s", alarm_name(alarm), text[0] ? ": " : "", text,
             command[0] ? "; to resolve: " : "", command);
    log_event(raised ? LOG_ERROR : LOG_INFO, raised ? "alarm_raised" : "alarm_cleared", line,
              LOG_STR("cluster", cluster->conf->name), LOG_STR("alarm", alarm_name(alarm)),
              LOG_STR("command", command[0] ? command : NULL));
    remember(cluster, raised ? "alarm_raised" : "alarm_cleared", line);
}

/* A repeated order mostly finds nothing; then nothing is said. What has no tag is told once for a switch: `left`. */
void events_severed(struct cluster *cluster, enum sever_kind kind,
                    const struct sever_counts *counts, uint64_t left)
{
    const char *event = kind == SEVER_DO ? "severed" : "would_sever";
    char text[400];
    int len;

    if (!counts->severed && !counts->denied && !counts->failed && !counts->older && !left)
        return;
    len = snprintf(
        text, sizeof(text), "%" PRIu64 " connection%s to demoted members %s, of %" PRIu64 " seen",
        counts->severed, counts->severed == 1 ? "" : "s",
        kind == SEVER_DO ? "aborted" : "would have been aborted (mode observe)", counts->seen);
    if (left)
        snprintf(text + len, sizeof(text) - (size_t)len,
                 "; %" PRIu64
                 " without a tag left alone: homingctl connections says whose they are",
                 left);
    log_event(counts->denied || counts->failed ? LOG_WARNING : LOG_INFO, event, text,
              LOG_STR("cluster", cluster->conf->name), LOG_INT("severed", counts->severed),
              LOG_INT("seen", counts->seen), LOG_INT("untagged", counts->untagged),
              LOG_INT("older", counts->older), LOG_INT("foreign", counts->foreign),
              LOG_INT("unsure", counts->unsure), LOG_INT("gone", counts->gone),
              LOG_INT("denied", counts->denied), LOG_INT("failed", counts->failed),
              LOG_INT("mptcp_late", counts->mptcp_late),
              LOG_INT("mptcp_hidden", counts->mptcp_hidden), LOG_INT("behind", counts->behind),
              LOG_INT("given_up", counts->given_up), LOG_INT("processes", counts->processes),
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

void events_agent_alarm(struct daemon *daemon, const char *alarm, bool raised, const char *text)
{
    char line[sizeof(((struct history_entry *)0)->text)];

    snprintf(line, sizeof(line), "%s: %s", alarm, text);
    add(daemon, NULL, raised ? "alarm_raised" : "alarm_cleared", line);
    tell(daemon);
}

void events_listed(const struct cluster *cluster, const struct inet_address *asked,
                   const struct inet_address *listed)
{
    char from[64], to[64];
    bool same = inet_address_same(asked, listed);

    inet_address_print(asked, from, sizeof(from));
    inet_address_print(listed, to, sizeof(to));
    log_event(
        LOG_INFO, "listed",
        same ? "the kernel lists connections to this address as they are asked for again"
             : "the kernel lists connections to this address as ones to another, as where BPF "
               "replaces addresses: they are severed there",
        LOG_STR("cluster", cluster->conf->name), LOG_STR("address", from),
        LOG_INT("port", asked->port), LOG_STR("listed", to), LOG_INT("listed_port", listed->port));
}

static bool has_member(const struct conf_cluster *conf, const struct conf_member *member)
{
    for (uint32_t i = 0; i < conf->member_count; i++)
        if (conf->members[i].port == member->port &&
            strcmp(conf->members[i].host, member->host) == 0)
            return true;
    return false;
}

static const char *discovered_from(const struct cluster *cluster, const struct conf_member *member)
{
    const struct roster *roster = &cluster->discovery->roster;
    uint32_t i = roster_find(roster, member->host, member->port);

    return i < roster->count ? roster->at[i].from : "the configuration";
}

static void say_member(struct cluster *cluster, const struct conf_member *member, bool joined)
{
    char name[MEMBER_TEXT_SIZE], text[2 * MEMBER_TEXT_SIZE + 100];
    const char *from = joined ? discovered_from(cluster, member) : NULL;

    words_member(member, name);
    if (joined)
        snprintf(text, sizeof(text), "%s is a member now: %s named it", name, from);
    else
        snprintf(text, sizeof(text), "%s is no member any more: nobody names it", name);
    log_event(LOG_INFO, joined ? "member_joined" : "member_left", text,
              LOG_STR("cluster", cluster->conf->name), LOG_STR("member", name),
              LOG_STR("from", from));
    remember(cluster, joined ? "member_joined" : "member_left", text);
}

void events_members(struct cluster *cluster, const struct cluster *old)
{
    for (uint32_t i = 0; i < old->conf->member_count; i++)
        if (!has_member(cluster->conf, &old->conf->members[i]))
            say_member(cluster, &old->conf->members[i], false);
    for (uint32_t i = 0; i < cluster->conf->member_count; i++)
        if (!has_member(old->conf, &cluster->conf->members[i]))
            say_member(cluster, &cluster->conf->members[i], true);
}

static void say_warning(struct cluster *cluster, uint32_t warning, bool raised)
{
    char member[MEMBER_TEXT_SIZE], text[700] = "";

    words_member_at(cluster, warning, member);
    if (raised)
        words_warning(cluster, warning, text, sizeof(text));
    else if (warning < HOMING_MEMBERS_MAX)
        snprintf(text, sizeof(text), "%s: %s", warning_name(warning), member);
    else
        snprintf(text, sizeof(text), "%s", warning_name(warning));
    log_event(raised ? LOG_WARNING : LOG_INFO, raised ? "warning_raised" : "warning_cleared", text,
              LOG_STR("cluster", cluster->conf->name), LOG_STR("warning", warning_name(warning)),
              LOG_STR("member", warning < HOMING_MEMBERS_MAX ? member : NULL));
}

void events_warnings(struct cluster *cluster, uint64_t raised, uint64_t cleared)
{
    for (uint32_t warning = 0; warning < WARNING_COUNT && (raised | cleared); warning++) {
        if (cleared >> warning & 1)
            say_warning(cluster, warning, false);
        if (raised >> warning & 1)
            say_warning(cluster, warning, true);
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
