/* SPDX-License-Identifier: Apache-2.0
 *
 * succession.c - W12 as the whole agent does it: three servers without a term, of which the first
 * is the writer. What is published and saved, and what the operator reads.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/admin/status.h"
#include "agent/daemon/cluster.h"
#include "agent/daemon/words.h"
#include "agent/decide/succession.h"
#include "tests/sim/sim.h"
#include "tests/support/fake_loop.h"
#include "tests/support/test.h"

#define NAME(server) (21u + (server))

static struct sim sim;

static int rig_setup(void **state)
{
    (void)state;
    sim_init(&sim, 3, "");
    for (unsigned i = 0; i < 3; i++) {
        sim.servers[i].timeline = 0;
        sim.servers[i].position = 100;
        sim.servers[i].self = NAME(i);
        sim.servers[i].follows = i > 0 ? NAME(0) : 0;
    }
    sim_settle(&sim);
    assert_int_equal(sim_answer(&sim, SIM_WRITER_NAME), 0);
    return 0;
}

static const struct verdict *verdict(void)
{
    return &sim.daemon->clusters[0]->decision.verdict;
}

static void claims(unsigned server)
{
    sim.servers[server].writer = true;
    sim.servers[server].follows = 0;
}

/* What was written in the last moment is nowhere but on the writer, which is gone. */
static void crash(void)
{
    sim.servers[0].position = 120;
    sim_run(&sim, 500);
    sim_conduct(&sim, 0, SIM_DOWN);
    sim_run(&sim, 200);
}

static void W12_an_heir_is_published_within_a_second(void **state)
{
    (void)state;
    crash();
    claims(1);
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, 1000) <= 1000);
    assert_int_equal(verdict()->reason, REASON_SUCCEEDED);
}

static void W12_heirs_outlive_the_agent(void **state)
{
    (void)state;
    crash();
    sim_stop(&sim);
    sim_conduct(&sim, 2, SIM_DOWN);
    claims(1);
    sim_start(&sim);
    assert_true(succession_is_heir(verdict(), NAME(1)));
    assert_true(succession_is_heir(verdict(), NAME(2)));
    assert_true(sim_until(&sim, SIM_WRITER_NAME, 1, 3000) <= 3000);
    assert_int_equal(verdict()->reason, REASON_SUCCEEDED);
}

static const char *alarm_text(void)
{
    static char text[512], command[128];

    words_alarm(sim.daemon->clusters[0], ALARM_AMBIGUOUS, text, sizeof(text), command,
                sizeof(command));
    return text;
}

static void W12_the_alarm_says_what_speaks_against_a_claim(void **state)
{
    (void)state;
    crash();
    sim.servers[1].self = 99;
    claims(1);
    sim_run(&sim, 3000);
    assert_int_equal(verdict()->reason, REASON_UNPROVEN);
    assert_non_null(strstr(alarm_text(), "was not seen to follow the writer, or not any more"));
    assert_non_null(strstr(
        alarm_text(), "accept it if it is the right one, or stop it and promote the right one"));
    sim.servers[1].writer = false;
    claims(2);
    sim_run(&sim, 3000);
    sim.servers[1].self = NAME(1);
    sim.servers[1].follows = NAME(2);
    sim.servers[1].position = 90; /* of before the writer began */
    sim_run(&sim, 3000);
    assert_int_equal(verdict()->writer, 2);
    sim_conduct(&sim, 2, SIM_DOWN);
    claims(1);
    sim_run(&sim, 3000);
    assert_int_equal(verdict()->reason, REASON_UNPROVEN);
    assert_non_null(strstr(alarm_text(), "lacks what the writer had when it became the writer"));
    sim.servers[1].writer = false;
    sim_conduct(&sim, 2, SIM_ANSWERS);
    sim.servers[2].self = 98;
    sim_run(&sim, 3000);
    assert_non_null(strstr(alarm_text(), "is another server than before"));
}

static void W12_status_says_who_is_an_heir_and_whom_it_follows(void **state)
{
    char first[MEMBER_TEXT_SIZE];
    struct msg_parser parser;
    struct msg_writer w;
    struct msg answer;
    size_t used;

    (void)state;
    sim.servers[2].follows = 99;
    sim_run(&sim, 1000);
    msg_writer_init(&w, HOMING_REPLY_MAX);
    msg_parser_init(&parser, HOMING_REPLY_MAX);
    msg_put_reply(&w, 1);
    status_put_cluster(sim.daemon->clusters[0], &w);
    assert_int_equal(msg_writer_finish(&w), 0);
    assert_int_equal(msg_parser_feed(&parser, w.data, w.len, &used, &answer), MSG_FED_MESSAGE);
    const struct msg_value *members = msg_get(answer.result, "members");
    const struct msg_value *a = msg_array_at(members, 0), *b = msg_array_at(members, 1),
                           *c = msg_array_at(members, 2);
    words_member_at(sim.daemon->clusters[0], 0, first);
    assert_false(msg_get_bool(a, "heir", true));
    assert_null(msg_get_str(a, "follows"));
    assert_true(msg_get_bool(b, "heir", false));
    assert_string_equal(msg_get_str(b, "follows"), first);
    assert_false(msg_get_bool(c, "heir", true));
    assert_string_equal(msg_get_str(c, "follows"), "a server that is no member");
    msg_parser_done(&parser);
    msg_writer_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_SIM(W12_an_heir_is_published_within_a_second),
        TEST_IN_SIM(W12_heirs_outlive_the_agent),
        TEST_IN_SIM(W12_the_alarm_says_what_speaks_against_a_claim),
        TEST_IN_SIM(W12_status_says_who_is_an_heir_and_whom_it_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
