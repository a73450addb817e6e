/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h - the shape of a file, as the rows of keys.h have it.
 *
 * First conf_schema_check() walks the tree along the rows and reports every unknown key and wrong
 * shape with its position (libcyaml would report the first, roughly). What it passes, libcyaml
 * loads into struct conf_raw: texts as they stand in the file.
 */
#ifndef HOMING_AGENT_CONF_FILE_SCHEMA_H
#define HOMING_AGENT_CONF_FILE_SCHEMA_H

#include "agent/conf/file/position.h"
#include "agent/conf/keys.h"

/* The value of one key. A mapping is an array of these, one for each key that may stand in it, in
 * the order of the rows; a list of mappings is one such array behind the other. */
struct conf_raw {
    /* char *, or char ** of a list of values, or struct conf_raw *. NULL: the key is not given, or
     * its row says `words`. */
    void *data;
    unsigned count; /* of a list's entries */
};

/* How long a mapping's array is. */
unsigned conf_schema_keys(enum conf_place place);

/* Adds errors; false if libcyaml could not load this (unknown keys alone do not hinder it). */
bool conf_schema_check(const struct conf_node *root, struct conf_errors *errors);

/* The top mapping. 0, -ENOMEM, or -EINVAL: libcyaml saw what the check did not, which is a bug; an
 * error is added. */
int conf_schema_load(const char *bytes, size_t len, struct conf_errors *errors,
                     struct conf_raw **ret_raw);
void conf_schema_free(struct conf_raw *raw);

#endif
