/* SPDX-License-Identifier: Apache-2.0
 *
 * show_agent.c - what `homingctl status` says of the agent as a whole: where all is well, its first line does not
 * hide where programs would not follow a failover; an alarm of the agent's own is said wherever it counts; and a
 * blue/green deployment of a cluster.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/ctl/show_rig.h"

struct written {
    const char *modes[3];
    bool frozen;
};

static void put_cluster(struct msg_writer *w, const struct written *cluster)
{
    msg_open_map(w);
    msg_put_key_str(w, "cluster", "orders");
    msg_put_key_str(w, "state", cluster->frozen ? "frozen" : "steady");
    msg_put_key_bool(w, "frozen", cluster->frozen);
    msg_put_str(w, "endpoints");
    msg_open_array(w);
    for (size_t i = 0; i < 3 && cluster->modes[i]; i++) {
        msg_open_map(w);
        msg_put_key_str(w, "mode", cluster->modes[i]);
        msg_put_key_str(w, "role", "reader");
        msg_close(w);
    }
    msg_close(w);
    msg_close(w);
}

/* Whether all is well with it, or with the cluster `only`; and that `wanted` is said. */
static bool says(const struct written *clusters, uint32_t count, bool alarm, const char *only,
                 const char *wanted)
{
    bool found, good;

    assert_int_equal(rig_setup(NULL), 0);
    msg_open_map(&writer);
    msg_put_str(&writer, "clusters");
    msg_put_array(&writer, count);
    for (uint32_t i = 0; i < count; i++)
        put_cluster(&writer, &clusters[i]);
    msg_put_str(&writer, "alarms");
    msg_put_array(&writer, alarm);
    if (alarm) {
        msg_open_map(&writer);
        msg_put_key_str(&writer, "alarm", "permits_lost");
        msg_close(&writer);
    }
    msg_close(&writer);
    good = show_status(&show, result(), only, &found);
    if (!strstr(shown(), wanted))
        fail_msg("not \"%s\": %s", wanted, shown());
    rig_teardown(NULL);
    return good;
}

static void assert_ends(const struct written *clusters, uint32_t count, const char *end)
{
    assert_true(says(clusters, count, false, NULL, end));
}

static void where_programs_follow_all_is_well(void **state)
{
    static const struct written clusters[] = {{{"sever", "connect", "names"}, false}};

    (void)state;
    assert_ends(clusters, 1, ": 1 cluster, all well\n");
}

static void what_is_off_or_only_observed_or_frozen_is_named(void **state)
{
    static const struct written clusters[] = {{{"off", "sever", "observe"}, false},
                                              {{"off", "sever"}, true}};

    (void)state;
    assert_ends(clusters, 1,
                ": 1 cluster, all well, but 1 endpoint in mode off, 1 endpoint in mode observe\n");
    assert_ends(clusters, 2,
                ": 2 clusters, all well, but 2 endpoints in mode off, 1 endpoint in mode observe, "
                "1 cluster frozen\n");
}

static void an_alarm_of_the_agents_own_is_said_of_one_cluster_too(void **state)
{
    static const struct written clusters[] = {{{"sever"}, false}};

    (void)state;
    assert_false(says(clusters, 1, true, NULL, "ALARM permits_lost"));
    assert_false(says(clusters, 1, true, "orders", "ALARM permits_lost"));
    assert_true(says(clusters, 1, false, "orders", "orders: steady"));
}

static void put_deployed(const char *name, bool is_writer, const char *phase,
                         const char *deployment)
{
    msg_open_map(&writer);
    msg_put_key_str(&writer, "member", name);
    msg_put_key_bool(&writer, "writer", is_writer);
    msg_put_key_str(&writer, "phase", phase);
    msg_put_key_str(&writer, "deployment", deployment);
    msg_close(&writer);
}

/* The writer's own word counts. */
static void W4a_a_deployment_is_a_line_below_its_cluster(void **state)
{
    (void)state;
    msg_open_map(&writer);
    msg_put_key_uint(&writer, "switchover_ms", 12000);
    msg_put_str(&writer, "members");
    msg_open_array(&writer);
    put_deployed("g", false, "available", "green");
    put_deployed("a", true, "in_progress", NULL);
    put_deployed("h", false, NULL, "green");
    put_deployed("o", false, "post", "left_behind");
    msg_close(&writer);
    msg_close(&writer);
    (void)show_cluster(&show, result());
    assert_non_null(
        strstr(shown(), "\n  blue/green: in progress for 12 s, green: g, h, left behind: o\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN(rig, W4a_a_deployment_is_a_line_below_its_cluster),
        TEST(where_programs_follow_all_is_well),
        TEST(what_is_off_or_only_observed_or_frozen_is_named),
        TEST(an_alarm_of_the_agents_own_is_said_of_one_cluster_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
