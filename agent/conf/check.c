/* SPDX-License-Identifier: Apache-2.0
 *
 * check.c - as check.h says: goes through each mapping of the file along the rows of keys.h, and
 * turns each value into what is kept.
 *
 * 1. The values of a mapping are taken before the mappings inside it, which inherit them.
 * 2. agree.c compares values with each other, and only if each of them is good.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/spelling.h"
#include "agent/conf/agree.h"
#include "agent/conf/check.h"
#include "agent/conf/connection.h"
#include "agent/conf/discovery/discovery.h"
#include "agent/conf/lists.h"
#include "agent/conf/password.h"
#include "agent/conf/pattern.h"
#include "agent/conf/value.h"
#include "proto/limits.h"

/* What is passed down while one file is checked. */
struct checker {
    struct conf *conf;
    struct conf_errors *errors;
    struct conf_timing defaults;
    struct conf_uses names;    /* of endpoints, in all clusters */
    struct conf_uses clusters; /* names of clusters */
};

/* One mapping of the file. */
struct mapping {
    enum conf_place place;
    const struct conf_raw *raw;   /* what libcyaml loaded; NULL: nothing, then the node has texts */
    const struct conf_node *node; /* where it stands; NULL: it is not given, all is standard */
    void *object;                 /* the struct that it becomes */
    const void *outer;            /* the struct from which it inherits; NULL: from none */
    uint64_t wrong;               /* a bit for each of conf_keys whose value was refused */
};

/* The value of one of its keys. */
struct value {
    const struct conf_key *key;
    const struct conf_raw *raw; /* NULL: not loaded */
    const struct conf_node *node;
    const char *text; /* if it is one value */
};

static int take_mapping(struct checker *checker, struct mapping *mapping);

/* ---- one value ---- */

static void refuse(struct checker *checker, const struct value *value, const char *wrong)
{
    conf_errors_add(checker->errors, value->node->at, "%s '%.*s' %s", value->key->name,
                    value->key->type == CONF_TYPE_HOST ? 300 : 100, value->text, wrong);
}

static int copy_text(const char *text, char **ret_copy)
{
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(*ret_copy);
    *ret_copy = copy;
    return 0;
}

static bool in_bounds(const struct conf_key *key, uint64_t number)
{
    return (key->min == 0 && key->max == 0) || (number >= key->min && number <= key->max) ||
           (key->off && number == 0);
}

static void take_number(struct checker *checker, struct mapping *mapping, const struct value *value)
{
    const struct conf_key *key = value->key;
    char least[CONF_VALUE_SIZE], most[CONF_VALUE_SIZE];
    uint64_t number;
    const char *wrong = conf_value_read(key->type, value->text, &number);
    if (wrong) {
        refuse(checker, value, wrong);
    } else if (!in_bounds(key, number)) {
        conf_value_print(key->type, key->min, least, sizeof(least));
        conf_value_print(key->type, key->max, most, sizeof(most));
        conf_errors_add(checker->errors, value->node->at,
                        "%s '%.100s' is out of range; write %s%s to %s", key->name, value->text,
                        key->off ? "0s, or " : "", least, most);
    } else if (key->idle) {
        conf_errors_warn(checker->errors, value->node->at, "%s has no effect in this version",
                         key->name);
    } else {
        conf_key_set_number(key, mapping->place, mapping->object, number);
    }
}

static int take_directory(struct checker *checker, const struct value *value, char **ret_directory)
{
    const struct conf_key *key = value->key;
    int rv = copy_text(value->text, ret_directory);
    if (rv != 0)
        return rv;
    char *directory = *ret_directory;
    size_t len = strlen(directory);
    while (len > 1 && directory[len - 1] == '/')
        directory[--len] = '\0';
    if (directory[0] != '/' || len == 1)
        conf_errors_add(checker->errors, value->node->at,
                        "%s '%.100s' is no absolute path of a directory; write one, as in %s",
                        key->name, directory, key->standard);
    else if (len > key->max)
        conf_errors_add(checker->errors, value->node->at,
                        "%s is longer than %d bytes; choose a shorter path, because a socket's is "
                        "limited",
                        key->name, (int)key->max);
    return 0;
}

static int take_word(struct checker *checker, const struct value *value, char **ret_word)
{
    const char *text = value->text;
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (!in_bounds(value->key, len) || text[len] != '\0' || text[0] == '.')
        conf_errors_add(checker->errors, value->node->at,
                        "cluster name '%.100s' cannot be used; write 1 to %d letters, digits, '_', "
                        "'-' and '.', not beginning with '.'",
                        text, (int)value->key->max);
    int rv = copy_text(text, ret_word);
    return rv == 0 ? conf_uses_add(&checker->clusters, *ret_word, value->node->at) : rv;
}

/* Where there is no key for the port, the host may carry it. */
static int take_host(struct checker *checker, struct mapping *mapping, const struct value *value)
{
    struct conf_member *member = mapping->object;
    struct conf_host host;
    const char *wrong = conf_position_find(mapping->node, "port")
                            ? conf_value_host(value->text, &host)
                            : conf_value_member(value->text, &host, &member->port);
    if (!wrong)
        return copy_text(host.text, &member->host);
    refuse(checker, value, wrong);
    return 0;
}

/* What is kept in another form than it is written. */
static int take_clean(struct checker *checker, const struct value *value, char **ret_text)
{
    char clean[CONF_HOST_MAX];
    const char *wrong = value->key->type == CONF_TYPE_PATTERN
                            ? conf_pattern_read(value->text, clean)
                            : conf_pattern_region(value->text, clean);
    if (!wrong)
        return copy_text(clean, ret_text);
    refuse(checker, value, wrong);
    return 0;
}

/* Relative to the configuration file, so that both can be moved, and tried out, together. */
static int join_path(const char *file, const char *path, char **ret_path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || !slash)
        return copy_text(path, ret_path);
    size_t folder = (size_t)(slash + 1 - file), rest = strlen(path) + 1;
    char *joined = malloc(folder + rest);
    if (!joined)
        return -ENOMEM;
    memcpy(joined, file, folder);
    memcpy(joined + folder, path, rest);
    *ret_path = joined;
    return 0;
}

static int take_secret_file(struct checker *checker, const struct value *value, char **ret_path)
{
    int rv = join_path(checker->conf->file, value->text, ret_path);
    if (rv != 0)
        return rv;
    const char *wrong = conf_password_check(*ret_path);
    if (wrong)
        conf_errors_add(checker->errors, value->node->at, "%s %.300s %s", value->key->name,
                        value->text[0] ? *ret_path : "''", wrong);
    else if (conf_password_is_pgpass(*ret_path))
        conf_errors_warn(
            checker->errors, value->node->at,
            "%s %.300s looks like a line of a .pgpass, host:port:database:user:password, and "
            "is taken as the password from its beginning; write only the password into it",
            value->key->name, *ret_path);
    return 0;
}

static int take_connection(struct checker *checker, const struct conf_cluster *cluster,
                           const struct value *value, char **ret_connection)
{
    conf_connection_check(cluster->engine, value->node, checker->errors);
    return copy_text(value->text, ret_connection);
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

/* What is meant by a name that is none; NULL: nobody knows. */
static const char *near_engine(const struct engine_kind *const *engines, const char *text)
{
    for (const struct engine_kind *const *at = engines; *at; at++)
        if (spelling_is_near(text, (*at)->name) || ((*at)->also && strcmp(text, (*at)->also) == 0))
            return (*at)->name;
    return NULL;
}

static void take_engine(struct checker *checker, const struct value *value,
                        const struct engine_kind **ret_engine)
{
    const struct engine_kind *const *engines = checker->conf->engines;
    char list[200];
    for (const struct engine_kind *const *at = engines; *at; at++)
        if (strcmp(value->text, (*at)->name) == 0) {
            *ret_engine = *at;
            return;
        }
    const char *near = near_engine(engines, value->text);
    conf_errors_add(checker->errors, value->node->at,
                    "unknown engine '%.100s'; %s%s%sthis version knows: %s", value->text,
                    near ? "did you mean '" : "", near ? near : "", near ? "'? " : "",
                    list_engines(engines, ", ", list, sizeof(list)));
}

/* ---- no value ---- */

/* What holds if the key is not given: the value that is inherited, or the standard one. */
static int take_standard(const struct mapping *mapping, const struct conf_key *key)
{
    enum conf_place outer = conf_place_outer(mapping->place);
    uint64_t number;
    if (mapping->outer && conf_key_in(key, outer))
        conf_key_set_number(key, mapping->place, mapping->object,
                            conf_key_number(key, outer, mapping->outer));
    else if (key->standard && conf_key_is_text(key))
        return copy_text(key->standard, conf_key_field(key, mapping->place, mapping->object));
    else if (key->standard && !conf_value_read(key->type, key->standard, &number))
        conf_key_set_number(key, mapping->place, mapping->object, number);
    return 0;
}

static int take_standards(const struct mapping *mapping)
{
    int rv = 0;
    for (const struct conf_key *key = conf_keys; key->name && rv == 0; key++)
        if (conf_key_in(key, mapping->place))
            rv = take_standard(mapping, key);
    return rv;
}

/* ---- mappings ---- */

/* Bits of `wrong`. */
static uint64_t bits_of(enum conf_place place, const char *name)
{
    uint64_t bits = 0;
    for (const struct conf_key *key = conf_keys; key->name; key++)
        if (conf_key_in(key, place) && (!name || strcmp(key->name, name) == 0))
            bits |= (uint64_t)1 << (key - conf_keys);
    return bits;
}

static void agree_timing(struct checker *checker, const struct mapping *mapping,
                         const struct conf_timing *timing)
{
    if (mapping->node && (mapping->wrong & bits_of(CONF_PLACE_DEFAULTS, NULL)) == 0)
        conf_agree_timing(mapping->node, timing, checker->errors);
}

static int take_defaults(struct checker *checker, struct mapping *mapping)
{
    int rv = take_mapping(checker, mapping);
    if (rv == 0)
        agree_timing(checker, mapping, &checker->defaults);
    return rv;
}

/* What this engine would take no notice of. */
static void refuse_idle(struct checker *checker, const struct conf_node *node,
                        const struct conf_cluster *cluster)
{
    const struct engine_kind *engine = cluster->engine;

    if (cluster->circular && !engine->takes_circular)
        conf_errors_add(checker->errors, conf_position_at(node, "circular"),
                        "circular is not for %s; remove it", engine->name);
    if (cluster->password_file && engine->no_password)
        conf_errors_add(checker->errors, conf_position_at(node, "password_file"),
                        "password_file is not for %s; %s", engine->name, engine->no_password);
}

static int take_cluster(struct checker *checker, struct mapping *mapping)
{
    const uint64_t places = bits_of(CONF_PLACE_CLUSTER, "members") |
                            bits_of(CONF_PLACE_CLUSTER, "allowed_networks") |
                            bits_of(CONF_PLACE_CLUSTER, "family");
    const uint64_t patterns =
        bits_of(CONF_PLACE_CLUSTER, "engine") | bits_of(CONF_PLACE_CLUSTER, "host_patterns");
    struct conf_cluster *cluster = mapping->object;
    cluster->at = mapping->node->at;
    cluster->engine = checker->conf->engines[0]; /* so that all errors come in one go */
    mapping->outer = &checker->defaults;
    int rv = take_mapping(checker, mapping);
    if (rv != 0)
        return rv;
    agree_timing(checker, mapping, &cluster->timing);
    if ((mapping->wrong & places) == 0)
        conf_agree_members(cluster, checker->errors);
    if ((mapping->wrong & bits_of(CONF_PLACE_CLUSTER, "engine")) == 0)
        refuse_idle(checker, mapping->node, cluster);
    if ((mapping->wrong & patterns) == 0)
        conf_agree_patterns(cluster, checker->errors);
    if (mapping->wrong == 0) {
        conf_agree_asked_port(cluster, checker->errors);
        conf_agree_aliases(cluster, checker->errors);
        conf_agree_discovery(cluster, checker->errors);
        conf_agree_failover(cluster, checker->errors);
        conf_agree_lag(mapping->node, cluster->engine, checker->errors);
    }
    return 0;
}

static int take_endpoint(struct checker *checker, struct mapping *mapping,
                         const struct conf_cluster *cluster)
{
    struct conf_endpoint *endpoint = mapping->object;
    endpoint->at = mapping->node->at;
    mapping->outer = cluster;
    return take_mapping(checker, mapping);
}

static int take_word_member(struct checker *checker, const struct mapping *mapping,
                            struct conf_member *member)
{
    struct conf_host host;
    int rv = take_standards(mapping);
    const char *wrong = conf_value_member(mapping->node->text, &host, &member->port);
    if (rv == 0 && !wrong)
        return copy_text(host.text, &member->host);
    if (wrong)
        conf_errors_add(checker->errors, mapping->node->at, "member '%.300s' %s",
                        mapping->node->text, wrong);
    return rv;
}

/* A member, or a seed, that is refused is left out, so that no second error comes of it. */
static int take_member(struct checker *checker, struct mapping *mapping, const struct conf_key *key,
                       struct conf_cluster *cluster)
{
    uint32_t *count = (uint32_t *)((char *)cluster + key->count_at);
    struct conf_member *list, *member;
    memcpy(&list, conf_key_field(key, CONF_PLACE_CLUSTER, cluster), sizeof(list));
    member = &list[*count];
    *member = (struct conf_member){.port = cluster->engine->default_port,
                                   .roams = mapping->place == CONF_PLACE_SEED,
                                   .at = mapping->node->at};
    mapping->object = member;
    int rv = mapping->node->kind == CONF_NODE_MAPPING ? take_mapping(checker, mapping)
                                                      : take_word_member(checker, mapping, member);
    if (rv == 0 && mapping->wrong == 0 && member->host) {
        conf_agree_last_member(list, ++*count, checker->errors, member->roams ? "seed" : "member");
    } else {
        free(member->host);
        member->host = NULL;
    }
    return rv;
}

/* One value in place of a mapping is the pattern. */
static int take_pattern(struct checker *checker, struct mapping *mapping)
{
    struct conf_pattern *pattern = mapping->object;
    pattern->at = conf_position_at(mapping->node, "region");
    if (mapping->node->kind == CONF_NODE_MAPPING)
        return take_mapping(checker, mapping);
    return take_clean(checker,
                      &(struct value){.key = conf_key_find(CONF_PLACE_PATTERN, "pattern"),
                                      .node = mapping->node,
                                      .text = mapping->node->text},
                      &pattern->pattern);
}

static int take_entry(struct checker *checker, const struct conf_key *key, struct mapping *entry,
                      void *around)
{
    enum conf_place place = key->inner;
    if (conf_place_is_server(place))
        return take_member(checker, entry, key, around);
    if (place == CONF_PLACE_PATTERN)
        return take_pattern(checker, entry);
    return place == CONF_PLACE_CLUSTER ? take_cluster(checker, entry)
                                       : take_endpoint(checker, entry, around);
}

static uint32_t count_entries(const struct conf_node *list)
{
    uint32_t count = 0;
    for (const struct conf_node *node = list->first; node; node = node->next)
        count++;
    return count;
}

static int take_mappings(struct checker *checker, struct mapping *mapping,
                         const struct value *value)
{
    const struct conf_key *key = value->key;
    const struct conf_raw *raw = value->raw->data;
    uint32_t count = count_entries(value->node);
    char *list = calloc(count + 1, conf_place_size[key->inner]);
    int rv = 0;
    if (!list)
        return -ENOMEM;
    memcpy(conf_key_field(key, mapping->place, mapping->object), &list, sizeof(list));
    for (const struct conf_node *node = value->node->first; node && rv == 0; node = node->next) {
        struct mapping entry = {.place = key->inner, .raw = raw, .node = node, .object = list};
        /* A member counts itself, if it is good. */
        if (!conf_place_is_server(key->inner))
            ++*(uint32_t *)((char *)mapping->object + key->count_at);
        rv = take_entry(checker, key, &entry, mapping->object);
        if (raw)
            raw += conf_schema_keys(key->inner);
        list += conf_place_size[key->inner];
    }
    return rv;
}

/* A mapping that is not given is taken too: then all of it is standard. */
static int take_inner(struct checker *checker, const struct mapping *mapping,
                      const struct conf_key *key, const struct conf_raw *raw,
                      const struct conf_node *node)
{
    struct mapping inner = {.place = key->inner, .raw = raw ? raw->data : NULL, .node = node};
    if (key->inner == CONF_PLACE_DEFAULTS) {
        inner.object = &checker->defaults;
        return take_defaults(checker, &inner);
    }
    inner.object = mapping->object;
    return take_mapping(checker, &inner);
}

/* ---- a mapping's keys ---- */

static int take_text(struct checker *checker, struct mapping *mapping, const struct value *value)
{
    char **field = conf_key_field(value->key, mapping->place, mapping->object);
    switch (value->key->type) {
    case CONF_TYPE_DIRECTORY:
        return take_directory(checker, value, field);
    case CONF_TYPE_WORD:
        return take_word(checker, value, field);
    case CONF_TYPE_HOST:
        return take_host(checker, mapping, value);
    case CONF_TYPE_PATTERN:
    case CONF_TYPE_REGION:
        return take_clean(checker, value, field);
    case CONF_TYPE_SECRET_FILE:
        return take_secret_file(checker, value, field);
    default:
        return take_connection(checker, mapping->object, value, field);
    }
}

static int take_list(struct checker *checker, struct mapping *mapping, const struct value *value)
{
    const struct conf_key *key = value->key;
    uint32_t count = count_entries(value->node);
    if (count > key->max && key->max != 0) {
        conf_errors_add(checker->errors, value->node->at, "%u %s; %s at most %d", count, key->name,
                        key->holder, (int)key->max);
        return 0;
    }
    if (key->type == CONF_TYPE_MAPPINGS)
        return take_mappings(checker, mapping, value);
    const struct conf_list list = {key, value->node, value->raw->data, value->raw->count,
                                   checker->errors};
    if (key->type == CONF_TYPE_NAMES)
        return conf_list_names(&list, &checker->names, mapping->object);
    if (key->type == CONF_TYPE_NETWORKS)
        return conf_list_networks(&list, mapping->object);
    return conf_list_ports(&list, mapping->object);
}

static int take_value(struct checker *checker, struct mapping *mapping, const struct value *value)
{
    if (conf_key_is_list(value->key))
        return take_list(checker, mapping, value);
    if (conf_key_is_text(value->key))
        return take_text(checker, mapping, value);
    if (value->key->type == CONF_TYPE_ENGINE)
        take_engine(checker, value, conf_key_field(value->key, mapping->place, mapping->object));
    else
        take_number(checker, mapping, value);
    return 0;
}

static void refuse_missing(struct checker *checker, const struct conf_key *key,
                           const struct mapping *mapping)
{
    char list[200] = "";
    if (key->instead && conf_position_find(mapping->node, key->instead)) {
        conf_errors_add(
            checker->errors, conf_position_at(mapping->node, key->instead),
            "%s is empty, and there are no %s; list all servers under %s, or, where they tell of "
            "each other, a name that leads to one of them under %s",
            key->instead, key->name, key->name, key->instead);
        return;
    }
    if (key->type == CONF_TYPE_ENGINE)
        list_engines(checker->conf->engines, " or ", list, sizeof(list));
    conf_errors_add(checker->errors, conf_position_at(mapping->node, key->name), "%s%s",
                    key->required, list);
}

/* `raw`: where libcyaml puts this key's value; NULL: it loaded nothing of this mapping. */
static int take_key(struct checker *checker, struct mapping *mapping, const struct conf_key *key,
                    const struct conf_raw *raw)
{
    const struct conf_node *node = conf_position_find(mapping->node, key->name);
    if (key->type == CONF_TYPE_MAPPING)
        return take_inner(checker, mapping, key, raw, node);
    bool missing = !node || (conf_key_is_list(key) && !node->first);
    const struct conf_node *instead =
        key->instead ? conf_position_find(mapping->node, key->instead) : NULL;
    if (key->required && missing && !(instead && (instead->first || instead->text)))
        refuse_missing(checker, key, mapping);
    else if (node)
        return take_value(checker, mapping,
                          &(struct value){
                              .key = key,
                              .raw = raw,
                              .node = node,
                              .text = raw ? raw->data : node->text,
                          });
    return 0;
}

static int take_mapping(struct checker *checker, struct mapping *mapping)
{
    int rv = take_standards(mapping);
    for (int nested = 0; nested < 2; nested++) { /* invariant 1 */
        const struct conf_raw *raw = mapping->raw;
        for (const struct conf_key *key = conf_keys; key->name && rv == 0; key++) {
            uint32_t failures = checker->errors->failures;
            if (!conf_key_in(key, mapping->place))
                continue;
            if (nested == (key->type >= CONF_TYPE_MAPPINGS))
                rv = take_key(checker, mapping, key, raw);
            if (checker->errors->failures != failures)
                mapping->wrong |= (uint64_t)1 << (key - conf_keys);
            if (raw)
                raw++;
        }
    }
    return rv;
}

/* ---- the file ---- */

int conf_check(const struct conf_raw *raw, const struct conf_node *root, struct conf_errors *errors,
               struct conf *conf)
{
    struct checker checker = {.conf = conf, .errors = errors};
    const struct conf_node *clusters = conf_position_find(root, "clusters");
    struct mapping file = {.place = CONF_PLACE_FILE, .raw = raw, .node = root, .object = conf};
    int rv = take_mapping(&checker, &file);
    if (rv == 0) {
        conf_uses_check(&checker.clusters, "cluster name", errors);
        conf_uses_check(&checker.names, "name", errors);
        if (!clusters || !clusters->first)
            conf_errors_warn(errors, conf_position_at(root, "clusters"),
                             "no clusters; this agent has nothing to do");
        if (errors->failures == 0)
            conf_agree_directories(conf_position_find(root, "agent"), conf, errors);
        if (errors->failures == 0)
            rv = conf_agree_ports(conf, errors);
        for (uint32_t i = 0; i < conf->cluster_count && errors->failures == 0; i++)
            conf_agree_danger(&conf->clusters[i], &checker.names, errors);
    }
    conf_uses_done(&checker.clusters);
    conf_uses_done(&checker.names);
    return rv;
}
