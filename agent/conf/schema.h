/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h - which keys there are and what shape their values have: the one table of them.
 *
 * First conf_schema_check() walks the tree along the table and reports every unknown key and wrong
 * shape with its position (libcyaml would report the first, roughly). What it passes, libcyaml
 * loads into struct conf_raw: texts as they stand in the file, NULL where a key is absent.
 */
#ifndef HOMING_AGENT_CONF_SCHEMA_H
#define HOMING_AGENT_CONF_SCHEMA_H

#include "agent/conf/position.h"

/* Keys that are inherited: agent.defaults, cluster, and some of them endpoint. */
enum conf_key {
    CONF_KEY_MODE,
    CONF_KEY_INTERVAL,
    CONF_KEY_FAST_INTERVAL,
    CONF_KEY_TIMEOUT,
    CONF_KEY_MAX_STALE,
    CONF_KEY_HOLD,
    CONF_KEY_MAX_LAG,
    CONF_KEY_MAX_SWITCHES,
    CONF_KEY_SEVER_SPREAD,
    CONF_KEY_KEEPALIVE,
    CONF_KEY_FAMILY,
    CONF_KEY_COUNT
};

struct conf_raw_endpoint {
    char **names;
    unsigned names_count;
    char *role;
    char *keys[CONF_KEY_COUNT];
};

/* members: a host or a mapping, which libcyaml cannot express; they are read from the tree. */
struct conf_raw_cluster {
    char *name;
    char *engine;
    char *connection;
    char *password_file;
    char *sever_untagged;
    char **allowed_networks;
    unsigned allowed_networks_count;
    struct conf_raw_endpoint *endpoints;
    unsigned endpoints_count;
    char *keys[CONF_KEY_COUNT];
};

struct conf_raw_defaults {
    char *keys[CONF_KEY_COUNT];
};

struct conf_raw_agent {
    char *run_dir;
    char *state_dir;
    char *confirm;
    char *bus_max_stale;
    struct conf_raw_defaults defaults;
};

struct conf_raw {
    struct conf_raw_agent agent;
    struct conf_raw_cluster *clusters;
    unsigned clusters_count;
};

/* Adds errors; false if libcyaml could not load this (unknown keys alone do not hinder it). */
bool conf_schema_check(const struct conf_node *root, struct conf_errors *errors);

/* 0, -ENOMEM, or -EINVAL: libcyaml saw what the check did not, which is a bug;
 * an error is added. */
int conf_schema_load(const char *bytes, size_t len, struct conf_errors *errors,
                     struct conf_raw **ret_raw);
void conf_schema_free(struct conf_raw *raw);

#endif
