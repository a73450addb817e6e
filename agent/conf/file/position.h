/* SPDX-License-Identifier: Apache-2.0
 *
 * position.h - the configuration file as a tree of nodes that know where they stand.
 *
 * libcyaml, which loads the values, tells no positions of what it has loaded. So the file is read
 * once more, into this tree, first: it locates every later error, and refuses what libcyaml would
 * let pass (empty files, NUL, second documents, anchors, aliases, tags, duplicate keys).
 */
#ifndef HOMING_AGENT_CONF_FILE_POSITION_H
#define HOMING_AGENT_CONF_FILE_POSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/conf/file/errors.h"

enum conf_node_kind {
    CONF_NODE_SCALAR,
    CONF_NODE_SEQUENCE,
    CONF_NODE_MAPPING,
    CONF_NODE_COUNT
};

struct conf_node {
    enum conf_node_kind kind;
    bool null;               /* scalar: nothing there, or ~ or null without quotes */
    struct conf_at at;       /* of the value */
    struct conf_at key_at;   /* of its key, in a mapping */
    uint32_t text_column;    /* column of the text's first character; 0: text and file differ */
    const char *key;         /* in a mapping, else NULL */
    const char *text;        /* scalar, else NULL */
    struct conf_node *first; /* child */
    struct conf_node *last;
    struct conf_node *next; /* sibling */
};

struct conf_position;

/* 0; -EINVAL: errors were added, and the tree is of no use; -ENOMEM. A tree may come with errors
 * that leave it usable: see errors->failures. Bytes need not outlive the call. */
int conf_position_read(const char *bytes, size_t len, struct conf_errors *errors,
                       struct conf_position **ret_position);
void conf_position_free(struct conf_position *position);

const struct conf_node *conf_position_root(const struct conf_position *position);

/* The value of `key` in a mapping; NULL if there is none, or `node` is NULL or no mapping. */
const struct conf_node *conf_position_find(const struct conf_node *node, const char *key);

/* Where the value of `key` stands; where `node` does, if it has no such key. */
struct conf_at conf_position_at(const struct conf_node *node, const char *key);

#endif
