/* SPDX-License-Identifier: Apache-2.0
 *
 * instance.c - what a view has besides answers, through reloads that enlarge it: which homing-sever
 * has to have programs' permits, and places for the official names of members' hosts.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/daemon/reload.h"
#include "agent/daemon/shared.h"
#include "tests/sim/sim.h"
#include "tests/support/fake_sever.h"
#include "tests/support/test.h"

static struct sim sim;

static int rig_setup(void **state)
{
    (void)state;
    fake_sever_forget();
    fake_sever_set(1, true);
    sim_init(&sim, 3, "");
    sim_settle(&sim);
    return 0;
}

static void the_view_names_the_homing_sever_that_permits_go_to(void **state)
{
    (void)state;
    struct view_header *header = view_writer(sim.daemon->view)->header;
    assert_int_equal(header->sever_instance, 1);
    fake_sever_set(9, true);
    assert_int_equal(header->sever_instance, 9);
    fake_sever_set(0, false);
    assert_int_equal(header->sever_instance, 0);
}

static void a_view_that_a_reload_enlarged_names_it_too(void **state)
{
    const struct view *before;
    char *lines = NULL;

    (void)state;
    before = sim.daemon->view;
    FILE *file = fopen(sim.file, "a");
    assert_non_null(file);
    for (int i = 0; i < 200; i++)
        fprintf(file,
                "  - name: more%d\n"
                "    engine: postgresql\n"
                "    members: [10.0.0.1]\n"
                "    endpoints: [{names: [more%d], role: writer}]\n",
                i, i);
    fclose(file);
    assert_int_equal(reload_conf(sim.daemon, &lines), 0);
    free(lines);
    assert_true(sim.daemon->view != before);
    assert_int_equal(view_writer(sim.daemon->view)->header->sever_instance, 1);
}

static bool every_member_has_a_place(void)
{
    const struct view_writer *w = view_writer(sim.daemon->view);

    for (uint32_t i = 0; i < sim.daemon->cluster_count; i++) {
        const struct cluster *cluster = sim.daemon->clusters[i];
        const struct view_cluster *in = &w->clusters[cluster->index];

        if (in->copies[in->seq & 1].officials >> 32 < cluster->conf->member_count)
            return false;
    }
    return true;
}

static void add_cluster(int i)
{
    FILE *file = fopen(sim.file, "a");

    assert_non_null(file);
    fprintf(file, "  - name: more%d\n    engine: postgresql\n    members: [", i);
    for (int port = 1; port <= 20; port++)
        fprintf(file, "'10.0.0.1:%d', ", port);
    fprintf(file, "'10.0.0.2:1']\n    endpoints: [{names: [more%d], role: writer}]\n", i);
    fclose(file);
}

static void after_every_reload_every_member_has_a_place_for_its_hosts_name(void **state)
{
    (void)state;
    assert_true(every_member_has_a_place());
    for (int i = 0; i < 6; i++) {
        uint32_t used = 0;

        add_cluster(i);
        for (int again = 0; again < 3; again++) { /* with nothing new, nothing is used up */
            char *lines = NULL;

            assert_int_equal(reload_conf(sim.daemon, &lines), 0);
            free(lines);
            sim_run(&sim, 1500);
            assert_true(every_member_has_a_place());
            assert_true(!again || view_writer(sim.daemon->view)->officials_used == used);
            used = view_writer(sim.daemon->view)->officials_used;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(the_view_names_the_homing_sever_that_permits_go_to),
        TEST_IN_SIM(a_view_that_a_reload_enlarged_names_it_too),
        TEST_IN_SIM(after_every_reload_every_member_has_a_place_for_its_hosts_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
