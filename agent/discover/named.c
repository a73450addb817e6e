/* SPDX-License-Identifier: Apache-2.0
 *
 * named.c - see named.h.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "agent/conf/pattern.h"
#include "agent/discover/named.h"

/* A pattern of the row's own region, else one that is for all. A row without region can only mean
 * the one pattern there is. */
static const struct conf_pattern *pattern_for(const struct conf_cluster *conf, const char *region)
{
    const struct conf_pattern *any = NULL;

    for (uint32_t i = 0; i < conf->host_pattern_count; i++) {
        const struct conf_pattern *p = &conf->host_patterns[i];
        if (p->region && strcmp(p->region, region) == 0)
            return p;
        if (!any && (!p->region || (region[0] == '\0' && conf->host_pattern_count == 1)))
            any = p;
    }
    return any;
}

static enum named judge_id(const struct conf_cluster *conf, const struct topology_row *row,
                           struct conf_host *ret_host)
{
    const struct conf_pattern *made = pattern_for(conf, row->region);

    if (row->id[0] == '\0')
        return NAMED_ODD;
    if (!made)
        return NAMED_NO_REGION;
    return conf_pattern_host(made->pattern, row->id, ret_host) ? NAMED_GOOD : NAMED_ODD;
}

static bool is_of_family(const struct conf_cluster *conf, const struct conf_host *host)
{
    return conf->timing.family == CONF_FAMILY_AUTO || (int)conf->timing.family == host->family;
}

enum named named_judge_host(const struct conf_cluster *conf, const struct conf_host *host)
{
    for (uint32_t i = 0; i < conf->host_pattern_count; i++)
        if (conf_pattern_matches(conf->host_patterns[i].pattern, host))
            return NAMED_GOOD;
    if (conf->engine->tells != ENGINE_TELLS_HOSTS || conf->allowed_network_count == 0)
        return NAMED_OUTSIDE;
    if (host->family != 0 &&
        (!is_of_family(conf, host) || !conf_address_allowed(conf, host->family, host->bytes)))
        return NAMED_OUTSIDE;
    return NAMED_GOOD;
}

/* `-old1` and the like at the end of the first label. */
static bool is_old(const char *name)
{
    size_t len = strcspn(name, "."), digits = 0;

    while (digits < len && name[len - digits - 1] >= '0' && name[len - digits - 1] <= '9')
        digits++;
    return digits > 0 && len >= digits + 4 && strncasecmp(name + len - digits - 4, "-old", 4) == 0;
}

enum named named_judge(const struct conf_cluster *conf, const struct topology_row *row,
                       struct conf_host *ret_host)
{
    struct conf_host host;
    enum named named;

    if (is_old(row->host[0] ? row->host : row->id))
        return NAMED_OLD;
    if (conf->engine->tells == ENGINE_TELLS_IDS && !row->green)
        return judge_id(conf, row, ret_host);
    if (row->host[0] == '\0' || conf_value_host(row->host, &host))
        return NAMED_ODD;
    named = named_judge_host(conf, &host);
    if (named == NAMED_GOOD)
        *ret_host = host;
    return named;
}

enum named named_judge_port(const struct conf_cluster *conf, uint16_t port)
{
    for (uint32_t i = 0; i < conf->endpoint_count; i++)
        if (conf_endpoint_has_port(&conf->endpoints[i], port))
            return NAMED_PORT;
    return NAMED_GOOD;
}

enum named named_judge_row(const struct conf_cluster *conf, const struct topology_row *row,
                           uint16_t port, struct conf_host *ret_host, uint16_t *ret_port)
{
    enum named named = named_judge(conf, row, ret_host);

    *ret_port = row->port ? row->port : port;
    return named == NAMED_GOOD ? named_judge_port(conf, *ret_port) : named;
}

const struct conf_pattern *named_pattern(const struct conf_cluster *conf,
                                         const struct topology_row *row,
                                         const struct conf_host *host)
{
    if (conf->engine->tells == ENGINE_TELLS_IDS && !row->green)
        return pattern_for(conf, row->region);
    for (uint32_t i = 0; i < conf->host_pattern_count; i++)
        if (conf_pattern_matches(conf->host_patterns[i].pattern, host))
            return &conf->host_patterns[i];
    return NULL;
}

const char *named_text(enum named named)
{
    static const char *const texts[NAMED_COUNT] = {
        [NAMED_GOOD] = "is good",
        [NAMED_ODD] = "is no id or host of a server",
        [NAMED_NO_REGION] = "is in a region that no entry of host_patterns is for",
        [NAMED_OUTSIDE] = "is outside of host_patterns and allowed_networks",
        [NAMED_OLD] = "was left behind by a blue/green switchover",
        [NAMED_PORT] = "has a port that stands in ports of an endpoint",
    };

    return (unsigned)named < NAMED_COUNT ? texts[named] : "?";
}
