/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery.c - as discovery.h says. Called by check.c.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/discovery/alias.h"
#include "agent/conf/discovery/discovery.h"
#include "agent/conf/pattern.h"

/* What a server says of the others is hearsay, and whoever it names would be given the password. */
void conf_agree_discovery(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    enum engine_tells tells = cluster->engine->tells;
    if (cluster->seed_count == 0 && cluster->host_pattern_count == 0)
        return;
    if (tells == ENGINE_TELLS_NOTHING)
        conf_errors_add(errors, cluster->at,
                        "cluster %s: a server of engine %s does not tell of the others; list all "
                        "of them under members, and remove seeds and host_patterns",
                        cluster->name, cluster->engine->name);
    else if (tells == ENGINE_TELLS_IDS && cluster->host_pattern_count == 0)
        conf_errors_add(errors, cluster->at,
                        "cluster %s: engine %s tells the servers' ids alone; set host_patterns, as "
                        "in [\"?.db.example.com\"], so that their hosts are known",
                        cluster->name, cluster->engine->name);
    else if (cluster->host_pattern_count == 0 && cluster->allowed_network_count == 0)
        conf_errors_add(errors, cluster->at,
                        "cluster %s: a seed may name any host as a member; set host_patterns or "
                        "allowed_networks, so that the password goes to no other",
                        cluster->name);
}

/* ---- patterns ---- */

/* False: it has none in it. */
static bool region_of(const struct engine_kind *engine, const struct conf_pattern *pattern,
                      char ret_region[ALIAS_REGION_SIZE])
{
    struct conf_host host;
    return engine->region && conf_pattern_host(pattern->pattern, "a", &host) &&
           engine->region(host.text, ret_region);
}

static void refuse_other_region(const struct engine_kind *engine,
                                const struct conf_pattern *pattern, struct conf_errors *errors)
{
    char region[ALIAS_REGION_SIZE];
    if (pattern->region && region_of(engine, pattern, region) &&
        strcmp(pattern->region, region) != 0)
        conf_errors_add(errors, pattern->at,
                        "pattern '%s' makes hosts of region %s, and is for region %s; correct one "
                        "of them",
                        pattern->pattern, region, pattern->region);
}

/* False: the region is wrong, and nothing more is to be said of the pattern. */
static bool check_region(const struct engine_kind *engine, const struct conf_pattern *pattern,
                         struct conf_errors *errors)
{
    bool lacks = engine->spans_regions && engine->tells == ENGINE_TELLS_IDS && !pattern->region;
    if (pattern->region && !engine->spans_regions)
        conf_errors_add(errors, pattern->at,
                        "region is not for %s, whose servers tell of none; write the pattern alone",
                        engine->name);
    else if (lacks)
        conf_errors_add(
            errors, pattern->at,
            "pattern '%s' is for no region, and each region of %s has hosts of its own; "
            "write it as in {region: eu-west-1, pattern: \"?.db.example.com\"}, once for "
            "each region",
            pattern->pattern, engine->name);
    return !lacks && !(pattern->region && !engine->spans_regions);
}

/* Of an id only the first pattern makes a host; a host may fit several. */
static bool is_for_same(const struct engine_kind *engine, const struct conf_pattern *a,
                        const struct conf_pattern *b)
{
    if (engine->tells != ENGINE_TELLS_IDS)
        return strcmp(a->pattern, b->pattern) == 0;
    return !a->region || !b->region ? a->region == b->region : strcmp(a->region, b->region) == 0;
}

static void refuse_second(const struct conf_cluster *cluster, uint32_t second,
                          struct conf_errors *errors)
{
    const struct conf_pattern *first = cluster->host_patterns, *own = &first[second];
    while (first != own && !is_for_same(cluster->engine, first, own))
        first++;
    if (first != own)
        conf_errors_add(
            errors, own->at,
            "the pattern at %s:%u:%u is for all servers that '%s' would be for%s%s; keep "
            "one of them",
            errors->file, first->at.line, first->at.column, own->pattern,
            own->region ? ", those of region " : "", own->region ? own->region : "");
}

void conf_agree_patterns(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    const struct engine_kind *engine = cluster->engine;
    if (engine->tells == ENGINE_TELLS_NOTHING)
        return;
    for (uint32_t i = 0; i < cluster->host_pattern_count; i++)
        if (check_region(engine, &cluster->host_patterns[i], errors)) {
            refuse_other_region(engine, &cluster->host_patterns[i], errors);
            refuse_second(cluster, i, errors);
        }
}

/* ---- names that are no server's ---- */

static void refuse_alias(const struct conf_member *member, const struct alias *alias,
                         struct conf_errors *errors)
{
    const char *pattern = alias->pattern[0] ? alias->pattern : "?.db.example.com";
    if (alias->seed)
        conf_errors_add(errors, member->at,
                        "member '%s' is %s, which leads now to one server and now to another one: "
                        "list it under seeds, and set host_patterns, as in [\"%s\"]",
                        member->host, alias->what, pattern);
    else
        conf_errors_add(errors, member->at,
                        "member '%s' is %s, and no server: list the endpoint of the cluster under "
                        "seeds, and set host_patterns, as in [\"%s\"]",
                        member->host, alias->what, pattern);
}

/* Whoever has no other name for it may have reasons: it works as DNS does. */
static void warn_alias(const struct conf_member *member, const struct alias *alias,
                       struct conf_errors *errors)
{
    conf_errors_warn(
        errors, member->at,
        "member '%s' is %s, which leads now to one server and now to another one: homing "
        "follows it no sooner than DNS does; list each server by a name of its own, or "
        "write an engine whose servers tell of each other, and this name under seeds",
        member->host, alias->what);
}

/* What it makes are no instances' names. */
static void refuse_alias_pattern(const struct conf_pattern *pattern,
                                 const struct engine_kind *engine, struct conf_errors *errors)
{
    struct conf_host host;
    struct alias alias;
    if (conf_pattern_host(pattern->pattern, "a", &host) && engine->alias(host.text, &alias))
        conf_errors_add(
            errors, pattern->at,
            "pattern '%s' makes names as of %s, and of no server; write it as in \"%s\"",
            pattern->pattern, alias.what, alias.pattern[0] ? alias.pattern : "?.db.example.com");
}

/* Whether the servers of this host are where one of the patterns says; so also where a pattern leads to names of one's own. */
static bool is_in_a_pattern(const struct conf_cluster *cluster, const struct conf_host *host)
{
    const struct engine_kind *engine = cluster->engine;
    char region[ALIAS_REGION_SIZE];
    struct alias alias;
    bool leads = engine->alias(host->text, &alias);
    if (!engine->region(host->text, region) || (leads && alias.pattern[0] == '\0'))
        return true;
    for (uint32_t i = 0; i < cluster->host_pattern_count; i++) {
        const struct conf_pattern *pattern = &cluster->host_patterns[i];
        if (!region_of(engine, pattern, region) ||
            (leads ? strcmp(pattern->pattern, alias.pattern) == 0
                   : conf_pattern_matches(pattern->pattern, host)))
            return true;
    }
    return false;
}

/* Their ids would be made into hosts of another account, or region. */
static void refuse_outside(const struct conf_cluster *cluster, const struct conf_member *listed,
                           uint32_t count, const char *what, struct conf_errors *errors)
{
    for (uint32_t i = 0; i < count; i++) {
        struct conf_host host;
        struct alias alias;
        if (conf_value_host(listed[i].host, &host) || is_in_a_pattern(cluster, &host))
            continue;
        bool leads = cluster->engine->alias(host.text, &alias);
        conf_errors_add(errors, listed[i].at,
                        "%s '%s' is of another region or account than the hosts that host_patterns "
                        "makes; write \"%s%s\" there, or correct the %s",
                        what, listed[i].host, leads ? "" : "?",
                        leads ? alias.pattern : strchr(host.text, '.'), what);
    }
}

static void check_member(const struct conf_cluster *cluster, const struct conf_member *member,
                         struct conf_errors *errors)
{
    struct alias alias;
    if (!cluster->engine->alias(member->host, &alias))
        return;
    if (cluster->engine->tells != ENGINE_TELLS_NOTHING)
        refuse_alias(member, &alias, errors);
    else
        warn_alias(member, &alias, errors);
}

/* ---- names of endpoints ---- */

/* Who means to read would write, or could not. It may be meant: a program that cannot be changed has one name. */
static void warn_of_role(const struct conf_endpoint *endpoint, const char *name,
                         const struct alias *alias, struct conf_errors *errors)
{
    bool writer = endpoint->role == VIEW_ROLE_WRITER;
    if (alias->leads == (writer ? ALIAS_LEADS_TO_READERS : ALIAS_LEADS_TO_WRITER))
        conf_errors_warn(
            errors, endpoint->at,
            "name '%s' is %s, and the endpoint's role is %s; write role: %s, or another "
            "name",
            name, alias->what, writer ? "writer" : "reader", writer ? "reader" : "writer");
}

/* Whose servers tell of each other, as no server of this engine does. */
static void warn_of_cluster(const struct engine_kind *engine, const struct conf_endpoint *endpoint,
                            const char *name, const struct alias *alias, struct conf_errors *errors)
{
    if (engine->tells == ENGINE_TELLS_NOTHING && alias->leads != ALIAS_LEADS_ANYWHERE)
        conf_errors_warn(errors, endpoint->at,
                         "name '%s' is %s, whose servers are not asked as %s's are; write the "
                         "engine of that cluster",
                         name, alias->what, engine->name);
}

static void check_endpoint(const struct engine_kind *engine, const struct conf_endpoint *endpoint,
                           struct conf_errors *errors)
{
    struct alias alias;
    for (uint32_t i = 0; i < endpoint->name_count; i++) {
        const char *name = endpoint->names[i].text;
        if (!engine->alias(name, &alias))
            continue;
        warn_of_role(endpoint, name, &alias, errors);
        warn_of_cluster(engine, endpoint, name, &alias, errors);
    }
}

void conf_agree_aliases(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    const struct engine_kind *engine = cluster->engine;
    if (!engine->alias)
        return;
    for (uint32_t i = 0; i < cluster->host_pattern_count; i++)
        refuse_alias_pattern(&cluster->host_patterns[i], engine, errors);
    for (uint32_t i = 0; i < cluster->member_count; i++)
        check_member(cluster, &cluster->members[i], errors);
    for (uint32_t i = 0; i < cluster->endpoint_count; i++)
        check_endpoint(engine, &cluster->endpoints[i], errors);
    if (engine->tells != ENGINE_TELLS_IDS || cluster->host_pattern_count == 0)
        return;
    refuse_outside(cluster, cluster->members, cluster->member_count, "member", errors);
    if (!engine->spans_regions) /* a seed may be in a region of which no server is to be a member */
        refuse_outside(cluster, cluster->seeds, cluster->seed_count, "seed", errors);
}
