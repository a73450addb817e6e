/* SPDX-License-Identifier: Apache-2.0
 *
 * stray.c - W4a: the writer names a green server that is no member. What is said of it, and when.
 */
#include "config.h"

#include <string.h>

#include "agent/daemon/words.h"
#include "agent/decide/bluegreen.h"
#include "tests/sim/sim.h"
#include "tests/support/test.h"

static struct sim sim;

static bool tell(unsigned server, struct topology *ret_topology)
{
    if (sim.servers[0].phase >= PHASE_POST)
        return false;
    topology_add_green(ret_topology, server == 0 ? "10.0.0.99" : "10.0.0.97", 7001); /* hearsay */
    topology_add_green(ret_topology, "10.0.0.98", 7001);
    return true;
}

static int begin(void **state)
{
    (void)state;
    sim_init(&sim, 2, "");
    sim.servers[0].phase = PHASE_AVAILABLE;
    sim.tell = tell;
    sim_settle(&sim);
    return 0;
}

static const struct cluster *cluster(void)
{
    return sim.daemon->clusters[0];
}

static bool is_warned(void)
{
    return cluster()->warnings.raised >> WARNING_GREEN & 1;
}

static void expect_alarm(const char *words)
{
    char text[512], command[128];

    words_alarm(cluster(), ALARM_NO_WRITER, text, sizeof(text), command, sizeof(command));
    if (!strstr(text, words))
        fail_msg("'%s' is not in '%s'", words, text);
}

static void W4a_the_warning_names_the_first_green_server_that_is_no_member(void **state)
{
    char text[700];

    (void)state;
    sim_run(&sim, 10000);
    assert_true(is_warned());
    words_warning(cluster(), WARNING_GREEN, text, sizeof(text));
    assert_non_null(strstr(text, "names 10.0.0.99:7001 as the green server of a blue/green "
                                 "deployment, which is no member"));
    sim_stop(&sim);
    sim.servers[0].phase = PHASE_NONE;
    sim.tell = NULL;
    sim_settle(&sim);
    sim_run(&sim, 10000);
    assert_false(is_warned());
}

static void W4a_the_alarm_of_its_switchover_names_it_and_asks_for_no_promotion(void **state)
{
    (void)state;
    expect_alarm("no member claims to be the writer: promote one");
    for (enum phase phase = PHASE_INITIATED; phase <= PHASE_POST; phase++) {
        sim.servers[0].phase = phase;
        sim.servers[0].writer = phase < PHASE_IN_PROGRESS;
        sim_run(&sim, 2000);
    }
    assert_int_equal(cluster()->decision.alarms, 0);
    sim_run(&sim, BLUEGREEN_HOLD_MS);
    assert_true(cluster()->decision.alarms >> ALARM_NO_WRITER & 1);
    expect_alarm("10.0.0.99:7001, which the writer named as the green server");
    expect_alarm("promote no other one before");
    sim_stop(&sim); /* its name is not saved, and its rows have other names by now */
    sim_settle(&sim);
    expect_alarm("and a server, which the writer named as the green server");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BETWEEN(begin, sim_teardown,
                     W4a_the_warning_names_the_first_green_server_that_is_no_member),
        TEST_BETWEEN(begin, sim_teardown,
                     W4a_the_alarm_of_its_switchover_names_it_and_asks_for_no_promotion),
    };
    return cmocka_run_group_tests_name("a green server that is no member, in an agent", tests, NULL,
                                       NULL);
}
