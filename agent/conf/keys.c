/* SPDX-License-Identifier: Apache-2.0
 *
 * keys.c - as keys.h says: the rows, and whether two configurations differ by them.
 */
#include "config.h"

#include <string.h>

#include "agent/conf/keys.h"
#include "proto/limits.h"

#define IN(place)          (1u << CONF_PLACE_##place)
#define AT(place, type, f) [CONF_PLACE_##place] = offsetof(struct type, f)

#define IN_AGENT(f)    .places = IN(AGENT), .at = {AT(AGENT, conf, f)}
#define IN_CLUSTER(f)  .places = IN(CLUSTER), .at = {AT(CLUSTER, conf_cluster, f)}
#define IN_ENDPOINT(f) .places = IN(ENDPOINT), .at = {AT(ENDPOINT, conf_endpoint, f)}
#define IN_MEMBER(f)   .places = IN(MEMBER), .at = {AT(MEMBER, conf_member, f)}
/* Of a member and of a seed. */
#define IN_SERVER(f)                                                                               \
    .places = IN(MEMBER) | IN(SEED), .at = {AT(MEMBER, conf_member, f), AT(SEED, conf_member, f)}
#define IN_PATTERN(f) .places = IN(PATTERN), .at = {AT(PATTERN, conf_pattern, f)}
/* Inherited: the innermost value wins. */
#define IN_TIMING(f)                                                                               \
    .places = IN(DEFAULTS) | IN(CLUSTER),                                                          \
    .at = {AT(DEFAULTS, conf_timing, f), AT(CLUSTER, conf_cluster, timing.f)}
#define IN_TIMING_AND_ENDPOINT(f, own)                                                             \
    .places = IN(DEFAULTS) | IN(CLUSTER) | IN(ENDPOINT),                                           \
    .at = {AT(DEFAULTS, conf_timing, f), AT(CLUSTER, conf_cluster, timing.f),                      \
           AT(ENDPOINT, conf_endpoint, own)}

/* run_dir + "-admin/" + a temporary socket name must fit into sun_path's 107 bytes. */
#define DIRECTORY_MAX 70
/* A cluster's name goes into file names and log fields. */
#define WORD_MAX 63

/* One for each region of a database that spans some, and the operator's own names. */
#define PATTERNS_MAX 16

#define SECOND 1000
#define MINUTE 60000

/* Bounds: below the least, a question is asked before the last answer can be there, or a healthy
 * agent's pause looks like death; above the most, a failure goes unnoticed longer than DNS would
 * take. */
const struct conf_key conf_keys[] = {
    {"agent", CONF_TYPE_MAPPING, .places = IN(FILE), .inner = CONF_PLACE_AGENT},
    {"clusters", CONF_TYPE_MAPPINGS, .places = IN(FILE), .inner = CONF_PLACE_CLUSTER,
     .at = {AT(FILE, conf, clusters)}, .count_at = offsetof(struct conf, cluster_count),
     .max = HOMING_CLUSTERS_MAX, .holder = "one agent takes"},

    {"run_dir", CONF_TYPE_DIRECTORY, IN_AGENT(run_dir), .standard = "/run/homing",
     .max = DIRECTORY_MAX},
    {"state_dir", CONF_TYPE_DIRECTORY, IN_AGENT(state_dir), .standard = "/var/lib/homing",
     .max = DIRECTORY_MAX},
    {"confirm", CONF_TYPE_DURATION, .places = IN(AGENT), .max = MINUTE, .idle = true},
    {"bus_max_stale", CONF_TYPE_DURATION, .places = IN(AGENT), .min = 5 * SECOND,
     .max = 60 * MINUTE, .idle = true},
    {"defaults", CONF_TYPE_MAPPING, .places = IN(AGENT), .inner = CONF_PLACE_DEFAULTS},

    {"name", CONF_TYPE_WORD, IN_CLUSTER(name), .unseen = true, .min = 1, .max = WORD_MAX,
     .required = "a cluster without name; write name: and one word"},
    {"engine", CONF_TYPE_ENGINE, IN_CLUSTER(engine),
     .required = "a cluster without engine; write engine: "},
    {"members", CONF_TYPE_MAPPINGS, IN_CLUSTER(members), .inner = CONF_PLACE_MEMBER,
     .count_at = offsetof(struct conf_cluster, member_count), .max = HOMING_MEMBERS_MAX,
     .holder = "a cluster has", .words = true, .instead = "seeds",
     .required = "a cluster without members; list its servers"},
    {"seeds", CONF_TYPE_MAPPINGS, IN_CLUSTER(seeds), .inner = CONF_PLACE_SEED,
     .count_at = offsetof(struct conf_cluster, seed_count), .max = CONF_SEEDS_MAX,
     .holder = "a cluster has", .words = true},
    {"host_patterns", CONF_TYPE_MAPPINGS, IN_CLUSTER(host_patterns), .inner = CONF_PLACE_PATTERN,
     .count_at = offsetof(struct conf_cluster, host_pattern_count), .max = PATTERNS_MAX,
     .holder = "a cluster has", .words = true},
    {"connection", CONF_TYPE_CONNECTION, IN_CLUSTER(connection), .standard = ""},
    {"password_file", CONF_TYPE_SECRET_FILE, IN_CLUSTER(password_file)},
    {"endpoints", CONF_TYPE_MAPPINGS, IN_CLUSTER(endpoints), .inner = CONF_PLACE_ENDPOINT,
     .count_at = offsetof(struct conf_cluster, endpoint_count),
     .required = "a cluster without endpoints; list the names that applications use"},
    {"allowed_networks", CONF_TYPE_NETWORKS, IN_CLUSTER(allowed_networks),
     .count_at = offsetof(struct conf_cluster, allowed_network_count)},
    {"sever_untagged", CONF_TYPE_BOOL, IN_CLUSTER(sever_untagged), .standard = "false"},
    {"circular", CONF_TYPE_BOOL, IN_CLUSTER(circular), .standard = "false"},

    {"names", CONF_TYPE_NAMES, IN_ENDPOINT(names),
     .count_at = offsetof(struct conf_endpoint, name_count), .max = HOMING_ENDPOINT_NAMES_MAX,
     .holder = "an endpoint has",
     .required = "an endpoint without names; list those that applications use"},
    {"role", CONF_TYPE_ROLE, IN_ENDPOINT(role),
     .required = "an endpoint without role; write role: writer or role: reader"},
    {"ports", CONF_TYPE_PORTS, IN_ENDPOINT(ports),
     .count_at = offsetof(struct conf_endpoint, port_count), .max = HOMING_PORTS_MAX,
     .holder = "an endpoint has"},

    {"mode", CONF_TYPE_MODE, IN_TIMING_AND_ENDPOINT(mode, mode), .standard = "sever"},
    {"interval", CONF_TYPE_DURATION, IN_TIMING(interval_ms), .standard = "250ms", .min = 50,
     .max = MINUTE},
    {"fast_interval", CONF_TYPE_DURATION, IN_TIMING(fast_interval_ms), .standard = "50ms",
     .min = 10, .max = 10 * SECOND},
    {"timeout", CONF_TYPE_DURATION, IN_TIMING(timeout_ms), .standard = "1s", .min = 100,
     .max = MINUTE},
    {"max_stale", CONF_TYPE_DURATION, IN_TIMING(max_stale_ms), .standard = "30s", .min = 5 * SECOND,
     .max = 10 * MINUTE},
    {"hold", CONF_TYPE_DURATION, IN_TIMING_AND_ENDPOINT(hold_ms, hold_ms), .standard = "2s",
     .max = HOMING_HOLD_MAX_MS},
    {"max_lag", CONF_TYPE_SIZE, IN_TIMING(max_lag), .standard = "16MB"},
    /* As much as a busy server does in a second or two. */
    {"max_lag_transactions", CONF_TYPE_NUMBER, IN_TIMING(max_lag_transactions), .standard = "10000",
     .max = 1000000000},
    {"max_switches", CONF_TYPE_NUMBER, IN_TIMING(max_switches), .standard = "5", .max = 1000},
    {"sever_spread", CONF_TYPE_DURATION, IN_TIMING(sever_spread_ms), .standard = "50ms",
     .max = 10 * MINUTE},
    /* Less ends connections because of one lost packet: a SYN is sent again after 1 s and 3 s. */
    {"keepalive", CONF_TYPE_DURATION, IN_TIMING(keepalive_ms), .standard = "0s", .off = true,
     .min = 5 * SECOND, .max = 60 * MINUTE},
    {"family", CONF_TYPE_FAMILY, IN_TIMING(family), .standard = "auto"},

    {"host", CONF_TYPE_HOST, IN_SERVER(host),
     .required = "a server without host; write host: and a name or address"},
    {"port", CONF_TYPE_PORT, IN_SERVER(port), .min = 1, .max = 65535},
    {"failover", CONF_TYPE_BOOL, IN_MEMBER(failover), .standard = "true"},

    {"region", CONF_TYPE_REGION, IN_PATTERN(region)},
    {"pattern", CONF_TYPE_PATTERN, IN_PATTERN(pattern),
     .required = "a host pattern without pattern; write a host with '?' for the id, in quotes, as "
                 "in \"?.db.example.com\""},

    {.name = NULL},
};

const size_t conf_place_size[CONF_PLACE_COUNT] = {
    [CONF_PLACE_FILE] = sizeof(struct conf),
    [CONF_PLACE_AGENT] = sizeof(struct conf),
    [CONF_PLACE_DEFAULTS] = sizeof(struct conf_timing),
    [CONF_PLACE_CLUSTER] = sizeof(struct conf_cluster),
    [CONF_PLACE_ENDPOINT] = sizeof(struct conf_endpoint),
    [CONF_PLACE_MEMBER] = sizeof(struct conf_member),
    [CONF_PLACE_SEED] = sizeof(struct conf_member),
    [CONF_PLACE_PATTERN] = sizeof(struct conf_pattern),
};

enum conf_place conf_place_outer(enum conf_place place)
{
    switch (place) {
    case CONF_PLACE_CLUSTER:
        return CONF_PLACE_DEFAULTS;
    case CONF_PLACE_ENDPOINT:
        return CONF_PLACE_CLUSTER;
    default:
        return CONF_PLACE_COUNT;
    }
}

const struct conf_key *conf_key_find(enum conf_place place, const char *name)
{
    for (const struct conf_key *key = conf_keys; key->name; key++)
        if (conf_key_in(key, place) && strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

/* ---- fields ---- */

static const uint8_t number_size[] = {
    [CONF_TYPE_DURATION] = sizeof(uint32_t),
    [CONF_TYPE_SIZE] = sizeof(uint64_t),
    [CONF_TYPE_NUMBER] = sizeof(uint32_t),
    [CONF_TYPE_PORT] = sizeof(uint16_t),
    [CONF_TYPE_BOOL] = sizeof(bool),
    [CONF_TYPE_MODE] = sizeof(enum view_mode),
    [CONF_TYPE_FAMILY] = sizeof(enum conf_family),
    [CONF_TYPE_ROLE] = sizeof(enum view_role),
};

static const void *field(const struct conf_key *key, enum conf_place place, const void *object)
{
    return (const char *)object + key->at[place];
}

static const void *pointer(const struct conf_key *key, enum conf_place place, const void *object)
{
    const void *at;
    memcpy(&at, field(key, place, object), sizeof(at));
    return at;
}

uint64_t conf_key_number(const struct conf_key *key, enum conf_place place, const void *object)
{
    const void *at = field(key, place, object);
    switch (number_size[key->type]) {
    case sizeof(uint8_t):
        return *(const uint8_t *)at;
    case sizeof(uint16_t):
        return *(const uint16_t *)at;
    case sizeof(uint32_t):
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
    }
}

void conf_key_set_number(const struct conf_key *key, enum conf_place place, void *object,
                         uint64_t number)
{
    void *at = conf_key_field(key, place, object);
    switch (number_size[key->type]) {
    case sizeof(uint8_t):
        *(uint8_t *)at = (uint8_t)number;
        break;
    case sizeof(uint16_t):
        *(uint16_t *)at = (uint16_t)number;
        break;
    case sizeof(uint32_t):
        *(uint32_t *)at = (uint32_t)number;
        break;
    default:
        *(uint64_t *)at = number;
    }
}

const char *conf_key_text(const struct conf_key *key, enum conf_place place, const void *object)
{
    return pointer(key, place, object);
}

uint32_t conf_key_list(const struct conf_key *key, enum conf_place place, const void *object,
                       const void **ret_list)
{
    *ret_list = pointer(key, place, object);
    return *(const uint32_t *)((const char *)object + key->count_at);
}

/* ---- whether two differ ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_network(const struct conf_network *a, const struct conf_network *b)
{
    return a->family == b->family && a->bits == b->bits &&
           memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool same_mapping(enum conf_place place, const void *a, const void *b);

static bool same_entry(const struct conf_key *key, const void *a, const void *b, uint32_t i)
{
    size_t size = conf_place_size[key->inner];
    if (key->type == CONF_TYPE_NAMES)
        return name_same(&((const struct conf_name *)a)[i].name,
                         &((const struct conf_name *)b)[i].name);
    if (key->type == CONF_TYPE_NETWORKS)
        return same_network((const struct conf_network *)a + i, (const struct conf_network *)b + i);
    if (key->type == CONF_TYPE_PORTS)
        return ((const uint16_t *)a)[i] == ((const uint16_t *)b)[i];
    return same_mapping(key->inner, (const char *)a + i * size, (const char *)b + i * size);
}

static bool same_list(const struct conf_key *key, enum conf_place place, const void *a,
                      const void *b)
{
    const void *a_list, *b_list;
    uint32_t count = conf_key_list(key, place, a, &a_list);
    if (count != conf_key_list(key, place, b, &b_list))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!same_entry(key, a_list, b_list, i))
            return false;
    return true;
}

static bool same_key(const struct conf_key *key, enum conf_place place, const void *a,
                     const void *b)
{
    if (conf_key_is_number(key))
        return conf_key_number(key, place, a) == conf_key_number(key, place, b);
    if (conf_key_is_text(key))
        return same_text(conf_key_text(key, place, a), conf_key_text(key, place, b));
    if (conf_key_is_list(key))
        return same_list(key, place, a, b);
    /* An engine: one struct for each kind there is. */
    return pointer(key, place, a) == pointer(key, place, b);
}

static bool same_mapping(enum conf_place place, const void *a, const void *b)
{
    for (const struct conf_key *key = conf_keys; key->name; key++)
        if (conf_key_in(key, place) && conf_key_compared(key) && !same_key(key, place, a, b))
            return false;
    return true;
}

bool conf_same_cluster(const struct conf_cluster *a, const struct conf_cluster *b)
{
    return same_mapping(CONF_PLACE_CLUSTER, a, b);
}

bool conf_same_agent(const struct conf *a, const struct conf *b)
{
    return same_mapping(CONF_PLACE_AGENT, a, b);
}
