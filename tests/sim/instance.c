/* SPDX-License-Identifier: Apache-2.0
 *
 * instance.c - programs learn from the view which homing-sever has to have their permit.
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
    sim_start(&sim);
    sim_run(&sim, 3000);
    return 0;
}

static int rig_teardown(void **state)
{
    (void)state;
    sim_done(&sim);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, the_view_names_the_homing_sever_that_permits_go_to),
        TEST_IN(rig, a_view_that_a_reload_enlarged_names_it_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
