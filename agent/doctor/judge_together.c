/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_together.c - see judge_together.h. What the agent would make of it is decide's; here is only
 * what an operator should mend before.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "agent/doctor/judge_together.h"
#include "agent/doctor/label.h"

/* A member that answered. */
struct voice {
    const struct seen_server *server;
    const struct report *report;
    char label[LABEL_SIZE];
    bool again; /* one before it is the same server */
    bool green; /* W4a: its claim counts for nothing yet */
};

struct voices {
    struct voice at[HOMING_MEMBERS_MAX];
    uint32_t count;
    bool all;         /* no member is missing */
    enum phase phase; /* W4a: of a deployment whose green servers are not the writer's yet */
};

/* Where only seeds are configured, and nobody that they name answers, they speak. */
static bool seeds_speak(const struct seen_cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->server_count; i++)
        if (cluster->servers[i].named && seen_answer(&cluster->servers[i]))
            return false;
    return cluster->conf->member_count == 0;
}

/* ---- a blue/green deployment (W4a) ---- */

static bool names_green(const struct voice *by, const struct voice *green)
{
    const struct topology *told = seen_answer(by->server)->told;

    for (uint32_t i = 0; told && i < told->count; i++)
        if (told->at[i].green && strcasecmp(told->at[i].host, green->server->member->host) == 0)
            return true;
    return false;
}

static bool is_ahead(const struct voice *v)
{
    return v->report->phase >= PHASE_AVAILABLE && v->report->phase <= PHASE_IN_PROGRESS;
}

static bool is_blue(const struct voice *v)
{
    return is_ahead(v) && !names_green(v, v);
}

/* The writer's word on how far it is counts before that of others. */
static void mark_named(struct voices *voices, const struct voice *blue)
{
    for (uint32_t i = 0; i < voices->count; i++) {
        struct voice *v = &voices->at[i];
        if (!is_ahead(v) || !names_green(v, v) || !names_green(blue, v))
            continue;
        v->green = true;
        if (voices->phase == PHASE_NONE || blue->report->role == ROLE_WRITER)
            voices->phase = blue->report->phase;
    }
}

/* Green is who says so itself, and is named by a server that is not. */
static void mark_green(struct voices *voices)
{
    voices->phase = PHASE_NONE;
    for (uint32_t i = 0; i < voices->count; i++)
        if (is_blue(&voices->at[i]))
            mark_named(voices, &voices->at[i]);
}

static void gather(const struct seen_cluster *cluster, struct voices *ret)
{
    bool seeds = seeds_speak(cluster);

    ret->count = 0;
    ret->all = !seeds;
    for (uint32_t i = 0; i < cluster->server_count && ret->count < HOMING_MEMBERS_MAX; i++) {
        const struct seen_server *server = &cluster->servers[i];
        const struct seen_visit *answer = seen_answer(server);
        struct voice *v = &ret->at[ret->count];
        if (server->seed != seeds)
            continue;
        ret->all = ret->all && answer;
        if (!answer)
            continue;
        *v = (struct voice){.server = server, .report = &answer->report};
        label_server(server, v->label);
        ret->count++;
    }
    mark_green(ret);
}

/* ---- no server twice ---- */

static bool is_same_server(const struct report *a, const struct report *b)
{
    return a->incarnation != 0 && a->incarnation == b->incarnation && a->identity == b->identity;
}

/* A member that others name by another name: homing asks it twice. */
static void add_twins(struct findings *f, const struct voice *one, const struct voice *other)
{
    if (other->server->named && !one->server->named)
        findings_add(f, FINDING_REMARK,
                     "write it in members as host_patterns make it, or take it out of members",
                     "%s and %s are one server under two names: homing counts it once (W1)",
                     one->label, other->label);
    else if (other->server->named)
        findings_add(
            f, FINDING_PROBLEM,
            "correct host_patterns or DNS: each server needs a name that leads to it alone",
            "%s and %s are one server, but others name two", one->label, other->label);
    else if (!other->server->seed)
        findings_add(f, FINDING_PROBLEM,
                     "list each server once, by a name that never leads to another one",
                     "%s and %s are one server under two names", one->label, other->label);
}

static void judge_twins(struct findings *f, struct voices *voices)
{
    for (uint32_t i = 1; i < voices->count; i++)
        for (uint32_t j = 0; j < i; j++) {
            struct voice *one = &voices->at[j], *other = &voices->at[i];
            if (other->again || one->again || !is_same_server(one->report, other->report))
                continue;
            other->again = true;
            add_twins(f, one, other);
        }
}

/* W12: two servers that call themselves the same cannot be told apart in what others follow. */
static void judge_namesakes(struct findings *f, const struct voices *voices)
{
    for (uint32_t i = 1; i < voices->count; i++)
        for (uint32_t j = 0; j < i; j++) {
            const struct voice *one = &voices->at[j], *other = &voices->at[i];
            if (other->again || one->again || other->report->self == 0 ||
                one->report->self != other->report->self)
                continue;
            findings_add(f, FINDING_PROBLEM, "give each server an id of its own",
                         "%s and %s have the same server id: homing cannot tell which of them "
                         "others follow (W12)",
                         one->label, other->label);
        }
}

/* ---- one data set ---- */

/* The identity that most members have; of two, that of who claims to be the writer. */
static const struct voice *find_common(const struct voices *voices)
{
    const struct voice *best = NULL;
    uint32_t most = 0;

    for (uint32_t i = 0; i < voices->count; i++) {
        const struct report *own = voices->at[i].report;
        uint32_t weight = own->role == ROLE_WRITER ? 1 : 0;
        for (uint32_t j = 0; j < voices->count; j++)
            weight += voices->at[j].report->identity == own->identity ? 2 : 0;
        if (own->identity != 0 && weight > most) {
            most = weight;
            best = &voices->at[i];
        }
    }
    return best;
}

static void judge_data(struct findings *f, const struct voices *voices)
{
    const struct voice *common = find_common(voices);
    uint32_t same = 0;

    for (uint32_t i = 0; common && i < voices->count; i++) {
        const struct voice *v = &voices->at[i];
        same += v->report->identity == common->report->identity;
        if (v->green || v->report->identity == 0 || v->report->identity == common->report->identity)
            continue;
        findings_add(
            f, FINDING_PROBLEM,
            v->server->named
                ? "correct host_patterns or DNS, if it is another cluster's; else build it anew "
                  "from the writer"
                : "correct its address, take it out of members, or build it anew from the writer",
            "%s holds another data set than %s (identity %" PRIu64 ", not %" PRIu64
            "): homing never follows it by itself (W4)",
            v->label, common->label, v->report->identity, common->report->identity);
    }
    if (same < 2 || same < voices->count)
        return;
    if (common->report->self == 0)
        findings_add(f, FINDING_OK, NULL, "all %u that answered hold one data set", same);
    else /* W12: nothing but a group or a domain tells data sets apart */
        findings_add(f, FINDING_OK, NULL,
                     "all %u that answered say the same of their data set, as far as they can tell",
                     same);
}

/* ---- one writer ---- */

static bool claims(const struct voice *v, bool green)
{
    return v->report->role == ROLE_WRITER && !v->again && v->green == green;
}

static uint32_t list_writers(const struct engine_kind *kind, const struct voices *voices,
                             bool green, char *ret, size_t size)
{
    size_t used = 0;
    uint32_t count = 0;
    char term[ENGINE_PRINT_SIZE];

    ret[0] = '\0';
    for (uint32_t i = 0; i < voices->count && used < size; i++) {
        const struct report *report = voices->at[i].report;
        if (!claims(&voices->at[i], green))
            continue;
        count++;
        engine_print_term(kind, report->term.hi, report->term.lo, term, sizeof(term));
        used += (size_t)snprintf(ret + used, size - used, "%s%s (term %s)", used ? ", " : "",
                                 voices->at[i].label, term);
    }
    return count;
}

/* A promotion beside a writer that could not be asked makes two: it is the last advice. */
static const char *find_writer(const struct seen_cluster *cluster, const struct voices *voices)
{
    if (cluster->conf->member_count == 0)
        return "mend first what is said of seeds, of host_patterns, and of servers that do not "
               "answer: the writer "
               "may be one that was not asked. Promote one only if it is none of them";
    if (voices->all && conf_discovers(cluster->conf))
        return "see why no server names the writer; if there is none, promote one";
    return voices->all ? "add the writer to members; if there is none, promote one"
                       : "see to those that do not answer: one may be the writer. Promote one only "
                         "if none is";
}

/* W3: homing does not move to it by itself. */
static void judge_barred(struct findings *f, const struct voices *voices)
{
    for (uint32_t i = 0; i < voices->count; i++) {
        const struct voice *v = &voices->at[i];
        if (v->report->role == ROLE_WRITER && !v->again && !v->server->seed && !v->server->named &&
            !v->server->member->failover)
            findings_add(
                f, FINDING_PROBLEM,
                "remove failover: false there, or accept it once homingd runs: homingctl accept",
                "%s claims to be the writer, but has failover: false: homing does not take it by "
                "itself",
                v->label);
    }
}

/* Names are exchanged by now: who is the old one is said by no table. */
static bool are_handed_over(const struct voices *voices)
{
    for (uint32_t i = 0; i < voices->count; i++)
        if (claims(&voices->at[i], false) && voices->at[i].report->phase < PHASE_POST)
            return false;
    return true;
}

static void judge_deployment(struct findings *f, const struct seen_cluster *cluster,
                             const struct voices *voices)
{
    char list[FINDINGS_LINE / 2];
    uint32_t count = list_writers(cluster->conf->engine, voices, true, list, sizeof(list));

    if (voices->phase != PHASE_NONE)
        findings_add(f, FINDING_OK, NULL,
                     "a blue/green deployment is there (%s); its green writer, to which no program "
                     "is led before the switchover: %s (W4a)",
                     phase_name(voices->phase), count ? list : "none claims");
}

static void judge_writers(struct findings *f, const struct seen_cluster *cluster,
                          const struct voices *voices)
{
    const struct engine_kind *kind = cluster->conf->engine;
    char list[FINDINGS_LINE / 2];
    uint32_t count = list_writers(kind, voices, false, list, sizeof(list));

    if (voices->count == 0)
        findings_add(f, FINDING_HINT, NULL, "nobody answered: who is the writer cannot be said");
    else if (count == 0 && voices->phase == PHASE_IN_PROGRESS)
        findings_add(f, FINDING_REMARK, "wait for its end: promote none meanwhile",
                     "none claims to be the writer: a blue/green switchover is in progress (W4a)");
    else if (count == 0)
        findings_add(f, FINDING_PROBLEM, find_writer(cluster, voices),
                     "none of the %u that answered claims to be the writer", voices->count);
    else if (count == 1)
        findings_add(f, FINDING_OK, NULL, "one claims to be the writer: %s", list);
    else if (are_handed_over(voices))
        findings_add(f, FINDING_REMARK,
                     "stop none of them; when it is done, delete the old cluster or make it "
                     "read-only",
                     "%u claim to be the writer, after a blue/green switchover (W4a): %s", count,
                     list);
    else
        findings_add(
            f, FINDING_PROBLEM,
            "demote or stop all but one; until then homing keeps the writer that it has, or "
            "has none (W3, W3a)",
            "%u claim to be the writer: %s", count, list);
}

/* ---- who follows whom (W12) ---- */

static bool is_known(const struct voices *voices, uint64_t self)
{
    for (uint32_t i = 0; i < voices->count; i++)
        if (voices->at[i].report->self == self)
            return true;
    return false;
}

static void judge_followers(struct findings *f, const struct seen_cluster *cluster,
                            const struct voices *voices)
{
    for (uint32_t i = 0; i < voices->count; i++) {
        const struct voice *v = &voices->at[i];
        if (v->report->self == 0 || v->report->role != ROLE_READER || v->again)
            continue;
        if (v->report->follows == 0)
            findings_add(
                f, FINDING_REMARK, "let it replicate from the writer",
                "%s is a reader, but replicates from nobody that is known: it is no heir (W12)",
                v->label);
        else if (voices->all && !is_known(voices, v->report->follows))
            findings_add(
                f, FINDING_REMARK,
                cluster->conf->member_count
                    ? "add that one to members, or let it replicate from the writer"
                    : "let it replicate from the writer, or see why no server names that one",
                "%s replicates from a server that is not among the members", v->label);
    }
}

void judge_together(struct findings *f, const struct seen_cluster *cluster)
{
    struct voices voices;

    gather(cluster, &voices);
    judge_twins(f, &voices);
    judge_namesakes(f, &voices);
    judge_data(f, &voices);
    judge_writers(f, cluster, &voices);
    judge_deployment(f, cluster, &voices);
    judge_barred(f, &voices);
    judge_followers(f, cluster, &voices);
}
