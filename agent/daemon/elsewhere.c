/* SPDX-License-Identifier: Apache-2.0
 *
 * elsewhere.c - see elsewhere.h.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/daemon/elsewhere.h"
#include "agent/daemon/words.h"
#include "proto/hash.h"

/* ---- the sink's calls ---- */

static bool is_members(const struct cluster *cluster, uint32_t but,
                       const struct inet_address *address)
{
    for (uint32_t m = 0; m < cluster->members.count; m++)
        if (m != but &&
            (addresses_hold(&cluster->members.at[m].where, address) ||
             (cluster->members.at[m].where.connected.inet.family &&
              inet_address_same(&cluster->members.at[m].where.connected.inet, address))))
            return true;
    return false;
}

/* The same host and port in another cluster: it moves there, too. MEMBER_NONE: there is none. */
static uint32_t find_same(const struct cluster *cluster, const struct conf_member *member)
{
    for (uint32_t m = 0; m < cluster->conf->member_count; m++)
        if (cluster->conf->members[m].port == member->port &&
            strcasecmp(cluster->conf->members[m].host, member->host) == 0)
            return m;
    return MEMBER_NONE;
}

bool elsewhere_taken(const struct cluster *cluster, uint32_t member,
                     const struct inet_address *address)
{
    const struct daemon *daemon = cluster->daemon;

    if (is_members(cluster, member, address))
        return true;
    for (uint32_t i = 0; i < daemon->cluster_count; i++) {
        const struct cluster *other = daemon->clusters[i];
        if (other != cluster && strcmp(other->conf->name, cluster->conf->name) != 0 &&
            is_members(other, find_same(other, &cluster->conf->members[member]), address))
            return true;
    }
    return false;
}

bool elsewhere_behind(const struct cluster *cluster, const struct inet_address *address)
{
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct cluster_place *at = &cluster->places[i];
        if (at->is.kind == PLACE_LEFT && at->behind &&
            inet_address_same(&at->is.address.inet, address))
            return true;
    }
    return false;
}

static void tell(struct cluster *cluster, uint32_t place)
{
    const struct probe_place *is = &cluster->places[place].is;

    decision_set_place(&cluster->decision, place,
                       &(struct topo_place){
                           .kind = is->kind,
                           .member = is->member,
                           .named = is->named,
                           .abandoned = is->abandoned,
                           .behind = cluster->places[place].behind,
                       });
}

void elsewhere_take(struct cluster *cluster, uint32_t place, const struct probe_place *known)
{
    struct cluster_place *at = &cluster->places[place];

    if (at->is.kind != known->kind || at->is.member != known->member ||
        !inet_address_same(&at->is.address.inet, &known->address.inet)) {
        /* Another address under the same number: nothing that was said there counts. */
        decision_set_place(&cluster->decision, place, &(struct topo_place){.kind = PLACE_FREE});
        *at = (struct cluster_place){
            .identity = cluster->leaving_identity,
            .incarnation = cluster->leaving_incarnation,
            .behind = known->kind == PLACE_LEFT && cluster->leaving_behind,
        };
    }
    at->is = *known;
    tell(cluster, place);
}

void elsewhere_again(struct cluster *cluster)
{
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        tell(cluster, i);
        decision_note_shown(&cluster->decision, cluster->places[i].incarnation);
    }
}

/* ---- reports ---- */

/* Where a switchover left a server behind, it may be one that starts: W4a. */
static bool is_somebody_else(const struct cluster_place *at, const struct report *report)
{
    if (at->behind)
        return false;
    if (report->kind == REPORT_ODD) /* it is not this engine any more */
        return true;
    return report->kind == REPORT_ANSWER && at->identity != 0 && report->identity != at->identity;
}

static bool is_left_no_more(const struct cluster *cluster, uint32_t place,
                            const struct report *report)
{
    return is_somebody_else(&cluster->places[place], report) ||
           (report->kind == REPORT_ANSWER &&
            topo_aliases(&cluster->decision.topo, PLACE_VOICE(place)) != 0);
}

/* Whatever else comes says nothing of who is there: it may be somebody who does not know this
 * agent's role. */
static bool is_still(const struct cluster *cluster, uint32_t place, const struct report *report)
{
    return report->kind == REPORT_ANSWER && report->identity != 0 &&
           report->identity == cluster->places[place].identity;
}

bool elsewhere_note_report(struct cluster *cluster, const struct report *report)
{
    uint32_t place = report->member - HOMING_MEMBERS_MAX;
    bool was;

    if (report->member < HOMING_MEMBERS_MAX || cluster->places[place].is.kind != PLACE_LEFT)
        return false;
    was = cluster->places[place].still;
    cluster->places[place].still = is_still(cluster, place, report);
    if (is_left_no_more(cluster, place, report))
        probe_forget(cluster->probe, place);
    return cluster->places[place].is.kind != PLACE_LEFT || cluster->places[place].still != was;
}

/* ---- moves ---- */

/* W4a: what the member had left before, too, as the decision knows already. */
static void leave_behind(struct cluster *cluster, uint32_t member)
{
    for (uint32_t i = 0; i < PLACES_MAX; i++)
        if (cluster->places[i].is.kind == PLACE_LEFT && cluster->places[i].is.member == member)
            cluster->places[i].behind = true;
}

void elsewhere_move(struct cluster *cluster, const struct actions *actions,
                    const struct verdict *before)
{
    if (actions->moved == MEMBER_NONE)
        return;
    if (actions->left_behind)
        leave_behind(cluster, actions->moved);
    cluster->leaving_behind = actions->left_behind;
    cluster->leaving_identity = before->identity;
    cluster->leaving_incarnation = actions->left_incarnation;
    probe_move(cluster->probe, actions->moved_place);
    cluster->leaving_identity = cluster->leaving_incarnation = 0;
    cluster->leaving_behind = false;
}

static void restore(struct cluster *cluster, const struct state_left *left)
{
    struct address address = {.inet = left->address};
    uint64_t now_ms = loop_now_ms(cluster->daemon->loop);

    inet_address_print(&address.inet, address.text, sizeof(address.text));
    decision_note_shown(&cluster->decision, left->incarnation);
    cluster->leaving_identity = left->identity;
    cluster->leaving_incarnation = left->incarnation;
    cluster->leaving_behind = left->behind;
    probe_leave(cluster->probe, left->member, &address, left->left_ms ? left->left_ms : now_ms);
    cluster->leaving_identity = cluster->leaving_incarnation = 0;
    cluster->leaving_behind = false;
}

void elsewhere_restore(struct cluster *cluster, const struct state_cluster *saved)
{
    for (uint32_t i = 0; i < saved->left_count; i++)
        restore(cluster, &saved->left[i]);
}

void elsewhere_begin(struct cluster *cluster, const struct state_cluster *saved)
{
    elsewhere_restore(cluster, saved);
    for (uint32_t i = 0; i < saved->at_count; i++) {
        const struct state_left *at = &saved->at[i];
        decision_note_known(&cluster->decision, at->member, at->incarnation);
        probe_know(cluster->probe, at->member, &(struct address){.inet = at->address});
    }
}

void elsewhere_inherit(struct cluster *cluster, const struct cluster *old,
                       const uint32_t map[HOMING_MEMBERS_MAX])
{
    struct state_cluster saved;

    elsewhere_save(old, &saved);
    for (uint32_t i = 0; i < saved.left_count; i++) {
        saved.left[i].member = map[saved.left[i].member];
        if (saved.left[i].member != MEMBER_NONE)
            restore(cluster, &saved.left[i]);
    }
}

/* ---- what others look at ---- */

/* A member that is known by its address is where that says. */
static void save_at(const struct cluster *cluster, struct state_cluster *saved)
{
    saved->at_count = 0;
    for (uint32_t m = 0; m < cluster->members.count; m++) {
        const struct address *at = &cluster->members.at[m].where.connected;
        if (at->inet.family && strcmp(at->text, cluster->conf->members[m].host) != 0)
            saved->at[saved->at_count++] = (struct state_left){
                .member = m,
                .address = at->inet,
                .identity = members_said(&cluster->members, m)->last.identity,
                .incarnation = topo_incarnation(&cluster->decision.topo, m),
            };
    }
}

void elsewhere_save(const struct cluster *cluster, struct state_cluster *saved)
{
    save_at(cluster, saved);
    saved->left_count = 0;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct cluster_place *at = &cluster->places[i];
        if (at->is.kind == PLACE_LEFT)
            saved->left[saved->left_count++] = (struct state_left){
                .member = at->is.member,
                .address = at->is.address.inet,
                .identity = at->identity,
                .incarnation = at->incarnation,
                .left_ms = at->is.left_ms,
                .behind = at->behind,
            };
    }
}

/* An address that a member has is not left any more, whoever has it. */
void elsewhere_left(const struct cluster *cluster, struct left_addresses *ret_left)
{
    ret_left->count = ret_left->still = 0;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct cluster_place *at = &cluster->places[i];
        if (at->is.kind != PLACE_LEFT || is_members(cluster, MEMBER_NONE, &at->is.address.inet))
            continue;
        ret_left->still |= (uint32_t)at->still << ret_left->count;
        ret_left->at[ret_left->count++] = at->is.address;
    }
}

uint64_t elsewhere_mark(const struct cluster *cluster)
{
    uint64_t mark = HASH_START;

    for (uint32_t m = 0; m < cluster->members.count; m++) {
        const char *text = cluster->members.at[m].where.connected.text;
        if (strcmp(text, cluster->conf->members[m].host) != 0)
            mark = hash_bytes(mark, text, strlen(text) + 1);
    }
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct cluster_place *at = &cluster->places[i];
        if (at->is.kind != PLACE_LEFT)
            continue;
        mark = hash_bytes(mark, at->is.address.text, strlen(at->is.address.text) + 1);
        mark = hash_bytes(mark, &at->is.member, sizeof(at->is.member));
    }
    return mark;
}

const char *elsewhere_last_left(const struct cluster *cluster, uint32_t member)
{
    const struct cluster_place *last = NULL;

    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct cluster_place *at = &cluster->places[i];
        if (at->is.kind == PLACE_LEFT && at->is.member == member &&
            (!last || at->is.left_ms > last->is.left_ms))
            last = at;
    }
    return last ? last->is.address.text : NULL;
}

const char *elsewhere_error(const struct cluster *cluster, uint32_t place)
{
    return probe_place_error(cluster->probe, place);
}

uint32_t elsewhere_find(const struct cluster *cluster, const char *text)
{
    char spelled[MEMBER_TEXT_SIZE];

    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        if (cluster->places[i].is.kind == PLACE_FREE)
            continue;
        words_member_at(cluster, PLACE_VOICE(i), spelled);
        if (strcmp(text, spelled) == 0)
            return PLACE_VOICE(i);
    }
    return MEMBER_NONE;
}
