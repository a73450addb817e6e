/* SPDX-License-Identifier: Apache-2.0
 *
 * judge_server.c - see judge_server.h.
 *
 * What does not work is a problem if the server cannot be asked at all for it. Of a seed it is a remark,
 * as long as anybody else answers.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "agent/conf/connection.h"
#include "agent/doctor/advice.h"
#include "agent/doctor/judge_server.h"
#include "agent/doctor/label.h"

/* How bad a failure of this server is. */
static enum finding weigh(const struct seen_cluster *cluster, const struct seen_server *server)
{
    if (seen_answer(server))
        return FINDING_REMARK;
    for (uint32_t i = 0; server->seed && i < cluster->server_count; i++)
        if (seen_answer(&cluster->servers[i]))
            return FINDING_REMARK;
    return FINDING_PROBLEM;
}

/* ---- its name ---- */

static bool is_literal(const struct seen_name *name)
{
    struct inet_address address;

    return inet_address_parse(name->name, 0, &address);
}

/* What an operator can do about a name that does not lead to a server. */
static void say_mend(const struct seen_cluster *cluster, const struct seen_server *server,
                     char ret[FINDINGS_LINE])
{
    const char *pattern = server->made_by ? server->made_by->pattern : NULL;
    char from[LABEL_SIZE];

    if (!server->named) {
        snprintf(ret, FINDINGS_LINE, "correct the name, or write its address in the name's place");
        return;
    }
    label_server(server->from, from);
    if (pattern && cluster->conf->engine->tells == ENGINE_TELLS_IDS)
        snprintf(
            ret, FINDINGS_LINE,
            "correct '%s' in host_patterns, which makes this name for a server that %s names; or "
            "correct DNS",
            pattern, from);
    else
        snprintf(ret, FINDINGS_LINE, "%s names it so: correct DNS, or the name that it has there",
                 from);
}

static void judge_name(struct findings *f, const struct seen_cluster *cluster,
                       const struct seen_server *server)
{
    const struct seen_name *name = &server->name;
    enum finding bad = weigh(cluster, server);
    char label[LABEL_SIZE], addresses[HOMING_ADDRESSES_MAX * 50], mend[FINDINGS_LINE];

    label_server(server, label);
    label_addresses(name, addresses, sizeof(addresses));
    say_mend(cluster, server, mend);
    if (name->end == SEEN_SILENT)
        findings_add(f, bad,
                     server->named ? "look at /etc/resolv.conf, and at host_patterns"
                                   : "look at /etc/resolv.conf, or write its address in the name's "
                                     "place",
                     "%s: DNS does not answer within %d s", label, SEEN_SECONDS);
    else if (name->end == SEEN_FAILED)
        findings_add(f, bad, mend, "%s: %s", label, name->words);
    else if (!is_literal(name))
        findings_add(f, FINDING_OK, NULL, "%s resolves to %s", label, addresses);
}

/* Nobody connects to an address that the configuration does not allow. */
static void judge_networks(struct findings *f, const struct seen_cluster *cluster,
                           const struct seen_server *server)
{
    const struct seen_name *name = &server->name;
    char label[LABEL_SIZE], text[48];

    label_server(server, label);
    for (uint32_t i = 0; i < name->count; i++) {
        if (conf_address_allowed(cluster->conf, name->at[i].family, name->at[i].bytes))
            continue;
        inet_address_print(&name->at[i], text, sizeof(text));
        findings_add(
            f, server->visit_count > 0 ? FINDING_REMARK : weigh(cluster, server),
            "if this is its address, add its network to allowed_networks; else correct DNS",
            "%s: %s is outside of allowed_networks: homing connects to no such address", label,
            text);
    }
}

/* ---- one of its addresses ---- */

static const char *say_security(const struct seen_visit *visit)
{
    if (visit->report.authenticated)
        return "TLS, which proves its name";
    return visit->encrypted ? "TLS, which proves no name" : "no TLS";
}

static void say_facts(const struct engine_kind *kind, const struct report *report, char *ret,
                      size_t size)
{
    char term[ENGINE_PRINT_SIZE], position[ENGINE_PRINT_SIZE] = "not known", identity[24] = "";
    bool has_term = report->term.hi != 0 || report->term.lo != 0;

    engine_print_term(kind, report->term.hi, report->term.lo, term, sizeof(term));
    if (report->position != 0)
        engine_print_position(kind, report->position, position, sizeof(position));
    if (report->identity != 0)
        snprintf(identity, sizeof(identity), "%" PRIu64, report->identity);
    snprintf(ret, size, "%s%s%s, position %s, identity %s", role_name(report->role),
             has_term ? ", term " : "", has_term ? term : "", position,
             identity[0] ? identity : "not known");
}

/* What says the host and the port of a server: who is named mostly has the port of who named it. */
static const char *say_where(const struct seen_cluster *cluster, const struct seen_server *server)
{
    if (server->named && cluster->conf->engine->tells == ENGINE_TELLS_HOSTS)
        return "the list that its servers give";
    while (server->named && server->from)
        server = server->from;
    return server->seed ? "seeds" : "members";
}

static const char UNREACHED[] = "its host is down, or a route or a firewall is in the way";

/* Words that an engine ends with a statement: that stands in a line of its own, to be run as it is. `otherwise`: what
 * is to be done, if they say it to nobody; NULL: nobody knows. */
static void add_words(struct findings *f, enum finding finding, const struct seen_cluster *cluster,
                      const struct seen_server *server, const char *before, const char *words,
                      const char *otherwise)
{
    const struct conf_cluster *conf = cluster->conf;
    char user[256] = "", advice[ADVICE_SIZE];

    conf_connection_get(conf->connection, "user", user, sizeof(user));
    const char *grant = advice_grant(conf->engine, user, words);
    int len = grant ? (int)(grant - words - 2) : (int)strlen(words);
    findings_add(
        f, grant ? FINDING_PROBLEM : finding,
        advice_find(conf->engine, user, say_where(cluster, server), words, advice) ? advice
                                                                                   : otherwise,
        "%s%.*s%s", before, len, words, grant ? "; as an administrator, on the writer:" : "");
}

static void judge_good(struct findings *f, const struct seen_cluster *cluster,
                       const struct seen_server *server, const char *label,
                       const struct seen_visit *visit)
{
    char facts[256], before[LABEL_SIZE + 8];

    say_facts(cluster->conf->engine, &visit->report, facts, sizeof(facts));
    findings_add(f, FINDING_OK, NULL, "%s: login works (%s); version %s, %s", label,
                 say_security(visit), visit->version[0] ? visit->version : "not known", facts);
    snprintf(before, sizeof(before), "%s: ", label);
    if (visit->words[0] != '\0')
        add_words(f, FINDING_REMARK, cluster, server, before, visit->words, NULL);
}

static const char *say_failure(const struct seen_visit *visit)
{
    switch (visit->stage) {
    case ENGINE_STAGE_BEFORE:
        return "cannot be asked: ";
    case ENGINE_STAGE_CONNECTING:
        return "no TCP connection: ";
    case ENGINE_STAGE_TLS:
        return "TCP works, TLS does not: ";
    case ENGINE_STAGE_SESSION:
        return "login works, but ";
    default:
        return visit->kind == REPORT_DENIED ? "TCP works, login does not: "
                                            : "TCP works, TLS or login does not: ";
    }
}

static void judge_failed(struct findings *f, const struct seen_cluster *cluster,
                         const struct seen_server *server, const char *label,
                         const struct seen_visit *visit)
{
    char before[LABEL_SIZE + 64];

    snprintf(before, sizeof(before), "%s: %s", label, say_failure(visit));
    add_words(f, weigh(cluster, server), cluster, server, before, visit->words,
              visit->stage == ENGINE_STAGE_CONNECTING ? UNREACHED : NULL);
}

static void judge_silent(struct findings *f, const struct seen_cluster *cluster,
                         const struct seen_server *server, const char *label,
                         const struct seen_visit *visit)
{
    static const char *const WORKS[ENGINE_STAGE_COUNT] = {
        [ENGINE_STAGE_BEFORE] = "no TCP connection",
        [ENGINE_STAGE_CONNECTING] = "no TCP connection",
        [ENGINE_STAGE_TLS] = "TCP works, but no TLS",
        [ENGINE_STAGE_LOGIN] = "TCP works, but no login",
        [ENGINE_STAGE_SESSION] = "login works, but no answer to a question",
    };
    bool reached = visit->stage >= ENGINE_STAGE_TLS;
    char mend[128];

    snprintf(mend, sizeof(mend), "it hangs, it or this node is too busy, or no %s is at this port",
             cluster->conf->engine->name);
    findings_add(f, weigh(cluster, server), reached ? mend : UNREACHED, "%s: %s within %d s", label,
                 WORKS[visit->stage], SEEN_SECONDS);
}

/* A name that leads to several servers: homing asks one of them, and nobody knows which. */
static void judge_one(struct findings *f, const struct seen_server *server)
{
    const struct seen_visit *first = seen_answer(server);
    char label[LABEL_SIZE];

    label_server(server, label);
    for (uint32_t i = 0; first && !server->seed && i < server->visit_count; i++) {
        const struct seen_visit *other = &server->visits[i];
        if (other->end != SEEN_GOOD || first->report.incarnation == 0 ||
            other->report.incarnation == 0 ||
            first->report.incarnation == other->report.incarnation)
            continue;
        findings_add(f, FINDING_PROBLEM,
                     "a member is one server: list each by a name or address of its own",
                     "%s leads to different servers: at %s is another one than at %s", label,
                     other->address.text, first->address.text);
    }
}

void judge_server(struct findings *f, const struct seen_cluster *cluster,
                  const struct seen_server *server)
{
    char label[LABEL_SIZE];

    judge_name(f, cluster, server);
    judge_networks(f, cluster, server);
    for (uint32_t i = 0; i < server->visit_count; i++) {
        const struct seen_visit *visit = &server->visits[i];
        label_visit(server, visit, label);
        if (visit->end == SEEN_GOOD)
            judge_good(f, cluster, server, label, visit);
        else if (visit->end == SEEN_FAILED)
            judge_failed(f, cluster, server, label, visit);
        else
            judge_silent(f, cluster, server, label, visit);
    }
    judge_one(f, server);
}
