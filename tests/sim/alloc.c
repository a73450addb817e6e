/* SPDX-License-Identifier: Apache-2.0
 *
 * alloc.c - every allocation of a start, a reload and an order fails once: each is refused whole,
 * or done whole, and nothing leaks (the sanitizer's build says so).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/admin/methods.h"
#include "agent/conf/conf.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/daemon.h"
#include "agent/daemon/reload.h"
#include "tests/sim/sim.h"
#include "tests/support/fail.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

#define NEW_NAME "bills-db"

static struct sim sim;

static int rig_setup(void **state)
{
    (void)state;
    sim_init(&sim, 3, "");
    return 0;
}

static struct conf *load(void)
{
    struct conf *conf = NULL;

    assert_int_equal(conf_load(sim.file, sim.kinds, stderr, &conf), 0);
    return conf;
}

static void a_start_without_memory_is_refused_whole(void **state)
{
    bool failed = true;

    (void)state;
    for (int n = 0; failed; n++) {
        struct conf *conf = load();
        struct daemon *daemon = NULL;
        char error[256];
        int rv;

        fail_allocation(n);
        rv = daemon_new(sim.loop, conf, &sim.options, error, sizeof(error), &daemon);
        failed = fail_happened();
        if (rv == 0) {
            daemon_free(daemon);
        } else {
            assert_true(failed);
            assert_int_not_equal(error[0], '\0');
            conf_free(conf);
        }
        assert_int_equal(fake_loop_watchers(sim.loop), 0);
    }
}

/* The cluster of before, changed, and a new one. */
static void write_more(void)
{
    FILE *file = fopen(sim.file, "w");

    assert_non_null(file);
    fprintf(file,
            "agent: {run_dir: %s/run, state_dir: %s/state}\n"
            "clusters:\n"
            "  - name: orders\n"
            "    engine: postgresql\n"
            "    members: [10.0.0.1, 10.0.0.2]\n"
            "    endpoints: [{names: [" SIM_WRITER_NAME "], role: writer}]\n"
            "  - name: bills\n"
            "    engine: postgresql\n"
            "    members: [10.0.0.1, 10.0.0.2, 10.0.0.3]\n"
            "    endpoints: [{names: [" NEW_NAME "], role: writer}]\n",
            sim.folder, sim.folder);
    fclose(file);
}

static void a_reload_without_memory_changes_nothing(void **state)
{
    bool failed = true;

    (void)state;
    sim_settle(&sim);
    write_more();
    for (int n = 0; failed; n++) {
        struct view_entry entry;
        char *lines = NULL;
        int rv;

        fail_allocation(n);
        rv = reload_conf(sim.daemon, &lines);
        failed = fail_happened();
        free(lines);
        assert_int_equal(sim_find(&sim, NEW_NAME, &entry), rv == 0);
        assert_int_equal(sim_find(&sim, SIM_READER_NAME, &entry), rv != 0);
        assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
        if (rv == 0)
            break;
    }
    assert_int_equal(sim.daemon->cluster_count, 2);
    sim_run(&sim, 3000);
    assert_int_equal(sim_answer(&sim, NEW_NAME), 0);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
}

/* The kill switch and a failover hold even if nothing can be written down. */
static void a_failover_without_memory_is_published(void **state)
{
    (void)state;
    sim_settle(&sim);
    for (int n = 0; n < 20; n++) {
        unsigned old = (unsigned)sim_answer(&sim, SIM_WRITER_NAME), new = (old + 1) % 2;

        sim_promote(&sim, new);
        sim_rejoin(&sim, old);
        fail_allocation(n);
        for (int ms = 0; ms < 1000 && sim_answer(&sim, SIM_WRITER_NAME) != (int)new; ms++)
            cluster_publish(sim.daemon->clusters[0]), sim_run(&sim, 1);
        fail_happened();
        assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), new);
        sim_run(&sim, 20000);
    }
}

/* ---- members that are discovered ---- */

static const struct engine_keyword keywords[] = {{.name = NULL}};
static const struct engine_kind tells_ids = {.name = "tells_ids",
                                             .default_port = SIM_PORT,
                                             .tells = ENGINE_TELLS_IDS,
                                             .keywords = keywords,
                                             .takes_others = true};
static unsigned told;

static bool tell(unsigned server, struct topology *ret_topology)
{
    char id[8];
    (void)server;
    for (unsigned i = 1; i <= told; i++) {
        snprintf(id, sizeof(id), "%u", i);
        topology_add(ret_topology, id, NULL, NULL, 0);
    }
    return true;
}

static int seeded_setup(void **state)
{
    (void)state;
    sim_init_seeded(&sim, &tells_ids, 4, "    host_patterns: ['db-?']\n");
    sim.tell = tell;
    told = 3;
    return 0;
}

/* As if the minute of a missing member had passed. */
static void forget_the_last_member(void)
{
    sim.daemon->clusters[0]->discovery->roster.count = 3;
    loop_timer_set(sim.daemon->exchange, 0);
    sim_run(&sim, 3000);
    assert_int_equal(sim.daemon->clusters[0]->conf->member_count, 3);
}

static void who_joins_without_memory_joins_later(void **state)
{
    bool failed = true;

    (void)state;
    sim_settle(&sim);
    for (int n = 0; failed; n++) {
        told = 4;
        fail_allocation(n);
        sim_run(&sim, 5000);
        failed = fail_happened();
        assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
        sim_run(&sim, 5000);
        assert_int_equal(sim.daemon->clusters[0]->conf->member_count, 4);
        assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
        told = 3;
        sim_run(&sim, 2000);
        forget_the_last_member();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(a_start_without_memory_is_refused_whole),
        TEST_IN_SIM(a_reload_without_memory_changes_nothing),
        TEST_BETWEEN(seeded_setup, sim_teardown, who_joins_without_memory_joins_later),
        TEST_IN_SIM(a_failover_without_memory_is_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
