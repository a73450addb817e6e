/* SPDX-License-Identifier: Apache-2.0
 *
 * state_rig.h - a cluster and a verdict for tests of agent/publish/state.
 */
#ifndef HOMING_STATE_RIG_H
#define HOMING_STATE_RIG_H

#include "agent/publish/state.h"

/* "orders": 10.77.0.2:5432, db-b.internal:5432, [fd00::3]:5433. */
extern const struct conf_cluster rig_cluster;

/* A verdict about it in which no field is zero, but for the times; its endpoints are static. */
struct state_cluster rig_saved(void);

/* Fails the test where two differ. */
void rig_assert_same(const struct state_cluster *got, const struct state_cluster *want);

#endif
