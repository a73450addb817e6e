/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.h - what happens to a cluster, in the words of its operator: the files of tests/scenarios.
 *
 * tests/scenarios/README.md has the words. A player says what an act is in its world, and what it sees of the agent there:
 * the decision alone (tests/unit/decide/scenarios), the whole agent on a virtual clock (tests/sim/scenarios). Live servers
 * are tests/support/scenario.py's, which reads the same files.
 */
#ifndef HOMING_TESTS_SUPPORT_SCENARIO_H
#define HOMING_TESTS_SUPPORT_SCENARIO_H

#include "agent/decide/verdict.h"

enum {
    SCENARIO_SERVERS = 3
};

enum scenario_act {
    ACT_WRITES,
    ACT_CLAIMS_ON,
    ACT_FALLS_SILENT,
    ACT_ANSWERS_AGAIN,
    ACT_ENDS,
    ACT_LETS_NOBODY_IN,
    ACT_STARTS,
    ACT_COUNT
};

struct scenario_player {
    int (*begin)(void **state); /* a is the writer, and steady: cmocka's set-up and teardown */
    int (*end)(void **state);
    void (*act)(enum scenario_act act, unsigned server);
    void (*name)(unsigned server); /* NULL: it knows no DNS */
    void (*run)(unsigned ms);
    unsigned (*writer)(void); /* any other number: nobody */
    enum cluster_state (*state)(void);
};

/* All files, one test each; the exit status. A test fails at FILE:LINE. */
int scenario_play_all(const struct scenario_player *player);

#endif
