/* SPDX-License-Identifier: Apache-2.0
 *
 * deployment.h - what a server of AWS's says of a blue/green deployment: rows, as it tells them (W4a).
 *
 * One pass: deployment_begin(), deployment_take() with each row, deployment_end(). Then `phase` is how
 * far it is, and the topology has the green servers besides. Each engine has its own table or function;
 * the columns are the same: endpoint, port, role, status, version. Pure; rows come from outside.
 */
#ifndef HOMING_AGENT_PROBE_DEPLOYMENT_H
#define HOMING_AGENT_PROBE_DEPLOYMENT_H

#include "agent/decide/report.h"
#include "agent/probe/topology.h"

struct deployment {
    enum phase phase;                  /* of all rows so far the least */
    bool instances;                    /* a green instance has a row */
    char cluster[HOMING_NAME_MAX + 1]; /* the name of the green cluster; "": none so far */
    uint16_t port;
};

/* NULL: SQL's. */
struct deployment_row {
    const char *endpoint, *role, *status, *version;
    uint16_t port;
};

void deployment_begin(struct deployment *d);
void deployment_take(struct deployment *d, const struct deployment_row *row,
                     struct topology *topology);
void deployment_end(struct deployment *d, struct topology *topology);

/* Whether something may change soon, so that it is to be asked in full each time. */
bool deployment_is_moving(enum phase phase);

#endif
