/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c - the result of `status`, and the parts that `explain` shares with it. The keys are
 * those of proto/PROTOCOL.md. Times are ages in ms, so that no client needs our clock.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/admin/status.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/elsewhere.h"
#include "agent/daemon/words.h"
#include "agent/decide/succession.h"
#include "proto/view_names.h"

#define HISTORY_LIMIT 1000
/* Programs that an operator goes through, one by one. */
#define LOST_PIDS_MAX 1000

/* nil: it never happened. */
static void put_age(struct msg_writer *w, const char *key, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms)
        msg_put_key_uint(w, key, now_ms > at_ms ? now_ms - at_ms : 0);
    else
        msg_put_key_nil(w, key);
}

static void put_term(struct msg_writer *w, const char *key, const struct cluster *cluster,
                     struct term term)
{
    char text[ENGINE_PRINT_SIZE];

    words_term(cluster, term, text, sizeof(text));
    msg_put_key_str(w, key, term.hi || term.lo ? text : NULL);
}

/* As text: it has more than the 53 bits of a number that programs keep when they read JSON. */
static void put_identity(struct msg_writer *w, uint64_t identity)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, identity);
    msg_put_key_str(w, "identity", identity ? text : NULL);
}

static void put_member_name(struct msg_writer *w, const char *key, const struct cluster *cluster,
                            uint32_t member)
{
    char text[MEMBER_TEXT_SIZE];

    words_member_at(cluster, member, text);
    msg_put_key_str(w, key, strcmp(text, "none") != 0 ? text : NULL);
}

/* As a number, and as operators of the engine write it. */
static void put_position(struct msg_writer *w, const struct cluster *cluster, uint64_t position)
{
    char text[ENGINE_PRINT_SIZE];

    engine_print_position(cluster->conf->engine, position, text, sizeof(text));
    msg_put_key_uint(w, "position", position);
    msg_put_key_str(w, "position_text", position ? text : NULL);
}

/* How far behind the writer a reader is; nil if either position is not known. */
static void put_lag(struct msg_writer *w, const struct cluster *cluster, uint32_t member)
{
    uint32_t writer = cluster->decision.verdict.writer;
    const struct topo_member *reader = members_said(&cluster->members, member), *from = NULL;

    if (writer < cluster->conf->member_count && writer != member)
        from = members_said(&cluster->members, writer);
    if (!from || !from->answered || !reader->answered || !from->last.position ||
        !reader->last.position)
        msg_put_key_nil(w, "lag");
    else
        msg_put_key_uint(w, "lag",
                         from->last.position > reader->last.position
                             ? from->last.position - reader->last.position
                             : 0);
}

static void put_addresses(struct msg_writer *w, const struct addresses *where)
{
    msg_put_str(w, "addresses");
    msg_put_array(w, where->count);
    for (uint32_t i = 0; i < where->count; i++)
        msg_put_str(w, where->at[i].text);
}

static void put_said(struct msg_writer *w, const struct cluster *cluster, uint32_t member,
                     uint64_t now_ms)
{
    const struct topo_member *at = members_said(&cluster->members, member);

    msg_put_key_str(w, "report", at->heard ? report_kind_name(at->kind) : NULL);
    put_age(w, "report_ms", at->changed_ms, now_ms);
    msg_put_key_str(w, "role", at->answered ? role_name(at->last.role) : NULL);
    put_age(w, "answered_ms", at->answered ? at->answered_ms : 0, now_ms);
    msg_put_key_bool(w, "connected", at->standing);
    msg_put_key_bool(w, "authenticated", at->answered && at->last.authenticated);
    put_term(w, "term", cluster, at->last.term);
    put_identity(w, at->last.identity);
    put_position(w, cluster, at->last.position);
    put_lag(w, cluster, member);
}

/* W12: the evidence for a claim to come. Whom it follows may be no member. */
static void put_heir(struct msg_writer *w, const struct cluster *cluster, uint32_t member)
{
    const struct report *last = &members_said(&cluster->members, member)->last;
    uint32_t source = MEMBER_NONE;
    char text[MEMBER_TEXT_SIZE];

    for (uint32_t i = 0; i < cluster->conf->member_count; i++)
        if (last->follows && members_said(&cluster->members, i)->last.self == last->follows)
            source = i;
    words_member_at(cluster, source, text);
    msg_put_key_bool(w, "heir",
                     last->self && succession_is_heir(&cluster->decision.verdict, last->self));
    msg_put_key_str(w, "follows",
                    source != MEMBER_NONE ? text
                    : last->follows       ? "a server that is no member"
                                          : NULL);
}

/* W4a: what it says of a blue/green deployment, and what it is in the writer's. */
static void put_deployment(struct msg_writer *w, const struct cluster *cluster, uint32_t member)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    enum phase phase = members_said(&cluster->members, member)->last.phase;

    msg_put_key_str(w, "phase", phase != PHASE_NONE ? phase_name(phase) : NULL);
    msg_put_key_str(w, "deployment",
                    verdict->green >> member & 1     ? "green"
                    : verdict->retired >> member & 1 ? "left_behind"
                                                     : NULL);
}

/* W11: other addresses at which a server is asked because of this member's name. */
static void put_places(struct msg_writer *w, const struct cluster *cluster, uint32_t member,
                       uint64_t now_ms)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PLACES_MAX; i++)
        count += cluster->places[i].is.kind != PLACE_FREE && cluster->places[i].is.member == member;
    msg_put_str(w, "places");
    msg_put_array(w, count);
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct probe_place *is = &cluster->places[i].is;
        if (is->kind == PLACE_FREE || is->member != member)
            continue;
        msg_open_map(w);
        put_member_name(w, "place", cluster, PLACE_VOICE(i));
        msg_put_key_str(w, "kind", is->kind == PLACE_LEFT ? "left" : "candidate");
        put_age(w, "left_ms", is->left_ms, now_ms);
        put_said(w, cluster, PLACE_VOICE(i), now_ms);
        const char *error = elsewhere_error(cluster, i);
        msg_put_key_str(w, "error", error[0] ? error : NULL);
        msg_close(w);
    }
}

/* Where the kernel lists connections to the member, if that is not where the agent connects to. */
static void put_listed(struct msg_writer *w, const struct cluster *cluster, uint32_t member)
{
    const struct inet_address *at = &cluster->members.at[member].where.connected.inet;
    const struct inet_address *listed = members_listed(&cluster->members, at);
    char text[64], whole[80];

    inet_address_print(listed, text, sizeof(text));
    snprintf(whole, sizeof(whole), listed->family == 6 ? "[%s]:%u" : "%s:%u", text, listed->port);
    msg_put_key_str(w, "listed", inet_address_same(listed, at) ? NULL : whole);
}

/* Who named it first; nil: it stands in the configuration. */
static void put_discovered(struct msg_writer *w, const struct cluster *cluster, uint32_t member,
                           uint64_t now_ms)
{
    const struct conf_member *is = &cluster->conf->members[member];
    const struct roster *roster = cluster->discovery ? &cluster->discovery->roster : NULL;
    uint32_t i = roster ? roster_find(roster, is->host, is->port) : 0;

    if (!roster || i == roster->count) {
        msg_put_key_nil(w, "discovered");
        return;
    }
    msg_put_str(w, "discovered");
    msg_open_map(w);
    msg_put_key_str(w, "from", roster->at[i].from);
    put_age(w, "since_ms", roster->at[i].since_ms, now_ms);
    put_age(w, "unnamed_ms", roster->at[i].missing_ms, now_ms);
    msg_close(w);
}

static void put_member(struct msg_writer *w, const struct cluster *cluster, uint32_t member,
                       uint64_t now_ms)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    const struct member *known = &cluster->members.at[member];

    msg_open_map(w);
    put_member_name(w, "member", cluster, member);
    msg_put_key_bool(w, "writer", member == verdict->writer);
    msg_put_key_bool(w, "reader", verdict->readers >> member & 1);
    msg_put_key_bool(w, "demoted", verdict->demoted >> member & 1);
    put_said(w, cluster, member, now_ms);
    put_member_name(w, "alias_of", cluster, members_alias_of(&cluster->members, member));
    msg_put_key_bool(w, "failover", cluster->conf->members[member].failover);
    msg_put_key_str(w, "address",
                    known->where.connected.inet.family ? known->where.connected.text : NULL);
    msg_put_key_str(w, "official", known->where.official[0] ? known->where.official : NULL);
    msg_put_key_str(w, "error", known->error[0] ? known->error : NULL);
    msg_put_key_str(w, "note", known->note[0] ? known->note : NULL);
    put_discovered(w, cluster, member, now_ms);
    put_heir(w, cluster, member);
    put_deployment(w, cluster, member);
    put_listed(w, cluster, member);
    put_addresses(w, &known->where);
    put_places(w, cluster, member, now_ms);
    msg_close(w);
}

static void put_members(struct msg_writer *w, const struct cluster *cluster, uint64_t now_ms)
{
    msg_put_str(w, "members");
    msg_put_array(w, cluster->conf->member_count);
    for (uint32_t i = 0; i < cluster->conf->member_count; i++)
        put_member(w, cluster, i, now_ms);
}

static void put_seeds(struct msg_writer *w, const struct cluster *cluster)
{
    const struct discovery *d = cluster->discovery;
    char name[MEMBER_TEXT_SIZE];

    msg_put_str(w, "seeds");
    msg_put_array(w, d ? d->base->seed_count : 0);
    for (uint32_t i = 0; d && i < d->base->seed_count; i++) {
        words_member(&d->base->seeds[i], name);
        msg_open_map(w);
        msg_put_key_str(w, "seed", name);
        msg_put_key_bool(w, "asked", d->seeds);
        msg_put_key_str(w, "error", d->seed_errors[i][0] ? d->seed_errors[i] : NULL);
        msg_close(w);
    }
}

static void put_endpoint(struct msg_writer *w, const struct cluster *cluster, uint32_t i)
{
    const struct conf_endpoint *endpoint = &cluster->conf->endpoints[i];
    char id[24];

    snprintf(id, sizeof(id), "%016" PRIx64, cluster->endpoints[i].id);
    msg_open_map(w);
    msg_put_str(w, "names");
    msg_put_array(w, endpoint->name_count);
    for (uint32_t n = 0; n < endpoint->name_count; n++)
        msg_put_str(w, endpoint->names[n].text);
    msg_put_key_str(w, "role", endpoint->role == VIEW_ROLE_READER ? "reader" : "writer");
    msg_put_key_str(w, "mode", view_mode_name(cluster->mode ? cluster->mode : endpoint->mode));
    msg_put_key_uint(w, "generation", cluster->endpoints[i].generation);
    msg_put_key_str(w, "id", id);
    msg_put_key_uint(w, "hold_ms", endpoint->hold_ms);
    msg_put_str(w, "other_ports");
    msg_put_array(w, endpoint->port_count);
    for (uint32_t n = 0; n < endpoint->port_count; n++)
        msg_put_uint(w, endpoint->ports[n]);
    msg_close(w);
}

static void put_endpoints(struct msg_writer *w, const struct cluster *cluster)
{
    msg_put_str(w, "endpoints");
    msg_put_array(w, cluster->conf->endpoint_count);
    for (uint32_t i = 0; i < cluster->conf->endpoint_count; i++)
        put_endpoint(w, cluster, i);
}

static void put_alarm(struct msg_writer *w, const char *alarm, const char *text,
                      const char *command)
{
    msg_open_map(w);
    msg_put_key_str(w, "alarm", alarm);
    msg_put_key_str(w, "text", text);
    msg_put_key_str(w, "command", command && command[0] ? command : NULL);
    msg_close(w);
}

static void put_alarms(struct msg_writer *w, const struct cluster *cluster)
{
    char text[512], command[MEMBER_TEXT_SIZE + 300];

    msg_put_str(w, "alarms");
    msg_open_array(w);
    for (int alarm = 0; alarm < ALARM_COUNT; alarm++)
        if (cluster->decision.alarms & (1u << alarm)) {
            words_alarm(cluster, (enum alarm)alarm, text, sizeof(text), command, sizeof(command));
            put_alarm(w, alarm_name((enum alarm)alarm), text, command);
        }
    msg_close(w);
}

static void put_warnings(struct msg_writer *w, const struct cluster *cluster)
{
    char text[700], member[MEMBER_TEXT_SIZE];

    msg_put_str(w, "warnings");
    msg_open_array(w);
    for (uint32_t warning = 0; warning < WARNING_COUNT; warning++) {
        if (!(cluster->warnings.raised >> warning & 1))
            continue;
        words_warning(cluster, warning, text, sizeof(text));
        words_member_at(cluster, warning, member);
        msg_open_map(w);
        msg_put_key_str(w, "warning", warning_name(warning));
        msg_put_key_str(w, "member", warning < HOMING_MEMBERS_MAX ? member : NULL);
        msg_put_key_str(w, "text", text);
        msg_close(w);
    }
    msg_close(w);
}

/* W9: others confirm a writer that is silent. Before it was heard or asked in vain, nobody has since the
 * start. */
static const char *confirmed_by(const struct cluster *cluster)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    if (verdict->writer >= cluster->conf->member_count || !verdict->confirmed_ms)
        return NULL;
    const struct topo_member *said = members_said(&cluster->members, verdict->writer);
    /* Who says meanwhile that it is a reader confirms nothing, and others did so before. */
    if (!said->heard || (said->answered && said->last.role != ROLE_WRITER))
        return NULL;
    return said->answered && said->answered_ms >= verdict->confirmed_ms ? "writer" : "others";
}

static void put_verdict(struct msg_writer *w, const struct cluster *cluster, uint64_t now_ms)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    msg_put_key_str(w, "state", cluster_state_name(verdict->state));
    msg_put_key_str(w, "reason", reason_name(verdict->reason));
    msg_put_key_str(w, "reason_text", words_reason(cluster));
    put_member_name(w, "writer", cluster, verdict->writer);
    put_member_name(w, "rival", cluster, verdict->rival);
    put_age(w, "since_ms", verdict->since_ms, now_ms);
    put_age(w, "confirmed_ms", verdict->confirmed_ms, now_ms);
    msg_put_key_str(w, "confirmed_by", confirmed_by(cluster));
    put_term(w, "term", cluster, verdict->term);
    put_identity(w, verdict->identity);
    msg_put_key_bool(w, "authenticated", verdict->authenticated);
    msg_put_key_bool(w, "frozen", verdict->frozen);
    msg_put_key_bool(w, "braked", verdict->braked);
    msg_put_key_uint(w, "switches", verdict->switches);
    put_age(w, "switchover_ms", verdict->phase >= PHASE_IN_PROGRESS ? verdict->phase_ms : 0,
            now_ms);
}

void status_put_cluster(const struct cluster *cluster, struct msg_writer *w)
{
    uint64_t now_ms = loop_now_ms(cluster->daemon->loop);

    msg_open_map(w);
    msg_put_key_str(w, "cluster", cluster->conf->name);
    msg_put_key_str(w, "engine", cluster->conf->engine->name);
    msg_put_key_str(w, "lag_unit", cluster->conf->engine->lag_unit);
    put_verdict(w, cluster, now_ms);
    msg_put_key_str(w, "mode", cluster->mode ? view_mode_name(cluster->mode) : NULL);
    msg_put_key_str(w, "pace", pace_name(cluster->pace));
    msg_put_key_uint(w, "max_stale_ms", cluster->conf->timing.max_stale_ms);
    msg_put_key_uint(w, "severed", cluster->severing.severed);
    msg_put_key_uint(w, "would_sever", cluster->severing.would_sever);
    msg_put_key_uint(w, "not_severed", cluster->severing.not_severed);
    msg_put_key_uint(w, "spared_older", cluster->severing.older);
    put_members(w, cluster, now_ms);
    put_seeds(w, cluster);
    put_age(w, "told_ms", cluster->discovery ? cluster->discovery->roster.taken_ms : 0, now_ms);
    put_endpoints(w, cluster);
    put_alarms(w, cluster);
    put_warnings(w, cluster);
    msg_close(w);
}

static void put_view(struct msg_writer *w, const struct daemon *daemon)
{
    msg_put_str(w, "view");
    msg_open_map(w);
    msg_put_key_uint(w, "instance", view_instance(daemon->view));
    msg_put_key_uint(w, "size", view_bytes(daemon->view));
    msg_put_key_uint(w, "names", view_writer(daemon->view)->names);
    msg_close(w);
}

void status_put_lost_pids(struct msg_writer *w, const struct daemon *daemon, bool for_certain)
{
    const struct lost *lost = sever_client_lost(daemon->sever_client);
    int pids[LOST_PIDS_MAX];
    bool said = lost && (!for_certain || lost_is_alarm(lost));
    uint32_t count = said ? lost_pids(lost, pids, LOST_PIDS_MAX) : 0;

    msg_put_str(w, "lost_pids");
    msg_put_array(w, count);
    for (uint32_t i = 0; i < count; i++)
        msg_put_uint(w, (uint64_t)pids[i]);
}

static void put_severing(struct msg_writer *w, const struct daemon *daemon)
{
    const struct sever_client_status *status = sever_client_status(daemon->sever_client);
    const struct lost *lost = sever_client_lost(daemon->sever_client);
    const char *hindrance = sever_client_hindrance(daemon->sever_client);

    msg_put_str(w, "severing");
    msg_open_map(w);
    msg_put_key_bool(w, "available", !hindrance);
    msg_put_key_str(w, "why", hindrance);
    msg_put_key_uint(w, "pid", status->pid);
    msg_put_key_uint(w, "processes", status->processes);
    msg_put_key_uint(w, "lost", lost ? lost_count(lost) : 0);
    status_put_lost_pids(w, daemon, false);
    msg_put_key_uint(w, "without_room", status->without_room);
    msg_put_key_uint(w, "short_uid", status->short_uid);
    msg_put_key_uint(w, "short_count", status->short_count);
    msg_put_key_uint(w, "redirected", status->counts[TAG_COUNT_REDIRECTED]);
    msg_put_key_uint(w, "would_redirect", status->counts[TAG_COUNT_WOULD_REDIRECT]);
    msg_put_key_uint(w, "refused", status->counts[TAG_COUNT_REFUSED]);
    msg_put_key_uint(w, "shared_address", status->counts[TAG_COUNT_SHARED_ADDRESS]);
    msg_put_key_uint(w, "mptcp_late", status->severed.mptcp_late);
    msg_put_key_uint(w, "mptcp_hidden", status->severed.mptcp_hidden);
    msg_put_key_uint(w, "behind", status->severed.behind);
    msg_put_key_uint(w, "given_up", status->severed.given_up);
    msg_close(w);
}

static void put_agent_alarms(struct msg_writer *w, const struct daemon *daemon)
{
    const struct lost *lost = sever_client_lost(daemon->sever_client);
    const struct sever_client_status *severer = sever_client_status(daemon->sever_client);
    char text[LOST_TEXT_SIZE];

    msg_put_str(w, "alarms");
    msg_open_array(w);
    if (daemon->state_error[0]) {
        snprintf(text, sizeof(text),
                 "verdicts and orders cannot be saved, and a restart of homingd may begin with "
                 "older ones: %s",
                 daemon->state_error);
        put_alarm(w, "state_unsaved", text, NULL);
    }
    if (daemon->serve_error[0])
        put_alarm(w, "socket_unreachable", daemon->serve_error, NULL);
    if (severer->unreachable[0])
        put_alarm(w, "severer_unreachable", severer->unreachable, NULL);
    if (daemon->descriptors_missing) {
        snprintf(text, sizeof(text),
                 "the limit of open files is %" PRIu64 " too low for all members and clients",
                 daemon->descriptors_missing);
        put_alarm(w, "descriptors_short", text, NULL);
    }
    if (lost && lost_is_alarm(lost)) {
        lost_print(lost, text, sizeof(text));
        put_alarm(w, "permits_lost", text, lost_command(lost));
    }
    msg_close(w);
}

static void put_agent(const struct daemon *daemon, struct msg_writer *w)
{
    msg_open_map(w);
    msg_put_key_str(w, "version", PACKAGE_VERSION);
    msg_put_key_uint(w, "pid", (uint64_t)getpid());
    msg_put_key_uint(w, "up_ms", loop_now_ms(daemon->loop) - daemon->started_ms);
    msg_put_key_str(w, "config", daemon->held->conf->file);
    msg_put_key_str(w, "run_dir", daemon->held->conf->run_dir);
    msg_put_key_str(w, "state_dir", daemon->held->conf->state_dir);
    put_view(w, daemon);
    put_severing(w, daemon);
    put_agent_alarms(w, daemon);
    msg_put_str(w, "clusters");
    msg_put_array(w, daemon->cluster_count);
    for (uint32_t i = 0; i < daemon->cluster_count; i++)
        status_put_cluster(daemon->clusters[i], w);
    msg_close(w);
}

/* ---- the methods ---- */

void status_version(struct call *call)
{
    msg_put_reply(call->reply, call->id);
    msg_open_map(call->reply);
    msg_put_key_str(call->reply, "version", PACKAGE_VERSION);
    msg_put_key_uint(call->reply, "view_major", VIEW_MAJOR);
    msg_put_key_uint(call->reply, "view_minor", VIEW_MINOR);
    msg_close(call->reply);
}

void status_call(struct call *call)
{
    msg_put_reply(call->reply, call->id);
    put_agent(call->daemon, call->reply);
}

void status_history(struct call *call)
{
    const char *cluster = call_param(call, 0);

    if (cluster && !cluster_find(call->daemon, cluster)) {
        call_refuse_cluster(call, cluster);
        return;
    }
    msg_put_reply(call->reply, call->id);
    history_put(&call->daemon->history, loop_now_ms(call->daemon->loop), cluster, HISTORY_LIMIT,
                call->reply);
}

void status_watch(struct call *call)
{
    *call->ret_fd = SERVE_WATCH;
    msg_put_reply(call->reply, call->id);
    msg_put_bool(call->reply, true);
}
