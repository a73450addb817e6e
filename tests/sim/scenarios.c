/* SPDX-License-Identifier: Apache-2.0
 *
 * scenarios.c - the whole agent on a virtual clock plays the files of tests/scenarios. It
 * begins with the cluster's name as a seed; its servers name each other, and are of one volume.
 */
#include "config.h"

#include <stdio.h>

#include "agent/daemon/cluster.h"
#include "tests/sim/sim.h"
#include "tests/support/scenario.h"
#include "tests/support/test.h"

static const struct engine_keyword keywords[] = {{.name = NULL}};
static const struct engine_kind of_a_volume = {
    .name = "of_a_volume",
    .default_port = SIM_PORT,
    .tells = ENGINE_TELLS_IDS,
    .keywords = keywords,
    .takes_others = true,
};

static struct sim sim;

static bool tell(unsigned server, struct topology *ret_topology)
{
    static const char *const ids[] = {"1", "2", "3"};
    (void)server;
    for (unsigned i = 0; i < SCENARIO_SERVERS; i++)
        topology_add(ret_topology, ids[i], NULL, NULL, 0);
    return true;
}

static int begin(void **state)
{
    (void)state;
    sim_init_seeded(&sim, &of_a_volume, SCENARIO_SERVERS, "    host_patterns: ['db-?']\n");
    for (unsigned i = 0; i < SCENARIO_SERVERS; i++)
        sim.servers[i].fenced = true;
    sim.tell = tell;
    sim_settle(&sim);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    return 0;
}

static void act(enum scenario_act act, unsigned server)
{
    static const enum sim_conduct conducts[ACT_COUNT] = {
        [ACT_FALLS_SILENT] = SIM_SILENT, [ACT_ANSWERS_AGAIN] = SIM_ANSWERS, [ACT_ENDS] = SIM_DOWN,
        [ACT_LETS_NOBODY_IN] = SIM_DOWN, [ACT_STARTS] = SIM_ANSWERS,
    };
    if (act == ACT_WRITES)
        for (unsigned i = 0; i < SCENARIO_SERVERS; i++)
            sim.servers[i].writer = i == server;
    else if (act == ACT_CLAIMS_ON)
        sim.servers[server].writer = true;
    else
        sim_conduct(&sim, server, conducts[act]);
    if (act == ACT_STARTS) {
        sim.servers[server].writer = false;
        sim.servers[server].started += 100;
    }
}

static void name(unsigned server)
{
    char address[16];
    snprintf(address, sizeof(address), "10.0.0.%u", server + 1);
    sim_name_seed(&sim, address);
}

static void run(unsigned ms)
{
    sim_run(&sim, ms);
}

static unsigned writer(void)
{
    return (unsigned)sim_answer(&sim, SIM_WRITER_NAME);
}

static enum cluster_state state_now(void)
{
    return sim.daemon->clusters[0]->decision.verdict.state;
}

int main(void)
{
    static const struct scenario_player player = {.begin = begin,
                                                  .end = sim_teardown,
                                                  .act = act,
                                                  .name = name,
                                                  .run = run,
                                                  .writer = writer,
                                                  .state = state_now};
    return scenario_play_all(&player);
}
