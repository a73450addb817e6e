/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - as conf/schema.h says. The only file that includes cyaml.h.
 *
 * Every scalar is loaded as text: a wrong duration or a missing name is then an error of
 * conf/check.c, which can say where and what to do. Hence all keys are optional here.
 */
#include "config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/spelling.h"
#include "agent/conf/schema.h"

#define TEXT(key, structure, member)                                                               \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_OPTIONAL, structure, member, 0, CYAML_UNLIMITED)
#define KEY(key, structure, index) TEXT(key, structure, keys[index])
#define LIST(key, structure, member, entry)                                                        \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, structure, member, entry,  \
                         0, CYAML_UNLIMITED)

static const cyaml_schema_value_t schema_text = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t schema_endpoint_fields[] = {
    LIST("names", struct conf_raw_endpoint, names, &schema_text),
    TEXT("role", struct conf_raw_endpoint, role),
    KEY("mode", struct conf_raw_endpoint, CONF_KEY_MODE),
    KEY("hold", struct conf_raw_endpoint, CONF_KEY_HOLD),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema_endpoint = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_endpoint, schema_endpoint_fields),
};

static const cyaml_schema_field_t schema_cluster_fields[] = {
    TEXT("name", struct conf_raw_cluster, name),
    TEXT("engine", struct conf_raw_cluster, engine),
    CYAML_FIELD_IGNORE("members", CYAML_FLAG_OPTIONAL),
    TEXT("connection", struct conf_raw_cluster, connection),
    TEXT("password_file", struct conf_raw_cluster, password_file),
    LIST("endpoints", struct conf_raw_cluster, endpoints, &schema_endpoint),
    LIST("allowed_networks", struct conf_raw_cluster, allowed_networks, &schema_text),
    TEXT("sever_untagged", struct conf_raw_cluster, sever_untagged),
    KEY("mode", struct conf_raw_cluster, CONF_KEY_MODE),
    KEY("interval", struct conf_raw_cluster, CONF_KEY_INTERVAL),
    KEY("fast_interval", struct conf_raw_cluster, CONF_KEY_FAST_INTERVAL),
    KEY("timeout", struct conf_raw_cluster, CONF_KEY_TIMEOUT),
    KEY("max_stale", struct conf_raw_cluster, CONF_KEY_MAX_STALE),
    KEY("hold", struct conf_raw_cluster, CONF_KEY_HOLD),
    KEY("max_lag", struct conf_raw_cluster, CONF_KEY_MAX_LAG),
    KEY("max_switches", struct conf_raw_cluster, CONF_KEY_MAX_SWITCHES),
    KEY("sever_spread", struct conf_raw_cluster, CONF_KEY_SEVER_SPREAD),
    KEY("keepalive", struct conf_raw_cluster, CONF_KEY_KEEPALIVE),
    KEY("family", struct conf_raw_cluster, CONF_KEY_FAMILY),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema_cluster = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_cluster, schema_cluster_fields),
};

static const cyaml_schema_field_t schema_defaults_fields[] = {
    KEY("mode", struct conf_raw_defaults, CONF_KEY_MODE),
    KEY("interval", struct conf_raw_defaults, CONF_KEY_INTERVAL),
    KEY("fast_interval", struct conf_raw_defaults, CONF_KEY_FAST_INTERVAL),
    KEY("timeout", struct conf_raw_defaults, CONF_KEY_TIMEOUT),
    KEY("max_stale", struct conf_raw_defaults, CONF_KEY_MAX_STALE),
    KEY("hold", struct conf_raw_defaults, CONF_KEY_HOLD),
    KEY("max_lag", struct conf_raw_defaults, CONF_KEY_MAX_LAG),
    KEY("max_switches", struct conf_raw_defaults, CONF_KEY_MAX_SWITCHES),
    KEY("sever_spread", struct conf_raw_defaults, CONF_KEY_SEVER_SPREAD),
    KEY("keepalive", struct conf_raw_defaults, CONF_KEY_KEEPALIVE),
    KEY("family", struct conf_raw_defaults, CONF_KEY_FAMILY),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t schema_agent_fields[] = {
    TEXT("run_dir", struct conf_raw_agent, run_dir),
    TEXT("state_dir", struct conf_raw_agent, state_dir),
    TEXT("confirm", struct conf_raw_agent, confirm),
    TEXT("bus_max_stale", struct conf_raw_agent, bus_max_stale),
    CYAML_FIELD_MAPPING("defaults", CYAML_FLAG_OPTIONAL, struct conf_raw_agent, defaults,
                        schema_defaults_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t schema_root_fields[] = {
    CYAML_FIELD_MAPPING("agent", CYAML_FLAG_OPTIONAL, struct conf_raw, agent, schema_agent_fields),
    LIST("clusters", struct conf_raw, clusters, &schema_cluster),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema_root = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf_raw, schema_root_fields),
};

/* The mapping form of a member; walked, never loaded, so the offsets do not matter. */
struct conf_raw_member {
    char *host;
    char *port;
    char *failover;
};

static const cyaml_schema_field_t schema_member_fields[] = {
    TEXT("host", struct conf_raw_member, host),
    TEXT("port", struct conf_raw_member, port),
    TEXT("failover", struct conf_raw_member, failover),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema_member = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_member, schema_member_fields),
};

static const char *nearest_key(const cyaml_schema_field_t *fields, const char *key)
{
    for (; fields->key; fields++)
        if (spelling_is_near(fields->key, key))
            return fields->key;
    return NULL;
}

static void refuse_unknown(const cyaml_schema_field_t *fields, const struct conf_node *node,
                           struct conf_errors *errors)
{
    char known[400] = "";
    const char *nearest = nearest_key(fields, node->key);
    if (nearest) {
        conf_errors_add(errors, node->key_at, "unknown key '%.100s'; did you mean '%s'?", node->key,
                        nearest);
        return;
    }
    for (size_t used = 0; fields->key; fields++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
                                 fields->key);
    conf_errors_add(errors, node->key_at, "unknown key '%.100s'; known here are %s", node->key,
                    known);
}

static bool walk(const cyaml_schema_value_t *schema, const struct conf_node *node, const char *what,
                 struct conf_errors *errors);

static const cyaml_schema_field_t *find_field(const cyaml_schema_field_t *fields, const char *key)
{
    while (fields->key && strcmp(fields->key, key) != 0)
        fields++;
    return fields->key ? fields : NULL;
}

static bool walk_mapping(const cyaml_schema_field_t *fields, const struct conf_node *node,
                         struct conf_errors *errors)
{
    bool good = true;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const cyaml_schema_field_t *field = find_field(fields, child->key);
        if (!field)
            refuse_unknown(fields, child, errors);
        else if (!walk(&field->value, child, child->key, errors))
            good = false;
    }
    return good;
}

static bool walk_sequence(const cyaml_schema_value_t *entry, const struct conf_node *node,
                          const char *what, struct conf_errors *errors)
{
    bool good = true;
    for (const struct conf_node *child = node->first; child; child = child->next)
        if (!walk(entry, child, what, errors))
            good = false;
    return good;
}

static bool is_kind(const struct conf_node *node, enum conf_node_kind kind, const char *what,
                    struct conf_errors *errors)
{
    static const char *const advice[CONF_NODE_COUNT] = {
        [CONF_NODE_SCALAR] = "one value; write it without - [ ] { }, or quote it",
        [CONF_NODE_SEQUENCE] = "a list; write [...], or one entry a line, each behind '- '",
        [CONF_NODE_MAPPING] = "a mapping; write 'key: value' lines",
    };
    if (node->kind == kind && !node->null)
        return true;
    const char *entry = !node->key && strcmp(what, "the file") != 0 ? "an entry of " : "";
    if (node->kind == CONF_NODE_SCALAR && node->null)
        conf_errors_add(errors, node->key ? node->key_at : node->at,
                        "%s%s has no value; give it one or remove it", entry, what);
    else
        conf_errors_add(errors, node->at, "wrong type: %s%s is %s", entry, what, advice[kind]);
    return false;
}

/* A host, or a mapping. */
static bool walk_members(const struct conf_node *node, struct conf_errors *errors)
{
    bool good = true;
    if (!is_kind(node, CONF_NODE_SEQUENCE, "members", errors))
        return false;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        bool plain = child->kind == CONF_NODE_SCALAR;
        if (!walk(plain ? &schema_text : &schema_member, child, "members", errors))
            good = false;
    }
    return good;
}

static bool walk(const cyaml_schema_value_t *schema, const struct conf_node *node, const char *what,
                 struct conf_errors *errors)
{
    switch (schema->type) {
    case CYAML_MAPPING:
        return is_kind(node, CONF_NODE_MAPPING, what, errors) &&
               walk_mapping(schema->mapping.fields, node, errors);
    case CYAML_SEQUENCE:
        return is_kind(node, CONF_NODE_SEQUENCE, what, errors) &&
               walk_sequence(schema->sequence.entry, node, what, errors);
    case CYAML_STRING:
        return is_kind(node, CONF_NODE_SCALAR, what, errors);
    default:
        return walk_members(node, errors);
    }
}

bool conf_schema_check(const struct conf_node *root, struct conf_errors *errors)
{
    return walk(&schema_root, root, "the file", errors);
}

static void *memory(void *context, void *old, size_t size)
{
    (void)context;
    if (size != 0)
        return realloc(old, size);
    free(old);
    return NULL;
}

static const cyaml_config_t schema_config = {
    .mem_fn = memory,
    .flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS | CYAML_CFG_NO_ALIAS,
};

int conf_schema_load(const char *bytes, size_t len, struct conf_errors *errors,
                     struct conf_raw **ret_raw)
{
    cyaml_data_t *raw = NULL;
    cyaml_err_t error =
        cyaml_load_data((const uint8_t *)bytes, len, &schema_config, &schema_root, &raw, NULL);
    if (error == CYAML_OK) {
        *ret_raw = raw;
        return 0;
    }
    if (error == CYAML_ERR_OOM || error == CYAML_ERR_LIBYAML_PARSER_INIT)
        return -ENOMEM;
    conf_errors_add(errors, (struct conf_at){1, 1},
                    "libcyaml refuses the file: %s; please report this", cyaml_strerror(error));
    return -EINVAL;
}

void conf_schema_free(struct conf_raw *raw)
{
    cyaml_free(&schema_config, &schema_root, raw, 0);
}
