/* SPDX-License-Identifier: Apache-2.0
 *
 * state_rig.h - a cluster, a verdict about it, and a state directory of its own, for tests of
 * agent/publish/state. All of them fail the test on errors.
 */
#ifndef HOMING_TESTS_SUPPORT_STATE_RIG_H
#define HOMING_TESTS_SUPPORT_STATE_RIG_H

#include "agent/state/state.h"
#include "tests/support/folder.h"

/* "orders": 10.77.0.2:5432, db-b.internal:5432, [fd00::3]:5433. */
extern const struct conf_cluster state_rig_cluster;

/* A verdict about it in which no field is zero, but for the times; its endpoints are static. */
struct state_cluster state_rig_saved(void);

void state_rig_assert_same(const struct state_cluster *got, const struct state_cluster *want);

struct state_rig {
    char base[FOLDER_SIZE];
    char dir[80]; /* in it */
    struct state *state;
};

/* For cmocka: *state is a struct state_rig. */
int state_rig_setup(void **state);
int state_rig_teardown(void **state);

/* Another agent of the same directory. */
struct state *state_rig_open(const struct state_rig *f);

/* dir/name; static storage. */
const char *state_rig_path(const struct state_rig *f, const char *name);
bool state_rig_has(const struct state_rig *f, const char *name);

/* The held term of state_rig_cluster: 0 if there is none. */
uint64_t state_rig_load_term(struct state *state);
void state_rig_save_term(struct state *state, uint64_t term);

#endif
