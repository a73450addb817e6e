/* SPDX-License-Identifier: Apache-2.0
 *
 * words.c - see words.h.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/daemon/words.h"

void words_member(const struct conf_member *member, char ret[MEMBER_TEXT_SIZE])
{
    const char *format = strchr(member->host, ':') ? "[%s]:%u" : "%s:%u";

    snprintf(ret, MEMBER_TEXT_SIZE, format, member->host, member->port);
}

void words_member_at(const struct cluster *cluster, uint32_t member, char ret[MEMBER_TEXT_SIZE])
{
    if (member < cluster->conf->member_count)
        words_member(&cluster->conf->members[member], ret);
    else
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

/* The member to accept: the rival, or the only one that claims and is not the writer. */
static uint32_t candidate(const struct cluster *cluster)
{
    const struct verdict *verdict = &cluster->decision.verdict;
    uint32_t found = MEMBER_NONE;

    if (verdict->rival != MEMBER_NONE)
        return verdict->rival;
    for (uint32_t i = 0; i < cluster->conf->member_count; i++) {
        const struct topo_member *at = members_said(&cluster->members, i);
        if (i != verdict->writer && at->answered && at->standing && at->last.role == ROLE_WRITER)
            found = found == MEMBER_NONE ? i : MEMBER_NONE;
    }
    return found;
}

static void text_ambiguous(const struct cluster *cluster, char *text, size_t text_size,
                           char *command, size_t command_size)
{
    uint32_t rival = candidate(cluster);
    char member[MEMBER_TEXT_SIZE], writer[MEMBER_TEXT_SIZE], term[48] = "none";

    words_member_at(cluster, cluster->decision.verdict.writer, writer);
    if (rival == MEMBER_NONE) {
        snprintf(text, text_size, "the writer stays %s: no claim can be told to be the right one",
                 writer);
        snprintf(command, command_size, "homingctl accept %s MEMBER", cluster->conf->name);
        return;
    }
    words_member_at(cluster, rival, member);
    words_term(cluster, members_said(&cluster->members, rival)->last.term, term, sizeof(term));
    snprintf(text, text_size, "%s claims with term %s; the writer stays %s", member, term, writer);
    snprintf(command, command_size, "homingctl accept %s %s", cluster->conf->name, member);
}

static void text_denied(const struct cluster *cluster, char *text, size_t size)
{
    char member[MEMBER_TEXT_SIZE];
    size_t len = 0;

    len = (size_t)snprintf(text, size, "credentials refused by");
    for (uint32_t i = 0; i < cluster->conf->member_count && len < size; i++)
        if (members_said(&cluster->members, i)->kind == REPORT_DENIED) {
            words_member_at(cluster, i, member);
            len += (size_t)snprintf(text + len, size - len, " %s", member);
        }
    if (len < size)
        snprintf(text + len, size - len, ": correct connection or password_file, then reload");
}

static void text_second_writer(const struct cluster *cluster, char *text, size_t size)
{
    const struct verdict *v = &cluster->decision.verdict;
    char member[MEMBER_TEXT_SIZE] = "nobody", term[48] = "none";

    for (uint32_t i = 0; i < cluster->conf->member_count; i++)
        if (i != v->rival && v->fenced >> i & 1) {
            words_member_at(cluster, i, member);
            words_term(cluster, members_said(&cluster->members, i)->last.term, term, sizeof(term));
            break;
        }
    snprintf(text, size,
             "%s also claims to be the writer, with the older term %s: homing sends no program "
             "there, but one that it does not reach may write to it: demote or stop it",
             member, term);
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
        snprintf(ret_text, text_size, "no member claims to be the writer: promote one");
        break;
    case ALARM_STALE:
        snprintf(ret_text, text_size, "not confirmed for %u s: names go to the real resolver",
                 cluster->conf->timing.max_stale_ms / 1000);
        break;
    case ALARM_BRAKED:
        snprintf(ret_text, text_size, "W10: more than %u switches in 10 minutes",
                 cluster->conf->timing.max_switches);
        snprintf(ret_command, command_size, "homingctl unfreeze %s", cluster->conf->name);
        break;
    case ALARM_DENIED:
        text_denied(cluster, ret_text, text_size);
        snprintf(ret_command, command_size, "homingctl reload");
        break;
    case ALARM_SECOND_WRITER:
        text_second_writer(cluster, ret_text, text_size);
        break;
    case ALARM_COUNT:
        ret_text[0] = '\0';
        break;
    }
}
