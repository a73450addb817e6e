/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c - the result of `status`, and the parts that `explain` shares with it. The keys are
 * those of proto/PROTOCOL.md; times are ages in ms, so that no reader needs our clock.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/daemon/parts.h"

/* nil: it never happened. */
static void put_age(struct msg_writer *w, const char *key, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms)
        msg_put_key_uint(w, key, now_ms > at_ms ? now_ms - at_ms : 0);
    else
        msg_put_key_nil(w, key);
}

static void put_term(struct msg_writer *w, const char *key, struct term term)
{
    char text[48];

    run_text_term(term, text, sizeof(text));
    msg_put_key_str(w, key, term.hi || term.lo ? text : NULL);
}

/* As text: more than the 53 bits that JSON's readers keep. */
static void put_identity(struct msg_writer *w, uint64_t identity)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, identity);
    msg_put_key_str(w, "identity", identity ? text : NULL);
}

static void put_member_name(struct msg_writer *w, const char *key, const struct run_cluster *rc,
                            uint32_t member)
{
    char text[MEMBER_TEXT_SIZE];

    run_text_member_at(rc, member, text);
    msg_put_key_str(w, key, member < rc->conf->member_count ? text : NULL);
}

/* Another, earlier member that is the same running server; MEMBER_NONE. */
static uint32_t alias_of(const struct run_cluster *rc, uint32_t member)
{
    uint32_t aliases = topo_aliases(&rc->mind.topo, member) & ((1u << member) - 1);

    return aliases ? (uint32_t)__builtin_ctz(aliases) : MEMBER_NONE;
}

/* How far behind the writer a reader is; nil if either position is not known. */
static void put_lag(struct msg_writer *w, const struct run_cluster *rc, uint32_t member)
{
    const struct member_view *at = rc->mind.topo.at;
    uint32_t writer = rc->mind.verdict.writer;
    uint64_t written, replayed;

    if (writer >= rc->conf->member_count || writer == member || !at[writer].answered ||
        !at[member].answered || !at[writer].last.position || !at[member].last.position) {
        msg_put_key_nil(w, "lag");
        return;
    }
    written = at[writer].last.position;
    replayed = at[member].last.position;
    msg_put_key_uint(w, "lag", written > replayed ? written - replayed : 0);
}

static void put_addresses(struct msg_writer *w, const struct probe_member *member)
{
    msg_put_str(w, "addresses");
    msg_put_array(w, member->address_count);
    for (uint32_t i = 0; i < member->address_count; i++)
        msg_put_str(w, member->addresses[i].text);
}

static void put_said(struct msg_writer *w, const struct run_cluster *rc, uint32_t member,
                     uint64_t now_ms)
{
    const struct member_view *at = &rc->mind.topo.at[member];

    msg_put_key_str(w, "report", at->heard ? report_kind_name(at->kind) : NULL);
    put_age(w, "report_ms", at->changed_ms, now_ms);
    msg_put_key_str(w, "role", at->answered ? role_name(at->last.role) : NULL);
    put_age(w, "answered_ms", at->answered ? at->answered_ms : 0, now_ms);
    msg_put_key_bool(w, "connected", at->standing);
    msg_put_key_bool(w, "authenticated", at->answered && at->last.authenticated);
    put_term(w, "term", at->last.term);
    put_identity(w, at->last.identity);
    msg_put_key_uint(w, "position", at->last.position);
    put_lag(w, rc, member);
}

static void put_member(struct msg_writer *w, struct run_cluster *rc, uint32_t member,
                       uint64_t now_ms)
{
    const struct verdict *verdict = &rc->mind.verdict;
    struct probe_member probed;

    probe_member(rc->probe, member, &probed);
    msg_open_map(w);
    put_member_name(w, "member", rc, member);
    msg_put_key_bool(w, "writer", member == verdict->writer);
    msg_put_key_bool(w, "reader", verdict->readers >> member & 1);
    msg_put_key_bool(w, "demoted", verdict->demoted >> member & 1);
    put_said(w, rc, member, now_ms);
    put_member_name(w, "alias_of", rc, alias_of(rc, member));
    msg_put_key_bool(w, "failover", rc->conf->members[member].failover);
    msg_put_key_str(w, "address", probed.connected ? probed.connected->text : NULL);
    msg_put_key_str(w, "error", probed.text && probed.text[0] ? probed.text : NULL);
    msg_put_key_str(w, "note", probed.note && probed.note[0] ? probed.note : NULL);
    put_addresses(w, &probed);
    msg_close(w);
}

static void put_members(struct msg_writer *w, struct run_cluster *rc, uint64_t now_ms)
{
    msg_put_str(w, "members");
    msg_put_array(w, rc->conf->member_count);
    for (uint32_t i = 0; i < rc->conf->member_count; i++)
        put_member(w, rc, i, now_ms);
}

static void put_endpoint(struct msg_writer *w, const struct run_cluster *rc, uint32_t i)
{
    const struct conf_endpoint *endpoint = &rc->conf->endpoints[i];
    char id[24];

    snprintf(id, sizeof(id), "%016" PRIx64, rc->endpoints[i].id);
    msg_open_map(w);
    msg_put_str(w, "names");
    msg_put_array(w, endpoint->name_count);
    for (uint32_t n = 0; n < endpoint->name_count; n++)
        msg_put_str(w, endpoint->names[n]);
    msg_put_key_str(w, "role", endpoint->role == CONF_ROLE_READER ? "reader" : "writer");
    msg_put_key_str(w, "mode", conf_mode_name(rc->mode ? rc->mode : endpoint->mode));
    msg_put_key_uint(w, "generation", rc->endpoints[i].generation);
    msg_put_key_str(w, "id", id);
    msg_put_key_uint(w, "hold_ms", endpoint->hold_ms);
    msg_close(w);
}

static void put_endpoints(struct msg_writer *w, const struct run_cluster *rc)
{
    msg_put_str(w, "endpoints");
    msg_put_array(w, rc->conf->endpoint_count);
    for (uint32_t i = 0; i < rc->conf->endpoint_count; i++)
        put_endpoint(w, rc, i);
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

static void put_alarms(struct msg_writer *w, const struct run_cluster *rc)
{
    char text[512], command[MEMBER_TEXT_SIZE + 300];

    msg_put_str(w, "alarms");
    msg_open_array(w);
    for (int alarm = 0; alarm < ALARM_COUNT; alarm++)
        if (rc->mind.alarms & (1u << alarm)) {
            run_text_alarm(rc, (enum alarm)alarm, text, sizeof(text), command, sizeof(command));
            put_alarm(w, alarm_name((enum alarm)alarm), text, command);
        }
    msg_close(w);
}

static void put_verdict(struct msg_writer *w, const struct run_cluster *rc, uint64_t now_ms)
{
    const struct verdict *verdict = &rc->mind.verdict;

    msg_put_key_str(w, "state", cluster_state_name(verdict->state));
    msg_put_key_str(w, "reason", reason_name(verdict->reason));
    msg_put_key_str(w, "reason_text", reason_text(verdict->reason));
    put_member_name(w, "writer", rc, verdict->writer);
    put_member_name(w, "rival", rc, verdict->rival);
    put_age(w, "since_ms", verdict->since_ms, now_ms);
    put_age(w, "confirmed_ms", verdict->confirmed_ms, now_ms);
    put_term(w, "term", verdict->term);
    put_identity(w, verdict->identity);
    msg_put_key_bool(w, "authenticated", verdict->authenticated);
    msg_put_key_bool(w, "frozen", verdict->frozen);
    msg_put_key_bool(w, "braked", verdict->braked);
    msg_put_key_uint(w, "switches", verdict->switches);
}

void run_status_put_cluster(struct run_cluster *rc, struct msg_writer *w)
{
    uint64_t now_ms = loop_now_ms(rc->run->loop);

    msg_open_map(w);
    msg_put_key_str(w, "cluster", rc->conf->name);
    msg_put_key_str(w, "engine", rc->conf->engine);
    put_verdict(w, rc, now_ms);
    msg_put_key_str(w, "mode", rc->mode ? conf_mode_name(rc->mode) : NULL);
    msg_put_key_str(w, "pace", pace_name(rc->pace));
    msg_put_key_uint(w, "max_stale_ms", rc->conf->timing.max_stale_ms);
    msg_put_key_uint(w, "severed", rc->sever.severed);
    msg_put_key_uint(w, "would_sever", rc->sever.would_sever);
    msg_put_key_uint(w, "not_severed", rc->sever.not_severed);
    put_members(w, rc, now_ms);
    put_endpoints(w, rc);
    put_alarms(w, rc);
    msg_close(w);
}

static void put_view(struct msg_writer *w, const struct run *run)
{
    msg_put_str(w, "view");
    msg_open_map(w);
    msg_put_key_uint(w, "instance", view_instance(run->view));
    msg_put_key_uint(w, "size", view_bytes(run->view));
    msg_put_key_uint(w, "names", view_writer(run->view)->names);
    msg_close(w);
}

static void put_severing(struct msg_writer *w, const struct run *run)
{
    const struct sever_client_status *status = sever_client_status(run->sever_client);
    bool available = status->instance && status->able;
    char why[256];

    snprintf(why, sizeof(why), "%s%s", status->why,
             status->instance ? "" : ": start homing-sever, or homingd with CAP_NET_ADMIN");
    msg_put_str(w, "severing");
    msg_open_map(w);
    msg_put_key_bool(w, "available", available);
    msg_put_key_str(w, "why", available ? NULL : why);
    msg_put_key_uint(w, "pid", status->pid);
    msg_put_key_uint(w, "processes", status->processes);
    msg_put_key_uint(w, "redirected", status->counts[TAG_COUNT_REDIRECTED]);
    msg_put_key_uint(w, "would_redirect", status->counts[TAG_COUNT_WOULD_REDIRECT]);
    msg_put_key_uint(w, "refused", status->counts[TAG_COUNT_REFUSED]);
    msg_put_key_uint(w, "shared_address", status->counts[TAG_COUNT_SHARED_ADDRESS]);
    msg_close(w);
}

static void put_agent_alarms(struct msg_writer *w, const struct run *run)
{
    char text[400];

    msg_put_str(w, "alarms");
    msg_open_array(w);
    if (run->state_error[0]) {
        snprintf(text, sizeof(text),
                 "verdicts are not saved: a restart may begin with older ones: %s",
                 run->state_error);
        put_alarm(w, "state_unsaved", text, NULL);
    }
    if (run->descriptors_missing) {
        snprintf(text, sizeof(text),
                 "the limit of open files is %" PRIu64 " too low for all members and clients",
                 run->descriptors_missing);
        put_alarm(w, "descriptors_short", text, NULL);
    }
    msg_close(w);
}

void run_status_put(struct run *run, struct msg_writer *w)
{
    msg_open_map(w);
    msg_put_key_str(w, "version", PACKAGE_VERSION);
    msg_put_key_uint(w, "pid", (uint64_t)getpid());
    msg_put_key_uint(w, "up_ms", loop_now_ms(run->loop) - run->started_ms);
    msg_put_key_str(w, "config", run->held->conf->file);
    msg_put_key_str(w, "run_dir", run->held->conf->run_dir);
    msg_put_key_str(w, "state_dir", run->held->conf->state_dir);
    put_view(w, run);
    put_severing(w, run);
    put_agent_alarms(w, run);
    msg_put_str(w, "clusters");
    msg_put_array(w, run->cluster_count);
    for (uint32_t i = 0; i < run->cluster_count; i++)
        run_status_put_cluster(run->clusters[i], w);
    msg_close(w);
}
