/* SPDX-License-Identifier: Apache-2.0
 *
 * check.h - from what stands in the file to struct conf: every check that needs more than the
 * shape of a value.
 *
 * All functions go on after an error, so that one run reports them all; what they build is complete
 * only if errors->failures stayed 0, but can always be given to conf_free(). -ENOMEM ends them.
 */
#ifndef HOMING_AGENT_CONF_CHECK_H
#define HOMING_AGENT_CONF_CHECK_H

#include "agent/conf/schema.h"

/* A name and where it stands, to find it used twice. */
struct conf_use {
    const char *name;
    struct conf_at at;
};

struct conf_uses {
    struct conf_use *list;
    size_t count;
    size_t room;
};

int conf_uses_add(struct conf_uses *uses, const char *name, struct conf_at at);
/* Adds an error for every use of a name but its first. */
void conf_uses_check(struct conf_uses *uses, const char *what, struct conf_errors *errors);
void conf_uses_done(struct conf_uses *uses);

/* 0 or -ENOMEM; fills `conf`, whose file is set. */
int conf_check(const struct conf_raw *raw, const struct conf_node *root, struct conf_errors *errors,
               struct conf *conf);

/* conf/members.c */
int conf_members_check(const struct conf_node *node, struct conf_errors *errors,
                       struct conf_cluster *cluster);
int conf_networks_check(const struct conf_node *node, struct conf_errors *errors,
                        struct conf_cluster *cluster);
/* Whether the members' addresses fit family and allowed_networks. */
void conf_members_agree(struct conf_errors *errors, const struct conf_cluster *cluster);

/* conf/connection.c: the engine's keywords, of which some are not the operator's to set. */
void conf_connection_check(const struct engine_kind *engine, const struct conf_node *node,
                           struct conf_errors *errors);
/* Prints the connection inside a YAML string, its secrets hidden. */
void conf_connection_print(const struct engine_kind *engine, const char *connection,
                           void (*put)(char byte, FILE *out), FILE *out);

/* conf/password.c: NULL, or what is wrong with the file and what to do. */
const char *conf_password_check(const char *file);

#endif
