/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.h - the table of states as sentences: what each layer does with a name now, and what
 * would change the verdict. Pure; called by explain_cluster.c.
 */
#ifndef HOMING_AGENT_ADMIN_EXPLAIN_H
#define HOMING_AGENT_ADMIN_EXPLAIN_H

#include "agent/decide/verdict.h"
#include "proto/view_read.h"

enum layer {
    LAYER_LOOKUP,
    LAYER_CONNECT,
    LAYER_SEVER,
    LAYER_COUNT
};

const char *layer_name(enum layer layer);

/* What the layer does with a name of this role, in this mode and state. */
const char *explain_layer(enum layer layer, enum view_role role, enum view_mode mode,
                          enum view_state state);

/* By what the servers of a cluster succeed each other. */
enum explain_by {
    EXPLAIN_BY_TERM,
    EXPLAIN_BY_HEIRS,  /* they follow each other, and have no term of their own (W12) */
    EXPLAIN_BY_VOLUME, /* they share one volume, and have one term for ever (W3a) */
    EXPLAIN_BY_COUNT
};

/* What would change a verdict that has this reason. */
const char *explain_change(enum reason reason, enum explain_by by);

#endif
