/* SPDX-License-Identifier: Apache-2.0
 *
 * discovery_storm.c - a server that names others without end, beside a failover.
 */
#include "config.h"

#include <stdio.h>

#include "agent/daemon/cluster.h"
#include "tests/sim/sim.h"
#include "tests/support/test.h"

static const struct engine_keyword keywords[] = {{.name = NULL}};
static const struct engine_kind tells_of_hosts = {
    .name = "tells_of_hosts",
    .default_port = SIM_PORT,
    .tells = ENGINE_TELLS_HOSTS,
    .keywords = keywords,
    .takes_others = true,
};

static struct sim sim;

/* All name the three that there are. The third one names somebody new each second, where nobody answers. */
static bool tell(unsigned server, struct topology *ret_topology)
{
    char host[16];

    for (unsigned i = 1; i <= 3; i++) {
        snprintf(host, sizeof(host), "db-%u", i);
        topology_add(ret_topology, NULL, host, NULL, 0);
    }
    snprintf(host, sizeof(host), "10.9.0.%u", (unsigned)(loop_now_ms(sim.loop) / 1000 % 250));
    if (server == 2)
        topology_add(ret_topology, NULL, host, NULL, 0);
    return true;
}

/* Nobody has a term, and the others follow the first one. */
static int rig_setup(void **state)
{
    (void)state;
    sim_init_seeded(&sim, &tells_of_hosts, 4, "    allowed_networks: [10.0.0.0/8]\n");
    sim.tell = tell;
    sim.servers[SIM_SERVERS_MAX].conduct = SIM_SILENT;
    for (unsigned i = 0; i < 3; i++) {
        sim.servers[i].timeline = 0;
        sim.servers[i].self = 21 + i;
        sim.servers[i].follows = i > 0 ? 21 : 0;
    }
    return 0;
}

static void W12_a_server_that_names_others_without_end_holds_up_no_heir(void **state)
{
    (void)state;
    sim_settle(&sim);
    sim_run(&sim, 10000);
    assert_true(sim.daemon->clusters[0]->conf->member_count > 8);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim.servers[1].writer = true;
    sim.servers[1].follows = 0;
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, 500) <= 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(W12_a_server_that_names_others_without_end_holds_up_no_heir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
