/* SPDX-License-Identifier: Apache-2.0
 *
 * conf.h - the configuration as homingd uses it: parsed, checked, defaults filled in.
 *
 * Called by main.c (start, --check-config) and daemon/reload.c (reload: all or nothing). A
 * configuration is immutable once loaded. Every error is one line "file:line:column: what, and what
 * to do".
 */
#ifndef HOMING_AGENT_CONF_CONF_H
#define HOMING_AGENT_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/conf/engine_kind.h"
#include "proto/name.h"
#include "proto/view_format.h"

/* The highest mode that this version carries out, and its default. */
#define CONF_MODE_HIGHEST VIEW_MODE_SEVER

/* What `homingctl mode CLUSTER default` orders: no mode, each endpoint's own counts. Only an order
 * is ever this; in the view the same number is VIEW_MODE_GONE. */
#define CONF_MODE_DEFAULT ((enum view_mode)0)

enum conf_family {
    CONF_FAMILY_AUTO = 0,
    CONF_FAMILY_4 = 4,
    CONF_FAMILY_6 = 6
};

/* Each seed is asked until one of them tells of the members. */
#define CONF_SEEDS_MAX 8

/* A position in the configuration file, for errors found later (unknown host, unreadable file). */
struct conf_at {
    uint32_t line;
    uint32_t column;
};

/* Keys that may stand in agent.defaults and in a cluster; innermost wins. What each may be, and is
 * where it is not given, is said in keys.c. */
struct conf_timing {
    uint32_t interval_ms;
    uint32_t fast_interval_ms;
    uint32_t timeout_ms;
    uint32_t max_stale_ms;
    uint32_t hold_ms;
    uint32_t keepalive_ms; /* 0: off */
    uint32_t sever_spread_ms;
    uint32_t max_switches;         /* in 10 minutes; 0: no brake */
    uint64_t max_lag;              /* bytes */
    uint32_t max_lag_transactions; /* where the engine counts those */
    enum view_mode mode;
    enum conf_family family;
};

struct conf_member {
    char *host; /* a name or an address literal */
    uint16_t port;
    bool failover;
    bool roams; /* a seed: it is wherever its name leads now (never W11) */
    struct conf_at at;
};

/* What a server that is named by its id has as its host. */
struct conf_pattern {
    char *region;      /* of the servers that it is for; NULL: of all */
    char *pattern;     /* pattern.h */
    struct conf_at at; /* of the region, or of the whole */
};

/* A name in its canonical form: to print, and with its hash, to find it in the view. */
struct conf_name {
    char *text;
    struct name name;
};

struct conf_endpoint {
    struct conf_name *names; /* names[0] identifies the endpoint */
    uint32_t name_count;
    uint16_t *ports; /* at every member's host, beside the members' own */
    uint32_t port_count;
    struct conf_at ports_at;
    enum view_role role;
    enum view_mode mode;
    uint32_t hold_ms;
    struct conf_at at;
};

struct conf_network {
    uint8_t family; /* 4 or 6 */
    uint8_t bits;
    uint8_t bytes[16];
};

struct conf_cluster {
    char *name;
    const struct engine_kind *engine;
    struct conf_member *members;
    uint32_t member_count;
    struct conf_member *seeds; /* asked for the members' names alone: they are no members */
    uint32_t seed_count;
    struct conf_pattern *host_patterns;
    uint32_t host_pattern_count;
    char *connection;    /* the engine's keywords and values, "" if none */
    char *password_file; /* NULL if none */
    struct conf_endpoint *endpoints;
    uint32_t endpoint_count;
    struct conf_network *allowed_networks;
    uint32_t allowed_network_count;
    bool sever_untagged;
    bool circular; /* a writable member may replicate from another one */
    struct conf_timing timing;
    struct conf_at at;
};

struct conf {
    char *file;
    char *run_dir;
    char *state_dir;
    const struct engine_kind *const *engines; /* that clusters may name: as given to conf_load() */
    struct conf_cluster *clusters;
    uint32_t cluster_count;
};

/* Reads and checks `file`, whose clusters are of `engines`: a list that ends with NULL, holds at
 * least one, and must live as long as the configuration. On any error it writes one line per error
 * to `errors` and returns -EINVAL (-errno if the file cannot be read), with *ret_conf untouched. A
 * warning (no clusters) is a line too. */
int conf_load(const char *file, const struct engine_kind *const *engines, FILE *errors,
              struct conf **ret_conf);
void conf_free(struct conf *conf); /* NULL is allowed */

/* The configuration in force, defaults included and secrets hidden,
 * as YAML that conf_load() takes. */
void conf_dump(const struct conf *conf, FILE *out);

/* Whether nothing differs that a reload has to look at. Two clusters: but for their names, by which
 * a reload knows them. Two agents: their own keys, of which none can change while one runs. */
bool conf_same_cluster(const struct conf_cluster *a, const struct conf_cluster *b);
bool conf_same_agent(const struct conf *a, const struct conf *b);

/* The password from cluster's file, without its trailing newline: malloc'd, the caller wipes and
 * frees it. NULL in *ret_password if none is configured. -EACCES: readable by others;
 * else -errno. */
int conf_password(const struct conf_cluster *cluster, char **ret_password);

/* Whether it is one of the endpoint's other ports. */
bool conf_endpoint_has_port(const struct conf_endpoint *endpoint, uint64_t port);

/* The other ports of all endpoints, each once, in rising order: the first above `above`; 0: none. */
uint16_t conf_cluster_port(const struct conf_cluster *cluster, uint16_t above);

/* Whether the address may be used for this cluster (allowed_networks; all,
 * where none are given). */
bool conf_address_allowed(const struct conf_cluster *cluster, uint8_t family, const uint8_t *bytes);

/* Whether what its servers say of each other makes members. */
bool conf_discovers(const struct conf_cluster *cluster);

#endif
