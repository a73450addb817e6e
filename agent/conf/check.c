/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c - as conf/check.h says: agent, clusters, endpoints, and names used twice.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/conf/check.h"
#include "agent/conf/timing.h"
#include "agent/conf/value.h"
#include "proto/limits.h"
#include "proto/name.h"
#include "proto/view_names.h"

/* run_dir + "-admin/" + a temporary socket name must fit into sun_path's 107 bytes. */
#define CONF_RUN_DIR_MAX 70
#define CONF_RUN_DIR     "/run/homing"
#define CONF_STATE_DIR   "/var/lib/homing"
/* A cluster's name goes into file names, log fields and metric labels. */
#define CONF_CLUSTER_NAME_MAX 63

/* What is passed down while one file is checked. */
struct conf_checker {
    struct conf *conf;
    struct conf_errors *errors;
    struct conf_timing defaults;
    struct conf_uses names;    /* of endpoints, in all clusters */
    struct conf_uses clusters; /* names of clusters */
};

static int check_copy(const char *text, char **ret_copy)
{
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    *ret_copy = copy;
    return 0;
}

static int check_directory(const char *text, const char *fallback, struct conf_at at,
                           const char *key, struct conf_errors *errors, char **ret_directory)
{
    int rv = check_copy(text ? text : fallback, ret_directory);
    if (rv != 0)
        return rv;
    char *directory = *ret_directory;
    size_t len = strlen(directory);
    while (len > 1 && directory[len - 1] == '/')
        directory[--len] = '\0';
    if (directory[0] != '/' || len == 1)
        conf_errors_add(errors, at,
                        "%s '%.100s' is no absolute path of a directory; write one, as in %s", key,
                        directory, fallback);
    else if (len > CONF_RUN_DIR_MAX)
        conf_errors_add(errors, at, "%s is longer than %d bytes; the sockets in it need the rest",
                        key, CONF_RUN_DIR_MAX);
    return 0;
}

static void check_idle(struct conf_checker *checker, const char *key, const char *text,
                       struct conf_at at, uint64_t min_ms, uint64_t max_ms)
{
    if (text && conf_timing_duration(key, text, at, min_ms, max_ms, checker->errors))
        conf_errors_warn(checker->errors, at, "%s has no effect in this version", key);
}

static int check_agent(struct conf_checker *checker, const struct conf_raw_agent *raw,
                       const struct conf_node *node)
{
    struct conf_at none = {1, 1};
    struct conf_errors *errors = checker->errors;
    int rv =
        check_directory(raw->run_dir, CONF_RUN_DIR, node ? conf_position_at(node, "run_dir") : none,
                        "run_dir", errors, &checker->conf->run_dir);
    if (rv == 0)
        rv = check_directory(raw->state_dir, CONF_STATE_DIR,
                             node ? conf_position_at(node, "state_dir") : none, "state_dir", errors,
                             &checker->conf->state_dir);
    if (rv != 0 || !node)
        return rv;
    check_idle(checker, "confirm", raw->confirm, conf_position_at(node, "confirm"), 0, 60000);
    check_idle(checker, "bus_max_stale", raw->bus_max_stale,
               conf_position_at(node, "bus_max_stale"), 5000, 3600000);
    const struct conf_node *defaults = conf_position_find(node, "defaults");
    if (defaults)
        conf_timing_apply(raw->defaults.keys, defaults, errors, &checker->defaults);
    return 0;
}

static void check_role(const char *role, struct conf_at at, struct conf_errors *errors,
                       enum view_role *ret_role)
{
    if (!role)
        conf_errors_add(errors, at, "an endpoint without role; write role: writer or role: reader");
    else if (!view_role_parse(role, ret_role))
        conf_errors_add(errors, at, "role '%.100s' is neither writer nor reader; write one of them",
                        role);
}

static int check_name(struct conf_checker *checker, const char *text, struct conf_at at,
                      struct conf_endpoint *endpoint)
{
    struct conf_name *own = &endpoint->names[endpoint->name_count];
    if (!name_valid(text) || !name_canonical(text, &own->name)) {
        conf_errors_add(checker->errors, at,
                        "name '%.300s' is not a DNS name; write labels of 1 to 63 letters, digits, "
                        "'-' and '_', %d bytes in all, without address or port",
                        text, HOMING_NAME_MAX);
        return 0;
    }
    own->text = malloc(own->name.len + 1);
    if (!own->text)
        return -ENOMEM;
    memcpy(own->text, own->name.words, own->name.len);
    own->text[own->name.len] = '\0';
    endpoint->name_count++;
    return conf_uses_add(&checker->names, own->text, at);
}

static int check_names(struct conf_checker *checker, const struct conf_raw_endpoint *raw,
                       const struct conf_node *node, struct conf_endpoint *endpoint)
{
    struct conf_at at = conf_position_at(node, "names");
    if (raw->names_count == 0) {
        conf_errors_add(checker->errors, at,
                        "an endpoint without names; list those that applications use");
        return 0;
    }
    if (raw->names_count > HOMING_ENDPOINT_NAMES_MAX) {
        conf_errors_add(checker->errors, at, "%u names; an endpoint has at most %d",
                        raw->names_count, HOMING_ENDPOINT_NAMES_MAX);
        return 0;
    }
    endpoint->names = calloc(raw->names_count, sizeof(*endpoint->names));
    if (!endpoint->names)
        return -ENOMEM;
    const struct conf_node *name = conf_position_find(node, "names")->first;
    int rv = 0;
    for (unsigned i = 0; i < raw->names_count && rv == 0; i++, name = name->next)
        rv = check_name(checker, raw->names[i], name->at, endpoint);
    return rv;
}

static int check_endpoint(struct conf_checker *checker, const struct conf_raw_endpoint *raw,
                          const struct conf_node *node, const struct conf_timing *timing,
                          struct conf_endpoint *endpoint)
{
    struct conf_timing own = *timing;
    endpoint->at = node->at;
    conf_timing_apply(raw->keys, node, checker->errors, &own);
    endpoint->mode = own.mode;
    endpoint->hold_ms = own.hold_ms;
    check_role(raw->role, conf_position_at(node, "role"), checker->errors, &endpoint->role);
    return check_names(checker, raw, node, endpoint);
}

static int check_endpoints(struct conf_checker *checker, const struct conf_raw_cluster *raw,
                           const struct conf_node *node, struct conf_cluster *cluster)
{
    if (raw->endpoints_count == 0) {
        conf_errors_add(checker->errors, conf_position_at(node, "endpoints"),
                        "a cluster without endpoints; list the names that applications use");
        return 0;
    }
    cluster->endpoints = calloc(raw->endpoints_count, sizeof(*cluster->endpoints));
    if (!cluster->endpoints)
        return -ENOMEM;
    cluster->endpoint_count = raw->endpoints_count;
    const struct conf_node *endpoint = conf_position_find(node, "endpoints")->first;
    int rv = 0;
    for (unsigned i = 0; i < raw->endpoints_count && rv == 0; i++, endpoint = endpoint->next)
        rv = check_endpoint(checker, &raw->endpoints[i], endpoint, &cluster->timing,
                            &cluster->endpoints[i]);
    return rv;
}

/* The names of all engines, between them `separator`. */
static const char *list_engines(const struct engine_kind *const *engines, const char *separator,
                                char *ret, size_t size)
{
    size_t used = 0;
    ret[0] = '\0';
    for (const struct engine_kind *const *at = engines; *at && used < size; at++)
        used += (size_t)snprintf(ret + used, size - used, "%s%s", at != engines ? separator : "",
                                 (*at)->name);
    return ret;
}

/* What is of no engine is checked as if it were of the first one, so that all errors come in one
 * go. */
static const struct engine_kind *check_engine(const struct engine_kind *const *engines,
                                              const char *name, const struct conf_node *node,
                                              struct conf_errors *errors)
{
    char list[200];
    for (const struct engine_kind *const *at = engines; name && *at; at++)
        if (strcmp(name, (*at)->name) == 0)
            return *at;
    if (!name)
        conf_errors_add(errors, node->at, "a cluster without engine; write engine: %s",
                        list_engines(engines, " or ", list, sizeof(list)));
    else
        conf_errors_add(errors, conf_position_at(node, "engine"),
                        "unknown engine '%.100s'; this version knows: %s", name,
                        list_engines(engines, ", ", list, sizeof(list)));
    return engines[0];
}

static bool check_is_cluster_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return len >= 1 && len <= CONF_CLUSTER_NAME_MAX && name[len] == '\0' && name[0] != '.';
}

static int check_cluster_name(struct conf_checker *checker, const char *name,
                              const struct conf_node *node, struct conf_cluster *cluster)
{
    struct conf_at at = conf_position_at(node, "name");
    if (!name)
        conf_errors_add(checker->errors, at, "a cluster without name; write name: and one word");
    else if (!check_is_cluster_name(name))
        conf_errors_add(checker->errors, at,
                        "cluster name '%.100s' cannot be used; write 1 to %d letters, digits, '_', "
                        "'-' and '.', not beginning with '.'",
                        name, CONF_CLUSTER_NAME_MAX);
    int rv = check_copy(name ? name : "", &cluster->name);
    if (rv == 0 && name)
        rv = conf_uses_add(&checker->clusters, cluster->name, at);
    return rv;
}

/* Relative to the configuration file, so that both can be moved, and tried out, together. */
static int check_beside(const char *file, const char *path, char **ret_path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || !slash)
        return check_copy(path, ret_path);
    size_t folder = (size_t)(slash + 1 - file), rest = strlen(path) + 1;
    char *joined = malloc(folder + rest);
    if (!joined)
        return -ENOMEM;
    memcpy(joined, file, folder);
    memcpy(joined + folder, path, rest);
    *ret_path = joined;
    return 0;
}

static int check_access(struct conf_checker *checker, const struct conf_raw_cluster *raw,
                        const struct conf_node *node, struct conf_cluster *cluster)
{
    const struct conf_node *connection = conf_position_find(node, "connection");
    if (connection)
        conf_connection_check(cluster->engine, connection, checker->errors);
    int rv = check_copy(raw->connection ? raw->connection : "", &cluster->connection);
    if (rv != 0 || !raw->password_file)
        return rv;
    rv = check_beside(checker->conf->file, raw->password_file, &cluster->password_file);
    if (rv != 0)
        return rv;
    const char *wrong = conf_password_check(cluster->password_file);
    if (wrong)
        conf_errors_add(checker->errors, conf_position_at(node, "password_file"),
                        "password_file %.300s %s", cluster->password_file, wrong);
    return 0;
}

static void check_sever_untagged(struct conf_errors *errors, const char *text, struct conf_at at,
                                 bool *ret_value)
{
    const char *wrong = text ? conf_value_bool(text, ret_value) : NULL;
    if (wrong)
        conf_errors_add(errors, at, "sever_untagged '%.100s' %s", text, wrong);
}

static int check_cluster(struct conf_checker *checker, const struct conf_raw_cluster *raw,
                         const struct conf_node *node, struct conf_cluster *cluster)
{
    struct conf_errors *errors = checker->errors;
    uint32_t failures = errors->failures;
    cluster->engine = check_engine(checker->conf->engines, raw->engine, node, errors);
    cluster->at = node->at;
    cluster->timing = checker->defaults;
    conf_timing_apply(raw->keys, node, errors, &cluster->timing);
    check_sever_untagged(errors, raw->sever_untagged, conf_position_at(node, "sever_untagged"),
                         &cluster->sever_untagged);
    int rv = check_cluster_name(checker, raw->name, node, cluster);
    if (rv == 0)
        rv = conf_members_check(node, errors, cluster);
    if (rv == 0)
        rv = conf_networks_check(conf_position_find(node, "allowed_networks"), errors, cluster);
    if (rv == 0 && errors->failures == failures)
        conf_members_agree(errors, cluster);
    if (rv == 0)
        rv = check_access(checker, raw, node, cluster);
    if (rv == 0)
        rv = check_endpoints(checker, raw, node, cluster);
    return rv;
}

static int check_clusters(struct conf_checker *checker, const struct conf_raw *raw,
                          const struct conf_node *root)
{
    if (raw->clusters_count == 0) {
        conf_errors_warn(checker->errors, conf_position_at(root, "clusters"),
                         "no clusters; this agent has nothing to do");
        return 0;
    }
    if (raw->clusters_count > HOMING_CLUSTERS_MAX) {
        conf_errors_add(checker->errors, conf_position_at(root, "clusters"),
                        "%u clusters; one agent takes at most %d", raw->clusters_count,
                        HOMING_CLUSTERS_MAX);
        return 0;
    }
    checker->conf->clusters = calloc(raw->clusters_count, sizeof(*checker->conf->clusters));
    if (!checker->conf->clusters)
        return -ENOMEM;
    checker->conf->cluster_count = raw->clusters_count;
    const struct conf_node *node = conf_position_find(root, "clusters")->first;
    int rv = 0;
    for (unsigned i = 0; i < raw->clusters_count && rv == 0; i++, node = node->next)
        rv = check_cluster(checker, &raw->clusters[i], node, &checker->conf->clusters[i]);
    return rv;
}

int conf_check(const struct conf_raw *raw, const struct conf_node *root, struct conf_errors *errors,
               struct conf *conf)
{
    struct conf_checker checker = {
        .conf = conf, .errors = errors, .defaults = conf_timing_defaults};
    int rv = check_agent(&checker, &raw->agent, conf_position_find(root, "agent"));
    if (rv == 0)
        rv = check_clusters(&checker, raw, root);
    if (rv == 0) {
        conf_uses_check(&checker.clusters, "cluster name", errors);
        conf_uses_check(&checker.names, "name", errors);
    }
    conf_uses_done(&checker.clusters);
    conf_uses_done(&checker.names);
    return rv;
}
