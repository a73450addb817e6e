/* SPDX-License-Identifier: Apache-2.0
 *
 * words.c - see words.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/conf/password.h"
#include "agent/daemon/words.h"
#include "agent/decide/bluegreen.h"

void words_member(const struct conf_member *member, char ret[MEMBER_TEXT_SIZE])
{
    snprintf(ret, MEMBER_TEXT_SIZE, strchr(member->host, ':') ? "[%s]:%u" : "%s:%u", member->host,
             member->port);
}

static void print_address(const struct address *at, char ret[MEMBER_TEXT_SIZE])
{
    snprintf(ret, MEMBER_TEXT_SIZE, at->inet.family == 6 ? "[%s]:%u" : "%s:%u", at->text,
             at->inet.port);
}

void words_member_at(const struct cluster *cluster, uint32_t member, char ret[MEMBER_TEXT_SIZE])
{
    uint32_t place = member - HOMING_MEMBERS_MAX;

    if (member < cluster->conf->member_count) {
        words_member(&cluster->conf->members[member], ret);
    } else if (member >= HOMING_MEMBERS_MAX && place < PLACES_MAX &&
               cluster->places[place].is.kind != PLACE_FREE) {
        print_address(&cluster->places[place].is.address, ret);
    } else
        snprintf(ret, MEMBER_TEXT_SIZE, "none");
}

uint32_t words_find_member(const struct conf_cluster *conf, const char *text)
{
    uint32_t found = MEMBER_NONE;
    char spelled[MEMBER_TEXT_SIZE];

    for (uint32_t i = 0; i < conf->member_count; i++) {
        words_member(&conf->members[i], spelled);
        if (strcasecmp(text, spelled) == 0)
            return i;
    }
    for (uint32_t i = 0; i < conf->member_count; i++)
        if (strcasecmp(text, conf->members[i].host) == 0) {
            if (found != MEMBER_NONE)
                return MEMBER_NONE;
            found = i;
        }
    return found;
}

void words_term(const struct cluster *cluster, struct term term, char *ret, size_t size)
{
    engine_print_term(cluster->conf->engine, term.hi, term.lo, ret, size);
}

/* W4a: somebody who promotes another member then works against the switchover. */
static bool is_switching(const struct cluster *cluster)
{
    return bluegreen_holds(&cluster->decision.verdict, loop_now_ms(cluster->daemon->loop));
}

const char *words_reason(const struct cluster *cluster)
{
    enum reason reason = cluster->decision.verdict.reason;

    if (reason == REASON_INCUMBENT_SILENT && is_switching(cluster))
        return "W5: the writer is silent, which is no evidence against it; a blue/green switchover "
               "is in progress (W4a): promote none meanwhile";
    return reason_text(reason);
}

static bool claims_now(const struct cluster *cluster, uint32_t member)
{
    const struct topo_member *at = members_said(&cluster->members, member);

    return at->answered && at->standing && at->last.role == ROLE_WRITER;
}

/* W4a: a blue/green switchover left it behind. By now its name may be that of a new server. */
static bool is_retired(const struct cluster *cluster, uint32_t voice)
{
    return voice < PLACE_VOICE(PLACES_MAX) &&
           bluegreen_is_behind(&cluster->decision.topo, &cluster->decision.verdict, voice);
}

/* The address tells it from the server that has its name by now. */
static void text_retired(const struct cluster *cluster, uint32_t voice, char *ret, size_t size)
{
    bool place = voice >= HOMING_MEMBERS_MAX;
    uint32_t member = place ? cluster->places[voice - HOMING_MEMBERS_MAX].is.member : voice;
    const struct address *at = place ? &cluster->places[voice - HOMING_MEMBERS_MAX].is.address
                                     : &cluster->members.at[member].where.connected;
    char address[MEMBER_TEXT_SIZE] = "an unknown address", name[MEMBER_TEXT_SIZE];

    words_member_at(cluster, member, name);
    if (at->inet.family)
        print_address(at, address);
    snprintf(ret, size,
             "the old cluster's server at %s, known as %s, which a blue/green switchover left "
             "behind (W4a),",
             address, name);
}

static void text_retired_writer(const struct cluster *cluster, uint32_t voice, char *text,
                                size_t size)
{
    char who[2 * MEMBER_TEXT_SIZE + 120];

    text_retired(cluster, voice, who, sizeof(who));
    snprintf(text, size,
             "%s claims to be the writer: homing sends no program there, but one that it does not "
             "reach or whose permit was lost may write to it: delete the old cluster, or make it "
             "read-only, at that address and not by this name, which may be a new server's by now",
             who);
}

/* To accept it would lose what was written since. At a candidate there may be a new server. */
static bool is_old_cluster(const struct cluster *cluster, uint32_t rival)
{
    return is_retired(cluster, rival) &&
           (rival < HOMING_MEMBERS_MAX ||
            cluster->places[rival - HOMING_MEMBERS_MAX].is.kind == PLACE_LEFT);
}

/* The member to accept: the rival, or the only one that claims and is not the writer. */
static uint32_t candidate(const struct cluster *cluster)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    uint32_t found = MEMBER_NONE;

    if (verdict->rival != MEMBER_NONE)
        return verdict->rival;
    for (uint32_t i = 0; i < cluster->conf->member_count; i++) {
        if (i != verdict->writer && claims_now(cluster, i) && !is_retired(cluster, i))
            found = found == MEMBER_NONE ? i : MEMBER_NONE;
    }
    return found;
}

/* It was the writer, and claims still, or again, at no newer term: as the one that `accept` left. */
static bool is_left_behind(const struct cluster *cluster, uint32_t rival)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    return rival < HOMING_MEMBERS_MAX && rival != verdict->writer &&
           (verdict->demoted >> rival & 1) && verdict->reason == REASON_TWO_CLAIMS &&
           term_compare(members_said(&cluster->members, rival)->last.term, verdict->term) <= 0;
}

/* W3a. It writes on, and what it writes is not what it lacks: so at least that much, and later nobody can tell. */
static void doubt_behind(const struct cluster *cluster, uint32_t rival, char *text, size_t size)
{
    const struct engine_kind *engine = cluster->conf->engine;
    uint64_t has = members_said(&cluster->members, rival)->last.position;
    uint64_t seen = cluster->decision.verdict.position;
    char now[48], before[48];

    engine_print_position(engine, has, now, sizeof(now));
    engine_print_position(engine, seen, before, sizeof(before));
    if (has && has < seen)
        snprintf(text, size,
                 ", but lacks at least %" PRIu64 " %s: it is at %s, and the writer was seen at %s",
                 seen - has, engine->lag_unit, now, before);
    else
        snprintf(text, size, ", but lacks what the writer was seen to have, or lacked it before");
}

/* What speaks against a claim; W12: where nothing else does. */
static void doubt(const struct cluster *cluster, uint32_t rival, char *text, size_t size)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    const struct topo_member *said = members_said(&cluster->members, rival);
    const char *words = "";

    if (verdict->reason == REASON_BEHIND) {
        doubt_behind(cluster, rival, text, size);
        return;
    }
    if (verdict->reason == REASON_OTHER_IDENTITY)
        words = rival == verdict->writer
                    ? " for another data set than before, or does not say for which"
                    : " for another data set";
    else if (said->unproven && rival == verdict->writer)
        words = ", and is another server than before";
    else if (said->unproven)
        words = said->last.position != 0 && said->last.position < verdict->branch
                    ? ", but lacks what the writer had when it became the writer"
                    : ", but was not seen to follow the writer, or not any more";
    snprintf(text, size, "%s", words);
}

/* At the start nothing speaks for one claim more than for another: each is named, and none is proposed (I4). */
static void text_several(const struct cluster *cluster, char *text, size_t size)
{
    char member[MEMBER_TEXT_SIZE], term[48], position[48];
    size_t len = (size_t)snprintf(text, size, "no writer is known, and several members claim: ");
    bool any = false;

    for (uint32_t i = 0; i < cluster->conf->member_count && len < size; i++) {
        if (!claims_now(cluster, i))
            continue;
        const struct report *last = &members_said(&cluster->members, i)->last;
        words_member_at(cluster, i, member);
        words_term(cluster, last->term, term, sizeof(term));
        engine_print_position(cluster->conf->engine, last->position, position, sizeof(position));
        len += (size_t)snprintf(text + len, size - len, "%s%s with term %s at %s", any ? ", " : "",
                                member, term, position);
        any = true;
    }
    if (len < size)
        snprintf(text + len, size - len, ": demote or stop all but the right one, or accept that");
}

static void text_rival(const struct cluster *cluster, uint32_t rival, char *text, size_t size)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    char member[MEMBER_TEXT_SIZE], writer[MEMBER_TEXT_SIZE], term[48] = "none", but[200];

    words_member_at(cluster, verdict->writer, writer);
    words_member_at(cluster, rival, member);
    words_term(cluster, members_said(&cluster->members, rival)->last.term, term, sizeof(term));
    doubt(cluster, rival, but, sizeof(but));
    if (is_left_behind(cluster, rival)) /* to accept it would only turn the two round */
        snprintf(
            text, size,
            "%s was demoted, and still claims with term %s; the writer stays %s, and nothing is "
            "severed until %s is demoted or stopped there: do that",
            member, term, writer, member);
    else if (rival == verdict->writer)
        snprintf(text, size,
                 "the writer %s claims with term %s%s: stop it and promote another member, or "
                 "accept it if it is the right one",
                 writer, term, but);
    else if (verdict->writer != MEMBER_NONE && claims_now(cluster, verdict->writer))
        snprintf(
            text, size,
            "%s claims with term %s%s; the writer stays %s: demote or stop %s, or accept it if "
            "it is the right one",
            member, term, but, writer, member);
    else
        snprintf(text, size,
                 "%s claims with term %s%s; %s%s: accept it if it is the right one, or stop it and "
                 "promote the right one",
                 member, term, but, verdict->writer == MEMBER_NONE ? "" : "the writer stays ",
                 verdict->writer == MEMBER_NONE ? "no writer is known" : writer);
}

static void text_ambiguous(const struct cluster *cluster, char *text, size_t text_size,
                           char *command, size_t command_size)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    uint32_t rival = candidate(cluster);
    char member[MEMBER_TEXT_SIZE] = "MEMBER", writer[MEMBER_TEXT_SIZE];

    words_member_at(cluster, verdict->writer, writer);
    if (verdict->reason == REASON_CLAIMS_AT_START) {
        text_several(cluster, text, text_size);
    } else if (rival == MEMBER_NONE) {
        snprintf(text, text_size, "the writer stays %s: no claim can be told to be the right one",
                 writer);
    } else if (is_old_cluster(cluster, rival)) {
        text_retired_writer(cluster, rival, text, text_size);
        return;
    } else {
        text_rival(cluster, rival, text, text_size);
        if (is_left_behind(cluster, rival))
            return;
        words_member_at(cluster, rival, member);
    }
    snprintf(command, command_size, "homingctl accept %s %s", cluster->conf->name, member);
}

/* Whether the member has denied us because it admits nobody like us, whatever the credentials. */
static bool is_kept_out(const struct cluster *cluster, uint32_t member)
{
    const char *words = cluster->conf->engine->admits_by;

    return words && strstr(cluster->members.at[member].error, words);
}

/* Members that have denied us, of one of the two kinds, and what to do. Returns the new length. */
static size_t add_denied(const struct cluster *cluster, bool kept_out, char *text, size_t size,
                         size_t len)
{
    const char *by = kept_out ? "not admitted by" : "credentials refused by";
    char member[MEMBER_TEXT_SIZE];
    bool any = false;

    for (uint32_t i = 0; i < cluster->conf->member_count && len < size; i++) {
        if (members_said(&cluster->members, i)->kind != REPORT_DENIED ||
            is_kept_out(cluster, i) != kept_out)
            continue;
        words_member_at(cluster, i, member);
        len += (size_t)snprintf(text + len, size - len, "%s%s %s", any || !len ? "" : "; ",
                                any ? "" : by, member);
        any = true;
    }
    if (any && len < size)
        len += (size_t)snprintf(text + len, size - len, ": %s",
                                kept_out ? cluster->conf->engine->admit
                                         : "correct connection or password_file, then reload");
    return len;
}

static void text_denied(const struct cluster *cluster, char *text, size_t size)
{
    add_denied(cluster, true, text, size, add_denied(cluster, false, text, size, 0));
}

static bool is_fenced(const struct verdict *v, uint32_t voice)
{
    return voice < HOMING_MEMBERS_MAX ? v->fenced >> voice & 1
                                      : v->fenced_places >> (voice - HOMING_MEMBERS_MAX) & 1;
}

static uint32_t first_fenced(const struct verdict *v)
{
    for (uint32_t i = 0; i < PLACE_VOICE(PLACES_MAX); i++)
        if (i != v->rival && is_fenced(v, i))
            return i;
    return MEMBER_NONE;
}

static void text_second_writer(const struct cluster *cluster, char *text, size_t size)
{
    uint32_t second = first_fenced(&cluster->decision.verdict);
    char member[MEMBER_TEXT_SIZE], term[48] = "none";

    if (is_retired(cluster, second)) {
        text_retired_writer(cluster, second, text, size);
        return;
    }
    words_member_at(cluster, second, member);
    if (second != MEMBER_NONE)
        words_term(cluster, members_said(&cluster->members, second)->last.term, term, sizeof(term));
    snprintf(
        text, size,
        "%s also claims to be the writer, with the older term %s: homing sends no program "
        "there, but one that it does not reach or whose permit was lost may write to it: demote or "
        "stop it",
        member, term);
}

/* W4a: the green server that is no member. After a restart its name may not be known. */
static void text_stray(const struct cluster *cluster, char ret[MEMBER_TEXT_SIZE])
{
    const struct stray *stray = &cluster->stray;

    if (stray->host[0])
        snprintf(ret, MEMBER_TEXT_SIZE, "%s:%u", stray->host, stray->port);
    else
        snprintf(ret, MEMBER_TEXT_SIZE, "a server");
}

/* Who promotes another member, while a green server that is none takes the writes, makes two. */
static void text_no_writer(const struct cluster *cluster, char *text, size_t size)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    char stray[MEMBER_TEXT_SIZE];

    text_stray(cluster, stray);
    if (verdict->stray && verdict->phase >= PHASE_IN_PROGRESS)
        snprintf(text, size,
                 "W4a: no member claims to be the writer, and %s, which the writer named as the "
                 "green server of its blue/green switchover, is no member: add it to members and "
                 "reload, then accept it if it is the writer now; promote no other one before",
                 stray);
    else
        snprintf(text, size, "no member claims to be the writer: promote one");
}

static void text_green(const struct cluster *cluster, char *text, size_t size)
{
    char writer[MEMBER_TEXT_SIZE], stray[MEMBER_TEXT_SIZE];

    words_member_at(cluster, cluster->decision.verdict.writer, writer);
    text_stray(cluster, stray);
    snprintf(text, size,
             "the writer %s names %s as the green server of a blue/green deployment, which is no "
             "member: homing cannot hand over to it; add it to members and reload, before the "
             "switchover",
             writer, stray);
}

void words_alarm(const struct cluster *cluster, enum alarm alarm, char *ret_text, size_t text_size,
                 char *ret_command, size_t command_size)
{
    ret_command[0] = '\0';
    switch (alarm) {
    case ALARM_AMBIGUOUS:
        text_ambiguous(cluster, ret_text, text_size, ret_command, command_size);
        break;
    case ALARM_NO_WRITER:
        text_no_writer(cluster, ret_text, text_size);
        break;
    case ALARM_STALE:
        snprintf(
            ret_text, text_size,
            "nobody has confirmed the writer for %u s: names go to the real resolver; start the "
            "writer again, or promote another member",
            cluster->conf->timing.max_stale_ms / 1000);
        break;
    case ALARM_BRAKED:
        snprintf(
            ret_text, text_size,
            "W10: more than %u switch%s in 10 minutes: nothing is severed before 10 quiet minutes "
            "have passed; find out what makes the writer change",
            cluster->conf->timing.max_switches,
            cluster->conf->timing.max_switches == 1 ? "" : "es");
        snprintf(ret_command, command_size, "homingctl unfreeze %s", cluster->conf->name);
        break;
    case ALARM_DENIED:
        text_denied(cluster, ret_text, text_size);
        snprintf(ret_command, command_size, "homingctl reload");
        break;
    case ALARM_SECOND_WRITER:
        text_second_writer(cluster, ret_text, text_size);
        break;
    case ALARM_SWITCHOVER:
        snprintf(ret_text, text_size,
                 "W4a: the writer said more than 10 minutes ago that a blue/green switchover is in "
                 "progress: look at the deployment; if a green member is the writer now, homingctl "
                 "accept names it");
        break;
    case ALARM_DEPLOYMENT:
        snprintf(ret_text, text_size,
                 "W4a: the writer tells of a blue/green deployment in a version or with a status "
                 "that homing does not know: a switchover is not followed by it; have a newer "
                 "homing, or accept the green server when it is the writer");
        break;
    case ALARM_COUNT:
        ret_text[0] = '\0';
        break;
    }
}

static const char *advice(const struct topo_member *said)
{
    if (!said->heard || said->kind == REPORT_TIMEOUT || said->kind == REPORT_LATE)
        return "look whether it is up, and whether this node may reach it";
    if (said->kind == REPORT_ODD)
        return "correct connection, or the server";
    return "look whether it is up, and whether its host and port are right";
}

/* W5, W9: what becomes of programs meanwhile. */
static const char *fate(const struct cluster *cluster, uint32_t member)
{
    const struct verdict *verdict = &cluster->decision.verdict;

    if (member != verdict->writer)
        return "";
    if (is_switching(cluster))
        return "; a blue/green switchover is in progress (W4a): promote none meanwhile";
    if (verdict->frozen)
        return ", or have another one promoted and write homingctl unfreeze: until then programs "
               "are sent there";
    return verdict->state == CLUSTER_SUSPECT
               ? ", or have another one promoted: programs are sent there until another one claims"
               : ", or have another one promoted";
}

/* Who is named by the new cluster, or is configured, stays. */
#define LEFT_ADVICE                                                                                \
    "if the old cluster was deleted, that needs nothing: the member leaves a day after nobody "    \
    "names it, and homing.yaml(5) says what else to do"

static void text_unreachable(const struct cluster *cluster, uint32_t member, char *ret, size_t size)
{
    const struct topo_member *said = members_said(&cluster->members, member);
    uint64_t now_ms = loop_now_ms(cluster->daemon->loop);
    uint64_t s = (now_ms - cluster->warnings.since_ms[member]) / 1000;
    const char *error = cluster->members.at[member].error;
    bool retired = is_retired(cluster, member);
    char name[2 * MEMBER_TEXT_SIZE + 120];

    if (retired)
        text_retired(cluster, member, name, sizeof(name));
    else
        words_member_at(cluster, member, name);
    snprintf(ret, size, "%s%s cannot be asked for %" PRIu64 " s: %s%s%s; %s%s",
             member == cluster->decision.verdict.writer ? "the writer " : "", name, s,
             said->heard ? report_kind_name(said->kind) : "not heard since the start",
             error[0] ? ": " : "", error, retired ? LEFT_ADVICE : advice(said),
             fate(cluster, member));
}

/* As many as an operator types. They are those to which severing would apply. */
#define SPARED_NAMES_MAX 3

static void text_spared(const struct cluster *cluster, char *ret, size_t size)
{
    uint32_t demoted = cluster->decision.verdict.demoted, named = 0;
    uint64_t count = cluster->severing.spared;
    char filter[SPARED_NAMES_MAX * (MEMBER_TEXT_SIZE + 8)] = "", name[MEMBER_TEXT_SIZE];

    for (uint32_t i = 0; i < cluster->conf->member_count && named < SPARED_NAMES_MAX; i++) {
        if (!(demoted >> i & 1))
            continue;
        words_member_at(cluster, i, name);
        size_t len = strlen(filter);
        snprintf(filter + len, sizeof(filter) - len, "%sdst %s", named++ ? " or " : "", name);
    }
    snprintf(ret, size,
             "%" PRIu64
             " connection%s to demoted members, which no program has tagged, %s spared by "
             "the last switch, because %s %s: they may still be "
             "written over; ss -tnp '%s' names their programs, as root in each network namespace: "
             "restart those that should follow",
             count, count == 1 ? "" : "s", count == 1 ? "was" : "were",
             count == 1 ? "it may have been" : "they may have been",
             cluster->severing.untold ? "made in mode off or names, and not told of yet"
                                      : "noted for an earlier homing-sever",
             filter);
}

/* Each seed with what it said last. */
static void text_untold(const struct cluster *cluster, char *ret, size_t size)
{
    const struct discovery *d = cluster->discovery;
    char name[MEMBER_TEXT_SIZE];
    size_t len = (size_t)snprintf(ret, size, "no server tells who the members are: %s",
                                  cluster->conf->member_count ? "those that are known stay"
                                                              : "none is known");

    for (uint32_t i = 0; d && i < d->base->seed_count && len < size; i++) {
        const char *said = d->seed_said[i] ? d->seed_said[i] : "no error, and no row of a member";
        words_member(&d->base->seeds[i], name);
        len += (size_t)snprintf(ret + len, size - len, "; seed %s: %s", name,
                                d->seed_errors[i][0] ? d->seed_errors[i] : said);
    }
}

static void text_refused(const struct cluster *cluster, char *ret, size_t size)
{
    const struct roster *r = cluster->discovery ? &cluster->discovery->roster : NULL;
    bool old = r && r->refused_why == NAMED_OLD;

    snprintf(ret, size, "%s names the server '%s', which %s: it is not asked; %s",
             r ? r->refused_from : "?", r ? r->refused : "?", r ? named_text(r->refused_why) : "?",
             old ? "that needs nothing, and ends when the old cluster is deleted"
                 : "correct host_patterns or allowed_networks, if it is a member");
}

static bool text_discovery(const struct cluster *cluster, uint32_t warning, char *ret, size_t size)
{
    if (warning == WARNING_UNTOLD)
        text_untold(cluster, ret, size);
    else if (warning == WARNING_REFUSED)
        text_refused(cluster, ret, size);
    else if (warning == WARNING_CROWDED)
        snprintf(ret, size,
                 "more servers are named than the %d members that a cluster has at most: those "
                 "beyond are not asked, and one of them may be the next writer",
                 HOMING_MEMBERS_MAX);
    else
        return false;
    return true;
}

void words_warning(const struct cluster *cluster, uint32_t warning, char *ret, size_t size)
{
    const char *file = cluster->conf->password_file, *wrong = NULL;
    char name[MEMBER_TEXT_SIZE];

    if (warning < HOMING_MEMBERS_MAX) {
        text_unreachable(cluster, warning, ret, size);
    } else if (text_discovery(cluster, warning, ret, size)) {
        return;
    } else if (warning == WARNING_GREEN) {
        text_green(cluster, ret, size);
    } else if (warning == WARNING_NO_READER) {
        snprintf(ret, size,
                 "no member serves reads: readers' names lead to the writer; bring a reader back, "
                 "or see max_lag");
    } else if (warning == WARNING_SPARED) {
        text_spared(cluster, ret, size);
    } else if (warning == WARNING_NO_ADDRESS) {
        words_member_at(cluster, cluster->decision.verdict.writer, name);
        snprintf(ret, size,
                 "the writer %s has no address that may be given: programs ask the real resolver; "
                 "correct its name in DNS, allowed_networks or family",
                 name);
    } else {
        wrong = file ? conf_password_check(file) : NULL;
        snprintf(ret, size, "password_file %s %s", file ? file : "",
                 wrong ? wrong : "is good again");
    }
}
