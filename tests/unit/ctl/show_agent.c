/* SPDX-License-Identifier: Apache-2.0
 *
 * show_agent.c - what `homingctl status` says of the agent as a whole: where all is well, its first line does not
 * hide where programs would not follow a failover; and an alarm of the agent's own is said wherever it counts.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(where_programs_follow_all_is_well),
        TEST(what_is_off_or_only_observed_or_frozen_is_named),
        TEST(an_alarm_of_the_agents_own_is_said_of_one_cluster_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
