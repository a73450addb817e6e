/* SPDX-License-Identifier: Apache-2.0
 *
 * scenario.h - what happens to a cluster, in the words of its operator: the files of tests/scenarios.
 *
 * Three players play each of them: the decision alone (tests/unit/decide/scenarios), the whole agent on a virtual
 * clock (tests/sim/scenarios), and the agent with stand-ins for Aurora's servers (tests/live/scenarios.py, by
 * tests/support/scenario.py, which reads the same files).
 *
 * There are three servers of one volume, a, b and c, and the cluster's name, which leads to a. Nothing is wrong, and a
 * is the writer. A line is one of these, or empty, or a comment (#):
 *
 *     X is the writer       the service says so, X takes writes, and all others that answer are readers
 *     X claims on           it does not know that it is not
 *     X falls silent        its host is gone: nothing comes from there, no end of a connection either
 *     X answers again
 *     X ends                its process: connections break, and new ones are refused
 *     X lets nobody in      it runs and refuses each login, as a server does that is starting up
 *     X starts              as a reader
 *     DNS names X           the cluster's name leads there
 *     then X is followed    soon: it is the writer, and the state is steady
 *     then X stays          it is the writer, now and for a while
 *     then X stays, STATE   the same, once this is the state
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
