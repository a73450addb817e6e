/* SPDX-License-Identifier: Apache-2.0
 *
 * agree.c - as agree.h says; and whether an address is in the networks that a cluster allows.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/agree.h"
#include "agent/conf/connection.h"
#include "agent/conf/value.h"
#include "proto/limits.h"

/* ---- durations ---- */

/* Both keys may come from an outer mapping: the error stands where one is given,
 * else at the mapping. */
static struct conf_at at_either(const struct conf_node *node, const char *key, const char *other)
{
    return conf_position_at(node, conf_position_find(node, key) ? key : other);
}

static bool is_given(const struct conf_node *node)
{
    return conf_position_find(node, "interval") || conf_position_find(node, "fast_interval") ||
           conf_position_find(node, "timeout") || conf_position_find(node, "max_stale");
}

void conf_agree_timing(const struct conf_node *node, const struct conf_timing *timing,
                       struct conf_errors *errors)
{
    if (!is_given(node))
        return;
    if (timing->fast_interval_ms > timing->interval_ms)
        conf_errors_add(errors, at_either(node, "fast_interval", "interval"),
                        "fast_interval is longer than interval (%" PRIu32 " and %" PRIu32
                        " ms); make it shorter",
                        timing->fast_interval_ms, timing->interval_ms);
    if (timing->interval_ms >= timing->timeout_ms)
        conf_errors_add(errors, at_either(node, "timeout", "interval"),
                        "timeout is not longer than interval (%" PRIu32 " and %" PRIu32
                        " ms), so every answer would be too old before the next; make timeout "
                        "longer, or interval shorter",
                        timing->timeout_ms, timing->interval_ms);
    if (timing->timeout_ms >= timing->max_stale_ms)
        conf_errors_add(errors, at_either(node, "max_stale", "timeout"),
                        "max_stale is not longer than timeout (%" PRIu32 " and %" PRIu32
                        " ms); make it longer",
                        timing->max_stale_ms, timing->timeout_ms);
}

/* ---- directories ---- */

static bool is_admin_dir(const char *dir, const char *run_dir)
{
    size_t len = strlen(run_dir);
    return strncmp(dir, run_dir, len) == 0 && strcmp(dir + len, "-admin") == 0;
}

void conf_agree_directories(const struct conf_node *agent, const struct conf *conf,
                            struct conf_errors *errors)
{
    if (strcmp(conf->state_dir, conf->run_dir) == 0 || is_admin_dir(conf->state_dir, conf->run_dir))
        conf_errors_add(errors, at_either(agent, "state_dir", "run_dir"),
                        "state_dir is a directory of the sockets: others may enter that, and it "
                        "is often lost with the machine's end; choose another one");
}

/* ---- members and networks ---- */

static bool network_holds(const struct conf_network *network, uint8_t family, const uint8_t *bytes)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (network->family != family || memcmp(network->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

bool conf_address_allowed(const struct conf_cluster *cluster, uint8_t family, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < cluster->allowed_network_count; i++)
        if (network_holds(&cluster->allowed_networks[i], family, bytes))
            return true;
    return cluster->allowed_network_count == 0;
}

static void check_addresses(const struct conf_cluster *cluster, const struct conf_member *members,
                            uint32_t count, struct conf_errors *errors)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct conf_member *member = &members[i];
        struct conf_host host;
        if (conf_value_host(member->host, &host) || host.family == 0)
            continue;
        if (cluster->timing.family != CONF_FAMILY_AUTO && host.family != cluster->timing.family)
            conf_errors_add(errors, member->at,
                            "member '%s' is no IPv%d address, as family asks; change one of them",
                            member->host, (int)cluster->timing.family);
        if (!conf_address_allowed(cluster, host.family, host.bytes))
            conf_errors_add(errors, member->at,
                            "member '%s' is in none of allowed_networks; change one of them",
                            member->host);
    }
}

void conf_agree_last_member(const struct conf_member *members, uint32_t count,
                            struct conf_errors *errors, const char *what)
{
    const struct conf_member *last = &members[count - 1];
    for (const struct conf_member *member = members; member != last; member++) {
        if (member->port != last->port || strcmp(member->host, last->host) != 0)
            continue;
        conf_errors_add(errors, last->at,
                        "%s '%s', port %u, is already listed at %s:%u:%u; keep one of them", what,
                        last->host, last->port, errors->file, member->at.line, member->at.column);
        return;
    }
}

void conf_agree_members(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    check_addresses(cluster, cluster->members, cluster->member_count, errors);
    check_addresses(cluster, cluster->seeds, cluster->seed_count, errors);
}

/* ---- where they are asked ---- */

static void refuse_asked_port(const struct conf_cluster *cluster, const struct conf_member *member,
                              uint16_t port, struct conf_errors *errors)
{
    const struct engine_kind *engine = cluster->engine;
    if (member->port == port)
        conf_errors_add(
            errors, member->at,
            "member '%s' has port %u, which is that of %s (%s): a member has the port to "
            "which programs connect, mostly %u; write that one, or correct %s in "
            "connection",
            member->host, port, engine->asked_what, engine->asked_keyword, engine->default_port,
            engine->asked_keyword);
}

/* Who listens there would answer for both, and the one that it is not of would seem to be what the other is. */
static void refuse_asked_host(const struct conf_cluster *cluster, uint32_t member,
                              struct conf_errors *errors)
{
    const struct conf_member *first = cluster->members, *own = &cluster->members[member];
    const struct engine_kind *engine = cluster->engine;
    while (first != own && strcmp(first->host, own->host) != 0)
        first++;
    if (first != own)
        conf_errors_add(
            errors, own->at,
            "member '%s', port %u, is on one host with the member at %s:%u:%u: both would "
            "be asked at the one port of %s (%s); list each by an address of its own",
            own->host, own->port, errors->file, first->at.line, first->at.column,
            engine->asked_what, engine->asked_keyword);
}

void conf_agree_asked_port(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    if (!cluster->engine->asked_port)
        return;
    uint16_t port = cluster->engine->asked_port(cluster->connection);
    for (uint32_t i = 0; i < cluster->member_count; i++) {
        refuse_asked_port(cluster, &cluster->members[i], port, errors);
        refuse_asked_host(cluster, i, errors);
    }
}

/* Both may stand there, as a dump has them, and in `defaults` either: clusters of other engines may need it. */
void conf_agree_lag(const struct conf_node *node, const struct engine_kind *engine,
                    struct conf_errors *errors)
{
    bool counts = engine->lag_in_transactions;
    const char *idle = counts ? "max_lag" : "max_lag_transactions";
    const char *other = counts ? "max_lag_transactions" : "max_lag";

    if (conf_position_find(node, idle) && !conf_position_find(node, other))
        conf_errors_warn(errors, conf_position_at(node, idle), "%s has no effect with %s; write %s",
                         idle, engine->name, other);
}

void conf_agree_failover(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    /* Who is discovered may become the writer. */
    bool any = conf_discovers(cluster) || cluster->member_count == 0;
    for (uint32_t i = 0; i < cluster->member_count; i++)
        any |= cluster->members[i].failover;
    if (!any)
        conf_errors_warn(errors, cluster->at,
                         "cluster %s: each member has failover: false, so that no failover is "
                         "followed without homingctl accept",
                         cluster->name);
}

bool conf_discovers(const struct conf_cluster *cluster)
{
    return cluster->engine->tells != ENGINE_TELLS_NOTHING &&
           (cluster->seed_count > 0 || cluster->host_pattern_count > 0);
}

/* ---- ports: within a cluster ---- */

bool conf_endpoint_has_port(const struct conf_endpoint *endpoint, uint64_t port)
{
    for (uint32_t i = 0; i < endpoint->port_count; i++)
        if (endpoint->ports[i] == port)
            return true;
    return false;
}

uint16_t conf_cluster_port(const struct conf_cluster *cluster, uint16_t above)
{
    uint16_t next = 0;
    for (uint32_t e = 0; e < cluster->endpoint_count; e++)
        for (uint32_t i = 0; i < cluster->endpoints[e].port_count; i++) {
            uint16_t port = cluster->endpoints[e].ports[i];
            if (port > above && (next == 0 || port < next))
                next = port;
        }
    return next;
}

static void refuse_too_many(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    uint32_t count = 0;
    for (uint16_t port = 0; (port = conf_cluster_port(cluster, port)) != 0;)
        count++;
    if (count > HOMING_CLUSTER_PORTS_MAX)
        conf_errors_add(errors, cluster->at,
                        "cluster %s: %u different ports; its endpoints together have at most %d",
                        cluster->name, count, HOMING_CLUSTER_PORTS_MAX);
}

/* Who is discovered mostly has the port of the seed. */
static void refuse_members_ports(const struct conf_member *members, uint32_t count,
                                 const char *what, const struct conf_endpoint *endpoint,
                                 struct conf_errors *errors)
{
    for (uint32_t m = 0; m < count; m++)
        if (conf_endpoint_has_port(endpoint, members[m].port))
            conf_errors_add(errors, endpoint->ports_at,
                            "port %u is that of %s '%s', and is steered without ports; remove it "
                            "from ports",
                            members[m].port, what, members[m].host);
}

static void refuse_shared_hosts(const struct conf_cluster *cluster,
                                const struct conf_endpoint *endpoint, struct conf_errors *errors)
{
    for (uint32_t m = 1; m < cluster->member_count; m++)
        for (uint32_t n = 0; n < m; n++)
            if (strcmp(cluster->members[m].host, cluster->members[n].host) == 0) {
                conf_errors_add(errors, endpoint->ports_at,
                                "two members are on host '%s', and ports cannot be told apart "
                                "there; remove ports",
                                cluster->members[m].host);
                return;
            }
}

/* ---- ports: among all clusters ---- */

/* Who claims a port at a host. */
struct claim {
    const char *host;
    uint16_t port;
    const struct conf_cluster *cluster;
    const struct conf_endpoint *endpoint; /* NULL: it is a member's own */
    struct conf_at at;
};

struct claims {
    struct claim *list;
    size_t count;
};

static size_t count_claims(const struct conf *conf)
{
    size_t count = 0;
    for (uint32_t c = 0; c < conf->cluster_count; c++) {
        size_t ports = 1;
        for (uint32_t e = 0; e < conf->clusters[c].endpoint_count; e++)
            ports += conf->clusters[c].endpoints[e].port_count;
        count += ports * conf->clusters[c].member_count;
    }
    return count;
}

static void claim_member(const struct conf_cluster *cluster, const struct conf_member *member,
                         struct claims *claims)
{
    claims->list[claims->count++] =
        (struct claim){member->host, member->port, cluster, NULL, member->at};
    for (uint32_t e = 0; e < cluster->endpoint_count; e++) {
        const struct conf_endpoint *endpoint = &cluster->endpoints[e];
        for (uint32_t i = 0; i < endpoint->port_count; i++)
            claims->list[claims->count++] = (struct claim){member->host, endpoint->ports[i],
                                                           cluster, endpoint, endpoint->ports_at};
    }
}

static int compare_claims(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int order = strcmp(a->host, b->host);
    if (order != 0)
        return order;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    return a->at.column < b->at.column ? -1 : a->at.column > b->at.column;
}

/* Members of two clusters that are one server claim the same port, too, and are told apart by the
 * name that a program looks up: that is allowed, where no endpoint's port comes in. The error stands
 * where a list of ports does. */
static void refuse_claim(const struct claim *first, const struct claim *other,
                         struct conf_errors *errors)
{
    const struct claim *wrong = other->endpoint ? other : first;
    const struct claim *kept = other->endpoint ? first : other;
    if (first->cluster == other->cluster || !wrong->endpoint)
        return;
    conf_errors_add(errors, wrong->at,
                    "port %u at host '%s' is claimed by cluster %s, too, at %s:%u:%u; keep one of "
                    "them",
                    wrong->port, wrong->host, kept->cluster->name, errors->file, kept->at.line,
                    kept->at.column);
}

static void refuse_claims(const struct claims *claims, struct conf_errors *errors)
{
    const struct claim *first = claims->list;
    for (size_t i = 1; i < claims->count; i++) {
        const struct claim *claim = &claims->list[i];
        if (claim->port == first->port && strcmp(claim->host, first->host) == 0)
            refuse_claim(first, claim, errors);
        else
            first = claim;
    }
}

static int compare_clusters(const struct conf *conf, struct conf_errors *errors)
{
    struct claims claims = {.list = calloc(count_claims(conf) + 1, sizeof(*claims.list))};
    if (!claims.list)
        return -ENOMEM;
    for (uint32_t c = 0; c < conf->cluster_count; c++)
        for (uint32_t m = 0; m < conf->clusters[c].member_count; m++)
            claim_member(&conf->clusters[c], &conf->clusters[c].members[m], &claims);
    qsort(claims.list, claims.count, sizeof(*claims.list), compare_claims);
    refuse_claims(&claims, errors);
    free(claims.list);
    return 0;
}

int conf_agree_ports(const struct conf *conf, struct conf_errors *errors)
{
    bool any = false;
    for (uint32_t c = 0; c < conf->cluster_count; c++) {
        const struct conf_cluster *cluster = &conf->clusters[c];
        any |= conf_cluster_port(cluster, 0) != 0;
        refuse_too_many(cluster, errors);
        for (uint32_t e = 0; e < cluster->endpoint_count; e++)
            if (cluster->endpoints[e].port_count > 0) {
                refuse_members_ports(cluster->members, cluster->member_count, "member",
                                     &cluster->endpoints[e], errors);
                refuse_members_ports(cluster->seeds, cluster->seed_count, "seed",
                                     &cluster->endpoints[e], errors);
                refuse_shared_hosts(cluster, &cluster->endpoints[e], errors);
            }
    }
    return any ? compare_clusters(conf, errors) : 0;
}

/* ---- names, sorted, because there may be 16,384 clusters with 32 names each ---- */

int conf_uses_add(struct conf_uses *uses, const char *name, struct conf_at at)
{
    if (uses->count == uses->room) {
        size_t room = uses->room != 0 ? 2 * uses->room : 64;
        struct conf_use *list = realloc(uses->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        uses->list = list;
        uses->room = room;
    }
    uses->list[uses->count++] = (struct conf_use){.name = name, .at = at};
    return 0;
}

static int compare_uses(const void *left, const void *right)
{
    const struct conf_use *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line ? -1 : 1;
    return a->at.column < b->at.column ? -1 : 1;
}

void conf_uses_check(struct conf_uses *uses, const char *what, struct conf_errors *errors)
{
    if (uses->count < 2)
        return;
    qsort(uses->list, uses->count, sizeof(*uses->list), compare_uses);
    const struct conf_use *first = &uses->list[0];
    for (size_t i = 1; i < uses->count; i++) {
        const struct conf_use *use = &uses->list[i];
        if (strcmp(use->name, first->name) == 0)
            conf_errors_add(errors, use->at,
                            "%s '%s' is already used at %s:%u:%u; keep one of them", what,
                            use->name, errors->file, first->at.line, first->at.column);
        else
            first = use;
    }
}

void conf_uses_done(struct conf_uses *uses)
{
    free(uses->list);
}

/* ---- what is allowed, and dangerous ---- */

static bool is_name(const char *host)
{
    struct conf_host read;
    return !conf_value_host(host, &read) && read.family == 0;
}

/* I5, W11: a member is where its name leads, if its data set is there. Where no server has to prove
 * its name, only the network stands between a liar in DNS and the writer. */
static void warn_unproven(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    const struct engine_kind *engine = cluster->engine;
    if (cluster->allowed_network_count > 0 || !engine->proof_keyword ||
        conf_connection_has(cluster->connection, engine->proof_keyword, engine->proof_value))
        return;
    const char *name = cluster->host_pattern_count ? cluster->host_patterns[0].pattern : NULL;
    for (uint32_t i = 0; i < cluster->member_count && !name; i++)
        if (is_name(cluster->members[i].host))
            name = cluster->members[i].host;
    if (name)
        conf_errors_warn(errors, cluster->at,
                         "cluster %s: whoever answers DNS for %s can move the writer, because no "
                         "server has to prove its name; set %s=%s in connection, or "
                         "allowed_networks (W11)",
                         cluster->name, name, engine->proof_keyword, engine->proof_value);
}

/* Every address of this machine: 0.0.0.0 and ::. */
static bool is_any(const char *text)
{
    static const uint8_t none[sizeof(((struct conf_host *)0)->bytes)];
    struct conf_host host;
    if (conf_value_host(text, &host) || host.family == 0)
        return false;
    return memcmp(host.bytes, none, host.family == 4 ? 4 : 16) == 0;
}

static bool is_loopback(const char *text)
{
    static const uint8_t own[16] = {[15] = 1};
    struct conf_host host;
    if (conf_value_host(text, &host))
        return false;
    if (host.family == 4)
        return host.bytes[0] == 127;
    if (host.family == 6)
        return memcmp(host.bytes, own, sizeof(own)) == 0;
    const char *end = strrchr(host.text, '.');
    return strcmp(end ? end + 1 : host.text, "localhost") == 0;
}

static void warn_any(const struct conf_member *member, struct conf_errors *errors)
{
    if (is_any(member->host))
        conf_errors_warn(errors, member->at,
                         "member '%s' is no server's address: a connect to it stays on the machine "
                         "where it is made; write the address that the server has for programs",
                         member->host);
}

/* If all members are there, the cluster is one machine's, as for a trial. */
static void warn_loopback(const struct conf_cluster *cluster, struct conf_errors *errors)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->member_count; i++)
        count += is_loopback(cluster->members[i].host);
    for (uint32_t i = 0; i < cluster->member_count && count < cluster->member_count; i++)
        if (is_loopback(cluster->members[i].host))
            conf_errors_warn(errors, cluster->members[i].at,
                             "member '%s' is another server on each machine, and in each "
                             "container; write the address that it has for all programs",
                             cluster->members[i].host);
}

static int compare_use(const void *name, const void *use)
{
    return strcmp(name, ((const struct conf_use *)use)->name);
}

/* A provider's name of a server: during a blue/green deployment (W4a) it stands beside another member, and is
 * what programs use. */
static bool is_own_name(const struct engine_kind *engine, const char *host)
{
    char region[ALIAS_REGION_SIZE];
    struct alias alias;
    return engine->region && engine->region(host, region) && !engine->alias(host, &alias);
}

/* A single member may well be known by the name that programs use, as a managed database is. */
static void warn_endpoint(const struct conf_cluster *cluster, const struct conf_uses *names,
                          struct conf_errors *errors)
{
    for (uint32_t i = 0; i < cluster->member_count && cluster->member_count > 1; i++) {
        const struct conf_member *member = &cluster->members[i];
        const struct conf_use *use =
            bsearch(member->host, names->list, names->count, sizeof(*names->list), compare_use);
        if (use && !is_own_name(cluster->engine, member->host))
            conf_errors_warn(errors, member->at,
                             "member '%s' is a name of an endpoint, too (%u:%u): it leads to "
                             "whichever server DNS says is the writer; write the server's own name",
                             member->host, use->at.line, use->at.column);
    }
}

void conf_agree_danger(const struct conf_cluster *cluster, const struct conf_uses *names,
                       struct conf_errors *errors)
{
    warn_unproven(cluster, errors);
    for (uint32_t i = 0; i < cluster->member_count; i++)
        warn_any(&cluster->members[i], errors);
    warn_loopback(cluster, errors);
    warn_endpoint(cluster, names, errors);
}
