/* SPDX-License-Identifier: Apache-2.0
 *
 * sever_rig.h - a whole agent with three servers, that has settled and may sever. For the simulations of
 * what it orders of homing-sever, which is a notebook (fake_sever.h).
 */
#ifndef HOMING_TESTS_SIM_SEVER_RIG_H
#define HOMING_TESTS_SIM_SEVER_RIG_H

#include "agent/daemon/cluster.h"
#include "agent/daemon/shared.h"
#include "tests/sim/sim.h"
#include "tests/support/fake_sever.h"
#include "tests/support/test.h"

#define SETTLED_MS 3000

static struct sim sim;

static inline int rig_setup(void **state)
{
    (void)state;
    fake_sever_forget();
    return 0;
}

/* For tests that do not end their agent themselves. */
static inline int rig_teardown(void **state)
{
    (void)state;
    sim_done(&sim);
    return 0;
}

static inline void begin(const char *keys)
{
    fake_sever_set(1, true);
    fake_sever_redirected = fake_sever_behind = 0;
    sim_init(&sim, 3, keys);
    sim_start(&sim);
    sim_run(&sim, SETTLED_MS);
    assert_int_equal(fake_order_count, 0);
}

static inline struct cluster *cluster(void)
{
    return sim.daemon->clusters[0];
}

/* The planned switchover: the old writer goes, another is promoted, the old one is back to read. */
static inline void switch_over(unsigned from, unsigned to)
{
    sim_conduct(&sim, from, SIM_DOWN);
    sim_promote(&sim, to);
    sim_run(&sim, 500);
    sim_rejoin(&sim, from);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), to);
}

#endif
