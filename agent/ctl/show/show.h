/* SPDX-License-Identifier: Apache-2.0
 *
 * show.h - the agent's replies as text for people. Called by commands.c with a method's result,
 * whose keys are in proto/PROTOCOL.md. Any string may come from a database server: each is made fit
 * for the terminal (text.h).
 */
#ifndef HOMING_AGENT_CTL_SHOW_SHOW_H
#define HOMING_AGENT_CTL_SHOW_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "proto/msg.h"

struct show {
    FILE *out;
    bool colour;    /* the output is a terminal */
    bool positions; /* of the members, beside their lag: evidence, for explain */
};

/* Returns whether all is well: no alarm, every cluster steady or frozen, and severing available
 * where a writer's name is in mode sever. `only`: NULL, or the one cluster to show; *ret_found:
 * whether there was one. */
bool show_status(const struct show *show, const struct msg_value *status, const char *only,
                 bool *ret_found);

/* One cluster, as in status. Returns whether it is well. */
bool show_cluster(const struct show *show, const struct msg_value *cluster);

/* Returns whether the name, or the cluster, has a confirmed answer. */
bool show_explain(const struct show *show, const struct msg_value *explain);

/* Processes' connections, the outdated first, those without a tag last: whose they are is looked for in
 * /proc. False: not all could be listed. */
bool show_connections(const struct show *show, const struct msg_value *result);

void show_history(const struct show *show, const struct msg_value *history);

/* Whether programs here get `other` before `text`, the writer's addresses of two families. */
typedef bool comes_first_fn(const char *text, const char *other);

/* The addresses, one per line. Returns whether there is an answer from the view; why not, on
 * stderr. */
bool show_resolve(const struct show *show, const struct msg_value *result,
                  comes_first_fn *other_first);

/* printf's %s for a string of a map, clean; `otherwise` if it is not there. */
void show_str(const struct show *show, const struct msg_value *map, const char *key,
              const char *otherwise);

/* ", also at port 6432": the endpoint's other ports, if it has any. */
void show_other_ports(const struct show *show, const struct msg_value *map);

#endif
