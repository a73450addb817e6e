/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.h - the key `connection`: the engine's keywords, of which some are not the operator's
 * to set, and some are secret.
 */
#ifndef HOMING_AGENT_CONF_CONNECTION_H
#define HOMING_AGENT_CONF_CONNECTION_H

#include "agent/conf/file/position.h"

void conf_connection_check(const struct engine_kind *engine, const struct conf_node *node,
                           struct conf_errors *errors);

/* Whether the keyword has this value: the last one counts. */
bool conf_connection_has(const char *connection, const char *keyword, const char *value);

/* The value of this keyword, without its quotes and backslashes: the last one counts. False: there is
 * none, or it does not fit; *ret is untouched. */
bool conf_connection_get(const char *connection, const char *keyword, char *ret, size_t size);

/* Prints the connection inside a YAML string, its secrets hidden. */
void conf_connection_print(const struct engine_kind *engine, const char *connection,
                           void (*put)(char byte, FILE *out), FILE *out);

#endif
