/* SPDX-License-Identifier: Apache-2.0
 *
 * state_rig.h - a cluster, a verdict about it, and a state directory of its own, for tests of
 * agent/publish/state. All of them fail the test on errors.
 */
#ifndef HOMING_TESTS_SUPPORT_STATE_RIG_H
#define HOMING_TESTS_SUPPORT_STATE_RIG_H

#include "agent/state/state.h"

/* "orders": 10.77.0.2:5432, db-b.internal:5432, [fd00::3]:5433. */
extern const struct conf_cluster rig_cluster;

/* A verdict about it in which no field is zero, but for the times; its endpoints are static. */
struct state_cluster rig_saved(void);

void rig_assert_same(const struct state_cluster *got, const struct state_cluster *want);

struct fixture {
    char base[64];
    char dir[80]; /* in it */
    struct state *state;
};

/* For cmocka: *state is a fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Another agent of the same directory. */
struct state *fixture_open(const struct fixture *f);

/* dir/name; static storage. */
const char *fixture_path(const struct fixture *f, const char *name);
bool fixture_has(const struct fixture *f, const char *name);

/* The held term of rig_cluster: 0 if there is none. */
uint64_t fixture_load_term(struct state *state);
void fixture_save_term(struct state *state, uint64_t term);

#endif
