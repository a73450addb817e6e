/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - as schema.h says. The only file that includes cyaml.h.
 *
 * Every value is loaded as text: a wrong duration or a missing name is then an error of check.c,
 * which can say where and what to do. Hence all keys are optional here.
 */
#include "config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/spelling.h"
#include "agent/conf/file/schema.h"

unsigned conf_schema_keys(enum conf_place place)
{
    unsigned count = 0;
    for (const struct conf_key *key = conf_keys; key->name; key++)
        count += conf_key_in(key, place);
    return count;
}

/* ---- shapes ---- */

static enum conf_node_kind shape_of(const struct conf_key *key)
{
    if (conf_key_is_list(key))
        return CONF_NODE_SEQUENCE;
    return key->type == CONF_TYPE_MAPPING ? CONF_NODE_MAPPING : CONF_NODE_SCALAR;
}

static const char *nearest_key(enum conf_place place, const char *name)
{
    for (const struct conf_key *key = conf_keys; key->name; key++)
        if (conf_key_in(key, place) && spelling_is_near(key->name, name))
            return key->name;
    return NULL;
}

static void refuse_unknown(enum conf_place place, const struct conf_node *node,
                           struct conf_errors *errors)
{
    char known[400] = "";
    size_t used = 0;
    const char *nearest = nearest_key(place, node->key);
    if (nearest) {
        conf_errors_add(errors, node->key_at, "unknown key '%.100s'; did you mean '%s'?", node->key,
                        nearest);
        return;
    }
    for (const struct conf_key *key = conf_keys; key->name; key++)
        if (conf_key_in(key, place) && used < sizeof(known))
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "",
                                     key->name);
    conf_errors_add(errors, node->key_at, "unknown key '%.100s'; known here are %s", node->key,
                    known);
}

static bool check_kind(const struct conf_node *node, enum conf_node_kind kind, const char *what,
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

static bool check_key(const struct conf_key *key, const struct conf_node *node,
                      struct conf_errors *errors);

static bool check_mapping(enum conf_place place, const struct conf_node *node, const char *what,
                          struct conf_errors *errors)
{
    bool good = true;
    if (!check_kind(node, CONF_NODE_MAPPING, what, errors))
        return false;
    for (const struct conf_node *child = node->first; child; child = child->next) {
        const struct conf_key *key = conf_key_find(place, child->key);
        if (!key)
            refuse_unknown(place, child, errors);
        else if (!check_key(key, child, errors))
            good = false;
    }
    return good;
}

static bool check_entry(const struct conf_key *key, const struct conf_node *node,
                        struct conf_errors *errors)
{
    bool plain = key->type != CONF_TYPE_MAPPINGS || (key->words && node->kind == CONF_NODE_SCALAR);
    if (plain)
        return check_kind(node, CONF_NODE_SCALAR, key->name, errors);
    return check_mapping(key->inner, node, key->name, errors);
}

static bool check_key(const struct conf_key *key, const struct conf_node *node,
                      struct conf_errors *errors)
{
    bool good = true;
    if (key->type == CONF_TYPE_MAPPING)
        return check_mapping(key->inner, node, key->name, errors);
    if (!check_kind(node, shape_of(key), key->name, errors))
        return false;
    for (const struct conf_node *child = node->first; child; child = child->next)
        if (!check_entry(key, child, errors))
            good = false;
    return good;
}

bool conf_schema_check(const struct conf_node *root, struct conf_errors *errors)
{
    return check_mapping(CONF_PLACE_FILE, root, "the file", errors);
}

/* ---- libcyaml's view of the rows ---- */

#define KEYS_MAX 32 /* of one mapping; the file's are fewer in all */

struct tables {
    cyaml_schema_value_t text;
    cyaml_schema_value_t mapping[CONF_PLACE_COUNT];
    cyaml_schema_field_t fields[CONF_PLACE_COUNT][KEYS_MAX + 1];
};

static cyaml_schema_value_t mapping_schema(const struct tables *t, enum conf_place place,
                                           unsigned flags)
{
    return (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = (enum cyaml_flag)flags,
        .data_size = conf_schema_keys(place) * (uint32_t)sizeof(struct conf_raw),
        .mapping = {.fields = t->fields[place]},
    };
}

static cyaml_schema_value_t key_schema(const struct tables *t, const struct conf_key *key)
{
    const unsigned flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER;
    cyaml_schema_value_t value = t->text;
    if (key->words) /* an entry may be of two shapes, which libcyaml cannot express: see the tree */
        return (cyaml_schema_value_t){.type = CYAML_IGNORE, .flags = CYAML_FLAG_OPTIONAL};
    if (key->type == CONF_TYPE_MAPPING)
        return mapping_schema(t, key->inner, flags);
    if (conf_key_is_list(key)) {
        const cyaml_schema_value_t *entry =
            key->type == CONF_TYPE_MAPPINGS ? &t->mapping[key->inner] : &t->text;
        value = (cyaml_schema_value_t){CYAML_VALUE_SEQUENCE(0, char *, entry, 0, CYAML_UNLIMITED)};
        value.data_size = key->type == CONF_TYPE_MAPPINGS ? entry->data_size : sizeof(char *);
    }
    value.flags = (enum cyaml_flag)flags;
    return value;
}

static void fill_fields(struct tables *t, enum conf_place place)
{
    cyaml_schema_field_t *field = t->fields[place];
    uint32_t offset = 0;
    for (const struct conf_key *key = conf_keys; key->name; key++) {
        if (!conf_key_in(key, place))
            continue;
        *field++ = (cyaml_schema_field_t){
            .key = key->name,
            .data_offset = offset + (uint32_t)offsetof(struct conf_raw, data),
            .count_offset = offset + (uint32_t)offsetof(struct conf_raw, count),
            .count_size = sizeof(unsigned),
            .value = key_schema(t, key),
        };
        offset += (uint32_t)sizeof(struct conf_raw);
    }
}

/* Made from the rows once; the agent has one thread. */
static const struct tables *make_tables(void)
{
    static struct tables t;
    if (t.text.type == CYAML_STRING)
        return &t;
    t.text =
        (cyaml_schema_value_t){CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
    for (int place = 0; place < CONF_PLACE_COUNT; place++)
        t.mapping[place] = mapping_schema(&t, (enum conf_place)place, CYAML_FLAG_DEFAULT);
    t.mapping[CONF_PLACE_FILE].flags = CYAML_FLAG_POINTER;
    for (int place = 0; place < CONF_PLACE_COUNT; place++)
        fill_fields(&t, (enum conf_place)place);
    return &t;
}

/* libcyaml lets a list grow by one entry at a time. If realloc() copies, as it does under the
 * sanitizers, a list of 16,384 clusters is copied as often. So a large block gets room to grow. */
#define ROOM_FROM ((size_t)64 * 1024)

static void *allocate(void *context, void *old, size_t size)
{
    (void)context;
    if (size == 0) {
        free(old);
        return NULL;
    }
    if (old && size >= ROOM_FROM && size <= malloc_usable_size(old))
        return old;
    return realloc(old, size < ROOM_FROM ? size : size + size / 2);
}

static const cyaml_config_t config = {
    .mem_fn = allocate,
    .flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS | CYAML_CFG_NO_ALIAS,
};

int conf_schema_load(const char *bytes, size_t len, struct conf_errors *errors,
                     struct conf_raw **ret_raw)
{
    cyaml_data_t *raw = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)bytes, len, &config,
                                        &make_tables()->mapping[CONF_PLACE_FILE], &raw, NULL);
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
    cyaml_free(&config, &make_tables()->mapping[CONF_PLACE_FILE], raw, 0);
}
